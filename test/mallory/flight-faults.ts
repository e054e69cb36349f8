// Faults of the flights, M3 and M4, as such: Finished, the messages and their order, and the record around
// them. All are the same in both roles. Identity and Proof have their own file.

import { integer, message } from '../helpers/formulas.ts'
import type { Faults } from '../helpers/puppet.ts'
import {
  type Expected,
  type Fault,
  flights,
  flipped,
  hex,
  refused,
  toBoth,
  toInitiator,
  toResponder
} from './fault.ts'
import { identityFaults } from './identity-faults.ts'
import type { Peer } from './peer.ts'

const unexpected = refused('ERR_STALK_UNEXPECTED', 1)
const badRecord = refused('ERR_STALK_BAD_RECORD', 2)
const decode = refused('ERR_STALK_DECODE', 4)
const overflow = refused('ERR_STALK_OVERFLOW', 3)
const badFinished = refused('ERR_STALK_BAD_FINISHED', 6)

const faulty = (name: string, does: string, faults: Faults, expected: Expected): Fault =>
  toBoth(name, does, { says: { faults } }, expected)

// --- Finished ------------------------------------------------------------------------------------------

const finished: readonly Fault[] = [
  faulty(
    'finished-flip',
    'turns a bit of its Finished over',
    { finished: mac => flipped(mac, 31) },
    badFinished
  ),
  faulty('finished-zero', 'sends zeros for its Finished', { finished: () => Buffer.alloc(32) }, badFinished),
  faulty(
    'finished-short',
    'sends a Finished of 31 bytes',
    { finished: mac => mac.subarray(0, 31) },
    badFinished
  ),
  faulty(
    'finished-long',
    'sends a Finished of 33 bytes',
    { finished: mac => Buffer.concat([mac, hex('00')]) },
    badFinished
  ),
  faulty('finished-empty', 'sends an empty Finished', { finished: () => Buffer.alloc(0) }, badFinished)
]

// --- the shape of a flight, and its record -------------------------------------------------------------

const content = (
  name: string,
  does: string,
  change: NonNullable<Faults['content']>,
  expected = unexpected
): Fault => faulty(name, does, { content: change }, expected)
const inner = (name: string, does: string, change: NonNullable<Faults['inner']>, expected: Expected): Fault =>
  faulty(name, does, { inner: change }, expected)

const shapes: readonly Fault[] = [
  content('flight-reordered', 'sends Finished before its identity', messages =>
    Buffer.concat([...messages].reverse())
  ),
  content('flight-repeated', 'sends Finished twice', messages =>
    Buffer.concat([...messages, ...messages.slice(-1)])
  ),
  content('finished-missing', 'leaves Finished out', messages => Buffer.concat(messages.slice(0, -1))),
  content('identity-missing', 'leaves its identity out', messages => Buffer.concat(messages.slice(1))),
  content('flight-empty', 'sends a flight without a message', () => Buffer.alloc(0)),
  content('flight-with-accept', 'puts Accept behind Finished', messages =>
    Buffer.concat([...messages, message(7, Buffer.alloc(0))])
  ),
  content('flight-unknown-message', 'puts a message of type 8 behind Finished', messages =>
    Buffer.concat([...messages, hex('080000')])
  ),
  content(
    'flight-trailing',
    'puts a byte behind Finished',
    messages => Buffer.concat([...messages, hex('01')]),
    decode
  ),
  content(
    'flight-truncated',
    'leaves the last byte of Finished out',
    messages => Buffer.concat(messages).subarray(0, -1),
    decode
  ),
  inner('flight-2047', 'pads its flight to 2,047 bytes', bytes => bytes.subarray(0, 2047), unexpected),
  inner(
    'flight-unpadded',
    'does not pad its flight',
    bytes => bytes.subarray(0, bytes.length - 1_500),
    unexpected
  ),
  inner(
    'flight-2049',
    'pads its flight to 2,049 bytes',
    bytes => Buffer.concat([bytes, Buffer.alloc(1)]),
    overflow
  ),
  inner('flight-padding-alone', 'seals nothing but padding', () => Buffer.alloc(2048), badRecord),
  inner('flight-kind-messages', 'calls its flight messages', bytes => kinded(bytes, 2), unexpected),
  inner('flight-kind-unknown', 'calls its flight kind 127', bytes => kinded(bytes, 0x7f), unexpected),
  toBoth(
    'flight-flipped-tag',
    'has the tag of its flight flipped',
    flights(bytes => flipped(bytes, -1)),
    badRecord
  ),
  toBoth(
    'flight-flipped',
    'has the ciphertext of its flight flipped',
    flights(bytes => flipped(bytes, 4)),
    badRecord
  ),
  toBoth(
    'flight-shorter-than-tag',
    'sends a flight of 15 bytes',
    flights(() => hex(`e500000f${'00'.repeat(15)}`)),
    badRecord
  ),
  toBoth(
    'flight-16-MiB',
    'announces the longest flight that a header can',
    flights(() => hex('e5ffffff')),
    overflow
  ),
  toInitiator('m3-replayed', 'sends M3 twice, the same bytes', flights(twice), badRecord),
  toResponder('m4-replayed', 'sends M4 twice, the same bytes', flights(twice), unexpected),
  toBoth(
    'flight-cut',
    'ends the transport within its flight',
    flights(cut),
    refused('ERR_STALK_TRUNCATED', 'none')
  )
]

const kinded = (bytes: Buffer, kind: number): Buffer => {
  const end = bytes.findLastIndex(byte => byte !== 0)
  return Buffer.concat([bytes.subarray(0, end), integer(1, kind), bytes.subarray(end + 1)])
}

function twice(bytes: Buffer): Buffer[] {
  return [bytes, bytes]
}

function cut(bytes: Buffer, peer: Peer): Buffer[] {
  peer.write(bytes.subarray(0, 1_000))
  peer.end()
  return []
}

export const flightFaults: readonly Fault[] = [...finished, ...identityFaults, ...shapes]
