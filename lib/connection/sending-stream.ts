// The sending half of a connection: what send, flush and write promise, and what may be asked of the peer. Knows
// envelopes, waits and the queue of a Writable; knows no wire, and not what ends a connection.

import { Duplex } from 'node:stream'
import { StalkError } from '../errors.ts'
import { givenUp } from '../option-checks.ts'
import { Backlog } from './backlog.ts'
import type { Controls } from './controls.ts'
import { Envelope, FlushRequest, type Outbox } from './outbox.ts'
import { notReady, SecureStream } from './secure-stream.ts'
import {
  type FlushOptions,
  flushPatience,
  type SendOptions,
  signalIn,
  type WaitOptions,
  Waits,
  waitPatience
} from './waits.ts'

type Done = (error?: Error | null) => void

export abstract class SendingStream<In, Out> extends SecureStream<In> {
  protected readonly waits = new Waits()
  protected readonly backlog = new Backlog()
  protected abstract readonly outbox: Outbox
  protected abstract readonly controls: Controls
  /** Why nothing leaves any more; null while something does. */
  protected abstract readonly endedBy: Error | null
  #whenFinished: (() => void)[] | null = null
  #gathering = false
  /** Whether `write` has returned false because of bytes. */
  #heavy = false

  /**
   * Sends a message. Fulfilled when it is encoded and on its way; until then it must not be changed.
   * Rejects with ERR_STALK_VALUE_UNSUPPORTED or ERR_STALK_MESSAGE_TOO_LARGE, which leave the connection as it
   * was, with ERR_STALK_ABORTED if `signal` was aborted before it was encoded (then it is not sent), with
   * ERR_STALK_NOT_WRITABLE after `end`, and otherwise with what ended the connection.
   */
  send(message: Out, options?: SendOptions): Promise<void> {
    const signal = signalIn(options)
    if (!this.writable) return Promise.reject(this.#notWritable('send'))
    if (signal?.aborted) return Promise.reject(givenUp(signal))
    return new Promise((resolve, reject) => {
      const envelope = new Envelope(message, false)
      const onAbort = (): void => {
        if (envelope.withdraw()) reject(givenUp(signal as AbortSignal))
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#post(envelope, error => {
        signal?.removeEventListener('abort', onAbort)
        if (error) reject(this.endedBy ?? error)
        else resolve()
      })
    })
  }

  /**
   * Fulfilled when everything written so far was handed to the transport; with `acked`, when the peer has said that
   * it has received it. Rejects with ERR_STALK_WAIT_TIMEOUT after `timeout` ms and with ERR_STALK_ABORTED for
   * `signal`, which leave the connection as it was, with ERR_STALK_UNACKNOWLEDGED if it ended without that word, and
   * otherwise with what ended the connection before.
   */
  flush(options: FlushOptions = {}): Promise<void> {
    const { acked, ...patience } = flushPatience(options)
    if (this.destroyed && !this.writableFinished) return Promise.reject(this.#notWritable('flush'))
    if (this.failure.error) return Promise.reject(this.failure.error)
    return this.waits.add('flush', patience, done => {
      this.#whenFlushed(acked ? () => this.#whenAcknowledged(done) : done)
    })
  }

  #whenFlushed(done: () => void): void {
    if (this.writableFinished) return done()
    if (this.writableEnded) return this.#onFinish(done)
    this.outbox.flushRequested()
    this.#queue(new FlushRequest(done))
  }

