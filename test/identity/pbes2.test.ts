// Encrypted PKCS#8: what is taken and written, and what is said of schemes that are unknown or ask for too much.

import { execFileSync } from 'node:child_process'
import { createCipheriv, generateKeyPairSync, pbkdf2Sync } from 'node:crypto'
import t, { type Test } from 'tap'
import { type LockedText, readKey } from '../../lib/identity/key-text.ts'
import { privateText } from '../../lib/identity/key-write.ts'
import { encryptPkcs8, readEncrypted } from '../../lib/identity/pbes2.ts'
import {
  type Der,
  derNull,
  integer,
  octets,
  oid,
  readDer,
  sequence,
  writeDer
} from '../../lib/identity/pem.ts'
import { armored } from './openssh-files.ts'
import { noOpenssl } from './tools.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const word = Buffer.from('word')

const PBES2 = oid('1.2.840.113549.1.5.13')
const PBKDF2 = oid('1.2.840.113549.1.5.12')
const SCRYPT = oid('1.3.6.1.4.1.11591.4.11')
const SHA256 = sequence(oid('1.2.840.113549.2.9'), derNull)
const AES = oid('2.16.840.1.101.3.4.1.42')
const SALT = octets(Buffer.alloc(16, 5))
const IV = octets(Buffer.alloc(16, 6))
const CIPHER = sequence(AES, IV)

const file = (kdf: Der, cipher: Der = CIPHER, data = octets(Buffer.alloc(48)), scheme = PBES2): Buffer =>
  writeDer(sequence(sequence(scheme, sequence(kdf, cipher)), data))

const pbkdf2 = (...parameters: Der[]): Der => sequence(PBKDF2, sequence(...parameters))
const scrypt = (...parameters: Der[]): Der => sequence(SCRYPT, sequence(SALT, ...parameters))

const refused = (t: Test, der: Buffer, message: RegExp): void => {
  t.throws(() => readEncrypted(der, 'FILE'), { code: 'ERR_STALK_KEY_FILE_FORMAT', phase: 'setup', message })
}

/** A file of 1,000 rounds around some bytes. */
function around(plain: Buffer): Buffer {
  const key = pbkdf2Sync(word, SALT.bytes, 1_000, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, IV.bytes)
  const data = Buffer.concat([cipher.update(plain), cipher.final()])
  return file(pbkdf2(SALT, integer(1_000), SHA256), CIPHER, octets(data))
}

t.test('what is written is read again, with its passphrase alone', async t => {
  for (const key of [rsa, ed25519]) {
    const text = await privateText(key, 'pkcs8', '', word)
    t.match(
      text,
      /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n([\w+/]{64}\n)+[\w+/=]{1,64}\n-----END ENC.*-----\n$/
    )
    const locked = readKey(text, 'FILE') as LockedText
    t.match(locked, { locked: true, publicKey: null })
    t.ok((await locked.open(word)).key.equals(key))
    await t.rejects(locked.open(Buffer.from('wird')), {
      code: 'ERR_STALK_PASSPHRASE_WRONG',
      phase: 'setup',
      message: /^FILE does not open with this passphrase/
    })
    t.notSame(await privateText(key, 'pkcs8', '', word), text, 'with a salt of its own')
  }
})

t.test('600,000 rounds of PBKDF2-HMAC-SHA-256, AES-256-CBC', async t => {
  const der = await encryptPkcs8(ed25519.export({ type: 'pkcs8', format: 'der' }), word)
  const at = (node: Der, ...path: number[]): Der =>
    path.reduce((inner, index) => inner.children[index] as Der, node)
  const root = readDer(der, 'FILE')
  t.equal(at(root, 0, 1, 0, 1, 0).bytes.length, 16)
  t.same(at(root, 0, 1, 0, 1, 1), integer(600_000))
  t.same(at(root, 0, 1, 0, 1, 2), SHA256)
  t.same(at(root, 0, 1, 1, 0), AES)
})

t.test('a wrong passphrase is one in every way in which it shows', async t => {
  const wrong = { code: 'ERR_STALK_PASSPHRASE_WRONG' }
  const pkcs8 = ed25519.export({ type: 'pkcs8', format: 'der' })
  t.same(await readEncrypted(around(pkcs8), 'FILE').open(word), pkcs8)
  for (const plain of [
    Buffer.alloc(0),
    Buffer.from('no DER'),
    writeDer(sequence(integer(1))),
    writeDer(derNull)
  ]) {
    await t.rejects(readEncrypted(around(plain), 'FILE').open(word), wrong)
  }
  for (const length of [0, 15, 17]) {
    const cut = file(pbkdf2(SALT, integer(1)), CIPHER, octets(Buffer.alloc(length)))
    await t.rejects(readEncrypted(cut, 'FILE').open(word), wrong)
  }
})

t.test('the key inside is checked as one in clear', async t => {
  const open = (der: Buffer): Promise<unknown> =>
    (readKey(armored(around(der), 'ENCRYPTED PRIVATE KEY'), 'FILE') as LockedText).open(word)
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  await t.rejects(open(ec.export({ type: 'pkcs8', format: 'der' })), {
    code: 'ERR_STALK_KEY_UNSUPPORTED',
    message: /^FILE: this is a key of the kind elliptic-curve/
  })
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey
  await t.rejects(open(short.export({ type: 'pkcs8', format: 'der' })), { message: /1024 bits/ })
  const damaged = rsa.export({ type: 'pkcs8', format: 'der' })
  damaged[400] = (damaged[400] ?? 0) ^ 1
  await t.rejects(open(damaged), { code: 'ERR_STALK_KEY_FILE_FORMAT', message: /it is damaged/ })
})

