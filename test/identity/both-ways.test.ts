// Key files between stalk and the real ssh-keygen and openssl, both ways: what they write is read, what stalk writes
// they read, and the fingerprints are the same.

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Identity } from '../../lib/identity/identity.ts'
import { noOpenssl, noSshKeygen, run } from './tools.ts'

const KINDS: readonly (readonly string[])[] = [
  ['-t', 'ed25519'],
  ['-t', 'rsa', '-b', '2048'],
  ['-t', 'rsa', '-b', '3072'],
  ['-t', 'rsa', '-b', '4096']
]

const word = 'correct horse'
const dir = t.testdir()
let count = 0
const fresh = (): string => join(dir, `key${++count}`)

function keygen(...options: string[]): string {
  const file = fresh()
  run('ssh-keygen', '-q', '-C', 'me @ home', '-f', file, ...options)
  return file
}

const listed = (file: string): string => run('ssh-keygen', '-l', '-E', 'sha256', '-f', file).trim()

const lineOf = ({ keysize, fingerprint, comment, type }: Identity): string =>
  `${keysize} ${fingerprint} ${comment} (${type.toUpperCase()})`

t.test('what ssh-keygen makes is read, with its comment and fingerprint', { skip: noSshKeygen }, async t => {
  for (const options of KINDS) {
    for (const passphrase of ['', word]) {
      const file = keygen(...options, '-a', '2', '-N', passphrase)
      const identity = await Identity.load(file, { passphrase: word })
      t.equal(identity.privkey?.type, 'private')
      t.equal(lineOf(identity), listed(file))
      t.ok((await Identity.loadPublic(file)).equals(identity))
      const open = await Identity.load(`${file}.pub`)
      t.equal(lineOf(open), listed(`${file}.pub`))
      t.equal(open.publicLine, readFileSync(`${file}.pub`, 'utf8'))
      t.ok(await Identity.loadPair({ publicFile: `${file}.pub`, privateFile: file, passphrase: word }))
      if (passphrase) await t.rejects(Identity.load(file, { passphrase: 'x' }), { code: /PASSPHRASE_WRONG$/ })
    }
  }
})

t.test('other rounds of bcrypt are read up to the limit', { skip: noSshKeygen }, async t => {
  for (const rounds of [[], ['-a', '1'], ['-a', '24'], ['-a', '100']]) {
    const file = keygen('-t', 'ed25519', '-N', word, ...rounds)
    t.equal(lineOf(await Identity.load(file, { passphrase: word })), listed(file))
  }
})

t.test(
  'other ciphers and kinds of ssh-keygen are refused, with a way out that works',
  { skip: noSshKeygen },
  async t => {
    for (const cipher of [
      'aes128-ctr',
      'aes256-cbc',
      'aes256-gcm@openssh.com',
      'chacha20-poly1305@openssh.com'
    ]) {
      const file = keygen('-t', 'ed25519', '-N', word, '-a', '1', '-Z', cipher)
      await t.rejects(Identity.load(file, { passphrase: word }), {
        code: 'ERR_STALK_KEY_FILE_FORMAT',
        message: `in the cipher ${cipher}; \`ssh-keygen -p -Z aes256-ctr -f COPY\` rewrites it`
      })
      run('ssh-keygen', '-p', '-a', '1', '-Z', 'aes256-ctr', '-P', word, '-N', word, '-f', file)
      t.equal(lineOf(await Identity.load(file, { passphrase: word })), listed(file))
    }
    for (const passphrase of ['', word]) {
      const file = keygen('-t', 'ecdsa', '-N', passphrase)
      const refusal = {
        code: 'ERR_STALK_KEY_UNSUPPORTED',
        message: /kind ecdsa-sha2-nistp256; stalk takes RSA and/
      }
      await t.rejects(Identity.load(file, { passphrase: word }), refusal)
      await t.rejects(Identity.load(`${file}.pub`), refusal)
    }
  }
)

t.test('the other forms of ssh-keygen: PEM, PKCS#8, RFC 4716', { skip: noSshKeygen }, async t => {
  for (const form of ['PEM', 'PKCS8']) {
    const file = keygen('-t', 'rsa', '-b', '2048', '-N', '', '-m', form)
    const identity = await Identity.load(file)
    t.match(listed(`${file}.pub`), identity.fingerprint)
    for (const text of [form, 'RFC4716'].map(form =>
      run('ssh-keygen', '-e', '-m', form, '-f', `${file}.pub`)
    )) {
      if (text.startsWith('----')) continue
      t.ok(Identity.fromPem(text).equals(identity))
    }
  }
  const file = keygen('-t', 'rsa', '-b', '2048', '-N', word, '-m', 'PKCS8')
  t.match(listed(`${file}.pub`), (await Identity.load(file, { passphrase: word })).fingerprint)
  const old = keygen('-t', 'rsa', '-b', '2048', '-N', word, '-m', 'PEM')
  await t.rejects(Identity.load(old, { passphrase: word }), { message: /the old encryption of PEM/ })
  run('ssh-keygen', '-p', '-P', word, '-N', word, '-f', old)
  t.match(listed(`${old}.pub`), (await Identity.load(old, { passphrase: word })).fingerprint)
})

