// Frames: how records lie in a byte stream. Knows lengths and their caps; knows nothing of keys, of what the
// type byte means, of MessagePack, of streams.
//
//   0        1                          4                    4 + length
//   ├ type ──┼ length, u24 big-endian ──┼ body … ────────────┤

import { HEADER_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { type Loan, lend } from './loans.ts'

/**
 * A type byte and a body. The same shape inside a sealed record and outside: there the type is the record's
 * type, here its kind, so that stages fit together with the cipher between them or without it.
 */
export interface Frame {
  readonly type: number
  readonly body: Buffer
  /** Header and body as they go on the wire, one behind the other, where its maker has them so. */
  readonly wire?: readonly Buffer[]
  /** Whether nobody else has the memory of the body, and nobody will: a part of it can be given away as it is. */
  readonly own?: boolean
  /** The memory of the body, where it is lent: whoever was the last to read the body may give it back. */
  readonly loan?: Loan
}

/** The longest body taken for a type, in bytes. Throws where a frame of that type has no place. */
export type Admit = (type: number) => number

/** The longest body that a u24 can announce, in bytes. */
export const MAX_BODY_BYTES = 0xff_ffff

/** The four bytes before a body. Throws ERR_STALK_INTERNAL for a body that no header can announce. */
export function header(type: number, bodyBytes: number): Buffer {
  if (bodyBytes > MAX_BODY_BYTES) {
    throw new StalkError('ERR_STALK_INTERNAL', `a frame cannot hold ${bodyBytes} bytes`)
  }
  const bytes = Buffer.allocUnsafe(HEADER_BYTES)
  bytes.writeUInt32BE(((type << 24) | bodyBytes) >>> 0)
  return bytes
}

/** A frame as it lies on the wire. */
export const enframe = (frame: Frame): Buffer => joined(partsOf(frame))

/** The same in parts, one behind the other, so that large ones need not be copied. */
export const partsOf = (frame: Frame): readonly Buffer[] =>
  frame.wire ?? [header(frame.type, frame.body.length), frame.body]

export const joined = (parts: readonly Buffer[]): Buffer =>
  parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)

/** Up to this size bytes are copied for less than it costs to write them by themselves. */
const SMALL_BYTES = 4_096

/** The same bytes in few parts: small ones that stand together are joined. */
export function gathered(parts: readonly Buffer[]): readonly Buffer[] {
  const all: Buffer[] = []
  let small: Buffer[] = []
  const flush = (): void => {
    if (small.length > 0) all.push(joined(small))
    small = []
  }
  for (const part of parts) {
    if (part.length <= SMALL_BYTES) small.push(part)
    else {
      flush()
      all.push(part)
    }
  }
  flush()
  return all
}

const NONE: Buffer = Buffer.alloc(0)

/**
 * Cuts a byte stream into frames, however it was chunked. `push` a chunk, then call `next` until it gives
 * undefined. The type is admitted with its first byte and the length with its fourth, before anything is
 * allocated for the body. A body that came whole is a view of its chunk; one that came in pieces is copied once, a
 * long one into memory that is lent.
 */
export class Deframer {
  readonly #admit: Admit
  #chunk = NONE
  #headerFill = 0
  #type = 0
  #length = 0
  #cap = 0
  #body: Buffer | null = null
  #loan: Loan | null = null
  #bodyFill = 0

  constructor(admit: Admit) {
    this.#admit = admit
  }

  /** Whether a frame has begun and is not complete. */
  get partial(): boolean {
    return this.#headerFill > 0
  }

  push(chunk: Buffer): void {
    this.#chunk = this.#chunk.length === 0 ? chunk : Buffer.concat([this.#chunk, chunk])
  }

  /**
   * The next whole frame, or undefined where more bytes are needed.
   * Throws ERR_STALK_OVERFLOW for a length beyond its cap, and whatever `admit` throws.
   */
  next(): Frame | undefined {
    if (!this.#readHeader()) return undefined
    const body = this.#readBody(this.#length)
    if (this.#chunk.length === 0) this.#chunk = NONE // a view of nothing would keep all that came with it
    if (body === undefined) return undefined
    this.#headerFill = 0
    const loan = this.#loan
    this.#loan = null
    return loan === null ? { type: this.#type, body } : { type: this.#type, body, loan }
  }

  #readHeader(): boolean {
    let taken = 0
    for (; this.#headerFill < HEADER_BYTES && taken < this.#chunk.length; taken++) {
      this.#readHeaderByte(this.#chunk[taken] as number)
    }
    if (taken > 0) this.#chunk = this.#chunk.subarray(taken)
    if (this.#headerFill < HEADER_BYTES) return false
    if (this.#length <= this.#cap) return true
    throw new StalkError(
      'ERR_STALK_OVERFLOW',
      `a record announces ${this.#length} bytes; the limit here is ${this.#cap}`
    )
  }

  #readHeaderByte(byte: number): void {
    if (this.#headerFill === 0) {
      this.#cap = this.#admit(byte)
      this.#type = byte
      this.#length = 0
    } else {
      this.#length = (this.#length << 8) | byte
    }
    this.#headerFill += 1
  }

  #readBody(length: number): Buffer | undefined {
    if (this.#body === null && this.#chunk.length >= length) return this.#view(length)
    this.#body ??= this.#allocate(length)
    const taken = this.#chunk.copy(this.#body, this.#bodyFill)
    this.#bodyFill += taken
    this.#chunk = this.#chunk.subarray(taken)
    if (this.#bodyFill < length) return undefined
    const body = this.#body
    this.#body = null
    this.#bodyFill = 0
    return body
  }

  #allocate(length: number): Buffer {
    this.#loan = lend(length)
    return this.#loan?.bytes ?? Buffer.allocUnsafe(length)
  }

  #view(length: number): Buffer {
    const body = this.#chunk.subarray(0, length)
    this.#chunk = this.#chunk.subarray(length)
    return body
  }
}
