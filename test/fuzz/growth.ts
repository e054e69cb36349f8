// Growth: whether decoding many copies of a value costs more than so many times the cost. Knows the time and the
// memory that a byte may cost; looks at one value in so many, since a look takes milliseconds.

import { unpack } from '../../lib/wire/packer.ts'
import { scan as libsScan } from '../../lib/wire/scan.ts'
import { cpuMs } from './bound.ts'
import { require } from './target.ts'

const ONE_IN = 64
const BYTES = 64 * 1_024
/** Generous: 1 µs a byte is 1 MB/s, and an empty object of one byte takes some hundred bytes of memory. */
const MAX_NS_PER_BYTE = 2_000
const MAX_BYTES_PER_BYTE = 768
const NOISE_MS = 25
const NOISE_BYTES = 8 * 1_024 * 1_024

export class Growth {
  readonly #scan: typeof libsScan
  #seen = 0

  constructor(scan: typeof libsScan = libsScan) {
    this.#scan = scan
  }

  /** Checks the first value, and then one now and then. */
  check(value: Buffer): void {
    if (this.#seen++ % ONE_IN > 0) return
    const copies = Math.floor(BYTES / value.length)
    if (copies < 2) return
    const many = Buffer.concat([header(copies), ...Array.from({ length: copies }, () => value)])
    if (!this.#accepts(many)) return // nested too deep, or too many
    // A collection may come in between: three times is a failure.
    let cost = this.#cost(many)
    for (let i = 0; i < 2 && !isLinear(cost, many.length); i++) cost = this.#cost(many)
    require(isLinear(cost, many.length), 'decoding takes too much time or memory')
  }

  #accepts(bytes: Buffer): boolean {
    try {
      return this.#scan(bytes, 0, bytes.length) === bytes.length
    } catch {
      return false
    }
  }

  #cost(bytes: Buffer): Cost {
    const before = memory()
    const from = cpuMs()
    this.#scan(bytes, 0, bytes.length)
    unpack(bytes)
    return { ms: cpuMs() - from, bytes: memory() - before }
  }
}

interface Cost {
  readonly ms: number
  readonly bytes: number
}

const isLinear = ({ ms, bytes }: Cost, length: number): boolean =>
  ms <= NOISE_MS + (length * MAX_NS_PER_BYTE) / 1e6 && bytes <= NOISE_BYTES + length * MAX_BYTES_PER_BYTE

function memory(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

function header(copies: number): Buffer {
  const bytes = Buffer.of(0xdd, 0, 0, 0, 0)
  bytes.writeUInt32BE(copies, 1)
  return bytes
}
