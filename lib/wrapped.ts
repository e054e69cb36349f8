// What stalk.wrap() gives: a stage for pipelines, wire in, messages out. Knows streams and how they are joined:
// who pipes into it is its transport, which it answers on its own. The connection it is made of is opened by
// whoever made it.
//
//   socket ──pipe──▶ wire in │ Wrapped │ messages out ──pipe──▶ app
//   socket ◀───── the answers ┘       └ outbound ◀──pipe── app

import type { Duplex, Writable } from 'node:stream'
import type { Connection } from './connection/connection.ts'
import { endWithReader } from './connection/half-open.ts'
import { MessageStream } from './connection/message-stream.ts'
import { type Outcome, unopened } from './connection/outcome.ts'
import { type FlushOptions, flushPatience, type SendOptions, signalIn, Waits } from './connection/waits.ts'
import { StalkError, transportFailure } from './errors.ts'
import { givenUp } from './option-checks.ts'
import { Outbound } from './outbound.ts'
import { Shuttle } from './shuttle.ts'

type Done = (error?: Error | null) => void

/** Opens the connection over a transport; `source` is what it reads and writes in the end. */
export type Open<In, Out> = (transport: Duplex, source: Duplex) => Connection<In, Out>

export interface WrappedPlan {
  readonly allowHalfOpen: boolean
  readonly closeTimeoutMs: number
  /** Where the wire comes from and the answers go to, if it is not whatever is piped in. */
  readonly transport: Duplex | undefined
}

export class Wrapped<In = unknown, Out = unknown> extends MessageStream<In> {
  /** Messages for the peer go in here. */
  readonly outbound: Writable
  /** As a connection's; rejected too if there will be no connection. */
  readonly ready: Promise<void>
  /** As a connection's. Where nothing is ever piped in it is fulfilled once this stream is destroyed. */
  readonly outcome: Promise<Outcome>

  readonly #open: Open<In, Out>
  readonly #opened: Promise<Connection<In, Out>>
  #settleOpened!: { resolve(connection: Connection<In, Out>): void; reject(error: Error): void }
  #ended: Outcome | null = null
  readonly #waits = new Waits()
  /** Messages of `send` that wait for a connection, with what takes them back. */
  readonly #early = new Set<{ readonly signal: AbortSignal | undefined }>()
  #source: Duplex | null = null
  #feeder: Duplex | null = null
  #sourceError: Error | null = null
  #shuttle: Shuttle | null = null
  #connection: Connection<In, Out> | null = null

