// Controls: an honest end, in all that the protocol leaves to it, and what it has to put up with. A target
// that refuses everything fails here. How a connection may end is in closing-controls.ts.

import { innerOf, integer, list, message, vector } from '../helpers/formulas.ts'
import { type Acts, BOTH, clean, type Fault, flights, hex, type Role, type Settings } from './fault.ts'
import { rsa } from './keys.ts'
import type { Peer } from './peer.ts'

const HELLO = 'hello'

/** Sends what `make` makes, waits until `messages` have come back, and closes. */
const sending = (messages: number, make: (peer: Peer) => readonly Buffer[]): Acts => ({
  open: async peer => {
    peer.write(...make(peer))
    await peer.goodbye(messages)
  }
})
const hello = sending(1, peer => [peer.message(HELLO)])

const row = (
  name: string,
  does: string,
  acts: Acts,
  {
    against = BOTH,
    target = {},
    got = [HELLO]
  }: { against?: readonly Role[]; target?: Settings; got?: unknown[] } = {}
): Fault => ({
  name: `control-${name}`,
  does,
  against,
  target,
  acts: { ...hello, ...acts },
  expected: clean(...got)
})

const session = (
  name: string,
  does: string,
  make: (peer: Peer) => readonly Buffer[],
  got: unknown[]
): Fault => row(name, does, sending(got.length, make), { got })

const handshakes: readonly Fault[] = [
  row('honest', 'keeps to the protocol', {}),
  row('rsa', 'shows an RSA key and proves it', { says: { identity: rsa } }),
  row('anonymous', 'shows no key to who takes anyone', { says: { identity: null } }),
  row('pinned', 'proves the key that is pinned', {}, { target: { pinned: true } }),
  row(
    'identity-required',
    'shows a key to who requires one',
    {},
    { against: ['responder'], target: { requireIdentity: true } }
  ),
  row('target-anonymous', 'talks to who has no key', {}, { target: { anonymous: true } }),
  row('chacha', 'talks under suite 0002', { says: { suites: [2, 0x5a6a], suite: 2 } }),
  row(
    'ofb',
    'talks under suite 0003',
    { says: { suites: [3, 0x5a6a], suite: 3 } },
    { target: { suites: ['X25519-AES256OFB-HMACSHA256'] } }
  ),
  row('want-none', 'wants no key', { says: { want: 0 } }, { against: ['initiator'] }),
  row('want-required', 'requires a key', { says: { want: 2 } }, { against: ['initiator'] }),
  row('sigs-unknown', 'takes signatures of an unknown algorithm too', { says: { sigs: [9, 1, 2] } }),
  row('max-message', 'takes messages of 16 bytes at most', { says: { maxMessage: 16 } }),
  row(
    'suites-unknown',
    'offers unknown suites and two grease ids before a good one',
    { says: { suites: [0x0a0a, 0x7777, 0xfafa, 1] } },
    { against: ['responder'] }
  ),
  row('no-grease', 'offers no grease', { says: { suites: [1] } }, { against: ['responder'] }),
  row(
    'versions-unknown',
    'offers unknown versions too',
    hello1(body => Buffer.concat([body.subarray(0, 4), list(2, [7, 1, 2]), body.subarray(7)])),
    { against: ['responder'] }
  ),
  row(
    'ticket',
    'offers a ticket that nobody knows',
    hello1(body =>
      Buffer.concat([body.subarray(0, -1), hex('01'), vector(Buffer.alloc(48, 5)), Buffer.alloc(32)])
    ),
    { against: ['responder'] }
  ),
  row(
    'share-top-bit',
    'sets the unused bit of its share',
    hello1(body => withShare(body, share => share.fill((share[31] ?? 0) | 0x80, 31)))
  ),
  row('share-non-canonical', 'has the share 9, written as p + 9', { says: nine() }),
  row(
    'm5-padded',
    'pads M5',
    { accept: innerOf(1, message(7, Buffer.alloc(0)), 3_000) },
    { against: ['initiator'] }
  )
]

function hello1(change: (body: Buffer) => Buffer): Acts {
  return { says: { faults: { hello: change } } }
}

