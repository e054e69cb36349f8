// stalk over TCP and Unix sockets: listener() and connect(). Knows node:net, the default identity, and how many
// handshakes may be under way; everything else is stalk()'s.

import net from 'node:net'
import { resolve } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Connection } from './connection/connection.ts'
import { HANDSHAKE_TIMEOUT_MS } from './constants.ts'
import { StalkError } from './errors.ts'
import { Identity } from './identity/identity.ts'
import { type ConnectionHandler, Listener, type ListenerLimits, limitsOf } from './listener.ts'
import { checkNames, givenUp, invalidOption, signalOf } from './option-checks.ts'
import { configOf, OPTION_NAMES, type StalkOptions } from './options.ts'
import { NamedSessions, SessionCache } from './resumption/session-cache.ts'
import { MemoryTicketStore, type TicketStore } from './resumption/ticket-store.ts'
import type { Schema, Validated } from './schema.ts'
import { stalk } from './stalk.ts'
import { KnownPeers } from './trust/known-peers.ts'
import { PlacedPeers } from './trust/placed-peers.ts'
import type { Peer } from './trust/policy.ts'

/** Where to listen or to connect to, as node:net takes it: a host and a port, or the path of a Unix socket. */
export interface Address {
  readonly host?: string
  readonly port?: number
  readonly path?: string
}

export interface ConnectOptions extends Omit<StalkOptions, 'role' | 'tickets' | 'sessions'> {
  /** Resumes a session that was kept of an earlier connection to the same place, and keeps this one. Default: no. */
  sessions?: SessionCache | NamedSessions
  /** Gives up the attempt when it is aborted; of no effect once there is a connection. */
  signal?: AbortSignal
}
export interface ListenOptions extends Omit<StalkOptions, 'role' | 'tickets' | 'sessions'>, ListenerLimits {
  /**
   * Lets initiators resume their sessions, without signatures. `true`: with tickets in this listener's memory, each
   * good once; `TicketKeys`: with tickets that other processes take too; or a store of one's own. Default: no.
   */
  tickets?: boolean | TicketStore
}

const ADDRESS_NAMES = ['host', 'port', 'path']
const BOTH_NAMES = [...ADDRESS_NAMES, ...OPTION_NAMES].filter(name => name !== 'role')
const CONNECT_NAMES = new Set([...BOTH_NAMES, 'signal'])
const LISTEN_NAMES = new Set([...BOTH_NAMES, 'maxHalfOpen', 'maxHalfOpenPerAddress'])

/**
 * Listens for connections and hands out each one whose peer is verified and authorized. Who we are is the
 * default identity unless `identity` says otherwise; with neither, the listener is anonymous.
 *
 * Throws ERR_STALK_INVALID_OPTION; an address that can't be had and key files that can't be used are `error`s.
 */
export function listener(
  host: string,
  port: number,
  handler?: ConnectionHandler,
  options?: ListenOptions
): Listener
export function listener(options: Address & ListenOptions, handler?: ConnectionHandler): Listener
export function listener(
  first: string | (Address & ListenOptions),
  second?: number | ConnectionHandler,
  third?: ConnectionHandler,
  fourth: ListenOptions = {}
): Listener {
  const byName = typeof first === 'object'
  const { address, options } = split(
    byName ? first : { ...fourth, host: first, port: second as number },
    LISTEN_NAMES
  )
  const handler = byName ? (second as ConnectionHandler | undefined) : third
  if (handler !== undefined && typeof handler !== 'function')
    throw invalidOption('handler', 'must be a function')
  const { limits, rest: given } = limitsOf(options)
  const rest = withStore(given)
  checkEarly(rest, 'responder')
  const listening = new Listener(limits, socket => stalk(socket, { ...rest, role: 'responder', identity }))
  if (handler) listening.on('connection', handler)
  let identity = rest.identity ?? null
  if (rest.identity !== undefined) {
    listening.listen(address)
    return listening
  }
  const found = Identity.default().then(own => {
    identity = own
    listening.listen(address)
  })
  found.catch(error => listening.fail(error))
  return listening
}

