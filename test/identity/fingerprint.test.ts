import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type RawPublicKey, toRaw } from '../../lib/crypto/public-key.ts'
import { fingerprintOf, isFingerprint, parseFingerprint, sshBlob } from '../../lib/identity/fingerprint.ts'
import { noSshKeygen, run } from './tools.ts'

const keys: RawPublicKey[] = [
  toRaw(generateKeyPairSync('ed25519').publicKey),
  toRaw(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey),
  toRaw(generateKeyPairSync('rsa', { modulusLength: 3072 }).publicKey)
]

const sshLine = (raw: RawPublicKey): string =>
  `${raw.type === 'rsa' ? 'ssh-rsa' : 'ssh-ed25519'} ${sshBlob(raw).toString('base64')} someone\n`

t.test('a fingerprint is what ssh-keygen prints for the same key', { skip: noSshKeygen }, async t => {
  for (const raw of keys) {
    const file = join(t.testdir(), 'key.pub')
    writeFileSync(file, sshLine(raw))
    const [bits, printed] = run('ssh-keygen', '-l', '-E', 'sha256', '-f', file).split(' ')
    t.equal(fingerprintOf(raw), printed)
    t.equal(Number(bits), raw.bytes.length * 8)
  }
})

t.test('the blob is the one in the public key files of ssh-keygen', { skip: noSshKeygen }, async t => {
  for (const type of ['ed25519', 'rsa']) {
    const file = join(t.testdir(), 'key')
    run('ssh-keygen', '-q', '-t', type, '-N', '', '-f', file)
    const blob = Buffer.from(readFileSync(`${file}.pub`, 'utf8').split(' ')[1] ?? '', 'base64')
    const bytes = blob.subarray(type === 'rsa' ? -384 : -32)
    t.same(sshBlob({ type: type as RawPublicKey['type'], bytes }), blob)
  }
})

t.test('the fingerprint of a fixed key never changes', async t => {
  const modulus = Buffer.alloc(256, 0xc5) // as `ssh-keygen -l` prints it for a key with this modulus
  t.equal(
    fingerprintOf({ type: 'rsa', bytes: modulus }),
    'SHA256:gYoTYgAx9TKX1r8WoWoTZNOaZUfQMpfiGtsuj97MDQ8'
  )
  // The public key of RFC 8032, section 7.1, test 1.
  const bytes = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  t.equal(fingerprintOf({ type: 'ed25519', bytes }), 'SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8')
})

t.test('a fingerprint is recognized and read back as its digest', async t => {
  for (const raw of keys) {
    const text = fingerprintOf(raw)
    t.ok(isFingerprint(text))
    t.equal(parseFingerprint(text).length, 32)
    t.equal(`SHA256:${parseFingerprint(text).toString('base64').slice(0, 43)}`, text)
  }
})

t.test('nothing else is taken for a fingerprint', async t => {
  const good = fingerprintOf(keys[0] as RawPublicKey)
  const bad: unknown[] = [
    '',
    'SHA256:',
    good.slice(0, -1),
    `${good}=`,
    `${good}A`,
    `${good}\n`,
    ` ${good}`,
    good.toLowerCase(),
    good.replace('SHA256:', ''),
    good.replace('SHA256', 'SHA512'),
    good.replace(/.$/, '-'),
    `SHA256:${'A'.repeat(42)}B`,
    `SHA256:${'A'.repeat(42)}/`,
    'MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48',
    'x'.repeat(1000),
    Buffer.from(good),
    [good],
    { toString: () => good },
    null,
    undefined,
    7,
    7n
  ]
  for (const text of bad) {
    t.notOk(isFingerprint(text))
    const error = t.throws(() => parseFingerprint(text as string), {
      code: 'ERR_STALK_INVALID_OPTION',
      phase: 'setup',
      message: /^not a fingerprint: .*; it is SHA256: and 43 characters of base64, as `ssh-keygen -l/
    }) as Error
    t.ok(error.message.length < 220, 'and the text stays short')
  }
  t.ok(isFingerprint(`SHA256:${'A'.repeat(43)}`), 'while the unused bits are zero')
})
