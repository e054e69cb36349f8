// Faults of resumed handshakes behind the offer: keys, Proofs, identities, and what is replayed. The offers are good, and
// M2 says what was made of them.

import {
  Direction,
  H,
  HMAC,
  handshakeSecrets,
  innerOf,
  prologueFor,
  record,
  signatureOf
} from '../helpers/formulas.ts'
import type { Faults, PuppetOptions } from '../helpers/puppet.ts'
import { type Acts, type Expected, type Fault, flights, flipped, refused } from './fault.ts'
import { mallory, rsa, victim } from './keys.ts'
import type { Peer } from './peer.ts'
import { type Around, inSecond, issuing, resumed, resumedWithFirst, withTicket } from './resuming.ts'

const unexpected: Expected = { ...refused('ERR_STALK_UNEXPECTED', 1), resumed: true }
const badRecord: Expected = { ...refused('ERR_STALK_BAD_RECORD', 2), resumed: true }
const badFinished: Expected = { ...refused('ERR_STALK_BAD_FINISHED', 6), resumed: true }
const notTheTickets: Expected = { ...refused('ERR_STALK_BAD_TICKET', 6), resumed: true }

const both = inSecond('initiator', 'responder')
const toInitiator = inSecond('initiator')
const toResponder = inSecond('responder')

const faulty = (name: string, does: string, faults: Faults, expected: Expected): Fault =>
  both(`resumed-${name}`, does, { says: withTicket({ faults }) }, expected)

// --- keys ----------------------------------------------------------------------------------------------

/** Mallory's handshake secrets as another psk would make them. */
const secretsOf = ({ puppet }: Peer, psk?: Buffer): ReturnType<typeof handshakeSecrets> =>
  handshakeSecrets(prologueFor(''), puppet.shared, puppet.hashes.th1 ?? Buffer.alloc(32), psk)

/** The flight under the keys of another psk; Mallory still hears what the good ones open. */
const under = (name: string, does: string, psk?: (peer: Peer) => Buffer): Fault =>
  both(
    `resumed-under-${name}`,
    does,
    {
      says: withTicket(),
      ...flights((_, peer) => {
        const { i_hs, r_hs } = secretsOf(peer, psk?.(peer))
        const { suite } = peer.puppet.handshake.outbound
        return new Direction(0xe5, suite, peer.role === 'initiator' ? i_hs : r_hs).seal(
          innerOf(1, peer.puppet.sent, 2_048)
        )
      })
    },
    badRecord
  )

/** A flight under good keys, whose Finished is made with the key of another psk. */
const finishedBy = (name: string, does: string, psk?: Buffer): Fault =>
  both(
    `resumed-finished-${name}`,
    does,
    {
      says: withTicket(),
      ...flights((_, peer) => {
        const { fin_i, fin_r } = secretsOf(peer, psk)
        const { hashes, sent } = peer.puppet
        const [key, hash] = peer.role === 'initiator' ? [fin_i, hashes.th6] : [fin_r, hashes.th3]
        const mac = HMAC(key, hash ?? Buffer.alloc(32))
        return peer.insteadOfFlight(1, Buffer.concat([sent.subarray(0, -32), mac]), 2_048)
      })
    },
    badFinished
  )

const keys: readonly Fault[] = [
  under('no-psk', 'seals its flight under the keys of a full handshake'),
  under('another-psk', "seals its flight under the keys of another ticket's psk", () => Buffer.alloc(32, 7)),
  under('value', 'seals its flight under keys of the ticket itself', ({ memory }) => memory.last.value),
  under('hashed-psk', "seals its flight under keys of the psk's hash", ({ memory }) => H(memory.last.psk)),
  finishedBy('no-psk', 'makes its Finished with the key of a full handshake'),
  finishedBy('another-psk', "makes its Finished with the key of another ticket's psk", Buffer.alloc(32, 7)),
  faulty(
    'finished-flip',
    'turns a bit of its Finished over in a resumed handshake',
    {
      finished: mac => flipped(mac, 0)
    },
    badFinished
  ),
  faulty(
    'finished-zero',
    'sends zeros for its Finished in a resumed handshake',
    {
      finished: () => Buffer.alloc(32)
    },
    badFinished
  ),
  faulty(
    'finished-missing',
    'leaves Finished out in a resumed handshake',
    {
      content: messages => Buffer.concat(messages.slice(0, -1))
    },
    unexpected
  ),
  faulty(
    'identity-missing',
    'leaves its identity out in a resumed handshake',
    {
      content: messages => Buffer.concat(messages.slice(1))
    },
    unexpected
  )
]

// --- Proofs --------------------------------------------------------------------------------------------

