import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { KIND, MAX_CONTENT_BYTES, SHAPE_AFTER } from '../../lib/constants.ts'
import type { Frame } from '../../lib/wire/frame.ts'
import { KeySets } from '../../lib/wire/key-sets.ts'
import { MessageDecoder, MessageEncoder } from '../../lib/wire/message.ts'
import { scan } from '../../lib/wire/scan.ts'
import { HEADERS, skip } from '../../lib/wire/tokens.ts'
import { Check } from '../../lib/wire/values.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** Both ends of a direction. */
class Line {
  readonly encoder = new MessageEncoder()
  readonly decoder = new MessageDecoder()
  readonly refused: string[] = []

  frames(...messages: unknown[]): Frame[] {
    return [...this.encoder.encode(messages, (_, error) => void this.refused.push(error.message))]
  }

  carry(...messages: unknown[]): unknown[] {
    return this.frames(...messages).flatMap(frame => this.decoder.decode(frame))
  }

  /** Makes the key set of this object a shape. */
  teach(...objects: object[]): this {
    for (const object of objects) this.carry(...Array(SHAPE_AFTER).fill(object))
    this.carry(true)
    return this
  }
}

t.test('a key set that repeats is announced, in front of the first batch that uses it', async t => {
  const line = new Line()
  const plain = line.frames(...Array.from({ length: SHAPE_AFTER }, (_, id) => ({ id, at: true })))
  t.same(
    plain.map(({ type }) => type),
    [KIND.messages]
  )
  const [announced, used, ...more] = line.frames({ id: 7, at: true }, 64, { x: 5 })
  t.same(announced, { type: KIND.shapes, body: hex('00 01 02 02 6964 02 6174'), messages: 0 })
  t.same(used, { type: KIND.messages, body: hex('93 40 07 c3 cc40 81 a178 05'), messages: 3 })
  t.same(more, [])
  t.same(line.frames({ id: 8, at: true }), [{ type: KIND.messages, body: hex('91 40 08 c3'), messages: 1 }])
})

t.test('before that, and for a line without repetition, everything is plain', async t => {
  const line = new Line()
  t.same(line.frames(64, { id: 127 }), [
    { type: KIND.messages, body: hex('92 40 81 a2 6964 7f'), messages: 2 }
  ])
  t.same(line.carry(64, { id: 127 }), [64, { id: 127 }])
})

t.test('everything that objects may be arrives, as shapes and beside them', async t => {
  const line = new Line().teach({ a: 1 }, { a: 1, b: 2 }, { constructor: 1 }, { inner: { a: 1 }, list: [] })
  const bom = `\ufeff${'-'.repeat(80)}`
  const messages = [
    { a: 64 },
    { a: -0 },
    { a: Number.NaN, b: bom },
    [{ a: 127 }, { b: 1, a: 2 }, { a: 1, b: 2, c: 3 }],
    new Set([{ a: { a: { a: -0 } } }, 'x']),
    { constructor: 1 },
    { constructor: { a: 1 } },
    {
      inner: { a: undefined },
      list: [
        { a: 1, b: null },
        { list: 1, inner: 2 }
      ]
    },
    { a: new Date(5), b: 2n ** 70n },
    { a: Buffer.of(64), b: new Float64Array([1, -0]) },
    Object.assign(Object.create(null), { a: 5 }),
    { 'a-b': 1, 9: { a: 100 } }
  ]
  const expected = messages.map(message => message)
  expected[10] = { a: 5 }
  const came = line.carry(...messages)
  for (const [index, message] of expected.entries())
    t.ok(isDeepStrictEqual(came[index], message), `message ${index}`)
  t.same(line.refused, [])
})

t.test('objects as dictionaries, however many, never become shapes', async t => {
  const line = new Line()
  for (let i = 0; i < 100; i++) {
    const messages = Array.from({ length: 100 }, (_, j) => ({ [`user${i}`]: j, [`n${i * 100 + j}`]: 1 }))
    const frames = line.frames(...messages)
    t.same(
      frames.map(({ type }) => type),
      [KIND.messages]
    )
    t.same(
      frames.flatMap(frame => line.decoder.decode(frame)),
      messages
    )
  }
})

