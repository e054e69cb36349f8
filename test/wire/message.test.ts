// The message codec: batches, fragments, limits, and what a peer may not do.

import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { StalkError } from '../../lib/errors.ts'
import type { Frame } from '../../lib/wire/frame.ts'
import { MessageDecoder, MessageEncoder } from '../../lib/wire/message.ts'
import { pack } from '../../lib/wire/packer.ts'
import { anyMessage, comparable, noise } from './arbitrary.ts'

const CONTENT = 65_599

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const messagesFrame = (body: Buffer): Frame => ({ type: KIND.messages, body })
const fragment = (body: Buffer): Frame => ({ type: KIND.fragment, body })
const lastFragment = (body: Buffer): Frame => ({ type: KIND.lastFragment, body })

interface Encoded {
  readonly frames: Frame[]
  readonly refused: (readonly [index: number, error: StalkError])[]
}

function encode(messages: readonly unknown[], maxMessageBytes?: number): Encoded {
  const encoder = new MessageEncoder()
  if (maxMessageBytes !== undefined) encoder.maxMessageBytes = maxMessageBytes
  const refused: [number, StalkError][] = []
  const frames = [...encoder.encode(messages, (index, error) => refused.push([index, error]))]
  return { frames, refused }
}

function decode(frames: Iterable<Frame>, options?: { maxMessageBytes?: number }): unknown[] {
  const decoder = new MessageDecoder(options)
  return [...frames].flatMap(frame => decoder.decode(frame))
}

const kinds = (frames: readonly Frame[]): number[] => frames.map(({ type }) => type)
const sizes = (frames: readonly Frame[]): number[] => frames.map(({ body }) => body.length)

t.test('small messages share a record', async t => {
  const { frames } = encode([1, 'a', { b: [null] }])
  t.equal(frames.length, 1)
  t.equal(frames[0]?.type, KIND.messages)
  t.equal(frames[0]?.body.toString('hex'), '9301a16181a16291c0')
  t.strictSame(decode(frames), [1, 'a', { b: [null] }])
  t.strictSame(encode([]).frames, [])
})

t.test('arbitrary messages come out as they went in, and in order', async t => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 20 }), messages => {
      const { frames, refused } = encode(messages)
      deepStrictEqual(decode(frames), messages)
      return refused.length === 0
    }),
    { numRuns: 300 }
  )
  t.pass()
})

t.test('around the size of a record, nothing is lost and no record is too long', async t => {
  for (const size of [
    65_535,
    65_536,
    65_537,
    65_591,
    65_592,
    65_593,
    65_594,
    65_595,
    65_596,
    65_597,
    65_598,
    65_599,
    65_600,
    131_197,
    131_198,
    131_199,
    131_200,
    1 << 20
  ]) {
    const message = noise(size - (size > 65_540 ? 5 : 3))
    const packed = pack(message).length
    for (const messages of [[message], [1, message, 2], [message, message]]) {
      const { frames } = encode(messages)
      t.ok(Math.max(...sizes(frames)) <= CONTENT)
      deepStrictEqual(decode(frames), messages)
    }
    const { frames } = encode([message])
    if (packed < CONTENT) t.strictSame(sizes(frames), [packed + 1], `${packed}`)
    else {
      const full = Math.ceil(packed / CONTENT) - 1
      t.strictSame(kinds(frames), [...new Array(full).fill(KIND.fragment), KIND.lastFragment], `${packed}`)
      t.ok(frames.slice(0, -1).every(({ body }) => body.length === CONTENT))
      t.strictSame(
        Buffer.concat(frames.map(({ body }) => body)),
        pack(message),
        'fragments are the bare value'
      )
    }
  }
})

t.test('many small messages fill their records', async t => {
  const messages = Array.from({ length: 20_000 }, (_, id) => ({
    id,
    name: `name ${id}`,
    ok: true,
    score: id / 3
  }))
  const { frames } = encode(messages)
  t.strictSame(decode(frames), messages)
  t.ok(
    sizes(frames)
      .slice(0, -1)
      .every(size => size > 65_450 && size <= CONTENT)
  )
})

