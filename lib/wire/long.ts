// Long values on their way: what does not share a record, in one record or in fragments. A Buffer is not copied for that:
// it is sealed from where it is, and delivered as it lies in what was opened. Knows kinds 02 to 04; checks nothing.

import { KIND, MAX_CONTENT_BYTES, MIN_FRAGMENT_BYTES } from '../constants.ts'
import type { Inner } from './record.ts'
import { arrayHeader, binaryHeader, FORM, FORMS, HEADERS, TOKEN } from './tokens.ts'

/** A content that carries messages. */
export interface MessageFrame extends Inner {
  readonly messages: number
}

/** Whether no two of its size share a record: then it is not copied before it is sealed. */
export const isLong = (message: unknown): message is Buffer =>
  Buffer.isBuffer(message) &&
  message.length > MAX_CONTENT_BYTES / 2 &&
  Object.getPrototypeOf(message) === Buffer.prototype

/** One Buffer: what is packed of it is but the header. */
export function* binaryFrames(message: Buffer): Generator<MessageFrame, void, undefined> {
  const header = binaryHeader(message.length)
  const bytes = header.length + message.length
  if (bytes < MAX_CONTENT_BYTES) {
    const prefix = Buffer.concat([arrayOfOne(bytes, ALIGNED_BYTES - header.length), header])
    yield { type: KIND.messages, prefix, body: message, messages: 1 }
    return
  }
  // The first fragment is the short one.
  const first = Math.max(bytes % MAX_CONTENT_BYTES || MAX_CONTENT_BYTES, MIN_FRAGMENT_BYTES) - header.length
  const last = first === message.length
  const type = last ? KIND.lastFragment : KIND.fragment
  yield { type, prefix: header, body: message.subarray(0, first), messages: last ? 1 : 0 }
  yield* fragments(message.subarray(first))
}

/** Whoever gets the Buffer as it lies in the record can have its bytes as a Float64Array, say. */
export const ALIGNED_BYTES = 8

/** The header of an array of one, `width` bytes long (3 or 5) if the record has room for it. */
function arrayOfOne(bytes: number, width: number): Buffer {
  if (bytes + width > MAX_CONTENT_BYTES) return arrayHeader(1)
  return width === 3 ? Buffer.of(TOKEN.array16, 0, 1) : Buffer.of(TOKEN.array32, 0, 0, 0, 1)
}

/** What is packed, in fragments as full as they can be, but for the last. */
export function* fragments(packed: Buffer): Generator<MessageFrame, void, undefined> {
  for (let at = 0; at < packed.length; at += MAX_CONTENT_BYTES) {
    const end = at + MAX_CONTENT_BYTES
    const last = end >= packed.length
    const type = last ? KIND.lastFragment : KIND.fragment
    yield { type, body: packed.subarray(at, end), messages: last ? 1 : 0 }
  }
}

/** The Buffer that is packed from `at` on to the end, without a copy; null if it is none, or most of the memory is not its. */
export function asItLies(bytes: Buffer, at: number): Buffer | null {
  const first = bytes[at] as number
  if (FORMS[first] !== FORM.binary) return null
  const value = bytes.subarray(at + (HEADERS[first] as number))
  return bytes.buffer.byteLength > 2 * value.length ? null : value
}
