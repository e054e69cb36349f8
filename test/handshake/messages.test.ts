// Handshake messages: golden bytes, and that every other byte string is either another message or an error
// with a code.

import fc from 'fast-check'
import t, { type Test } from 'tap'
import { MAX_HELLO_BYTES, TYPE } from '../../lib/constants.ts'
import { StalkError } from '../../lib/errors.ts'
import {
  decodeInitiatorHello,
  decodeInitiatorIdentity,
  decodeMessages,
  decodeResponderHello,
  decodeResponderIdentity,
  encodeInitiatorHello,
  encodeInitiatorIdentity,
  encodeMessage,
  encodeResponderHello,
  encodeResponderIdentity,
  greaseFrom,
  MESSAGE,
  RESPONDER_HELLO_BYTES,
  WANT
} from '../../lib/handshake/messages.ts'
import { keyPair } from '../helpers/machines.ts'
import { flip, hex, thrownBy } from '../helpers/tamper.ts'

const RANDOM = Buffer.alloc(32, 0xaa)
const SHARE = Buffer.alloc(32, 0xbb)
const rsa = keyPair('rsa').raw
const ed25519 = keyPair('ed25519').raw

const decodeM1 = (body: Buffer) => decodeInitiatorHello({ type: TYPE.initiatorHello, body })
const decodeM2 = (body: Buffer) => decodeResponderHello({ type: TYPE.responderHello, body })

interface Fields {
  readonly magic?: string
  readonly versions?: string
  readonly suites?: string
  readonly sigs?: string
  readonly psk?: string
}

const [A, B] = [RANDOM.toString('hex'), SHARE.toString('hex')]

const m1 = ({
  magic = '53544c4b',
  versions = '01 0001',
  suites = '02 0001 0002',
  sigs = '02 01 02',
  psk = '00'
}: Fields = {}): Buffer => hex(`${magic} ${versions} ${A} ${suites} ${sigs} ${B} ${psk}`)

const m2 = ({ magic = '53544c4b', version = '0001', suite = '0002', psk = '00' } = {}): Buffer =>
  hex(`${magic} ${version} ${A} ${suite} ${B} ${psk}`)

const M1 = {
  versions: [1],
  random: RANDOM,
  suites: [1, 2],
  keyTypes: ['ed25519', 'rsa'] as const,
  share: SHARE,
  offer: null
}
const M2 = { version: 1, random: RANDOM, suite: 2, share: SHARE, psk: false }

/** Whatever happens: a value, or an error with a code of ours. */
function outcome(decode: (body: Buffer) => unknown, body: Buffer): string {
  let value: unknown
  const error = thrownBy(() => {
    value = decode(body)
  })
  if (error === undefined) return JSON.stringify(value)
  if (!(error instanceof StalkError)) throw error
  return error.code
}

