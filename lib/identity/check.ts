// What every key that comes out of a file has to pass: that stalk takes its kind, and that its private half
// belongs to its public half. Knows keys; knows no form of file.

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { jwkOf } from '../crypto/jwk.ts'
import { toRaw } from '../crypto/public-key.ts'
import { found, unsupported } from './foreign.ts'

/** Throws ERR_STALK_KEY_UNSUPPORTED, or ERR_STALK_KEY_FILE_FORMAT for a private key that is damaged. */
export function checkKey(key: KeyObject, name: string): void {
  try {
    toRaw(key)
  } catch (cause) {
    throw unsupported(name, (cause as Error).message, cause)
  }
  if (key.type === 'private' && !(numbersFit(key) && signsForItself(key))) throw found(name, DAMAGED)
}

export const DAMAGED = 'a private key whose parts do not belong together; it is damaged'

/**
 * An RSA file holds all the numbers of the key (RFC 8017, section 3.2), and OpenSSL doesn't compare them: it even
 * makes up for wrong ones, which would stay unnoticed until another program uses the key.
 */
function numbersFit(key: KeyObject): boolean {
  if (key.asymmetricKeyType !== 'rsa') return true
  const jwk = jwkOf(key)
  const [n, e, d] = [jwk.n, jwk.e, jwk.d].map(toBigInt) as Numbers
  const [p, q, qi] = [jwk.p, jwk.q, jwk.qi].map(toBigInt) as Numbers
  if (p < 3n || q < 3n || p * q !== n || d >= n) return false
  if (toBigInt(jwk.dp) !== d % (p - 1n) || toBigInt(jwk.dq) !== d % (q - 1n)) return false
  return (d * e) % (p - 1n) === 1n && (d * e) % (q - 1n) === 1n && qi < p && (qi * q) % p === 1n
}

type Numbers = [bigint, bigint, bigint]

const toBigInt = (text = ''): bigint => BigInt(`0x0${Buffer.from(text, 'base64url').toString('hex')}`)

/** Whether a signature of the key verifies. About 1 ms. */
function signsForItself(key: KeyObject): boolean {
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'sha256' : null
  const probe = Buffer.from('stalk: does this private key fit its public key?')
  try {
    return verify(algorithm, probe, createPublicKey(key), sign(algorithm, probe, key))
  } catch {
    // Numbers that can't be computed with, as an even prime: no other news than "no".
    return false
  }
}
