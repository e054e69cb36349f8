// The pipeline: the only file that knows the order of the stages, and how the handshake's output reaches the
// framer. It joins the stages to a transport, drives the handshake machine, and reports what comes out, in
// order. Knows no algorithm, no MessagePack, no policy, and no timer; what an event means is the connection's.
//
//   transport ─▶ source ─▶ deframer ─▶ opener ─▶ decoder ─▶ gate ─▶ messages, controls, fault, end
//                                         └─▶ handshake ─┐
//   transport ◀──── sink ◀───────────────── sealer ◀──────┴ encoder ◀── gate ◀── batches

import type { Duplex } from 'node:stream'
import { HEADER_BYTES, KIND, MAX_UNINVITED, MS_FOR_ONE_UNINVITED, TYPE } from '../constants.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import { ALERT, type AlertCode, StalkError, transportFailure } from '../errors.ts'
import type { Handshake, Session, Step } from '../handshake/handshake.ts'
import type { OnInvalid, Schema } from '../schema.ts'
import { opener, type Pad, sealer } from '../stages/cipher.ts'
import { deframer } from '../stages/framer.ts'
import { gate } from '../stages/gate.ts'
import { hand, isBusy, join, nextOf } from '../stages/join.ts'
import { Marker } from '../stages/pace.ts'
import type { Stage } from '../stages/paced.ts'
import { type Batch, batchDecoder, batchEncoder } from '../stages/serializer.ts'
import { batchValidator } from '../stages/validator.ts'
import { carriesMessages } from '../wire/contents.ts'
import { alertRecord, decodeControl } from '../wire/control.ts'
import type { Frame } from '../wire/frame.ts'
import { Arrived, MessageDecoder, MessageEncoder } from '../wire/message.ts'
import type { Inner, Opener, Outbound, Used } from '../wire/record.ts'
import { Allowance } from './allowance.ts'
import { KeyUpdates } from './key-updates.ts'
import { Sink } from './sink.ts'
import { Source } from './source.ts'
import { answerFor, asksForTicket, type Ticketing } from './ticketing.ts'

export interface PipelineConfig {
  readonly handshake: Handshake
  /** The largest message that we take, in bytes. */
  readonly maxMessageBytes: number
  /** What messages must look like; null for whatever comes. */
  readonly schema: Schema | null
  /** Whether a message that does not fit ends the connection, or is reported and left out. */
  readonly onInvalid: OnInvalid
  /** What may be sealed under a key before it is changed. */
  readonly rekeyAfter: Used
  /** How long records are made; undefined for no longer than they must be. */
  readonly pad: Pad | undefined
  /** Signs with our identity. */
  sign(input: Buffer): Promise<Buffer>
  /** Fulfilled when the peer may talk to us; rejected with the reason why it may not. */
  decide(peer: RawPublicKey | null): Promise<void>
  /** What becomes of tickets, at a responder that issues them; else null. */
  readonly ticketing: Ticketing | null
}

/** What a pipeline tells its connection. Inbound events come in the order of the wire. */
export interface PipelineEvents {
  /** Keys are agreed and both sides have accepted each other. */
  agreed(session: Session): void
  /** Messages that are complete; more follow unless `pause` is called. */
  messages(arrived: Arrived): void
  /** A message that does not fit the schema and was left out. */
  invalid(error: StalkError, message: unknown): void
  /** So much was sealed under our key that `updateKeys` is due. */
  keyDue(): void
  /** A direction has a new key, so many since the handshake. */
  rekeyed(direction: 'inbound' | 'outbound', epoch: number): void
  /** What the peer's stalk says to ours. */
  control(frame: Frame): void
  /** A content of ours was sealed. */
  sealed(inner: Inner): void
  /** Something came that the peer has sealed for us. */
  heard(): void
  /** It was a message, or part of one of which more is to come. */
  part(more: boolean): void
  /** The transport was given something, or has `taken` it. So many writes it has not taken yet. */
  written(waiting: number, taken: boolean): void
  /** The transport takes nothing more; what it has brought still comes. Null: it was closed without saying why. */
  gone(fault: StalkError | null): void
  /** The first fault, once all that was authenticated before it has been handed over. */
  fault(error: StalkError): void
  /** The peer's side of the transport has ended, and all that came was handed over. */
  ended(): void
}

