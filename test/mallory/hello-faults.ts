// Faults in the clear: M1, M2, and what may stand in their place. Knows how the hellos lie in bytes.

import { integer, list, text, vector } from '../helpers/formulas.ts'
import { type Acts, type Expected, type Fault, hex, refused, type Settings } from './fault.ts'

type Change = (body: Buffer) => Buffer
const NONE = Buffer.alloc(0)

// --- how hellos lie ------------------------------------------------------------------------------------

const versions =
  (...ids: number[]): Change =>
  body =>
    Buffer.concat([body.subarray(0, 4), list(2, ids), body.subarray(7)])
const share =
  (bytes: Buffer): Change =>
  body =>
    Buffer.concat([body.subarray(0, -33), bytes, body.subarray(-1)])
const psk =
  (...bytes: Buffer[]): Change =>
  body =>
    Buffer.concat([body.subarray(0, -1), ...bytes])
const at =
  (place: number, bytes: Buffer): Change =>
  body =>
    Buffer.concat([body.subarray(0, place), bytes, body.subarray(place + bytes.length)])
const magic: Change = at(0, text('TALK'))
const longer: Change = body => Buffer.concat([body, Buffer.alloc(1)])
const shorter: Change = body => body.subarray(0, -1)

/** The u-coordinates of X25519 that give nothing but zeros, in and out of canonical form. */
const LOW_ORDER: Record<string, string> = {
  zero: '00'.repeat(32),
  one: `01${'00'.repeat(31)}`,
  'order-8': 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  'order-8-too': '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'p-minus-one': `ec${'ff'.repeat(30)}7f`,
  p: `ed${'ff'.repeat(30)}7f`,
  'p-plus-one': `ee${'ff'.repeat(30)}7f`
}

// --- M1: against a responder ---------------------------------------------------------------------------

const m1 = (name: string, does: string, acts: Acts, expected: Expected, target: Settings = {}): Fault => ({
  name: `m1-${name}`,
  does,
  against: ['responder'],
  target,
  acts,
  expected
})
const hello1 = (name: string, does: string, hello: Change, expected: Expected): Fault =>
  m1(name, does, { says: { faults: { hello } } }, expected)

const silence = refused('ERR_STALK_NOT_STALK', 'none')
const nothing = refused('ERR_STALK_NOTHING_IN_COMMON', 5)
const decode = refused('ERR_STALK_DECODE', 4)
const overflow = refused('ERR_STALK_OVERFLOW', 3)
const unexpected = refused('ERR_STALK_UNEXPECTED', 1)
const reflected = refused('ERR_STALK_REFLECTED', 1)
const badKey = refused('ERR_STALK_BAD_KEY', 6)

export const m1Faults: readonly Fault[] = [
  m1('http', 'speaks HTTP', { sends: { M1: () => text('GET / HTTP/1.1\r\n\r\n') } }, silence),
  hello1('magic', 'begins M1 with another magic', magic, silence),
  hello1('empty', 'sends an M1 without a body', () => NONE, silence),
  m1(
    'skipped',
    'begins with a sealed record',
    { sends: { M1: () => hex('e5000010'.padEnd(40, '0')) } },
    silence
  ),
  m1('is-m2', 'begins with a ResponderHello', { sends: { M1: one => at(0, hex('e2'))(one) } }, silence),
  hello1('version-unknown', 'offers version 2 alone', versions(2), nothing),
  hello1('versions-none', 'offers an empty list of versions', versions(), decode),
  hello1('versions-twice', 'offers version 1 twice', versions(1, 1), decode),
  m1('suites-unknown', 'offers suite 0004 alone', { says: { suites: [4] } }, nothing),
  m1('suites-grease', 'offers nothing but grease', { says: { suites: [0x0a0a, 0x5a6a] } }, nothing),
  m1('suites-none', 'offers no suite', { says: { suites: [] } }, decode),
  m1('suites-twice', 'offers a suite twice', { says: { suites: [1, 1] } }, decode),
  m1('suite-ofb-alone', 'offers suite 0003 to who has not asked for it', { says: { suites: [3] } }, nothing),
  m1('sigs-unknown', 'takes signatures of algorithm 9 alone', { says: { sigs: [9] } }, nothing),
  m1('sigs-not-theirs', 'takes RSA alone from who has an Ed25519 key', { says: { sigs: [2] } }, nothing),
  m1('sigs-none', 'takes no signature at all', { says: { sigs: [] } }, decode),
  hello1('psk-two', 'sets psk to 2', psk(integer(1, 2)), decode),
  hello1(
    'ticket-empty',
    'offers an empty ticket',
    psk(integer(1, 1), vector(NONE), Buffer.alloc(32)),
    decode
  ),
  hello1(
    'ticket-long',
    'offers 513 bytes of ticket',
    psk(integer(1, 1), vector(Buffer.alloc(513)), Buffer.alloc(32)),
    decode
  ),
  hello1(
    'ticket-unbound',
    'offers a ticket without a binder',
    psk(integer(1, 1), vector(Buffer.alloc(32))),
    decode
  ),
  hello1('trailing', 'puts a byte behind M1', longer, decode),
  hello1('truncated', 'leaves the last byte of M1 out', shorter, decode),
  hello1(
    'oversized',
    'pads M1 beyond 1,024 bytes',
    body => Buffer.concat([body, Buffer.alloc(1_025 - body.length)]),
    overflow
  ),
  m1(
    'announces-16-MiB',
    'announces the longest M1 that a header can',
    { sends: { M1: () => hex('e1ffffff') } },
    overflow
  ),
  m1('repeated', 'sends M1 twice', { sends: { M1: one => [one, one] } }, unexpected),
  m1(
    'cut',
    'ends the transport within M1',
    {
      sends: {
        M1: (one, peer) => {
          peer.write(one.subarray(0, 40))
          peer.end()
          return []
        }
      }
    },
    refused('ERR_STALK_TRUNCATED', 'none')
  ),
  m1(
    'silent',
    'connects and says nothing',
    { sends: { M1: () => [] } },
    refused('ERR_STALK_HANDSHAKE_TIMEOUT', 10),
    { handshakeTimeout: 250 }
  ),
  ...Object.entries(LOW_ORDER).map(([name, point]) =>
    hello1(`low-order-${name}`, `offers the X25519 point ${name} as its share`, share(hex(point)), badKey)
  )
]

