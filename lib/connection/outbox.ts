// The outbox: what a connection was given to send. Gathers the messages of a tick, hands them on as batches, tells
// each caller what became of its own, and keeps count. Knows messages and callbacks; knows no stream, no encoding
// and no wire.

import type { StalkError } from '../errors.ts'
import type { Batch } from '../stages/serializer.ts'

/** A message whose caller looks here when it is called back, to learn whether it could be carried. */
export class Envelope {
  readonly message: unknown
  /** Whether the encoder has it. */
  taken = false
  /** Whether its sender does not want it sent any more. */
  withdrawn = false
  /** Whether there is an event for it all the same. */
  readonly announced: boolean
  refusal: StalkError | null = null

  constructor(message: unknown, announced: boolean) {
    this.message = message
    this.announced = announced
  }

  /** It is not sent; false if that is too late. */
  withdraw(): boolean {
    if (!this.taken) this.withdrawn = true
    return this.withdrawn
  }
}

/** What the encoder asks for one by one, when their turn has come. */
class Contents {
  readonly #contents: readonly unknown[]

  constructor(contents: readonly unknown[]) {
    this.#contents = contents
  }

  get length(): number {
    return this.#contents.length
  }

  at(index: number): unknown {
    const content = this.#contents[index]
    if (!(content instanceof Envelope)) return content
    if (content.withdrawn) return WITHDRAWN
    content.taken = true
    return content.message
  }
}

/** In the place of a message that was withdrawn. It can't be encoded, and is left out for that. */
const WITHDRAWN = Symbol('a message that was withdrawn')

/** Stands in the queue of writes behind everything that is to be flushed. */
export class FlushRequest {
  readonly flushed: () => void

  constructor(flushed: () => void) {
    this.flushed = flushed
  }
}

export interface Outlet {
  /** Whether a batch that is written now is encoded at once. */
  idle(): boolean
  write(batch: Batch): void
  /** Calls back when everything sealed so far was handed to the transport. */
  flushed(done: () => void): void
  /** A message that cannot be carried, however it was given to us. */
  refused(error: StalkError): void
  /** The same, of `write` alone. */
  messageError(error: StalkError, message: unknown): void
}

type Done = (error?: Error | null) => void

const NOTHING = Symbol('nothing is held')

export class Outbox {
  readonly #outlet: Outlet
  readonly #followed: () => boolean
  #held: { readonly content: unknown; readonly done: Done } | null = null
  #carried: unknown = NOTHING
  #taken = 0
  #refused = 0
  #sealed = 0
  #inFlight: { readonly items: number; readonly done: Done } | null = null
  #flushRequests = 0
  #over = false

  /** `followed`: whether others wait in the caller's queue behind the item that was given last. */
  constructor(outlet: Outlet, followed: () => boolean) {
    this.#outlet = outlet
    this.#followed = followed
  }

  /** Messages that were sealed. */
  get sent(): number {
    return this.#sealed
  }

  sealed(messages: number): void {
    this.#sealed += messages
  }

  /** A flush request is about to be queued; it is no message. */
  flushRequested(): void {
    this.#flushRequests += 1
  }

  /** Messages that were handed on and not sealed, so far. */
  get unsealed(): number {
    return this.#taken - this.#sealed - this.#refused
  }

  /** Messages among the `queued` items of the caller's queue that were not handed on yet. */
  waiting(queued: number): number {
    return Math.max(queued - (this.#inFlight?.items ?? 0) - this.#flushRequests, 0)
  }

  /** The next item. One that comes alone waits for the end of the tick, so that those that follow it share its record. */
  take(content: unknown, done: Done): void {
    if (this.#carried !== NOTHING || this.#over) return this.#send([...this.#uncarried(), content], 1, done)
    this.#held = { content, done }
    process.nextTick(() => this.#release())
  }

  /** The next items, together. */
  takeAll(contents: readonly unknown[], done: Done): void {
    this.#send([...this.#uncarried(), ...contents], contents.length, done)
  }

  // Where others wait behind the first item, its callback makes the queue hand them over at once, and all go as one
  // batch. Only if that batch is encoded right then: the callback tells the caller that its message is.
  #release(): void {
    if (!this.#held) return
    const { content, done } = this.#held
    this.#held = null
    if (!this.#followed() || !this.#outlet.idle()) return this.#send([content], 1, done)
    this.#carried = content
    done()
  }

  #uncarried(): unknown[] {
    const carried = this.#carried
    this.#carried = NOTHING
    return carried === NOTHING ? [] : [carried]
  }

  // `done` is called when all are encoded; `items` of them are still counted by the caller's queue.
  #send(contents: readonly unknown[], items: number, done: Done): void {
    const messages = contents.filter(content => !(content instanceof FlushRequest))
    const requests = contents.filter(content => content instanceof FlushRequest)
    this.#taken += messages.length
    this.#flushRequests -= requests.length
    this.#inFlight = { items, done }
    if (this.#over) return process.nextTick(() => this.#settle())
    this.#outlet.write({
      messages: new Contents(messages),
      refused: (index, error) => this.#refuse(messages[index], error),
      encoded: () => this.#encoded(requests)
    })
  }

  /**
   * Nothing leaves from now on; what is given here all the same only counts as unsealed. Whoever waits is called back,
   * with `error` if there is one.
   */
  close(error?: Error): void {
    this.#over = true
    if (this.#held) {
      const { content, done } = this.#held
      this.#held = null
      if (error) done(error)
      else this.#send([content], 1, done)
    }
    this.#settle(error)
  }

  #settle(error?: Error): void {
    const done = this.#inFlight?.done
    this.#inFlight = null
    done?.(error)
  }

  #refuse(content: unknown, error: StalkError): void {
    this.#refused += 1
    const inEnvelope = content instanceof Envelope
    if (inEnvelope) content.refusal = error
    if (!inEnvelope || !content.withdrawn) this.#outlet.refused(error)
    if (inEnvelope && !content.announced) return
    const message = inEnvelope ? content.message : content
    process.nextTick(() => this.#outlet.messageError(error, message))
  }

  // On the next tick: what the callers do in their callbacks is not to happen inside the encoder.
  #encoded(requests: readonly FlushRequest[]): void {
    for (const { flushed } of requests) this.#outlet.flushed(flushed)
    process.nextTick(() => this.#settle())
  }
}
