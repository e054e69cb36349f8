// Somebody on the wire between two ends, who sees every byte and decides what becomes of it: lets it pass, changes
// it, holds it, ends the wire in any way. Knows how records lie in bytes; knows no key.

import { Duplex } from 'node:stream'

/** What a meddler can do to one direction. */
export interface Wire {
  pass(bytes: Buffer): void
  /** An orderly end (FIN). What its sender still says is dropped. */
  end(): void
  /** As a socket that gets RST: both ends fail, and nothing passes any more. */
  reset(): void
  /** Nothing passes any more, either way, and nobody is told. */
  silence(): void
}

/** Handed what one end writes, and where that begins in all that it wrote. */
export type Meddler = (bytes: Buffer, at: number, wire: Wire) => void

export const honest: Meddler = (bytes, _at, wire) => wire.pass(bytes)

class Side extends Duplex {
  other: Side | null = null
  #over = false
  #at = 0
  #ready = true
  #waiting: (() => void) | null = null
  readonly #meddler: Meddler
  readonly #wire: Wire = {
    pass: bytes => this.#pass(bytes),
    end: () => this.#finish(),
    reset: () => this.#reset(),
    silence: () => this.#silence()
  }

  constructor(meddler: Meddler) {
    super()
    this.#meddler = meddler
  }

  #pass(bytes: Buffer): void {
    if (this.#over || bytes.length === 0 || this.other?.destroyed) return
    if (this.other && !this.other.push(bytes)) this.#ready = false
  }

  #finish(): void {
    if (!this.#over) this.other?.push(null)
    this.#over = true
  }

  #reset(): void {
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    this.#silence()
    for (const side of [this, this.other]) setImmediate(() => side?.destroy(error))
  }

  #silence(): void {
    this.#over = true
    if (this.other) this.other.#over = true
  }

  override _read(): void {
    this.other?.goOn()
  }

  goOn(): void {
    this.#ready = true
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const at = this.#at
    this.#at += chunk.length
    if (!this.#over) this.#meddler(chunk, at, this.#wire)
    if (this.#ready || this.#over) done()
    else this.#waiting = done
  }

  // Behind what a meddler holds until the end of the turn.
  override _final(done: () => void): void {
    setImmediate(() => {
      this.#finish()
      done()
    })
  }

  // As a socket's, whose end the other one sees; unless nothing passes any more.
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    setImmediate(() => {
      if (!this.other?.destroyed) this.#finish()
    })
    this.goOn()
    done(error)
  }
}

/** Two joined duplexes; `there` sees what the first one writes, `back` what the second one does. */
export function meddledPair(there: Meddler = honest, back: Meddler = honest): [Duplex, Duplex] {
  const [a, b] = [new Side(there), new Side(back)]
  a.other = b
  b.other = a
  return [a, b]
}

/** Turns a bit of the byte at `offset` over. */
export const flip =
  (offset: number): Meddler =>
  (bytes, at, wire) => {
    if (offset < at || offset >= at + bytes.length) return wire.pass(bytes)
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(offset - at) ^ (1 << (offset % 8)), offset - at)
    wire.pass(changed)
  }

export type Cut = 'end' | 'reset' | 'silence'

/** Lets so many bytes pass, and ends the wire there, whether or not more would come. */
export const cut =
  (offset: number, how: Cut): Meddler =>
  (bytes, at, wire) => {
    if (at + bytes.length < offset) return wire.pass(bytes)
    wire.pass(bytes.subarray(0, Math.max(offset - at, 0)))
    wire[how]()
  }

/** One byte at a time. */
export const dribble: Meddler = (bytes, _at, wire) => {
  for (const byte of bytes) wire.pass(Buffer.of(byte))
}

/** Everything of a turn in one chunk. */
export function gather(): Meddler {
  let held: Buffer[] = []
  return (bytes, _at, wire) => {
    held.push(bytes)
    if (held.length > 1) return
    setImmediate(() => {
      const all = Buffer.concat(held)
      held = []
      wire.pass(all)
    })
  }
}

/** Sees whole records, headers included, with their place in the direction. */
export type RecordMeddler = (record: Buffer, index: number, wire: Wire) => void

export function records(meddle: RecordMeddler): Meddler {
  let held: Buffer = Buffer.alloc(0)
  let index = 0
  return (bytes, _at, wire) => {
    held = Buffer.concat([held, bytes])
    for (let end = recordEnd(held); end <= held.length; end = recordEnd(held)) {
      const record = held.subarray(0, end)
      held = held.subarray(end)
      meddle(record, index++, wire)
    }
  }
}

const recordEnd = (bytes: Buffer): number =>
  bytes.length < 4 ? Number.POSITIVE_INFINITY : 4 + bytes.readUIntBE(1, 3)

/** Lets everything pass and keeps each record. */
export const recording = (into: Buffer[]): Meddler =>
  records((record, _index, wire) => {
    into.push(record)
    wire.pass(record)
  })
