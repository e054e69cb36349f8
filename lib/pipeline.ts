// The pipeline: the only file that knows the order of the stages, and how the handshake's output reaches the
// framer. It joins the stages to a transport, drives the handshake machine, and reports what comes out, in
// order. Knows no algorithm, no MessagePack, no policy, and no timer; what an event means is the connection's.
//
//   transport ─▶ deframer ─▶ opener ─▶ decoder ─▶ gate ─▶ messages, controls, fault, end
//                               └─▶ handshake ─┐
//   transport ◀── framer ◀── sealer ◀──────────┴ encoder ◀── gate ◀── batches

import { type Duplex, Writable } from 'node:stream'
import { KIND, MAX_UNWRITTEN_BYTES, TYPE } from './constants.ts'
import type { RawPublicKey } from './crypto/public-key.ts'
import { type AlertCode, StalkError, transportFailure } from './errors.ts'
import type { Handshake, Session, Step } from './handshake/handshake.ts'
import type { OnInvalid, Schema } from './schema.ts'
import { opener, sealer } from './stages/cipher.ts'
import { deframer, framer } from './stages/framer.ts'
import { gate } from './stages/gate.ts'
import { Marker, type Stage } from './stages/paced.ts'
import { type Batch, batchDecoder, batchEncoder } from './stages/serializer.ts'
import { batchValidator } from './stages/validator.ts'
import { alertRecord } from './wire/control.ts'
import type { Frame } from './wire/frame.ts'
import { MessageDecoder, MessageEncoder } from './wire/message.ts'
import type { Inner, Opener } from './wire/record.ts'

export interface PipelineConfig {
  readonly handshake: Handshake
  /** The largest message that we take, in bytes. */
  readonly maxMessageBytes: number
  /** What messages must look like; null for whatever comes. */
  readonly schema: Schema | null
  /** Whether a message that does not fit ends the connection, or is reported and left out. */
  readonly onInvalid: OnInvalid
  /** Signs with our identity. */
  sign(input: Buffer): Promise<Buffer>
  /** Fulfilled when the peer may talk to us; rejected with the reason why it may not. */
  decide(peer: RawPublicKey | null): Promise<void>
}

/** What a pipeline tells its connection. Inbound events come in the order of the wire. */
export interface PipelineEvents {
  /** Keys are agreed and both sides have accepted each other. */
  agreed(session: Session): void
  /** Messages that are complete; no more until `resume`. */
  messages(messages: unknown[]): void
  /** A message that does not fit the schema and was left out. */
  invalid(error: StalkError, message: unknown): void
  /** What the peer's stalk says to ours. */
  control(frame: Frame): void
  /** Messages of ours were sealed. */
  sealed(messages: number): void
  /** The transport takes nothing more; what it has brought still comes. Null: it was closed without saying why. */
  gone(fault: StalkError | null): void
  /** The first fault, once all that was authenticated before it has been handed over. */
  fault(error: StalkError): void
  /** The peer's side of the transport has ended, and all that came was handed over. */
  ended(): void
}

export class Pipeline {
  readonly #transport: Duplex
  readonly #config: PipelineConfig
  readonly #events: PipelineEvents
  readonly #encoder = new MessageEncoder()
  readonly #encoderStage = batchEncoder(this.#encoder)
  readonly #sink: Sink

  readonly #gateOut = gate()
  readonly #sealer: Stage
  readonly #deframer: Stage
  readonly #gateIn = gate()

  #openers: readonly Opener[] = []
  #started = false
  #keyed = false
  #writable = false
  #agreed = false
  #stopped = false
  #fault: StalkError | null = null

  constructor(transport: Duplex, config: PipelineConfig, events: PipelineEvents) {
    this.#transport = transport
    this.#config = config
    this.#events = events
    this.#sink = new Sink(transport)
    this.#sealer = sealer(undefined, ({ messages = 0 }: Inner) => messages > 0 && events.sealed(messages))
    this.#deframer = deframer(type => this.#opener(type)?.maxBodyBytes ?? this.#admitClear(type))
    this.#joinOutbound()
    this.#joinInbound()
    this.#watch() // from the first tick on: an error that nobody hears would end the process
  }

  /** Begins to listen and, as the initiator, to speak. */
  start(): void {
    this.#started = true
    this.#transport.pipe(this.#deframer, { end: false })
    this.#perform(() => this.#config.handshake.start()).catch(error => this.#outboundFault(error))
  }