t.test('what stalk writes, ssh-keygen reads', { skip: noSshKeygen }, async t => {
  for (const options of [{ type: 'ed25519' }, { bits: 2048 }] as const) {
    const identity = await Identity.generate(options)
    for (const passphrase of ['', word]) {
      const file = fresh()
      const more = { format: 'openssh', comment: 'me @ home', ...(passphrase && { passphrase }) } as const
      await identity.save({ privateFile: file, publicFile: `${file}.pub`, ...more })
      t.equal(run('ssh-keygen', '-y', '-P', passphrase, '-f', file), readFileSync(`${file}.pub`, 'utf8'))
      t.match(listed(file), identity.fingerprint)
      t.match(listed(`${file}.pub`), `${identity.keysize} ${identity.fingerprint} me @ home`)
      const wrong = spawnSync('ssh-keygen', ['-y', '-P', 'wrong', '-f', file])
      t.equal(wrong.status === 0, passphrase === '')
      run('ssh-keygen', '-p', '-a', '1', '-P', passphrase, '-N', 'new one', '-f', file)
      t.ok((await Identity.load(file, { passphrase: 'new one' })).equals(identity))
    }
  }
})

t.test('a key of stalk signs for ssh-keygen', { skip: noSshKeygen }, async t => {
  for (const options of [{ type: 'ed25519' }, { bits: 2048 }] as const) {
    const file = fresh()
    const identity = await Identity.generate(options)
    await identity.save({ privateFile: file, publicFile: `${file}.pub`, format: 'openssh' })
    const signed = spawnSync('ssh-keygen', ['-Y', 'sign', '-n', 'file', '-f', file], { input: 'text' })
    t.equal(signed.status, 0, `${signed.stderr}`)
    t.match(`${signed.stdout}`, /BEGIN SSH SIGNATURE/)
  }
})

t.test('what openssl makes is read: PKCS#8, PKCS#1, SPKI, encrypted', { skip: noOpenssl }, async t => {
  for (const options of [['ed25519'], ['rsa'], ['rsa', '-pkeyopt', 'rsa_keygen_bits:3072']]) {
    const file = fresh()
    run('openssl', 'genpkey', '-algorithm', ...options, '-out', file)
    const identity = await Identity.load(file)
    t.equal(identity.privatePem(), readFileSync(file, 'utf8'))
    t.equal(identity.publicPem, run('openssl', 'pkey', '-in', file, '-pubout'))
    t.ok(Identity.fromPem(run('openssl', 'pkey', '-in', file, '-pubout')).equals(identity))
    const secret = run('openssl', 'pkey', '-in', file, '-aes256', '-passout', `pass:${word}`)
    t.ok((await Identity.parse(secret, { passphrase: word })).equals(identity))
    await t.rejects(Identity.parse(secret, { passphrase: 'x' }), { code: 'ERR_STALK_PASSPHRASE_WRONG' })
    if (identity.type !== 'rsa') continue
    t.ok(Identity.fromPem(run('openssl', 'rsa', '-in', file, '-traditional')).equals(identity))
    t.ok(Identity.fromPem(run('openssl', 'rsa', '-in', file, '-RSAPublicKey_out')).equals(identity))
  }
})

t.test('what stalk writes, openssl reads', { skip: noOpenssl }, async t => {
  for (const options of [{ type: 'ed25519' }, { bits: 2048 }, { bits: 4096 }] as const) {
    const identity = await Identity.generate(options)
    for (const passphrase of ['', word]) {
      const file = fresh()
      const more = passphrase ? { passphrase } : {}
      await identity.save({ privateFile: file, publicFile: `${file}.pub`, ...more })
      const clear = run('openssl', 'pkey', '-check', '-in', file, '-passin', `pass:${passphrase}`)
      t.match(clear, 'Key is valid')
      t.ok(clear.includes(identity.privatePem()))
      t.equal(run('openssl', 'pkey', '-pubin', '-in', `${file}.pub`), identity.publicPem)
      if (passphrase) t.match(run('openssl', 'asn1parse', '-in', file), /INTEGER\s+:0927C0/, '600,000 rounds')
    }
  }
})
