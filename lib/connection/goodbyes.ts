// The goodbyes of both ends, and what each has said of the messages that reached it (PROTOCOL.md, section 16). Knows
// what may follow what, and counts; knows no stream and no bytes.

import { StalkError } from '../errors.ts'

export class Goodbyes {
  #said = false
  #heard = false
  #lastWordHeard = false
  #acknowledged: number | null = null

  /** Whether ours was said. */
  get said(): boolean {
    return this.#said
  }

  /** Whether the peer's has come. */
  get heard(): boolean {
    return this.#heard
  }

  /** How many messages of ours the peer has said to have received; null where it never said. */
  get acknowledged(): number | null {
    return this.#acknowledged
  }

  say(): void {
    this.#said = true
  }

  /** The peer's goodbye, with its count. Throws ERR_STALK_UNEXPECTED for a second one, or a count that cannot be. */
  hear(received: number, sent: number): void {
    if (this.#heard) throw unexpected('the peer said goodbye twice')
    this.#acknowledge(received, sent)
    this.#heard = true
  }

  /**
   * The final pong, which comes once, from whoever closed first, after both goodbyes. Throws ERR_STALK_UNEXPECTED
   * for any other, or a count that cannot be.
   */
  hearLastWord(received: number, sent: number): void {
    if (!this.#said || !this.#heard || this.#lastWordHeard) {
      throw unexpected('the peer sent a pong that answers nothing')
    }
    this.#acknowledge(received, sent)
    this.#lastWordHeard = true
  }

  #acknowledge(received: number, sent: number): void {
    if (received > sent || received < (this.#acknowledged ?? 0)) {
      throw unexpected(`the peer claims to have received ${received} messages of ${sent} sent`)
    }
    this.#acknowledged = received
  }
}

const unexpected = (text: string): StalkError => new StalkError('ERR_STALK_UNEXPECTED', text)
