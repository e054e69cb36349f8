import t from 'tap'
import { FORGET_KEY_SETS_AFTER, MAX_KEY_BRANCHES, MAX_KEY_SETS, SHAPE_AFTER } from '../../lib/constants.ts'
import { type KeySet, KeySets, STRAY } from '../../lib/wire/key-sets.ts'

function walk(sets: KeySets, names: readonly string[]): KeySet {
  let set = sets.root
  for (const name of names) set = sets.step(set, name)
  return set
}

function meet(sets: KeySets, names: readonly string[], times = 1): void {
  for (let i = 0; i < times; i++) sets.meet(walk(sets, names))
}

t.test('keys in one order are one set, and it knows their bytes', async t => {
  const sets = new KeySets()
  const set = walk(sets, ['id', 'at'])
  t.equal(walk(sets, ['id', 'at']), set)
  t.not(walk(sets, ['at', 'id']), set)
  t.not(walk(sets, ['id']), set)
  t.equal(set.bytes, 6)
  t.equal(set.size, 2)
  t.same(set.names, ['id', 'at'])
  t.equal(walk(sets, ['id', 'é']).bytes, 6)
})

t.test('a set is due when it was met often enough, once, and a shape when it is taken', async t => {
  const sets = new KeySets()
  meet(sets, ['a', 'b'], SHAPE_AFTER - 1)
  t.notOk(sets.due)
  meet(sets, ['a', 'b'])
  t.ok(sets.due)
  t.notOk(walk(sets, ['a', 'b']).shaped)
  t.same(sets.take(32), [['a', 'b']])
  t.ok(walk(sets, ['a', 'b']).shaped)
  t.notOk(walk(sets, ['a']).shaped)
  t.notOk(sets.due)
  meet(sets, ['a', 'b'], 5 * SHAPE_AFTER)
  t.notOk(sets.due)
})

t.test('no more are taken than there is room for', async t => {
  const sets = new KeySets()
  for (const name of ['a', 'b', 'c']) meet(sets, [name], SHAPE_AFTER)
  t.same(sets.take(2), [['a'], ['b']])
  t.notOk(walk(sets, ['c']).shaped)
  t.same(sets.take(0), [])
})

t.test('keys that a shape may not have, and no keys, are never due', async t => {
  const sets = new KeySets()
  for (const names of [[], ['a-b'], ['a', 'é'], ['1'], ['x'.repeat(65)], ['', 'a']]) {
    meet(sets, names, 3 * SHAPE_AFTER)
    t.notOk(sets.due, names.join())
  }
})

t.test('keys that cannot be carried are refused, also where nothing is kept in mind', async t => {
  const sets = new KeySets()
  t.throws(() => walk(sets, ['__proto__']), { message: 'a key named __proto__' })
  t.throws(() => walk(sets, ['\ud800']), { message: /surrogate/ })
  t.equal(walk(sets, ['a']).size, 1)
})

t.test('64 keys are kept in mind, 65 are not', async t => {
  const sets = new KeySets()
  const names = Array.from({ length: 65 }, (_, index) => `n${index}`)
  t.equal(walk(sets, names.slice(0, 64)).size, 64)
  t.equal(walk(sets, names), STRAY)
  t.equal(walk(sets, [...names, 'more']), STRAY)
})

t.test('however many different keys there are, few are kept in mind', async t => {
  const wide = new KeySets()
  for (let i = 0; i < MAX_KEY_BRANCHES; i++) t.not(walk(wide, [`user${i}`]), STRAY)
  t.equal(walk(wide, ['one-more']), STRAY)
  t.not(walk(wide, ['user7']), STRAY)
  const deep = new KeySets()
  let kept = 0
  for (let i = 0; i < 63; i++)
    for (let j = 0; j < 63; j++) if (walk(deep, [`a${i}`, `b${j}`]) !== STRAY) kept += 1
  t.ok(kept < MAX_KEY_SETS && kept > MAX_KEY_SETS / 2, `${kept}`)
})

t.test('strays make the others forgotten, but not the shapes, and those are not due again', async t => {
  const sets = new KeySets()
  meet(sets, ['id', 'at'], SHAPE_AFTER)
  sets.take(32)
  meet(sets, ['x'], SHAPE_AFTER - 1)
  for (let i = 0; i < FORGET_KEY_SETS_AFTER + MAX_KEY_BRANCHES; i++) meet(sets, [`user-${i}`])
  t.ok(walk(sets, ['id', 'at']).shaped)
  meet(sets, ['x'])
  t.notOk(sets.due, 'x is counted anew')
  meet(sets, ['id', 'at'], 2 * SHAPE_AFTER)
  t.notOk(sets.due)
  meet(sets, ['x'], SHAPE_AFTER)
  t.same(sets.take(32), [['x']])
})

t.test('the largest shapes can all be kept through a forgetting', async t => {
  const sets = new KeySets()
  const shapes = Array.from({ length: 32 }, (_, s) => Array.from({ length: 64 }, (_, n) => `s${s}n${n}`))
  for (const shape of shapes) meet(sets, shape, SHAPE_AFTER)
  t.equal(sets.take(32).length, 32)
  for (let i = 0; i < FORGET_KEY_SETS_AFTER + MAX_KEY_BRANCHES; i++) meet(sets, [`user-${i}`])
  for (const shape of shapes) t.ok(walk(sets, shape).shaped)
})
