// The outbox: what a connection was given to send. Hands it on as batches, tells each caller what became of its own,
// and keeps count. Knows messages and callbacks; knows no stream, no encoding and no wire.

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
  write(batch: Batch): void
  /** Calls back when everything sealed so far was handed to the transport. */
  flushed(done: () => void): void
  /** A message that cannot be carried, however it was given to us. */
  refused(error: StalkError): void
  /** The same, of `write` alone. */
  messageError(error: StalkError, message: unknown): void
}

type Done = (error?: Error | null) => void

export class Outbox {
  readonly #outlet: Outlet
  #taken = 0
  #refused = 0
  #sealed = 0
  #inFlight: { readonly items: number; readonly done: Done } | null = null
  #flushRequests = 0
  #over = false

  constructor(outlet: Outlet) {
    this.#outlet = outlet
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

  /** The next items, together. `done` is called when all are encoded; until then the caller's queue counts them. */
  take(contents: readonly unknown[], done: Done): void {
    const requests =
      this.#flushRequests > 0 ? contents.filter(content => content instanceof FlushRequest) : []
    const messages =
      requests.length > 0 ? contents.filter(content => !(content instanceof FlushRequest)) : contents
    this.#taken += messages.length
    this.#flushRequests -= requests.length
    this.#inFlight = { items: contents.length, done }
    // Not here: node forgets what is written while `_writev` runs, and a getter may write.
    process.nextTick(() => {
      if (this.#over) return this.#settle()
      this.#outlet.write({
        messages: new Contents(messages),
        refused: (index, error) => this.#refuse(messages[index], error),
        encoded: () => this.#encoded(requests)
      })
    })
  }

  /**
   * Nothing leaves from now on; what is given here all the same only counts as unsealed. Whoever waits is called back,
   * with `error` if there is one.
   */
  close(error?: Error): void {
    this.#over = true
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
