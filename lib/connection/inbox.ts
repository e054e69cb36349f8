// The inbox: messages that have arrived and were not given to the reader yet. Knows how many there are, how many
// bytes they had on the way, and when that is enough; knows no stream and no wire.

import { INBOX_BYTES } from '../constants.ts'
import type { Arrived } from '../wire/message.ts'

export class Inbox {
  #batches: (Arrived | undefined)[] = []
  /** The first one that is not empty. */
  #first = 0
  #at = 0
  #bytes = 0
  #waiting = 0
  #arrived = 0

  /** Messages that have arrived so far, left out ones included. */
  get arrived(): number {
    return this.#arrived
  }

  /** How many of them wait here. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether so much waits that no more should be brought. */
  get full(): boolean {
    return this.#bytes > INBOX_BYTES
  }

  fill(arrived: Arrived): void {
    this.#arrived += arrived.messages.length
    this.#waiting += arrived.messages.length
    this.#bytes += arrived.bytes
    this.#batches.push(arrived)
  }

  /** A message has arrived and is not for the reader. */
  leaveOut(): void {
    this.#arrived += 1
  }

  /** Gives messages away while `take` wants more; whether it took all and still wants more. */
  empty(take: (message: unknown) => boolean): boolean {
    for (let batch = this.#batches[this.#first]; batch; batch = this.#batches[this.#first]) {
      while (this.#at < batch.messages.length) {
        const message = batch.messages[this.#at]
        this.#at += 1
        this.#waiting -= 1
        if (!take(message)) return false
      }
      this.#at = 0
      this.#bytes -= batch.bytes
      this.#next()
    }
    return true
  }

  // Taking the first of many off an array moves all others: a peer of many small records would pay little for that.
  #next(): void {
    this.#batches[this.#first] = undefined
    this.#first += 1
    if (2 * this.#first < this.#batches.length) return
    this.#batches = this.#batches.slice(this.#first)
    this.#first = 0
  }
}
