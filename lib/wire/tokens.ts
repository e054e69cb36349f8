// MessagePack's tokens: what form each first byte announces, how long it is, how many values follow as its
// content. Knows nothing of JavaScript values, and trusts the bytes: the scan is what checks them.
//
//   ├ token ─┼ length, 0, 1, 2 or 4 bytes ─┼ [type, of an extension] ─┼ data, or the values inside … ─┤

/** What a token holds. */
export const FORM = { scalar: 0, string: 1, binary: 2, extension: 3, array: 4, map: 5, never: 6 } as const

/** Tokens that are looked for or written by name. */
export const TOKEN = {
  nil: 0xc0,
  float64: 0xcb,
  fixext1: 0xd4,
  string32: 0xdb,
  array16: 0xdc,
  array32: 0xdd
} as const

/** The first of those that are objects of a shape, 64 in all, where shapes were announced; else they are numbers. */
export const SHAPE_TOKEN = 0x40

/** The extension that makes a set of the array behind it. */
export const SET = 0x73

interface Layout {
  readonly form: number
  /** Bytes before the data or the values inside; of a scalar, all of it. */
  readonly header: number
  /** Width of the length field. */
  readonly width: number
  /** The length, where it is not a field of its own. */
  readonly length: number
}

const layout = (form: number, header: number, width = 0, length = 0): Layout => ({
  form,
  header,
  width,
  length
})

// 0xc0 to 0xdf, in order.
const NAMED: readonly Layout[] = [
  layout(FORM.scalar, 1), // nil
  layout(FORM.never, 1),
  layout(FORM.scalar, 1), // false
  layout(FORM.scalar, 1), // true
  ...[1, 2, 4].map(width => layout(FORM.binary, 1 + width, width)),
  ...[1, 2, 4].map(width => layout(FORM.extension, 2 + width, width)),
  ...[4, 8, 1, 2, 4, 8, 1, 2, 4, 8].map(bytes => layout(FORM.scalar, 1 + bytes)), // floats, uints, ints
  ...[1, 2, 4, 8, 16].map(length => layout(FORM.extension, 2, 0, length)),
  ...[1, 2, 4].map(width => layout(FORM.string, 1 + width, width)),
  ...[2, 4].map(width => layout(FORM.array, 1 + width, width)),
  ...[2, 4].map(width => layout(FORM.map, 1 + width, width))
]

function layoutOf(token: number): Layout {
  if (token < 0x80 || token >= 0xe0) return layout(FORM.scalar, 1)
  if (token < 0x90) return layout(FORM.map, 1, 0, token & 0x0f)
  if (token < 0xa0) return layout(FORM.array, 1, 0, token & 0x0f)
  if (token < 0xc0) return layout(FORM.string, 1, 0, token & 0x1f)
  return NAMED[token - 0xc0] as Layout
}

const LAYOUTS = Array.from({ length: 256 }, (_, token) => layoutOf(token))

/** First byte → form, header bytes, width of the length field, and the length that is in the token itself. */
export const FORMS = Uint8Array.from(LAYOUTS, ({ form }) => form)
export const HEADERS = Uint8Array.from(LAYOUTS, ({ header }) => header)
const WIDTHS = Uint8Array.from(LAYOUTS, ({ width }) => width)
const LENGTHS = Uint8Array.from(LAYOUTS, ({ length }) => length)

/** The length that a token announces: bytes of data, elements or pairs. NaN where the bytes end before it. */
export function lengthAt(bytes: Buffer, at: number): number {
  const token = bytes[at] as number
  const width = WIDTHS[token] as number
  if (width === 0) return LENGTHS[token] as number
  let length = bytes[at + 1] as number
  for (let i = 2; i <= width; i++) length = length * 256 + (bytes[at + i] as number)
  return length
}

/** The offset of the token behind the one at `at`; an array's or a map's first value, if there is one. */
export function nextToken(bytes: Buffer, at: number): number {
  const token = bytes[at] as number
  const form = FORMS[token] as number
  const data = form === FORM.array || form === FORM.map ? 0 : lengthAt(bytes, at)
  return at + (HEADERS[token] as number) + data
}

/** The offset behind the whole value at `at`. `shapes`: those that were announced; null for none. */
export function skip(bytes: Buffer, at: number, shapes: Uint8Array | null = null): number {
  let end = at
  for (let pending = 1; pending > 0; pending--) {
    pending += valuesInside(bytes, end, shapes)
    end = nextToken(bytes, end)
  }
  return end
}

function valuesInside(bytes: Buffer, at: number, shapes: Uint8Array | null): number {
  const token = bytes[at] as number
  const form = FORMS[token]
  if (form === FORM.scalar)
    return shapes !== null && (token & 0xc0) === SHAPE_TOKEN ? (shapes[token - SHAPE_TOKEN] as number) : 0
  if (form === FORM.array) return lengthAt(bytes, at)
  if (form === FORM.map) return 2 * lengthAt(bytes, at)
  return form === FORM.extension && bytes[at + 1] === SET && token === TOKEN.fixext1 ? 1 : 0
}

/** The header of an array of so many elements, as short as can be. */
export function arrayHeader(length: number): Buffer {
  if (length < 16) return Buffer.of(0x90 | length)
  if (length < 65_536) return Buffer.of(TOKEN.array16, length >> 8, length & 0xff)
  throw new RangeError(`an array header for ${length} elements`)
}

/** The header of bytes, as short as can be. */
export function binaryHeader(length: number): Buffer {
  if (length < 256) return Buffer.of(0xc4, length)
  if (length < 65_536) return Buffer.of(0xc5, length >> 8, length & 0xff)
  const header = Buffer.of(0xc6, 0, 0, 0, 0)
  header.writeUInt32BE(length, 1)
  return header
}
