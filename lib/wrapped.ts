// What stalk.wrap() gives: a stage for pipelines, wire in, messages out. Knows streams and how they are joined:
// who pipes into it is its transport, which it answers on its own. The connection it is made of is opened by
// whoever made it.
//
//   socket ──pipe──▶ wire in │ Wrapped │ messages out ──pipe──▶ app
//   socket ◀───── the answers ┘       └ outbound ◀──pipe── app

import { errorMonitor } from 'node:events'
import { Duplex, Writable } from 'node:stream'
import type { Connection } from './connection.ts'
import { StalkError, transportFailure } from './errors.ts'
import { endWithReader } from './half-open.ts'
import { MessageStream } from './message-stream.ts'
import type { Outcome } from './outcome.ts'

type Done = (error?: Error | null) => void

/** Opens the connection over a transport; `source` is what it reads and writes in the end. */
export type Open<In, Out> = (transport: Duplex, source: Duplex) => Connection<In, Out>

export class Wrapped<In = unknown, Out = unknown> extends MessageStream<In> {
  /** Messages for the peer go in here. */
  readonly outbound: Writable
  /** As a connection's. */
  readonly ready: Promise<void>
  /** As a connection's; never fulfilled while nothing was piped in. */
  readonly closed: Promise<Outcome>

  readonly #open: Open<In, Out>
  readonly #opened: Promise<Connection<In, Out>>
  #attached: (connection: Connection<In, Out>) => void = () => {}
  #source: Duplex | null = null
  #sourceError: Error | null = null
  #shuttle: Shuttle | null = null
  #connection: Connection<In, Out> | null = null

  constructor(open: Open<In, Out>, options: { allowHalfOpen: boolean; transport?: Duplex | undefined }) {
    super({ readableObjectMode: true, readableHighWaterMark: 1, allowHalfOpen: true, autoDestroy: false })
    this.#open = open
    this.#opened = new Promise(resolve => {
      this.#attached = resolve
    })
    this.ready = this.#opened.then(connection => connection.ready)
    this.ready.catch(() => {}) // reported by `error` too
    this.closed = this.#opened.then(connection => connection.closed)
    this.outbound = new Outbound(this.#opened)
    this.outbound.on('error', () => {}) // it fails with the connection, which reports it
    if (!options.allowHalfOpen) endWithReader(this, this.outbound)
    this.on('end', () => this.#onHalfEnded()).on('finish', () => this.#onHalfEnded())
    this.on(errorMonitor, error => this.destroy(error))
    this.on('pipe', (source: Duplex) => this.#attach(source))
    if (options.transport) this.#attach(options.transport)
  }

  /** The connection, once a source is known; else null. */
  get connection(): Connection<In, Out> | null {
    return this.#connection
  }

  /** As a connection's. */
  async send(message: Out): Promise<void> {
    return (await this.#opened).send(message)
  }

  /** As a connection's. */
  async flush(): Promise<void> {
    return (await this.#opened).flush()
  }

  #attach(source: Duplex): void {
    if (source === this.#source || this.destroyed) return
    const misuse = this.#misuse(source)
    if (misuse) return void this.destroy(misuse)
    this.#source = source
    this.#shuttle = new Shuttle(source)
    this.#watch(source)
    try {
      this.#join(this.#open(this.#shuttle, source))
    } catch (error) {
      this.destroy(error as Error)
    }
  }

  #misuse(source: Duplex): StalkError | null {
    if (this.#source) {
      const text =
        'a second source was piped into wrap(), which cannot tell messages from the wire: ' +
        'pipe replies into wrapped.outbound, or use wrapped.send()'
      return new StalkError('ERR_STALK_SECOND_SOURCE', text, { phase: 'setup' })
    }
    if (typeof source.write === 'function') return null
    const text =
      'what was piped into wrap() can be read but not written, so that the handshake cannot be answered: ' +
      'pipe a duplex in, or name the transport with wrap({ transport })'
    return new StalkError('ERR_STALK_NO_SOURCE', text, { phase: 'setup' })
  }

  // Under .pipe() a source's error, and a close without an end, reach nobody else. What came before is still read.
  #watch(source: Duplex): void {
    source.on('error', error => {
      this.#sourceError = error
      this.end()
    })
    source.on('close', () => this.end())
  }

  #join(connection: Connection<In, Out>): void {
    this.#connection = connection
    connection.on('data', (message: In) => {
      if (!this.push(message)) connection.pause()
    })
    connection.on('end', () => {
      this.push(null)
      this.read(0)
    })
    connection.on('error', error => this.destroy(error))
    connection.on('close', () => this.end())
    connection.on('secure', () => this.emit('secure'))
    connection.on('messageError', (error, message) => this.emit('messageError', error, message))
    this.#attached(connection)
  }

  _read(): void {
    this.#connection?.resume()
  }

  _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#shuttle) return this.#shuttle.bring(chunk, done)
    const text =
      'bytes came in, but nothing was piped in that could be answered: ' +
      'use source.pipe(wrapped), or name the transport with wrap({ transport })'
    done(new StalkError('ERR_STALK_NO_SOURCE', text, { phase: 'setup' }))
  }

  _final(done: Done): void {
    if (this.#sourceError) this.#shuttle?.destroy(this.#sourceError)
    else this.#shuttle?.push(null)
    done()
  }

  #onHalfEnded(): void {
    if (this.readableEnded && this.writableFinished) this.destroy()
  }

  _destroy(error: Error | null, done: Done): void {
    const connection = this.#connection
    const reason = error && error === this.#sourceError ? transportFailure(error) : error
    this.outbound.destroy(reason ?? undefined)
    if (!connection) return done(reason)
    connection.destroy(reason ?? undefined)
    connection.closed.then(() => done(reason))
  }
}

