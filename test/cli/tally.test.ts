// The tally: equal for the same messages in the same order, different for anything else.

import t from 'tap'
import { canonical, sameTotal, Tally, type Total } from '../../lib/cli/tally.ts'

function totalOf(...messages: unknown[]): Total {
  const tally = new Tally()
  for (const message of messages) tally.add(message)
  return tally.total
}

t.test('the same messages in the same order give the same total', async t => {
  const make = (): unknown[] => [{ a: [1, new Date(5)] }, Buffer.from('x'), 'text']
  t.ok(sameTotal(totalOf(...make()), totalOf(...make())))
})

t.test('one message less, twice, in another place or changed gives another total', async t => {
  const total = totalOf(1, 2)
  for (const other of [[1], [1, 2, 2], [2, 1], [1, 3], ['1', 2], [[1, 2]]]) {
    t.notOk(sameTotal(total, totalOf(...other)), JSON.stringify(other))
  }
})

t.test('a total can be taken on the way', async t => {
  const tally = new Tally()
  tally.add(1)
  const early = tally.total
  tally.add(2)
  t.strictSame(early, totalOf(1))
  t.strictSame(tally.total, totalOf(1, 2))
})

t.test('no two values look alike', async t => {
  const values = [
    0,
    -0,
    1,
    NaN,
    1n,
    '1',
    true,
    'true',
    null,
    undefined,
    'null',
    [],
    {},
    '',
    [[]],
    [null],
    [undefined],
    { a: 1 },
    { b: 1 },
    { a: '1' },
    { a: 1, b: 2 },
    { b: 2, a: 1 },
    ['a', 'b'],
    ['a,b'],
    ['a","b'],
    new Date(1),
    new Date(2),
    new Date(NaN),
    new Set(),
    new Set([1]),
    new Set([1, 2]),
    new Set([2, 1]),
    Buffer.from([1, 2]),
    new Uint8Array([1, 2]),
    new Uint8Array([1, 2]).buffer,
    new Int8Array([1, 2]),
    new Uint16Array([513]),
    new DataView(new Uint8Array([1, 2]).buffer)
  ]
  t.equal(new Set(values.map(value => canonical(value))).size, values.length)
})

t.test('it names the types that JSON does not have', async t => {
  t.strictSame(totalOf({ a: [1n, new Date(0)] }, new Set([Buffer.alloc(1)])).kinds, [
    'Buffer',
    'Date',
    'Set',
    'bigint'
  ])
  t.strictSame(totalOf({ a: [1, 'x', null, true] }).kinds, [])
})
