// New key pairs. Knows which kinds and sizes stalk makes.

import { generateKeyPair, type KeyObject } from 'node:crypto'
import { inspect, promisify } from 'node:util'
import { RSA_EXPONENT } from '../crypto/public-key.ts'
import { type GenerateOptions, invalid, requireOptions } from './options.ts'

const RSA_SIZES: readonly unknown[] = [2048, 3072, 4096]
const DEFAULT_RSA_SIZE = 2048

/** A new private key. Throws ERR_STALK_INVALID_OPTION. */
export async function generateKey(options: GenerateOptions): Promise<KeyObject> {
  requireOptions('Identity.generate', options, ['type', 'bits'])
  const { type = 'rsa', bits } = options
  if (type === 'ed25519') return generateEd25519(bits)
  if (type === 'rsa') return generateRsa(bits)
  throw invalid(`type is "rsa" or "ed25519", not ${inspect(type)}`)
}

async function generateEd25519(bits: unknown): Promise<KeyObject> {
  if (bits !== undefined) throw invalid('bits is for RSA keys; every Ed25519 key has 256')
  const { privateKey } = await promisify(generateKeyPair)('ed25519')
  return privateKey
}

async function generateRsa(bits: number = DEFAULT_RSA_SIZE): Promise<KeyObject> {
  if (!RSA_SIZES.includes(bits)) {
    throw invalid(`bits is one of ${RSA_SIZES.join(', ')}, not ${inspect(bits)}`)
  }
  const options = { modulusLength: bits, publicExponent: RSA_EXPONENT }
  const { privateKey } = await promisify(generateKeyPair)('rsa', options)
  return privateKey
}
