// The connection: an object-mode Duplex of messages, its life and its end. Knows lifecycle, timers, counts and
// public events; knows no byte on the wire and no key. What it sends goes through the outbox and the pipeline,
// what arrives comes from the pipeline, and parting.ts lets go of the transport.

import { errorMonitor } from 'node:events'
import type { Duplex } from 'node:stream'
import { MAX_EXPORT_BYTES } from './constants.ts'
import { ALERT, alertError, alertFor, type Phase, StalkError } from './errors.ts'
import { endWithReader } from './half-open.ts'
import type { Session } from './handshake/handshake.ts'
import type { Identity } from './identity/identity.ts'
import { MessageStream } from './message-stream.ts'
import { Envelope, FlushRequest, Outbox } from './outbox.ts'
import { kindOf, type Outcome } from './outcome.ts'
import { AFTER_ERROR, AFTER_GOODBYE, partFrom } from './parting.ts'
import { Pipeline, type PipelineConfig } from './pipeline.ts'
import type { Security } from './security.ts'
import { closeRecord, decodeControl, finalPong } from './wire/control.ts'
import type { Frame } from './wire/frame.ts'

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

const NOTHING = Symbol('nothing is held')

/** What `stalk()` and `connect()` give and `listener()` hands out. Made by them only. */
export class Connection<In = unknown, Out = unknown> extends MessageStream<In> {
  /** The duplex underneath. */
  readonly socket: Duplex
  /** Fulfilled when keys are agreed and both ends have accepted each other; rejected with why not. */
  readonly ready: Promise<void>
  /** How it ended. Fulfilled in every case, last of all. */
  readonly closed: Promise<Outcome>

  readonly #plan: Plan
  readonly #pipeline: Pipeline
  readonly #outbox: Outbox
  #settleReady: Settle = { resolve() {}, reject() {} }
  #outcome: Outcome | null = null
  #timer: NodeJS.Timeout | undefined

  #session: Session | null = null
  #secured: Secured | null = null
  #whenSecure: (() => void)[] = []

  #held: { readonly content: unknown; readonly done: Done } | null = null
  #carried: unknown = NOTHING
  readonly #flushes = new Set<Settle>()
  #goodbyeSent = false
  #endedBy: Error | null = null

  #inbox: unknown[] = []
  #inboxAt = 0
  #received = 0
  #acknowledged: number | null = null
  #goodbyeReceived = false
  #lastWordReceived = false

