// The connection: an object-mode Duplex of messages, its life and its end. Knows lifecycle, timers, counts and
// public events; knows no byte on the wire and no key. What it sends goes through the outbox and the pipeline,
// what arrives comes from the pipeline, and parting.ts lets go of the transport.

import type { Duplex } from 'node:stream'
import { ALERT, alertFor, type Phase, StalkError } from '../errors.ts'
import type { Role } from '../handshake/flight.ts'
import type { Session } from '../handshake/handshake.ts'
import { Pipeline, type PipelineConfig } from '../pipeline/pipeline.ts'
import type { Frame } from '../wire/frame.ts'
import type { Arrived } from '../wire/message.ts'
import { contentBytes, type Inner } from '../wire/record.ts'
import { Controls } from './controls.ts'
import type { Counters } from './counters.ts'
import * as diagnostics from './diagnostics.ts'
import { endWithReader } from './half-open.ts'
import { Inbox } from './inbox.ts'
import { Deadline, Liveness, type LivenessLimits } from './liveness.ts'
import { Outbox } from './outbox.ts'
import { kindOf, type Outcome } from './outcome.ts'
import { AFTER_ERROR, AFTER_GOODBYE, partFrom } from './parting.ts'
import type { Secured } from './secure-stream.ts'
import { SendingStream, unacknowledged } from './sending-stream.ts'
import { type ConnectionSummary, type State, summaryOf } from './summary.ts'

/** What stalk.ts makes of the options. */
export interface Plan extends PipelineConfig, LivenessLimits {
  readonly role: Role
  readonly handshakeTimeoutMs: number
  readonly closeTimeoutMs: number
  /** How long a key serves. */
  readonly rekeyAfterMs: number
  readonly allowHalfOpen: boolean
  readonly readableHighWaterMark: number
  readonly writableHighWaterMark: number
  /** Who is who, once keys are agreed. */
  secured(session: Session): Secured
}

type Done = (error?: Error | null) => void

/** What `stalk()` and `connect()` give and `listener()` hands out. Made by them only. */
export class Connection<In = unknown, Out = unknown> extends SendingStream<In, Out> {
  /** Fulfilled when keys are agreed and both ends have accepted each other; rejected with why not. */
  readonly ready: Promise<void>
  /** How it ended. Fulfilled in every case, last of all. */
  readonly outcome: Promise<Outcome>

  readonly #role: Role
  /** What it takes to know who is who; null when that is known: most connections live far longer than that. */
  #secured: Plan['secured'] | null
  readonly #pipeline: Pipeline
  readonly #inbox = new Inbox()
  protected override readonly outbox: Outbox
  protected override readonly controls: Controls
  readonly #liveness: Liveness
  #settleReady: Settle = SETTLED
  #outcome: Outcome | null = null
  protected override endedBy: Error | null = null
  #parted: Promise<void> | null = null
  #afterword: StalkError | null = null
  /** Whether the transport has taken our goodbye. */
  #goodbyeTaken = false
  #handshakeDeadline: Deadline
  readonly #closeDeadline: Deadline
  readonly #keyAge: Deadline

