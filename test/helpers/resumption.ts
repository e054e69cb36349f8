// What the tests of resumption need of lib, in one place: which vectors are about it, and how lib is told. As long
// as LIB_RESUMES is false lib is not held to them, and every function that has to know lib's names is missing.

import type { RawPublicKey } from '../../lib/crypto/public-key.ts'
import type { Flight, Role, Verified } from '../../lib/handshake/flight.ts'
import type { Session } from '../../lib/handshake/handshake.ts'
import type { HandshakeSecrets } from '../../lib/handshake/schedule.ts'
import type { Transcript } from '../../lib/handshake/transcript.ts'
import type { StalkOptions } from '../../lib/index.ts'
import type { HandshakeVector } from '../vectors/format.ts'
import type { EndOptions } from './machines.ts'

export const LIB_RESUMES: boolean = false

/** Whether a vector says anything of tickets. */
export const isOfTickets = ({ offer, after }: HandshakeVector): boolean =>
  offer !== undefined || after.some(({ kind }) => kind === 7)

/** Whether lib is held to a vector. */
export const isHeld = (vector: HandshakeVector): boolean => LIB_RESUMES || !isOfTickets(vector)

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

// --- to be filled in, with LIB_RESUMES -------------------------------------------------------------------

function toBeFilledIn(..._what: unknown[]): never {
  throw new Error('lib cannot resume a session')
}

/** How an initiator's machine is told to offer a ticket. */
export const offering = (kept: KeptTicket): Partial<EndOptions> => toBeFilledIn(kept)

/** How a responder's machine is told which ticket it can find: this one, or none. */
export const finding = (kept: KeptTicket | null): Partial<EndOptions> => toBeFilledIn(kept)

/** The binder of an M1, a whole record that ends with 32 bytes for it. */
export const binderOf = (prologue: Buffer, psk: Buffer, m1: Buffer): Buffer => toBeFilledIn(prologue, psk, m1)

/** The key schedule from the psk on. */
export const resumedSecrets = (
  prologue: Buffer,
  shared: Buffer,
  th1: Buffer,
  psk: Buffer
): HandshakeSecrets => toBeFilledIn(prologue, shared, th1, psk)

/** The proof that a flight without a Proof gives; `peer` is its sender's key in the ticket. */
export const verifiedByTicket = (
  role: Role,
  flight: Flight,
  peer: RawPublicKey | null,
  transcript: Transcript,
  trafficSecret: Buffer
): Verified => toBeFilledIn(role, flight, peer, transcript, trafficSecret)

/** Whether a session was resumed. */
export const isResumed = (session: Session): boolean => toBeFilledIn(session)

/** The psk of a session's ticket with that nonce. */
export const ticketPsk = (session: Session, nonce: Buffer): Buffer => toBeFilledIn(session, nonce)

/** Options of an initiator that keeps the tickets it is given and offers them: all with one memory. */
export const keepsTickets = (): Partial<StalkOptions> => toBeFilledIn()

/** Options of a responder that gives a ticket out behind Accept, for single use, and takes it back: one memory. */
export const issuesTickets = (): Partial<StalkOptions> => toBeFilledIn()
