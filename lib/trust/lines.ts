// The lines of a trust file, and the key that stands in one: `ssh-ed25519 AAAA… comment`. Knows what both kinds of
// trust files share; knows not what a key may do.

import { MAX_COMMENT_BYTES, MAX_TRUST_LINE_BYTES } from '../constants.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import { fingerprintOf } from '../identity/fingerprint.ts'
import { readComment, readListedKey } from '../identity/ssh-public.ts'
import { fileFailure } from './failures.ts'

export interface Line {
  /** From 1 on. */
  readonly number: number
  /** Without the blanks around it. */
  readonly text: string
  /** For error texts: the file and the line. */
  readonly place: string
}

/** A key in a trust file. */
export interface ListedKey {
  readonly raw: RawPublicKey
  readonly fingerprint: string
  /** What the file calls it. */
  readonly comment: string
}

/** All lines but empty ones and remarks (`#`). Throws ERR_STALK_TRUST_FILE_FORMAT. */
export function linesOf(text: string, path: string): Line[] {
  return text
    .split('\n')
    .map((line, index) => ({
      number: index + 1,
      text: line.replace(/^[ \t]+|[ \t\r]+$/g, ''),
      place: `${path}, line ${index + 1}`
    }))
    .filter(({ text }) => text !== '' && !text.startsWith('#'))
    .map(requireFit)
}

function requireFit(line: Line): Line {
  if (line.text.length > MAX_TRUST_LINE_BYTES)
    throw malformed(line, `is longer than ${MAX_TRUST_LINE_BYTES} bytes`)
  if (hasControl(line.text)) throw malformed(line, 'has a control character in it')
  return line
}

/** The bytes of UTF-8 that are control characters in latin1 are none here. */
function hasControl(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true
  }
  return false
}

/** The error for a line that is not as it has to be. */
export const malformed = ({ place }: Pick<Line, 'place'>, problem: string, cause?: unknown): StalkError =>
  fileFailure('FORMAT', `${place} ${problem}`, cause)

/** The first word and the rest. */
export function firstWord(text: string): [word: string, rest: string] {
  const end = text.search(/[ \t]/)
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end).replace(/^[ \t]+/, '')]
}

/** `ssh-ed25519 AAAA… comment`. Throws ERR_STALK_TRUST_FILE_FORMAT. */
export function keyIn(words: string, line: Pick<Line, 'place'>): ListedKey {
  const [type, rest] = firstWord(words)
  const [base64, comment] = firstWord(rest)
  if (base64 === '') throw malformed(line, 'has no public key: `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`')
  return atLine(line, () => {
    const raw = readListedKey(type, base64, line.place)
    const text = readComment(Buffer.from(comment, 'latin1'), line.place)
    return { raw, fingerprint: fingerprintOf(raw), comment: text }
  })
}

/** What is wrong with a key, as what is wrong with the line. */
export function atLine<T>({ place }: Pick<Line, 'place'>, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    const isOurs = cause instanceof StalkError && !cause.code.startsWith('ERR_STALK_TRUST_FILE_')
    if (!isOurs) throw cause
    const text = cause.message.startsWith(place) ? cause.message : `${place}: ${cause.message}`
    throw fileFailure('FORMAT', text, cause)
  }
}

/** A text with one more line, for a file that is read as latin1. */
export function withLine(text: string, line: string): string {
  const bytes = Buffer.from(`${line}\n`).toString('latin1')
  return text === '' || text.endsWith('\n') ? text + bytes : `${text}\n${bytes}`
}

/** What may stand behind a key. Says what is wrong with it; null if nothing. */
export function flawOfLabel(label: string): string | null {
  if (Buffer.byteLength(label) > MAX_COMMENT_BYTES) return `is longer than ${MAX_COMMENT_BYTES} bytes`
  return /[\p{Cc}\u2028\u2029]/u.test(label) ? 'has a control character in it' : null
}