function withShare(body: Buffer, change: (share: Buffer) => Buffer): Buffer {
  return Buffer.concat([
    body.subarray(0, -33),
    change(Buffer.from(body.subarray(-33, -1))),
    body.subarray(-1)
  ])
}

/** A private key whose share is the base point's 9: a multiple of 8 that is −1 modulo the group's order. */
function nine(): NonNullable<Acts['says']> {
  const scalar = 5n * (2n ** 252n + 27742317777372353535851937790883648493n) - 1n
  const random = (): Buffer => integer(32, scalar).reverse() // for both, the key and the random
  const p = 2n ** 255n - 19n
  return { random, faults: { hello: body => withShare(body, () => integer(32, p + 9n).reverse()) } }
}

const transports: readonly Fault[] = [
  row(
    'early-data',
    'sends messages right behind M4',
    {
      sends: { M4: (m4, peer) => [m4, peer.message('early')] },
      ...sending(2, peer => [peer.message(HELLO)])
    },
    { against: ['responder'], got: ['early', HELLO] }
  ),
  row(
    'behind-m5',
    'sends messages right behind M5',
    {
      sends: { M5: (m5, peer) => [m5, peer.message('early')] },
      ...sending(2, peer => [peer.message(HELLO)])
    },
    { against: ['initiator'], got: ['early', HELLO] }
  ),
  row(
    'm2-with-m3',
    'sends M2 and M3 in one piece',
    { sends: { M2: () => [], M3: (m3, { records }) => [records.M2 ?? m3, m3] } },
    { against: ['initiator'] }
  ),
  row('split', 'sends every flight in two pieces', flights(halves)),
  row('dribble', 'sends a message byte by byte', {
    open: async peer => {
      await dribble(peer, peer.message(HELLO))
      await peer.goodbye(1)
    }
  })
]

async function dribble(peer: Peer, bytes: Buffer): Promise<void> {
  for (const byte of bytes) {
    peer.write(Buffer.of(byte))
    await new Promise(resolve => setImmediate(resolve))
  }
}

function halves(record: Buffer, peer: Peer): Buffer {
  peer.write(record.subarray(0, 3))
  return record.subarray(3)
}

const VALUES =
  '9b c3 05 cb3ff8000000000000 d30000000000000005 a26869 c4020102 93010203 81a161c0 d4730092 0102 d6ff00000001 91d40000'
const GOT = [
  true,
  5,
  1.5,
  5n,
  'hi',
  Buffer.of(1, 2),
  [1, 2, 3],
  { a: null },
  new Set([1, 2]),
  new Date(1000),
  [undefined]
]

const sessions: readonly Fault[] = [
  row(
    'silent',
    'says nothing but its close',
    sending(0, () => []),
    { got: [] }
  ),
  session('values', 'sends a value of every kind', peer => [peer.seal(2, hex(VALUES))], GOT),
  session('padded', 'pads a record to its longest', peer => [peer.seal(2, hex('91c3'), 65_600)], [true]),
  session(
    'wide-headers',
    'writes the widest headers there are',
    peer => [peer.seal(2, hex('dd00000001 db00000002 6869'))],
    ['hi']
  ),
  session('fragment-alone', 'sends a last fragment alone', peer => [peer.seal(4, hex('c3'))], [true]),
  session('fragments', 'sends a message in fragments', peer => peer.fragments(large(3_000), 1_024), [
    'a'.repeat(3_000)
  ]),
  session('full-record', 'fills a record', peer => [peer.seal(4, large(65_532))], ['a'.repeat(65_532)]),
  session('depth-64', 'nests arrays 64 deep', peer => [peer.seal(2, hex(`91${'91'.repeat(63)}90`))], [
    nested(64)
  ])
]

function large(bytes: number): Buffer {
  return Buffer.concat([hex('da'), integer(2, bytes), Buffer.alloc(bytes, 0x61)])
}

/** Arrays in each other. */
function nested(depth: number): unknown {
  return depth === 1 ? [] : [nested(depth - 1)]
}

export const controls: readonly Fault[] = [...handshakes, ...transports, ...sessions]
