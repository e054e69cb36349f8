// Options: what the caller gives, checked, and completed to one frozen Config. Unknown options throw, so that a
// misspelt one is never a protection that is silently missing. Knows names, types and defaults; acts on none.

import type { Duplex } from 'node:stream'
import * as constants from './constants.ts'
import { DEFAULT_SUITES, SUITES, type Suite, type SuiteName } from './crypto/suites.ts'
import { StalkError } from './errors.ts'
import type { Role } from './handshake/flight.ts'
import { Identity } from './identity/identity.ts'
import type { KeyLog } from './key-log.ts'
import { checkNames, count, flag, invalidOption, MAX_MS, milliseconds } from './option-checks.ts'
import { NamedSessions, SessionCache } from './resumption/session-cache.ts'
import type { TicketStore } from './resumption/ticket-store.ts'
import type { OnInvalid, Schema } from './schema.ts'
import type { Pad } from './stages/cipher.ts'
import { AuthorizedPeers } from './trust/authorized-peers.ts'
import { type Authorize, type Peer, type Policy, policyOf } from './trust/policy.ts'
import type { Used } from './wire/record.ts'

export interface StalkOptions {
  /**
   * `responder` for the end that was called, `initiator` for the one that called. Known for a net or TLS socket;
   * required for every other duplex.
   */
  role?: Role
  /** Who we are: a key pair, or null for anonymous. Default null. */
  identity?: Identity | null
  /** Whom we want to talk to. Default: whoever answers, whose key then is only claimed. `'anyone'` says it is meant. */
  peer?: Peer
  /** Decides on the peer once it has proved its key, before any message is delivered: a function, or a file of keys. */
  authorize?: Authorize | AuthorizedPeers
  /** At a responder: refuse initiators without an identity. Default false. */
  requireIdentity?: boolean
  /**
   * At a responder: issues tickets with which initiators resume their sessions, without signatures (PROTOCOL.md,
   * section 21.4). `TicketKeys`, a `MemoryTicketStore` or a store of one's own. Default: none are issued.
   */
  tickets?: TicketStore
  /** At an initiator: resumes what was kept under a name, and keeps what can be resumed: `cache.at(name)`. */
  sessions?: NamedSessions
  /** Cipher suites, by preference. Default: AES-256-GCM, then ChaCha20-Poly1305. */
  suites?: readonly SuiteName[]
  /** The name of the application's protocol, the same at both ends, at most 64 bytes. Default ''. */
  app?: string
  /** The largest message that we take, in bytes of MessagePack. Default 16 MiB. */
  maxMessage?: number
  /** What the peer's messages must look like: any Standard Schema validator. Default: whatever comes. */
  schema?: Schema
  /** A message that does not fit the schema: `error` ends the connection, `skip` is a `messageError`. Default `error`. */
  onInvalid?: OnInvalid
  /** From the first byte to the verdict, in ms. Default 10,000. */
  handshakeTimeout?: number
  /** How long, after our goodbye, the peer may be silent before we let go, in ms. Default 60,000. */
  closeTimeout?: number
  /** How long the next part of a large message may take, in ms. Default 30,000. */
  messageTimeout?: number
  /**
   * After how much silence of the peer it is asked for a sign of life, in ms; after as long again without any it
   * counts as gone. Default: never.
   */
  keepAlive?: number
  /** How long no message may be sent or received before the connection is given up, in ms. Default: for ever. */
  idleTimeout?: number
  /** How long the transport may take nothing of what is to be sent, in ms. Default: for ever. */
  writeTimeout?: number
  /** When keys are changed: after so many `records`, `bytes` or ms (`time`). Default, and at most: 2^22, 2^36, an hour. */
  rekeyAfter?: RekeyAfter
  /** Whether records are made longer, so that their length says less: to the next multiple of `block` bytes. Default `none`. */
  padding?: Padding
  /** Is given every secret of the connection, a line each, as in the NSS key log format; with `allowKeyLog` only. */
  keyLog?: KeyLog
  /** Says that `keyLog` is meant. Default false. */
  allowKeyLog?: boolean
  /** Whether the connection stays open for writing when the peer has said goodbye. Default false, as in net. */
  allowHalfOpen?: boolean
  /** Messages decoded ahead of the reader. Default 256. */
  readableHighWaterMark?: number
  /** Messages that `write` takes before it answers false. Default 256. */
  writableHighWaterMark?: number
}

export interface RekeyAfter {
  records?: number
  bytes?: number
  time?: number
}

export type Padding = 'none' | { block: number }

