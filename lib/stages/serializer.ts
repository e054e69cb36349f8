// The serializer stages: messages ↔ the contents of records. Knows the message codec only.

import type { StalkError } from '../errors.ts'
import { ContentDecoder } from '../wire/contents.ts'
import type { Frame } from '../wire/frame.ts'
import { type Arrived, MessageDecoder, MessageEncoder, type Messages } from '../wire/message.ts'
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
  return paced<Batch, Frame>(batch => contentsOf(batch, codec))
}

function* contentsOf(batch: Batch, codec: MessageEncoder): Generator<Frame, void, undefined> {
  yield* codec.encode(batch.messages, batch.refused)
  batch.encoded()
}

/**
 * Contents in, out come the messages that each completes, together. Contents of other kinds, which are the
 * connection's own, pass as they are, in their place. Fails with ERR_STALK_UNEXPECTED for what may not stand
 * between the fragments of a message or after a goodbye.
 */
export function batchDecoder(codec: MessageDecoder): Stage {
  const contents = new ContentDecoder(codec)
  return paced<Frame, Arrived | Frame>(frame => {
    const item = contents.decode(frame)
    return item === null ? [] : [item]
  })
}

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