export class Pipeline {
  readonly #transport: Duplex
  /** What the handshake needs; null when it is over: most connections live far longer than that. */
  #shaking: PipelineConfig | null
  readonly #events: PipelineEvents
  readonly #encoder = new MessageEncoder({ views: true })
  readonly #encoderStage = batchEncoder(this.#encoder)
  readonly #sink: Sink

  readonly #gateOut = gate()
  readonly #sealer: Stage
  readonly #source: Source
  readonly #deframer: Stage
  readonly #validators: readonly Stage[]
  readonly #gateIn = gate()

  readonly #uninvited = new Allowance(MAX_UNINVITED, MS_FOR_ONE_UNINVITED)
  readonly #inbound = { records: 0, bytes: 0 }
  readonly #outbound = { records: 0, bytes: 0 }
  #keyUpdates: KeyUpdates | null = null
  #openers: readonly Opener[] = []
  #started = false
  #keyed = false
  #stopped = false
  #fault: StalkError | null = null

  constructor(transport: Duplex, config: PipelineConfig, events: PipelineEvents) {
    this.#transport = transport
    this.#shaking = config
    this.#events = events
    this.#sink = new Sink(transport, (bytes, waiting) => this.#onWritten(bytes, waiting))
    this.#sealer = sealer(undefined, (inner, used) => this.#onSealed(inner, used), config.pad)
    this.#deframer = deframer(type => this.#opener(type)?.maxBodyBytes ?? this.#admitClear(type))
    this.#source = new Source(this.#deframer)
    this.#validators = this.#validatorOf(config)
    this.#joinOutbound()
    this.#joinInbound(new MessageDecoder(config))
    this.#watch() // from the first tick on: an error that nobody hears would end the process
  }

  /** Begins to listen and, as the initiator, to speak. */
  start(): void {
    this.#started = true
    this.#transport.pipe(this.#source, { end: false })
    this.#perform(({ handshake }) => handshake.start()).catch(error => this.#outboundFault(error))
  }

