// The mutator: new inputs out of those that are kept. Knows bytes, integers of interest and the target's
// dictionary; knows nothing of coverage.

import type { Random } from './random.ts'

/** A change of an input. `other` is a second input that is kept. */
type Change = (bytes: Buffer, random: Random, other: Buffer) => Buffer

const INTERESTING = [
  0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 72, 73, 74, 127, 128, 255, 256, 257, 511,
  512, 513, 1_023, 1_024, 1_025, 2_047, 2_048, 4_095, 4_096, 32_767, 32_768, 65_535, 65_536, 65_599, 65_600,
  0xff_ffff, 999_999_999, 1_000_000_000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff
]

const splice = (bytes: Buffer, at: number, removed: number, ...inserted: Buffer[]): Buffer =>
  Buffer.concat([bytes.subarray(0, at), ...inserted, bytes.subarray(at + removed)])

/** A place before, between or behind the bytes. */
const anywhere = (bytes: Buffer, random: Random): number => random.below(bytes.length + 1)

/** Mostly short. */
const length = (random: Random, most: number): number =>
  Math.min(most, 1 + random.below(random.oneIn(4) ? 256 : random.oneIn(2) ? 32 : 4))

const flipBit: Change = (bytes, random) => {
  const at = random.below(bytes.length)
  if (bytes.length > 0) bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
  return bytes
}

const setByte: Change = (bytes, random) => {
  if (bytes.length > 0)
    bytes[random.below(bytes.length)] = random.oneIn(2) ? random.u32() : random.pick(INTERESTING)
  return bytes
}

const addToByte: Change = (bytes, random) => {
  const at = random.below(bytes.length)
  if (bytes.length > 0) bytes[at] = (bytes[at] as number) + random.below(35) - 17
  return bytes
}

function writeInteger(bytes: Buffer, at: number, width: number, value: number, random: Random): Buffer {
  const field = Buffer.alloc(8)
  field.writeBigUInt64BE(BigInt(value))
  const cut = field.subarray(8 - width)
  if (random.oneIn(8)) cut.reverse()
  cut.copy(bytes, at)
  return bytes
}

const setInteger: Change = (bytes, random) => {
  const width = random.pick([1, 2, 3, 4, 8])
  const value = random.pick(INTERESTING)
  return writeInteger(bytes, anywhere(bytes, random), width, value, random)
}

/** A field that says how long the rest is, or nearly so. */
const setLength: Change = (bytes, random) => {
  const width = random.pick([1, 2, 2, 3, 4])
  const at = anywhere(bytes, random)
  const rest = Math.max(0, bytes.length - at - width + (random.oneIn(2) ? 0 : random.below(5) - 2))
  return writeInteger(bytes, at, width, rest, random)
}

const insertRandom: Change = (bytes, random) =>
  splice(bytes, anywhere(bytes, random), 0, random.bytes(length(random, 64)))

const insertRepeated: Change = (bytes, random) =>
  splice(bytes, anywhere(bytes, random), 0, Buffer.alloc(length(random, 4_096), random.u32() & 0xff))

const remove: Change = (bytes, random) => splice(bytes, anywhere(bytes, random), length(random, bytes.length))

const cut: Change = (bytes, random) => bytes.subarray(0, anywhere(bytes, random))

function block(bytes: Buffer, random: Random): Buffer {
  const from = random.below(bytes.length)
  return bytes.subarray(from, from + length(random, bytes.length))
}

const duplicate: Change = (bytes, random) => {
  const copies = random.oneIn(8) ? 1 + random.below(64) : 1
  const copied = block(bytes, random)
  return splice(bytes, anywhere(bytes, random), 0, ...Array.from({ length: copies }, () => copied))
}

const move: Change = (bytes, random) => {
  const moved = block(bytes, random)
  moved.copy(bytes, anywhere(bytes, random))
  return bytes
}

const cross: Change = (bytes, random, other) => {
  const at = anywhere(bytes, random)
  return Buffer.concat([
    bytes.subarray(0, at),
    other.subarray(random.oneIn(2) ? at : anywhere(other, random))
  ])
}

const insertOther: Change = (bytes, random, other) =>
  splice(bytes, anywhere(bytes, random), 0, block(other, random))

const CHANGES: readonly Change[] = [
  ...[
    flipBit,
    flipBit,
    setByte,
    setByte,
    setByte,
    setByte,
    addToByte,
    setInteger,
    setInteger,
    setLength,
    setLength
  ],
  ...[insertRandom, insertRepeated, remove, remove, cut, duplicate, duplicate, move, cross, insertOther]
]

export class Mutator {
  readonly #random: Random
  readonly #maxBytes: number
  readonly #changes: readonly Change[]

  constructor(random: Random, maxBytes: number, dictionary: readonly Buffer[]) {
    this.#random = random
    this.#maxBytes = maxBytes
    const insertToken: Change = bytes => splice(bytes, anywhere(bytes, random), 0, random.pick(dictionary))
    const putToken: Change = bytes => {
      random.pick(dictionary).copy(bytes, anywhere(bytes, random))
      return bytes
    }
    const tokens = dictionary.length > 0 ? [insertToken, insertToken, insertToken, putToken, putToken] : []
    this.#changes = [...CHANGES, ...tokens]
  }

  /** A new input, never the same memory as one of the two. */
  mutate(input: Buffer, other: Buffer): Buffer {
    let bytes: Buffer = Buffer.from(input)
    const times = 1 + this.#random.below(this.#random.oneIn(3) ? 8 : 2)
    for (let i = 0; i < times; i++) bytes = this.#random.pick(this.#changes)(bytes, this.#random, other)
    return Buffer.from(bytes.subarray(0, this.#maxBytes))
  }
}
