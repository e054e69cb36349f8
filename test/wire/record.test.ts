// Records: only the next genuine record opens, one error text for all others, and no key outlives its limits.

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { HARD_LIMIT_BYTES, HARD_LIMIT_RECORDS, KIND, MAX_INNER_BYTES, TYPE } from '../../lib/constants.ts'
import { SUITES, type Suite, type TrafficKeys } from '../../lib/crypto/suites.ts'
import { enframe, type Frame, header } from '../../lib/wire/frame.ts'
import { Opener, Sealer, type Used } from '../../lib/wire/record.ts'
import { flip, hex } from '../helpers/tamper.ts'

const ALL = Object.values(SUITES)
const BODY = Buffer.from('what is in it')
const REFUSED = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }

interface Pair {
  readonly keys: TrafficKeys
  readonly sealer: Sealer
  readonly opener: Opener
}

function pair(suite: Suite, used?: Used, type: number = TYPE.sealedApplication): Pair {
  const keys = { key: randomBytes(32), iv: randomBytes(suite.ivBytes), mac: randomBytes(32) }
  const sealer = new Sealer(type, suite, keys, used)
  return { keys, sealer, opener: new Opener(type, suite, keys, MAX_INNER_BYTES, used) }
}

const seal = (sealer: Sealer, text: string): Frame =>
  sealer.seal({ type: KIND.messages, body: Buffer.from(text) })
const textIn = (opener: Opener, frame: Frame): string => opener.open(frame).body.toString()

/** A frame whose inner plaintext is given whole, made without a Sealer. */
function rawFrame(suite: Suite, keys: TrafficKeys, inner: Buffer, sequence = 0): Frame {
  const type = TYPE.sealedApplication
  const aad = header(type, inner.length + suite.tagBytes)
  return { type, body: Buffer.concat(suite.sealing(keys)(sequence, aad, inner)) }
}

t.test('every suite gives back kind and content', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite)
    for (const length of [0, 1, 31, 1000, MAX_INNER_BYTES - 1]) {
      const body = randomBytes(length)
      const frame = sealer.seal({ type: KIND.fragment, body })
      t.equal(frame.type, TYPE.sealedApplication)
      t.equal(frame.body.length, length + 1 + suite.tagBytes)
      t.match(opener.open(frame), { type: KIND.fragment, innerBytes: length + 1 })
    }
    const frame = sealer.seal({ type: KIND.messages, body: BODY })
    t.same(opener.open(frame).body, BODY)
  }
})

t.test('a sealed record lies on the wire as its header and its body', async t => {
  for (const suite of ALL) {
    const { type, body, wire } = seal(pair(suite).sealer, 'text')
    const joined = Buffer.concat([header(type, body.length), body])
    t.same(wire, [joined])
    t.same(enframe({ type, body }), joined)
  }
})

t.test('contents of any bytes and any padding come back', async t => {
  const content = fc.uint8Array({ maxLength: 60 }).map(bytes => Buffer.from(bytes))
  const comesBack = fc.property(
    fc.constantFrom(...ALL),
    fc.array(fc.tuple(fc.integer({ min: 1, max: 255 }), content, fc.nat(80)), { maxLength: 6 }),
    (suite, contents) => {
      const { sealer, opener } = pair(suite)
      return contents.every(([type, body, padding]) => {
        const opened = opener.open(sealer.seal({ type, body, innerBytes: body.length + 1 + padding }))
        const same = opened.type === type && opened.body.equals(body)
        return same && opened.innerBytes === body.length + 1 + padding
      })
    }
  )
  t.doesNotThrow(() => fc.assert(comesBack))
})

t.test('padding is stripped, zeros of the content are not', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite)
    const body = hex('00 0102 0000')
    const frame = sealer.seal({ type: KIND.alert, body, innerBytes: 2048, own: true })
    t.equal(frame.body.length, 2048 + suite.tagBytes)
    t.same(opener.open(frame), { type: KIND.alert, body, innerBytes: 2048, own: true })
  }
})

