// Faults of identity and Proof, in both roles: keys that are none, keys that are not proved, and signatures
// of every wrong kind. The flights around them are good, so that the one check in question has to find them.

import { constants, randomBytes, sign } from 'node:crypto'
import { integer, signatureOf, text, vector } from '../helpers/formulas.ts'
import type { Faults, PuppetOptions } from '../helpers/puppet.ts'
import { type Expected, type Fault, flipped, hex, refused, toBoth } from './fault.ts'
import { mallory, rsa, rsaWithExponent3, shown, victim } from './keys.ts'

const unexpected = refused('ERR_STALK_UNEXPECTED', 1)
const decode = refused('ERR_STALK_DECODE', 4)
const badKey = refused('ERR_STALK_BAD_KEY', 6)
const badSignature = refused('ERR_STALK_BAD_SIGNATURE', 6)

const says = (name: string, does: string, says: Partial<PuppetOptions>, expected: Expected): Fault =>
  toBoth(name, does, { says }, expected)

const faulty = (name: string, does: string, faults: Faults, expected: Expected): Fault =>
  says(name, does, { faults }, expected)

// --- Proof ---------------------------------------------------------------------------------------------

const signing = (input: Buffer): Buffer => signatureOf(mallory.privateKey, input)

/** The input as the other role would sign it. */
const otherRole = (input: Buffer): Buffer => {
  const [from, to] = input.includes('responder') ? ['responder', 'initiator'] : ['initiator', 'responder']
  return Buffer.from(input.toString('latin1').replace(from, to), 'latin1')
}
const otherTranscript = (input: Buffer): Buffer => Buffer.concat([input.subarray(0, -32), randomBytes(32)])
const withLabel = (label: string, input: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(64, 0x20), text(label), Buffer.alloc(1), input.subarray(-32)])

const proof = (name: string, does: string, signature: Faults['signature']): Fault =>
  faulty(name, does, { ...(signature && { signature }) }, badSignature)

/** The same S plus the group's order, which a sloppy verifier takes. */
function malleable(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order
  return Buffer.concat([signature.subarray(0, 32), integer(32, s).reverse()])
}

