// Messages of every type of value, at the edges of their encodings.

const numbers = [
  0,
  -0,
  1,
  5,
  127,
  128,
  255,
  256,
  65_535,
  65_536,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53,
  1e300,
  5e-324,
  -1,
  -32,
  -33,
  -128,
  -129,
  -32_768,
  -32_769,
  -(2 ** 31),
  -(2 ** 31) - 1,
  0.1,
  Math.PI,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY
]

const integers = [
  0n,
  5n,
  -1n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 64n,
  -(2n ** 63n),
  -(2n ** 63n) - 1n,
  2n ** 70n,
  -(2n ** 127n),
  2n ** 8191n - 1n,
  -(2n ** 8191n)
]

const strings = [
  '',
  'hi',
  'ü€😀',
  '\ufeffmarked',
  'x'.repeat(31),
  'x'.repeat(32),
  'x'.repeat(256),
  'x'.repeat(65_536)
]

const binary = [
  Buffer.alloc(0),
  Buffer.from([0, 255]),
  Buffer.alloc(256, 7),
  Buffer.alloc(65_536, 9),
  Int8Array.of(-1, 2),
  new Uint8Array(0),
  Uint8Array.of(1, 2, 3),
  Uint8ClampedArray.of(255),
  Int16Array.of(-2, 258),
  Uint16Array.of(65_535),
  Int32Array.of(258),
  Uint32Array.of(2 ** 32 - 1),
  Float32Array.of(1.5, Number.NaN),
  Float64Array.of(Math.E, -0),
  BigInt64Array.of(-1n),
  BigUint64Array.of(2n ** 63n),
  Uint8Array.of(1, 2, 3).buffer,
  new DataView(Uint8Array.of(4, 5).buffer),
  new Float64Array(40)
]

const dates = [
  new Date(0),
  new Date(1),
  new Date(-1),
  new Date(1000),
  new Date(2 ** 32 * 1000 - 1),
  new Date(2 ** 32 * 1000),
  new Date('2026-01-31T12:00:00.123Z'),
  new Date(8.64e15),
  new Date(-8.64e15),
  new Date(Number.NaN)
]

const nested = (depth: number): unknown =>
  depth === 0 ? 1 : depth % 2 ? [nested(depth - 1)] : { a: nested(depth - 1) }

export const samples: readonly unknown[] = [
  ...numbers,
  ...integers,
  ...strings,
  ...binary,
  ...dates,
  true,
  false,
  [],
  [null, undefined, true],
  Array.from({ length: 16 }, (_, i) => i),
  new Array(70_000).fill(0),
  {},
  { a: 1, ü: [undefined], '': null },
  { $bigint: '1' },
  { $$date: 'x' },
  Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`key ${i}`, i])),
  new Set(),
  new Set([1, '1', 1n, null, undefined]),
  new Set([[new Set([new Date(5)])]]),
  [new Set(Array(20).keys())],
  nested(64)
]