t.test('a content in two pieces is sealed as one', async t => {
  for (const suite of ALL) {
    for (const length of [0, 10, 5_000, MAX_INNER_BYTES - 9]) {
      const { sealer, opener } = pair(suite)
      const [prefix, body] = [hex('0102030405060708'), Buffer.alloc(length, 9)]
      const opened = opener.open(sealer.seal({ type: KIND.messages, prefix, body }))
      t.same(opened.body, Buffer.concat([prefix, body]), `${length}`)
      t.equal(opened.innerBytes, length + 9)
      const again = pair(suite)
      const padded = again.sealer.seal({ type: KIND.messages, prefix, body, innerBytes: MAX_INNER_BYTES })
      t.same(again.opener.open(padded).body, opened.body)
    }
    const { sealer } = pair(suite)
    t.throws(() => sealer.seal({ type: 2, prefix: hex('01'), body: Buffer.alloc(MAX_INNER_BYTES - 1) }), {
      code: 'ERR_STALK_INTERNAL',
      message: /a record cannot hold 65600 bytes in 65601/
    })
  }
})

t.test('an inner plaintext of zeros alone, or of nothing, does not open', async t => {
  for (const suite of ALL) {
    for (const length of [0, 1, 2, 100]) {
      const { keys, opener } = pair(suite)
      const frame = rawFrame(suite, keys, Buffer.alloc(length))
      t.throws(() => opener.open(frame), REFUSED, `${suite.name}, ${length} zeros`)
    }
    const { keys, opener } = pair(suite)
    t.same(opener.open(rawFrame(suite, keys, hex('0b 02 00'))).body, hex('0b'), 'the helper itself is right')
  }
})

t.test('a record shorter than a tag does not open', async t => {
  for (const suite of ALL) {
    const { opener } = pair(suite)
    for (let length = 0; length <= suite.tagBytes; length++) {
      t.throws(() => opener.open({ type: TYPE.sealedApplication, body: Buffer.alloc(length) }), REFUSED)
    }
  }
})

t.test(
  'one flipped bit in header, ciphertext or tag: one text, and the genuine record still opens',
  async t => {
    for (const suite of ALL) {
      const { sealer, opener } = pair(suite)
      textIn(opener, seal(sealer, 'one before'))
      const wire = enframe(seal(sealer, 'the genuine one'))
      for (let bit = 0; bit < wire.length * 8; bit++) {
        const flipped = flip(wire, bit)
        const length = Math.min(flipped.readUIntBE(1, 3), 100_000) // what is announced, as if it came
        const body = Buffer.alloc(length)
        flipped.copy(body, 0, 4)
        t.throws(
          () => opener.open({ type: flipped.readUInt8(0), body }),
          REFUSED,
          `${suite.name}, bit ${bit}`
        )
      }
      t.equal(textIn(opener, { type: TYPE.sealedApplication, body: wire.subarray(4) }), 'the genuine one')
      t.equal(textIn(opener, seal(sealer, 'the next')), 'the next')
    }
  }
)

t.test('a record cut at any place does not open', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite)
    const { type, body } = seal(sealer, 'whole')
    for (let length = 0; length < body.length; length++) {
      t.throws(() => opener.open({ type, body: body.subarray(0, length) }), REFUSED)
    }
    t.throws(() => opener.open({ type, body: Buffer.concat([body, hex('00')]) }), REFUSED)
    t.equal(textIn(opener, { type, body }), 'whole')
  }
})

t.test('replayed, reordered and dropped records do not open; the expected one does', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite)
    const frames = ['zero', 'one', 'two', 'three'].map(text => seal(sealer, text))
    const [zero, one, two, three] = frames as [Frame, Frame, Frame, Frame]
    t.throws(() => opener.open(one), REFUSED, 'before the first')
    t.equal(textIn(opener, zero), 'zero')
    t.throws(() => opener.open(zero), REFUSED, 'replayed')
    t.throws(() => opener.open(two), REFUSED, 'one was dropped')
    t.equal(textIn(opener, one), 'one')
    t.throws(() => opener.open(three), REFUSED, 'two is missing')
    t.equal(textIn(opener, two), 'two')
    t.equal(textIn(opener, three), 'three')
    for (const old of frames) t.throws(() => opener.open(old), REFUSED)
  }
})