t.test('a record holds at most 65,535 messages', async t => {
  const messages = new Array(150_000).fill(true)
  const { frames } = encode(messages)
  t.strictSame(sizes(frames), [65_538, 65_538, 150_000 - 2 * 65_535 + 3])
  t.equal(decode(frames).length, messages.length)
})

t.test('a group that packs larger than it was held to be is cut between messages', async t => {
  const messages = [...Array.from({ length: 300 }, (_, i) => 2n ** 8000n + BigInt(i)), 'end']
  const { frames } = encode(messages)
  t.ok(frames.length > 4)
  t.ok(
    sizes(frames)
      .slice(0, -1)
      .every(size => size > 64_000 && size <= CONTENT)
  )
  t.strictSame(decode(frames), messages)
  const big = new Array(100).fill(2n ** 8000n)
  const mixed = [1, big, 2, big, 3]
  deepStrictEqual(decode(encode(mixed).frames), mixed)
})

t.test('a cut group never makes a record too long, whatever its header takes', async t => {
  for (const others of [3, 14, 15, 16, 20]) {
    const bigints = Array.from({ length: others }, (_, i) => 2n ** 8000n + BigInt(i)) // held to be 18 bytes each
    const rest = pack(bigints).length - (others < 16 ? 1 : 3)
    for (let total = CONTENT - 8; total <= CONTENT + 8; total++) {
      const messages = [noise(total - rest - 3), ...bigints]
      const { frames } = encode(messages)
      t.ok(Math.max(...sizes(frames)) <= CONTENT, `${others} others, ${total} bytes`)
      deepStrictEqual(decode(frames), messages)
    }
  }
})

t.test('-0 arrives as -0, also among other messages and in fragments', async t => {
  const large = [-0, noise(100_000), [new Set([[-0]])]]
  const messages = [
    0,
    -0,
    [0, -0, { a: -0 }],
    new Array(5_000).fill(-0),
    large,
    -0,
    { b: 0 },
    Object.assign(Object.create(null), { n: -0 })
  ]
  const expected = [...messages.slice(0, -1), { n: -0 }]
  deepStrictEqual(decode(encode(messages).frames), expected)
  t.equal(encode([-0]).frames[0]?.body.toString('hex'), '91cb8000000000000000')
})

t.test('a message that can’t be carried is refused alone', async t => {
  const { frames, refused } = encode([1, null, () => {}, 2, { a: new Map() }, 3])
  t.strictSame(decode(frames), [1, 2, 3])
  t.strictSame(
    refused.map(([index, { code, message }]) => [index, code, message]),
    [
      [1, 'ERR_STALK_VALUE_UNSUPPORTED', 'null is not a message; wrap it, as in { value: null }'],
      [2, 'ERR_STALK_VALUE_UNSUPPORTED', 'cannot carry a function; leave it out'],
      [4, 'ERR_STALK_VALUE_UNSUPPORTED', 'cannot carry a Map at .a; send [...map]']
    ]
  )
  t.strictSame(encode([null, undefined]).frames, [])
})

t.test('a message that only fails while it is packed is refused alone', async t => {
  const detached = new ArrayBuffer(8)
  structuredClone(detached, { transfer: [detached] })
  let reads = 0
  const fickle = {
    get a(): number {
      if (++reads > 1) throw 'no more'
      return 1
    }
  }
  const { frames, refused } = encode([1, detached, 2, fickle, 3])
  t.strictSame(decode(frames), [1, 2, 3])
  t.strictSame(
    refused.map(([index, { code }]) => [index, code]),
    [
      [1, 'ERR_STALK_VALUE_UNSUPPORTED'],
      [3, 'ERR_STALK_VALUE_UNSUPPORTED']
    ]
  )
  t.match(refused[1]?.[1].message, 'cannot encode the message: no more')
  t.match(refused[0]?.[1].cause, { name: 'TypeError' })
})