  constructor(transport: Duplex, plan: Plan) {
    const { readableHighWaterMark, writableHighWaterMark } = plan
    super(transport, { readableHighWaterMark, writableHighWaterMark }, plan.closeTimeoutMs)
    this.#role = plan.role
    this.#secured = plan.secured
    this.#pipeline = new Pipeline(transport, plan, {
      agreed: session => this.#onAgreed(session),
      messages: arrived => this.#onMessages(arrived),
      invalid: (error, message) => {
        this.#inbox.leaveOut()
        diagnostics.refused(this, this.#role, 'inbound', error)
        process.nextTick(() => this.#onMessageError('left out', error, message))
      },
      control: frame => this.#onControl(frame),
      sealed: inner => this.#onSealed(inner),
      heard: () => this.#onHeard(),
      part: more => this.#liveness.part(more),
      written: (waiting, taken) => this.#onWritten(waiting, taken),
      keyDue: () => this.#renewKeys(),
      rekeyed: (direction, epoch) => diagnostics.rekeyed(this, this.#role, direction, epoch),
      gone: fault => this.#onGone(fault),
      fault: error => this.#fail(this.#inPhase(error)),
      ended: () => this.#onEnded()
    })
    this.outbox = new Outbox({
      write: batch => this.#pipeline.write(batch),
      flushed: done => this.#pipeline.flushed(done),
      refused: error => diagnostics.refused(this, this.#role, 'outbound', error),
      messageError: (error, message) => this.#onMessageError('not sent', error, message)
    })
    this.controls = new Controls({
      send: record => this.#pipeline.control(record),
      updateKeys: () => this.#pipeline.updateKeys(),
      ticket: ticket => this.keepTicket(ticket),
      received: () => this.#inbox.arrived,
      sent: () => this.outbox.sent
    })
    this.#liveness = new Liveness(plan, {
      ping: () => this.controls.ping(),
      pinging: () => this.controls.pinging,
      fail: error => this.#fail(this.#inPhase(error)),
      holding: () => this.#inbox.full || this.#pipeline.checking,
      busy: () => this.unread > 0 || this.writableLength > 0
    })
    const { handshakeTimeoutMs } = plan
    this.#handshakeDeadline = new Deadline(handshakeTimeoutMs, ms => this.#onHandshakeTimeout(ms), true, true)
    this.#closeDeadline = new Deadline(plan.closeTimeoutMs, ms => this.#onCloseTimeout(ms), true)
    this.#keyAge = new Deadline(plan.rekeyAfterMs, () => this.#renewKeys())
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = { resolve, reject }
    })
    this.ready.catch(() => {}) // it is reported by `error` too; nobody has to wait for it
    this.outcome = new Promise(resolve => {
      this.once('close', () => process.nextTick(() => resolve(this.#outcome as Outcome)))
    })
    if (!plan.allowHalfOpen) endWithReader(this, this.loops, this)
    process.nextTick(() => this.#start())
    diagnostics.opened(this, this.#role)
  }

  /** What was said so far, in both directions. */
  get counters(): Counters {
    const { inbound, outbound } = this.#pipeline.counts
    return Object.freeze({
      inbound: Object.freeze({ ...inbound, messages: this.#inbox.arrived }),
      outbound: Object.freeze({ ...outbound, messages: this.outbox.sent }),
      acknowledged: this.controls.acknowledgements.received,
      roundTrip: this.controls.roundTripMs
    })
  }

  /** Who talks, how far it has come, and what went over it. */
  override toJSON(): ConnectionSummary {
    return summaryOf(this, this.#role, this.#state, this.#outcome)
  }

  get #state(): State {
    if (this.#outcome) return 'closed'
    if (this.endedBy) return 'closing'
    return this.#phase
  }

  // --- sending -----------------------------------------------------------------------------------------

  #onMessageError(what: string, error: StalkError, message: unknown): void {
    if (this.emit('messageError', error, message)) return
    process.emitWarning(`a message was ${what}: ${error.message}`, {
      code: error.code,
      detail: "listen for 'messageError', or send with send(), to learn of it in the program"
    })
  }

  #onSealed(inner: Inner): void {
    const { messages = 0 } = inner
    this.outbox.sealed(messages)
    this.backlog.encoded(contentBytes(inner), messages)
    this.controls.sealed(inner)
    if (messages > 0) this.#liveness.active()
  }

  /** A key has done enough, or is old enough. */
  #renewKeys(): void {
    if (this.endedBy || this.controls.goodbyes.said || this.controls.rekeying) return
    this.controls.updateKeys()
  }

  override _final(done: Done): void {
    this.whenSecure(() => {
      if (this.endedBy) return // it will not be said; destroying the connection is what ends this
      this.controls.sayGoodbye()
      this.#liveness.closing()
      this.#closeDeadline.start()
      this.#pipeline.flushed(() => {
        this.#goodbyeTaken = true
        if (this.controls.goodbyes.heard) this.#closeDeadline.stop()
        done()
      })
    })
  }

  // --- receiving ---------------------------------------------------------------------------------------

  /** What has arrived and was not read. */
  protected override get unread(): number {
    return this.readableLength + this.#inbox.waiting
  }

  override _read(): void {
    this.#liveness.active()
    const held = this.#inbox.full
    const emptied = this.#inbox.empty(message => this.push(message))
    this.failure.onRead()
    if (held && !this.#inbox.full) this.#liveness.released()
    if (!this.#inbox.full) this.#pipeline.resume()
    if (emptied && this.controls.goodbyes.heard) this.push(null)
  }

  // On a tick of its own: what a reader's handler throws is to reach the process, and pipes above would catch it.
  #onMessages(arrived: Arrived): void {
    this.#liveness.active()
    this.#liveness.released()
    this.#inbox.fill(arrived)
    if (this.#inbox.full) this.#pipeline.pause()
    process.nextTick(() => {
      if (!this.destroyed && this.readableLength < this.readableHighWaterMark) this._read()
    })
  }

  #onWritten(waiting: number, taken: boolean): void {
    this.#liveness.written(waiting, taken)
    if (taken) this.#closeDeadline.refresh()
  }

  #onHeard(): void {
    this.#liveness.heard()
    this.#closeDeadline.refresh()
  }

  #onControl(frame: Frame): void {
    try {
      const control = this.controls.hear(frame)
      if (control.name === 'close') this.#onGoodbye()
      if (control.name === 'keyUpdate' && !this.destroyed) this.#keyAge.start()
    } catch (error) {
      this.#fail(this.#inPhase(error as StalkError))
    }
  }

  #onGoodbye(): void {
    if (this.#goodbyeTaken) this.#closeDeadline.stop()
    if (this.#inbox.waiting > 0) return // it comes behind them
    this.push(null)
    this.read(0) // where nobody reads and nothing is left to read, that is the end all the same
  }

  #onEnded(): void {
    if (this.controls.goodbyes.heard && this.controls.goodbyes.said) return
    // The peer waits for us no more. It has missed nothing if it has got all that we had to say.
    const unsent = this.outbox.waiting(this.writableLength) + this.outbox.unsealed
    const missed = unsent > 0 || this.outbox.sent > (this.controls.acknowledgements.received ?? 0)
    if (this.controls.goodbyes.heard && this.socket.writable && !missed) return void this.end()
    this.#fail(this.#truncated())
  }

  #truncated(): StalkError {
    const text = this.controls.goodbyes.heard
      ? 'the transport ended before our goodbye: the peer did not wait for what we still had to say'
      : this.session
        ? 'the transport ended without a goodbye: what the peer still had to say is lost'
        : 'the transport ended before the handshake was complete'
    return new StalkError('ERR_STALK_TRUNCATED', text, { phase: this.#phase })
  }

  // --- life and end ------------------------------------------------------------------------------------

  #start(): void {
    if (this.destroyed) return
    this.#handshakeDeadline.start()
    this.#pipeline.start()
  }

  #stopTimers(): void {
    for (const deadline of [this.#handshakeDeadline, this.#closeDeadline, this.#keyAge]) deadline.stop()
    this.#liveness.stop()
    this.controls.close()
  }

  #onHandshakeTimeout(ms: number): void {
    const text = `no handshake within ${ms} ms: the peer is silent, slow, speaks no stalk or has our role, or our own policy has not answered`
    this.destroy(new StalkError('ERR_STALK_HANDSHAKE_TIMEOUT', text, { phase: 'handshake' }))
  }

  #onAgreed(session: Session): void {
    this.#handshakeDeadline.stop()
    this.#handshakeDeadline = Deadline.never
    this.#liveness.start()
    this.#keyAge.start()
    this.introduce(session, (this.#secured as Plan['secured'])(session))
    this.#secured = null
    // On the next tick, still before the first message: what listeners do is not to happen inside the handshake.
    process.nextTick(() => {
      if (this.destroyed) return
      diagnostics.secured(this, this.#role)
      this.emit('secure')
      this.#settleReady.resolve()
      this.#settleReady = SETTLED
      this.secured()
    })
  }

  get #phase(): Exclude<Phase, 'setup'> {
    if (!this.session) return 'handshake'
    return this.controls.goodbyes.said || this.controls.goodbyes.heard ? 'closing' : 'open'
  }

  /** The codecs do not know how far a connection has come. */
  #inPhase(error: StalkError): StalkError {
    const phase = this.#phase
    if (error.phase !== 'open' || phase === 'open') return error
    return new StalkError(error.code, error.message, { phase, cause: error.cause })
  }

  /** Once we have said goodbye, silence has a limit, of the peer and of a transport that takes nothing; a slow reader of ours has none. */
  #onCloseTimeout(ms: number): void {
    if (this.unread > 0) return this.#closeDeadline.start()
    const text = this.#goodbyeTaken
      ? `the peer did not say goodbye within ${ms} ms of ours`
      : `our goodbye could not be delivered: for ${ms} ms the transport took nothing and brought nothing`
    this.destroy(new StalkError('ERR_STALK_CLOSE_TIMEOUT', text, { phase: 'closing' }))
  }

  /** The transport is gone, though what it brought is still on its way to the reader. */
  #onGone(fault: StalkError | null): void {
    if (!this.session || this.writableFinished || this.endedBy) return
    const error = fault ? this.#inPhase(fault) : this.#truncated()
    this.#stopWriting(error)
    this.failure.announce(error)
  }

  /** Ends it once all that came before has been read. */
  #fail(error: StalkError): void {
    if (this.destroyed) return this.#onAfterword(error)
    if (isOfTransport(error) && this.writableFinished && this.controls.goodbyes.heard) return
    this.#stopTimers()
    this.#stopWriting(error)
    this.#parted ??= this.#part(error)
    this.failure.settle(error)
  }

  /** The peer finds fault with what we said after its goodbye, or does not keep to the protocol to the end. */
  #onAfterword(error: StalkError): void {
    const both = this.controls.goodbyes.said && this.controls.goodbyes.heard
    if (both && !isOfTransport(error)) this.#afterword ??= error
  }

  /** Nothing leaves from now on, and whoever waits for it is told. */
  #stopWriting(error: Error): void {
    this.endedBy ??= error
    this.#settleReady.reject(error)
    this.outbox.close()
    this.waits.fail(() => error)
  }

  /** Says goodbye, reads on without keeping anything, and waits until it is over. */
  override async [Symbol.asyncDispose](): Promise<void> {
    if (!this.writableEnded && !this.destroyed) this.end()
    this.unpipe() // into a stream that is stuck, nothing would flow
    // Nor does resume() bring anything where somebody listens for `readable`, a loop that was left open say.
    const drop = (): void => {
      while (this.read() !== null);
    }
    if (this.listenerCount('readable') > 0) this.on('readable', drop)
    this.resume()
    drop()
    await this.outcome
  }

  override _destroy(given: Error | null, done: Done): void {
    this.#stopTimers()
    this.failure.over()
    const waiting = this.outbox.waiting(this.writableLength)
    const unread = this.unread
    // Finished: our goodbye was not only said but taken by the transport. Ended: the peer's was read, and all before it.
    const clean = given === null && this.writableFinished && this.readableEnded
    const error = this.failure.error ?? given ?? (clean ? null : aborted(this.#phase))
    this.endedBy = error ?? new StalkError('ERR_STALK_NOT_WRITABLE', 'the connection is closed')
    this.#settleReady.reject(this.endedBy)
    this.outbox.close(this.endedBy)
    if (error) this.waits.fail(() => error) // in the other case the last count is still to come
    this.#parted ??= this.#part(error)
    if (error && !this.session) diagnostics.handshakeFailed(this, this.#role, error)
    void this.#parted.then(() => {
      this.#pipeline.destroy()
      this.waits.fail(unacknowledged)
      const late = error === null ? this.#afterword : null
      this.#outcome = this.#outcomeOf(error ?? late, waiting + this.outbox.unsealed, unread)
      diagnostics.closed(this, this.#role, this.#outcome)
      done(given ?? late)
    })
  }

  #part(error: Error | null): Promise<void> {
    const flushed = (done: () => void): void => this.#pipeline.flushed(done)
    if (error === null) return partFrom(this.socket, AFTER_GOODBYE, flushed)
    this.#pipeline.stop()
    const alert = error instanceof StalkError ? alertFor(error.code) : ALERT.internal
    if (alert !== null && this.socket.writable) {
      if (!this.controls.goodbyes.lastWordSaid) this.#pipeline.alert(alert)
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
      sent: this.outbox.sent,
      acknowledged: kind === 'rejected' ? 0 : this.controls.acknowledgements.received,
      received: this.#inbox.arrived - unread,
      unsent
    })
  }
}

/** What is no matter any more once both goodbyes were said. */
const isOfTransport = ({ code }: StalkError): boolean =>
  code === 'ERR_STALK_RESET' || code === 'ERR_STALK_TRUNCATED'

const aborted = (phase: Phase): StalkError =>
  new StalkError('ERR_STALK_ABORTED', 'the connection was destroyed before both ends said goodbye', { phase })

interface Settle {
  resolve(): void
  reject(error: Error): void
}

/** There is nothing to settle any more. */
const SETTLED: Settle = { resolve() {}, reject() {} }