t.test('a record under another type, other keys or of the other direction does not open', async t => {
  for (const suite of ALL) {
    const { keys, sealer, opener } = pair(suite)
    const other = pair(suite)
    const frame = seal(sealer, 'mine')
    t.throws(() => opener.open({ type: TYPE.sealedHandshake, body: frame.body }), REFUSED)
    t.throws(() => new Opener(TYPE.sealedHandshake, suite, keys).open(frame), REFUSED)
    const claims = { type: TYPE.sealedHandshake, body: frame.body }
    t.throws(
      () => new Opener(TYPE.sealedHandshake, suite, keys).open(claims),
      REFUSED,
      'the header is sealed too'
    )
    t.throws(() => other.opener.open(frame), REFUSED)
    t.throws(() => opener.open(seal(other.sealer, 'not mine')), REFUSED)
    t.equal(textIn(opener, frame), 'mine')
  }
})

t.test('a record of one suite does not open under another with the same keys', async t => {
  for (const mine of ALL) {
    for (const theirs of ALL.filter(suite => suite !== mine)) {
      const keys = { key: randomBytes(32), iv: randomBytes(16), mac: randomBytes(32) }
      const cut = (suite: Suite): TrafficKeys => ({ ...keys, iv: keys.iv.subarray(0, suite.ivBytes) })
      const frame = seal(new Sealer(TYPE.sealedApplication, theirs, cut(theirs)), 'text')
      t.throws(() => new Opener(TYPE.sealedApplication, mine, cut(mine)).open(frame), REFUSED)
    }
  }
})

t.test('a large one lies there in parts, which are the same bytes', async t => {
  for (const suite of Object.values(SUITES)) {
    const { sealer, opener } = pair(suite)
    const content = Buffer.alloc(50_000, 'a')
    const frame = sealer.seal({ type: KIND.messages, body: content })
    t.ok((frame.wire?.length ?? 0) > 1)
    t.same(
      Buffer.concat(frame.wire ?? []),
      Buffer.concat([header(frame.type, frame.body.length), frame.body])
    )
    t.same(opener.open(frame).body, content, suite.name)
  }
})

t.test('a thousand equal records are all different on the wire', async t => {
  for (const suite of ALL) {
    const { sealer } = pair(suite)
    const seen = new Set(Array.from({ length: 1000 }, () => seal(sealer, 'same').body.toString('hex')))
    t.equal(seen.size, 1000, suite.name)
  }
})

t.test('a content that is too long, or longer than its padding, is refused and uses up nothing', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite)
    const tooLong = { code: 'ERR_STALK_INTERNAL', message: /a record cannot hold 65600 bytes in 65601/ }
    t.throws(() => sealer.seal({ type: 2, body: Buffer.alloc(MAX_INNER_BYTES) }), tooLong)
    t.throws(() => sealer.seal({ type: 2, body: BODY, innerBytes: BODY.length }), {
      code: 'ERR_STALK_INTERNAL',
      message: /a record cannot hold 13 bytes in 13/
    })
    t.throws(() => sealer.seal({ type: 2, body: BODY, innerBytes: MAX_INNER_BYTES + 1 }), {
      code: 'ERR_STALK_INTERNAL',
      message: /in 65601/
    })
    t.equal(textIn(opener, seal(sealer, 'the first')), 'the first')
  }
})

t.test('an Opener says how long a sealed body may be', async t => {
  for (const suite of ALL) {
    const { keys, opener } = pair(suite)
    t.equal(opener.maxBodyBytes, MAX_INNER_BYTES + suite.tagBytes)
    t.equal(new Opener(TYPE.sealedHandshake, suite, keys, 2048).maxBodyBytes, 2048 + suite.tagBytes)
  }
})

// --- limits --------------------------------------------------------------------------------------------

const EXHAUSTED = {
  code: 'ERR_STALK_KEY_EXHAUSTED',
  message: 'a key has reached its limit of records or bytes'
}

