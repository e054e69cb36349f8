// Faults of the handshake as a whole: what comes again from an earlier session, what stands in another's
// place, and Accept. Hellos, flights and refusals have their own files.

import { innerOf, message, record } from '../helpers/formulas.ts'
import { seeded } from '../helpers/machines.ts'
import { InitiatorPuppet, ResponderPuppet } from '../helpers/puppet.ts'
import {
  type Acts,
  type Fault,
  flights,
  flipped,
  hex,
  refused,
  toBoth,
  toInitiator,
  toResponder
} from './fault.ts'
import { flightFaults } from './flight-faults.ts'
import { m1Faults, m2Faults } from './hello-faults.ts'
import { mallory } from './keys.ts'
import type { Peer } from './peer.ts'
import { refusalFaults } from './refusal-faults.ts'

const unexpected = refused('ERR_STALK_UNEXPECTED', 1)
const badRecord = refused('ERR_STALK_BAD_RECORD', 2)

// --- replays -------------------------------------------------------------------------------------------

/** An earlier session of Mallory's, with randomness that can be had again. */
function earlier(): { m2: Buffer; m3: Buffer; m4: Buffer; m5: Buffer; early: Buffer; late: Buffer } {
  const initiator = new InitiatorPuppet({ identity: mallory, random: seeded('earlier initiator') })
  const responder = new ResponderPuppet({ identity: mallory, random: seeded('earlier responder') })
  const m2 = responder.m2(initiator.m1())
  initiator.takeM2(m2)
  const m3 = responder.m3()
  initiator.takeM3(m3)
  const m4 = initiator.m4()
  responder.takeM4(m4)
  const m5 = responder.m5()
  const words = innerOf(2, hex('91a7 6d616c6c6f7279'))
  return {
    m2,
    m3,
    m4,
    m5,
    early: initiator.open.outbound.seal(words),
    late: responder.open.outbound.seal(words)
  }
}
const old = earlier()

/** The randomness of that session, from its beginning whenever it is asked for. */
const again = (seed: string): NonNullable<Acts['says']> => ({
  get random() {
    return seeded(seed)
  }
})

const replays: readonly Fault[] = [
  toResponder('replay-m4', 'sends the M4 of an earlier session', { sends: { M4: () => old.m4 } }, badRecord),
  toInitiator('replay-m3', 'sends the M3 of an earlier session', { sends: { M3: () => old.m3 } }, badRecord),
  toInitiator(
    'replay-m5',
    'sends the M5 of an earlier session',
    { sends: { M5: () => [old.m5, old.late] } },
    badRecord
  ),
  toResponder(
    'replay-initiator',
    'plays the whole of an earlier initiator back',
    { says: again('earlier initiator'), sends: { M4: () => [old.m4, old.early] } },
    badRecord
  ),
  toInitiator(
    'replay-responder',
    'plays the whole of an earlier responder back',
    { says: again('earlier responder'), sends: { M2: () => [old.m2, old.m3], M3: () => [] } },
    badRecord
  ),
  toResponder(
    'm3-reflected',
    "sends the responder's M3 back as M4",
    { sends: { M4: (_, { records }) => records.M3 ?? [] } },
    badRecord
  ),
  toInitiator(
    'm4-reflected',
    "sends the initiator's M4 back as M5",
    { sends: { M5: (_, { records }) => records.M4 ?? [] } },
    badRecord
  )
]

// --- out of place --------------------------------------------------------------------------------------

const early = (_: Buffer, peer: Peer): Buffer => peer.message('mallory')
const alone = (place: 'M3' | 'M4' | 'M5', sealed: (peer: Peer) => Buffer): Acts => ({
  sends: { [place]: (_: Buffer, peer: Peer) => sealed(peer) }
})
const handshakeRecord = (kind: number, content: Buffer) => (peer: Peer) =>
  peer.puppet.handshake.outbound.seal(innerOf(kind, content))
const clear = (type: number, bytes: number) => () => record(type, Buffer.alloc(bytes))