  constructor(open: Open<In, Out>, plan: WrappedPlan) {
    super({ readableObjectMode: true, readableHighWaterMark: 1 }, plan.closeTimeoutMs)
    this.#open = open
    this.#opened = new Promise((resolve, reject) => {
      this.#settleOpened = { resolve, reject }
    })
    this.ready = this.#opened.then(connection => connection.ready)
    this.ready.catch(() => {}) // reported by `error` too
    this.outcome = new Promise(resolve => {
      this.once('close', () => process.nextTick(() => resolve(this.#ended as Outcome)))
    })
    this.outbound = new Outbound(this.#opened)
    this.outbound.on('error', () => {}) // it fails with the connection, which reports it
    if (!plan.allowHalfOpen) endWithReader(this, this.loops, this.outbound)
    this.on('pipe', (feeder: Duplex) => this.#onPipe(feeder))
    if (plan.transport) this.#attach(plan.transport)
  }

  /** The connection, once a source is known; else null. */
  get connection(): Connection<In, Out> | null {
    return this.#connection
  }

  override toJSON(): object {
    return { connection: this.#connection?.toJSON() ?? null, outcome: this.#ended }
  }

  /** As a connection's. */
  async send(message: Out, options?: SendOptions): Promise<void> {
    if (this.#connection) return this.#connection.send(message, options)
    this.#checkOpen('send')
    const signal = signalIn(options)
    if (signal?.aborted) throw givenUp(signal)
    const early = { signal }
    this.#early.add(early)
    let sent: Promise<void> | undefined
    await this.#waits.add('send', { signal }, (done, fail) => {
      this.#opened.then(connection => {
        this.#early.delete(early)
        if (signal?.aborted) return
        sent = connection.send(message, options) // in the order of the calls
        done()
      }, fail)
    })
    return sent
  }

  /** As a connection's. */
  async flush(options: FlushOptions = {}): Promise<void> {
    if (this.#connection) return this.#connection.flush(options)
    this.#checkOpen('flush')
    const { acked, ...patience } = flushPatience(options)
    return this.#waits.add('flush', patience, (done, fail) => {
      this.#opened.then(connection => connection.flush({ acked }).then(done, fail), fail)
    })
  }

  #checkOpen(what: string): void {
    if (!this.destroyed) return
    const text = `cannot ${what}: the stream is closed and there was no connection`
    throw new StalkError('ERR_STALK_NOT_WRITABLE', text, { phase: 'setup', cause: this.errored ?? undefined })
  }

  /** As a connection's. Without a connection there is nothing to wait for. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#connection) this.destroy()
    else if (!this.outbound.writableEnded) this.outbound.end()
    this.resume()
    await this.outcome
  }

  // --- the source --------------------------------------------------------------------------------------

  #onPipe(feeder: Duplex): void {
    if (this.destroyed || feeder === this.#feeder) return
    if (this.#feeder) return void this.destroy(secondSource())
    // Beside a transport that was named, the first one that is piped in brings its bytes, whatever it is.
    if (!this.#source) this.#attach(feeder)
    this.#feeder = feeder
    feeder.on('close', this.#onSourceClose)
  }

  #attach(source: Duplex): void {
    if (typeof source.write !== 'function') return void this.destroy(notADuplex())
    this.#source = source
    this.#shuttle = new Shuttle(source)
    source.on('error', this.#onSourceError).on('close', this.#onSourceClose)
    try {
      this.#join(this.#open(this.#shuttle, source))
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  // Under .pipe() a source's error, and a close without an end, reach nobody else. What came before is still read.
  readonly #onSourceError = (error: Error): void => {
    this.#sourceError = error
    this.#endWire()
  }

  readonly #onSourceClose = (): void => {
    // What has ended in order is brought to its end by whoever pipes it in.
    const between = this.#feeder !== null && this.#feeder !== this.#source && !this.#feeder.destroyed
    if (between && this.#source?.readableEnded) return
    this.#endWire()
    // Nobody waits for a verdict any more, while what has been brought may still hold the peer's reason.
    if (!this.#connection?.security)
      setImmediate(() => this.#shuttle?.destroy(this.#sourceError ?? undefined))
  }

  #endWire(): void {
    this.#feeder?.unpipe?.(this)
    this.end()
  }

  #release(): void {
    this.#feeder?.off('close', this.#onSourceClose)
    this.#source?.off('close', this.#onSourceClose).off('error', this.#onSourceError)
    this.#source?.on('error', () => {}) // a late one must not end the process
    this.#shuttle?.destroy()
  }

  // --- the connection ----------------------------------------------------------------------------------

  #join(connection: Connection<In, Out>): void {
    this.#connection = connection
    connection.on('data', (message: In) => {
      if (!this.push(message)) connection.pause()
    })
    connection.on('end', () => {
      this.push(null)
      this.read(0)
    })
    connection.on('error', error => this.failure.settle(error))
    connection.on('close', () => this.end())
    connection.on('secure', () => this.emit('secure'))
    connection.on('messageError', (error, message) => this.emit('messageError', error, message))
    this.#settleOpened.resolve(connection)
  }

  override _read(): void {
    this.#connection?.resume()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#shuttle) this.#shuttle.bring(chunk, done)
    else done(noSource())
  }

  override _final(done: Done): void {
    if (this.#sourceError) this.#shuttle?.destroy(this.#sourceError)
    else this.#shuttle?.finish()
    done()
  }

  override _destroy(given: Error | null, done: Done): void {
    this.failure.over()
    const error = given && given === this.#sourceError ? transportFailure(given) : given
    const early = [...this.#early].filter(({ signal }) => !signal?.aborted)
    const unsent = this.outbound.writableLength + early.length
    const unread = this.readableLength
    this.outbound.destroy(error ?? undefined)
    this.#shuttle?.watchEnd()
    if (this.#connection) return this.#close(this.#connection, unread, error, done)
    const reason = error ?? new StalkError('ERR_STALK_ABORTED', 'destroyed before there was a connection')
    this.#settleOpened.reject(reason)
    this.#ended = unopened(reason, unsent)
    this.#release()
    done(error)
  }

  #close(connection: Connection<In, Out>, unread: number, error: Error | null, done: Done): void {
    connection.destroy(error ?? undefined)
    connection.outcome.then(outcome => {
      this.#ended = Object.freeze({ ...outcome, received: outcome.received - unread })
      this.#release()
      done(error)
    })
  }
}

const misuse = (code: 'ERR_STALK_NO_SOURCE' | 'ERR_STALK_SECOND_SOURCE', text: string): StalkError =>
  new StalkError(code, text, { phase: 'setup' })

const secondSource = (): StalkError =>
  misuse(
    'ERR_STALK_SECOND_SOURCE',
    'a second source was piped into wrap(), which cannot tell messages from the wire: ' +
      'pipe replies into wrapped.outbound, or use wrapped.send()'
  )

const notADuplex = (): StalkError =>
  misuse(
    'ERR_STALK_NO_SOURCE',
    'what was piped into wrap() can be read but not written, so that the handshake cannot be answered: ' +
      'pipe a duplex in, or name the transport with wrap({ transport })'
  )

const noSource = (): StalkError =>
  misuse(
    'ERR_STALK_NO_SOURCE',
    'bytes came in, but nothing was piped in that could be answered: ' +
      'use source.pipe(wrapped), or name the transport with wrap({ transport })'
  )
