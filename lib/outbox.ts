// The outbox: what a connection was given to send. Hands messages on as batches, tells each caller what became
// of its own, and keeps count. Knows messages and callbacks; knows no stream, no encoding and no wire.

import type { StalkError } from './errors.ts'
import type { Batch } from './stages/serializer.ts'

/** A message of `send`, whose caller is told by its promise and not by an event if it cannot be carried. */
export class Envelope {
  readonly message: unknown
  refusal: StalkError | null = null

  constructor(message: unknown) {
    this.message = message
  }
}

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
  /** A message of `write` that cannot be carried. */
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

  /** Messages among the `queued` items of the stream's own queue that were not handed on yet. */
  waiting(queued: number): number {
    return Math.max(queued - (this.#inFlight?.items ?? 0) - this.#flushRequests, 0)
  }

  /** Hands items on. `done` is called when all are encoded; `items` of them are still counted by the stream's queue. */
  send(contents: readonly unknown[], items: number, done: Done): void {
    const messages = contents.filter(content => !(content instanceof FlushRequest))
    const requests = contents.filter(content => content instanceof FlushRequest)
    this.#taken += messages.length
    this.#flushRequests -= requests.length
    this.#inFlight = { items, done }
    this.#outlet.write({
      messages: messages.map(content => (content instanceof Envelope ? content.message : content)),
      refused: (index, error) => this.#refuse(messages[index], error),
      encoded: () => this.#encoded(requests)
    })
  }

  /** Nothing more will be sent: whoever waits for what is in flight gets the error. */
  abort(error: Error): void {
    const done = this.#inFlight?.done
    this.#inFlight = null
    done?.(error)
  }

  #refuse(content: unknown, error: StalkError): void {
    this.#refused += 1
    if (content instanceof Envelope) content.refusal = error
    else process.nextTick(() => this.#outlet.messageError(error, content))
  }

  // On the next tick: what the callers do in their callbacks is not to happen inside the encoder.
  #encoded(requests: readonly FlushRequest[]): void {
    for (const { flushed } of requests) this.#outlet.flushed(flushed)
    process.nextTick(() => {
      const done = this.#inFlight?.done
      this.#inFlight = null
      done?.()
    })
  }
}
