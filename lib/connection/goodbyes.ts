// The goodbyes of both ends (PROTOCOL.md, section 16). Knows what may follow what; knows no stream and no bytes.

import { unexpected } from '../errors.ts'

export class Goodbyes {
  #said = false
  #heard = false
  #lastWordSaid = false
  #lastWordHeard = false

  /** Whether ours was said. */
  get said(): boolean {
    return this.#said
  }

  /** Whether the peer's has come. */
  get heard(): boolean {
    return this.#heard
  }

  /** Whether our last record was: the final pong if we closed first, else our goodbye. We say nothing behind it, not even an alert. */
  get lastWordSaid(): boolean {
    return this.#lastWordSaid
  }

  say(): void {
    this.#said = true
    this.#lastWordSaid = this.#heard
  }

  /** The final pong. */
  sayLastWord(): void {
    this.#lastWordSaid = true
  }

  /** The peer's goodbye. Throws ERR_STALK_UNEXPECTED for a second one. */
  hear(): void {
    if (this.#heard) throw unexpected('the peer said goodbye twice')
    this.#heard = true
  }

  /**
   * The final pong, which comes once, from whoever closed first, after both goodbyes. Throws ERR_STALK_UNEXPECTED
   * for any other.
   */
  hearLastWord(): void {
    if (!this.#said || !this.#heard || this.#lastWordHeard) {
      throw unexpected('the peer sent a pong that answers nothing')
    }
    this.#lastWordHeard = true
  }

  /** What may come as long as the peer has not said its last word. Throws ERR_STALK_UNEXPECTED after that. */
  checkNotOver(what: string): void {
    if (this.#lastWordHeard) throw unexpected(`the peer sent ${what} after its last word`)
  }

  /** What only an open direction may bring. Throws ERR_STALK_UNEXPECTED after the peer's goodbye. */
  checkOpen(what: string): void {
    if (this.#heard) throw unexpected(`the peer sent ${what} after its goodbye`)
  }
}