const proofs: readonly Fault[] = [
  faulty(
    'proof',
    'proves its key in a resumed handshake',
    {
      signature: input => signatureOf(mallory.privateKey, input)
    },
    unexpected
  ),
  faulty(
    'proof-empty',
    'sends an empty signature in a resumed handshake',
    {
      signature: () => Buffer.alloc(0)
    },
    unexpected
  ),
  both(
    'resumed-proof-of-another',
    "shows somebody else's key and proves its own in a resumed handshake",
    {
      says: withTicket({
        identity: victim,
        faults: { signature: input => signatureOf(mallory.privateKey, input) }
      })
    },
    unexpected
  ),
  toResponder(
    'unresumed-proof-missing',
    'leaves Proof out where its ticket is not taken',
    {
      says: withTicket({ faults: { signature: () => null } }, () => ({
        value: Buffer.alloc(32, 5),
        psk: Buffer.alloc(32, 7)
      }))
    },
    { ...unexpected, resumed: false },
    { behind: [resumedWithFirst] }
  ),
  toInitiator(
    'unresumed-proof-missing-in-m3',
    'does not take a ticket, and leaves Proof out',
    { says: { faults: { signature: () => null } } },
    { ...unexpected, resumed: false, offers: true }
  )
]

// --- identities ----------------------------------------------------------------------------------------

const shows = (
  name: string,
  does: string,
  says: Partial<PuppetOptions>,
  around: Around = {},
  expected: Expected = notTheTickets
): Fault => both(`resumed-${name}`, does, { says: withTicket(says) }, expected, around)

const identities: readonly Fault[] = [
  shows('other-key', "shows another key than the ticket's", { identity: victim }),
  shows('other-algorithm', "shows an RSA key, the ticket's being Ed25519", { identity: rsa }),
  shows(
    'rsa-other-algorithm',
    "shows an Ed25519 key, the ticket's being RSA",
    {},
    {
      ahead: [issuing({ identity: rsa })]
    }
  ),
  shows('anonymous', 'shows no key, where the ticket has one', { identity: null }),
  shows(
    'was-anonymous',
    'shows a key, where the ticket has none',
    {},
    {
      ahead: [issuing({ identity: null })]
    }
  ),
  shows(
    'was-anonymous-rsa',
    'shows an RSA key, where the ticket has none',
    { identity: rsa },
    {
      ahead: [issuing({ identity: null })]
    }
  ),
  toInitiator(
    'resumed-want-none',
    'wants no key in a resumed handshake, where the ticket has one',
    { says: withTicket({ want: 0 }) },
    unexpected
  ),
  toInitiator(
    'resumed-sigs-others',
    'takes no key of the kind that the ticket has',
    { says: withTicket({ sigs: [2] }) },
    { ...refused('ERR_STALK_NOTHING_IN_COMMON', 5), resumed: true }
  ),
  toInitiator(
    'resumed-want-required',
    'requires a key in a resumed handshake, where the ticket has none',
    { says: withTicket({ want: 2 }) },
    { ...refused('ERR_STALK_IDENTITY_REQUIRED', 7), resumed: true },
    { target: { anonymous: true } }
  )
]

// --- replays and what comes too early ------------------------------------------------------------------

const earlierM4: Acts = {
  sends: { M4: (m4, { memory }) => memory.handshakes[0]?.M4 ?? m4 }
}
const earlierM3: Acts = {
  sends: { M3: (m3, { memory }) => memory.handshakes[0]?.M3 ?? m3 }
}

const replays: readonly Fault[] = [
  toResponder(
    'replay-offer',
    'plays an initiator back whose session was resumed',
    { sends: { M1: (m1, { memory: { handshakes } }) => [handshakes[1]?.M1 ?? m1, handshakes[1]?.M4 ?? m1] } },
    { ...refused('ERR_STALK_BAD_RECORD', 'sealed'), resumed: false },
    { ahead: [issuing(), resumed()] }
  ),
  toResponder(
    'resumed-replay-m4',
    'sends the M4 of the full handshake in the resumed one',
    { says: withTicket(), ...earlierM4 },
    badRecord
  ),
  toInitiator(
    'resumed-replay-m3',
    'sends the M3 of the full handshake in the resumed one',
    { says: withTicket(), ...earlierM3 },
    badRecord
  ),
  toResponder(
    'resumed-data-behind-m1',
    'sends a record of the session behind the M1 that offers a ticket',
    { says: withTicket(), sends: { M1: m1 => [m1, record(0xe4, Buffer.alloc(40, 7))], M4: () => [] } },
    unexpected
  )
]

export const resumedFaults: readonly Fault[] = [...keys, ...proofs, ...identities, ...replays]