/**
 * Connects, and is fulfilled when the peer is verified. Who we are is the default identity unless `identity` says
 * otherwise; but it is shown only to a peer that was named with `peer` or `authorize`, never to strangers.
 *
 * Rejects with ERR_STALK_INVALID_OPTION, with ERR_STALK_CONNECT where nobody answers, with ERR_STALK_ABORTED for
 * `signal`, with what is wrong with the default identity's files, and with what made the handshake fail. Where known
 * peers `ask`, a peer that is unknown ends the first attempt; a second one follows the answer.
 */
export function connect<S extends Schema, Out = unknown>(
  host: string,
  port: number,
  options: ConnectOptions & { schema: S }
): Promise<Connection<Validated<S>, Out>>
export function connect<S extends Schema, Out = unknown>(
  options: Address & ConnectOptions & { schema: S }
): Promise<Connection<Validated<S>, Out>>
export function connect<In = unknown, Out = unknown>(
  host: string,
  port: number,
  options?: ConnectOptions
): Promise<Connection<In, Out>>
export function connect<In = unknown, Out = unknown>(
  options: Address & ConnectOptions
): Promise<Connection<In, Out>>
export async function connect<In, Out>(
  first: string | (Address & ConnectOptions),
  port?: number,
  more: ConnectOptions = {}
): Promise<Connection<In, Out>> {
  const given = typeof first === 'object' ? first : { ...more, host: first, port: port as number }
  const { address, options: all } = split(given, CONNECT_NAMES)
  const { signal: givenSignal, ...others } = all
  const options = withPlace(others, address)
  const signal = signalOf(givenSignal)
  const { peer } = options
  const attempt = (peer: Peer | undefined): Promise<Connection<In, Out>> =>
    connectOnce<In, Out>(address, { ...options, ...(peer !== undefined && { peer }) }, signal)
  return peer instanceof PlacedPeers && peer.asks ? askingAbout(peer, attempt, signal) : attempt(peer)
}

/** A person's answer must not run against the peer's deadline: so one attempt ends, and another begins. */
async function askingAbout<C>(
  peers: PlacedPeers,
  attempt: (peer: Peer) => Promise<C>,
  signal: AbortSignal | undefined
): Promise<C> {
  const met: Identity[] = []
  try {
    return await attempt(peers.meeting(peer => met.push(peer)))
  } catch (error) {
    const [peer] = met
    if (peer === undefined || (error as StalkError).code !== 'ERR_STALK_PEER_UNKNOWN') throw error
    await unlessAborted(peers.askAbout(peer, signal), signal)
  }
  return attempt(peers.remembered)
}

/** Somebody may never answer. */
async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (!signal) return work
  let giveUp = (): void => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    giveUp = () => reject(givenUp(signal))
  })
  signal.addEventListener('abort', giveUp, { once: true })
  if (signal.aborted) giveUp()
  await Promise.race([aborted, work]).finally(() => signal.removeEventListener('abort', giveUp))
}

async function connectOnce<In, Out>(
  address: Address,
  options: Omit<StalkOptions, 'role'>,
  signal: AbortSignal | undefined
): Promise<Connection<In, Out>> {
  const { policy } = checkEarly(options, 'initiator')
  const identity =
    options.identity === undefined && policy.verifies ? await Identity.default() : options.identity
  if (signal?.aborted) throw givenUp(signal)
  const socket = await dial(address, options.handshakeTimeout ?? HANDSHAKE_TIMEOUT_MS, signal)
  const connection = stalk<In, Out>(socket, {
    ...options,
    role: 'initiator',
    ...(identity !== undefined && { identity })
  })
  const reported = (): void => {} // by the rejection of `ready`
  const giveUp = (): void => void connection.destroy(givenUp(signal as AbortSignal))
  connection.on('error', reported)
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted) giveUp() // between the dialing and here, when nobody listened
  try {
    await connection.ready
  } finally {
    signal?.removeEventListener('abort', giveUp)
  }
  if (signal?.aborted && connection.destroyed) throw givenUp(signal) // between `ready` and here
  connection.off('error', reported)
  return connection
}

