// The serializer stages: messages ↔ the contents of records. Knows the message codec only.

import { KIND } from '../constants.ts'
import { ALERT, StalkError } from '../errors.ts'
import type { Frame } from '../wire/frame.ts'
import { Arrived, MessageDecoder, MessageEncoder, type Messages } from '../wire/message.ts'
import { paced, type Stage } from './paced.ts'

/** Messages that gathered in one tick and go to the wire together. */
export interface Batch {
  readonly messages: Messages
  /** Told of a message that cannot be carried; the others are not affected. */
  refused(index: number, error: StalkError): void
  /** Called when all of them are encoded and handed on; until then they must not change. */
  encoded(): void
}

/** Batches in, contents out, a content encoded when it is asked for. */
export function batchEncoder(codec: MessageEncoder): Stage {
  return paced<Batch, Frame>(function* (batch) {
    yield* codec.encode(batch.messages, batch.refused)
    batch.encoded()
  })
}

/**
 * Contents in, out come the messages that each completes, together. Contents of other kinds, which are the
 * connection's own, pass as they are, in their place. Fails with ERR_STALK_UNEXPECTED for what may not stand
 * between the fragments of a message or after a goodbye.
 */
export function batchDecoder(codec: MessageDecoder): Stage {
  let closed = false
  let bytes = 0
  return paced<Frame, Arrived | Frame>(frame => {
    const isClose = frame.type === KIND.alert && frame.body[0] === ALERT.close
    const belongs = carriesMessages(frame.type)
      ? !closed
      : !codec.partial || (MAY_INTERRUPT.has(frame.type) && !isClose)
    if (!belongs) throw misplaced(frame, closed)
    if (!carriesMessages(frame.type)) {
      closed ||= isClose
      return [frame]
    }
    const messages = codec.decode(frame)
    bytes += frame.body.length
    if (messages.length === 0) return []
    const arrived = new Arrived(messages, bytes)
    bytes = 0
    return [arrived]
  })
}

/** Whether records of this kind are messages or parts of them. */
export const carriesMessages = (kind: number): boolean =>
  kind === KIND.messages || kind === KIND.fragment || kind === KIND.lastFragment

/** Between the fragments of a message only an error may stand, or what keeps the connection alive. */
const MAY_INTERRUPT: ReadonlySet<number> = new Set([KIND.alert, KIND.keyUpdate, KIND.ping, KIND.pong])

const misplaced = ({ type }: Frame, closed: boolean): StalkError =>
  new StalkError(
    'ERR_STALK_UNEXPECTED',
    closed ? 'the peer sent a message after its goodbye' : `a record of kind ${type} stands inside a message`
  )

/** Messages in, contents out, a content a message. Fails with ERR_STALK_VALUE_UNSUPPORTED and the like. */
export function encoder(): Stage {
  const codec = new MessageEncoder()
  return paced<unknown, Frame>(message =>
    codec.encode([message], (_index, error) => {
      throw error
    })
  )
}

/** Contents in, messages out. Fails with ERR_STALK_BAD_MESSAGE and the like. */
export function decoder(options: { maxMessageBytes?: number } = {}): Stage {
  const codec = new MessageDecoder(options)
  return paced<Frame, unknown>(frame => codec.decode(frame))
}
