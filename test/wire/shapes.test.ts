import t from 'tap'
import { decodeShapes, isName, Shapes } from '../../lib/wire/shapes.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const named = (count: number): string[] => Array.from({ length: count }, (_, index) => `n${index}`)

t.test('an announcement is written as the specification shows it, and read as it was written', async t => {
  const shapes = new Shapes()
  t.equal(shapes.sizes, null)
  const content = shapes.announce([['id', 'at']])
  t.same(content, hex('00 01   02   02 69 64   02 61 74'))
  t.same(decodeShapes(content), { first: 0, shapes: [['id', 'at']] })
  t.same(
    shapes.announce([['a'], ['$_9Z', 'b', 'c']]),
    hex('01 02   01 01 61   03 04 24 5f 39 5a 01 62 01 63')
  )
  t.same(shapes.all, [['id', 'at'], ['a'], ['$_9Z', 'b', 'c']])
  t.same([...(shapes.sizes ?? [])].slice(0, 4), [2, 1, 3, 0])
  t.equal(shapes.sizes?.length, 64)
  t.equal(shapes.room, 29)
})

t.test('what one end announces the other hears, up to 32 in all', async t => {
  const [ours, theirs] = [new Shapes(), new Shapes()]
  for (let i = 0; i < 31; i++) theirs.hear(ours.announce([named(i + 1)]))
  theirs.hear(ours.announce([named(64)]))
  t.same(theirs.all, ours.all)
  t.same(theirs.sizes, ours.sizes)
  t.equal(theirs.room, 0)
  t.throws(() => theirs.hear(hex('20 01 01 01 61')), {
    code: 'ERR_STALK_BAD_MESSAGE',
    message: 'the peer announced 1 shapes, where there may be 0 more'
  })
})

t.test('an announcement that breaks a rule is refused, and nothing of it is taken', async t => {
  const long = Buffer.alloc(65, 'a').toString('hex')
  const many = (names: readonly string[]): string =>
    names
      .map(name => `${name.length.toString(16).padStart(2, '0')}${Buffer.from(name).toString('hex')}`)
      .join('')
  const refused: [string, RegExp][] = [
    ['', /cut off/],
    ['00', /cut off/],
    ['00 00', /0 shapes at once/],
    ['00 21', /33 shapes at once/],
    ['01 01 01 01 61', /shapes from 1 on, where 0 is the next/],
    ['00 01', /cut off/],
    ['00 01 00', /a shape of 0 names/],
    [`00 01 41 ${many(named(65))}`, /a shape of 65 names/],
    ['00 01 01', /cut off/],
    ['00 01 01 02 61', /cut off/],
    ['00 01 02 01 61', /cut off/],
    ['00 01 01 00', /a name that it may not have/],
    [`00 01 01 41 ${long}`, /a name that it may not have/],
    ['00 01 01 03 61 2d 62', /a name that it may not have/],
    ['00 01 01 01 39', /a name that it may not have/],
    ['00 01 01 02 c3 a9', /a name that it may not have/],
    ['00 01 01 02 61 0a', /a name that it may not have/],
    [`00 01 01 09 ${Buffer.from('__proto__').toString('hex')}`, /a name that it may not have/],
    ['00 01 02 01 61 01 61', /a shape with the name a twice/],
    ['00 01 01 01 61 00', /shapes with bytes behind the last/],
    ['00 02 01 01 61', /cut off/],
    ['00 02 01 01 61 01 01 39', /a name that it may not have/]
  ]
  for (const [content, message] of refused) {
    const shapes = new Shapes()
    t.throws(
      () => shapes.hear(hex(content)),
      { code: 'ERR_STALK_BAD_MESSAGE', message },
      content.slice(0, 40)
    )
    t.same([shapes.all, shapes.sizes], [[], null])
  }
})

t.test('an announcement that is cut anywhere is refused', async t => {
  const content = new Shapes().announce([['id', 'at'], ['name'], named(20)])
  for (let end = 0; end < content.length; end++) {
    t.throws(
      () => new Shapes().hear(content.subarray(0, end)),
      { code: 'ERR_STALK_BAD_MESSAGE' },
      `at ${end}`
    )
  }
})

t.test('a name is what an identifier of ASCII is', async t => {
  for (const name of ['a', 'A', '_', '$', 'a9', 'constructor', 'x'.repeat(64)]) t.ok(isName(name), name)
  for (const name of ['', '9', 'a b', 'a-b', 'é', 'a\n', '__proto__', 'x'.repeat(65)])
    t.notOk(isName(name), name)
})