/** One store for all connections, where it is to be the listener's own. */
function withStore<T extends ListenOptions>(options: T): Omit<T, 'tickets'> & { tickets?: TicketStore } {
  const { tickets, ...rest } = options
  if (tickets === undefined || tickets === false) return rest
  return { ...rest, tickets: tickets === true ? new MemoryTicketStore() : tickets }
}

/** A cache keeps apart what is at different places, and so do known peers. */
function withPlace<T extends ConnectOptions>(
  options: T,
  address: Address
): Omit<T, 'sessions'> & { sessions?: NamedSessions } {
  const { sessions, ...others } = options
  const { host = 'localhost', port, path } = address
  const rest = others.peer instanceof KnownPeers ? { ...others, peer: placed(others.peer, address) } : others
  if (sessions === undefined || sessions instanceof NamedSessions)
    return { ...rest, ...(sessions && { sessions }) }
  if (!(sessions instanceof SessionCache))
    throw invalidOption('sessions', 'must be a SessionCache, or cache.at(name)')
  return { ...rest, sessions: sessions.at(path === undefined ? `tcp ${host} ${port}` : `unix ${path}`) }
}

/** Paths of sockets are known by their full name. */
const placed = (peers: KnownPeers, { host = 'localhost', port, path }: Address): PlacedPeers =>
  path === undefined ? peers.at(host, port) : peers.at(`unix:${resolve(path)}`)

/** What is wrong with the options is said before anything is opened. */
const checkEarly = (
  options: Omit<StalkOptions, 'role'>,
  role: 'initiator' | 'responder'
): ReturnType<typeof configOf> => configOf({} as Duplex, { ...options, role })

/** Host and port, or path, apart from the rest. */
function split<T extends Address>(
  given: T,
  names: ReadonlySet<string>
): { address: Address; options: Omit<T, keyof Address> } {
  checkNames(given, names)
  const { host, port, path, ...options } = given
  if (path !== undefined && (typeof path !== 'string' || path === ''))
    throw invalidOption('path', 'must be the path of a Unix socket')
  if (path !== undefined && port === undefined && host === undefined) return { address: { path }, options }
  if (path !== undefined) throw invalidOption('path', 'excludes host and port')
  if (!Number.isInteger(port) || (port as number) < 0 || (port as number) > 65_535) {
    throw invalidOption('port', 'must be a whole number from 0 to 65,535')
  }
  // Node takes an empty one for every interface.
  if (host !== undefined && (typeof host !== 'string' || host === ''))
    throw invalidOption('host', 'must be a name or an address')
  return { address: { port: port as number, ...(host !== undefined && { host }) }, options }
}

function dial(address: Address, timeoutMs: number, signal?: AbortSignal): Promise<net.Socket> {
  const where = address.path ?? `${address.host ?? 'localhost'}:${address.port}`
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...address, noDelay: true, allowHalfOpen: true } as net.NetConnectOpts)
    const leave = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', giveUp)
      socket.off('error', refused)
    }
    const fail = (error: StalkError): void => {
      leave()
      socket.on('error', () => {}).destroy()
      reject(error)
    }
    const failed = (cause: unknown, problem: string): void => {
      const text = `cannot connect to ${where}: ${problem}`
      fail(new StalkError('ERR_STALK_CONNECT', text, { phase: 'setup', cause }))
    }
    const giveUp = (): void => fail(givenUp(signal as AbortSignal))
    const refused = (cause: Error): void => failed(cause, cause.message)
    const timer = setTimeout(() => failed(undefined, `no answer within ${timeoutMs} ms`), timeoutMs)
    socket.once('error', refused)
    signal?.addEventListener('abort', giveUp, { once: true })
    socket.once('connect', () => {
      leave()
      resolve(socket)
    })
  })
}
