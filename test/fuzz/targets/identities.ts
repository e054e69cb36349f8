// The target identities: raw public keys that a peer shows, and signatures that should be its.

import { fromRaw, type KeyType, type RawPublicKey, toRaw } from '../../../lib/crypto/public-key.ts'
import { verify } from '../../../lib/crypto/signatures.ts'
import { fingerprintOf, isFingerprint } from '../../../lib/identity/fingerprint.ts'
import { signatureOf } from '../../helpers/formulas.ts'
import { attempt, hex, require, type Target } from '../target.ts'
import { handshakes, keyNamed, keys } from '../vectors.ts'

/** Lib's checks, or broken ones in their place. */
export interface KeyChecks {
  fromRaw: typeof fromRaw
  verify: typeof verify
}

const SIGNED = Buffer.from('what the key of a vector has signed')

interface Known {
  readonly raw: RawPublicKey
  readonly input: Buffer
  readonly signature: Buffer
}

/** An Ed25519 key with its signature, and the RSA key of a vector with the recorded one. */
const KNOWN: readonly [Known, Known] = [ed25519(), rsa()]

function ed25519(): Known {
  const key = keys.find(({ raw }) => raw.type === 'ed25519') ?? keyNamed('')
  return { raw: key.raw, input: SIGNED, signature: signatureOf(key.privateKey, SIGNED) }
}

function rsa(): Known {
  for (const { initiator, responder } of handshakes.vectors) {
    for (const { identity, signed, signature } of [initiator, responder]) {
      const { raw } = keyNamed(identity ?? keys[0]?.name ?? '')
      if (raw.type === 'rsa' && signed && signature)
        return { raw, input: hex(signed), signature: hex(signature) }
    }
  }
  throw new Error('no vector with an RSA key')
}

const P = 2n ** 255n - 19n

/** Section 6, of what needs no curve: length, canonical form, the five y of small order; parity and top bit. */
function acceptable({ type, bytes }: RawPublicKey): boolean {
  if (type === 'rsa') {
    const { length } = bytes
    return length >= 256 && length <= 512 && (bytes[0] ?? 0) >= 0x80 && (bytes[length - 1] ?? 0) % 2 === 1
  }
  if (bytes.length !== 32) return false
  const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`) % 2n ** 255n
  return y < P && ![0n, 1n, P - 1n, ...ORDER_8].includes(y)
}

const ORDER_8 = [
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'
].map(bytes => BigInt(`0x${hex(bytes).reverse().toString('hex')}`))

function checkKey(raw: RawPublicKey, checks: KeyChecks): string {
  const { value, code } = attempt(['ERR_STALK_BAD_KEY'], () => checks.fromRaw(raw))
  if (value === null) return `${raw.type} ${code} ${acceptable(raw)}`
  require(acceptable(raw), 'a key that section 6 refuses is accepted')
  const back = toRaw(value)
  require(back.type === raw.type && back.bytes.equals(raw.bytes), 'another key when encoded again')
  require(isFingerprint(fingerprintOf(raw)), 'its fingerprint is none')
  return `${raw.type} accepted ${raw.bytes.length}`
}

/** Of one key and text there is one signature here: whatever else verifies is forged. */
function checkSignature({ raw, input, signature }: Known, given: Buffer, checks: KeyChecks): string {
  const valid = checks.verify(raw, input, given)
  require(valid === given.equals(signature), valid
    ? 'another signature verifies'
    : 'the signature does not verify')
  return `${raw.type} signature ${valid} ${given.length === signature.length}`
}

const type = (flag: number): KeyType => (flag % 2 === 0 ? 'ed25519' : 'rsa')

/** `u8 what ‖ bytes`: 0 an Ed25519 key, 1 an RSA key, 2 a signature of the one, 3 of the other. */
export const identities = (checks: KeyChecks = { fromRaw, verify }): Target => ({
  name: 'identities',
  properties: [
    'nothing but ERR_STALK_BAD_KEY is thrown, whatever the key and the signature',
    'a key that is accepted is one that section 6 accepts, encodes to the same bytes and has a fingerprint',
    'of a key and a text one signature verifies, and no other: not S + L, not another salt, not another length'
  ],
  maxBytes: 600,
  batch: 64,
  dictionary: [
    'ffff',
    '00'.repeat(32),
    'edd3f55c1a631258d69cf7a2def9de14',
    '01',
    'ed',
    `ed${'ff'.repeat(30)}7f`
  ].map(hex),
  seeds: () => [
    ...keys.map(({ raw }) => Buffer.concat([Buffer.of(raw.type === 'rsa' ? 1 : 0), raw.bytes])),
    ...KNOWN.map(({ signature }, i) => Buffer.concat([Buffer.of(2 + i), signature])),
    ...ORDER_8.map(y =>
      hex(`00${Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse().toString('hex')}`)
    ),
    withL(KNOWN[0].signature)
  ],
  run(input) {
    const what = (input[0] ?? 0) % 4
    const bytes = input.subarray(1)
    if (what < 2) return checkKey({ type: type(what), bytes }, checks)
    return checkSignature(KNOWN[what === 2 ? 0 : 1], bytes, checks)
  }
})

const L = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n

/** The signature with S + L, which an equation modulo L takes as well. */
function withL(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse()
  return Buffer.concat([Buffer.of(2), signature.subarray(0, 32), bytes])
}
