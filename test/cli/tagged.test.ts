// Tagged JSON: the way there and back is exact, and what is not a tag is left alone.

import fc from 'fast-check'
import t from 'tap'
import { fromTagged, toTagged } from '../../lib/cli/tagged.ts'
import { canonical } from '../../lib/cli/tally.ts'

const roundTrip = (value: unknown): unknown => fromTagged(JSON.parse(JSON.stringify(toTagged(value))))

/** With -0, invalid dates and classes, which comparisons in tests take lightly. */
const same = (one: unknown, other: unknown): boolean => canonical(one) === canonical(other)

const json = (value: unknown): string => JSON.stringify(toTagged(value))

const read = (text: string): unknown => fromTagged(JSON.parse(text))

const TAGS = ['$bigint', '$date', '$bytes', '$set', '$number', '$undefined', '$Uint8Array', '$DataView']

const keys = fc.oneof(
  fc.string({ unit: 'grapheme' }).filter(key => key !== '__proto__'),
  fc.constantFrom(...TAGS, ...TAGS.map(tag => `$${tag}`), '$ref', '$', '$$', '$$ref', 'toJSON', 'constructor')
)

const bytes = fc.uint8Array({ maxLength: 24 }).map(data => new Uint8Array(data).buffer)

const binary = fc.oneof(
  bytes,
  bytes.map(data => Buffer.from(data)),
  bytes.map(data => new DataView(data)),
  bytes.map(data => new Uint8Array(data)),
  bytes.map(data => new Uint8ClampedArray(data)),
  fc.int8Array(),
  fc.int16Array(),
  fc.uint16Array(),
  fc.int32Array(),
  fc.uint32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array()
)

const scalars = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.double(),
  fc.constantFrom(null, undefined, true, false, -0, Number.NaN, Infinity, -Infinity),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  binary
)

const { value: values } = fc.letrec(tie => ({
  value: fc.oneof({ maxDepth: 5 }, scalars, tie('array'), tie('object'), tie('single'), tie('set')),
  array: fc.array(tie('value'), { maxLength: 4 }),
  object: fc.dictionary(keys, tie('value'), { maxKeys: 4, noNullPrototype: true }),
  single: fc.dictionary(keys, tie('value'), { minKeys: 1, maxKeys: 1, noNullPrototype: true }),
  set: fc.uniqueArray(scalars, { maxLength: 4 }).map(list => new Set(list))
}))

t.test('every value that a message can carry comes back as it was', async () => {
  fc.assert(
    fc.property(values, value => same(roundTrip(value), value)),
    { numRuns: 2_000 }
  )
})

t.test('what JSON can carry is written as JSON', async t => {
  const value = { a: [1, 'two', null, true, { b: -1.5e-7 }], c: {}, d: { $date: 1, and: 2 } }
  t.equal(json(value), JSON.stringify(value))
})

t.test('each kind has its form', async t => {
  const forms: [unknown, string][] = [
    [2n ** 70n, '{"$bigint":"1180591620717411303424"}'],
    [-0, '{"$number":"-0"}'],
    [Number.NaN, '{"$number":"NaN"}'],
    [-Infinity, '{"$number":"-Infinity"}'],
    [undefined, '{"$undefined":true}'],
    [new Date(0), '{"$date":"1970-01-01T00:00:00.000Z"}'],
    [new Date(8.64e15), '{"$date":"+275760-09-13T00:00:00.000Z"}'],
    [new Date(Number.NaN), '{"$date":null}'],
    [new Set([1, new Set()]), '{"$set":[1,{"$set":[]}]}'],
    [Buffer.from([1, 2, 3]), '{"$bytes":"AQID"}'],
    [new Uint8Array([1, 2, 3]), '{"$Uint8Array":"AQID"}'],
    [new Float64Array([1]), '{"$Float64Array":"AAAAAAAA8D8="}'],
    [new Uint8Array([9]).buffer, '{"$ArrayBuffer":"CQ=="}'],
    [new DataView(new ArrayBuffer(1)), '{"$DataView":"AA=="}']
  ]
  for (const [value, text] of forms) {
    t.equal(json(value), text)
    t.ok(same(read(text), value), text)
  }
})

t.test('an object that really has such a key gets one more $, and loses it again', async t => {
  t.equal(json({ $date: 1 }), '{"$$date":1}')
  t.equal(json({ $$date: { $set: 2 } }), '{"$$$date":{"$$set":2}}')
  t.strictSame(read('{"$$date":1}'), { $date: 1 })
  t.strictSame(read('{"$$$date":{"$bigint":"1"}}'), { $$date: 1n })
})

t.test('other keys with a $, and tags that are not alone, mean nothing', async t => {
  for (const text of [
    '{"$ref":"#/a"}',
    '{"$$ref":1}',
    '{"$":1}',
    '{"$date":1,"a":2}',
    '{"$$set":1,"$date":2}'
  ]) {
    t.equal(json(read(text)), text)
  }
})

t.test('a date can be written as people do, if it says which time zone', async t => {
  t.strictSame(read('{"$date":"2026-02-28"}'), new Date(Date.UTC(2026, 1, 28)))
  t.strictSame(read('{"$date":"2026-02-28T12:00Z"}'), new Date(Date.UTC(2026, 1, 28, 12)))
  t.strictSame(
    read('{"$date":"2026-02-28T00:30:00.5+01:00"}'),
    new Date(Date.UTC(2026, 1, 27, 23, 30, 0, 500))
  )
})

t.test('a tag with the wrong content is refused, with what it takes', async t => {
  const wrong = [
    '{"$bigint":12}',
    '{"$bigint":"1.5"}',
    '{"$bigint":""}',
    `{"$bigint":"${'9'.repeat(3_000)}"}`,
    '{"$number":"5"}',
    '{"$number":5}',
    '{"$date":5}',
    '{"$date":"tomorrow"}',
    '{"$date":"2026-02-30"}',
    '{"$date":"2026-02-30T00:00Z"}',
    '{"$date":"2026-02-28T12:00"}',
    '{"$set":{}}',
    '{"$set":[1,1]}',
    '{"$undefined":false}',
    '{"$bytes":"A"}',
    '{"$bytes":"AQ"}',
    '{"$bytes":[1]}',
    '{"$Float64Array":"AQID"}',
    '[{"a":{"$DataView":null}}]'
  ]
  for (const text of wrong) {
    t.throws(() => read(text), { message: /^"\$\w+" takes .*is written with "\$\$\w+"$/ })
  }
})

t.test('a key __proto__ is refused and changes nothing', async t => {
  t.throws(() => read('{"__proto__":{"a":1}}'), { message: /__proto__/ })
  t.throws(() => read('{"a":1,"__proto__":{"b":1}}'), { message: /__proto__/ })
})

t.test('what is nested too deep is refused and overflows nothing', async t => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
  t.ok(read(nested(64)))
  t.throws(() => read(nested(100_000)), { message: /nested too deep/ })
  const sets = '{"$set":['.repeat(64) + ']}'.repeat(64)
  t.equal(json(read(sets)), sets)
})