t.test('a message larger than the peer takes is refused alone, with limit and size', async t => {
  const { frames, refused } = encode(['a', 'b'.repeat(100), 'c'], 50)
  t.strictSame(decode(frames, { maxMessageBytes: 50 }), ['a', 'c'])
  t.strictSame(
    refused.map(([index, { code, message }]) => [index, code, message]),
    [[1, 'ERR_STALK_MESSAGE_TOO_LARGE', 'a message of 102 bytes; the peer takes at most 50']]
  )
  for (const [size, sent] of [
    [49, true],
    [50, true],
    [51, false]
  ] as const) {
    const { frames } = encode([Buffer.alloc(size - 2), 1], 50)
    t.strictSame(decode(frames, { maxMessageBytes: 50 }).length, sent ? 2 : 1)
  }
  const large = Buffer.alloc(70_000)
  t.strictSame(decode(encode([large], 70_005).frames, { maxMessageBytes: 70_005 }), [large], 'in fragments')
  t.equal(encode([large], 70_004).refused.length, 1)
  const bigint = encode([1, 2n ** 8000n, 2], 1_000)
  t.strictSame(decode(bigint.frames, { maxMessageBytes: 1_000 }), [1, 2], 'known only after packing')
  t.equal(bigint.refused[0]?.[1].message, 'a message of 1012 bytes; the peer takes at most 1000')
  t.equal(
    encode([Buffer.alloc(16 * 1024 * 1024)]).refused[0]?.[1].code,
    'ERR_STALK_MESSAGE_TOO_LARGE',
    'the default is 16 MiB'
  )
})

t.test('messages are packed as they are pulled', async t => {
  const message = { text: 'x'.repeat(40_000) }
  const generator = new MessageEncoder().encode([message, message, message], () => {})
  const first = generator.next().value as Frame
  message.text = 'changed'
  t.equal((decode([first])[0] as typeof message).text.length, 40_000)
  t.strictSame(decode(generator), [{ text: 'changed' }, { text: 'changed' }])
})

t.test('bodies stay as they are while others are packed', async t => {
  const encoder = new MessageEncoder()
  const frames = Array.from({ length: 200 }, (_, i) => [
    ...encoder.encode([{ i, fill: noise(i * 13, i) }], () => {})
  ]).flat()
  deepStrictEqual(
    decode(frames),
    Array.from({ length: 200 }, (_, i) => ({ i, fill: noise(i * 13, i) }))
  )
  t.pass()
})

t.test('a getter may encode and decode other messages meanwhile', async t => {
  const encoder = new MessageEncoder()
  const decoder = new MessageDecoder()
  const inner: unknown[] = []
  const outer = {
    a: 'x'.repeat(5_000),
    get b(): number {
      for (const frame of encoder.encode([{ n: -0, deep: [inner.length] }], () => {}))
        inner.push(...decoder.decode(frame))
      return 7
    },
    c: [new Set([1])]
  }
  const frames = [...encoder.encode([1, outer, 2], () => {})]
  deepStrictEqual(decode(frames), [1, { a: 'x'.repeat(5_000), b: 7, c: [new Set([1])] }, 2])
  deepStrictEqual(inner[0], { n: -0, deep: [0] })
  t.equal(inner.length, 2, 'once for the check, once for packing')
})

// --- the decoder -----------------------------------------------------------------------------------------

function failureOf(frames: readonly Frame[], options?: { maxMessageBytes?: number }): StalkError {
  const decoder = new MessageDecoder(options)
  for (const frame of frames.slice(0, -1)) decoder.decode(frame)
  const last = frames.at(-1) as Frame
  let failure: unknown
  try {
    decoder.decode(last)
  } catch (error) {
    failure = error
  }
  if (!(failure instanceof StalkError)) throw new Error(`it was taken: ${last.body.toString('hex')}`)
  for (const frame of [last, messagesFrame(hex('9101'))]) {
    try {
      decoder.decode(frame)
    } catch (error) {
      if (error === failure && !decoder.partial) continue
    }
    throw new Error('the failure did not last')
  }
  return failure
}

