// OpenSSH's key files built by hand, so that every field of them can be wrong. Written from PROTOCOL.key, without
// lib's own writer.

import { createCipheriv, type KeyObject } from 'node:crypto'
// @ts-expect-error No types.
import bcrypt from 'bcrypt-pbkdf'

export const u32 = (value: number): Buffer => Buffer.from([value >>> 24, value >>> 16, value >>> 8, value])

export const str = (content: string | Buffer): Buffer => {
  const bytes = Buffer.from(content as string)
  return Buffer.concat([u32(bytes.length), bytes])
}

export const mpint = (base64url: string | undefined): Buffer => {
  const bytes = Buffer.from(base64url ?? '', 'base64url')
  return str((bytes[0] ?? 0) > 0x7f ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes)
}

const raw = (base64url: string | undefined): Buffer => Buffer.from(base64url ?? '', 'base64url')

/** The fields of a private key, by name, in their order. */
export type Fields = Partial<Record<'type' | 'x' | 'secret' | 'n' | 'e' | 'd' | 'qi' | 'p' | 'q', Buffer>>

export function fieldsOf(key: KeyObject): Fields {
  const { n, e, d, qi, p, q, x } = key.export({ format: 'jwk' })
  if (key.asymmetricKeyType === 'ed25519') {
    return { type: str('ssh-ed25519'), x: str(raw(x)), secret: str(Buffer.concat([raw(d), raw(x)])) }
  }
  const numbers = { n: mpint(n), e: mpint(e), d: mpint(d), qi: mpint(qi), p: mpint(p), q: mpint(q) }
  return { type: str('ssh-rsa'), ...numbers }
}

export function blobOf(key: KeyObject): Buffer {
  const { type, n, e, x } = fieldsOf(key)
  return Buffer.concat([type, e, n, x].filter(part => part !== undefined))
}

export interface Parts {
  magic: Buffer
  cipher: Buffer
  kdf: Buffer
  options: Buffer
  count: Buffer
  blob: Buffer
  section: Buffer
  rest: Buffer
}

export interface Section {
  checks: Buffer
  fields: Fields
  comment: Buffer
  padding: Buffer | null
}

export function sectionOf(key: KeyObject, changes: Partial<Section> = {}, block = 8): Buffer {
  const { checks, fields, comment, padding } = {
    ...{ checks: Buffer.alloc(8, 7), fields: fieldsOf(key), comment: str('me'), padding: null },
    ...changes
  }
  const body = Buffer.concat([checks, ...Object.values(fields), comment])
  const count = (block - (body.length % block)) % block
  return Buffer.concat([
    body,
    padding ?? Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15].slice(0, count))
  ])
}

/** The container in clear. */
export function container(key: KeyObject, changes: Partial<Parts> = {}): Buffer {
  const parts: Parts = {
    magic: Buffer.from('openssh-key-v1\0'),
    cipher: str('none'),
    kdf: str('none'),
    options: str(''),
    count: u32(1),
    blob: str(blobOf(key)),
    section: str(sectionOf(key)),
    rest: Buffer.alloc(0),
    ...changes
  }
  return Buffer.concat(Object.values(parts))
}

/** The parts of an encrypted one. */
export function encrypted(
  key: KeyObject,
  word: string,
  rounds = 1,
  section: Partial<Section> = {}
): Partial<Parts> {
  const salt = Buffer.alloc(16, 5)
  const secret = Buffer.alloc(48)
  bcrypt.pbkdf(Buffer.from(word), Buffer.byteLength(word), salt, 16, secret, 48, rounds)
  const cipher = createCipheriv('aes-256-ctr', secret.subarray(0, 32), secret.subarray(32))
  return {
    cipher: str('aes256-ctr'),
    kdf: str('bcrypt'),
    options: str(Buffer.concat([str(salt), u32(rounds)])),
    section: str(cipher.update(sectionOf(key, section, 16)))
  }
}

export const armored = (bytes: Buffer, label = 'OPENSSH PRIVATE KEY'): string =>
  `-----BEGIN ${label}-----\n${bytes.toString('base64').replace(/(.{70})/g, '$1\n')}\n-----END ${label}-----\n`