  constructor(transport: Duplex, plan: Plan) {
    const { readableHighWaterMark, writableHighWaterMark } = plan
    // Not autoDestroy: with it, a loop over the messages that comes to its end takes the unsent answers with it.
    const byItself = { allowHalfOpen: true, autoDestroy: false }
    super({ objectMode: true, readableHighWaterMark, writableHighWaterMark, ...byItself })
    this.socket = transport
    this.#plan = plan
    this.#pipeline = new Pipeline(transport, plan, {
      agreed: session => this.#onAgreed(session),
      messages: messages => this.#onMessages(messages),
      invalid: (error, message) => {
        this.#received += 1
        process.nextTick(() => this.#onMessageError('left out', error, message))
      },
      control: frame => this.#onControl(frame),
      sealed: messages => this.#outbox.sealed(messages),
      fault: error => this.destroy(this.#inPhase(error)),
      ended: () => this.#onEnded()
    })
    this.#outbox = new Outbox({
      write: batch => this.#pipeline.write(batch),
      flushed: done => this.#pipeline.flushed(done),
      messageError: (error, message) => this.#onMessageError('not sent', error, message)
    })
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    this.ready.catch(() => {}) // it is reported by `error` too; nobody has to wait for it
    this.closed = new Promise(resolve => {
      this.once('close', () => process.nextTick(() => resolve(this.#outcome as Outcome)))
    })
    if (!plan.allowHalfOpen) endWithReader(this, this)
    this.on('end', () => this.#onHalfEnded()).on('finish', () => this.#onHalfEnded())
    this.on(errorMonitor, error => this.destroy(error)) // a misuse that node reports without destroying
    process.nextTick(() => this.#start())
  }

  // --- who talks to whom -------------------------------------------------------------------------------

  /** The peer's address, where the transport has one. */
  get host(): string | undefined {
    return (this.socket as { remoteAddress?: string }).remoteAddress
  }

  /** The peer's port, where the transport has one. */
  get port(): number | undefined {
    return (this.socket as { remotePort?: number }).remotePort
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
    const envelope = new Envelope(message)
    return new Promise((resolve, reject) => {
      this.write(envelope, error => {
        if (error) reject(this.#endedBy ?? error)
        else if (envelope.refusal) reject(envelope.refusal)
        else resolve()
      })
    })
  }

  /**
   * Fulfilled when everything written so far was handed to the transport. Rejects with what ended the connection
   * before that.
   */
  flush(): Promise<void> {
    if (this.writableFinished) return Promise.resolve()
    if (this.destroyed) return Promise.reject(this.#notWritable('flush'))
    return new Promise((resolve, reject) => {
      const flush = { resolve, reject }
      this.#flushes.add(flush)
      const flushed = (): void => {
        this.#flushes.delete(flush)
        resolve()
      }
      if (this.writableEnded) return void this.once('finish', flushed)
      this.#outbox.flushRequested()
      this.write(new FlushRequest(flushed))
    })
  }

  #notWritable(what: string): StalkError {
    const why = this.errored ? `: ${this.errored.message}` : ''
    const text = `cannot ${what}: the connection ${this.destroyed ? 'is closed' : 'was ended'}${why}`
    return new StalkError('ERR_STALK_NOT_WRITABLE', text, { cause: this.errored ?? undefined })
  }

  // A message that comes alone waits for the end of the tick, so that those that follow it share its record.
  _write(content: unknown, _encoding: BufferEncoding, done: Done): void {
    if (this.#carried === NOTHING) {
      this.#held = { content, done }
      process.nextTick(() => this.#release())
      return
    }
    const carried = this.#carried
    this.#carried = NOTHING
    this.#outbox.send([carried, content], 1, done)
  }

  _writev(chunks: { chunk: unknown }[], done: Done): void {
    const contents = chunks.map(({ chunk }) => chunk)
    const carried = this.#carried
    this.#carried = NOTHING
    this.#outbox.send(carried === NOTHING ? contents : [carried, ...contents], contents.length, done)
  }

  // Where others wait behind the first message, its callback makes the stream hand them over at once, and all go
  // as one batch. Only if that batch is encoded right then: the callback tells the caller that the message is.
  #release(): void {
    if (!this.#held) return
    const { content, done } = this.#held
    this.#held = null
    const followed = this.writableLength > 1 && this.writableCorked === 0
    if (!followed || !this.#pipeline.idle) return this.#outbox.send([content], 1, done)
    this.#carried = content
    done()
  }

  #onMessageError(what: string, error: StalkError, message: unknown): void {
    if (this.emit('messageError', error, message)) return
    process.emitWarning(`a message was ${what}: ${error.message}`, {
      code: error.code,
      detail: "listen for 'messageError', or send with send(), to learn of it in the program"
    })
  }

  _final(done: Done): void {
    this.#afterSecure(() => {
      this.#sayGoodbye()
      this.#pipeline.flushed(() => {
        this.#awaitGoodbye()
        done()
      })
    })
  }

  #sayGoodbye(): void {
    this.#goodbyeSent = true
    this.#pipeline.control(closeRecord(this.#received))
  }

  // --- receiving ---------------------------------------------------------------------------------------

  _read(): void {
    if (this.#drainInbox()) this.#pipeline.resume()
  }

  #onMessages(messages: unknown[]): boolean {
    this.#timer?.refresh()
    this.#received += messages.length
    this.#inbox = messages
    this.#inboxAt = 0
    return this.#drainInbox()
  }

  /** Whether all is given away and the reader wants more. */
  #drainInbox(): boolean {
    while (this.#inboxAt < this.#inbox.length) {
      const message = this.#inbox[this.#inboxAt]
      this.#inboxAt += 1
      if (!this.push(message)) return false
    }
    this.#inbox = []
    this.#inboxAt = 0
    return true
  }

  #onControl(frame: Frame): void {
    this.#timer?.refresh()
    try {
      const control = decodeControl(frame)
      if (control.name === 'alert') throw alertError(control.code, this.#phase)
      this.#acknowledge(control.received)
      if (control.name === 'close') this.#onGoodbye()
      else this.#onLastWord()
    } catch (error) {
      this.destroy(error as StalkError)
    }
  }

  /** The final pong comes once, from whoever closed first, after both goodbyes. */
  #onLastWord(): void {
    if (!this.#goodbyeSent || !this.#goodbyeReceived || this.#lastWordReceived) {
      throw new StalkError('ERR_STALK_UNEXPECTED', 'the peer sent a pong that answers nothing')
    }
    this.#lastWordReceived = true
  }

  #acknowledge(count: number): void {
    if (count > this.#outbox.sent || count < (this.#acknowledged ?? 0)) {
      const text = `the peer claims to have received ${count} messages of ${this.#outbox.sent} sent`
      throw new StalkError('ERR_STALK_UNEXPECTED', text)
    }
    this.#acknowledged = count
  }

  #onGoodbye(): void {
    if (this.#goodbyeReceived) throw new StalkError('ERR_STALK_UNEXPECTED', 'the peer said goodbye twice')
    this.#goodbyeReceived = true
    this.#stopTimer()
    if (this.#goodbyeSent) this.#pipeline.control(finalPong(this.#received))
    this.push(null)
    this.read(0) // where nobody reads and nothing is left to read, that is the end all the same
  }

  #onEnded(): void {
    if (this.#goodbyeReceived && this.#goodbyeSent) return
    // The peer has said all that it had to say, and waits for us no more; our goodbye may still reach it.
    if (this.#goodbyeReceived && this.socket.writable) return void this.end()
    this.destroy(this.#truncated())
  }

  #truncated(): StalkError {
    const text = this.#goodbyeReceived
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
    const text = `no handshake within ${ms} ms: the peer is silent, slow, speaks no stalk, or has our role`
    this.destroy(new StalkError('ERR_STALK_HANDSHAKE_TIMEOUT', text, { phase: 'handshake' }))
  }

  #onAgreed(session: Session): void {
    this.#stopTimer()
    this.#session = session
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
    return this.#goodbyeSent || this.#goodbyeReceived ? 'closing' : 'open'
  }

  /** The codecs do not know how far a connection has come. */
  #inPhase(error: StalkError): StalkError {
    const phase = this.#phase
    if (error.phase !== 'open' || phase === 'open') return error
    return new StalkError(error.code, error.message, { phase, cause: error.cause })
  }

  /** Once our goodbye is out, silence of the peer has a limit; a reader of ours that is slow has none. */
  #awaitGoodbye(): void {
    if (this.#goodbyeReceived || this.destroyed) return
    const ms = this.#plan.closeTimeoutMs
    this.#timer = setTimeout(() => {
      if (this.readableLength > 0) return this.#awaitGoodbye()
      const text = `the peer did not say goodbye within ${ms} ms of ours`
      this.destroy(new StalkError('ERR_STALK_CLOSE_TIMEOUT', text, { phase: 'closing' }))
    }, ms)
  }

  #onHalfEnded(): void {
    if (this.readableEnded && this.writableFinished) this.destroy()
  }

  _destroy(given: Error | null, done: Done): void {
    this.#stopTimer()
    const waiting = this.#outbox.waiting(this.writableLength)
    // Finished: our goodbye was not only said but taken by the transport.
    const clean = given === null && this.writableFinished && this.#goodbyeReceived
    const error = given ?? (clean ? null : aborted(this.#phase))
    this.#endedBy = error ?? new StalkError('ERR_STALK_NOT_WRITABLE', 'the connection is closed')
    this.#settleReady.reject(this.#endedBy)
    this.#abandonWrites(this.#endedBy)
    void this.#part(error).then(() => {
      this.#pipeline.destroy()
      this.#outcome = this.#outcomeOf(error, waiting + this.#outbox.unsealed)
      done(given)
    })
  }

  #abandonWrites(reason: Error): void {
    const held = this.#held
    this.#held = null
    held?.done(reason)
    this.#outbox.abort(reason)
    for (const flush of this.#flushes) flush.reject(reason)
    this.#flushes.clear()
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

  #outcomeOf(error: Error | null, unsent: number): Outcome {
    const kind = kindOf(error)
    return Object.freeze({
      kind,
      ...(error instanceof StalkError && { code: error.code }),
      reason: error?.message ?? 'both ends said goodbye',
      sent: this.#outbox.sent,
      acknowledged: kind === 'rejected' ? 0 : this.#acknowledged,
      received: this.#received,
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