t.test('a record of messages is one array of at least one message, and nothing else', async t => {
  for (const [body, text] of [
    ['', 'a record of messages that is not an array of at least one'],
    ['90', 'a record of messages that is not an array of at least one'],
    ['dc', 'a record of messages that is not an array of at least one'],
    ['dc0000', 'a record of messages that is not an array of at least one'],
    ['01', 'a record of messages that is not an array of at least one'],
    ['8101', 'a record of messages that is not an array of at least one'],
    ['d473009101', 'a record of messages that is not an array of at least one'],
    ['910101', 'bytes behind the last message'],
    ['9201', 'the end within a value at byte 2 of a message'],
    ['ddffffffff01', 'the end within a value at byte 6 of a message'],
    ['91c0', 'nil, which is not a message, at byte 1 of a message'],
    ['9201d40000', 'undefined, which is not a message, at byte 2 of a message'],
    ['91c1', 'the byte c1 at byte 1 of a message'],
    ['91d4724001', 'an extension of type 72 that is not allowed at byte 1 of a message']
  ] as const) {
    const failure = failureOf([messagesFrame(hex(body))])
    t.equal(failure.message, text, body)
    t.equal(failure.code, 'ERR_STALK_BAD_MESSAGE', body)
  }
  t.strictSame(decode([messagesFrame(hex('dd0000000101'))]), [1], 'a longer header than needed is fine')
  t.strictSame(decode([messagesFrame(hex('92d47401d44201'))]), [new Uint8Array(), 1n])
  t.strictSame(decode([messagesFrame(hex('93 cd0001 c400 00'))]), [1, Buffer.alloc(0), 0])
})

t.test('fragments: too short, empty, interrupted, unknown kinds', async t => {
  const whole = pack(noise(200_000))
  const [first, second] = [whole.subarray(0, 1024), whole.subarray(1024)]
  t.match(failureOf([fragment(whole.subarray(0, 1023))]), {
    code: 'ERR_STALK_BAD_MESSAGE',
    message: 'a fragment too short to have another behind it'
  })
  t.match(failureOf([fragment(Buffer.alloc(0))]), { code: 'ERR_STALK_BAD_MESSAGE' })
  t.match(failureOf([fragment(first), lastFragment(Buffer.alloc(0))]), {
    code: 'ERR_STALK_BAD_MESSAGE',
    message: 'a fragment without a byte'
  })
  t.match(failureOf([lastFragment(Buffer.alloc(0))]), { code: 'ERR_STALK_BAD_MESSAGE' })
  t.match(failureOf([fragment(first), messagesFrame(hex('9101'))]), {
    code: 'ERR_STALK_UNEXPECTED',
    message: 'messages between the fragments of another'
  })
  t.match(failureOf([fragment(first), lastFragment(second.subarray(1))]), { code: 'ERR_STALK_BAD_MESSAGE' })
  t.match(failureOf([fragment(first), lastFragment(Buffer.concat([second, hex('01')]))]), {
    code: 'ERR_STALK_BAD_MESSAGE',
    message: 'bytes behind a message in fragments'
  })
  for (const nothing of ['c0', 'd40000'])
    t.match(failureOf([lastFragment(hex(nothing))]), { code: 'ERR_STALK_BAD_MESSAGE' })
  for (const type of [0, 1, 5, 6, 7, 8, 9, 11, 255]) {
    t.match(failureOf([{ type, body: hex('9101') }]), {
      code: 'ERR_STALK_UNEXPECTED',
      message: `a record of kind ${type} where messages are expected`
    })
  }
})

t.test('fragments of any size are joined, and tell when they are partial', async t => {
  const message = { data: noise(10_000), list: [1, 2, 3] }
  const whole = pack(message)
  for (let cut = 1024; cut < whole.length; cut += 97) {
    const decoder = new MessageDecoder()
    t.equal(decoder.partial, false)
    t.strictSame(decoder.decode(fragment(whole.subarray(0, cut))), [])
    t.equal(decoder.partial, true)
    deepStrictEqual(decoder.decode(lastFragment(whole.subarray(cut))), [message])
    t.equal(decoder.partial, false)
    t.strictSame(decoder.decode(messagesFrame(hex('9101'))), [1])
  }
  t.strictSame(decode([lastFragment(hex('01'))]), [1], 'a last one alone is a message too')
})

