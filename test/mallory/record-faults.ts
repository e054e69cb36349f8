// Faults of records, once the session is made: their headers, their sealing, their order, their kinds.

import { Direction, innerOf } from '../helpers/formulas.ts'
import { BOTH, between, broken, type Expected, type Fault, flipped, hex, type Settings } from './fault.ts'
import type { Peer } from './peer.ts'

const badRecord = broken('ERR_STALK_BAD_RECORD', 2)
const overflow = broken('ERR_STALK_OVERFLOW', 3)
const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
const truncated = broken('ERR_STALK_TRUNCATED', 'none')

type Make = (peer: Peer) => Buffer | readonly Buffer[]

const row = (name: string, does: string, make: Make, expected: Expected, target: Settings = {}): Fault => ({
  name: `record-${name}`,
  does,
  against: BOTH,
  target,
  acts: between(make),
  expected
})

const badly = (peer: Peer): Buffer => peer.message('badly')

/** A record whose header says something else than what it was sealed with. */
const headed =
  (header: string): Make =>
  peer =>
    Buffer.concat([hex(header), badly(peer).subarray(4)])

/** Under a suite that the target was told to take. */
const under = (suite: number, name: string, target: Settings, change: (bytes: Buffer) => Buffer): Fault => ({
  ...row(name, `has a record of suite 000${suite} flipped`, peer => change(badly(peer)), badRecord, target),
  acts: { says: { suites: [suite], suite }, ...between(peer => change(badly(peer))) }
})
const chacha: Settings = { suites: ['X25519-CHACHA20POLY1305-SHA256'] }
const ofb: Settings = { suites: ['X25519-AES256OFB-HMACSHA256'] }

const sealing: readonly Fault[] = [
  row('flipped-tag', 'has the tag of a record flipped', peer => flipped(badly(peer), -1), badRecord),
  row('flipped', 'has the ciphertext of a record flipped', peer => flipped(badly(peer), 4), badRecord),
  row('flipped-kind', 'has the kind of a record flipped', peer => flipped(badly(peer), -17), badRecord),
  under(2, 'flipped-chacha', chacha, bytes => flipped(bytes, 4)),
  under(2, 'flipped-tag-chacha', chacha, bytes => flipped(bytes, -1)),
  under(3, 'flipped-ofb', ofb, bytes => flipped(bytes, 4)),
  under(3, 'flipped-tag-ofb', ofb, bytes => flipped(bytes, -1)),
  row('without-tag', 'leaves the tag out', peer => shortened(badly(peer), 16), badRecord),
  row('tag-of-12', 'cuts the tag to 12 bytes', peer => shortened(badly(peer), 4), badRecord),
  row('sealed-by-handshake-keys', "seals under the handshake's keys", underHandshakeKeys, badRecord),
  row(
    'in-clear',
    'sends a message that is not sealed',
    () => hex('e400000d 91a7 6d616c6c6f7279 02 000000'),
    badRecord
  )
]

function shortened(bytes: Buffer, by: number): Buffer {
  const copy = Buffer.from(bytes.subarray(0, -by))
  copy.writeUIntBE(copy.length - 4, 1, 3)
  return copy
}

function underHandshakeKeys({ puppet, role }: Peer): Buffer {
  const { secrets } = puppet
  if (!secrets) throw new Error('there is no handshake yet')
  const secret = role === 'initiator' ? secrets.i_hs : secrets.r_hs
  return new Direction(0xe4, puppet.open.outbound.suite, secret).seal(innerOf(2, hex('91c3')))
}

/** A sequence is used up, and nothing sent. */
const unsent: Make = peer => badly(peer).subarray(0, 0)

const order: readonly Fault[] = [
  row('replayed', 'sends a record twice', peer => twice(peer.message('twice')), {
    ...badRecord,
    delivered: ['before', 'twice']
  }),
  row('skipped', 'leaves a sequence out', unsent, badRecord),
  row('reordered', 'swaps two records', peer => [badly(peer), badly(peer)].reverse(), badRecord),
  row('first-again', 'sends its very first record again', peer => peer.first, badRecord),
  {
    ...row('reflected', "sends the target's own record back", () => [], badRecord),
    acts: {
      open: async peer => {
        peer.write(peer.message('before'))
        await peer.hears(({ messages }) => messages > 0)
        peer.write(peer.sealed.at(-1) ?? Buffer.alloc(0), peer.message('behind'))
      }
    }
  }
]