/** Writes messages to a connection as soon as there is one. */
class Outbound extends Writable {
  readonly #opened: Promise<Connection>
  #connection: Connection | null = null

  constructor(opened: Promise<Connection<unknown, unknown>>) {
    super({ objectMode: true })
    this.#opened = opened
  }

  override _construct(done: Done): void {
    done()
    this.#opened.then(connection => {
      this.#connection = connection
      connection.on('close', () => this.destroy(connection.errored ?? undefined))
    })
  }

  override _write(message: unknown, _encoding: BufferEncoding, done: Done): void {
    this.#then(connection => connection.write(message, done))
  }

  override _writev(chunks: { chunk: unknown }[], done: Done): void {
    const last = chunks.length - 1
    this.#then(connection => {
      chunks.forEach(({ chunk }, index) => {
        connection.write(chunk, index === last ? done : undefined)
      })
    })
  }

  override _final(done: Done): void {
    this.#then(connection => {
      connection.end(done)
    })
  }

  #then(action: (connection: Connection) => void): void {
    if (this.#connection) action(this.#connection)
    else this.#opened.then(action)
  }
}

/** The transport of the connection: reads what was piped into Wrapped, writes to the source itself. */
class Shuttle extends Duplex {
  readonly #source: Duplex
  #taken: Done | null = null
  #drained: Done | null = null

  constructor(source: Duplex) {
    super({ allowHalfOpen: true })
    this.#source = source
    source.on('drain', () => this.#onDrain())
  }

  /** A chunk of the wire; `done` asks for the next. */
  bring(chunk: Buffer, done: Done): void {
    if (this.destroyed) return done() // the connection is over; what still comes is dropped
    if (this.push(chunk)) done()
    else this.#taken = done
  }

  override _read(): void {
    const done = this.#taken
    this.#taken = null
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#source.write(chunk)) done()
    else this.#drained = done
  }

  override _final(done: Done): void {
    if (!this.#source.writable) return done()
    this.#source.end(() => done())
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#source.destroy()
    this._read()
    done(error)
  }

  #onDrain(): void {
    const done = this.#drained
    this.#drained = null
    done?.()
  }
}
