// Key updates (PROTOCOL.md, section 21.2): which keys are in use, who has asked whom for new ones, and what may not
// follow what. Knows traffic secrets and their order; knows no stream and no clock.

import { unexpected } from '../errors.ts'
import type { Traffic } from '../handshake/traffic.ts'
import { keyUpdateRecord } from '../wire/control.ts'
import type { Opener, Outbound, Used } from '../wire/record.ts'

/** What is done once the peer has changed its key. */
export interface Change {
  /** What opens the records behind it. */
  readonly opener: Opener
  /** Ours in return, to be sent before anything else is opened. */
  readonly answer: readonly Outbound[]
}

export class KeyUpdates {
  readonly #limits: Used
  readonly #inbound: Traffic
  readonly #outbound: Traffic
  #changedIn = 0
  #changedOut = 0
  #asked = false
  #answering = false
  #peerClosed = false

  /** `limits`: what may be done under a key before a new one is due. */
  constructor(
    { inbound, outbound }: { readonly inbound: Traffic; readonly outbound: Traffic },
    limits: Used
  ) {
    this.#limits = limits
    this.#inbound = inbound
    this.#outbound = outbound
  }

  /** How often each direction has changed its key. */
  get epochs(): { readonly inbound: number; readonly outbound: number } {
    return { inbound: this.#changedIn, outbound: this.#changedOut }
  }

  /** Whether a request of ours is unanswered; there is to be no other then. */
  get asked(): boolean {
    return this.#asked
  }

  /** Whether so much was sealed under a key that a new one is due, and was not asked for yet. */
  isDue(used: Used): boolean {
    return !this.#asked && (used.records >= this.#limits.records || used.bytes >= this.#limits.bytes)
  }

  /** New keys for both directions: ours right behind what this gives, the peer's when it answers. */
  ask(): readonly Outbound[] {
    this.#asked = true
    return this.#change(true)
  }

  /** The peer has changed its key. Throws ERR_STALK_UNEXPECTED where it may not. */
  hear(asks: boolean): Change {
    if (asks && this.#peerClosed) throw unexpected('the peer asked for new keys after its goodbye')
    if (asks && this.#answering) throw unexpected('the peer asked for new keys twice, without an answer')
    if (!asks && !this.#asked) throw unexpected('the peer answered a request for new keys that was not made')
    this.#inbound.advance()
    this.#changedIn += 1
    if (asks) this.#answering = true
    else this.#asked = false
    return { opener: this.#inbound.opener(), answer: asks ? this.#change(false) : [] }
  }

  /** Our answer was sealed. */
  answered(): void {
    this.#answering = false
  }

  /** The peer has said goodbye. */
  peerClosed(): void {
    this.#peerClosed = true
  }

  #change(asks: boolean): readonly Outbound[] {
    this.#outbound.advance()
    this.#changedOut += 1
    return [keyUpdateRecord(asks), { key: this.#outbound.sealer() }]
  }
}