t.test('a megabyte in the smallest fragments takes linear time and does not pin its records', async t => {
  const message = noise(4 << 20)
  const whole = pack(message)
  const decoder = new MessageDecoder()
  const before = process.memoryUsage().arrayBuffers
  let at = 0
  for (; at + 1024 < whole.length; at += 1024) {
    const record = Buffer.alloc(65_536)
    whole.copy(record, 0, at, at + 1024)
    decoder.decode(fragment(record.subarray(0, 1024)))
  }
  const { gc } = globalThis
  gc?.()
  if (gc) t.ok(process.memoryUsage().arrayBuffers - before < 32 << 20)
  deepStrictEqual(decoder.decode(lastFragment(whole.subarray(at))), [message])
})

t.test('a small fragment is kept without the large record that it came in', async t => {
  const whole = pack(noise(3_000))
  const record = Buffer.alloc(65_536)
  whole.copy(record, 0, 0, 1_024)
  const decoder = new MessageDecoder()
  decoder.decode(fragment(record.subarray(0, 1_024)))
  record.fill(0xff)
  deepStrictEqual(decoder.decode(lastFragment(whole.subarray(1_024))), [noise(3_000)])
  t.pass()
})

t.test('a message beyond the limit is refused at once', async t => {
  const limit = { maxMessageBytes: 2_000 }
  const ok = noise(1_997)
  t.strictSame(decode(encode([ok]).frames, limit), [ok])
  for (const frames of [
    encode([noise(1_998)]).frames,
    encode([1, noise(1_998), 2]).frames,
    [fragment(noise(1_024)), fragment(noise(1_024))],
    [fragment(noise(2_001))],
    [fragment(noise(1_024)), lastFragment(noise(977))],
    [lastFragment(noise(2_001))]
  ]) {
    t.match(failureOf(frames, limit), {
      code: 'ERR_STALK_OVERFLOW',
      message: 'a message of more than 2000 bytes'
    })
  }
  const many = encode(new Array(100).fill(ok)).frames
  t.equal(decode(many, limit).length, 100, 'the limit is for each message')
})

t.test('each message has its own count of values and its own depth', async t => {
  const wide = new Array(30_000).fill(1)
  t.equal(decode(encode(new Array(50).fill(wide)).frames).length, 50)
  let deep: unknown = 1
  for (let i = 0; i < 64; i++) deep = [deep]
  deepStrictEqual(decode(encode([deep, deep]).frames), [deep, deep])
})

t.test('delivered buffers alias neither the record nor each other', async t => {
  const messages = [Buffer.from('one'), { a: Buffer.from('two') }, new Uint8Array([1, 2])]
  const { frames } = encode(messages)
  const body = Buffer.from((frames[0] as Frame).body)
  const out = decode([messagesFrame(body)]) as [Buffer, { a: Buffer }, Uint8Array]
  body.fill(0xff)
  t.strictSame(out, messages)
  t.equal(new Set([body.buffer, out[0].buffer, out[1].a.buffer, out[2].buffer]).size, 4)
  t.equal(out[0].buffer.byteLength, 3)
})

t.test('long strings keep their byte order mark, in batches and fragments', async t => {
  const text = `\ufeff${'x'.repeat(100)}`
  const messages = [text, { [text]: 1 }, `\ufeff${'é'.repeat(100_000)}`]
  t.strictSame(decode(encode(messages).frames), messages)
})

t.test('strings of any length keep their byte order mark', async t => {
  for (let length = 0; length < 300; length++) {
    const text = `\ufeff${'x'.repeat(length)}`
    for (const message of [text, [text], { [text]: 1 }])
      t.strictSame(decode(encode([message]).frames), [message])
  }
})

