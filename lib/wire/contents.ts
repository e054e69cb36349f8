// Contents in their order: what a direction's sealed records hold, one after the other, once the session is made. Knows
// what may stand between the fragments of a message and after a goodbye; knows no keys and no streams.

import { KIND } from '../constants.ts'
import { ALERT, StalkError } from '../errors.ts'
import type { Frame } from './frame.ts'
import { Arrived, type MessageDecoder } from './message.ts'

/** Whether records of this kind are messages or parts of them. */
export const carriesMessages = (kind: number): boolean =>
  kind === KIND.messages || kind === KIND.fragment || kind === KIND.lastFragment

/** Whether the message codec takes records of this kind. */
const isOfMessages = (kind: number): boolean => carriesMessages(kind) || kind === KIND.shapes

export const isClose = ({ type, body }: Frame): boolean => type === KIND.alert && body[0] === ALERT.close

/** Between the fragments of a message only an error may stand, or what keeps the connection alive. */
const MAY_INTERRUPT: ReadonlySet<number> = new Set([KIND.alert, KIND.keyUpdate, KIND.ping, KIND.pong])

export class ContentDecoder {
  readonly #codec: MessageDecoder
  #closed = false
  #bytes = 0

  constructor(codec: MessageDecoder) {
    this.#codec = codec
  }

  /**
   * The messages that a content completes, together, or null if it completes none. What is no message is given back.
   * Throws ERR_STALK_UNEXPECTED for what may not stand where it stands, and as the message codec does.
   */
  decode(frame: Frame): Arrived | Frame | null {
    if (!this.#belongs(frame)) throw misplaced(frame, this.#closed)
    if (!isOfMessages(frame.type)) {
      this.#closed ||= isClose(frame)
      return frame
    }
    const messages = this.#codec.decode(frame)
    this.#bytes += frame.body.length
    if (messages.length === 0) return null
    const arrived = new Arrived(messages, this.#bytes)
    this.#bytes = 0
    return arrived
  }

  #belongs(frame: Frame): boolean {
    if (isOfMessages(frame.type) && this.#closed) return false
    if (carriesMessages(frame.type)) return true
    return !this.#codec.partial || (MAY_INTERRUPT.has(frame.type) && !isClose(frame))
  }
}

const misplaced = ({ type }: Frame, closed: boolean): StalkError =>
  new StalkError(
    'ERR_STALK_UNEXPECTED',
    closed
      ? `the peer sent ${type === KIND.shapes ? 'shapes' : 'a message'} after its goodbye`
      : `a record of kind ${type} stands inside a message`
  )
