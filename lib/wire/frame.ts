// Frames: how records lie in a byte stream. Knows lengths and their caps; knows nothing of keys, of what the
// type byte means, of MessagePack, of streams.
//
//   0        1                          4                    4 + length
//   ├ type ──┼ length, u24 big-endian ──┼ body … ────────────┤

import { HEADER_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'

/**
 * A type byte and a body. The same shape inside a sealed record and outside: there the type is the record's
 * type, here its kind, so that stages fit together with the cipher between them or without it.
 */
export interface Frame {
  readonly type: number
  readonly body: Buffer
}
