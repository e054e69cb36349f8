// What a connection tells those who watch a process from outside of it: node's diagnostics channels, and the same in
// a line for NODE_DEBUG=stalk. Knows names and fields, of which none is a key or a message; makes nothing where
// nobody watches.

import { channel } from 'node:diagnostics_channel'
import { debuglog } from 'node:util'
import { type ErrorCode, StalkError } from '../errors.ts'
import type { Role } from '../handshake/flight.ts'
import type { Mode } from '../security.ts'
import type { Connection } from './connection.ts'
import type { Outcome } from './outcome.ts'

export type Direction = 'inbound' | 'outbound'

/** What is said in every event. */
interface Said {
  readonly connection: Connection
  /** The first eight digits of the session id; null before `secure`. */
  readonly id: string | null
  readonly role: Role
}

/** Channel → what is published there, beside the connection, its id and its role. */
interface Fields {
  'stalk:connection:open': { readonly host: string | undefined; readonly port: number | undefined }
  'stalk:connection:secure': {
    readonly sessionId: string
    readonly suite: string
    readonly mode: Mode
    /** The fingerprint of the key that the peer has proved; null if it is anonymous. */
    readonly peer: string | null
    readonly peerAuthenticated: boolean
    readonly resumed: boolean
  }
  'stalk:handshake:failed': {
    readonly code: ErrorCode | undefined
    readonly error: Error
  }
  'stalk:rekey': { readonly direction: Direction; readonly epoch: number }
  'stalk:message:refused': { readonly direction: Direction; readonly code: ErrorCode }
  'stalk:connection:closed': Omit<Outcome, 'reason' | 'code'> & { readonly code: ErrorCode | undefined }
}

/** Channel → what is published there. */
export type Diagnostics = { readonly [Name in keyof Fields]: Said & Fields[Name] }

const NAMES = [
  'stalk:connection:open',
  'stalk:connection:secure',
  'stalk:handshake:failed',
  'stalk:rekey',
  'stalk:message:refused',
  'stalk:connection:closed'
] as const satisfies (keyof Fields)[]

// Held here: node forgets a channel that nobody holds, and its subscribers with it.
const CHANNELS = Object.fromEntries(NAMES.map(name => [name, channel(name)])) as Record<
  keyof Fields,
  ReturnType<typeof channel>
>

const log = debuglog('stalk')

const watched = (name: keyof Fields): boolean => CHANNELS[name].hasSubscribers || log.enabled

// What a subscriber throws reaches the process, not us: that is node's doing.
function tell<Name extends keyof Fields>(
  name: Name,
  connection: Connection,
  role: Role,
  fields: Fields[Name]
): void {
  const id = connection.security?.sessionId.slice(0, ID_DIGITS) ?? null
  if (log.enabled) log('%s', lineOf(name, id, role, fields))
  if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish({ connection, id, role, ...fields })
}

const ID_DIGITS = 8

const lineOf = (name: string, id: string | null, role: Role, fields: object): string =>
  [
    id ?? '-'.repeat(ID_DIGITS),
    role,
    name.slice('stalk:'.length),
    ...Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${value instanceof Error ? JSON.stringify(value.message) : value}`)
  ].join(' ')

// --- the events ----------------------------------------------------------------------------------------

export function opened(connection: Connection, role: Role): void {
  if (!watched('stalk:connection:open')) return
  tell('stalk:connection:open', connection, role, { host: connection.host, port: connection.port })
}

export function secured(connection: Connection, role: Role): void {
  const { security, claimedPeerIdentity } = connection
  if (!watched('stalk:connection:secure') || !security) return
  const { sessionId, suite, mode, peerAuthenticated, resumed } = security
  const peer = claimedPeerIdentity?.fingerprint ?? null
  tell('stalk:connection:secure', connection, role, {
    sessionId,
    suite,
    mode,
    peer,
    peerAuthenticated,
    resumed
  })
}

export function handshakeFailed(connection: Connection, role: Role, error: Error): void {
  if (!watched('stalk:handshake:failed')) return
  const code = error instanceof StalkError ? error.code : undefined
  tell('stalk:handshake:failed', connection, role, { code, error })
}

// The next two come from within a stage, where nobody else is to do anything: they are told on a tick of their own.

export function rekeyed(connection: Connection, role: Role, direction: Direction, epoch: number): void {
  if (!watched('stalk:rekey')) return
  process.nextTick(() => tell('stalk:rekey', connection, role, { direction, epoch }))
}

/** Its text and its cause may quote the message; they are not told. */
export function refused(
  connection: Connection,
  role: Role,
  direction: Direction,
  { code }: StalkError
): void {
  if (!watched('stalk:message:refused')) return
  process.nextTick(() => tell('stalk:message:refused', connection, role, { direction, code }))
}

/** The reason may quote a message that fits no schema; it is not told. */
export function closed(connection: Connection, role: Role, { code, reason, ...rest }: Outcome): void {
  if (!watched('stalk:connection:closed')) return
  const { kind, ...counts } = rest
  tell('stalk:connection:closed', connection, role, { kind, code, ...counts })
}
