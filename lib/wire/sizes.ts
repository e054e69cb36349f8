// Sizes: how many bytes MessagePack takes for a number, a string, a header. Knows the formats' widths; knows nothing
// of what may be carried, but that a lone surrogate may not.

import { Refusal } from './refusal.ts'

/** Exact for whole 32-bit numbers and everything else, which is a double; for -0 see the check. */
export function numberBytes(value: number): number {
  if (value >>> 0 === value) return value < 0x80 ? 1 : value < 0x100 ? 2 : value < 0x1_0000 ? 3 : 5
  if (value >> 0 === value) return value >= -0x20 ? 1 : value >= -0x80 ? 2 : value >= -0x8000 ? 3 : 5
  return 9
}

/** The header of an array or a map of so many elements or pairs. */
export const containerBytes = (length: number): number => (length < 16 ? 1 : length < 65_536 ? 3 : 5)

const headed = (bytes: number): number => bytes + (bytes < 32 ? 1 : bytes < 256 ? 2 : bytes < 65_536 ? 3 : 5)

const SHORT = 32

/** Header and UTF-8. Throws a Refusal for a lone surrogate, which would arrive as something else. */
export function stringBytes(text: string): number {
  const { length } = text
  if (length > SHORT) {
    if (!text.isWellFormed()) throw loneSurrogate()
    return headed(Buffer.byteLength(text))
  }
  const bytes = length
  for (let i = 0; i < length; i++) {
    const unit = text.charCodeAt(i)
    if (unit >= 0x80) return shortUnicodeBytes(text, i)
  }
  return headed(bytes)
}

function shortUnicodeBytes(text: string, from: number): number {
  if (!text.isWellFormed()) throw loneSurrogate()
  let bytes = from
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // A surrogate pair is 4 bytes: 2 for each half.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit & 0xf800) === 0xd800 ? 2 : 3
  }
  return headed(bytes)
}

const loneSurrogate = (): Refusal =>
  new Refusal('a string with half a surrogate pair', 'make it well-formed with toWellFormed()')
