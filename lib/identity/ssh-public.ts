// Public keys as OpenSSH writes them: the binary form (RFC 4253, section 6.6; RFC 8709, section 4) and the line
// `ssh-ed25519 AAAA… comment`. Knows nothing of private keys and files.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { MAX_COMMENT_BYTES, MAX_RSA_BITS, MIN_RSA_BITS } from '../constants.ts'
import { type RawPublicKey, RSA_EXPONENT } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import { checkKey } from './check.ts'
import { sshBlob } from './fingerprint.ts'
import { found, otherKind, unsupported } from './foreign.ts'
import { SshReader } from './ssh-fields.ts'

/** A public key with what its owner calls it. */
export interface SshLine {
  readonly key: KeyObject
  readonly comment: string
}

const TYPES = new Set(['ssh-rsa', 'ssh-ed25519'])

/** Lines that begin as a public key of OpenSSH does; base64 of a length in four bytes begins with AAAA. */
const LINE = /^[ \t]*((?:ssh|ecdsa|sk)-\S{1,64})[ \t]+(AAAA\S*)(.*)$/gm

/** Whether there is such a line in a text. */
export const hasSshLine = (text: string): boolean => linesIn(text).length > 0

const linesIn = (text: string): RegExpMatchArray[] => [...text.matchAll(LINE)]

/**
 * The key of the only line that is not empty and no remark (`#`). `text` is read as latin1, comments are UTF-8.
 * Throws ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED.
 */
export function readSshLine(text: string, name: string): SshLine {
  const lines = text.split(/[\r\n]+/).filter(line => !/^\s*(#|$)/.test(line))
  const [match, ...more] = linesIn(text)
  if (more.length > 0) throw found(name, `${more.length + 1} public keys; keep one in a file`)
  if (lines.length > 1) throw found(name, 'more than the line of one public key; keep one in a file')
  const [, word = '', base64 = '', comment = ''] = match ?? []
  const { key, type } = readSshBlob(blobIn(word, base64, name), name)
  requireSame(type, word, name)
  return { key, comment: readComment(Buffer.from(comment.replace(/^[ \t]+/, ''), 'latin1'), name) }
}

function blobIn(word: string, base64: string, name: string): Buffer {
  if (!TYPES.has(word)) throw otherKind(name, word)
  const blob = Buffer.from(base64, 'base64')
  if (blob.toString('base64') === base64) return blob
  throw found(name, 'a public key that is not plain base64; it is damaged')
}

function requireSame(inside: string, outside: string, name: string): void {
  if (inside !== outside)
    throw found(name, `a public key that is ${inside} inside and ${outside} outside; it is damaged`)
}

/**
 * A key of a list of many, from its two words: of the right form and size. That OpenSSL takes it, and that an Ed25519
 * key is a point of the curve, is not looked at: a key that it is compared with has passed that. Throws
 * ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED.
 */
export function readListedKey(word: string, base64: string, name: string): RawPublicKey {
  const reader = new SshReader(blobIn(word, base64, name), name, 'a public key')
  requireSame(reader.word(), word, name)
  return word === 'ssh-rsa' ? listedRsa(reader, name) : listedEd25519(reader)
}

function listedRsa(reader: SshReader, name: string): RawPublicKey {
  const [e, bytes] = [reader.number(), reader.number()]
  reader.end()
  const fits = bytes.length >= MIN_RSA_BITS / 8 && bytes.length <= MAX_RSA_BITS / 8
  if (!fits || (bytes[0] ?? 0) < 0x80 || Number(`0x${e.toString('hex')}`) !== RSA_EXPONENT) {
    const text = `stalk takes RSA keys of ${MIN_RSA_BITS} to ${MAX_RSA_BITS} bits, in whole bytes, with e = ${RSA_EXPONENT}`
    throw unsupported(name, text)
  }
  return { type: 'rsa', bytes: Buffer.from(bytes) }
}

function listedEd25519(reader: SshReader): RawPublicKey {
  const bytes = reader.string()
  reader.end()
  if (bytes.length !== 32) reader.fail(`has ${bytes.length} bytes, not 32`)
  return { type: 'ed25519', bytes: Buffer.from(bytes) }
}

/** A public key in its binary form. Throws ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED. */
export function readSshBlob(blob: Buffer, name: string): { key: KeyObject; type: string } {
  const reader = new SshReader(blob, name, 'a public key')
  const type = reader.word()
  if (!TYPES.has(type)) throw otherKind(name, type)
  const key = type === 'ssh-rsa' ? readRsa(reader) : readEd25519(reader)
  checkKey(key, name)
  return { key, type }
}

function readRsa(reader: SshReader): KeyObject {
  const [e, n] = [reader.number(), reader.number()]
  reader.end()
  return imported(reader, { kty: 'RSA', n: n.toString('base64url'), e: e.toString('base64url') })
}

function readEd25519(reader: SshReader): KeyObject {
  const point = reader.string()
  reader.end()
  if (point.length !== 32) reader.fail(`has ${point.length} bytes, not 32`)
  return imported(reader, { kty: 'OKP', crv: 'Ed25519', x: point.toString('base64url') })
}

function imported(reader: SshReader, key: Record<string, string>): KeyObject {
  try {
    return createPublicKey({ key, format: 'jwk' })
  } catch {
    return reader.fail('OpenSSL does not take')
  }
}

/** The line of a public key, as in `id_ed25519.pub`. */
export function writeSshLine(raw: RawPublicKey, comment: string): string {
  const words = [`ssh-${raw.type}`, sshBlob(raw).toString('base64'), ...(comment ? [comment] : [])]
  return `${words.join(' ')}\n`
}

/** What is no comment: it could be taken for another line, or play with a terminal. */
const UNFIT = /[\p{Cc}\u2028\u2029]/u

/** A comment in a file. Throws ERR_STALK_KEY_FILE_FORMAT. */
export function readComment(bytes: Buffer, name: string): string {
  const comment = bytes.toString('utf8')
  const flaw = flawOf(comment)
  if (flaw !== null) throw found(name, `a key whose comment ${flaw}`)
  return comment
}

/** A comment that is to be written. Throws ERR_STALK_INVALID_OPTION. */
export function requireComment(comment: unknown): string {
  const flaw = typeof comment === 'string' ? flawOf(comment) : 'is no string'
  if (flaw === null) return comment as string
  throw new StalkError('ERR_STALK_INVALID_OPTION', `the comment ${flaw}`, { phase: 'setup' })
}

function flawOf(comment: string): string | null {
  if (Buffer.byteLength(comment) > MAX_COMMENT_BYTES) return `is longer than ${MAX_COMMENT_BYTES} bytes`
  return UNFIT.test(comment) ? 'has a line break or another control character in it' : null
}