t.test('with any bit flipped or cut anywhere, a record is refused or decodes', async t => {
  const { body } = encode([{ id: 1, tags: ['a', 'é'] }, new Set([1n]), new Date(5)]).frames[0] as Frame
  const attempt = (bytes: Buffer): boolean => {
    try {
      comparable(new MessageDecoder().decode(messagesFrame(bytes)))
      return true
    } catch (error) {
      if (error instanceof StalkError && ['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW'].includes(error.code))
        return false
      throw error
    }
  }
  for (let end = 0; end < body.length; end++) t.equal(attempt(body.subarray(0, end)), false)
  for (let bit = 0; bit < body.length * 8; bit++) {
    const flipped = Buffer.from(body)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    attempt(flipped)
  }
})

t.test('msgpackr failing on what the scan took is our own failure', async t => {
  // As under --frozen-intrinsics: assigning to an inherited name throws.
  Object.defineProperty(Object.prototype, 'frozen', { value: 1, writable: false, configurable: true })
  t.teardown(() => Reflect.deleteProperty(Object.prototype, 'frozen'))
  const failure = failureOf([messagesFrame(hex('91 81 a6 66726f7a656e 01'))])
  t.equal(failure.code, 'ERR_STALK_INTERNAL')
  t.ok(failure.cause instanceof TypeError)
})

t.test('with views a long buffer is not copied, and is what it is without', async t => {
  for (const length of [
    32_799, 32_800, 65_535, 65_536, 65_591, 65_592, 65_593, 65_594, 65_595, 66_617, 66_618, 131_193, 131_194,
    200_000
  ]) {
    const message = noise(length)
    const [plain = [], views = []] = [{}, { views: true }].map(options => [
      ...new MessageEncoder(options).encode(['before', message, { after: message }], () =>
        t.fail('it can be carried')
      )
    ])
    const joined = views.map(({ type, prefix, body }) => ({
      type,
      body: prefix ? Buffer.concat([prefix, body]) : body
    }))
    t.strictSame(decode(joined), decode(plain), `${length}`)
    t.ok(Math.max(...sizes(joined)) <= CONTENT)
    const seen = views.some(({ body }) => body.buffer === message.buffer)
    t.equal(seen, length > CONTENT / 2)
    t.notOk(plain.some(({ body }) => body.buffer === message.buffer))
  }
})

t.test('a buffer alone in a record is delivered as it lies there, if nobody else has the record', async t => {
  for (const length of [1, 1_000, 40_000, 65_536]) {
    const message = noise(length)
    const frames = new MessageEncoder({ views: true }).encode([message], () => t.fail('it can be carried'))
    const [{ prefix, body: rest, type } = t.fail('no frame') as never, ...more] = [...frames]
    t.same(more, [])
    const body = Buffer.concat([prefix ?? Buffer.alloc(0), rest])
    const own = Buffer.from(new Uint8Array(body).buffer) // of no pool
    const [view] = new MessageDecoder().decode({ type, body: own, own: true }) as [Buffer]
    t.same(view, message)
    t.ok(Buffer.isBuffer(view))
    t.equal(view.buffer === own.buffer, length > 1, 'unless most of the memory is not its')
    if (length > CONTENT / 2) t.equal(view.byteOffset % 8, 0)
    const [copy] = new MessageDecoder().decode({ type, body: own }) as [Buffer]
    t.same(copy, message)
    t.not(copy.buffer, own.buffer)
    const record = Buffer.concat([body, Buffer.alloc(2 * body.length)])
    const padded = Buffer.from(new Uint8Array(record).buffer).subarray(0, body.length)
    const [unpinned] = new MessageDecoder().decode({ type, body: padded, own: true }) as [Buffer]
    t.same(unpinned, message)
    t.not(unpinned.buffer, padded.buffer)
  }
})

t.test('a buffer that arrives shares no memory with another', async t => {
  const message = noise(100_000)
  const frames = encode([message]).frames.map(({ type, body }) => ({ type, body: Buffer.from(body) }))
  const [first] = decode(frames) as [Buffer]
  for (const { body } of frames) body.fill(0)
  t.ok(first.equals(message))
})