t.test('other schemes are named, with the way out', async t => {
  const rewrite = /; `openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW` encrypts it anew/
  const cases: [Buffer, RegExp][] = [
    [
      file(pbkdf2(SALT, integer(1)), CIPHER, SALT, oid('1.2.840.113549.1.5.3')),
      /another encryption than PBES2/
    ],
    [file(sequence(oid('1.2.3'), sequence())), /in the key derivation 1\.2\.3/],
    [
      file(pbkdf2(SALT, integer(1)), sequence(oid('1.2.840.113549.3.2'), IV)),
      /in the cipher 1\.2\.840\.113549\.3\.2/
    ],
    [
      file(pbkdf2(SALT, integer(1), sequence(oid('1.2.840.113549.2.5'), derNull))),
      /in PBKDF2 with 1\.2\.840\.1135/
    ]
  ]
  for (const [der, message] of cases) {
    refused(t, der, message)
    refused(t, der, rewrite)
  }
})

t.test('a file that asks for too much, or for nothing, is refused', async t => {
  for (const rounds of [0, -1, 10_000_001, 0x7fffffff]) {
    refused(
      t,
      file(pbkdf2(SALT, integer(rounds), SHA256)),
      new RegExp(`with ${rounds} rounds of PBKDF2; stalk takes 1 to 10000000`)
    )
  }
  const huge: Der = { kind: 'INTEGER', bytes: Buffer.alloc(64, 0x7f), children: [] }
  refused(t, file(pbkdf2(SALT, huge, SHA256)), /not in the exact form of RFC 8018/)
  t.ok(readEncrypted(file(pbkdf2(SALT, integer(10_000_000), SHA256)), 'FILE'))
  const scrypts: [number, number, number][] = [
    [2 ** 22, 8, 1],
    [2 ** 14, 8, 17],
    [2 ** 14, 2 ** 20, 1],
    [3, 8, 1],
    [1, 8, 1],
    [0, 8, 1],
    [2 ** 14, 0, 1],
    [2 ** 14, 8, 0],
    [-4, 8, 1]
  ]
  for (const [N, r, p] of scrypts) {
    refused(
      t,
      file(scrypt(integer(N), integer(r), integer(p))),
      new RegExp(`in scrypt with N ${N}, r ${r}, p ${p}; stalk takes 268435456 bytes at most`)
    )
  }
  t.ok(readEncrypted(file(scrypt(integer(2 ** 18), integer(8), integer(16))), 'FILE'))
})

t.test('forms that are not exact are refused', async t => {
  const exact = /an encrypted private key that is not in the exact form of RFC 8018/
  const kdf = pbkdf2(SALT, integer(1), SHA256)
  const der = file(kdf)
  const cases: Buffer[] = [
    writeDer(sequence(octets(der))),
    writeDer(derNull),
    file(kdf, CIPHER, sequence()),
    file(kdf, sequence(AES)),
    file(kdf, sequence(AES, octets(Buffer.alloc(15)))),
    file(kdf, sequence(AES, integer(1))),
    file(pbkdf2()),
    file(pbkdf2(SALT)),
    file(pbkdf2(SALT, octets(Buffer.of(1)))),
    file(pbkdf2(integer(1), integer(1))),
    file(pbkdf2(octets(Buffer.alloc(129)), integer(1))),
    file(pbkdf2(SALT, integer(1), integer(16), SHA256)),
    file(scrypt(integer(4), integer(8))),
    file(scrypt(integer(4), integer(8), integer(1), integer(16))),
    file(scrypt(integer(4), integer(8), integer(1), integer(32), derNull)),
    file(sequence(PBKDF2))
  ]
  for (const bytes of cases) refused(t, bytes, exact)
  refused(t, Buffer.concat([der, Buffer.of(0)]), /followed by more bytes/)
  refused(t, file(pbkdf2(SALT, integer(1), SHA256, derNull)), /in PBKDF2 with/)
  for (let length = 0; length < der.length; length++) refused(t, der.subarray(0, length), /^FILE holds /)
})

t.test('what openssl writes is read: digests, ciphers, scrypt', { skip: noOpenssl }, async t => {
  const made = (...options: string[]): string =>
    execFileSync('openssl', ['pkcs8', '-topk8', '-passout', 'pass:word', ...options], {
      input: ed25519.export({ type: 'pkcs8', format: 'pem' }),
      encoding: 'utf8'
    })
  const variants = [
    [],
    ['-scrypt'],
    ['-iter', '600000'],
    ...['hmacWithSHA1', 'hmacWithSHA224', 'hmacWithSHA384', 'hmacWithSHA512'].map(prf => ['-v2prf', prf]),
    ...['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des3'].map(cipher => ['-v2', cipher])
  ]
  for (const options of variants) {
    const { key } = await (readKey(made(...options), 'FILE') as LockedText).open(word)
    t.ok(key.equals(ed25519), options.join(' '))
  }
  t.throws(() => readKey(made('-v1', 'PBE-SHA1-3DES'), 'FILE'), { message: /another encryption than PBES2/ })
  t.throws(() => readKey(made('-v2', 'camellia-256-cbc'), 'FILE'), { message: /in the cipher 1\.2\.392/ })
})

t.test('what is written, openssl reads', { skip: noOpenssl }, async t => {
  for (const key of [rsa, ed25519]) {
    const clear = execFileSync('openssl', ['pkey', '-passin', 'pass:word'], {
      input: await privateText(key, 'pkcs8', '', word),
      encoding: 'utf8'
    })
    t.equal(clear, key.export({ type: 'pkcs8', format: 'pem' }))
  }
})
