// Resumption (PROTOCOL.md, section 21.4): what both ends keep of a session so that another can rest on it, when it
// does, and how M1 proves that its sender has it. Knows no store and no clock: tickets are asked for and answered.
//
//   state = 01 ‖ version u16 ‖ suite u16 ‖ H(app) ‖ initiator ‖ responder ‖ psk[32]
//   an identity, there:  alg u8 ‖ H(key), so that a ticket has one length, whoever it is for; zeros for none

import { Reader, u16, wipe } from '../bytes.ts'
import { equal, HASH_BYTES, sha256 } from '../crypto/primitives.ts'
import type { KeyType, RawPublicKey } from '../crypto/public-key.ts'
import type { Suite } from '../crypto/suites.ts'
import { enframe, type Frame } from '../wire/frame.ts'
import { consume, failure, find, type HandshakeConfig, type Session, type Waiting } from './handshake.ts'
import {
  ANONYMOUS,
  algorithmOf,
  type InitiatorHello,
  keyTypeOf,
  VERSION,
  WANT,
  type Want
} from './messages.ts'
import { binderOf } from './schedule.ts'
import { Transcript } from './transcript.ts'

/** What is kept of a session. */
export interface Resumable {
  readonly version: number
  readonly suite: number
  /** The hash of the application protocol's name. */
  readonly app: Buffer
  /** Who the initiator was, and the responder: see `shown`. */
  readonly initiator: Buffer
  readonly responder: Buffer
  /** What stands for all this, at these two ends and nowhere else. */
  readonly psk: Buffer
}

/** A ticket and what it stands for, as an initiator keeps it. */
export interface HeldTicket {
  readonly ticket: Buffer
  readonly session: Resumable
}

const FORMAT = 1
const SHOWN_BYTES = 1 + HASH_BYTES

/** An identity as it is kept: its algorithm and a hash of its key; zeros for none. */
export const shown = (identity: RawPublicKey | null): Buffer =>
  identity === null
    ? Buffer.alloc(SHOWN_BYTES)
    : Buffer.concat([Uint8Array.of(algorithmOf(identity.type)), sha256(identity.bytes)])

const isAnonymous = (kept: Buffer): boolean => kept[0] === ANONYMOUS

/** What is kept of a session for the ticket with this nonce. */
export function resumableOf(
  { role, version, suite, self, peer, resumption }: Omit<Session, 'proof'>,
  app: Buffer,
  nonce: Buffer
): Resumable {
  const [initiator, responder] = role === 'initiator' ? [self, peer] : [peer, self]
  return {
    version,
    suite: suite.id,
    app: sha256(app),
    initiator: shown(initiator),
    responder: shown(responder),
    psk: resumption.psk(nonce)
  }
}

/** The bytes that stand for it, one length for all; a secret. */
export const encodeResumable = ({ version, suite, app, initiator, responder, psk }: Resumable): Buffer =>
  Buffer.concat([Uint8Array.of(FORMAT), u16(version), u16(suite), app, initiator, responder, psk])

/** Null for what `encodeResumable` did not make: a store, or another edition of this, is answerable for it. */
export function decodeResumable(state: Buffer): Resumable | null {
  if (state.length !== 1 + 2 + 2 + HASH_BYTES + 2 * SHOWN_BYTES + HASH_BYTES || state[0] !== FORMAT)
    return null
  const reader = new Reader(Buffer.from(state).subarray(1), 'what is kept of a session')
  return {
    version: reader.u16(),
    suite: reader.u16(),
    app: reader.take(HASH_BYTES),
    initiator: reader.take(SHOWN_BYTES),
    responder: reader.take(SHOWN_BYTES),
    psk: reader.take(HASH_BYTES)
  }
}

// --- at the initiator ----------------------------------------------------------------------------------

/** Whether an initiator with this configuration may offer it: it has to show, and to take, what it did then. */
export function mayOffer(session: Resumable, { app, suites, identity, keyTypes }: HandshakeConfig): boolean {
  return (
    session.version === VERSION &&
    session.app.equals(sha256(app)) &&
    suites.some(({ id }) => id === session.suite) &&
    session.initiator.equals(shown(identity)) &&
    isAccepted(session.responder, keyTypes)
  )
}

/** M1 with the binder in its place: the last 32 bytes, made of all before them. */
export function bind(m1: Frame, prologue: Buffer, psk: Buffer): Frame {
  const body = Buffer.from(m1.body)
  binderFor(m1, prologue, psk).copy(body, body.length - HASH_BYTES)
  return { ...m1, body }
}

const binderFor = (m1: Frame, prologue: Buffer, psk: Buffer): Buffer =>
  binderOf(prologue, psk, new Transcript(prologue).add(enframe(m1).subarray(0, -HASH_BYTES)).hash)

// --- at the responder ----------------------------------------------------------------------------------

/** A session that another one rests on, and when its tickets expire, by the clock of the store that has told. */
export interface Redeemed {
  readonly session: Resumable
  readonly expires: number
}

/** What a responder has settled on by the time that it decides on a ticket. */
export interface Settled {
  readonly prologue: Buffer
  readonly app: Buffer
  readonly suite: Suite
  readonly self: RawPublicKey | null
  readonly keyTypes: readonly KeyType[]
  readonly want: Want
}

/**
 * Decides on the ticket that M1 offers: what it stands for, or null for a full handshake. Only what would be resumed
 * is held against its binder, and only a binder that matches uses the ticket up. Throws ERR_STALK_BAD_TICKET.
 */
export function* redeem(m1: Frame, { offer }: InitiatorHello, settled: Settled): Waiting<Redeemed | null> {
  if (offer === null) return null
  const found = yield* find(offer.ticket)
  const session = found && decodeResumable(found.state)
  if (!session || !mayResume(session, settled)) return null
  if (!equal(offer.binder, binderFor(m1, settled.prologue, session.psk))) {
    wipe(session.psk)
    throw failure('ERR_STALK_BAD_TICKET', "the ticket's binder does not match")
  }
  if (yield* consume(offer.ticket)) return { session, expires: found.expires }
  wipe(session.psk)
  return null
}

function mayResume(session: Resumable, { app, suite, self, keyTypes, want }: Settled): boolean {
  return (
    session.version === VERSION &&
    session.suite === suite.id &&
    session.app.equals(sha256(app)) &&
    session.responder.equals(shown(self)) &&
    isAccepted(session.initiator, keyTypes) &&
    (isAnonymous(session.initiator) ? want !== WANT.required : want !== WANT.none)
  )
}

function isAccepted(kept: Buffer, keyTypes: readonly KeyType[]): boolean {
  if (isAnonymous(kept)) return true
  const type = keyTypeOf(kept.readUInt8(0))
  return type !== undefined && keyTypes.includes(type)
}
