// The cipher stages on their own, for pipelines that are no connection: from a secret that both sides have to a
// sealer and an opener. Knows options and how keys come from a secret; the stages are in stages/cipher.ts.

import { TYPE } from './constants.ts'
import { HASH_BYTES } from './crypto/primitives.ts'
import { DEFAULT_SUITES, SUITES, type Suite, type SuiteName, type TrafficKeys } from './crypto/suites.ts'
import { trafficKeys } from './handshake/schedule.ts'
import { checkNames, invalidOption } from './option-checks.ts'
import * as cipher from './stages/cipher.ts'
import type { Stage } from './stages/paced.ts'
import { Opener, Sealer } from './wire/record.ts'

export interface CipherOptions {
  /** Default: AES-256-GCM. The same at both sides. */
  suite?: SuiteName
}

/**
 * Contents in (of `encoder` or `fragmenter`), sealed frames out. The secret, 32 bytes or more that nobody can guess,
 * seals one stream and never another: two under one secret would share their keystream. `exportKeyingMaterial`
 * with a context of its own for each stream makes such secrets.
 *
 * Throws ERR_STALK_INVALID_OPTION.
 */
export function sealer(secret: Uint8Array, options: CipherOptions = {}): Stage {
  const { suite, keys } = keysOf(secret, options)
  return cipher.sealer(new Sealer(TYPE.sealedApplication, suite, keys))
}

/**
 * Sealed frames in, contents out. Fails with ERR_STALK_BAD_RECORD at the first that was changed, left out, repeated,
 * swapped, or sealed under another secret. That the last ones are missing shows only in what the contents say.
 *
 * Throws ERR_STALK_INVALID_OPTION.
 */
export function opener(secret: Uint8Array, options: CipherOptions = {}): Stage {
  const { suite, keys } = keysOf(secret, options)
  return cipher.opener(new Opener(TYPE.sealedApplication, suite, keys))
}

function keysOf(secret: Uint8Array, options: CipherOptions): { suite: Suite; keys: TrafficKeys } {
  checkNames(options, new Set(['suite']))
  if (!(secret instanceof Uint8Array) || secret.length < HASH_BYTES) {
    throw invalidOption('secret', `must be a Buffer of at least ${HASH_BYTES} bytes`)
  }
  const name = options.suite ?? (DEFAULT_SUITES[0] as SuiteName)
  if (!Object.hasOwn(SUITES, name))
    throw invalidOption('suite', `must be one of ${Object.keys(SUITES).join(', ')}`)
  const suite = SUITES[name]
  return { suite, keys: trafficKeys(Buffer.from(secret), suite) }
}
