// The scan before decoding: whatever it accepts, msgpackr decodes without throwing, in time and memory linear
// in its size. Iterative, so that no nesting overflows the stack. Knows the tokens, limits and extensions that
// PROTOCOL.md lists, and how many names a shape has; makes no JavaScript value of any.

import { isUtf8 } from 'node:buffer'
import { BINARY_VALUES, MAX_DEPTH, MAX_VALUES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { checkExtension, EXTENSION } from './extensions.ts'
import { SeenKeys } from './keys.ts'
import type { ShapeSizes } from './shapes.ts'
import { FORM, FORMS, HEADERS, lengthAt, SET, SHAPE_TOKEN, TOKEN } from './tokens.ts'

export const badMessage = (what: string, at: number): StalkError =>
  new StalkError('ERR_STALK_BAD_MESSAGE', `${what} at byte ${at} of a message`)

// Scratch for the containers that are open, shared by all scans: a scan runs no code but its own.
const lefts = new Float64Array(MAX_DEPTH + 1)
const mapped = new Uint8Array(MAX_DEPTH + 1)
const seen = new SeenKeys(MAX_DEPTH + 1)

/**
 * Checks exactly one value and returns the offset behind it. `shapes`: those that were announced; null for none.
 * Throws `ERR_STALK_BAD_MESSAGE`, naming what is wrong and at which offset.
 */
export function scan(bytes: Buffer, start: number, end: number, shapes: ShapeSizes | null = null): number {
  let at = start
  let depth = 0
  let values = 0
  lefts[0] = 1
  mapped[0] = 0
  for (;;) {
    while (lefts[depth] === 0) {
      if (depth-- === 0) return at
    }
    lefts[depth] = (lefts[depth] as number) - 1
    if (mapped[depth] === 1) at = scanKey(bytes, at, end, depth)
    if (at >= end) throw badMessage('the end within a value', at)
    const token = bytes[at] as number
    const form = FORMS[token] as number
    values += isBinary(bytes, at, form) ? BINARY_VALUES : 1
    if (values > MAX_VALUES) throw badMessage(`more than ${MAX_VALUES} values`, at)
    if (shapes !== null && (token & 0xc0) === SHAPE_TOKEN) depth = openShape(shapes, token, at++, end, depth)
    else if (form === FORM.scalar) at = within(at + (HEADERS[token] as number), at, end)
    else if (form === FORM.string) at = scanString(bytes, at, end)
    else {
      if (form === FORM.extension && isSet(bytes, at, end)) at += 3
      else if (form < FORM.array) {
        at = scanData(bytes, at, end, form)
        continue
      }
      depth = open(bytes, at, end, depth)
      at += HEADERS[bytes[at] as number] as number
    }
  }
}

/** Bounds: the end of a token that begins at `at`. NaN, from a length cut off, is not within. */
function within(next: number, at: number, end: number): number {
  if (next <= end) return next
  throw badMessage('the end within a value', at)
}

/** Opens an array or map and returns its depth; each element takes at least a byte, each pair two. */
function open(bytes: Buffer, at: number, end: number, outer: number): number {
  const form = FORMS[bytes[at] as number]
  if (form === FORM.never) throw badMessage('the byte c1', at)
  const left = lengthAt(bytes, at)
  const header = within(at + (HEADERS[bytes[at] as number] as number), at, end)
  if (!(left * (form === FORM.map ? 2 : 1) <= end - header))
    throw badMessage('more values announced than there are', at)
  const depth = outer + 1
  if (depth > MAX_DEPTH) throw badMessage(`nesting deeper than ${MAX_DEPTH}`, at)
  lefts[depth] = left
  mapped[depth] = form === FORM.map ? 1 : 0
  if (form === FORM.map) seen.open(depth, left)
  return depth
}

/** The object of a shape that stands at `at`, and its depth; each of its values takes at least a byte. */
function openShape(shapes: ShapeSizes, token: number, at: number, end: number, outer: number): number {
  const id = token - SHAPE_TOKEN
  const left = shapes[id] as number
  if (left === 0) throw badMessage(`an object of shape ${id}, which was not announced,`, at)
  if (left > end - at - 1) throw badMessage('more values announced than there are', at)
  const depth = outer + 1
  if (depth > MAX_DEPTH) throw badMessage(`nesting deeper than ${MAX_DEPTH}`, at)
  lefts[depth] = left
  mapped[depth] = 0
  return depth
}

/** d4 73 00 and an array behind it, the only form of a set. */
function isSet(bytes: Buffer, at: number, end: number): boolean {
  if (bytes[at] !== TOKEN.fixext1 || bytes[at + 1] !== SET || at + 2 >= end) return false
  if (bytes[at + 2] !== 0) throw badMessage('a set whose filler is not 00', at)
  if (at + 3 >= end || FORMS[bytes[at + 3] as number] !== FORM.array)
    throw badMessage('a set without an array', at)
  return true
}

/** Binary data, or the extension that carries the other kinds of it. */
function isBinary(bytes: Buffer, at: number, form: number): boolean {
  if (form !== FORM.extension) return form === FORM.binary
  return bytes[at + (HEADERS[bytes[at] as number] as number) - 1] === EXTENSION.binary
}

/** Binary data or an extension. */
function scanData(bytes: Buffer, at: number, end: number, form: number): number {
  const data = at + (HEADERS[bytes[at] as number] as number)
  const next = within(data + lengthAt(bytes, at), at, end)
  if (form === FORM.extension) checkExtension(bytes, at, data, next)
  return next
}

function scanString(bytes: Buffer, at: number, end: number): number {
  const from = at + (HEADERS[bytes[at] as number] as number)
  const to = within(from + lengthAt(bytes, at), at, end)
  let i = from
  if (to - from <= SHORT) while (i < to && (bytes[i] as number) < 0x80) i++
  if (i < to) checkUtf8(bytes, from, to)
  return to
}

const SHORT = 40

function checkUtf8(bytes: Buffer, from: number, to: number): void {
  if (!isUtf8(bytes.subarray(from, to))) throw badMessage('a string that is not UTF-8', from)
  if (to - from > 64 && hasMark(bytes, from)) markedStrings++
}

/** How many strings of more than 64 bytes began with a byte order mark, ever: msgpackr drops theirs. */
export let markedStrings = 0

/** Whether the UTF-8 at `from` begins with a byte order mark, U+FEFF. */
export const hasMark = (bytes: Buffer, from: number): boolean =>
  bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf

/** A map's key: a string, not `__proto__`, none twice. */
function scanKey(bytes: Buffer, at: number, end: number, depth: number): number {
  if (at >= end) throw badMessage('the end within a map', at)
  if (FORMS[bytes[at] as number] !== FORM.string) throw badMessage('a key that is not a string', at)
  const to = scanString(bytes, at, end)
  const from = at + (HEADERS[bytes[at] as number] as number)
  if (isProto(bytes, from, to)) throw badMessage('a key named __proto__', at)
  if (!seen.add(depth, bytes, from, to)) throw badMessage('a key that is there twice', at)
  return to
}

const PROTO = Buffer.from('__proto__')

function isProto(bytes: Buffer, from: number, to: number): boolean {
  return to - from === PROTO.length && bytes[from] === PROTO[0] && PROTO.equals(bytes.subarray(from, to))
}