export interface Config {
  readonly role: Role
  readonly identity: Identity | null
  readonly policy: Policy
  readonly requireIdentity: boolean
  readonly tickets: TicketStore | null
  readonly sessions: NamedSessions | null
  readonly suites: readonly Suite[]
  readonly app: Buffer
  readonly maxMessageBytes: number
  readonly schema: Schema | null
  readonly onInvalid: OnInvalid
  readonly handshakeTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly messageTimeoutMs: number
  readonly keepAliveMs: number | null
  readonly idleTimeoutMs: number | null
  readonly writeTimeoutMs: number | null
  readonly rekeyAfter: Used
  readonly rekeyAfterMs: number
  readonly pad: Pad | undefined
  readonly keyLog: KeyLog | undefined
  readonly allowHalfOpen: boolean
  readonly readableHighWaterMark: number
  readonly writableHighWaterMark: number
}

/** The names of all options. */
export const OPTION_NAMES: ReadonlySet<string> = new Set<keyof StalkOptions>([
  'role',
  'identity',
  'peer',
  'authorize',
  'requireIdentity',
  'tickets',
  'sessions',
  'suites',
  'app',
  'maxMessage',
  'schema',
  'onInvalid',
  'handshakeTimeout',
  'closeTimeout',
  'messageTimeout',
  'keepAlive',
  'idleTimeout',
  'writeTimeout',
  'rekeyAfter',
  'padding',
  'keyLog',
  'allowKeyLog',
  'allowHalfOpen',
  'readableHighWaterMark',
  'writableHighWaterMark'
])

/** Throws ERR_STALK_INVALID_OPTION naming the option, or ERR_STALK_ROLE_REQUIRED. */
export function configOf(duplex: Duplex, options: StalkOptions): Config {
  checkNames(options, OPTION_NAMES)
  const role = roleOf(duplex, options.role)
  const requireIdentity = flag('requireIdentity', options.requireIdentity, false)
  if (requireIdentity && role === 'initiator')
    throw invalidOption('requireIdentity', 'is for responders; an initiator names whom it wants with peer')
  return Object.freeze({
    role,
    identity: identityOf(options.identity),
    policy: policyOf(options.peer, authorizeOf(options.authorize), () => addressOf(duplex)),
    requireIdentity,
    tickets: ticketsOf(options.tickets, role),
    sessions: sessionsOf(options.sessions, role),
    suites: suitesOf(options.suites),
    app: appOf(options.app),
    maxMessageBytes: count('maxMessage', options.maxMessage, constants.MAX_MESSAGE_BYTES, constants.MAX_U32),
    schema: schemaOf(options.schema),
    onInvalid: onInvalidOf(options.onInvalid),
    handshakeTimeoutMs: count(
      'handshakeTimeout',
      options.handshakeTimeout,
      constants.HANDSHAKE_TIMEOUT_MS,
      MAX_MS
    ),
    closeTimeoutMs: count('closeTimeout', options.closeTimeout, constants.CLOSE_TIMEOUT_MS, MAX_MS),
    messageTimeoutMs: count('messageTimeout', options.messageTimeout, constants.MESSAGE_TIMEOUT_MS, MAX_MS),
    keepAliveMs: milliseconds('keepAlive', options.keepAlive),
    idleTimeoutMs: milliseconds('idleTimeout', options.idleTimeout),
    writeTimeoutMs: milliseconds('writeTimeout', options.writeTimeout),
    ...rekeyAfterOf(options.rekeyAfter),
    pad: padOf(options.padding),
    keyLog: keyLogOf(options.keyLog, flag('allowKeyLog', options.allowKeyLog, false)),
    allowHalfOpen: flag('allowHalfOpen', options.allowHalfOpen, false),
    readableHighWaterMark: count(
      'readableHighWaterMark',
      options.readableHighWaterMark,
      constants.READABLE_HIGH_WATER_MARK,
      MAX_ITEMS
    ),
    writableHighWaterMark: count(
      'writableHighWaterMark',
      options.writableHighWaterMark,
      constants.WRITABLE_HIGH_WATER_MARK,
      MAX_ITEMS
    )
  })
}

const MAX_ITEMS = 2 ** 20

function identityOf(identity: unknown = null): Identity | null {
  if (identity === null) return null
  if (!(identity instanceof Identity)) throw invalidOption('identity', 'must be an Identity or null')
  if (identity.privkey === null) throw invalidOption('identity', 'has no private key')
  return identity
}

function ticketsOf(tickets: unknown, role: Role): TicketStore | null {
  if (tickets === undefined) return null
  if (role === 'initiator') throw invalidOption('tickets', 'is for responders; an initiator keeps sessions')
  if (tickets === true)
    throw invalidOption('tickets', 'must be a store here: one of its own would end with the connection')
  const store = tickets as Partial<TicketStore> | null
  const methods = [store?.issue, store?.find, store?.consume]
  if (methods.every(method => typeof method === 'function')) return store as TicketStore
  throw invalidOption('tickets', 'must be TicketKeys, a MemoryTicketStore, or have issue, find and consume')
}

function sessionsOf(sessions: unknown, role: Role): NamedSessions | null {
  if (sessions === undefined) return null
  if (role === 'responder') throw invalidOption('sessions', 'is for initiators; a responder issues tickets')
  if (sessions instanceof NamedSessions) return sessions
  const cache = sessions instanceof SessionCache
  throw invalidOption('sessions', cache ? 'needs a name here: sessions.at(name)' : 'must be cache.at(name)')
}

