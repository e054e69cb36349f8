// What the tests of resumption need of lib, in one place: how its machines and connections are told of the tickets of
// vectors and of other implementations.

import { sha256 } from '../../lib/crypto/primitives.ts'
import type { RawPublicKey } from '../../lib/crypto/public-key.ts'
import { verify } from '../../lib/crypto/signatures.ts'
import { type Flight, type Role, Verified } from '../../lib/handshake/flight.ts'
import { encodeResumable, type Resumable, shown } from '../../lib/handshake/resumption.ts'
import { binderOf as binderOver, HandshakeSecrets } from '../../lib/handshake/schedule.ts'
import { Transcript } from '../../lib/handshake/transcript.ts'
import { MemoryTicketStore, SessionCache, type StalkOptions, type TicketStore } from '../../lib/index.ts'
import type { HandshakeVector } from '../vectors/format.ts'
import type { EndOptions } from './machines.ts'

/** Whether a vector says anything of tickets. */
export const isOfTickets = ({ offer, after }: HandshakeVector): boolean =>
  offer !== undefined || after.some(({ kind }) => kind === 7)

/** A ticket and what both ends of its session keep with it; it has not expired. */
export interface KeptTicket {
  readonly ticket: Buffer
  readonly psk: Buffer
  /** The suite's id. */
  readonly suite: number
  readonly app: string
  readonly initiator: RawPublicKey | null
  readonly responder: RawPublicKey | null
}

const sessionOf = ({ suite, app, initiator, responder, psk }: KeptTicket): Resumable => ({
  version: 1,
  suite,
  app: sha256(Buffer.from(app)),
  initiator: shown(initiator),
  responder: shown(responder),
  psk: Buffer.from(psk) // it is wiped when it was used
})

/** How an initiator's machine is told to offer a ticket. */
export const offering = (kept: KeptTicket): Partial<EndOptions> => ({
  held: { ticket: kept.ticket, session: sessionOf(kept) }
})

/** How a responder's machine is told which ticket it can find: this one, or none. */
export function finding(kept: KeptTicket | null): Partial<EndOptions> {
  if (kept === null) return {}
  const found = { state: encodeResumable(sessionOf(kept)), expires: Number.MAX_SAFE_INTEGER }
  const store: TicketStore = {
    issue: () => null,
    find: ticket => (ticket.equals(kept.ticket) ? found : null),
    consume: ticket => ticket.equals(kept.ticket)
  }
  return { store }
}

/** The binder of an M1, a whole record that ends with 32 bytes for it. */
export const binderOf = (prologue: Buffer, psk: Buffer, m1: Buffer): Buffer =>
  binderOver(prologue, psk, new Transcript(prologue).add(m1.subarray(0, -32)).hash)

/** The key schedule from the psk on. */
export const resumedSecrets = (
  prologue: Buffer,
  shared: Buffer,
  th1: Buffer,
  psk: Buffer
): HandshakeSecrets => new HandshakeSecrets(prologue, shared, th1, Buffer.from(psk))

/** The proof that a flight without a Proof gives; `peer` is its sender's key in the ticket. */
export const verifiedByTicket = (
  role: Role,
  flight: Flight,
  peer: RawPublicKey | null,
  transcript: Transcript,
  trafficSecret: Buffer
): Verified => Verified.flight(role, flight, peer, transcript, trafficSecret, verify, shown(peer))

/** Options of an initiator that keeps the tickets it is given and offers them: all with one memory. */
export const keepsTickets = (): Partial<StalkOptions> => ({ sessions: new SessionCache().at('the peer') })

/** Options of a responder that gives a ticket out behind Accept, for single use, and takes it back: one memory. */
export const issuesTickets = (): Partial<StalkOptions> => ({ tickets: new MemoryTicketStore() })
