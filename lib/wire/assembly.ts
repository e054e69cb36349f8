// A message in fragments, as it is put together. How long a Buffer is stands in its first bytes: its fragments go to
// their place as they come, once enough has come for that. Knows lengths and the first token; checks nothing.

import { ALIGNED_BYTES } from './long.ts'
import { FORM, FORMS, HEADERS, lengthAt } from './tokens.ts'

/** What was announced is believed when so much of it has come: a peer takes no more memory than four times what it sent. */
const BELIEVED = 1 / 4

/** The longest header of binary data. The Buffer behind it is aligned. */
const HEADER_BYTES = 5

export class Assembly {
  readonly #maxBytes: number
  #fragments: Buffer[] = []
  #bytes = 0
  /** Where all of it has its place. */
  #place: Buffer | null = null
  /** The length of all of it, header included; 0 if that is not known. */
  #announced = 0

  /** No more than `maxBytes` is taken ahead: what announces more will be refused. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** What has come, in bytes. */
  get bytes(): number {
    return this.#bytes
  }

  add(fragment: Buffer): void {
    if (this.#bytes === 0) this.#announced = announcedIn(fragment)
    const from = this.#bytes
    this.#bytes += fragment.length
    if (this.#place === null && this.#isBelieved()) this.#makePlace()
    if (this.#place === null) return this.#keep(fragment)
    if (this.#bytes <= this.#place.length) return void this.#place.set(fragment, from)
    // More than was announced: whoever reads it will see.
    this.#fragments = [this.#place.subarray(0, from), fragment]
    this.#place = null
    this.#announced = 0
  }

  /** All that has come, one behind the other: the fragment itself if it is but one, else in memory that nobody else has. */
  joined(): Buffer {
    if (this.#place !== null) return this.#place.subarray(0, this.#bytes)
    return this.#fragments.length === 1 ? (this.#fragments[0] as Buffer) : Buffer.concat(this.#fragments)
  }

  #isBelieved(): boolean {
    if (this.#fragments.length === 0 || this.#announced > this.#maxBytes) return false
    return this.#bytes >= this.#announced * BELIEVED && this.#bytes <= this.#announced
  }

  #makePlace(): void {
    const before = ALIGNED_BYTES - HEADER_BYTES
    this.#place = Buffer.allocUnsafeSlow(before + this.#announced).subarray(before)
    let at = 0
    for (const fragment of this.#fragments) {
      this.#place.set(fragment, at)
      at += fragment.length
    }
    this.#fragments = []
  }

  #keep(fragment: Buffer): void {
    // A small fragment in a record full of padding would keep all of the record in memory.
    const pins = fragment.buffer.byteLength > 2 * fragment.length
    this.#fragments.push(pins ? Buffer.from(fragment) : fragment)
  }
}

function announcedIn(first: Buffer): number {
  const token = first[0] as number
  if (first.length < HEADER_BYTES || FORMS[token] !== FORM.binary) return 0
  return (HEADERS[token] as number) + lengthAt(first, 0)
}