const misplaced: readonly Fault[] = [
  toResponder(
    'early-data-before-m4',
    'sends messages in the place of M4',
    { sends: { M4: early } },
    unexpected
  ),
  toResponder(
    'early-data-first',
    'sends early data before M4',
    { sends: { M4: (m4, peer) => [early(m4, peer), m4] } },
    unexpected
  ),
  toInitiator(
    'application-before-m3',
    'sends an application record in the place of M3',
    alone('M3', clear(0xe4, 40)),
    unexpected
  ),
  toBoth(
    'hello-for-flight',
    'sends another hello in the place of its flight',
    flights((_, peer) => clear(peer.role === 'initiator' ? 0xe1 : 0xe2, 73)()),
    unexpected
  ),
  toBoth(
    'type-unknown-for-flight',
    'sends a record of type e6 in the place of its flight',
    flights(clear(0xe6, 40)),
    unexpected
  ),
  toResponder(
    'm4-twice',
    'sends a second flight, freshly sealed, behind M4',
    { sends: { M4: (m4, peer) => [m4, handshakeRecord(1, peer.puppet.sent)(peer)] } },
    unexpected
  ),
  toInitiator(
    'm3-twice',
    'sends a second flight, freshly sealed, in the place of M5',
    alone('M5', peer => handshakeRecord(1, peer.puppet.sent)(peer)),
    unexpected
  ),
  toInitiator(
    'other-app',
    "speaks another application's protocol",
    { says: { app: 'other' } },
    refused('ERR_STALK_BAD_RECORD', 'sealed')
  )
]

// --- M5 ------------------------------------------------------------------------------------------------

const m5 = (name: string, does: string, kind: number, content: Buffer, expected = unexpected): Fault =>
  toInitiator(`m5-${name}`, does, { accept: innerOf(kind, content) }, expected)

const accept = (extra: Buffer = Buffer.alloc(0)): Buffer => message(7, extra)

const accepts: readonly Fault[] = [
  m5('skipped', 'sends messages in the place of Accept', 2, hex('91a7 6d616c6c6f7279')),
  m5('fragment', 'sends a fragment in the place of Accept', 3, Buffer.alloc(2_000, 0xc3)),
  m5('is-close', 'closes in the place of Accept', 5, Buffer.alloc(9)),
  m5('other-message', 'sends ResponderFinished in the place of Accept', 1, message(3, Buffer.alloc(32))),
  m5('twice-in-one', 'sends Accept twice in one flight', 1, Buffer.concat([accept(), accept()])),
  m5('with-body', 'sends an Accept with a body', 1, accept(hex('00'))),
  m5('empty', 'sends a flight without Accept', 1, Buffer.alloc(0)),
  m5(
    'trailing',
    'puts a byte behind Accept',
    1,
    Buffer.concat([accept(), hex('07')]),
    refused('ERR_STALK_DECODE', 4, 1)
  ),
  m5('padding-alone', 'seals nothing but padding as M5', 0, Buffer.alloc(8), badRecord),
  toInitiator(
    'm5-handshake-keys',
    "seals Accept under the handshake's keys",
    alone('M5', handshakeRecord(1, accept())),
    unexpected
  ),
  toInitiator(
    'm5-flipped',
    'has the tag of M5 flipped',
    { sends: { M5: bytes => flipped(bytes, -1) } },
    badRecord
  ),
  toInitiator(
    'm5-sequence-1',
    'begins with sequence 1',
    { sends: { M5: (_, peer) => peer.seal(1, accept()) } },
    badRecord
  ),
  toInitiator(
    'm5-replayed',
    'sends M5 twice, the same bytes',
    { sends: { M5: bytes => [bytes, bytes] } },
    badRecord
  ),
  toInitiator(
    'm5-repeated',
    'sends Accept twice',
    { sends: { M5: (bytes, peer) => [bytes, peer.seal(1, accept())] } },
    unexpected
  ),
  toInitiator(
    'm5-cut',
    'ends the transport in the place of M5',
    {
      sends: {
        M5: (_, peer) => {
          peer.end()
          return []
        }
      }
    },
    refused('ERR_STALK_TRUNCATED', 'none')
  )
]

export const handshakeFaults: readonly Fault[] = [
  ...m1Faults,
  ...m2Faults,
  ...flightFaults,
  ...replays,
  ...misplaced,
  ...refusalFaults,
  ...accepts
]
