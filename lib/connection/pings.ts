// Pings and their answers, in both directions (PROTOCOL.md, section 21.1). Knows their values, what may not follow
// what, and how long an answer took; knows no stream and no bytes.

import { randomBytes } from 'node:crypto'
import { unexpected } from '../errors.ts'
import type { Allowance } from '../pipeline/allowance.ts'
import { PING_BYTES } from '../wire/control.ts'
import { Question } from './question.ts'

export class Pings {
  readonly #question: Question
  #value: Buffer | null = null
  #sentAt = 0
  #roundTripMs: number | null = null
  #answering = false

  /** `send`: a ping with this value. */
  constructor(send: (value: Buffer) => void, allowance: Allowance) {
    this.#question = new Question(() => {
      this.#value = nonZero()
      this.#sentAt = performance.now()
      send(this.#value)
    }, allowance)
  }

  /** How long the last answer took, in ms; null if there was none. */
  get roundTripMs(): number | null {
    return this.#roundTripMs
  }

  /** Whether one was sent and is unanswered. */
  get unanswered(): boolean {
    return this.#question.unanswered
  }

  /** Calls back when a ping that is sent from now on was answered, or when none is going to be sent. */
  ping(answered?: () => void, declined?: () => void): void {
    this.#question.ask(answered, declined)
  }

  /** A pong of the peer. Throws ERR_STALK_UNEXPECTED for one that answers nothing. */
  hearPong(value: Buffer): void {
    if (!this.#value?.equals(value)) throw unexpected('the peer sent a pong that answers nothing')
    this.#value = null
    this.#roundTripMs = performance.now() - this.#sentAt
    this.#question.answer()
  }

  /** A ping of the peer, which is to be answered. Throws ERR_STALK_UNEXPECTED while the one before it is not. */
  hearPing(): void {
    if (this.#answering) throw unexpected('the peer sent a second ping before the first was answered')
    this.#answering = true
  }

  /** Our answer was sealed. */
  answered(): void {
    this.#answering = false
  }

  /** We send no further one, and who wanted one is told. */
  decline(): void {
    this.#question.decline()
  }

  /** We send no further one. */
  close(): void {
    this.#question.close()
  }
}

/** Zero bytes mark the final pong. */
function nonZero(): Buffer {
  for (;;) {
    const value = randomBytes(PING_BYTES)
    if (value.some(byte => byte !== 0)) return value
  }
}
