// A question that we put to the peer: a ping, or a request for new keys. Knows that one may be unanswered at a time
// and how often it may be put; knows neither bytes nor what is asked.

import type { Allowance } from '../pipeline/allowance.ts'

interface Asker {
  readonly answered: () => void
  /** It is not asked any more. */
  readonly declined: () => void
}

const nothing = (): void => {}

export class Question {
  readonly #put: () => void
  readonly #allowance: Allowance
  #asked: readonly Asker[] | null = null
  #next: Asker[] = []
  #timer: NodeJS.Timeout | undefined
  #over = false

  constructor(put: () => void, allowance: Allowance) {
    this.#put = put
    this.#allowance = allowance
  }

  /** Whether one was put and is unanswered. */
  get unanswered(): boolean {
    return this.#asked !== null
  }

  /** Whether one is unanswered, or about to be put. */
  get pending(): boolean {
    return this.#asked !== null || this.#next.length > 0
  }

  /**
   * Calls back when a question was answered that is put from now on: one that was put before does not do; or when none
   * is going to be put.
   */
  ask(answered: () => void = nothing, declined: () => void = nothing): void {
    if (this.#over) return declined()
    this.#next.push({ answered, declined })
    this.#go()
  }

  /** The peer has answered; whether there was a question. */
  answer(): boolean {
    const asked = this.#asked
    this.#asked = null
    for (const { answered } of asked ?? []) answered()
    this.#go()
    return asked !== null
  }

  /** No further question is put, and who wanted one is told. One that is unanswered may still be answered. */
  decline(): void {
    const declined = this.#next
    this.close()
    for (const asker of declined) asker.declined()
  }

  /** The same, and nobody is told. */
  close(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#next = []
  }

  #go(): void {
    clearTimeout(this.#timer)
    if (this.#over || this.#asked || this.#next.length === 0) return
    if (!this.#allowance.take()) {
      this.#timer = setTimeout(() => this.#go(), Math.ceil(this.#allowance.wait))
      return
    }
    this.#asked = this.#next
    this.#next = []
    this.#put()
  }
}