function authorizeOf(value: unknown): Authorize | AuthorizedPeers | undefined {
  if (value === undefined || typeof value === 'function') return value as Authorize | undefined
  if (value instanceof AuthorizedPeers) return value
  throw invalidOption('authorize', 'must be a function, or authorizedPeers(path)')
}

/** Where the peer of a socket is; other duplexes don't say. */
const addressOf = (duplex: Duplex & { remoteAddress?: unknown }): string | undefined =>
  typeof duplex.remoteAddress === 'string' ? duplex.remoteAddress : undefined

function rekeyAfterOf(limits: RekeyAfter = {}): { rekeyAfter: Used; rekeyAfterMs: number } {
  checkNames(limits, new Set(['records', 'bytes', 'time']), 'rekeyAfter')
  const { SOFT_LIMIT_RECORDS, SOFT_LIMIT_BYTES, REKEY_AFTER_MS } = constants
  return {
    rekeyAfter: {
      records: count('rekeyAfter.records', limits.records, SOFT_LIMIT_RECORDS, SOFT_LIMIT_RECORDS),
      bytes: count('rekeyAfter.bytes', limits.bytes, SOFT_LIMIT_BYTES, SOFT_LIMIT_BYTES)
    },
    rekeyAfterMs: count('rekeyAfter.time', limits.time, REKEY_AFTER_MS, REKEY_AFTER_MS)
  }
}

function padOf(padding: Padding = 'none'): Pad | undefined {
  if (padding === 'none') return undefined
  if (typeof padding !== 'object' || padding === null)
    throw invalidOption('padding', "must be 'none' or { block }")
  checkNames(padding, new Set(['block']), 'padding')
  const block = count('padding.block', padding.block, null, constants.MAX_INNER_BYTES)
  if (block === null) throw invalidOption('padding', 'needs the bytes of a block')
  return least => Math.min(Math.ceil(least / block) * block, constants.MAX_INNER_BYTES)
}

function keyLogOf(keyLog: unknown, allowed: boolean): KeyLog | undefined {
  if (keyLog === undefined && !allowed) return undefined
  if (keyLog === undefined) throw invalidOption('allowKeyLog', 'allows a key log, and there is no keyLog')
  if (typeof keyLog !== 'function') throw invalidOption('keyLog', 'must be a function')
  if (allowed) return keyLog as KeyLog
  throw invalidOption(
    'keyLog',
    'gives all that the connection protects to whoever reads the log; if that is meant, say allowKeyLog: true too'
  )
}

function suitesOf(names: unknown = DEFAULT_SUITES): Suite[] {
  if (!Array.isArray(names) || names.length === 0) throw invalidOption('suites', 'must be a list of names')
  if (new Set(names).size < names.length) throw invalidOption('suites', 'names a suite twice')
  return names.map(name => {
    if (Object.hasOwn(SUITES, name)) return SUITES[name as SuiteName]
    throw invalidOption('suites', `names ${String(name)}; there are ${Object.keys(SUITES).join(', ')}`)
  })
}

function schemaOf(schema: unknown = null): Schema | null {
  const standard = (schema as Schema | null)?.['~standard']
  if (schema === null || typeof standard?.validate === 'function') return schema as Schema | null
  throw invalidOption('schema', 'must be a validator that speaks Standard Schema')
}

function onInvalidOf(value: unknown = 'error'): OnInvalid {
  if (value === 'error' || value === 'skip') return value
  throw invalidOption('onInvalid', "must be 'error' or 'skip'")
}

function appOf(app: unknown = ''): Buffer {
  if (typeof app !== 'string' || !app.isWellFormed()) throw invalidOption('app', 'must be a string')
  const bytes = Buffer.from(app)
  if (bytes.length <= constants.MAX_APP_BYTES) return bytes
  throw invalidOption('app', `is ${bytes.length} bytes long; the limit is ${constants.MAX_APP_BYTES}`)
}

function roleOf(duplex: Duplex, role: unknown): Role {
  if (role === 'initiator' || role === 'responder') return role
  if (role !== undefined) throw invalidOption('role', "must be 'initiator' or 'responder'")
  const known = socketRole(duplex)
  if (known) return known
  const text =
    "this duplex does not tell which end called: pass role: 'initiator' at one end, 'responder' at the other"
  throw new StalkError('ERR_STALK_ROLE_REQUIRED', text, { phase: 'setup' })
}

/** A net or TLS socket that a server accepted points back at it; one that connected knows its remote end. */
function socketRole(
  duplex: Duplex & { server?: unknown; connect?: unknown; _server?: unknown }
): Role | undefined {
  if (typeof duplex.connect !== 'function') return undefined
  return duplex.server ? 'responder' : 'initiator'
}
