// The primitives that everything else is built of, as node:crypto gives them: random bytes, SHA-256, HMAC,
// HKDF (RFC 5869), X25519 (RFC 7748). Knows algorithms only: no labels, roles, key files or streams.

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  timingSafeEqual
} from 'node:crypto'
import { StalkError } from '../errors.ts'

/** Length of a SHA-256 digest, and of every secret of the key schedule, in bytes. */
export const HASH_BYTES = 32

/** Length of an X25519 private key, public key and shared secret, in bytes. */
export const X25519_BYTES = 32

/** A source of randomness: as many bytes as asked for. Passed in, so that test vectors are deterministic. */
export type Random = (bytes: number) => Buffer

export const sha256 = (...parts: Uint8Array[]): Buffer => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest()
}

export const hmac = (key: Uint8Array, ...parts: Uint8Array[]): Buffer => {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Equality in time that depends on the lengths only. `timingSafeEqual` alone throws on unequal lengths. */
export const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b)

/** HKDF-Extract with SHA-256 (RFC 5869, section 2.2). */
export const extract = (salt: Uint8Array, keyMaterial: Uint8Array): Buffer => hmac(salt, keyMaterial)

/**
 * HKDF-Expand with SHA-256 (RFC 5869, section 2.3), `length` in bytes, at most 255 × 32.
 * Ours, since node's `hkdfSync` always extracts first.
 */
export function expand(secret: Uint8Array, info: Uint8Array, length: number): Buffer {
  if (length > 255 * HASH_BYTES)
    throw new StalkError('ERR_STALK_INTERNAL', `HKDF cannot expand to ${length} bytes`)
  const output = Buffer.alloc(length) // memory of its own: a piece of node's pool would keep all of it, with what others have there
  let block: Buffer = Buffer.alloc(0)
  for (let counter = 1, at = 0; at < length; counter++) {
    block = hmac(secret, block, info, Uint8Array.of(counter))
    at += block.copy(output, at)
  }
  return output
}

// PKCS#8 around 32 raw bytes of X25519 private key (RFC 8410, section 7); node 26 imports raw keys no other way.
const X25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex')

/** From 32 random bytes; they are clamped by X25519 itself (RFC 7748, section 5). */
function imported(random: Random): KeyObject {
  const der = Buffer.concat([X25519_PKCS8_PREFIX, random(X25519_BYTES)])
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  der.fill(0)
  return key
}

/** A public key from its 32 bytes. */
const pointOf = (bytes: Buffer): KeyObject =>
  createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x: bytes.toString('base64url') }, format: 'jwk' })

/** u = 9 (RFC 7748, section 4.1). */
const BASE = pointOf(Buffer.from([9, ...Buffer.alloc(X25519_BYTES - 1)]))

/** One X25519 key pair for one handshake; the private half never leaves it. */
export class Ephemeral {
  readonly #privateKey: KeyObject
  /** The public key, 32 bytes. */
  readonly share: Buffer

  /**
   * Where `random` is node's `randomBytes`, OpenSSL draws the key from that source itself: node 20 takes 0.8 ms to
   * import one, and 0.1 ms to make one.
   */
  constructor(random: Random) {
    this.#privateKey = random === randomBytes ? generateKeyPairSync('x25519').privateKey : imported(random)
    // RFC 7748, section 6.1. To export the public key takes twice as long, and as JWK it is not safe (see jwk.ts).
    this.share = diffieHellman({ privateKey: this.#privateKey, publicKey: BASE })
  }

  /**
   * The shared secret with a peer's share, 32 bytes. Throws ERR_STALK_BAD_KEY for a share of small order, whose
   * result would be all zeros (RFC 7748, section 6.1): OpenSSL throws there, and we check all the same.
   */
  agree(share: Buffer): Buffer {
    const shared = this.#diffieHellman(share)
    if (shared === null || equal(shared, Buffer.alloc(X25519_BYTES))) {
      throw new StalkError('ERR_STALK_BAD_KEY', "the peer's X25519 share is of small order", {
        phase: 'handshake'
      })
    }
    return shared
  }

  #diffieHellman(share: Buffer): Buffer | null {
    const publicKey = pointOf(share)
    try {
      return diffieHellman({ privateKey: this.#privateKey, publicKey })
    } catch {
      return null // the only input that differs from call to call is the share: it is the peer's to answer for
    }
  }
}
