// Faults of pings: their form, their place, and how many may wait for an answer.

import { innerOf } from '../helpers/formulas.ts'
import {
  after,
  BOTH,
  between,
  broken,
  type Fault,
  flights,
  hex,
  refused,
  type Settings,
  toBoth,
  toInitiator
} from './fault.ts'
import type { Peer } from './peer.ts'

/** Behind a close the target may have answered it, and tells no more then. */
const untold = broken('ERR_STALK_UNEXPECTED', 1, 'none')

const malformed = (name: string, does: string, content: string): Fault =>
  toBoth(
    `ping-${name}`,
    does,
    between(peer => peer.seal(8, hex(content))),
    broken('ERR_STALK_DECODE', 4)
  )

const value = hex('0102030405060708')

const forms: readonly Fault[] = [
  malformed('empty', 'sends a ping without a byte', ''),
  malformed('short', 'sends a ping of 7 bytes', '01020304050607'),
  malformed('long', 'sends a ping of 9 bytes', '010203040506070809'),
  malformed('zero', 'sends a ping of zero bytes', '0000000000000000'),
  malformed('zero-short', 'sends a ping of 7 zero bytes', '00000000000000')
]

const places: readonly Fault[] = [
  toBoth(
    'ping-for-flight',
    'sends a ping in place of its flight',
    flights((_, peer) => peer.insteadOfFlight(8, value)),
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toInitiator(
    'ping-for-m5',
    'sends a ping in place of M5',
    { accept: innerOf(8, value) },
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toBoth(
    'ping-behind-close',
    'sends a ping behind its close',
    after(peer => [peer.close(0), peer.ping()]),
    untold
  ),
  toBoth(
    'ping-behind-close-early',
    'closes in the same piece as its first message, and sends a ping behind that',
    { open: peer => peer.write(peer.message('before'), peer.ping(), peer.close(0), peer.ping()) },
    untold
  )
]

const readsOn: Settings = { readsOn: true }
const MIB = 2 ** 20
const LARGE = 'a'.repeat(MIB)
/** More than all that lies between the two ends can hold. */
const MANY = 16

/**
 * Has the target say so much that it can seal nothing more, since Mallory reads nothing, and says this then. A target
 * that reads on has to notice; its alert may be too late for the end of the transport.
 */
const unread = (name: string, does: string, make: (peer: Peer) => readonly Buffer[]): Fault => ({
  name,
  does,
  against: BOTH,
  target: readsOn,
  acts: {
    says: { maxMessage: MIB + 5 },
    open: async peer => {
      const message = Buffer.concat([hex('db00100000'), Buffer.alloc(MIB, 0x61)])
      const large = Array.from({ length: MANY }, () => peer.fragments(message, 65_599)).flat()
      await peer.turnsAway([...large, ...make(peer)], 700)
    }
  },
  expected: { ...untold, delivered: Array.from({ length: MANY }, () => LARGE) }
})

const unanswered: readonly Fault[] = [
  unread('ping-second', 'sends a second ping before the first can be answered', peer => [
    peer.ping(),
    peer.ping(hex('1112131415161718')),
    peer.message('behind')
  ]),
  unread('ping-again', 'repeats a ping before it can be answered', peer => [
    peer.ping(),
    peer.ping(),
    peer.message('behind')
  ]),
  unread('update-second', 'asks for new keys again before the target can answer', peer => [
    peer.update(),
    peer.update(),
    peer.message('behind')
  ]),
  unread('pong-ahead-of-close', 'closes, and sends the final pong before the target can close', peer => [
    peer.close(0),
    peer.pong(0)
  ])
]

export const pingFaults: readonly Fault[] = [...forms, ...places, ...unanswered]
