// Alerts in the handshake, sealed and in clear, where a flight or Accept should stand; and what a trust
// policy, or who has no key to show, has to refuse.

import { type Acts, type Fault, flights, refused, toBoth, toInitiator, toResponder } from './fault.ts'
import { type mallory, rsa, victim } from './keys.ts'
import type { Peer } from './peer.ts'

const unexpected = refused('ERR_STALK_UNEXPECTED', 1)

// --- alerts in the handshake ---------------------------------------------------------------------------

const sealedAlert = (...code: number[]): Acts =>
  flights((_, peer) => peer.insteadOfFlight(5, Buffer.from(code)))
const alone = (place: 'M3' | 'M4' | 'M5', sealed: (peer: Peer) => Buffer): Acts => ({
  sends: { [place]: (_: Buffer, peer: Peer) => sealed(peer) }
})
const rejected = refused('ERR_STALK_REJECTED', 'none')
const ended = refused('ERR_STALK_PEER_ALERT', 'none')
const decode = refused('ERR_STALK_DECODE', 4, 'none')
const CLOSE = [0, 0, 0, 0, 0, 0, 0, 0, 0]

const alerts: readonly Fault[] = [
  toBoth('alert-for-flight', 'sends alert 6 in the place of its flight', sealedAlert(6), rejected),
  toBoth('alert-7-for-flight', 'sends alert 7 in the place of its flight', sealedAlert(7), rejected),
  toBoth('alert-5-for-flight', 'sends alert 5 in the place of its flight', sealedAlert(5), ended),
  toBoth('alert-unknown-for-flight', 'sends alert 99 in the place of its flight', sealedAlert(99), decode),
  toBoth(
    'alert-empty-for-flight',
    'sends an alert without a code in the place of its flight',
    sealedAlert(),
    decode
  ),
  toBoth(
    'alert-long-for-flight',
    'sends an alert of two codes in the place of its flight',
    sealedAlert(6, 6),
    decode
  ),
  toBoth('close-for-flight', 'says goodbye in the place of its flight', sealedAlert(...CLOSE), decode),
  toResponder(
    'plain-alert-for-m4',
    'sends alert 6 in clear in the place of M4',
    alone('M4', peer => peer.plainAlert(6)),
    rejected
  ),
  toResponder(
    'plain-alert-empty-for-m4',
    'sends an alert in clear without a code',
    alone('M4', peer => peer.plainAlert()),
    refused('ERR_STALK_DECODE', 4)
  ),
  toResponder(
    'plain-alert-long-for-m4',
    'sends an alert in clear of two codes',
    alone('M4', peer => peer.plainAlert(6, 6)),
    refused('ERR_STALK_OVERFLOW', 3)
  ),
  toInitiator(
    'plain-alert-for-m3',
    'sends alert 6 in clear in the place of M3',
    alone('M3', peer => peer.plainAlert(6)),
    unexpected
  ),
  toInitiator(
    'plain-alert-for-m5',
    'sends alert 6 in clear in the place of M5',
    alone('M5', peer => peer.plainAlert(6)),
    unexpected
  ),
  toInitiator(
    'alert-for-m5',
    'sends alert 6 in the place of M5',
    alone('M5', ({ puppet }) => puppet.alert(6)),
    rejected
  ),
  toInitiator(
    'alert-8-for-m5',
    'sends alert 8 in the place of M5',
    alone('M5', ({ puppet }) => puppet.alert(8)),
    refused('ERR_STALK_PEER_ABORTED', 'none')
  ),
  toInitiator(
    'alert-unknown-for-m5',
    'sends alert 99 in the place of M5',
    alone('M5', ({ puppet }) => puppet.alert(99)),
    decode
  ),
  toInitiator(
    'close-for-m5',
    'says goodbye in the place of M5',
    alone('M5', ({ puppet }) => puppet.alert(...CLOSE)),
    decode
  )
]

// --- trust ---------------------------------------------------------------------------------------------

const shows = (identity: typeof mallory | null): Acts => ({ says: { identity } })

const trust: readonly Fault[] = [
  toBoth(
    'unpinned-key',
    'proves a key that is not the pinned one',
    shows(victim),
    refused('ERR_STALK_PEER_MISMATCH', 6),
    { pinned: true }
  ),
  toBoth(
    'unpinned-rsa-key',
    'proves an RSA key, an Ed25519 key being pinned',
    shows(rsa),
    refused('ERR_STALK_PEER_MISMATCH', 6),
    { pinned: true }
  ),
  toBoth(
    'unpinned-anonymous',
    'shows no key, one being pinned',
    shows(null),
    refused('ERR_STALK_PEER_ANONYMOUS', 6),
    { pinned: true }
  ),
  toResponder(
    'identity-required',
    'shows no key to who requires one',
    shows(null),
    refused('ERR_STALK_IDENTITY_REQUIRED', 7),
    { requireIdentity: true }
  ),
  toInitiator(
    'identity-demanded',
    'demands a key of who has none',
    { says: { want: 2 } },
    refused('ERR_STALK_IDENTITY_REQUIRED', 7),
    { anonymous: true }
  ),
  toInitiator('want-three', 'sets want to 3', { says: { want: 3 } }, refused('ERR_STALK_DECODE', 4)),
  toInitiator(
    'm3-sigs-none',
    "takes no signature of the initiator's",
    { says: { sigs: [] } },
    refused('ERR_STALK_DECODE', 4)
  ),
  toInitiator(
    'm3-sigs-twice',
    'names a signature algorithm twice',
    { says: { sigs: [1, 1] } },
    refused('ERR_STALK_DECODE', 4)
  ),
  toInitiator(
    'm3-sigs-not-theirs',
    'takes RSA alone from who has an Ed25519 key',
    { says: { sigs: [2], want: 2 } },
    refused('ERR_STALK_NOTHING_IN_COMMON', 5)
  )
]

export const refusalFaults: readonly Fault[] = [...alerts, ...trust]
