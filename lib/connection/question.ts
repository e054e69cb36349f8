// A question that we put to the peer: a ping, or a request for new keys. Knows that one may be unanswered at a time
// and how often it may be put; knows neither bytes nor what is asked.

import type { Allowance } from '../pipeline/allowance.ts'

export class Question {
  readonly #put: () => void
  readonly #allowance: Allowance
  #asked: (() => void)[] | null = null
  #next: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #over = false

  constructor(put: () => void, allowance: Allowance) {
    this.#put = put
    this.#allowance = allowance
  }

  /** Whether one is unanswered, or about to be put. */
  get pending(): boolean {
    return this.#asked !== null || this.#next.length > 0
  }

  /** Calls back when a question was answered that is put from now on: one that was put before does not do. */
  ask(answered: () => void = () => {}): void {
    this.#next.push(answered)
    this.#go()
  }

  /** The peer has answered; whether there was a question. */
  answer(): boolean {
    const asked = this.#asked
    this.#asked = null
    for (const answered of asked ?? []) answered()
    this.#go()
    return asked !== null
  }

  /** No further question is put. One that is unanswered may still be answered. */
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
