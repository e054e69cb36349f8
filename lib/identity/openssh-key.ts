// The private section of OpenSSH's container, in clear: two equal numbers, the key, its comment, padding 1, 2, 3 …
// Both ways. Knows no encryption and no file.
//
//   u32 check ‖ u32 check ‖ "ssh-ed25519" ‖ public ‖ seed ‖ public         ‖ comment ‖ 1 2 3 …
//                         ‖ "ssh-rsa"     ‖ n ‖ e ‖ d ‖ q⁻¹ mod p ‖ p ‖ q  ‖ comment ‖ 1 2 3 …

import { createPrivateKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { wipe } from '../bytes.ts'
import { jwkOf } from '../crypto/jwk.ts'
import { toRaw } from '../crypto/public-key.ts'
import { checkKey, DAMAGED } from './check.ts'
import { sshBlob } from './fingerprint.ts'
import { found } from './foreign.ts'
import { SshReader, sshNumber, sshString } from './ssh-fields.ts'
import { readComment } from './ssh-public.ts'

/** A private key with what its owner calls it. */
export interface OpenedKey {
  readonly key: KeyObject
  readonly comment: string
}

/** Length of the two halves of a secret Ed25519 key: the seed and, once more, the public key. */
const HALF = 32

/** What stands before the seed in PKCS#8 (RFC 8410, section 7). */
const SEED_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

// --- reading -------------------------------------------------------------------------------------------

/**
 * `blob` is the public key that the container shows: the private one has to be its other half. Throws
 * ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED.
 */
export function readSection(section: Buffer, blob: Buffer, blockBytes: number, name: string): OpenedKey {
  const reader = new SshReader(section, name, 'a private key of OpenSSH')
  const check = reader.u32()
  if (reader.u32() !== check) reader.fail('has two different check numbers')
  const type = reader.word()
  if (!sshString(type).equals(blob.subarray(0, 4 + type.length))) throw mismatch(name)
  const key = type === 'ssh-ed25519' ? readEd25519(reader, name) : readRsa(reader, name)
  const comment = readComment(reader.string(), name)
  checkPadding(reader, blockBytes)
  checkKey(key, name)
  if (!sshBlob(toRaw(key)).equals(blob)) throw mismatch(name)
  return { key, comment }
}

function checkPadding(reader: SshReader, blockBytes: number): void {
  const { rest } = reader
  if (rest.length >= blockBytes || rest.some((byte, at) => byte !== at + 1)) {
    reader.fail('has something else than padding behind it')
  }
}

function readEd25519(reader: SshReader, name: string): KeyObject {
  const [point, secret] = [reader.string(), reader.string()]
  if (point.length !== HALF || secret.length !== 2 * HALF)
    reader.fail('has fields of other lengths than Ed25519')
  if (!secret.subarray(HALF).equals(point)) throw found(name, DAMAGED)
  const der = Buffer.concat([SEED_PREFIX, secret.subarray(0, HALF)])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  wipe(der)
  // The seed makes the public key; the copy beside it must be the same.
  if (!toRaw(key).bytes.equals(point)) throw found(name, DAMAGED)
  return key
}

function readRsa(reader: SshReader, name: string): KeyObject {
  const numbers = Array.from({ length: 6 }, () => reader.number())
  const [n, e, d, qi, p, q] = numbers as [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer]
  const [exponent, prime1, prime2] = [d, p, q].map(toBigInt) as [bigint, bigint, bigint]
  if (prime1 < 3n || prime2 < 3n) throw found(name, DAMAGED)
  const jwk = {
    ...{ kty: 'RSA', n: url(n), e: url(e), d: url(d), p: url(p), q: url(q), qi: url(qi) },
    dp: url(toBytes(exponent % (prime1 - 1n))),
    dq: url(toBytes(exponent % (prime2 - 1n)))
  }
  try {
    return createPrivateKey({ key: jwk, format: 'jwk' })
  } catch (cause) {
    throw found(name, DAMAGED, cause)
  }
}

const toBigInt = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex')}`)

function toBytes(number: bigint): Buffer {
  const digits = number.toString(16)
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex')
}

const url = (bytes: Buffer): string => bytes.toString('base64url')

const mismatch = (name: string): Error =>
  found(name, 'a private key of OpenSSH whose public and private part are of two keys; it is damaged')

// --- writing -------------------------------------------------------------------------------------------

/** `check` is four random bytes. The result is the caller's to wipe. */
export function writeSection(key: KeyObject, comment: string, check: Buffer, blockBytes: number): Buffer {
  const jwk = jwkOf(key)
  const fields = key.asymmetricKeyType === 'ed25519' ? ed25519Fields(jwk) : rsaFields(jwk)
  const body = Buffer.concat([check, check, ...fields, sshString(comment)])
  const padding = (blockBytes - (body.length % blockBytes)) % blockBytes
  const section = Buffer.concat([body, Buffer.from(Array.from({ length: padding }, (_, at) => at + 1))])
  wipe(body, ...fields)
  return section
}

function ed25519Fields({ x, d }: JsonWebKey): Buffer[] {
  const [point, seed] = [bytesOf(x), bytesOf(d)]
  return [sshString('ssh-ed25519'), sshString(point), sshString(Buffer.concat([seed, point]))]
}

const rsaFields = ({ n, e, d, qi, p, q }: JsonWebKey): Buffer[] => [
  sshString('ssh-rsa'),
  ...[n, e, d, qi, p, q].map(number => sshNumber(bytesOf(number)))
]

const bytesOf = (text: string | undefined): Buffer => Buffer.from(text ?? '', 'base64url')
