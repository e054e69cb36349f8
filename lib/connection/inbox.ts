// The inbox: messages that arrived together and were not given to the reader yet. Knows how many came, and gives
// them away one by one; knows no stream and no wire.

export class Inbox {
  #messages: readonly unknown[] = []
  #at = 0
  #arrived = 0

  /** Messages that have arrived so far, left out ones included. */
  get arrived(): number {
    return this.#arrived
  }

  /** How many of them wait here. */
  get waiting(): number {
    return this.#messages.length - this.#at
  }

  /** Takes the next messages; the last ones must all be given away. */
  fill(messages: readonly unknown[]): void {
    this.#arrived += messages.length
    this.#messages = messages
    this.#at = 0
  }

  /** A message has arrived and is not for the reader. */
  leaveOut(): void {
    this.#arrived += 1
  }

  /** Gives messages away while `take` wants more; whether it took all and still wants more. */
  empty(take: (message: unknown) => boolean): boolean {
    while (this.#at < this.#messages.length) {
      const message = this.#messages[this.#at]
      this.#at += 1
      if (!take(message)) return false
    }
    this.#messages = []
    this.#at = 0
    return true
  }
}
