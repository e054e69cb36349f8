// What both halves of the handshake share: what they are given, the steps that they answer with, the session
// that comes out, and the machine that runs a half. Bytes in, steps out: synchronous, no I/O, timers, files or
// promises; signing, the trust decision and whatever becomes of tickets are asked for and answered.
//
// A half (initiator.ts, responder.ts) is a generator: it reads as the protocol does, it stands still wherever
// it waits, and a secret or a proof is in scope only from the line on that made it. Once it threw, it is over.

import { TYPE } from '../constants.ts'
import type { Random } from '../crypto/primitives.ts'
import type { KeyType, RawPublicKey } from '../crypto/public-key.ts'
import type { Suite } from '../crypto/suites.ts'
import { alertError, type ErrorCode, StalkError } from '../errors.ts'
import type { Inner, Opener, Outbound } from '../wire/record.ts'
import type { Role, Verified, Verify } from './flight.ts'
import type { VERSION } from './messages.ts'
import type { Directions, Exporter, Resumption } from './schedule.ts'
import type { Traffic } from './traffic.ts'

export interface HandshakeConfig {
  /** The application protocol's name in UTF-8, at most 64 bytes; empty if it has none. */
  readonly app: Buffer
  /** By preference. */
  readonly suites: readonly Suite[]
  /** Who we say we are; null for anonymous. Its private half answers the steps that ask to sign. */
  readonly identity: RawPublicKey | null
  /** Signatures that we accept from the peer. */
  readonly keyTypes: readonly KeyType[]
  /** The largest message that we take, in bytes. */
  readonly maxMessageBytes: number
  readonly random: Random
  readonly verify: Verify
  /** Is given every traffic secret, if it is there at all: for a key log that was asked for. */
  readonly disclose?: Disclose
}

/** `random` is M1's. The secrets are wiped when they have been used: whoever keeps one makes a copy. */
export type Disclose = (
  stage: 'handshake' | 'application',
  random: Buffer,
  secrets: Directions<Buffer>
) => void

/** What both ends agreed on, once all of it was verified. */
export interface Session {
  readonly role: Role
  readonly version: typeof VERSION
  readonly suite: Suite
  /** Who the peer proved to be; null if it is anonymous. */
  readonly peer: RawPublicKey | null
  /** Who we proved to be; null if we stayed anonymous. */
  readonly self: RawPublicKey | null
  /** The largest message that the peer takes, in bytes. */
  readonly peerMaxMessageBytes: number
  readonly exporter: Exporter
  /** Whether it rests on an earlier one. */
  readonly resumed: boolean
  /** What a later one may rest on. */
  readonly resumption: Resumption
  /** What seals and opens from here on. */
  readonly traffic: { readonly inbound: Traffic; readonly outbound: Traffic }
  /** What it rests on. */
  readonly proof: Verified
}

/** A record as it was opened: `type` is the record's, `inner` what was in it (in clear, the frame itself). */
export interface Received {
  readonly type: number
  readonly inner: Inner
}

/** A record type that may come in clear → the longest body taken for it, in bytes. */
export type Clear = Readonly<Record<number, number>>

/** What a half wants done, in this order, before it is answered. */
export interface Actions {
  readonly send?: readonly Outbound[]
  /** What opens sealed records from here on, these and no others. */
  readonly openers?: readonly Opener[]
  /** Messages of ours may be sealed from here on, so large at most (the peer's limit, in bytes). */
  readonly writable?: { readonly maxMessageBytes: number }
}

/** What a half waits for. */
export type Next =
  | { readonly expect: string; readonly clear: Clear }
  /** To be signed with our identity. */
  | { readonly sign: Buffer }
  /** The peer's key, or null if it is anonymous: to be decided on by the trust policy. */
  | { readonly ask: RawPublicKey | null }
  /** A ticket: to be looked for, and left where it is. */
  | { readonly find: Buffer }
  /** A ticket whose holder has proved that it is the holder's: to be used up, if it is still there. */
  | { readonly consume: Buffer }
  /** What is to be kept of this session. */
  | { readonly issue: ToIssue }
  | { readonly agreed: Session }

export type Step = Actions & { readonly next: Next }

/** What a ticket is to stand for. */
export interface ToIssue {
  /** A secret, that only who issues tickets may read. */
  readonly state: Buffer
  /** By the clock of who issues them, what `find` has told of the session that was resumed; null: this one is new. */
  readonly expires: number | null
}

/** What a ticket stands for, as it was handed over, and when it expires, by the clock of who issues tickets. */
export interface FoundTicket {
  readonly state: Buffer
  readonly expires: number
}

/** A new ticket, 1 to 512 bytes, and for how long it is good, in seconds, 1 to 86,400. */
export interface IssuedTicket {
  readonly ticket: Buffer
  readonly lifetimeS: number
}

type Answer =
  | { readonly received: Received }
  | { readonly signature: Buffer }
  | { readonly accepted: true }
  | { readonly found: FoundTicket | null }
  | { readonly consumed: boolean }
  | { readonly issued: IssuedTicket | null }

/** A part of a half that waits for something on its way to a T. */
export type Waiting<T> = Generator<Step, T, Answer>

/** One half of the handshake. */
export type Half = Waiting<Step>

/** Waits for the next record of the peer, after `actions`. `clear` says what may come unsealed. */
export function* receive(actions: Actions, expect: string, clear: Clear): Waiting<Received> {
  const answer = yield { ...actions, next: { expect, clear } }
  return 'received' in answer ? answer.received : misused()
}

