// The fragment stages: plain bytes ↔ the contents of records, for the cipher stages around anything that is no
// message, a file say. Knows kinds 03 and 04; a cut between two fragments is seen, since the last one is marked.

import { KIND, MAX_CONTENT_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import type { Frame } from '../wire/frame.ts'
import { paced, type Stage } from './paced.ts'

/** Bytes in, however chunked; contents out, and a last one that says that it is the last. */
export function fragmenter(): Stage {
  return paced<Buffer, Frame>(
    function* (chunk) {
      for (let at = 0; at < chunk.length; at += MAX_CONTENT_BYTES) {
        yield { type: KIND.fragment, body: chunk.subarray(at, at + MAX_CONTENT_BYTES) }
      }
    },
    () => [{ type: KIND.lastFragment, body: Buffer.alloc(0) }]
  )
}

/** Contents in, bytes out. Fails with ERR_STALK_TRUNCATED if they end without the last one. */
export function defragmenter(): Stage {
  let complete = false
  return paced<Frame, Buffer>(
    ({ type, body }) => {
      if (complete || (type !== KIND.fragment && type !== KIND.lastFragment)) {
        throw new StalkError('ERR_STALK_UNEXPECTED', `a record of kind ${type} where fragments are expected`)
      }
      complete = type === KIND.lastFragment
      return body.length > 0 ? [body] : []
    },
    () => {
      if (!complete) throw new StalkError('ERR_STALK_TRUNCATED', 'the records end before the last one')
      return []
    }
  )
}