  /** Whether a batch that is written now is encoded, or at least its first record, before `write` returns. */
  get idle(): boolean {
    const stages = [this.#gateOut, this.#encoderStage]
    return (
      this.#writable &&
      stages.every(stage => stage.writableLength + stage.readableLength === 0 && !stage.isPaused())
    )
  }

  /** Takes messages on their way; `batch.encoded` says when the next ones may follow. */
  write(batch: Batch): void {
    this.#gateOut.write(batch)
  }

  /** Seals a control record behind everything that was written. */
  control(inner: Inner): void {
    if (!this.#stopped) this.#sealer.write(inner)
  }

  /** Calls back when everything sealed so far was handed to the transport. */
  flushed(done: () => void): void {
    this.#sealer.write(new Marker(done))
  }

  /** Tells the peer why this ends: sealed if there are keys, otherwise in clear, where anyone may read it. */
  alert(code: AlertCode): void {
    if (!this.#started) return // nothing was said yet, and what comes first has to be a hello
    const record = alertRecord(code)
    this.#sealer.write(this.#keyed ? record : { clear: { ...record, type: TYPE.plainAlert } })
  }

  /** Goes on handing over messages. */
  resume(): void {
    this.#gateIn.resume()
  }

  /**
   * Seals no further message and parses nothing more. What the transport still brings is read and dropped, so that
   * its end can be seen.
   */
  stop(): void {
    this.#stopped = true
    this.#gateOut.destroy()
    this.#encoderStage.destroy()
    this.#transport.unpipe(this.#deframer)
    this.#transport.resume()
  }

  /** Lets go of the stages; the transport is the connection's to end. */
  destroy(): void {
    this.#stopped = true
    this.#transport.unpipe(this.#deframer)
    for (const stage of [this.#deframer, this.#gateIn, this.#gateOut, this.#sealer]) stage.destroy()
    this.#sink.destroy()
  }

  // --- joining the stages ------------------------------------------------------------------------------

  #joinOutbound(): void {
    const frames = framer()
    this.#gateOut.pipe(this.#encoderStage).pipe(this.#sealer, { end: false })
    this.#sealer.pipe(frames).pipe(this.#sink)
    for (const stage of [this.#gateOut, this.#encoderStage, this.#sealer, frames, this.#sink]) {
      stage.on('error', (error: Error) => this.#outboundFault(error))
    }
  }

  // Not stream.pipeline: that destroys every stage at the first error, and with them what was opened before it.
  // Here a stage that fails ends the next one, which first gives away what it has.
  #joinInbound(): void {
    const records = opener(
      type => this.#opener(type),
      (type, inner) => this.#handover(type, inner)
    )
    const messages = batchDecoder(new MessageDecoder({ maxMessageBytes: this.#config.maxMessageBytes }))
    const stages: Stage[] = [this.#deframer, records, messages, ...this.#validator(), this.#gateIn]
    stages.forEach((stage, index) => {
      const next = stages[index + 1]
      if (next) stage.pipe(next)
      stage.on('error', (error: Error) => {
        this.#fault ??= asStalkError(error)
        if (next) next.end()
        else this.#finish()
      })
    })
    this.#gateIn.on('data', (item: unknown[] | Frame) => this.#deliver(item))
    this.#gateIn.on('end', () => this.#finish())
  }

  #validator(): Stage[] {
    const { schema, onInvalid } = this.#config
    if (schema === null) return []
    const skip = (error: StalkError, message: unknown): void => this.#events.invalid(error, message)
    return [batchValidator(schema, onInvalid === 'skip' ? skip : undefined)]
  }

  #watch(): void {
    this.#transport.on('end', () => this.#deframer.end())
    this.#transport.on('error', (cause: Error) => {
      this.#fault ??= transportFailure(cause)
      this.#deframer.end()
      this.#gone()
    })
    this.#transport.on('close', () => {
      this.#deframer.end()
      this.#gone()
      // The opener may be holding, and will not see the end before a verdict that nobody waits for any more.
      if (!this.#agreed) this.#finish()
    })
  }

  /** The longest body of a record in clear, of which there are none after the handshake. */
  #admitClear(type: number): number {
    if (!this.#agreed) return this.#config.handshake.admit(type)
    const name = type.toString(16)
    throw new StalkError('ERR_STALK_UNEXPECTED', `a record of type 0x${name} came after the handshake`)
  }

  #opener(type: number): Opener | undefined {
    return this.#openers.find(candidate => candidate.type === type)
  }

  // --- inbound -----------------------------------------------------------------------------------------

  #deliver(item: unknown[] | Frame): void {
    if (this.#stopped) return
    if (!Array.isArray(item)) return this.#events.control(item)
    this.#gateIn.pause()
    this.#events.messages(item)
  }

  #finish(): void {
    if (this.#stopped) return
    if (this.#fault) this.#events.fault(this.#fault)
    else this.#events.ended()
  }

  #gone(): void {
    if (!this.#stopped) this.#events.gone(this.#fault)
  }

  // What has arrived is handed over first, but for the handshake, whose verdict nobody waits for any more.
  #outboundFault(error: Error): void {
    this.#fault ??= asStalkError(error)
    if (!this.#agreed) return this.#finish()
    this.#transport.unpipe(this.#deframer)
    this.#deframer.end()
    this.#gone()
  }

  // --- the handshake -----------------------------------------------------------------------------------

  #handover(type: number, inner: Inner): Promise<void> | null {
    if (!this.#agreed) return this.#perform(() => this.#config.handshake.receive({ type, inner }))
    if (inner.type !== KIND.handshake) return null
    throw new StalkError('ERR_STALK_UNEXPECTED', 'the peer sent a handshake message after the handshake')
  }

  /** Does what the machine says until it waits for the peer again. */
  async #perform(first: () => Step): Promise<void> {
    let step: Step | null = first()
    while (step !== null && !this.#stopped) step = await this.#take(step)
  }

  async #take({ send = [], openers, writable, next }: Step): Promise<Step | null> {
    for (const item of send) {
      this.#sealer.write(item)
      if ('key' in item) this.#keyed = true
    }
    if (openers) this.#openers = openers
    if (writable) {
      this.#encoder.maxMessageBytes = writable.maxMessageBytes
      this.#writable = true
      this.#gateOut.open()
    }
    return this.#answer(next)
  }

  async #answer(next: Step['next']): Promise<Step | null> {
    if ('sign' in next) {
      const signature = await this.#config.sign(next.sign)
      return this.#stopped ? null : this.#config.handshake.signed(signature)
    }
    if ('ask' in next) {
      await this.#config.decide(next.ask)
      return this.#stopped ? null : this.#config.handshake.accepted()
    }
    if ('agreed' in next) {
      this.#agreed = true
      this.#gateIn.open()
      this.#events.agreed(next.agreed)
    }
    return null
  }
}

const asStalkError = (error: Error): StalkError =>
  error instanceof StalkError
    ? error
    : new StalkError('ERR_STALK_INTERNAL', `unexpected: ${error.message}`, { cause: error })

/**
 * Writes to the transport, one write a frame, without ending it. A socket asks to wait as soon as it holds 16 KiB,
 * less than one record; waiting then would cost a turn of the event loop a record, so it may hold some more.
 */
class Sink extends Writable {
  readonly #transport: Duplex
  #submitted = 0
  #completed = 0
  #markers: { at: number; marker: Marker }[] = []
  #blocked: (() => void) | null = null
  /** Whether the transport did not take something: then nothing behind it is ever flushed. */
  #dropped = false

  constructor(transport: Duplex) {
    super({ objectMode: true, highWaterMark: 1 })
    this.#transport = transport
    transport.on('drain', () => this.#unblock())
  }

  override _write(item: Buffer | Marker, _encoding: BufferEncoding, done: () => void): void {
    if (item instanceof Marker) {
      this.#markers.push({ at: this.#submitted, marker: item })
      this.#reach()
      return done()
    }
    if (!this.#transport.writable) {
      this.#dropped = true // its end or error is reported by itself
      return done()
    }
    this.#submitted += 1
    const more = this.#transport.write(item, error => {
      this.#completed += 1
      if (error) this.#dropped = true
      this.#reach()
    })
    if (more || this.#transport.writableLength < MAX_UNWRITTEN_BYTES) done()
    else this.#blocked = done
  }

  #unblock(): void {
    const done = this.#blocked
    this.#blocked = null
    done?.()
  }

  #reach(): void {
    if (this.#dropped) return
    while (this.#markers[0] && this.#markers[0].at <= this.#completed) this.#markers.shift()?.marker.reached()
  }
}