const twice = (record: Buffer): Buffer[] => [record, record]

const frames: readonly Fault[] = [
  row('type-e5', "calls its record the handshake's", headed('e5000017'), unexpected),
  row('type-e1', 'sends an InitiatorHello', headed('e1000017'), unexpected),
  row('type-e2', 'sends a ResponderHello', headed('e2000017'), unexpected),
  row('plain-alert', 'sends alert 8 in clear', peer => peer.plainAlert(8), unexpected),
  row('type-00', 'sends a record of type 00', headed('00000017'), unexpected),
  row('type-ff', 'sends a record of type ff', headed('ff000017'), unexpected),
  row('length-flipped', 'has the length of a record made one less', headed('e4000016'), badRecord),
  row('length-0', 'sends a record without a body', () => hex('e4000000'), badRecord),
  row('length-1', 'sends a record of one byte', () => hex('e4000001 00'), badRecord),
  row(
    'length-15',
    'sends a record one byte shorter than a tag',
    () => hex(`e400000f${'00'.repeat(15)}`),
    badRecord
  ),
  row(
    'length-16',
    'sends a record of nothing but a false tag',
    () => hex(`e4000010${'00'.repeat(16)}`),
    badRecord
  ),
  row('length-too-long', 'announces more than the longest record', () => hex('e4010061'), overflow),
  row(
    'inner-65601',
    'seals one byte more than a record may hold',
    peer => peer.seal(2, hex('91c3'), 65_601),
    overflow
  ),
  row('length-16-MiB', 'announces the longest record that a header can', () => hex('e4ffffff'), overflow)
]

/** The transport ends within the fault. */
const cut = (name: string, does: string, bytes: number): Fault => ({
  ...row(name, does, () => [], truncated),
  acts: {
    open: peer => {
      peer.write(peer.message('before'), badly(peer).subarray(0, bytes))
      peer.end()
    }
  }
})

/** Good for an hour, had a responder issued it. */
const ticket = hex(`00000e10 ${'11'.repeat(16)} 0008 ${'22'.repeat(8)}`)

const kinds: readonly Fault[] = [
  row('empty', 'seals nothing', peer => peer.puppet.open.outbound.seal(Buffer.alloc(0)), badRecord),
  row('padding-alone', 'seals nothing but padding', peer => peer.seal(0, Buffer.alloc(49)), badRecord),
  row('kind-handshake', 'sends Accept again', peer => peer.seal(1, hex('070000')), unexpected),
  row('kind-flight', 'sends its flight again', peer => peer.seal(1, peer.puppet.sent, 2048), unexpected),
  {
    ...row('kind-ticket', 'hands a ticket out', peer => peer.seal(7, ticket), unexpected),
    against: ['responder'] // as initiator
  },
  row('kind-0b', 'sends kind 0b, which is not assigned', peer => peer.seal(0x0b, hex('c3')), unexpected),
  row('kind-ff', 'sends kind ff, which is not assigned', peer => peer.seal(0xff, hex('c3')), unexpected)
]

const flood: Fault = row(
  'flood',
  'sends 4 MiB behind a record that does not open',
  () => [hex(`e4000020${'00'.repeat(32)}`), Buffer.alloc(4 * 2 ** 20, 0xe4)],
  broken('ERR_STALK_BAD_RECORD', 2, 'none') // the alert may be lost in the reset
)

const cuts: readonly Fault[] = [
  cut('cut-in-header', "ends the transport within a record's header", 3),
  cut('cut-behind-header', "ends the transport behind a record's header", 4),
  cut('cut-in-tag', "ends the transport before a record's last byte", 26)
]

export const recordFaults: readonly Fault[] = [...sealing, ...order, ...frames, ...kinds, flood, ...cuts]
