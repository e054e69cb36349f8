// The connection: an object-mode Duplex of messages, its life and its end. Knows lifecycle, timers, counts and
// public events; knows no byte on the wire and no key. What it sends goes through the outbox and the pipeline,
// what arrives comes from the pipeline, and parting.ts lets go of the transport.

import type { Duplex } from 'node:stream'
import { MAX_EXPORT_BYTES } from '../constants.ts'
import { ALERT, alertError, alertFor, type Phase, StalkError } from '../errors.ts'
import type { Session } from '../handshake/handshake.ts'
import type { Identity } from '../identity/identity.ts'
import { Pipeline, type PipelineConfig } from '../pipeline.ts'
import type { Security } from '../security.ts'
import { closeRecord, decodeControl, finalPong } from '../wire/control.ts'
import type { Frame } from '../wire/frame.ts'
import { Goodbyes } from './goodbyes.ts'
import { endWithReader } from './half-open.ts'
import { Inbox } from './inbox.ts'
import { MessageStream } from './message-stream.ts'
import { Envelope, FlushRequest, Outbox } from './outbox.ts'
import { kindOf, type Outcome } from './outcome.ts'
import { AFTER_ERROR, AFTER_GOODBYE, partFrom } from './parting.ts'

/** What stalk.ts makes of the options. */
export interface Plan extends PipelineConfig {
  readonly handshakeTimeoutMs: number
  readonly closeTimeoutMs: number
  readonly allowHalfOpen: boolean
  readonly readableHighWaterMark: number
  readonly writableHighWaterMark: number
  /** Who is who, once keys are agreed. */
  secured(session: Session): Secured
}

export interface Secured {
  readonly security: Security
  /** Who we have shown ourselves to be. */
  readonly identity: Identity | null
  /** The key that the peer has proved, whether or not anybody asked for it. */
  readonly claimedPeerIdentity: Identity | null
}

type Done = (error?: Error | null) => void

/** What `stalk()` and `connect()` give and `listener()` hands out. Made by them only. */
export class Connection<In = unknown, Out = unknown> extends MessageStream<In> {
  /** The duplex underneath. */
  readonly socket: Duplex
  /** Fulfilled when keys are agreed and both ends have accepted each other; rejected with why not. */
  readonly ready: Promise<void>
  /** How it ended. Fulfilled in every case, last of all. */
  readonly outcome: Promise<Outcome>

  readonly #plan: Plan
  readonly #pipeline: Pipeline
  readonly #inbox = new Inbox()
  readonly #outbox: Outbox
  readonly #goodbyes = new Goodbyes()
  readonly #flushes = new Set<Settle>()
  #settleReady: Settle = { resolve() {}, reject() {} }
  #outcome: Outcome | null = null
  #endedBy: Error | null = null
  #parted: Promise<void> | null = null
  #afterword: StalkError | null = null
  #timer: NodeJS.Timeout | undefined

  #session: Session | null = null
  #secured: Secured | null = null
  #address: { readonly host: string | undefined; readonly port: number | undefined } | null = null
  #whenSecure: (() => void)[] = []

