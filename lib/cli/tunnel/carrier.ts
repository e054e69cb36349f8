// Carries bytes between a socket and a connection of stalk's, both ways: ends as ends, resets as resets, and no faster
// than the slower side takes them. Knows these two streams; knows neither who made them nor what is said about them.

import type net from 'node:net'
import { type Connection, StalkError } from '../../index.ts'
import { keepAlive, readSoon, reset } from './socket.ts'

/** How much waits for a socket before the connection is read no further, in bytes. */
const MAX_QUEUED_BYTES = 128 * 1024

/** Who broke it off: the program here, the one at the other end, what lies between, or this end by its own rules. */
export type Breaker = 'here' | 'there' | 'between' | 'us'

export class Broken extends Error {
  readonly by: Breaker

  constructor(by: Breaker, text: string, cause?: unknown) {
    super(text, { cause })
    this.by = by
  }
}

/** Bytes that went to the peer, and that came from it. */
export interface Bytes {
  sent: number
  received: number
}

export interface CarrierOptions {
  /** Counts on. */
  readonly total: Bytes
  /** How long nothing may move either way, in ms. */
  readonly idleMs: number | undefined
  /** What a message means that is not bytes. */
  other(message: unknown): Broken
}

export class Carrier {
  /** Fulfilled when both are closed: null if each direction has come to its end. */
  readonly ended: Promise<Broken | null>
  readonly bytes: Bytes = { sent: 0, received: 0 }
  readonly connection: Connection
  readonly #socket: net.Socket
  readonly #options: CarrierOptions
  readonly #readSoon: () => void
  #full = false
  #peerEnded = false
  #broken: Broken | null = null
  #idle: NodeJS.Timeout | undefined

  constructor(socket: net.Socket, connection: Connection, options: CarrierOptions) {
    this.#socket = socket
    this.connection = connection
    this.#options = options
    for (const stream of [socket, connection.socket]) keepAlive(stream)
    this.#startIdling(options.idleMs)
    const closed = [closeOf(socket), closeOf(connection)]
    this.ended = Promise.all(closed).then(() => this.#end())
    this.#readSoon = readSoon(socket, () => this.#read())
    socket.on('error', error => this.break(new Broken('here', error.message, error)))
    socket.on('end', () => this.#onEnd())
    socket.on('drain', () => connection.resume())
    connection.on('drain', () => this.#onRoom())
    connection.on('error', error => this.break(brokenConnection(error)))
    connection.on('end', () => this.#onPeerEnd())
    connection.on('data', message => this.#onMessage(message))
    this.#catchUp()
    this.#readSoon()
  }

  /** Both sides see a reset. Of no effect once it has ended. */
  break(why: Broken): void {
    this.#broken ??= why
    clearTimeout(this.#idle)
    reset(this.#socket)
    this.connection.destroy()
  }

  /** What happened while the other one was still to come. */
  #catchUp(): void {
    const { errored, destroyed } = this.connection
    if (destroyed)
      return this.break(errored ? brokenConnection(errored) : new Broken('between', 'it is closed'))
    if (this.#socket.destroyed) return this.break(new Broken('here', 'it is closed'))
    if (this.#socket.readableEnded) this.#onEnd()
    if (this.connection.readableEnded) this.#onPeerEnd()
  }

  #end(): Broken | null {
    clearTimeout(this.#idle)
    return this.#broken
  }

  #startIdling(ms: number | undefined): void {
    if (ms === undefined) return
    const text = `nothing has moved for ${ms / 1_000} s`
    this.#idle = setTimeout(() => this.break(new Broken('us', text)), ms)
  }

  // --- socket to connection ------------------------------------------------------------------------------

  #read(): void {
    while (!this.#full && !this.#broken) {
      const chunk = this.#socket.read() as Buffer | null
      if (chunk === null) return
      this.#idle?.refresh()
      this.bytes.sent += chunk.length
      this.#options.total.sent += chunk.length
      this.#full = !this.connection.write(chunk)
    }
  }

  #onRoom(): void {
    this.#full = false
    this.#readSoon()
  }

  #onEnd(): void {
    if (this.connection.writable) this.connection.end()
  }

  // --- connection to socket ------------------------------------------------------------------------------

  #onMessage(message: unknown): void {
    if (this.#broken) return
    if (!Buffer.isBuffer(message)) return this.break(this.#options.other(message))
    this.#idle?.refresh()
    this.bytes.received += message.length
    this.#options.total.received += message.length
    this.#socket.write(message, () => this.#onWritten())
    if (this.#socket.writableLength > MAX_QUEUED_BYTES) this.connection.pause()
  }

  #onPeerEnd(): void {
    this.#peerEnded = true
    this.#onWritten()
  }

  // Not before all is with the kernel: a socket that is ending can't be reset any more, and what is cut then would look
  // like the end.
  #onWritten(): void {
    if (this.#peerEnded && this.#socket.writable && this.#socket.writableLength === 0) this.#socket.end()
  }
}

const closeOf = (stream: { closed: boolean; once(event: 'close', listener: () => void): unknown }) =>
  stream.closed ? Promise.resolve() : new Promise<void>(resolve => stream.once('close', resolve))

/** A peer that destroys its end does so because the program there did. */
const brokenConnection = (error: Error): Broken =>
  new Broken(
    error instanceof StalkError && error.code === 'ERR_STALK_PEER_ABORTED' ? 'there' : 'between',
    error.message,
    error
  )
