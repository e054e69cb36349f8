// What a fault is: its name, what Mallory does, whom that concerns, and what a target has to make of it.
// Knows how to write one down shortly; knows no socket and no particular fault.

import type { ErrorCode, SuiteName } from '../../lib/index.ts'
import type { PuppetOptions } from '../helpers/puppet.ts'
import type { Memory } from './memory.ts'
import type { Peer } from './peer.ts'

export type Role = 'initiator' | 'responder'

/** A message of the handshake, which is a record each. */
export type Place = 'M1' | 'M2' | 'M3' | 'M4' | 'M5'

/** How the target has to be set up, where the default (an Ed25519 identity, takes anyone) does not do. */
export interface Settings {
  /** Takes nobody but Mallory's Ed25519 key. */
  readonly pinned?: true
  readonly requireIdentity?: true
  /** Has no identity. */
  readonly anonymous?: true
  /** In bytes. */
  readonly maxMessage?: number
  /** In ms. */
  readonly handshakeTimeout?: number
  /** Sends the message `first` and its close as soon as it can, and no message back. */
  readonly closesFirst?: true
  /** In ms: how long Mallory may be silent behind the target's close. */
  readonly closeTimeout?: number
  readonly suites?: readonly SuiteName[]
  /** Sends a ping behind every message. */
  readonly pings?: true
  /** Asks for new keys behind every message. */
  readonly updates?: true
  /** In ms: for how long nothing may come before it pings, and as long again for the answer. */
  readonly keepAlive?: number
  /** Reads on while nothing of what it says is read, so that its answers wait. */
  readonly readsOn?: true
  /**
   * Makes or takes so many connections, one after the other. As responder it gives a ticket out in each and takes it
   * once; as initiator it keeps what it is given, and offers it.
   */
  readonly resumes?: number
}

/** What Mallory answers to a question of the target's. */
export interface Answers {
  readonly ping?: (value: Buffer, peer: Peer) => readonly Buffer[]
  readonly request?: (peer: Peer) => readonly Buffer[]
}

/** What a record that Mallory would have sent becomes. */
export type Instead = (record: Buffer, peer: Peer) => Buffer | readonly Buffer[]

/** What Mallory does otherwise than an honest end; all the rest is honest. */
export interface Acts {
  /** What it says, with everything behind that made to fit. */
  readonly says?: Partial<PuppetOptions> | ((memory: Memory) => Partial<PuppetOptions>)
  /** What goes on the wire in a record's place; its own transcript keeps the honest one. */
  readonly sends?: Partial<Record<Place, Instead>>
  /** What is sealed as M5, kind and padding included, instead of Accept. */
  readonly accept?: Buffer
  /** What it does with the session. Without it, it sends `mallory` as early as it can. */
  readonly open?: (peer: Peer) => Promise<void> | void
  /** What it answers, as it hears the questions. Without it, a pong, and a key update of its own. */
  readonly answers?: Answers
}

/** An alert's code, or none, or a sealed record that Mallory has no key for. */
export type Alert = number | 'none' | 'sealed'

export interface Expected {
  /** Of our own implementation: the error that the connection ends with; null: it ends cleanly. */
  readonly code: ErrorCode | null
  /** What the target tells Mallory: any of these. */
  readonly alerts: readonly Alert[]
  /** The messages that reach the target's application, in order. */
  readonly delivered: readonly unknown[]
  /** Whether M2 says that the session is resumed, and whether M1 offers a ticket; otherwise it does not matter. */
  readonly resumed?: boolean
  readonly offers?: boolean
}

/** One connection of several with the same target. */
export interface Step {
  readonly acts: Acts
  readonly expected: Expected
}

export interface Fault {
  readonly name: string
  /** One sentence, Mallory being its subject. */
  readonly does: string
  /** The target's role. */
  readonly against: readonly Role[]
  readonly target?: Settings
  readonly acts: Acts
  readonly expected: Expected
  /** Connections with the same target ahead of this one, and behind it. */
  readonly ahead?: readonly Step[]
  readonly behind?: readonly Step[]
}

/** All its connections in their order, a fault each. */
export const stepsOf = ({ ahead = [], behind = [], ...fault }: Fault): readonly Fault[] =>
  [...ahead, fault, ...behind].map(({ acts, expected }) => ({ ...fault, acts, expected }))

export const BOTH: readonly Role[] = ['initiator', 'responder']

type Row = (name: string, does: string, acts: Acts, expected: Expected, target?: Settings) => Fault

const against =
  (...roles: Role[]): Row =>
  (name, does, acts, expected, target = {}) => ({ name, does, against: roles, target, acts, expected })

/** A fault that a target meets in this role, or in both. */
export const toInitiator = against('initiator')
export const toResponder = against('responder')
export const toBoth = against(...BOTH)

/** Whether a target has to take it: no fault at all, or one that the protocol tolerates. */
export const isControl = ({ expected }: Fault): boolean => expected.code === null

/** Refused before anything of Mallory's was delivered. */
export const refused = (code: ErrorCode, ...alerts: Alert[]): Expected => ({ code, alerts, delivered: [] })

/** The session broke behind the first message. */
export const broken = (code: ErrorCode, ...alerts: Alert[]): Expected => ({
  code,
  alerts,
  delivered: ['before']
})

/** Ended with both goodbyes, after these messages. */
export const clean = (...delivered: unknown[]): Expected => ({ code: null, alerts: ['none'], delivered })

/** A good message, what `make` makes, and another good message, all in one write. */
export const between = (make: (peer: Peer) => Buffer | readonly Buffer[]): Acts => ({
  open: peer => peer.write(peer.message('before'), ...[make(peer)].flat(), peer.message('behind'))
})

/** The same without the last, where that would be a fault of its own. */
export const after = (make: (peer: Peer) => Buffer | readonly Buffer[]): Acts => ({
  open: peer => peer.write(peer.message('before'), ...[make(peer)].flat())
})

/** Both flights become something else on the way. */
export const flights = (change: Instead): Acts => ({ sends: { M3: change, M4: change } })

/** A copy with one bit turned over; negative places count from the end. */
export function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes)
  const place = at < 0 ? copy.length + at : at
  copy.writeUInt8(copy.readUInt8(place) ^ 1, place)
  return copy
}

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
