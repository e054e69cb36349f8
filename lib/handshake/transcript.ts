// The transcript: everything that both sides said, hashed in order behind the prologue. What is signed and
// what Finished covers is this hash. Knows no message's meaning.
//
//   T(x…) = H(prologue ‖ x…)        prologue = "stalk/1" ‖ 0x00 ‖ u8 length ‖ app

import { createHash, type Hash } from 'node:crypto'

/** What both sides must agree on without sending it: the protocol, and the application's name for its own. */
export const prologueOf = (app: Buffer): Buffer =>
  Buffer.concat([Buffer.from('stalk/1\0'), Uint8Array.of(app.length), app])

export class Transcript {
  readonly #hash: Hash

  constructor(prologue: Buffer) {
    this.#hash = createHash('sha256').update(prologue)
  }

  /** Hellos go in as whole records, messages of flights as encoded. */
  add(...messages: Buffer[]): this {
    for (const message of messages) this.#hash.update(message)
    return this
  }

  /** The hash of everything so far. */
  get hash(): Buffer {
    return this.#hash.copy().digest()
  }
}
