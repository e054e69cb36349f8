// Mallory's keys. The Ed25519 key is the same in every run, so that a target can be told to pin it; its seed
// is published here, and it is worth nothing.

import { createHash, createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { Identity } from '../../lib/index.ts'
import { type KeyPair, keyPair } from '../helpers/machines.ts'

const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex') // RFC 8410, section 7

const coordinate = (key: KeyObject, name: 'x' | 'n'): Buffer =>
  Buffer.from(key.export({ format: 'jwk' })[name] ?? '', 'base64url')

function fromSeed(seed: string): KeyPair {
  const der = Buffer.concat([PKCS8, createHash('sha256').update(seed).digest()])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { type: 'ed25519', privateKey, raw: { type: 'ed25519', bytes: coordinate(privateKey, 'x') } }
}

export const mallory = fromSeed('mallory')

/** What a target is told to pin. */
export const malloryIdentity = Identity.fromRaw(mallory.raw)

/** Somebody else's key: whoever shows it has to prove it. */
export const victim = fromSeed('victim')

export const rsa = keyPair('rsa')

/** A key whose exponent is 3, shown by its modulus alone. */
export function rsaWithExponent3(): KeyPair {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
  return { type: 'rsa', privateKey, raw: { type: 'rsa', bytes: coordinate(privateKey, 'n') } }
}

/** Mallory's private key, with these bytes shown as the public one. */
export const shown = (pair: KeyPair, bytes: Buffer): KeyPair => ({ ...pair, raw: { type: pair.type, bytes } })
