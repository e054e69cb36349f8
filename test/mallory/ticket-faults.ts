// Faults of tickets as they are given out: their form, their place, and how many there are. What is offered with them is
// in offer-faults.ts.

import { innerOf, integer, ticketContent, vector } from '../helpers/formulas.ts'
import { closedOn } from './closing-controls.ts'
import {
  after,
  between,
  broken,
  type Expected,
  type Fault,
  flights,
  refused,
  type Settings,
  toBoth,
  toInitiator,
  toResponder
} from './fault.ts'
import { BUCKET, tooMany } from './flood-faults.ts'
import type { Peer } from './peer.ts'
import { type Ask, pinged } from './questions.ts'

const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
/** Behind a close the target may have answered it, and tells no more then. */
const untold = broken('ERR_STALK_UNEXPECTED', 1, 'none')
const flooded = broken('ERR_STALK_FLOODED', 9)

const NONCE = Buffer.alloc(16, 0x11)
const VALUE = Buffer.alloc(32, 0x22)
const good = ticketContent(3_600, NONCE, VALUE)

type Make = (peer: Peer) => Buffer | readonly Buffer[]

// --- form ----------------------------------------------------------------------------------------------

/** To an initiator that keeps none, and to one that does. */
const malformed = (name: string, does: string, content: Buffer): readonly Fault[] => {
  const acts = between(peer => peer.seal(7, content))
  const expected = broken('ERR_STALK_DECODE', 4)
  return [
    toInitiator(`ticket-${name}`, does, acts, expected),
    toInitiator(`ticket-${name}-to-keeper`, `${does} to who keeps them`, acts, expected, { resumes: 1 })
  ]
}

const forms: readonly Fault[] = [
  ...malformed('nothing', 'sends a ticket without a byte', Buffer.alloc(0)),
  ...malformed('empty', 'gives an empty ticket out', ticketContent(3_600, NONCE, Buffer.alloc(0))),
  ...malformed('513', 'gives 513 bytes of ticket out', ticketContent(3_600, NONCE, Buffer.alloc(513, 1))),
  ...malformed('lifetime-0', 'gives a ticket for no time out', ticketContent(0, NONCE, VALUE)),
  ...malformed(
    'lifetime-86401',
    'gives a ticket for a day and a second out',
    ticketContent(86_401, NONCE, VALUE)
  ),
  ...malformed(
    'lifetime-longest',
    'gives a ticket for 136 years out',
    ticketContent(2 ** 32 - 1, NONCE, VALUE)
  ),
  ...malformed('trailing', 'puts a byte behind a ticket', Buffer.concat([good, integer(1, 0)])),
  ...malformed('truncated', 'leaves the last byte of a ticket out', good.subarray(0, -1)),
  ...malformed('without-value', 'leaves the ticket itself out', good.subarray(0, 20)),
  ...malformed(
    'nonce-short',
    'has a nonce of 15 bytes',
    Buffer.concat([integer(4, 3_600), NONCE.subarray(1), vector(VALUE)])
  )
]

// --- place ---------------------------------------------------------------------------------------------

const row = (
  name: string,
  does: string,
  make: Make,
  expected: Expected = unexpected,
  target: Settings = { resumes: 1 }
): Fault => toInitiator(`ticket-${name}`, does, between(make), expected, target)

const places: readonly Fault[] = [
  toBoth(
    'ticket-for-flight',
    'gives a ticket out in place of its flight',
    flights((_, peer) => peer.insteadOfFlight(7, good)),
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toInitiator(
    'ticket-for-m5',
    'gives a ticket out in place of M5',
    { accept: innerOf(7, good) },
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toResponder(
    'ticket-from-initiator',
    'gives a ticket out to who issues tickets',
    between(peer => peer.ticket()),
    unexpected,
    { resumes: 1 }
  ),
  row('amid-fragments', 'gives a ticket out between fragments', peer => [
    peer.seal(3, Buffer.alloc(1_024, 0x61)),
    peer.ticket()
  ]),
  toInitiator(
    'ticket-behind-close',
    'gives a ticket out behind its close',
    after(peer => [peer.close(0), peer.ticket()]),
    untold
  ),
  toInitiator(
    'ticket-behind-both-closes',
    "gives a ticket out behind its close, which answers the target's",
    {
      open: async peer => {
        await closedOn(peer)
        peer.write(peer.message('before'), peer.close(), peer.ticket())
      }
    },
    untold,
    { closesFirst: true }
  )
]

// --- how many ------------------------------------------------------------------------------------------

const many = (count: number, peer: Peer): Buffer[] => Array.from({ length: count }, () => peer.ticket())

/** Nothing answers a ticket. */
const handed: Ask = async peer => {
  peer.write(peer.ticket())
  return true
}

const floods: readonly Fault[] = [
  row('flood', 'gives very many tickets out at once', peer => many(3 * BUCKET, peer), flooded),
  row('flood-to-dropper', 'does so to who keeps none', peer => many(3 * BUCKET, peer), flooded, {}),
  row('flood-by-two', 'gives two more tickets out than it may', peer => many(BUCKET + 2, peer), flooded),
  row(
    'flood-behind-refill',
    'gives as many tickets out as it may, sends a message, and gives too many out',
    peer => [...many(BUCKET, peer), peer.seal(2, Buffer.of(0x91, 0xc3)), ...many(BUCKET + 2, peer)],
    { ...flooded, delivered: ['before', true] }
  ),
  toInitiator(
    'ticket-flood-with-pings',
    'gives more tickets out and pings more often than it may together',
    {
      open: async peer => {
        peer.write(peer.message('before'))
        await tooMany(peer, pinged, handed)
        peer.write(peer.message('behind'))
      }
    },
    flooded
  ),
  toInitiator(
    'ticket-flood-behind-target',
    'gives more tickets out than it may behind the close of the target',
    {
      open: async peer => {
        await closedOn(peer)
        peer.write(peer.message('before'), ...many(BUCKET + 2, peer), peer.message('behind'))
      }
    },
    flooded,
    { closesFirst: true }
  )
]

export const ticketFaults: readonly Fault[] = [...forms, ...places, ...floods]
