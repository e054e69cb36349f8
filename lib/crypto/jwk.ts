// The numbers of a key, which node gives as JWK (RFC 7517, RFC 7518 section 6.3, RFC 8037 section 2). Knows a fault
// of node 20; knows nothing of what a key is for.

import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto'
import { wipe } from '../bytes.ts'

/**
 * The numbers of a private or public RSA or Ed25519 key.
 *
 * They are those of a copy. Node 20 holds a lock while it exports a KeyObject as JWK, and if the garbage collector
 * runs meanwhile and finds the job that has generated the key, it waits for the same lock: the process stands still
 * for ever. A key that was imported has no such job.
 */
export function jwkOf(key: KeyObject): JsonWebKey {
  if (key.type === 'public') {
    const der = key.export({ format: 'der', type: 'spki' })
    return createPublicKey({ key: der, format: 'der', type: 'spki' }).export({ format: 'jwk' })
  }
  const der = key.export({ format: 'der', type: 'pkcs8' })
  const copy = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  wipe(der)
  return copy.export({ format: 'jwk' })
}
