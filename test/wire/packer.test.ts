// Packing and unpacking: golden bytes for each kind of value, the two repairs, and what is owned by whom.

import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import { Packr } from 'msgpackr/pack'
import t from 'tap'
import { keepMarks, pack, restoreNegativeZeros, unpack, withoutNegativeZeros } from '../../lib/wire/packer.ts'
import { anyValue } from './arbitrary.ts'

const GOLDEN: readonly (readonly [value: unknown, hex: string])[] = [
  [null, 'c0'],
  [undefined, 'd40000'],
  [false, 'c2'],
  [true, 'c3'],
  [0, '00'],
  [64, '40'],
  [127, '7f'],
  [128, 'cc80'],
  [256, 'cd0100'],
  [65536, 'ce00010000'],
  [2 ** 32 - 1, 'ceffffffff'],
  [2 ** 32, 'cb41f0000000000000'],
  [2 ** 53 - 1, 'cb433fffffffffffff'],
  [2 ** 53, 'cb4340000000000000'],
  [-1, 'ff'],
  [-32, 'e0'],
  [-33, 'd0df'],
  [-129, 'd1ff7f'],
  [-32769, 'd2ffff7fff'],
  [-(2 ** 31) - 1, 'cbc1e0000000200000'],
  [1.5, 'cb3ff8000000000000'],
  [Number.NaN, 'cb7ff8000000000000'],
  [Number.POSITIVE_INFINITY, 'cb7ff0000000000000'],
  [Number.NEGATIVE_INFINITY, 'cbfff0000000000000'],
  [0n, 'd30000000000000000'],
  [-1n, 'd3ffffffffffffffff'],
  [2n ** 63n - 1n, 'd37fffffffffffffff'],
  [2n ** 63n, 'cf8000000000000000'],
  [2n ** 64n - 1n, 'cfffffffffffffffff'],
  [2n ** 64n, 'd84200000000000000010000000000000000'],
  [-(2n ** 63n) - 1n, 'd842ffffffffffffffff7fffffffffffffff'],
  [2n ** 127n, `c71842${'00'.repeat(8)}80${'00'.repeat(15)}`],
  ['', 'a0'],
  ['é', 'a2c3a9'],
  ['😀', 'a4f09f9880'],
  ['x'.repeat(32), `d920${'78'.repeat(32)}`],
  ['x'.repeat(256), `da0100${'78'.repeat(256)}`],
  [Buffer.of(1, 2), 'c4020102'],
  [Uint8Array.of(1), 'c702740101'],
  [new Uint8Array(), 'c7017401'],
  [Int16Array.of(-2), 'c7037403feff'],
  [Float64Array.of(-0), 'c7097408 0000000000000080'.replace(' ', '')],
  [new ArrayBuffer(2), 'c70374100000'],
  [new DataView(new ArrayBuffer(1)), 'c702741100'],
  [new Date(0), 'd6ff00000000'],
  [new Date(1), 'd7ff003d090000000000'],
  [new Date(2 ** 32 * 1000), 'c70cff000000000000000100000000'],
  [new Date(-1), 'c70cff3b8b87c0ffffffffffffffff'],
  [new Set([1, 'a']), 'd473009201a161'],
  [[], '90'],
  [[[1], []], '92910190'],
  [{}, '80'],
  [{ b: 1, a: null }, '82a16201a161c0'],
  [{ x: { y: undefined } }, '81a17881a179d40000']
]

t.test('golden bytes, and back', async t => {
  for (const [value, hex] of GOLDEN) {
    t.equal(pack(value).toString('hex'), hex)
    deepStrictEqual(unpack(Buffer.from(hex, 'hex')), value)
  }
  t.equal(pack(new Date(Number.NaN)).toString('hex'), 'd4ffff')
  t.ok(Number.isNaN((unpack(Buffer.from('d4ffff', 'hex')) as Date).getTime()))
  t.equal(pack(Object.assign(Object.create(null), { a: 1 })).toString('hex'), '81a16101')
  t.equal(
    pack(Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`${i}`, i])))
      .subarray(0, 3)
      .toString('hex'),
    'de0010'
  )
  t.equal(
    pack(Object.fromEntries(Array.from({ length: 65_536 }, (_, i) => [`${i}`, i])))
      .subarray(0, 5)
      .toString('hex'),
    'df00010000'
  )
})