const pss = (saltLength: number) => (input: Buffer) =>
  sign('sha256', input, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

const rsaProof = (name: string, does: string, signature: (input: Buffer) => Buffer): Fault =>
  says(name, does, { identity: rsa, faults: { signature } }, badSignature)

const proofs: readonly Fault[] = [
  proof('signature-flip', 'turns a bit of its signature over', input => flipped(signing(input), 40)),
  proof('signature-zero', 'signs with 64 zeros', () => Buffer.alloc(64)),
  proof('signature-short', 'sends 63 bytes of its signature', input => signing(input).subarray(0, 63)),
  proof('signature-long', 'sends a byte behind its signature', input =>
    Buffer.concat([signing(input), hex('00')])
  ),
  proof('signature-empty', 'sends an empty signature', () => Buffer.alloc(0)),
  proof('signature-malleable', 'adds the order of the group to S', input => malleable(signing(input))),
  proof('signature-role-swapped', "signs with the other role's context", input => signing(otherRole(input))),
  proof('signature-other-transcript', 'signs another transcript', input => signing(otherTranscript(input))),
  proof('signature-other-context', "signs with TLS 1.3's context", input =>
    signing(withLabel('TLS 1.3, server CertificateVerify', input))
  ),
  proof('signature-bare', 'signs the transcript without a context', input => signing(input.subarray(-32))),
  says(
    'key-not-proved',
    "shows somebody else's key and signs with its own",
    { identity: { ...mallory, raw: victim.raw } },
    badSignature
  ),
  faulty(
    'signature-overlong',
    'sends a signature of 513 bytes',
    { signature: () => Buffer.alloc(513) },
    decode
  ),
  faulty(
    'proof-trailing',
    'puts a byte behind its signature, inside Proof',
    { proof: body => Buffer.concat([body, hex('00')]) },
    decode
  ),
  faulty('proof-missing', 'shows a key and leaves Proof out', { signature: () => null }, unexpected),
  says(
    'proof-anonymous',
    'shows no key and sends Proof',
    { identity: null, faults: { signature: () => Buffer.alloc(64) } },
    unexpected
  ),
  rsaProof('rsa-salt-20', 'signs with a salt of 20 bytes', pss(20)),
  rsaProof('rsa-salt-none', 'signs without a salt', pss(0)),
  rsaProof('rsa-pkcs1', 'signs with PKCS#1 v1.5', input => sign('sha256', input, rsa.privateKey)),
  rsaProof('rsa-signed-by-ed25519', 'shows an RSA key and signs with Ed25519', signing)
]

// --- identity ------------------------------------------------------------------------------------------

/** The part of an identity's body that is the same in both roles, an Ed25519 key being shown. */
const who =
  (alg: number, key: Buffer) =>
  (body: Buffer): Buffer =>
    Buffer.concat([body.subarray(0, -39), integer(1, alg), vector(key), body.subarray(-4)])

const key = (name: string, does: string, bytes: string): Fault =>
  says(`key-${name}`, does, { identity: shown(mallory, hex(bytes)) }, badKey)

const modulus = (name: string, does: string, change: (bytes: Buffer) => Buffer): Fault =>
  says(`key-rsa-${name}`, does, { identity: shown(rsa, change(Buffer.from(rsa.raw.bytes))) }, badKey)

const identities: readonly Fault[] = [
  key('identity-point', 'shows the Ed25519 point of order 1', `01${'00'.repeat(31)}`),
  key('order-2', 'shows the Ed25519 point of order 2', `ec${'ff'.repeat(30)}7f`),
  key('order-4', 'shows an Ed25519 point of order 4', '00'.repeat(32)),
  key(
    'order-8',
    'shows an Ed25519 point of order 8',
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05'
  ),
  key('non-canonical', 'shows an Ed25519 key with y ≥ p', `f0${'ff'.repeat(30)}7f`),
  key('off-curve', 'shows 32 bytes that are no point', `02${'00'.repeat(31)}`),
  key('short', 'shows an Ed25519 key of 31 bytes', '11'.repeat(31)),
  key('empty', 'shows an Ed25519 key without a byte', ''),
  modulus('2040', 'shows an RSA modulus of 255 bytes', bytes => bytes.subarray(1)),
  modulus('leading-zero', 'shows an RSA modulus behind a zero byte', bytes =>
    Buffer.concat([hex('00'), bytes])
  ),
  modulus('2047', 'shows an RSA modulus without its top bit', bytes =>
    Buffer.concat([hex('7f'), bytes.subarray(1)])
  ),
  modulus('even', 'shows an even RSA modulus', bytes => flipped(bytes, -1)),
  says(
    'key-rsa-exponent-3',
    'shows a key whose exponent is 3',
    { identity: rsaWithExponent3() },
    badSignature
  ),
  faulty('key-too-long', 'shows a key of 513 bytes', { identity: who(2, Buffer.alloc(513, 0xff)) }, decode),
  faulty('alg-unknown', 'shows a key of algorithm 9', { identity: who(9, Buffer.alloc(32, 1)) }, decode),
  faulty(
    'alg-anonymous-with-key',
    'shows a key and calls it none',
    { identity: who(0, mallory.raw.bytes) },
    decode
  ),
  faulty('alg-mismatch', 'calls its Ed25519 key RSA', { identity: who(2, mallory.raw.bytes) }, badKey),
  faulty(
    'identity-trailing',
    'puts a byte behind its identity',
    { identity: body => Buffer.concat([body, hex('00')]) },
    decode
  ),
  faulty(
    'identity-truncated',
    'leaves the last byte of its identity out',
    { identity: body => body.subarray(0, -1) },
    decode
  )
]

export const identityFaults: readonly Fault[] = [...proofs, ...identities]
