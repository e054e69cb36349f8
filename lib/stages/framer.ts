// The framer stages: frames ↔ bytes. Knows the frame codec only.

import { MAX_SEALED_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { type Admit, Deframer, enframe, type Frame } from '../wire/frame.ts'
import { paced, type Stage } from './paced.ts'

/** Frames in, one Buffer a frame out. */
export const framer = (): Stage => paced<Frame, Buffer>(frame => [enframe(frame)])

function* framesIn(chunk: Buffer, codec: Deframer): Generator<Frame, void, undefined> {
  codec.push(chunk)
  for (let frame = codec.next(); frame; frame = codec.next()) yield frame
}

/**
 * Bytes in, however chunked, frames out. `admit` says how long the body of each type may be; by default as long
 * as the longest sealed record. Fails with ERR_STALK_OVERFLOW for a longer one, and with ERR_STALK_TRUNCATED
 * where the bytes end inside a frame.
 */
export function deframer(admit: Admit = () => MAX_SEALED_BYTES): Stage {
  const codec = new Deframer(admit)
  return paced<Buffer, Frame>(
    chunk => framesIn(chunk, codec),
    () => {
      if (codec.partial) throw new StalkError('ERR_STALK_TRUNCATED', 'the bytes end inside a record')
      return []
    }
  )
}