const repaired = (value: unknown): unknown => {
  const substitute = withoutNegativeZeros(value)
  const bytes = pack(substitute.value)
  restoreNegativeZeros(bytes, 0, bytes.length, substitute.placeholder)
  return unpack(keepMarks(bytes))
}

t.test('arbitrary values come out as they went in', async t => {
  fc.assert(
    fc.property(anyValue, value => {
      deepStrictEqual(repaired(value), value)
    }),
    { numRuns: 2000 }
  )
  t.pass()
})

t.test('a placeholder that the message holds is not used', async t => {
  const { random } = Math
  const draws = [0.25, 0.25, 0.5]
  Math.random = () => draws.shift() ?? random()
  t.teardown(() => {
    Math.random = random
  })
  const taken = 1.25 * 2 ** 900
  for (const message of [[taken, -0], { a: -0, b: [taken] }, [new Set([taken, [-0]])]]) {
    draws.unshift(0.25)
    deepStrictEqual(repaired(message), message)
  }
  t.pass()
})

t.test('bytes that look like the placeholder are left alone within data', async t => {
  const { random } = Math
  Math.random = () => 0.25
  t.teardown(() => {
    Math.random = random
  })
  const lookalike = pack(1.25 * 2 ** 900)
  const message = [-0, lookalike, new Uint8Array(lookalike), Object.assign(Object.create(null), { a: -0 }).a]
  deepStrictEqual(repaired(message), message)
  t.pass()
})

t.test('a byte order mark stays, on strings and keys of every length', async t => {
  for (const length of [0, 1, 31, 61, 62, 64, 65, 252, 253, 256, 65_533, 70_000]) {
    const text = `\ufeff${'x'.repeat(length)}`
    const message = { [text]: [text, `\ufeff${text}`, `x${text}`, Buffer.from(text)] }
    deepStrictEqual(unpack(keepMarks(pack(message))), message)
  }
  t.pass()
})

t.test('characters that share bytes with the byte order mark stay as they are', async t => {
  // ef bb bf is the mark.
  const others = ['\ufefe', '\ufebf', '\ufeff', '\ueeff', '\u{40000}', 'x']
  const message = others.map(first => `${first}${'x'.repeat(100)}`)
  deepStrictEqual(unpack(keepMarks(pack(message))), message)
  deepStrictEqual(unpack(keepMarks(pack(message.slice(0, 2)))), message.slice(0, 2))
  t.pass()
})

t.test('packed bytes are not in the memory that msgpackr shares', async t => {
  const foreign = Buffer.alloc(100_000)
  const other = new Packr()
  other.useBuffer(foreign)
  const bytes = pack({ a: 'b'.repeat(50_000) })
  const copy = Buffer.from(bytes)
  foreign.fill(0xff)
  t.strictSame(bytes, copy)
})

t.test('decoded binary data has memory of its own', async t => {
  const bytes = pack([
    Buffer.of(1),
    Buffer.of(2),
    Uint8Array.of(3),
    Uint16Array.of(4),
    new ArrayBuffer(1),
    new DataView(new ArrayBuffer(2))
  ])
  const values = unpack(bytes) as (Uint8Array | ArrayBuffer)[]
  const memories = values.map(value => (value instanceof ArrayBuffer ? value : value.buffer))
  t.equal(new Set([bytes.buffer, ...memories]).size, 7)
  t.strictSame(
    memories.map(memory => memory.byteLength),
    [1, 1, 1, 2, 1, 2]
  )
  t.ok(Buffer.isBuffer(values[0]) && !Buffer.isBuffer(values[2]))
})