  /** Takes messages on their way; `batch.encoded` says when the next ones may follow. */
  write(batch: Batch): void {
    hand(this.#gateOut, batch)
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

  /** Changes the keys of both directions, ours now and the peer's when it answers, unless that was asked for already. */
  updateKeys(): void {
    if (!this.#keyUpdates || this.#keyUpdates.asked || this.#stopped) return
    const request = this.#keyUpdates.ask()
    this.#events.rekeyed('outbound', this.#keyUpdates.epochs.outbound)
    this.#sealTogether(request)
  }

  /** What has gone to the transport and come from it, in records and bytes, and how often the keys were changed. */
  get counts(): { readonly inbound: Counts; readonly outbound: Counts } {
    const epochs = this.#keyUpdates?.epochs
    return {
      inbound: { ...this.#inbound, epoch: epochs?.inbound ?? 0 },
      outbound: { ...this.#outbound, epoch: epochs?.outbound ?? 0 }
    }
  }

  /** Whether a message that has come is still held against the schema. */
  get checking(): boolean {
    return this.#validators.some(isBusy)
  }

  /** Hands over nothing more until `resume`, and soon reads no more from the transport. */
  pause(): void {
    this.#gateIn.pause()
  }

  /** Goes on handing over what comes. */
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
    this.#transport.unpipe(this.#source)
    this.#transport.resume()
  }

  /** Lets go of the stages; the transport is the connection's to end. */
  destroy(): void {
    this.#stopped = true
    this.#transport.unpipe(this.#source)
    this.#unwatch()
    for (const stage of [this.#deframer, this.#gateIn, this.#gateOut, this.#sealer]) stage.destroy()
    this.#sink.destroy()
  }

  // --- joining the stages ------------------------------------------------------------------------------

  #joinOutbound(): void {
    join(this.#gateOut, this.#encoderStage)
    join(this.#encoderStage, this.#sealer, { end: false })
    join(this.#sealer, this.#sink)
    const onError = (error: Error): void => this.#outboundFault(error)
    for (const stage of [this.#gateOut, this.#encoderStage, this.#sealer, this.#sink]) {
      stage.on('error', onError)
    }
  }

  // Not stream.pipeline: that destroys every stage at the first error, and with them what was opened before it.
  // Here a stage that fails ends the next one, which first gives away what it has.
  #joinInbound(decoder: MessageDecoder): void {
    const records = opener(
      type => this.#opener(type),
      (frame, inner) => this.#handover(frame, inner)
    )
    const messages = batchDecoder(decoder)
    const stages: Stage[] = [this.#deframer, records, messages, ...this.#validators, this.#gateIn]
    const fail = (stage: Stage, error: Error): void => this.#inboundFault(stage, error)
    stages.forEach((stage, index) => {
      const next = stages[index + 1]
      if (next) join(stage, next)
      stage.on('error', onError)
    })
    function onError(this: Stage, error: Error): void {
      fail(this, error)
    }
    this.#gateIn.on('data', (item: Arrived | Frame) => this.#deliver(item))
    this.#gateIn.on('end', () => this.#finish())
  }

  #inboundFault(stage: Stage, error: Error): void {
    this.#fault ??= asStalkError(error)
    const next = nextOf(stage)
    if (next) next.end()
    else this.#finish()
  }

  #validatorOf({ schema, onInvalid }: PipelineConfig): Stage[] {
    if (schema === null) return []
    const skip = (error: StalkError, message: unknown): void => this.#events.invalid(error, message)
    return [batchValidator(schema, onInvalid === 'skip' ? skip : undefined)]
  }

  #watch(): void {
    this.#transport.on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose)
  }

  #unwatch(): void {
    const { closed } = this.#transport
    this.#transport.off('end', this.#onEnd).off('error', this.#onError).off('close', this.#onClose)
    if (!closed) this.#transport.on('error', () => {}) // nobody's any more, and no reason to end the process
  }

  readonly #onEnd = (): void => void this.#deframer.end()

  readonly #onError = (cause: Error): void => {
    this.#fault ??= transportFailure(cause)
    this.#deframer.end()
    this.#gone()
  }

  readonly #onClose = (): void => {
    this.#deframer.end()
    this.#gone()
    // The opener may be holding, and will not see the end before a verdict that nobody waits for any more.
    if (this.#shaking) this.#finish()
  }

  /** The longest body of a record in clear, of which there are none after the handshake. */
  #admitClear(type: number): number {
    if (this.#shaking) return this.#shaking.handshake.admit(type)
    const name = type.toString(16)
    throw new StalkError('ERR_STALK_UNEXPECTED', `a record of type 0x${name} came after the handshake`)
  }

  #opener(type: number): Opener | undefined {
    return this.#openers.find(candidate => candidate.type === type)
  }

  // --- inbound -----------------------------------------------------------------------------------------

  #deliver(item: Arrived | Frame): void {
    if (this.#stopped) return
    if (item instanceof Arrived) this.#events.messages(item)
    else this.#events.control(item)
  }

  // Here, as soon as it is opened, is judged what must not wait until all before it was handed over.
  #receive({ type: kind, body }: Inner): void {
    this.#events.heard()
    if (carriesMessages(kind)) {
      this.#uninvited.refill()
      this.#events.part(kind === KIND.fragment)
    } else if (kind === KIND.ping || kind === KIND.ticket) this.#takeUninvited()
    else if (kind === KIND.keyUpdate) this.#changeKey({ type: kind, body })
    else if (kind === KIND.alert && body[0] === ALERT.close) this.#keyUpdates?.peerClosed()
  }

  #takeUninvited(): void {
    if (!this.#uninvited.take())
      throw new StalkError(
        'ERR_STALK_FLOODED',
        'the peer sends too many pings, tickets or requests for new keys'
      )
  }

  // The next record is opened under the new key, and our answer is on its way before that.
  #changeKey(frame: Frame): void {
    const control = decodeControl(frame)
    if (control.name !== 'keyUpdate') return
    if (control.asks) this.#takeUninvited()
    const updates = this.#keyUpdates
    if (!updates) return
    const change = updates.hear(control.asks)
    this.#setOpeners([change.opener])
    this.#events.rekeyed('inbound', updates.epochs.inbound)
    if (control.asks) this.#events.rekeyed('outbound', updates.epochs.outbound)
    this.#sealTogether(change.answer)
  }

  #setOpeners(openers: readonly Opener[]): void {
    for (const old of this.#openers) if (!openers.includes(old)) old.retire()
    this.#openers = openers
  }

  // --- outbound ----------------------------------------------------------------------------------------

  // Sealed at once, the first of them may call for further ones, here or at the other end of a pair in memory, and
  // these must not come in between: behind a key update stands the key that goes with it.
  #sealTogether(items: readonly Outbound[]): void {
    this.#sealer.cork()
    for (const item of items) this.#sealer.write(item)
    this.#sealer.uncork()
  }