/** Waits for our signature over `input`. */
export function* sign(input: Buffer, actions: Actions = {}): Waiting<Buffer> {
  const answer = yield { ...actions, next: { sign: input } }
  return 'signature' in answer ? answer.signature : misused()
}

/** Waits until the trust policy has accepted the peer; if it does not, the half is not resumed. */
export function* ask(peer: RawPublicKey | null): Waiting<void> {
  const answer = yield { next: { ask: peer } }
  if (!('accepted' in answer)) misused()
}

/** Waits for what a ticket stands for; null for one that is not known, or not good any more. */
export function* find(ticket: Buffer): Waiting<FoundTicket | null> {
  const answer = yield { next: { find: ticket } }
  return 'found' in answer ? answer.found : misused()
}

/** Waits until a ticket is used up; false if it was already, or nobody knows. */
export function* consume(ticket: Buffer): Waiting<boolean> {
  const answer = yield { next: { consume: ticket } }
  return 'consumed' in answer ? answer.consumed : misused()
}

/** Waits for a ticket, after `actions`; null for none. */
export function* issue(toIssue: ToIssue, actions: Actions): Waiting<IssuedTicket | null> {
  const answer = yield { ...actions, next: { issue: toIssue } }
  return 'issued' in answer ? answer.issued : misused()
}

function misused(): never {
  throw new StalkError('ERR_STALK_INTERNAL', 'the handshake was given what it did not ask for', {
    phase: 'handshake'
  })
}

/** A half as something to be driven: every method answers with the next step, or throws and is over for good. */
export class Handshake {
  /** Null when it is over: what it held is not kept as long as the connection. */
  #half: Half | null
  #next: Next = { expect: 'Start', clear: {} }
  #started = false

  constructor(half: Half) {
    this.#half = half
  }

  /**
   * The longest body taken for a record that comes in clear just now, in bytes.
   * Throws ERR_STALK_NOT_STALK for a first byte that no stalk sends, ERR_STALK_UNEXPECTED for other types.
   */
  admit(type: number): number {
    const clear: Clear = 'clear' in this.#next ? this.#next.clear : {}
    const cap = clear[type]
    if (cap !== undefined) return cap
    if (TYPE.initiatorHello in clear) throw failure('ERR_STALK_NOT_STALK', 'the peer does not speak stalk')
    throw failure(
      'ERR_STALK_UNEXPECTED',
      `a record of type 0x${type.toString(16)} came in place of ${this.#waiting}`
    )
  }

  start(): Step {
    if (this.#started) misused()
    this.#started = true
    return this.#advance(this.#half?.next())
  }

  receive(received: Received): Step {
    return this.#answer({ received })
  }

  signed(signature: Buffer): Step {
    return this.#answer({ signature })
  }

  accepted(): Step {
    return this.#answer({ accepted: true })
  }

  found(found: FoundTicket | null): Step {
    return this.#answer({ found })
  }

  consumed(consumed: boolean): Step {
    return this.#answer({ consumed })
  }

  issued(issued: IssuedTicket | null): Step {
    return this.#answer({ issued })
  }

  #answer(answer: Answer): Step {
    if (!this.#started) misused() // what is handed to a generator that has not begun is dropped
    return this.#advance(this.#half?.next(answer))
  }

  get #waiting(): string {
    return 'expect' in this.#next ? this.#next.expect : 'nothing'
  }

  #advance(result: IteratorResult<Step, Step | undefined> | undefined): Step {
    if (result?.value === undefined) misused()
    if (result.done) this.#half = null
    this.#next = result.value.next
    return result.value
  }
}

// --- what both halves check ----------------------------------------------------------------------------

export const failure = (code: ErrorCode, text: string): StalkError =>
  new StalkError(code, text, { phase: 'handshake' })

/** Throws what an alert's content says; there is no close before the end. `plain` says that it came unsealed. */
export function throwAlert(content: Buffer, plain: boolean): never {
  const [code] = content
  if (code === undefined || content.length > 1) {
    throw failure('ERR_STALK_DECODE', `the peer sent an alert of ${content.length} bytes`)
  }
  throw alertError(code, 'handshake', plain)
}

/** Our identity, if the peer accepts its kind of signature: nobody silently becomes anonymous. */
export function presentable(
  identity: RawPublicKey | null,
  accepted: readonly KeyType[]
): RawPublicKey | null {
  if (identity === null || accepted.includes(identity.type)) return identity
  throw failure(
    'ERR_STALK_NOTHING_IN_COMMON',
    `the peer does not accept the signatures of an ${identity.type} key`
  )
}

/** A peer may not show an identity of a kind that we said we do not accept. */
export function checkAccepted(peer: RawPublicKey | null, accepted: readonly KeyType[]): void {
  if (peer === null || accepted.includes(peer.type)) return
  throw failure('ERR_STALK_UNEXPECTED', `the peer shows an ${peer.type} key, which we did not say we accept`)
}

/** Our own random or share coming back is our own side reflected at us. */
export function checkReflection(ours: Hello, theirs: Hello): void {
  if (!ours.random.equals(theirs.random) && !ours.share.equals(theirs.share)) return
  throw failure('ERR_STALK_REFLECTED', 'the peer sends our own handshake back at us')
}

interface Hello {
  readonly random: Buffer
  readonly share: Buffer
}