  constructor(transport: Duplex, plan: Plan) {
    const { readableHighWaterMark, writableHighWaterMark } = plan
    super({ objectMode: true, readableHighWaterMark, writableHighWaterMark }, plan.closeTimeoutMs)
    this.socket = transport
    this.#plan = plan
    this.#pipeline = new Pipeline(transport, plan, {
      agreed: session => this.#onAgreed(session),
      messages: messages => this.#onMessages(messages),
      invalid: (error, message) => {
        this.#inbox.leaveOut()
        process.nextTick(() => this.#onMessageError('left out', error, message))
      },
      control: frame => this.#onControl(frame),
      sealed: messages => this.#outbox.sealed(messages),
      gone: fault => this.#onGone(fault),
      fault: error => this.#fail(this.#inPhase(error)),
      ended: () => this.#onEnded()
    })
    this.#outbox = new Outbox(
      {
        idle: () => this.#pipeline.idle,
        write: batch => this.#pipeline.write(batch),
        flushed: done => this.#pipeline.flushed(done),
        messageError: (error, message) => this.#onMessageError('not sent', error, message)
      },
      () => this.writableLength > 1 && this.writableCorked === 0
    )
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    this.ready.catch(() => {}) // it is reported by `error` too; nobody has to wait for it
    this.outcome = new Promise(resolve => {
      this.once('close', () => process.nextTick(() => resolve(this.#outcome as Outcome)))
    })
    if (!plan.allowHalfOpen) endWithReader(this, this.loops, this)
    process.nextTick(() => this.#start())
  }

  // --- who talks to whom -------------------------------------------------------------------------------

  /** The peer's address, where the transport has one. */
  get host(): string | undefined {
    return this.#address?.host ?? (this.socket as { remoteAddress?: string }).remoteAddress
  }

  /** The peer's port, where the transport has one. */
  get port(): number | undefined {
    return this.#address?.port ?? (this.socket as { remotePort?: number }).remotePort
  }

  /** Who we have shown ourselves to be; null before `secure` and if we are anonymous. */
  get identity(): Identity | null {
    return this.#secured?.identity ?? null
  }

  /** Who the peer is, if it is authenticated; else null. */
  get peerIdentity(): Identity | null {
    return this.security?.peerIdentity ?? null
  }

  /** The key that the peer has proved to hold, whether or not anybody vouches for it. */
  get claimedPeerIdentity(): Identity | null {
    return this.#secured?.claimedPeerIdentity ?? null
  }

  /** The cipher suite's name; null before `secure`. */
  get cipher(): string | null {
    return this.security?.suite ?? null
  }

  /** What both ends know of each other; null before `secure`. Frozen. */
  get security(): Security | null {
    return this.#secured?.security ?? null
  }

  /**
   * `length` bytes, 1 to 8,160, that both ends of this connection can compute and nobody else (RFC 8446, section
   * 7.5). Throws ERR_STALK_NOT_READY before `secure`, ERR_STALK_INVALID_OPTION for another length.
   */
  exportKeyingMaterial(label: string, context: string | Uint8Array, length: number): Buffer {
    if (!this.#session) throw new StalkError('ERR_STALK_NOT_READY', 'no keys are agreed yet; wait for ready')
    if (typeof label !== 'string' || (typeof context !== 'string' && !(context instanceof Uint8Array))) {
      throw new StalkError('ERR_STALK_INVALID_OPTION', 'label must be a string, context a string or bytes')
    }
    if (!Number.isInteger(length) || length < 1 || length > MAX_EXPORT_BYTES) {
      throw new StalkError('ERR_STALK_INVALID_OPTION', `length must be from 1 to ${MAX_EXPORT_BYTES} bytes`)
    }
    return this.#session.exporter.export(Buffer.from(label), Buffer.from(context as string), length)
  }

  // --- sending -----------------------------------------------------------------------------------------

  /**
   * Sends a message. Fulfilled when it is encoded and on its way; until then it must not be changed.
   * Rejects with ERR_STALK_VALUE_UNSUPPORTED or ERR_STALK_MESSAGE_TOO_LARGE, which leave the connection as it
   * was, with ERR_STALK_NOT_WRITABLE after `end`, and otherwise with what ended the connection.
   */
  send(message: Out): Promise<void> {
    if (!this.writable) return Promise.reject(this.#notWritable('send'))
    return new Promise((resolve, reject) => {
      this.#post(new Envelope(message, false), error => (error ? reject(this.#endedBy ?? error) : resolve()))
    })
  }

  /**
   * Fulfilled when everything written so far was handed to the transport. Rejects with what ended the connection
   * before that.
   */
  flush(): Promise<void> {
    if (this.writableFinished) return Promise.resolve()
    if (this.destroyed) return Promise.reject(this.#notWritable('flush'))
    if (this.failure.error) return Promise.reject(this.failure.error)
    return new Promise((resolve, reject) => {
      const flush = { resolve, reject }
      this.#flushes.add(flush)
      const flushed = (): void => {
        this.#flushes.delete(flush)
        resolve()
      }
      if (this.writableEnded) return void this.once('finish', flushed)
      this.#outbox.flushRequested()
      super.write(new FlushRequest(flushed))
    })
  }

  #notWritable(what: string): StalkError {
    const why = this.errored ? `: ${this.errored.message}` : ''
    const text = `cannot ${what}: the connection ${this.destroyed ? 'is closed' : 'was ended'}${why}`
    return new StalkError('ERR_STALK_NOT_WRITABLE', text, { cause: this.errored ?? undefined })
  }

  /** As any Writable's; the callback is given what kept the message from leaving. */
  override write(message: unknown, encoding?: BufferEncoding | Done, done?: Done): boolean {
    const callback = typeof encoding === 'function' ? encoding : done
    if (!callback || message === null) return super.write(message, callback)
    return this.#post(new Envelope(message, true), callback)
  }

  #post(envelope: Envelope, done: Done): boolean {
    return super.write(envelope, error => done(error ?? this.#endedBy ?? envelope.refusal))
  }

  override _write(content: unknown, _encoding: BufferEncoding, done: Done): void {
    this.#outbox.take(content, done)
  }

  override _writev(chunks: { chunk: unknown }[], done: Done): void {
    const contents = chunks.map(({ chunk }) => chunk)
    this.#outbox.takeAll(contents, done)
  }

  #onMessageError(what: string, error: StalkError, message: unknown): void {
    if (this.emit('messageError', error, message)) return
    process.emitWarning(`a message was ${what}: ${error.message}`, {
      code: error.code,
      detail: "listen for 'messageError', or send with send(), to learn of it in the program"
    })
  }

  override _final(done: Done): void {
    this.#afterSecure(() => {
      if (this.#endedBy) return // it will not be said; destroying the connection is what ends this
      this.#goodbyes.say()
      this.#pipeline.control(closeRecord(this.#inbox.arrived))
      this.#pipeline.flushed(() => {
        this.#awaitGoodbye()
        done()
      })
    })
  }

  // --- receiving ---------------------------------------------------------------------------------------

  override _read(): void {
    if (this.#inbox.empty(message => this.push(message))) this.#pipeline.resume()
  }

  // On a tick of its own: what a reader's handler throws is to reach the process, and pipes above would catch it.
  #onMessages(messages: unknown[]): void {
    this.#timer?.refresh()
    this.#inbox.fill(messages)
    process.nextTick(() => {
      if (!this.destroyed) this._read()
    })
  }

  #onControl(frame: Frame): void {
    this.#timer?.refresh()
    try {
      const control = decodeControl(frame)
      if (control.name === 'alert') throw alertError(control.code, this.#phase)
      if (control.name === 'close') this.#onGoodbye(control.received)
      else this.#goodbyes.hearLastWord(control.received, this.#outbox.sent)
    } catch (error) {
      this.#fail(error as StalkError)
    }
  }

  #onGoodbye(received: number): void {
    this.#goodbyes.hear(received, this.#outbox.sent)
    this.#stopTimer()
    if (this.#goodbyes.said) this.#pipeline.control(finalPong(this.#inbox.arrived))
    this.push(null)
    this.read(0) // where nobody reads and nothing is left to read, that is the end all the same
  }

  #onEnded(): void {
    if (this.#goodbyes.heard && this.#goodbyes.said) return
    // The peer waits for us no more. It has missed nothing if it has got all that we had to say.
    const unsent = this.#outbox.waiting(this.writableLength) + this.#outbox.unsealed
    const missed = unsent > 0 || this.#outbox.sent > (this.#goodbyes.acknowledged ?? 0)
    if (this.#goodbyes.heard && this.socket.writable && !missed) return void this.end()
    this.#fail(this.#truncated())
  }

  #truncated(): StalkError {
    const text = this.#goodbyes.heard
      ? 'the transport ended before our goodbye: the peer did not wait for what we still had to say'
      : this.#session
        ? 'the transport ended without a goodbye: what the peer still had to say is lost'
        : 'the transport ended before the handshake was complete'
    return new StalkError('ERR_STALK_TRUNCATED', text, { phase: this.#phase })
  }

  // --- life and end ------------------------------------------------------------------------------------

  #start(): void {
    if (this.destroyed) return
    const ms = this.#plan.handshakeTimeoutMs
    this.#timer = setTimeout(() => this.#onHandshakeTimeout(ms), ms)
    this.#pipeline.start()
  }

  #stopTimer(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #onHandshakeTimeout(ms: number): void {
    const text = `no handshake within ${ms} ms: the peer is silent, slow, speaks no stalk or has our role, or our own policy has not answered`
    this.destroy(new StalkError('ERR_STALK_HANDSHAKE_TIMEOUT', text, { phase: 'handshake' }))
  }

  #onAgreed(session: Session): void {
    this.#stopTimer()
    this.#session = session
    this.#address = { host: this.host, port: this.port } // a socket forgets it when it closes
    this.#secured = this.#plan.secured(session)
    // On the next tick, still before the first message: what listeners do is not to happen inside the handshake.
    process.nextTick(() => {
      if (this.destroyed) return
      this.emit('secure')
      this.#settleReady.resolve()
      for (const action of this.#whenSecure.splice(0)) action()
    })
  }

  #afterSecure(action: () => void): void {
    if (this.#session) action()
    else this.#whenSecure.push(action)
  }

  get #phase(): Phase {
    if (!this.#session) return 'handshake'
    return this.#goodbyes.said || this.#goodbyes.heard ? 'closing' : 'open'
  }

  /** The codecs do not know how far a connection has come. */
  #inPhase(error: StalkError): StalkError {
    const phase = this.#phase
    if (error.phase !== 'open' || phase === 'open') return error
    return new StalkError(error.code, error.message, { phase, cause: error.cause })
  }

  /** Once our goodbye is out, silence of the peer has a limit; a reader of ours that is slow has none. */
  #awaitGoodbye(): void {
    if (this.#goodbyes.heard || this.#endedBy) return
    const ms = this.#plan.closeTimeoutMs
    this.#timer = setTimeout(() => {
      if (this.readableLength > 0) return this.#awaitGoodbye()
      const text = `the peer did not say goodbye within ${ms} ms of ours`
      this.destroy(new StalkError('ERR_STALK_CLOSE_TIMEOUT', text, { phase: 'closing' }))
    }, ms)
  }

  /** The transport is gone, though what it brought is still on its way to the reader. */
  #onGone(fault: StalkError | null): void {
    if (!this.#session || this.writableFinished || this.#endedBy) return
    const error = fault ? this.#inPhase(fault) : this.#truncated()
    this.#stopWriting(error)
    this.failure.announce(error)
  }

  /** Ends it once all that came before has been read. */
  #fail(error: StalkError): void {
    if (this.destroyed) return this.#onAfterword(error)
    this.#stopTimer()
    this.#stopWriting(error)
    this.#parted ??= this.#part(error)
    this.failure.settle(error)
  }

  /** The peer finds fault with what we said after its goodbye, or does not keep to the protocol to the end. */
  #onAfterword(error: StalkError): void {
    const both = this.#goodbyes.said && this.#goodbyes.heard
    if (both && error.fault !== 'transport') this.#afterword ??= error
  }

  /** Nothing leaves from now on, and whoever waits for it is told. */
  #stopWriting(error: Error): void {
    this.#endedBy ??= error
    this.#settleReady.reject(error)
    this.#outbox.close()
    this.#rejectFlushes(error)
  }

  #rejectFlushes(error: Error): void {
    for (const flush of this.#flushes) flush.reject(error)
    this.#flushes.clear()
  }

  override _destroy(given: Error | null, done: Done): void {
    this.#stopTimer()
    this.failure.over()
    const waiting = this.#outbox.waiting(this.writableLength)
    const unread = this.readableLength + this.#inbox.waiting
    // Finished: our goodbye was not only said but taken by the transport.
    const clean = given === null && this.writableFinished && this.#goodbyes.heard
    const error = this.failure.error ?? given ?? (clean ? null : aborted(this.#phase))
    this.#endedBy = error ?? new StalkError('ERR_STALK_NOT_WRITABLE', 'the connection is closed')
    this.#settleReady.reject(this.#endedBy)
    this.#outbox.close(this.#endedBy)
    this.#rejectFlushes(this.#endedBy)
    this.#parted ??= this.#part(error)
    void this.#parted.then(() => {
      this.#pipeline.destroy()
      const late = error === null ? this.#afterword : null
      this.#outcome = this.#outcomeOf(error ?? late, waiting + this.#outbox.unsealed, unread)
      done(given ?? late)
    })
  }

  #part(error: Error | null): Promise<void> {
    const flushed = (done: () => void): void => this.#pipeline.flushed(done)
    if (error === null) return partFrom(this.socket, AFTER_GOODBYE, flushed)
    this.#pipeline.stop()
    const alert = error instanceof StalkError ? alertFor(error.code) : ALERT.internal
    if (alert !== null && this.socket.writable) {
      this.#pipeline.alert(alert)
      return partFrom(this.socket, AFTER_ERROR, flushed)
    }
    this.socket.destroy()
    return partFrom(this.socket, AFTER_ERROR, flushed)
  }

  #outcomeOf(error: Error | null, unsent: number, unread: number): Outcome {
    const kind = kindOf(error)
    return Object.freeze({
      kind,
      ...(error instanceof StalkError && { code: error.code }),
      reason: error?.message ?? 'both ends said goodbye',
      sent: this.#outbox.sent,
      acknowledged: kind === 'rejected' ? 0 : this.#goodbyes.acknowledged,
      received: this.#inbox.arrived - unread,
      unsent
    })
  }
}

const aborted = (phase: Phase): StalkError =>
  new StalkError('ERR_STALK_ABORTED', 'the connection was destroyed before both ends said goodbye', { phase })

interface Settle {
  resolve(): void
  reject(error: Error): void
}