t.test('one that is refused leaves the others as they are', async t => {
  const line = new Line().teach({ a: 1 })
  line.encoder.maxMessageBytes = 40
  const long = { a: 'x'.repeat(50), b: { a: 1 } }
  const came = line.carry({ a: 1 }, { a: { a: () => 1 } }, { b: 1 }, long, { a: { a: 2 } }, Symbol('no'), {
    a: 3
  })
  t.same(came, [{ a: 1 }, { b: 1 }, { a: { a: 2 } }, { a: 3 }])
  t.match(line.refused, [/a function at \.a\.a/, /54 bytes|5\d bytes/, /symbol/])
})

t.test('batches beyond a record, and messages in fragments, use shapes too', async t => {
  const line = new Line().teach({ a: 1 })
  const many = Array.from({ length: 3_000 }, (_, a) => ({ a: `${a}`.padEnd(40, '-') }))
  const frames = line.frames(...many)
  t.ok(frames.length > 1 && frames.every(({ body }) => body.length <= MAX_CONTENT_BYTES))
  t.same(
    frames.flatMap(frame => line.decoder.decode(frame)),
    many
  )
  const large = { a: many }
  const parts = line.frames(large)
  t.ok(parts.length > 1 && parts.every(({ type }) => type !== KIND.messages))
  t.same(
    parts.flatMap(frame => line.decoder.decode(frame)),
    [large]
  )
})

t.test('a getter that gives something else the second time does no harm', async t => {
  const line = new Line().teach({ a: 1 })
  let reads = 0
  const shifty = {
    get a() {
      reads += 1
      return reads % 2 === 1 ? { a: 1 } : 5
    }
  }
  t.same(line.carry(shifty, { a: 1 }, { a: { a: 2 } }), [{ a: 5 }, { a: 1 }, { a: { a: 2 } }])
})

const keySets = [['a'], ['a', 'b'], ['b', 'a'], ['id', 'at', 'ok'], ['x-y'], []]
const { message: arbitrary } = fc.letrec<{ message: unknown }>(tie => ({
  message: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: 60, max: 130 }),
    fc.double(),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom(true, false, -0, 5n, 2n ** 40n),
    fc.array(tie('message'), { maxLength: 3 }),
    fc
      .constantFrom(...keySets)
      .chain(keys => fc.tuple(...keys.map(key => fc.tuple(fc.constant(key), tie('message')))))
      .map(pairs => Object.fromEntries(pairs))
  )
}))

t.test('out equals in for arbitrary messages of few key sets, however they are batched', async t => {
  const batches = fc.array(fc.array(arbitrary, { maxLength: 30 }), { maxLength: 8 })
  fc.assert(
    fc.property(batches, lists => {
      const line = new Line()
      return lists.every(messages => isDeepStrictEqual(line.carry(...messages), messages))
    }),
    { numRuns: 300 }
  )
  t.pass()
})

t.test('the size that the check finds is the encoded one', async t => {
  const property = fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 10 }), messages => {
    const line = new Line().teach({ a: 1 }, { a: 1, b: 1 })
    const sets = new KeySets()
    for (const example of [{ a: 1 }, { a: 1, b: 1 }]) {
      const check = new Check(sets, false)
      for (let i = 0; i < SHAPE_AFTER; i++) check.examine(example)
    }
    sets.take(32)
    const check = new Check(sets, true)
    const body = line.frames(...messages)[0]?.body as Buffer
    let at = HEADERS[body[0] as number] as number
    return messages.every(message => {
      const end = skip(body, at, Uint8Array.of(1, 2, ...Array(62).fill(0)))
      const size = end - at
      at = end
      return check.examine(message) === size
    })
  })
  t.doesNotThrow(() => fc.assert(property, { numRuns: 300 }))
})

// --- what a peer may not send -------------------------------------------------------------------------------

const ANNOUNCED = { type: KIND.shapes, body: hex('00 02   01 01 61   02 01 61 01 62') }

function failureOf(...contents: (string | Frame)[]): unknown {
  const decoder = new MessageDecoder()
  try {
    for (const content of contents)
      decoder.decode(typeof content === 'string' ? { type: KIND.messages, body: hex(content) } : content)
    return null
  } catch (error) {
    return error
  }
}

