// The target fingerprints: what people write for a peer.

import { isFingerprint, parseFingerprint } from '../../../lib/identity/fingerprint.ts'
import { attempt, magnitude, require, type Target, texts } from '../target.ts'

export interface FingerprintReaders {
  is(text: unknown): boolean
  parse(text: string): Buffer
}

const LIBS: FingerprintReaders = { is: isFingerprint, parse: parseFingerprint }

const EXAMPLE = 'SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8'

export const fingerprints = (readers: FingerprintReaders = LIBS): Target => ({
  name: 'fingerprints',
  properties: [
    'nothing but ERR_STALK_INVALID_OPTION is thrown',
    'isFingerprint and parseFingerprint agree',
    'a fingerprint that is accepted is the only way to write its digest, of 32 bytes'
  ],
  maxBytes: 128,
  dictionary: texts('SHA256:', 'MD5:', 'sha256:', '=', '+', '/', '-', '_', '\n', ' ', 'A', '8', '9', EXAMPLE),
  seeds: () => texts(EXAMPLE, `${EXAMPLE}=`, 'SHA256:', `${EXAMPLE}\n`, EXAMPLE.replace(/.$/, '9'), ''),
  run(input) {
    const text = input.toString('latin1')
    const { value, code } = attempt(['ERR_STALK_INVALID_OPTION'], () => readers.parse(text))
    require(readers.is(text) === (value !== null), 'isFingerprint and parseFingerprint do not agree')
    if (value === null) return `${code} ${text.startsWith('SHA256:')} ${magnitude(text.length)}`
    require(value.length === 32, 'a digest that has not 32 bytes')
    require(`SHA256:${value.toString('base64').replace('=', '')}` ===
      text, 'a second way to write a fingerprint')
    return 'accepted'
  }
})
