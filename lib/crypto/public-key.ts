// Public keys as raw bytes: which keys stalk takes, the one encoding that each has, and the checks that
// OpenSSL leaves out. Knows RSA and Ed25519; knows nothing of files, labels, roles, or whose key it is.

import { createPublicKey, type JsonWebKey, KeyObject } from 'node:crypto'
import { MAX_RSA_BITS, MIN_RSA_BITS } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { jwkOf } from './jwk.ts'

export type KeyType = 'rsa' | 'ed25519'

/**
 * A public key in its only encoding. Ed25519: the 32 bytes of RFC 8032, section 5.1.2. RSA: the modulus,
 * big-endian, 256 to 512 bytes with the top bit and the low bit set; the public exponent is always 65537.
 */
export interface RawPublicKey {
  readonly type: KeyType
  readonly bytes: Buffer
}

/** The only public exponent of an RSA key. */
export const RSA_EXPONENT = 65_537

/** The length of a raw Ed25519 key, in bytes. */
const ED25519_BYTES = 32

const NAMES: Record<KeyType, string> = { rsa: 'RSA', ed25519: 'Ed25519' }

/**
 * The raw public key of a KeyObject, private or public. Throws ERR_STALK_KEY_UNSUPPORTED, saying what the key
 * is, for every other type (RSA keys marked for PSS alone too), an exponent other than 65537, and a modulus
 * that is too short, too long, or no whole number of bytes.
 */
export function toRaw(key: KeyObject): RawPublicKey {
  const publicKey = publicHalf(key)
  const type = publicKey.asymmetricKeyType
  if (type !== 'rsa' && type !== 'ed25519') {
    throw unsupported(`this is a key of type ${type}; stalk takes RSA and Ed25519 keys`)
  }
  if (type === 'rsa') checkRsaDetails(publicKey)
  const jwk = jwkOf(publicKey)
  const bytes = Buffer.from((type === 'rsa' ? jwk.n : jwk.x) ?? '', 'base64url')
  const raw: RawPublicKey = { type, bytes }
  const flaw = flawOf(raw)
  if (flaw !== null) throw unsupported(`this ${NAMES[type]} key ${flaw}`)
  return Object.freeze(raw)
}

/**
 * The KeyObject of a raw public key that may come from anyone. Everything is checked here, and no DER of a
 * peer's is ever parsed: OpenSSL takes even moduli, any exponent, and any 32 bytes as an Ed25519 key.
 * Throws ERR_STALK_BAD_KEY (phase `handshake`). An Ed25519 key costs about 0.1 ms when it comes
 * first, an RSA key 0.02 ms.
 */
export function fromRaw(raw: RawPublicKey): KeyObject {
  checkRaw(raw)
  try {
    return createPublicKey({ key: toJwk(raw), format: 'jwk' })
  } catch (cause) {
    throw badKey(`${NAMES[raw.type]} key refused by OpenSSL`, cause)
  }
}

/** The checks of `fromRaw`, without making the KeyObject. Throws ERR_STALK_BAD_KEY. */
export function checkRaw(raw: RawPublicKey): void {
  const flaw = flawOf(raw)
  if (flaw !== null) throw badKey(`${NAMES[raw.type] ?? 'public'} key refused: it ${flaw}`)
}

function publicHalf(key: KeyObject): KeyObject {
  if (!(key instanceof KeyObject) || key.type === 'secret') {
    throw unsupported('this is not a public or private KeyObject')
  }
  return key.type === 'private' ? createPublicKey(key) : key
}