  // With one listener, however many wait.
  #onFinish(done: () => void): void {
    if (!this.#whenFinished) {
      const waiting: (() => void)[] = []
      this.#whenFinished = waiting
      this.once('finish', () => {
        for (const finished of waiting) finished()
      })
    }
    this.#whenFinished.push(done)
  }

  #whenAcknowledged(done: () => void): void {
    const { acknowledgements, goodbyes } = this.controls
    if (!acknowledgements.when(this.outbox.sent, done)) return
    if (this.closed)
      this.waits.fail(unacknowledged) // whoever waits still
    else if (!goodbyes.said) this.whenSecure(() => this.controls.ping()) // later the peer's goodbye has the count
  }

  #notWritable(what: string): StalkError {
    const why = this.errored ? `: ${this.errored.message}` : ''
    const text = `cannot ${what}: the connection ${this.destroyed ? 'is closed' : 'was ended'}${why}`
    return new StalkError('ERR_STALK_NOT_WRITABLE', text, { cause: this.errored ?? undefined })
  }

  /** As any Writable's; the callback is given what kept the message from leaving. */
  override write(message: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const callback = typeof encoding === 'function' ? encoding : done
    if (!callback || message === null) return this.#queue(message, callback)
    return this.#post(new Envelope(message, true), callback)
  }

  #post(envelope: Envelope, done: Done): boolean {
    return this.#queue(envelope, error => done(error ?? this.endedBy ?? envelope.refusal))
  }

  // Corked until the end of the tick: what is written in it goes together.
  #queue(item: unknown, done?: Done): boolean {
    if (!this.#gathering) {
      this.#gathering = true
      super.cork()
      process.nextTick(() => this.#release())
    }
    this.backlog.add(item instanceof Envelope ? item.message : item)
    const room = super.write(item, done)
    if (!room || !this.backlog.full) return room
    this.#heavy = true
    return false
  }

  // As Writable has it, and for bytes too. Not by `override`: node has an accessor here, its types have a property.
  static {
    Object.defineProperty(SendingStream.prototype, 'writableNeedDrain', {
      configurable: true,
      get(this: SendingStream<unknown, unknown>): boolean {
        return this.#nodeNeedsDrain || (this.#heavy && !this.destroyed && !this.writableEnded)
      }
    })
  }

  get #nodeNeedsDrain(): boolean {
    return Reflect.get(Duplex.prototype, 'writableNeedDrain', this)
  }

  #release(): void {
    if (!this.#gathering) return
    this.#gathering = false
    this.uncork()
  }

  /** As any Writable's: holds what is written from now on. */
  override cork(): void {
    this.#release()
    super.cork()
  }

  override _write(content: unknown, _encoding: BufferEncoding, done: Done): void {
    this.#take([content], done)
  }

  override _writev(chunks: { chunk: unknown }[], done: Done): void {
    const contents = chunks.map(({ chunk }) => chunk)
    this.#take(contents, done)
  }

  #take(contents: readonly unknown[], done: Done): void {
    this.backlog.take()
    this.outbox.take(contents, error => {
      this.backlog.release()
      if (this.#heavy) process.nextTick(() => this.#lighten())
      done(error)
    })
  }

  // node's own `drain` comes for the number of messages; this one where only their bytes were too many.
  #lighten(): void {
    if (this.backlog.full || !this.#heavy) return
    this.#heavy = false
    if (!this.#nodeNeedsDrain && !this.destroyed && !this.writableEnded) this.emit('drain')
  }

  /**
   * New keys for both directions (PROTOCOL.md, section 21.2). Fulfilled when both are in use. Rejects with
   * ERR_STALK_NOT_READY before `secure`, with ERR_STALK_NOT_WRITABLE after `end`, and with what ended the connection.
   */
  rekey(options: WaitOptions = {}): Promise<void> {
    return this.#ask('rekey', options, (done, declined) => this.controls.updateKeys(done, declined))
  }

  /** How long a ping and its pong take, in ms. Rejects as `rekey` does. */
  rtt(options: WaitOptions = {}): Promise<number> {
    const answered = this.#ask('rtt', options, (done, declined) => this.controls.ping(done, declined))
    return answered.then(() => this.controls.roundTripMs as number)
  }

  #ask(
    what: string,
    options: WaitOptions,
    begin: (done: () => void, declined: () => void) => void
  ): Promise<void> {
    const patience = waitPatience(options)
    if (!this.writable) return Promise.reject(this.#notWritable(what))
    if (!this.session) return Promise.reject(notReady())
    return this.waits.add(what, patience, (done, fail) => begin(done, () => fail(this.#notWritable(what))))
  }
}

export const unacknowledged = (): StalkError =>
  new StalkError(
    'ERR_STALK_UNACKNOWLEDGED',
    'the connection ended before the peer said that it got everything',
    {
      phase: 'closing'
    }
  )
