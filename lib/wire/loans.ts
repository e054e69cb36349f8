// Memory for what comes in pieces and is read once: lent, and lent again when it was given back. Whoever keeps it
// keeps it, and it is garbage some day like any other. Knows sizes only.

import { MAX_SEALED_BYTES } from '../constants.ts'

/** What is smaller costs less to allocate than to look after, in bytes. */
const MIN_LENT_BYTES = 16_384

/** So much is kept for the next: a record each of as many connections as are likely to be in the middle of one. */
const MAX_SPARE = 8

const spare: Buffer[] = []

/** So many bytes, as they were left, and how to give them back; null for a size that is not lent. */
export function lend(bytes: number): Loan | null {
  if (bytes < MIN_LENT_BYTES || bytes > MAX_SEALED_BYTES) return null
  return new Loan(spare.pop() ?? Buffer.allocUnsafeSlow(MAX_SEALED_BYTES), bytes)
}

export class Loan {
  readonly bytes: Buffer
  #memory: Buffer | null

  constructor(memory: Buffer, bytes: number) {
    this.#memory = memory
    this.bytes = memory.subarray(0, bytes)
  }

  /** They are somebody else's from here on. */
  giveBack(): void {
    if (this.#memory && spare.length < MAX_SPARE) spare.push(this.#memory)
    this.#memory = null
  }
}
