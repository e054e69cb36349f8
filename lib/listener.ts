// A listener: shaped like net.Server, but what it hands out are verified connections. Knows node:net and how
// many handshakes may be under way, in all and from one address; what a connection is, it is told.

import { captureRejectionSymbol, EventEmitter } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { InspectOptions } from 'node:util'
import type { Connection } from './connection/connection.ts'
import { MAX_HALF_OPEN, MAX_HALF_OPEN_PER_ADDRESS } from './constants.ts'
import { StalkError } from './errors.ts'
import { checkNames, count, milliseconds } from './option-checks.ts'
import { custom, shown } from './shown.ts'

export interface ListenerLimits {
  /** Handshakes under way at once; further callers are turned away. Default 256. */
  maxHalfOpen?: number
  /** The same, from one address. Default 16. */
  maxHalfOpenPerAddress?: number
}

/** May be asynchronous: if its promise is rejected, the connection is destroyed, and it is a `clientError`. */
export type ConnectionHandler<In = unknown, Out = unknown> = (connection: Connection<In, Out>) => unknown

/** The listener's own options, checked, apart from the rest. */
export function limitsOf<T extends ListenerLimits>(
  options: T
): { limits: Required<ListenerLimits>; rest: Omit<T, keyof ListenerLimits> } {
  const { maxHalfOpen, maxHalfOpenPerAddress, ...rest } = options
  const limits = {
    maxHalfOpen: count('maxHalfOpen', maxHalfOpen, MAX_HALF_OPEN, MAX_CONNECTIONS),
    maxHalfOpenPerAddress: count(
      'maxHalfOpenPerAddress',
      maxHalfOpenPerAddress,
      MAX_HALF_OPEN_PER_ADDRESS,
      MAX_CONNECTIONS
    )
  }
  return { limits, rest }
}

const MAX_CONNECTIONS = 2 ** 20

/**
 * Events: `listening`; `connection` (connection), once its peer is verified and authorized; `clientError` (error,
 * socket), for a handshake that failed and for a connection that failed with nobody listening for its `error`;
 * `error`; `close`, when it was closed and all its connections have ended.
 */
export class Listener extends EventEmitter {
  readonly #server: net.Server
  readonly #halfOpen: HalfOpen
  readonly #wrap: (socket: net.Socket) => Connection
  readonly #reported = new WeakSet<Connection>()
  readonly #connections = new Set<Connection>()
  #closed = false

  /** `wrap` makes the connection of a socket. */
  constructor(limits: Required<ListenerLimits>, wrap: (socket: net.Socket) => Connection) {
    super({ captureRejections: true })
    this.#wrap = wrap
    this.#halfOpen = new HalfOpen(limits)
    this.#server = net.createServer({ noDelay: true, allowHalfOpen: true }, socket => this.#onSocket(socket))
    this.#server.on('listening', () => this.emit('listening'))
    this.#server.on('error', error => this.emit('error', error))
    this.#server.on('close', () => this.emit('close'))
  }

  get listening(): boolean {
    return this.#server.listening
  }

  /** Where it listens: address, family and port, or the path; null if it does not. */
  address(): AddressInfo | string | null {
    return this.#server.address()
  }

  /** What may be shown of it. */
  toJSON(): object {
    const connections = [...this.#connections]
    const open = connections.filter(({ security }) => security !== null).length
    return {
      listening: this.listening,
      address: this.address(),
      connections: open,
      handshakes: connections.length - open
    }
  }

  [custom](depth: number, options: InspectOptions): string {
    return shown(this, depth, options)
  }

  /** Begins to listen, unless it was closed before. */
  listen(address: net.ListenOptions): void {
    if (!this.#closed) this.#server.listen(address)
  }

  /** Reports that it will never listen. */
  fail(error: Error): void {
    if (!this.#closed) this.emit('error', error)
  }

  /**
   * Takes no further connections; `close` follows, and `done` is called, when those there are have ended. With `drain`
   * we say goodbye to each of them now, and destroy those that have not ended after so many ms.
   *
   * Throws ERR_STALK_INVALID_OPTION.
   */
  close(done?: (error?: Error) => void): this
  close(options: { drain?: number }, done?: (error?: Error) => void): this
  close(first: { drain?: number } | ((error?: Error) => void) = {}, second?: (error?: Error) => void): this {
    const [options, done] = typeof first === 'function' ? [{}, first] : [first, second]
    checkNames(options, new Set(['drain']))
    const drainMs = milliseconds('drain', options.drain)
    this.#closed = true
    this.#server.close(done)
    if (drainMs !== null) this.#drain(drainMs)
    return this
  }

  #drain(ms: number): void {
    for (const connection of this.#connections) connection.end()
    const timer = setTimeout(() => {
      for (const connection of this.#connections) connection.destroy()
    }, ms)
    this.#server.once('close', () => clearTimeout(timer))
  }

  /** Keeps the process alive while it listens, as it does by itself. */
  ref(): this {
    this.#server.ref()
    return this
  }

  /** Lets the process end although it listens. */
  unref(): this {
    this.#server.unref()
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#closed) await new Promise(resolve => this.close(resolve))
  }

  /** What an asynchronous handler of ours was rejected with: its connection's failure, or one of its own. */
  override [captureRejectionSymbol](error: Error, event: string | symbol, ...[connection]: unknown[]): void {
    if (event === 'connection') this.#report(error, connection as Connection)
    else this.emit('error', error)
  }

  #report(error: Error, connection: Connection): void {
    if (this.#reported.has(connection)) return
    this.#reported.add(connection)
    this.emit('clientError', error, connection.socket)
    connection.destroy()
  }

  #onSocket(socket: net.Socket): void {
    const leave = this.#halfOpen.enter(socket.remoteAddress)
    if (leave === null) {
      socket.destroy()
      const text = `too many handshakes under way, in all or from ${socket.remoteAddress}`
      this.emit('clientError', new StalkError('ERR_STALK_BUSY', text, { phase: 'handshake' }), socket)
      return
    }
    const connection = this.#wrap(socket)
    this.#connections.add(connection)
    connection.on('error', error => {
      const unheard = connection.security === null || connection.listenerCount('error') === 1
      if (unheard) this.#report(error, connection)
    })
    connection.once('secure', () => {
      leave()
      this.emit('connection', connection)
    })
    connection.once('close', () => {
      leave() // a handshake that failed has its place until its socket is gone
      this.#connections.delete(connection)
    })
  }
}

/** Who is shaking hands just now, in all and by address. */
class HalfOpen {
  readonly #limits: Required<ListenerLimits>
  readonly #byAddress = new Map<string, number>()
  #all = 0

  constructor(limits: Required<ListenerLimits>) {
    this.#limits = limits
  }

  /** Null if there is no place; otherwise to be called, once or again, when it is over. A Unix socket has no address. */
  enter(address: string | undefined): (() => void) | null {
    const here = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0)
    if (this.#all >= this.#limits.maxHalfOpen || here >= this.#limits.maxHalfOpenPerAddress) return null
    this.#count(address, 1)
    let inside = true
    return () => {
      if (inside) this.#count(address, -1)
      inside = false
    }
  }

  #count(address: string | undefined, change: 1 | -1): void {
    this.#all += change
    if (address === undefined) return
    const now = (this.#byAddress.get(address) ?? 0) + change
    if (now === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, now)
  }
}
