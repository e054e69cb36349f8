// Bytes: big-endian integers, wiping, reading fields with every length checked. Knows nothing of their meaning.

import { StalkError } from './errors.ts'

/** A u16, big-endian. */
export function u16(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeUInt16BE(value)
  return bytes
}

/** A u32, big-endian. */
export function u32(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A u64, big-endian, of a safe integer. */
export function u64(value: number): Buffer {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigUInt64BE(BigInt(value))
  return bytes
}

/** A copy to be kept: in memory of its own, where a piece of node's pool would keep all 8 KiB of it. */
export function kept(bytes: Uint8Array): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}

/** Overwrites secrets that are no longer needed. A best effort: V8 may hold copies that nobody can reach. */
export function wipe(...secrets: Uint8Array[]): void {
  for (const secret of secrets) secret.fill(0)
}

/**
 * Reads fields off the front of bytes that a peer sent. Every length is checked before it is used; whatever is
 * missing or left over throws ERR_STALK_DECODE naming `what` was being read.
 */
export class Reader {
  readonly #bytes: Buffer
  readonly #what: string
  #offset = 0

  constructor(bytes: Buffer, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset
  }

  u8(): number {
    return this.take(1).readUInt8(0)
  }

  u16(): number {
    return this.take(2).readUInt16BE(0)
  }

  u32(): number {
    return this.take(4).readUInt32BE(0)
  }

  /** A view of the next bytes. */
  take(length: number): Buffer {
    if (length > this.remaining) this.fail('ends too early')
    this.#offset += length
    return this.#bytes.subarray(this.#offset - length, this.#offset)
  }

  /** `u16 length ‖ bytes`. */
  vector(maxBytes: number): Buffer {
    const length = this.u16()
    if (length > maxBytes) this.fail(`has a field of ${length} bytes; the limit is ${maxBytes}`)
    return this.take(length)
  }

  /** `u8 n ‖ items`, at least one and none twice. */
  list(item: () => number): number[] {
    const items = Array.from({ length: this.u8() }, item)
    if (items.length === 0) this.fail('has an empty list')
    if (new Set(items).size < items.length) this.fail('has a list that names an item twice')
    return items
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.remaining > 0) this.fail(`has ${this.remaining} bytes too many`)
  }

  fail(problem: string): never {
    throw new StalkError('ERR_STALK_DECODE', `${this.#what} ${problem}`, { phase: 'handshake' })
  }
}
