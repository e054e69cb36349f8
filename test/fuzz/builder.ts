// The builder: JavaScript values out of bytes, those that a message may carry and those that it may not. The same
// bytes make the same value.

import { TYPED } from '../wire/arbitrary.ts'

const STRINGS = [
  '',
  'a',
  '__proto__',
  'constructor',
  'toJSON',
  '\ufeff',
  '\ufeff'.padEnd(70, '-'),
  'ü€😀',
  '\ud800',
  'length',
  '0'
]
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  127,
  128,
  -32,
  -33,
  255,
  256,
  65_536,
  65_599,
  65_600,
  2 ** 31,
  -(2 ** 31),
  2 ** 32,
  2 ** 53,
  0.1,
  1e300,
  Number.NaN,
  -Infinity
]
const BIGINTS = [
  0n,
  -1n,
  2n ** 63n - 1n,
  2n ** 63n,
  -(2n ** 63n) - 1n,
  2n ** 64n,
  2n ** 8_191n - 1n,
  2n ** 8_191n,
  -(2n ** 8_191n)
]
const DATES = [0, 1, -1, 2 ** 32 * 1_000, 2 ** 32 * 1_000 - 1, 8.64e15, -8.64e15, Number.NaN, 1.5]

/** What must be refused, or at least not change anything. */
const ODD: readonly (() => unknown)[] = [
  () => new Map([[1, 2]]),
  () => new Error('no'),
  () => /x/,
  () => () => 1,
  () => Symbol('x'),
  () => Promise.resolve(),
  () => new (class Point {})(),
  () => Object.create(null),
  () => Object.assign([1], { more: 2 }),
  () => new Array(3),
  () => Object.defineProperty({}, 'get', { enumerable: true, get: () => 5 }),
  () =>
    Object.defineProperty({}, 'thrown', {
      enumerable: true,
      get: () => {
        throw new Error('read')
      }
    }),
  () =>
    new Proxy(
      {},
      {
        ownKeys: () => ['a'],
        getOwnPropertyDescriptor: () => ({ value: 1, enumerable: true, configurable: true })
      }
    ),
  () => new SharedArrayBuffer(2),
  () => Object(1n),
  () => Object(false),
  () => ({ toJSON: () => 'other' }),
  () => ({ [Symbol('key')]: 1 }),
  () => Buffer.alloc(0),
  () => new Uint8Array(0),
  () => cyclic(),
  () => detached(),
  () => Object.setPrototypeOf([1], null),
  () => new (class extends Array {})(),
  () => new (class extends Date {})(),
  () => new (class extends Set {})(),
  () => Object.assign(new Set([1]), { more: 2 }),
  () => ({ constructor: 1, hasOwnProperty: 2 })
]

function cyclic(): unknown {
  const list: unknown[] = []
  list.push({ list })
  return list
}

function detached(): ArrayBuffer {
  const buffer = new ArrayBuffer(8)
  structuredClone(buffer, { transfer: [buffer] })
  return buffer
}

export class Builder {
  readonly #bytes: Buffer
  #at = 0
  /** Whether something odd is in what was built. */
  odd = false

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get more(): boolean {
    return this.#at < this.#bytes.length
  }

  value(depth = 0): unknown {
    const what = this.#u8()
    const makers: (() => unknown)[] = [
      () => this.#pick(STRINGS),
      () =>
        this.#take(this.#u8())
          .toString('latin1')
          .repeat(1 + (this.#u8() >> 5)),
      () => this.#pick(NUMBERS),
      () => this.#take(4).reduce((sum, byte) => sum * 256 + byte, 0) - 2 ** 31,
      () => this.#pick(BIGINTS),
      () => new Date(this.#pick(DATES)),
      () => this.#pick([null, undefined, true, false]),
      () => this.#binary(),
      () => this.#list(depth),
      () => this.#object(depth),
      () => new Set(this.#list(depth)),
      () => this.#deep(depth),
      () => this.#odd(),
      () => Array.from({ length: this.#u8() * 4 }, (_, i) => i)
    ]
    return (makers[what % makers.length] as () => unknown)()
  }

  #u8(): number {
    return this.#bytes[this.#at++] ?? 0
  }

  #take(length: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += taken.length
    return taken
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#u8() % items.length] as T
  }

  #binary(): unknown {
    const data = Buffer.from(this.#take(this.#u8() & 0x1f))
    const View = TYPED[this.#u8() % (TYPED.length + 2)]
    const { buffer } = Uint8Array.from(Buffer.concat([data, Buffer.alloc((8 - (data.length % 8)) % 8)]))
    return View ? new View(buffer) : this.#u8() % 2 ? buffer : data
  }

  #list(depth: number): unknown[] {
    const length = depth > 12 ? 0 : this.#u8() % 20
    return Array.from({ length }, () => this.value(depth + 1))
  }

  #object(depth: number): unknown {
    const pairs = depth > 12 ? 0 : this.#u8() % 20
    const entries = Array.from({ length: pairs }, (_, i) => [
      this.#u8() % 2 ? this.#pick(STRINGS) : `key ${i}`,
      this.value(depth + 1)
    ])
    return Object.fromEntries(entries)
  }

  /** Up to 70 levels around a value. */
  #deep(depth: number): unknown {
    const levels = this.#u8() % 70
    let value = depth > 3 ? 1 : this.value(depth + 1)
    for (let i = 0; i < levels; i++) value = i % 3 ? [value] : i % 2 ? { value } : new Set([value])
    return value
  }

  #odd(): unknown {
    this.odd = true
    return this.#pick(ODD)()
  }
}
