// Arbitrary values that a message may carry, for property tests.

import fc from 'fast-check'

/** What bytes can be seen as. */
export const TYPED: readonly (new (buffer: ArrayBuffer) => ArrayBufferView)[] = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView
]

const bytes = fc.uint8Array({ maxLength: 9 }).map(data => data.slice())

interface Viewer {
  new (buffer: ArrayBuffer): ArrayBufferView
}

// Eight times the bytes, so that every element size divides it.
const typed = fc
  .tuple(fc.constantFrom<Viewer[]>(...TYPED), bytes)
  .map(
    ([View, data]) =>
      new View(Uint8Array.from({ length: data.length * 8 }, (_, i) => data[i >> 3] as number).buffer)
  )

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'binary', minLength: 20, maxLength: 300 }),
  fc.string({ unit: 'binary', maxLength: 80 }).map(tail => `\ufeff${tail}`)
)

const leaf = fc.oneof(
  fc.constantFrom(
    null,
    undefined,
    true,
    false,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY
  ),
  fc.integer(),
  fc.integer({ min: -200, max: 70_000 }),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt({ min: -(2n ** 66n), max: 2n ** 66n }),
  fc.bigInt({ min: -(2n ** 8191n), max: 2n ** 8191n - 1n }),
  text,
  bytes.map(data => Buffer.from(data)),
  bytes.map(data => data.buffer as ArrayBuffer),
  typed,
  fc.date({ noInvalidDate: true })
)

const keys = fc.oneof(text, fc.constantFrom('constructor', 'toJSON', 'hasOwnProperty', 'length', '0', '17'))

/** Any value, null and undefined included. */
export const anyValue: fc.Arbitrary<unknown> = fc.letrec(tie => ({
  value: fc.oneof({ maxDepth: 5, withCrossShrink: true }, leaf, tie('array'), tie('set'), tie('object')),
  array: fc.array(tie('value'), { maxLength: 6 }),
  set: fc.array(tie('value'), { maxLength: 5 }).map(elements => new Set(elements)),
  object: fc.dictionary(
    keys.filter(key => key !== '__proto__'),
    tie('value'),
    { maxKeys: 20, noNullPrototype: true }
  )
})).value

/** Any message. */
export const anyMessage = anyValue.filter(value => value !== null && value !== undefined)

/** Deterministic bytes. */
export function noise(length: number, seed = 1): Buffer {
  const data = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    data[i] = state >>> 24
  }
  return data
}

/** The same with the dates as text: Node 20 holds that no invalid date equals another. */
export function comparable(value: unknown): unknown {
  if (value instanceof Date) return `Date ${value.getTime()}`
  if (Array.isArray(value)) return value.map(comparable)
  if (value instanceof Set) return new Set([...value].map(comparable))
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype)
    return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, comparable(inner)]))
}
