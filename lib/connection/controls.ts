// What the stalks of both ends say to each other between messages: goodbyes, pings, counts, new keys (PROTOCOL.md,
// sections 16 and 21). Knows what may follow what and what has to be answered; knows no stream, no key, no time.

import { KIND, MS_FOR_ONE_OWN_UNINVITED, OWN_UNINVITED } from '../constants.ts'
import { alertError } from '../errors.ts'
import { Allowance } from '../pipeline/allowance.ts'
import {
  type Control,
  closeRecord,
  decodeControl,
  finalPong,
  pingRecord,
  pongRecord,
  type Ticket
} from '../wire/control.ts'
import type { Frame } from '../wire/frame.ts'
import type { Inner } from '../wire/record.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { Goodbyes } from './goodbyes.ts'
import { Pings } from './pings.ts'
import { Question } from './question.ts'

export interface ControlsOutlet {
  /** Seals a record behind everything that was handed over. */
  send(record: Inner): void
  /** Changes our key, and asks the peer to change its own. */
  updateKeys(): void
  /** Takes a ticket of the peer's. Throws ERR_STALK_UNEXPECTED where there can be none. */
  ticket(ticket: Ticket): void
  /** Messages of the peer's that have arrived so far. */
  received(): number
  /** Messages of ours that were sealed so far. */
  sent(): number
}

export class Controls {
  readonly goodbyes = new Goodbyes()
  readonly acknowledgements = new Acknowledgements()
  readonly #outlet: ControlsOutlet
  readonly #uninvited = new Allowance(OWN_UNINVITED, MS_FOR_ONE_OWN_UNINVITED)
  readonly #pings: Pings
  readonly #newKeys: Question
  /** Questions that were handed over and are not sealed yet: messages in front of them make no room for these. */
  #unsealed = 0

  constructor(outlet: ControlsOutlet) {
    this.#outlet = outlet
    this.#pings = new Pings(value => {
      this.#unsealed += 1
      outlet.send(pingRecord(value))
    }, this.#uninvited)
    this.#newKeys = new Question(() => {
      this.#unsealed += 1
      outlet.updateKeys()
    }, this.#uninvited)
  }

  /** How long the peer took for its last pong, in ms; null if there was none. */
  get roundTripMs(): number | null {
    return this.#pings.roundTripMs
  }

  /** Whether a ping was sent and is unanswered. */
  get pinging(): boolean {
    return this.#pings.unanswered
  }

  /** Whether new keys were asked for, and the peer has not answered. */
  get rekeying(): boolean {
    return this.#newKeys.pending
  }

  /** Calls back when a ping behind everything so far was answered, or when our goodbye comes before it is sent. */
  ping(answered?: () => void, declined?: () => void): void {
    this.#pings.ping(answered, declined)
  }

  /** Calls back when both directions have new keys, or when our goodbye comes before they are asked for. */
  updateKeys(answered?: () => void, declined?: () => void): void {
    this.#newKeys.ask(answered, declined)
  }

  /** Our goodbye. */
  sayGoodbye(): void {
    this.goodbyes.say()
    this.#pings.decline()
    this.#newKeys.decline()
    this.#outlet.send(closeRecord(this.#outlet.received()))
  }

  /** Nothing is asked any more. */
  close(): void {
    this.#pings.close()
    this.#newKeys.close()
  }

  /** A content of ours was sealed. */
  sealed({ type, body, messages = 0 }: Inner): void {
    if (messages > 0) this.#uninvited.refill(this.#unsealed)
    if (type === KIND.pong) this.#pings.answered()
    if (type === KIND.ticket) this.#uninvited.take()
    if (type === KIND.ping || (type === KIND.keyUpdate && body[0] === 1)) this.#unsealed -= 1
  }

  /** What the peer says. Throws what an alert stands for, and ERR_STALK_DECODE and ERR_STALK_UNEXPECTED. */
  hear(frame: Frame): Control {
    const control = decodeControl(frame)
    if (control.name === 'alert') throw alertError(control.code, 'open')
    if (control.name === 'close') this.#onClose(control.received)
    else if (control.name === 'finalPong') this.#onFinalPong(control.received)
    else if (control.name === 'ping') this.#onPing(control.value)
    else if (control.name === 'pong') this.#onPong(control.value, control.received)
    else if (control.name === 'ticket') this.#onTicket(control)
    else if (!control.asks) this.#onNewKeys()
    return control
  }

  #onClose(received: number): void {
    this.goodbyes.hear()
    this.acknowledgements.take(received, this.#outlet.sent())
    if (!this.goodbyes.said) return
    this.#outlet.send(finalPong(this.#outlet.received()))
    this.goodbyes.sayLastWord()
  }

  #onFinalPong(received: number): void {
    this.goodbyes.hearLastWord()
    this.acknowledgements.take(received, this.#outlet.sent())
  }

  #onTicket(ticket: Ticket): void {
    this.goodbyes.checkOpen('a ticket')
    this.#outlet.ticket(ticket)
  }

  #onPing(value: Buffer): void {
    this.goodbyes.checkOpen('a ping')
    this.#pings.hearPing()
    this.#outlet.send(pongRecord(value, this.#outlet.received()))
  }

  #onPong(value: Buffer, received: number): void {
    this.goodbyes.checkNotOver('a pong')
    this.#pings.hearPong(value) // first: one that answers nothing acknowledges nothing
    this.acknowledgements.take(received, this.#outlet.sent())
  }

  // The keys themselves are the pipeline's.
  #onNewKeys(): void {
    this.goodbyes.checkNotOver('new keys')
    this.#newKeys.answer()
  }
}
