// The connections that faults and controls of resumption are made of: one in which a ticket changes hands, one that is
// resumed with it. Knows Mallory's side of both, in either role; knows no fault.

import type { PuppetOptions } from '../helpers/puppet.ts'
import { type Acts, clean, type Expected, type Fault, type Role, type Settings, type Step } from './fault.ts'
import type { Memory, Ticket } from './memory.ts'
import type { Peer } from './peer.ts'

const HELLO = 'hello'

type Says = Partial<PuppetOptions>

/** What Mallory says, and the ticket that it offers, or resumes with. */
export const withTicket =
  (says: Says = {}, ticketOf: (memory: Memory) => Pick<Ticket, 'value' | 'psk'> = ({ last }) => last) =>
  (memory: Memory): Says => ({ ticket: ticketOf(memory), ...says })

/** The first ticket that there was. */
export function first({ tickets: [ticket] }: Memory): Ticket {
  if (ticket) return ticket
  throw new Error('there is no ticket yet')
}

/** As responder Mallory gives a ticket out, as initiator it waits for one. */
export async function handOver(
  peer: Peer,
  ticket: { lifetime?: number; value?: Buffer } = {}
): Promise<void> {
  if (peer.role === 'responder') peer.write(peer.ticket(ticket))
  else await peer.hears(({ tickets }) => tickets.length > 0)
}

/** What Mallory does with a session that ends well: it says hello, and `also` something else. */
export const greeting = (
  also: (peer: Peer) => Promise<void> | void = () => {}
): NonNullable<Acts['open']> => {
  return async peer => {
    peer.write(peer.message(HELLO))
    await also(peer)
    await peer.goodbye(1)
  }
}

/** Such a session. */
export const greeted: Expected = clean(HELLO)
export const greetedResumed: Expected = { ...greeted, resumed: true, offers: true }
export const greetedInFull: Expected = { ...greeted, resumed: false }

/** A full handshake and a ticket. */
export const issuing = (says: Says = {}, hand: (peer: Peer) => Promise<void> | void = handOver): Step => ({
  acts: { says, open: greeting(hand) },
  expected: { ...greetedInFull, offers: false }
})

/** A resumed session, to the end. */
export const resumed = (says: Says = {}, also?: (peer: Peer) => Promise<void> | void): Step => ({
  acts: { says: withTicket(says), open: greeting(also) },
  expected: greetedResumed
})

/** The same with the first ticket, though there may be others by then. */
export const resumedWithFirst: Step = {
  acts: { says: withTicket({}, first), open: greeting() },
  expected: greetedResumed
}

/** A session with a full handshake, no ticket being left. */
export const unoffered: Step = {
  acts: { open: greeting() },
  expected: { ...greetedInFull, offers: false }
}

/** What the other connections are, and how the target is set up. */
export interface Around {
  readonly ahead?: readonly Step[]
  readonly behind?: readonly Step[]
  readonly target?: Settings
}

/** A fault of the second of several connections; the first is there for the ticket. */
export const inSecond =
  (...against: Role[]) =>
  (
    name: string,
    does: string,
    acts: Acts,
    expected: Expected,
    { ahead = [issuing()], behind = [], target }: Around = {}
  ): Fault => ({
    name,
    does,
    against,
    target: { resumes: ahead.length + 1 + behind.length, ...target },
    acts,
    expected,
    ahead,
    behind
  })
