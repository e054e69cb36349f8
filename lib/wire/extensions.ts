// The extensions that a value may use, and the exact form of each. Everything else is refused: msgpackr honours
// more of them than any option turns off, record definitions and references among them.

import { MAX_BIGINT_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { TOKEN } from './tokens.ts'

/** Type bytes. That of sets stands in `tokens`: it has values inside. */
export const EXTENSION = { undefined: 0x00, bigint: 0x42, binary: 0x74, date: 0xff } as const

/** Element sizes of typed arrays by code, 0 to 10, in bytes; then ArrayBuffer (16) and DataView (17). */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  ...[1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8],
  16: 1,
  17: 1
}

/** Checks the extension at `at` whose data is from `data` to `end`, all of it known to be there. */
export function checkExtension(bytes: Buffer, at: number, data: number, end: number): void {
  const type = bytes[data - 1] as number
  const length = end - data
  if (!isAllowed(bytes, at, type, data, length)) {
    const hex = type.toString(16).padStart(2, '0')
    throw new StalkError(
      'ERR_STALK_BAD_MESSAGE',
      `an extension of type ${hex} that is not allowed at byte ${at} of a message`
    )
  }
}

function isAllowed(bytes: Buffer, at: number, type: number, data: number, length: number): boolean {
  switch (type) {
    case EXTENSION.undefined:
      return bytes[at] === TOKEN.fixext1 && bytes[data] === 0
    case EXTENSION.bigint:
      return length >= 1 && length <= MAX_BIGINT_BYTES
    case EXTENSION.binary: {
      const size = length === 0 ? undefined : ELEMENT_BYTES[bytes[data] as number]
      return size !== undefined && (length - 1) % size === 0
    }
    case EXTENSION.date:
      return bytes[at] === TOKEN.fixext1 ? bytes[data] === 0xff : isTimestamp(bytes, data, length)
    default:
      return false
  }
}

const MAX_NANOSECONDS = 999_999_999
/** What a Date can tell, in seconds before and after 1970. */
const MAX_SECONDS = 8_640_000_000_000n

function isTimestamp(bytes: Buffer, data: number, length: number): boolean {
  if (length === 4) return true
  if (length === 8) return bytes.readUInt32BE(data) >>> 2 <= MAX_NANOSECONDS
  if (length !== 12) return false
  const nanoseconds = bytes.readUInt32BE(data)
  const seconds = bytes.readBigInt64BE(data + 4)
  if (nanoseconds > MAX_NANOSECONDS || seconds < -MAX_SECONDS) return false
  return seconds < MAX_SECONDS || (seconds === MAX_SECONDS && nanoseconds === 0)
}
