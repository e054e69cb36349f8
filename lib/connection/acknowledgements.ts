// What the peer has said of the messages that reached it (PROTOCOL.md, section 16). Knows counts, and who waits for
// which; knows no stream and no bytes.

import { StalkError } from '../errors.ts'

interface Wait {
  readonly messages: number
  readonly reached: () => void
}

export class Acknowledgements {
  #received: number | null = null
  #waiting: Wait[] = []

  /** How many messages of ours the peer has said to have received; null where it never said. */
  get received(): number | null {
    return this.#received
  }

  /** A count of the peer's; `sent` is how many there were. Throws ERR_STALK_UNEXPECTED for one that cannot be. */
  take(received: number, sent: number): void {
    if (received > sent || received < (this.#received ?? 0)) {
      throw new StalkError(
        'ERR_STALK_UNEXPECTED',
        `the peer claims to have received ${received} messages of ${sent} sent`
      )
    }
    this.#received = received
    const reached = this.#waiting.filter(({ messages }) => messages <= received)
    if (reached.length === 0) return
    this.#waiting = this.#waiting.filter(({ messages }) => messages > received)
    for (const wait of reached) wait.reached()
  }

  /** Calls back when the peer has said that so many messages have reached it; whether it has not said so yet. */
  when(messages: number, reached: () => void): boolean {
    const open = messages > (this.#received ?? 0)
    if (open) this.#waiting.push({ messages, reached })
    else reached()
    return open
  }
}