// --- M2: against an initiator --------------------------------------------------------------------------

const m2 = (name: string, does: string, acts: Acts, expected: Expected, target: Settings = {}): Fault => ({
  ...m1(name, does, acts, expected, target),
  name: `m2-${name}`,
  against: ['initiator']
})
const hello2 = (name: string, does: string, hello: Change, expected: Expected): Fault =>
  m2(name, does, { says: { faults: { hello } } }, expected)

/** Where M1's fields lie in its record, with one version. */
const RANDOM1 = [11, 43] as const
const SUITES1 = 43

const grease = (one: Buffer): Buffer => {
  const ids = Array.from({ length: one.readUInt8(SUITES1) }, (_, i) => SUITES1 + 1 + 2 * i)
  const found = ids.find(place => (one.readUInt16BE(place) & 0x0f0f) === 0x0a0a) ?? SUITES1 + 1
  return one.subarray(found, found + 2)
}
/** M2 with something of M1's in it. */
const borrowing = (place: number, take: (one: Buffer) => Buffer): Acts => ({
  sends: { M2: (two, { records }) => at(place, take(records.M1 ?? NONE))(two) }
})
const plain = (...code: number[]): Acts => ({
  sends: { M2: (_, peer) => peer.plainAlert(...code), M3: () => [] }
})
const instead = (bytes: Buffer): Acts => ({ sends: { M2: () => bytes, M3: () => [] } })

export const m2Faults: readonly Fault[] = [
  m2('http', 'answers in HTTP', instead(text('HTTP/1.1 400 Bad Request\r\n\r\n')), silence),
  hello2('magic', 'begins M2 with another magic', magic, silence),
  m2('skipped', 'begins with M3', { sends: { M2: () => [] } }, silence),
  hello2('version-not-offered', 'picks version 2', at(4, integer(2, 2)), unexpected),
  m2('suite-not-offered', 'picks suite 0003, which was not offered', { says: { suite: 3 } }, unexpected),
  hello2('suite-unknown', 'picks suite 0004, which does not exist', at(38, integer(2, 4)), unexpected),
  m2('suite-grease', 'picks the grease that was offered', borrowing(42, grease), unexpected),
  hello2('psk-not-offered', 'takes a ticket that was not offered', psk(integer(1, 1)), unexpected),
  hello2('psk-two', 'sets psk to 2', psk(integer(1, 2)), decode),
  hello2('trailing', 'puts a byte behind M2', longer, overflow),
  hello2('truncated', 'leaves the last byte of M2 out', shorter, decode),
  m2('announces-16-MiB', 'announces the longest M2 that a header can', instead(hex('e2ffffff')), overflow),
  m2(
    'random-reflected',
    "sends the initiator's random back",
    borrowing(10, one => one.subarray(...RANDOM1)),
    reflected
  ),
  m2(
    'share-reflected',
    "sends the initiator's share back",
    borrowing(44, one => one.subarray(-33, -1)),
    reflected
  ),
  m2(
    'm1-reflected',
    "sends the initiator's M1 back",
    { sends: { M2: (_, { records }) => records.M1 ?? NONE } },
    reflected
  ),
  m2(
    'two-initiators',
    'is an initiator too',
    {
      sends: {
        M2: (_, { records }) => at(11, Buffer.alloc(32, 7))(share(Buffer.alloc(32, 9))(records.M1 ?? NONE))
      }
    },
    refused('ERR_STALK_SAME_ROLE', 1)
  ),
  m2('repeated', 'sends M2 twice', { sends: { M2: two => [two, two] } }, unexpected),
  m2('plain-alert', 'refuses with alert 6 in clear', plain(6), refused('ERR_STALK_REJECTED', 'none')),
  m2('plain-alert-5', 'refuses with alert 5 in clear', plain(5), refused('ERR_STALK_PEER_ALERT', 'none')),
  m2(
    'plain-alert-unknown',
    'refuses with alert 99 in clear',
    plain(99),
    refused('ERR_STALK_DECODE', 4, 'none')
  ),
  m2('plain-alert-empty', 'refuses without a code', plain(), decode),
  m2('plain-alert-long', 'refuses with two codes', plain(6, 6), overflow),
  m2(
    'silent',
    'accepts the transport and says nothing',
    { sends: { M2: () => [], M3: () => [] } },
    refused('ERR_STALK_HANDSHAKE_TIMEOUT', 10),
    { handshakeTimeout: 250 }
  ),
  ...Object.entries(LOW_ORDER).map(([name, point]) =>
    hello2(
      `low-order-${name}`,
      `answers with the X25519 point ${name} as its share`,
      share(hex(point)),
      badKey
    )
  )
]