function checkRsaDetails(key: KeyObject): void {
  const { modulusLength: bits = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (publicExponent !== BigInt(RSA_EXPONENT)) {
    throw unsupported(`this RSA key has the exponent ${publicExponent}; stalk takes ${RSA_EXPONENT} only`)
  }
  if (bits < MIN_RSA_BITS || bits > MAX_RSA_BITS) {
    throw unsupported(`this RSA key has ${bits} bits; stalk takes ${MIN_RSA_BITS} to ${MAX_RSA_BITS}`)
  }
  if (bits % 8 !== 0) {
    throw unsupported(`this RSA key has ${bits} bits; stalk takes whole bytes only (a multiple of 8 bits)`)
  }
}

/** JWK takes numbers, not structures: nothing in it can hold an exponent of the peer's or trailing bytes. */
function toJwk({ type, bytes }: RawPublicKey): JsonWebKey {
  const value = bytes.toString('base64url')
  return type === 'rsa' ? { kty: 'RSA', n: value, e: 'AQAB' } : { kty: 'OKP', crv: 'Ed25519', x: value }
}

/** What is wrong with a raw key, to be read after "it"; null if nothing is. */
function flawOf({ type, bytes }: RawPublicKey): string | null {
  if (type === 'ed25519') return flawOfEd25519(bytes)
  if (type === 'rsa') return flawOfRsa(bytes)
  return 'is of no type that stalk knows'
}

function flawOfRsa(bytes: Buffer): string | null {
  const [least, most] = [MIN_RSA_BITS / 8, MAX_RSA_BITS / 8]
  if (bytes.length < least || bytes.length > most) {
    return `has ${bytes.length} bytes, not ${least} to ${most}`
  }
  // A leading zero byte would give one key two encodings, and so two fingerprints.
  if (((bytes[0] ?? 0) & 0x80) === 0) return 'does not begin with a set bit'
  if (((bytes.at(-1) ?? 0) & 1) === 0) return 'is even'
  return null
}

// --- Ed25519: −x² + y² = 1 + d·x²·y² over the integers modulo p (RFC 8032, section 5.1) -----------------

const P = 2n ** 255n - 19n
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n

/**
 * A key of small order verifies a signature over any message, and a key with two encodings gets past lists of
 * keys. OpenSSL notices neither on import, nor a y that no point of the curve has.
 */
function flawOfEd25519(bytes: Buffer): string | null {
  if (bytes.length !== ED25519_BYTES) return `has ${bytes.length} bytes, not ${ED25519_BYTES}`
  const text = bytes.toString('latin1')
  if (GOOD.has(text)) return null
  const flaw = flawOfPoint(coordinate(bytes))
  if (flaw === null) remember(text)
  return flaw
}

/** Ed25519 keys without a flaw that came lately: who comes again need not be checked again. */
const GOOD = new Set<string>()
const MAX_GOOD = 1_024

function remember(text: string): void {
  const [oldest] = GOOD
  if (GOOD.size >= MAX_GOOD && oldest !== undefined) GOOD.delete(oldest)
  GOOD.add(text)
}

function flawOfPoint(y: bigint): string | null {
  if (y >= P) return 'is not in canonical form'
  if (isSmallOrder(y)) return 'is of small order'
  if (!isOnCurve(y)) return 'is not a point of the curve'
  return null
}

/** The y coordinate: 255 bits, little-endian; the bit above them is the sign of x. */
function coordinate(bytes: Buffer): bigint {
  const bigEndian = Buffer.from(bytes).reverse()
  bigEndian[0] = (bigEndian[0] ?? 0) & 0x7f
  return BigInt(`0x${bigEndian.toString('hex')}`)
}

/**
 * Whether y belongs to one of the eight points whose order divides 8, whatever the sign of x. y is ±1 for the
 * orders 1 and 2 (there x = 0, so a set sign bit, which RFC 8032 forbids, ends here too) and 0 for order 4.
 * A point of order 8 doubles to one with y = 0, which asks for x² = −y²; the curve then says d·y⁴ + 2y² = 1.
 */
function isSmallOrder(y: bigint): boolean {
  const y2 = (y * y) % P
  return y === 0n || y2 === 1n || (D * y2 * y2 + 2n * y2 - 1n) % P === 0n
}

/**
 * Whether x² = (y² − 1) / (d·y² + 1) has a root, by Euler's criterion on the product of both (no division): its
 * power (p − 1) / 2 = 2²⁵⁴ − 10 = 16 · (2²⁵⁰ − 1) + 6 is 1.
 */
function isOnCurve(y: bigint): boolean {
  const y2 = (y * y) % P
  const product = ((y2 - 1n) * (D * y2 + 1n)) % P
  const square = (product * product) % P
  return (squared(ones(product, 250), 4) * ((square * square * square) % P)) % P === 1n
}

/** base to the power of 2ⁿ − 1, modulo p. Not in constant time: public keys only. */
function ones(base: bigint, n: number): bigint {
  if (n === 1) return base
  const half = n >> 1
  const part = ones(base, half)
  const even = (squared(part, half) * part) % P
  return n % 2 === 0 ? even : (even * even * base) % P
}

/** base to the power of 2ⁿ, modulo p. */
function squared(base: bigint, n: number): bigint {
  let result = base
  for (let i = 0; i < n; i++) result = (result * result) % P
  return result
}

const unsupported = (text: string): StalkError =>
  new StalkError('ERR_STALK_KEY_UNSUPPORTED', text, { phase: 'setup' })

const badKey = (text: string, cause?: unknown): StalkError =>
  new StalkError('ERR_STALK_BAD_KEY', text, { phase: 'handshake', cause })
