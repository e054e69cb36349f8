// The target scan: the pre-scan of values against msgpackr, which decodes what the scan accepts.

import { unpack } from '../../../lib/wire/packer.ts'
import { scan as libs } from '../../../lib/wire/scan.ts'
import { reference } from '../../wire/reference.ts'
import { Growth } from '../growth.ts'
import { attempt, magnitude, require, type Target } from '../target.ts'
import { EXAMPLES, TOKENS } from '../tokens.ts'
import { kindOf, same } from '../values.ts'

export type Scan = (bytes: Buffer, start: number, end: number) => number

const CODES = ['ERR_STALK_BAD_MESSAGE'] as const

/** The value's end, or null if it is refused. */
const endOf = (scan: Scan, bytes: Buffer, start: number, end: number): number | null =>
  attempt(CODES, () => scan(bytes, start, end)).value

/** The same bytes with others around them, which must not matter. */
function elsewhere(scan: Scan, bytes: Buffer): number | null {
  const around = Buffer.concat([Buffer.alloc(3, 0x91), bytes, Buffer.alloc(5, 0xc0)])
  const end = endOf(scan, around, 3, 3 + bytes.length)
  return end === null ? null : end - 3
}

/** msgpackr drops some marks, which lib's decoder makes good for: the target messages has those. */
const hasMark = (bytes: Buffer): boolean => bytes.includes(Buffer.from('\ufeff'))

export const scan = (subject: Scan = libs): Target => {
  const growth = new Growth(subject)
  return {
    name: 'scan',
    properties: [
      'nothing but ERR_STALK_BAD_MESSAGE is thrown',
      'what the scan accepts, msgpackr decodes to what a plain second decoder reads',
      'the bytes around a value do not matter, and no part of a value is one',
      'decoding is linear in the size: many copies of a value take so many times as long, and as much memory'
    ],
    maxBytes: 2_048,
    batch: 128,
    dictionary: TOKENS,
    seeds: () => EXAMPLES,
    run(bytes) {
      const end = endOf(subject, bytes, 0, bytes.length)
      require(end === elsewhere(subject, bytes), 'the bytes around a value matter')
      if (end === null) return `refused ${(bytes[0] ?? 0) >> 4} ${magnitude(bytes.length)}`
      require(end > 0 && end <= bytes.length, 'an end that is none')
      const value = Buffer.from(bytes.subarray(0, end))
      require(endOf(subject, value, 0, end - 1) === null, 'a part of a value is a value')
      const decoded = unpack(value)
      require(hasMark(value) || same(decoded, reference(value)), 'another value than a plain decoder reads')
      growth.check(value)
      return `${kindOf(decoded)} ${magnitude(end)} ${end === bytes.length}`
    }
  }
}