t.test('what was announced can be used, nested and at the top', async t => {
  const decoder = new MessageDecoder()
  t.same(decoder.decode({ type: KIND.messages, body: hex('92 40 7f') }), [64, 127])
  t.same(decoder.decode(ANNOUNCED), [])
  t.same(decoder.decode({ type: KIND.messages, body: hex('93 40 01 41 02 40 03 91 81 a1 7a 40 c0') }), [
    { a: 1 },
    { a: 2, b: { a: 3 } },
    [{ z: { a: null } }]
  ])
})

t.test('what was not announced, or not whole, is refused', async t => {
  const refused: [string, RegExp][] = [
    ['91 42 01', /an object of shape 2, which was not announced, at byte 1/],
    ['91 7f', /an object of shape 63, which was not announced, at byte 1/],
    ['91 60 01', /shape 32, which was not announced/],
    ['91 40', /more values announced than there are at byte 1/],
    ['91 41 01', /more values announced than there are at byte 1/],
    ['91 41 c4 00', /the end within a value/],
    ['91 81 40 01 02', /a key that is not a string/],
    ['91 40 c1', /the byte c1/],
    ['91 40 01 02', /bytes behind the last message/],
    [`91 ${'40'.repeat(65)} 01`, /nesting deeper than 64/]
  ]
  for (const [content, message] of refused)
    t.match(failureOf(ANNOUNCED, content), { code: 'ERR_STALK_BAD_MESSAGE', message }, content.slice(0, 30))
  t.equal(failureOf(ANNOUNCED, `91 ${'40'.repeat(64)} 01`), null)
})

t.test('objects of a shape count as the others do', async t => {
  const sizes = Uint8Array.of(2, ...Array(63).fill(0))
  const bytes = (objects: number): Buffer => {
    const body = Buffer.alloc(5 + 3 * objects, hex('40 c0 c0'))
    body.set([0xdd, 0, 0, 0, 0])
    body.writeUInt32BE(objects, 1)
    body.fill(hex('40 c0 c0'), 5)
    return body
  }
  const fits = bytes(333_333)
  t.equal(scan(fits, 0, fits.length, sizes), fits.length)
  const beyond = bytes(333_334)
  t.throws(() => scan(beyond, 0, beyond.length, sizes), { message: /more than 1000000 values/ })
})

t.test('shapes between the fragments of a message are refused', async t => {
  const fragment = { type: KIND.fragment, body: Buffer.alloc(2_000) }
  t.match(failureOf(fragment, ANNOUNCED), {
    code: 'ERR_STALK_UNEXPECTED',
    message: 'shapes between the fragments of a message'
  })
})

t.test('connections do not disturb each other: each has its shapes, whoever packs in between', async t => {
  const lines = [
    new Line(),
    new Line().teach({ a: 1 }),
    new Line().teach({ b: 1 }, { a: 1 }),
    new Line().teach({ b: 1 })
  ]
  const messages = [{ a: 64 }, { b: { a: 127 } }, 64, { c: [{ b: 1 }] }]
  for (let round = 0; round < 3; round++) for (const line of lines) t.same(line.carry(...messages), messages)
})

t.test('a getter that encodes over another connection does no harm to either', async t => {
  const [outer, inner] = [new Line().teach({ a: 1 }), new Line().teach({ b: 1 }, { a: 1 })]
  const came: unknown[] = []
  const message = {
    get a() {
      came.push(...inner.carry({ b: 100 }, { a: 64 }))
      return { a: 64 }
    }
  }
  t.same(outer.carry(message, { a: 65 }, { b: 1 }), [{ a: { a: 64 } }, { a: 65 }, { b: 1 }])
  t.same(came.slice(-2), [{ b: 100 }, { a: 64 }])
  t.same(inner.carry({ b: 1 }), [{ b: 1 }])
})

t.test('a pack that fails leaves nothing behind', async t => {
  const line = new Line().teach({ a: 1 })
  let reads = 0
  const failing = {
    get a() {
      reads += 1
      if (reads > 1) throw new Error('not twice')
      return { a: 1 }
    }
  }
  t.same(line.carry({ a: 1 }, failing, { a: { a: 2 } }), [{ a: 1 }, { a: { a: 2 } }])
  t.match(line.refused, [/not twice/])
  t.same(line.carry({ a: 3 }), [{ a: 3 }])
})
