// Fingerprints of public keys, as `ssh-keygen -l -E sha256` prints them. Knows SSH's encoding of a public
// key; knows no files, no private keys, and not whom a fingerprint is trusted for.

import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { type RawPublicKey, RSA_EXPONENT } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import { sshNumber, sshString } from './ssh-fields.ts'

/** What every fingerprint begins with. */
const PREFIX = 'SHA256:'

/** The prefix and a SHA-256 digest in base64 without padding: 43 characters. */
const PATTERN = /^SHA256:[A-Za-z0-9+/]{43}$/

/**
 * A public key in SSH's wire encoding: RFC 4253, section 6.6 (`ssh-rsa`: e and n) and RFC 8709, section 4
 * (`ssh-ed25519`: the 32 bytes). In base64 it is the second word of an OpenSSH public key line.
 */
export function sshBlob({ type, bytes }: RawPublicKey): Buffer {
  if (type === 'ed25519') return Buffer.concat([sshString('ssh-ed25519'), sshString(bytes)])
  const exponent = Buffer.alloc(3)
  exponent.writeUIntBE(RSA_EXPONENT, 0, 3)
  return Buffer.concat([sshString('ssh-rsa'), sshNumber(exponent), sshNumber(bytes)])
}

/** The fingerprint of a public key: `SHA256:` and 43 characters of base64, as `ssh-keygen -l` prints it. */
export function fingerprintOf(raw: RawPublicKey): string {
  return PREFIX + withoutPadding(createHash('sha256').update(sshBlob(raw)).digest())
}

/**
 * Whether a value is a fingerprint, exactly as `fingerprintOf` writes it: no spaces, no padding, no MD5. The
 * last character carries two unused bits; they must be zero, or one key would have four fingerprints.
 */
export function isFingerprint(text: unknown): text is string {
  return typeof text === 'string' && PATTERN.test(text) && PREFIX + withoutPadding(digestIn(text)) === text
}

/**
 * The SHA-256 digest, 32 bytes, that a fingerprint stands for.
 * Throws ERR_STALK_INVALID_OPTION for anything else than a fingerprint.
 */
export function parseFingerprint(text: string): Buffer {
  if (isFingerprint(text)) return digestIn(text)
  throw new StalkError(
    'ERR_STALK_INVALID_OPTION',
    `not a fingerprint: ${inspect(text).slice(0, 80)}; it is SHA256: and 43 characters of base64, ` +
      'as `ssh-keygen -l -E sha256` prints it',
    { phase: 'setup' }
  )
}

const digestIn = (text: string): Buffer => Buffer.from(text.slice(PREFIX.length), 'base64')

const withoutPadding = (digest: Buffer): string => digest.toString('base64').replace('=', '')