  #onSealed(inner: Inner, used: Used): void {
    const changesKey = inner.type === KIND.keyUpdate
    if (changesKey && inner.body[0] === 0) this.#keyUpdates?.answered()
    this.#events.sealed(inner)
    // A key update is the last under its key: whatever that has done, a new one stands behind it.
    if (!changesKey && this.#keyUpdates?.isDue(used)) this.#events.keyDue()
  }

  #onWritten(bytes: number, waiting: number): void {
    if (bytes > 0) {
      this.#outbound.records += 1
      this.#outbound.bytes += bytes
    }
    this.#events.written(waiting, bytes === 0)
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
    if (this.#shaking) return this.#finish()
    this.#transport.unpipe(this.#source)
    this.#deframer.end()
    this.#gone()
  }

  // --- the handshake -----------------------------------------------------------------------------------

  #handover({ type, body }: Frame, inner: Inner): Promise<void> | null {
    if (this.#stopped) return null // it goes on to nobody, and nothing is said any more
    this.#inbound.records += 1
    this.#inbound.bytes += HEADER_BYTES + body.length
    if (this.#shaking) return this.#perform(({ handshake }) => handshake.receive({ type, inner }))
    if (inner.type === KIND.handshake)
      throw new StalkError('ERR_STALK_UNEXPECTED', 'the peer sent a handshake message after the handshake')
    this.#receive(inner)
    return null
  }

  /** Does what the machine says until it waits for the peer again. */
  async #perform(first: (config: PipelineConfig) => Step): Promise<void> {
    const config = this.#shaking as PipelineConfig
    let step: Step | null = first(config)
    while (step !== null && !this.#stopped) step = await this.#take(step, config)
  }

  async #take({ send = [], openers, writable, next }: Step, config: PipelineConfig): Promise<Step | null> {
    for (const item of send) {
      this.#sealer.write(item)
      if ('key' in item) this.#keyed = true
    }
    if (openers) this.#setOpeners(openers)
    if (writable) {
      this.#encoder.maxMessageBytes = writable.maxMessageBytes
      this.#gateOut.open()
    }
    return this.#answer(next, config)
  }

  async #answer(next: Step['next'], config: PipelineConfig): Promise<Step | null> {
    const { handshake } = config
    if ('sign' in next) {
      const signature = await config.sign(next.sign)
      return this.#stopped ? null : handshake.signed(signature)
    }
    if ('ask' in next) {
      await config.decide(next.ask)
      return this.#stopped ? null : handshake.accepted()
    }
    if (asksForTicket(next)) {
      const answer = await answerFor(next, config.ticketing)
      return this.#stopped ? null : answer(handshake)
    }
    if ('agreed' in next) {
      this.#shaking = null
      this.#keyUpdates = new KeyUpdates(next.agreed.traffic, config.rekeyAfter)
      this.#gateIn.open()
      this.#events.agreed(next.agreed)
    }
    return null
  }
}

/** What went one way, on the wire. */
export interface Counts {
  readonly records: number
  readonly bytes: number
  /** How often the key was changed. */
  readonly epoch: number
}

const asStalkError = (error: Error): StalkError =>
  error instanceof StalkError
    ? error
    : new StalkError('ERR_STALK_INTERNAL', `unexpected: ${error.message}`, { cause: error })