t.test('what was sealed under a key is told, kind and padding counted', async t => {
  for (const suite of ALL) {
    const { sealer } = pair(suite, { records: 3, bytes: 100 })
    sealer.seal({ type: 2, body: hex('01'), innerBytes: 9 })
    t.same(sealer.used, { records: 4, bytes: 109 })
    sealer.seal({ type: 2, body: hex('') })
    t.same(sealer.used, { records: 5, bytes: 110 })
  }
})

t.test('a key that is retired is wiped, and neither seals nor opens', async t => {
  for (const suite of ALL) {
    const keys = (): TrafficKeys => ({
      key: Buffer.alloc(32, 1),
      iv: Buffer.alloc(suite.ivBytes, 2),
      mac: Buffer.alloc(32, 3)
    })
    const [ours, theirs] = [keys(), keys()]
    const sealer = new Sealer(TYPE.sealedApplication, suite, ours)
    const opener = new Opener(TYPE.sealedApplication, suite, theirs)
    const frame = sealer.seal({ type: 2, body: hex('01') })
    sealer.retire()
    opener.retire()
    for (const bytes of [ours, theirs].flatMap(({ key, iv, mac }) => [key, iv, mac])) {
      t.ok(bytes.every(byte => byte === 0))
    }
    const used = { code: 'ERR_STALK_INTERNAL', message: /a key that was replaced was used again/ }
    t.throws(() => sealer.seal({ type: 2, body: hex('01') }), used)
    t.throws(() => opener.open(frame), used)
  }
})

t.test('at the hard limit of records the key is refused, both ways, and stays so', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite, { records: HARD_LIMIT_RECORDS - 1, bytes: 0 })
    const last = seal(sealer, 'the last')
    t.throws(() => opener.open({ ...last, body: flip(last.body, 3) }), REFUSED)
    t.equal(textIn(opener, last), 'the last')
    for (let i = 0; i < 3; i++) {
      t.throws(() => seal(sealer, 'one more'), EXHAUSTED)
      t.throws(() => opener.open(last), EXHAUSTED)
    }
  }
})

t.test('at the hard limit of bytes the key is refused, both ways, and stays so', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite, { records: 0, bytes: HARD_LIMIT_BYTES - 8 })
    const eight = seal(sealer, 'seven b')
    const used = { records: 0, bytes: HARD_LIMIT_BYTES - 7 }
    const narrow = pair(suite, used)
    t.throws(() => seal(narrow.sealer, 'seven b'), EXHAUSTED, 'one byte too many')
    t.throws(() => narrow.opener.open(eight), EXHAUSTED)
    t.equal(textIn(narrow.opener, seal(narrow.sealer, 'six by')), 'six by', 'a shorter one still fits')
    t.equal(textIn(opener, eight), 'seven b')
    t.throws(() => seal(sealer, ''), EXHAUSTED)
    t.throws(() => opener.open(eight), EXHAUSTED)
  }
})

t.test('the sequence at the limits is the one that the records stand for', async t => {
  for (const suite of ALL) {
    const { keys, sealer } = pair(suite, { records: HARD_LIMIT_RECORDS - 1, bytes: 0 })
    const frame = seal(sealer, 'x')
    t.same(
      frame.body,
      rawFrame(suite, keys, Buffer.from('x\u0002'), HARD_LIMIT_RECORDS - 1).body,
      'nothing has wrapped'
    )
    t.notSame(frame.body, rawFrame(suite, keys, Buffer.from('x\u0002'), 0).body)
  }
})

t.test('a record that does not open uses up nothing of the limits', async t => {
  for (const suite of ALL) {
    const { sealer, opener } = pair(suite, { records: HARD_LIMIT_RECORDS - 2, bytes: HARD_LIMIT_BYTES - 100 })
    const frame = seal(sealer, 'genuine')
    for (let i = 0; i < 50; i++) t.throws(() => opener.open({ ...frame, body: flip(frame.body, i) }), REFUSED)
    t.equal(textIn(opener, frame), 'genuine')
    t.equal(textIn(opener, seal(sealer, 'last')), 'last')
  }
})
