// NDJSON: bytes to lines, lines to messages, messages to lines. One JSON value a line, in UTF-8; blank lines
// mean nothing. Knows text; knows no streams. What JSON.parse would change without a word is refused.

import { BadValue, fromTagged, toTagged } from './tagged.ts'

/** A line that holds the largest message, every character of it escaped, is shorter. */
const MAX_LINE_BYTES = 128 * 1024 * 1024
const LINE_FEED = 0x0a

/** Cuts chunks of bytes into lines, which may go across chunks. */
export class LineSplitter {
  #parts: Buffer[] = []
  #bytes = 0

  /** What comes behind the last line feed. */
  rest(): Buffer {
    return this.#complete(Buffer.alloc(0))
  }

  /** The lines that end in this chunk. Throws BadValue for one that is far too long. */
  *push(chunk: Buffer): Generator<Buffer> {
    let from = 0
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, from)
      if (end < 0) return this.#keep(chunk.subarray(from))
      yield this.#complete(chunk.subarray(from, end))
      from = end + 1
    }
  }

  #keep(part: Buffer): void {
    if (part.length === 0) return
    this.#bytes += part.length
    if (this.#bytes > MAX_LINE_BYTES) throw new BadValue(`it is longer than ${MAX_LINE_BYTES} bytes`)
    this.#parts.push(part)
  }

  #complete(last: Buffer): Buffer {
    if (this.#parts.length === 0) return last
    const line = Buffer.concat([...this.#parts, last])
    this.#parts = []
    this.#bytes = 0
    return line
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The message in a line, or null if the line is blank. Throws BadValue. */
export function readLine(line: Buffer): { readonly message: unknown } | null {
  const text = decoded(line)
  if (text.trim() === '') return null
  const json = parsed(text)
  if (json === null) throw new BadValue('null is no message; wrap it, as in {"value":null}')
  checkNumbers(text)
  return { message: fromTagged(json) }
}

/** A message as one line, without its line feed, and without anything that a terminal would act on. */
export const writeLine = (message: unknown): string =>
  JSON.stringify(toTagged(message)).replace(
    UNSEEN,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  )

/** Control characters that JSON does not escape, and what turns the direction of text around. */
const UNSEEN = /[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g

function decoded(line: Buffer): string {
  try {
    return utf8.decode(line)
  } catch {
    throw new BadValue('it is not UTF-8')
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BadValue(`it is no JSON value: ${(error as Error).message}`)
  }
}

// --- numbers that JSON.parse would round ---------------------------------------------------------------

/** No number without this is rounded to another whole number, or to infinity. */
const SUSPECT = /\d{16}|[eE]\+?\d{3}/
const NUMBER = /-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const WHOLE = /^-?\d+$/

/**
 * Throws BadValue for a whole number that a double can't hold, and for one beyond all doubles. Not for one that is
 * written as JavaScript writes its double: nothing that we wrote ourselves is refused.
 */
function checkNumbers(json: string): void {
  if (!SUSPECT.test(json)) return
  for (const number of numbersIn(json)) {
    const value = Number(number)
    if (!Number.isFinite(value)) throw new BadValue(`the number ${shortened(number)} is too large`)
    if (WHOLE.test(number) && String(value) !== number && BigInt(number) !== BigInt(value)) {
      throw new BadValue(`the number ${number} would be rounded to ${value}; write {"$bigint":"${number}"}`)
    }
  }
}

/** The number literals of a JSON text that is well formed. */
function* numbersIn(json: string): Generator<string> {
  let at = 0
  while (at < json.length) {
    NUMBER.lastIndex = at
    const number = NUMBER.exec(json)?.[0]
    if (number) yield number
    at = json[at] === '"' ? stringEnd(json, at) : at + (number?.length ?? 1)
  }
}

function stringEnd(json: string, start: number): number {
  let quote = json.indexOf('"', start + 1)
  while (isEscaped(json, quote)) quote = json.indexOf('"', quote + 1)
  return quote + 1
}

function isEscaped(json: string, at: number): boolean {
  let backslashes = 0
  while (json[at - 1 - backslashes] === '\\') backslashes += 1
  return backslashes % 2 === 1
}

const shortened = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)