/** Truncations, flips, one byte more: nothing decodes to the same, nothing throws without a code. */
function checkSpoiled(t: Test, decode: (body: Buffer) => unknown, good: Buffer): void {
  const honest = outcome(decode, good)
  t.match(honest, /^\{/, 'decodes')
  for (let length = 0; length < good.length; length++) {
    t.match(outcome(decode, good.subarray(0, length)), /^ERR_STALK_(DECODE|NOT_STALK)$/, `cut at ${length}`)
  }
  for (let bit = 0; bit < good.length * 8; bit++) {
    if (outcome(decode, flip(good, bit)) === honest) t.fail(`bit ${bit} does not matter`)
  }
  t.equal(outcome(decode, Buffer.concat([good, hex('00')])), 'ERR_STALK_DECODE', 'one byte more')
}

// --- M1 ------------------------------------------------------------------------------------------------

t.test('M1 has the bytes that the protocol says', async t => {
  t.same(encodeInitiatorHello(M1), { type: TYPE.initiatorHello, body: m1() })
  t.same(decodeM1(m1()), M1)
})

t.test('a spoiled M1 is another M1 or an error with a code', async t => {
  checkSpoiled(t, decodeM1, m1())
})

t.test('another magic is no stalk at all', async t => {
  const notStalk = {
    code: 'ERR_STALK_NOT_STALK',
    message: 'the peer does not speak stalk',
    phase: 'handshake'
  }
  t.throws(() => decodeM1(m1({ magic: '53544c4a' })), notStalk)
  t.throws(() => decodeM1(Buffer.from('GET / HTTP/1.1\r\n\r\n')), notStalk)
  t.throws(() => decodeM2(m2({ magic: '73544c4b' })), notStalk)
  t.throws(() => decodeM1(hex('53')), notStalk)
})

t.test('lists of M1 are refused where they are empty or name an item twice', async t => {
  const [empty, twice] = [
    /the InitiatorHello has an empty list/,
    /the InitiatorHello has a list that names an/
  ]
  for (const field of ['versions', 'suites', 'sigs']) {
    t.throws(() => decodeM1(m1({ [field]: '00' })), { code: 'ERR_STALK_DECODE', message: empty }, field)
  }
  const doubled = { versions: '02 0001 0001', suites: '03 0001 0002 0001', sigs: '02 02 02' }
  for (const [field, items] of Object.entries(doubled)) {
    t.throws(() => decodeM1(m1({ [field]: items })), { code: 'ERR_STALK_DECODE', message: twice }, field)
  }
  t.throws(
    () => decodeM1(m1({ suites: '02 7a7a 7a7a' })),
    { code: 'ERR_STALK_DECODE', message: twice },
    'grease'
  )
  t.throws(() => decodeM1(m1({ sigs: '02 7f 7f' })), { code: 'ERR_STALK_DECODE', message: twice }, 'unknown')
})

t.test('what M1 offers and nobody here knows is left for others', async t => {
  t.same(decodeM1(m1({ versions: '03 0003 0002 0001' })).versions, [3, 2, 1])
  t.same(decodeM1(m1({ suites: '04 5a6a 0001 1234 0a0a' })).suites, [1, 0x1234], 'grease is dropped')
  t.same(decodeM1(m1({ sigs: '04 00 7f 02 ff' })).keyTypes, ['rsa'])
  t.same(decodeM1(m1({ sigs: '01 7f' })).keyTypes, [])
  t.same(decodeM1(m1({ suites: '01 fafa' })).suites, [])
})

t.test('a grease id of any byte is one of 256 that all end in A', async t => {
  const ids = Array.from({ length: 256 }, (_, byte) => greaseFrom(byte))
  t.equal(new Set(ids).size, 256)
  t.ok(ids.every(id => (id & 0x0f0f) === 0x0a0a && id <= 0xffff))
  t.ok(
    ids.every(
      id => decodeM1(m1({ suites: `02 ${id.toString(16).padStart(4, '0')} 0001` })).suites.length === 1
    )
  )
})

t.test('an id is grease only if both its bytes end in A', async t => {
  for (let id = 0; id <= 0xffff; id++) {
    const isGrease = /^.a.a$/.test(id.toString(16).padStart(4, '0'))
    const body = m1({ suites: `01 ${id.toString(16).padStart(4, '0')}` })
    if (decodeM1(body).suites.includes(id) === isGrease) t.fail(`0x${id.toString(16)}`)
  }
})

t.test('a ticket in M1 has the bytes that the protocol says', async t => {
  const binder = 'cc'.repeat(32)
  for (const ticket of [hex('dd'), Buffer.alloc(512, 0xdd)]) {
    const body = m1({
      psk: `01 ${ticket.length === 1 ? '0001' : '0200'} ${ticket.toString('hex')} ${binder}`
    })
    const hello = { ...M1, offer: { ticket, binder: hex(binder) } }
    t.same(decodeM1(body), hello)
    t.same(encodeInitiatorHello(hello).body, body)
  }
  t.ok(m1({ psk: `01 0200 ${'dd'.repeat(512)} ${binder}` }).length <= MAX_HELLO_BYTES)
})

t.test('a ticket that is not well formed is refused all the same', async t => {
  const binder = 'cc'.repeat(32)
  const cases: [string, RegExp][] = [
    [`01 0000 ${binder}`, /offers an empty ticket/],
    [`01 0201 ${'dd'.repeat(513)} ${binder}`, /has a field of 513 bytes; the limit is 512/],
    [`01 0001 dd ${'cc'.repeat(31)}`, /ends too early/],
    [`01 0001 dd ${binder} 00`, /has 1 bytes too many/],
    ['01', /ends too early/],
    [`02 0001 dd ${binder}`, /has psk 2/],
    ['ff', /has psk 255/],
    ['00 00', /has 1 bytes too many/]
  ]
  for (const [psk, message] of cases) {
    t.throws(() => decodeM1(m1({ psk })), { code: 'ERR_STALK_DECODE', message }, psk.slice(0, 12))
  }
})

t.test('an M1 with a ticket, cut anywhere, has a code', async t => {
  const good = m1({ psk: `01 0003 010203 ${'cc'.repeat(32)}` })
  checkSpoiled(t, decodeM1, good)
  for (let length = 4; length < good.length; length++) {
    t.equal(outcome(decodeM1, good.subarray(0, length)), 'ERR_STALK_DECODE', `cut at ${length}`)
  }
})

// --- M2 ------------------------------------------------------------------------------------------------

t.test('M2 has the bytes that the protocol says', async t => {
  t.same(encodeResponderHello(M2), { type: TYPE.responderHello, body: m2() })
  t.same(decodeM2(m2()), M2)
  t.equal(m2().length, 73)
  t.equal(RESPONDER_HELLO_BYTES, 73)
  t.same(encodeResponderHello({ ...M2, psk: true }).body, m2({ psk: '01' }))
  t.same(decodeM2(m2({ psk: '01' })).psk, true)
})

t.test('a spoiled M2 is another M2 or an error with a code', async t => {
  checkSpoiled(t, decodeM2, m2())
})

t.test('psk in M2 is 0 or 1', async t => {
  for (const psk of ['02', '80', 'ff']) {
    t.throws(() => decodeM2(m2({ psk })), {
      code: 'ERR_STALK_DECODE',
      message: /the ResponderHello has psk \d+/
    })
  }
})

// --- identities ----------------------------------------------------------------------------------------

const bodyOf = (encoded: Buffer): Buffer => encoded.subarray(3)

const KEY = 'cc'.repeat(32)
const ED = { type: 'ed25519' as const, bytes: hex(KEY) }

t.test('identities have the bytes that the protocol says', async t => {
  t.same(
    encodeResponderIdentity({
      want: WANT.required,
      keyTypes: ['rsa'],
      identity: ED,
      maxMessageBytes: 0x01020304
    }),
    hex(`01 002a 02 01 02 01 0020 ${KEY} 01020304`)
  )
  t.same(
    encodeResponderIdentity({
      want: WANT.none,
      keyTypes: ['ed25519', 'rsa'],
      identity: null,
      maxMessageBytes: 5
    }),
    hex('01 000b 00 02 01 02 00 0000 00000005')
  )
  t.same(
    encodeInitiatorIdentity({ identity: ED, maxMessageBytes: 0xffff_ffff }),
    hex(`04 0027 01 0020 ${KEY} ffffffff`)
  )
  t.same(encodeInitiatorIdentity({ identity: null, maxMessageBytes: 1 }), hex('04 0007 00 0000 00000001'))
})

t.test('every identity comes back as it was', async t => {
  for (const identity of [null, rsa, ed25519]) {
    for (const want of [WANT.none, WANT.welcome, WANT.required]) {
      const message = { want, keyTypes: ['rsa', 'ed25519'] as const, identity, maxMessageBytes: 70_000 }
      t.same(decodeResponderIdentity(bodyOf(encodeResponderIdentity(message))), message)
    }
    const message = { identity, maxMessageBytes: 0 }
    t.same(decodeInitiatorIdentity(bodyOf(encodeInitiatorIdentity(message))), message)
  }
})

t.test('a spoiled identity is another one or an error with a code', async t => {
  for (const identity of [null, ed25519]) {
    const message = { want: WANT.welcome, keyTypes: ['rsa'] as const, identity, maxMessageBytes: 70_000 }
    checkSpoiled(t, decodeResponderIdentity, bodyOf(encodeResponderIdentity(message)))
    checkSpoiled(t, decodeInitiatorIdentity, bodyOf(encodeInitiatorIdentity(message)))
  }
})

t.test('an identity with an unknown algorithm, a key that is not due or too long is refused', async t => {
  const cases: [string, RegExp][] = [
    [`00 0020 ${KEY} 00000001`, /the InitiatorIdentity is anonymous and has a key/],
    [`03 0020 ${KEY} 00000001`, /has the unknown signature algorithm 3/],
    [`ff 0000 00000001`, /has the unknown signature algorithm 255/],
    [`02 0201 ${'cc'.repeat(513)} 00000001`, /has a field of 513 bytes; the limit is 512/],
    [`01 0020 ${KEY} 00000001 00`, /has 1 bytes too many/]
  ]
  for (const [text, message] of cases) {
    t.throws(() => decodeInitiatorIdentity(hex(text)), { code: 'ERR_STALK_DECODE', message })
    const [code, responder] = ['ERR_STALK_DECODE', hex(`01 01 01 ${text}`)]
    t.throws(() => decodeResponderIdentity(responder), { code, message: /the ResponderIdentity/ })
  }
})

t.test('the ResponderIdentity is refused for an unknown want, and for bad lists', async t => {
  const rest = '00 0000 00000001'
  const cases: [string, RegExp][] = [
    [`03 01 01 ${rest}`, /the ResponderIdentity has want 3/],
    [`ff 01 01 ${rest}`, /has want 255/],
    [`01 00 ${rest}`, /has an empty list/],
    [`01 02 02 02 ${rest}`, /names an item twice/]
  ]
  for (const [text, message] of cases) {
    t.throws(() => decodeResponderIdentity(hex(text)), { code: 'ERR_STALK_DECODE', message })
  }
  t.same(decodeResponderIdentity(hex(`01 02 07 02 ${rest}`)).keyTypes, ['rsa'], 'unknown ones are ignored')
})

t.test("a decoded key does not share the record's memory", async t => {
  const body = bodyOf(encodeInitiatorIdentity({ identity: ED, maxMessageBytes: 1 }))
  const { identity } = decodeInitiatorIdentity(body)
  body.fill(0)
  t.same(identity?.bytes, hex(KEY))
})

// --- flights -------------------------------------------------------------------------------------------

t.test('messages of a flight have type, length and body, and lie one after the other', async t => {
  t.same(encodeMessage(MESSAGE.accept, hex('')), hex('07 0000'))
  t.same(encodeMessage(MESSAGE.responderFinished, hex('0102')), hex('03 0002 0102'))
  const flight = hex('01 0001 aa 03 0000 ff 0002 0102')
  t.same(decodeMessages(flight), [
    { type: 1, body: hex('aa'), encoded: hex('01 0001 aa') },
    { type: 3, body: hex(''), encoded: hex('03 0000') },
    { type: 0xff, body: hex('0102'), encoded: hex('ff 0002 0102') }
  ])
  t.same(decodeMessages(hex('')), [])
})

t.test('a flight that does not end with a message is refused', async t => {
  const flight = hex('01 0001 aa 03 0002 0102')
  const whole = [0, 4, 9]
  for (let length = 0; length <= flight.length; length++) {
    const decode = () => decodeMessages(flight.subarray(0, length))
    if (whole.includes(length)) t.doesNotThrow(decode, `cut at ${length}`)
    else t.throws(decode, { code: 'ERR_STALK_DECODE', message: /a handshake flight ends too early/ })
  }
  t.throws(() => decodeMessages(hex('01 ffff aa')), {
    code: 'ERR_STALK_DECODE',
    message: /has a field of 65535/
  })
})

// --- any bytes -----------------------------------------------------------------------------------------

t.test('any bytes give a message or an error with a code', async t => {
  const bytes = fc.uint8Array({ maxLength: 200 }).map(array => Buffer.from(array))
  const behindMagic = bytes.map(rest => Buffer.concat([hex('53544c4b'), rest]))
  const decoders = [decodeM1, decodeM2, decodeInitiatorIdentity, decodeResponderIdentity, decodeMessages]
  const coded = fc.property(fc.constantFrom(...decoders), fc.oneof(bytes, behindMagic), (decode, body) => {
    outcome(decode, body) // throws what has no code
  })
  t.doesNotThrow(() => fc.assert(coded, { numRuns: 2000 }))
})

t.test('what decodes from spoiled good messages is what encodes to the same', async t => {
  const good = bodyOf(encodeInitiatorIdentity({ identity: ed25519, maxMessageBytes: 9 }))
  for (let bit = 0; bit < good.length * 8; bit++) {
    const spoiled = flip(good, bit)
    const decoded = thrownBy(() => decodeInitiatorIdentity(spoiled))
    if (decoded === undefined)
      t.same(bodyOf(encodeInitiatorIdentity(decodeInitiatorIdentity(spoiled))), spoiled)
  }
})
