// Identities as their users meet them: made, loaded, saved, shown, compared; and every refusal by code and
// text.

import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import type { RawPublicKey } from '../../lib/crypto/public-key.ts'
import { Identity } from '../../lib/identity/identity.ts'
import type { GenerateOptions, PairFiles, SaveFiles } from '../../lib/identity/options.ts'
import { run as runScript } from '../helpers/child.ts'
import { noModes, noOpenssl, noSshKeygen, run } from './tools.ts'

const ed25519 = await Identity.generate({ type: 'ed25519' })
const other = await Identity.generate({ type: 'ed25519' })
const rsa = await Identity.generate()

const modeOf = (path: string): number => statSync(path).mode & 0o777

/** A folder with a pair in it, under the default names. */
async function savedPair(t: Test, identity = ed25519): Promise<{ home: string } & PairFiles> {
  const home = t.testdir()
  const files = { publicFile: join(home, 'id_pub'), privateFile: join(home, 'id_priv') }
  await identity.save(files)
  return { home, ...files }
}

t.test('generate makes an RSA key with 2048 bits unless told otherwise', async t => {
  t.match(rsa, { type: 'rsa', keysize: 2048 })
  t.match(rsa.pubkey.asymmetricKeyDetails, { modulusLength: 2048, publicExponent: 65537n })
  t.equal(rsa.privkey?.type, 'private')
  t.match(await Identity.generate({ type: 'rsa' }), { type: 'rsa', keysize: 2048 })
  t.match(await Identity.generate({ bits: 3072 }), { type: 'rsa', keysize: 3072 })
  t.match(ed25519, { type: 'ed25519', keysize: 256 })
  t.notOk(ed25519.equals(other), 'a new one each time')
})

t.test('the two keys of an identity belong together', async t => {
  for (const identity of [rsa, ed25519]) {
    const text = Buffer.from('text')
    const algorithm = identity.type === 'rsa' ? 'sha256' : null
    t.ok(verify(algorithm, text, identity.pubkey, sign(algorithm, text, identity.privkey as KeyObject)))
    t.equal(identity.pubkey.type, 'public')
  }
})

t.test('generate refuses options that it does not know or take', async t => {
  const cases: [unknown, RegExp][] = [
    [{ type: 'dsa' }, /^type is "rsa" or "ed25519", not 'dsa'$/],
    [{ type: null }, /not null/],
    [{ bits: 1024 }, /^bits is one of 2048, 3072, 4096, not 1024$/],
    [{ bits: '2048' }, /not '2048'/],
    [{ bits: 2056 }, /not 2056/],
    [{ type: 'ed25519', bits: 2048 }, /^bits is for RSA keys; every Ed25519 key has 256$/],
    [{ size: 2048 }, /^Identity.generate has no option 'size'; its options are type, bits$/],
    ['rsa', /^Identity.generate takes an object of options$/],
    [null, /takes an object/]
  ]
  for (const [options, message] of cases) {
    await t.rejects(Identity.generate(options as GenerateOptions), {
      code: 'ERR_STALK_INVALID_OPTION',
      phase: 'setup',
      message
    })
  }
})

t.test('PEM texts come and go, as strings and Buffers', async t => {
  for (const identity of [rsa, ed25519]) {
    const again = Identity.fromPem(identity.privatePem())
    t.ok(again.equals(identity))
    t.equal(again.privatePem(), identity.privatePem())
    t.equal(again.publicPem, identity.publicPem)
    const open = Identity.fromPem(Buffer.from(identity.publicPem))
    t.ok(open.equals(identity))
    t.equal(open.privkey, null)
    t.match(identity.publicPem, /^-----BEGIN PUBLIC KEY-----\n/)
    t.match(identity.privatePem(), /^-----BEGIN PRIVATE KEY-----\n/)
  }
  t.throws(() => Identity.fromPem(7 as unknown as string), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /number/
  })
  t.throws(() => Identity.fromPem(''), {
    code: 'ERR_STALK_KEY_FILE_FORMAT',
    message: /^the PEM text holds nothing/
  })
})

t.test('an identity of a public key alone has no private one to give', async t => {
  const open = Identity.fromRaw(ed25519.raw)
  t.equal(open.privkey, null)
  t.ok(open.equals(ed25519))
  const refusal = { code: 'ERR_STALK_INVALID_OPTION', message: /public key alone; it has no private key/ }
  t.throws(() => open.privatePem(), refusal)
  await t.rejects(open.save({ privateFile: join(t.testdir(), 'key') }), refusal)
  t.throws(() => Identity.fromRaw({ type: 'ed25519', bytes: Buffer.alloc(32) }), {
    code: 'ERR_STALK_BAD_KEY'
  })
})

t.test('fingerprints are those of ssh-keygen', { skip: noSshKeygen || noOpenssl }, async t => {
  const file = join(t.testdir(), 'pub.pem')
  writeFileSync(file, rsa.publicPem)
  writeFileSync(`${file}.ssh`, run('ssh-keygen', '-i', '-m', 'PKCS8', '-f', file))
  const line = run('ssh-keygen', '-l', '-E', 'sha256', '-f', `${file}.ssh`)
  t.match(line, `2048 ${rsa.fingerprint} `)
})

t.test('fingerprints of loaded keys are those of ssh-keygen, too', { skip: noSshKeygen }, async t => {
  const file = join(t.testdir(), 'key')
  run('ssh-keygen', '-q', '-t', 'rsa', '-b', '3072', '-m', 'PKCS8', '-N', '', '-f', file)
  const identity = await Identity.load(file)
  t.match(run('ssh-keygen', '-l', '-E', 'sha256', '-f', `${file}.pub`), `3072 ${identity.fingerprint} `)
})

t.test('keys made by openssl load', { skip: noOpenssl }, async t => {
  const dir = t.testdir()
  const files = { privateFile: join(dir, 'key'), publicFile: join(dir, 'pub') }
  run('openssl', 'genpkey', '-algorithm', 'ed25519', '-out', files.privateFile)
  run('openssl', 'pkey', '-in', files.privateFile, '-pubout', '-out', files.publicFile)
  const identity = await Identity.loadPair(files)
  t.ok(createPublicKey(readFileSync(files.publicFile)).equals(identity.pubkey))
})

t.test('equals compares public keys, with or without the private one', async t => {
  t.ok(ed25519.equals(ed25519))
  t.ok(Identity.fromPem(ed25519.publicPem).equals(ed25519))
  t.notOk(ed25519.equals(other))
  t.notOk(ed25519.equals(rsa))
  t.notOk(ed25519.equals(null as unknown as Identity))
  t.notOk(ed25519.equals({ ...ed25519.raw } as unknown as Identity))
})

t.test('an identity cannot be changed', async t => {
  const before = ed25519.fingerprint
  ed25519.raw.bytes.fill(0)
  t.equal(Identity.fromRaw(ed25519.raw).fingerprint, before, 'raw is a copy')
  const open = ed25519 as unknown as Record<string, unknown>
  for (const name of ['type', 'pubkey', 'fingerprint', 'another']) {
    t.throws(() => {
      open[name] = 'x'
    }, TypeError)
  }
  t.equal(ed25519.fingerprint, before)
})

t.test('no key is seen in JSON, inspect, or a clone', async t => {
  for (const identity of [rsa, ed25519]) {
    const { d, n, x } = (identity.privkey as KeyObject).export({ format: 'jwk' })
    const shown = [
      JSON.stringify(identity),
      JSON.stringify({ deep: [identity] }),
      inspect(identity),
      inspect(identity, { showHidden: true, depth: null, getters: true }),
      inspect({ identity }, { showHidden: true, depth: null, colors: true }),
      `${identity}`,
      inspect(structuredClone(identity), { showHidden: true }),
      JSON.stringify(Object.getOwnPropertyDescriptors(identity))
    ].join('\n')
    for (const secret of [d, n, x, identity.privatePem().slice(100, 130), 'KeyObject']) {
      if (secret !== undefined) t.notOk(shown.includes(secret))
    }
    t.notOk(shown.includes(Buffer.from(d ?? '', 'base64url').toString('hex')))
  }
  const { fingerprint } = ed25519
  t.same(JSON.parse(JSON.stringify(ed25519)), { type: 'ed25519', keysize: 256, fingerprint, private: true })
  const compact = inspect(Identity.fromRaw(ed25519.raw), { breakLength: Infinity })
  t.equal(
    compact,
    `Identity { type: 'ed25519', keysize: 256, fingerprint: '${fingerprint}', private: false }`
  )
})

t.test('save and load give the same identity, with the right modes', async t => {
  const { home, ...files } = await savedPair(t)
  if (!noModes) {
    t.equal(modeOf(files.privateFile), 0o600)
    t.equal(modeOf(files.publicFile) & 0o133, 0)
  }
  t.equal(readFileSync(files.privateFile, 'utf8'), ed25519.privatePem())
  t.equal(readFileSync(files.publicFile, 'utf8'), ed25519.publicPem)
  t.equal((await Identity.load(files.privateFile)).privatePem(), ed25519.privatePem())
  const open = await Identity.load(files.publicFile)
  t.ok(open.equals(ed25519))
  t.equal(open.privkey, null)
  t.equal((await Identity.loadPair(files)).privatePem(), ed25519.privatePem())
  t.equal((await Identity.default(home))?.privatePem(), ed25519.privatePem())
})

t.test('save makes the private file alone if that is asked for, and missing folders', async t => {
  const dir = t.testdir()
  await rsa.save({ privateFile: join(dir, 'a', 'b', 'key') })
  t.same(readdirSync(join(dir, 'a', 'b')), ['key'])
  if (!noModes) t.equal(modeOf(join(dir, 'a')), 0o700)
  t.ok((await Identity.load(join(dir, 'a', 'b', 'key'))).equals(rsa))
})

t.test('save overwrites nothing and leaves nothing half-done', async t => {
  const dir = t.testdir({ pub: 'mine' })
  const files = { privateFile: join(dir, 'key'), publicFile: join(dir, 'pub') }
  await t.rejects(ed25519.save(files), { code: 'ERR_STALK_KEY_FILE_EXISTS', message: /pub: EEXIST/ })
  t.same(readdirSync(dir), ['pub'])
  t.equal(readFileSync(files.publicFile, 'utf8'), 'mine')
  await ed25519.save({ privateFile: files.privateFile })
  await t.rejects(other.save({ privateFile: files.privateFile }), { code: 'ERR_STALK_KEY_FILE_EXISTS' })
  t.equal(readFileSync(files.privateFile, 'utf8'), ed25519.privatePem())
})

t.test('paths are checked before anything is done', async t => {
  const calls: [() => Promise<unknown>, RegExp][] = [
    [() => Identity.load(''), /^path is a path, not ''$/],
    [() => Identity.load(7 as unknown as string), /^path is a path, not 7$/],
    [() => Identity.default(''), /^home is a path/],
    [() => Identity.loadPair({ publicFile: 'a' } as PairFiles), /^privateFile is a path, not undefined$/],
    [() => Identity.loadPair({ privateFile: 'a' } as PairFiles), /^publicFile is a path, not undefined$/],
    [() => Identity.loadPair({ public: 'a' } as unknown as PairFiles), /loadPair has no option 'public'/],
    [() => Identity.loadPair('a' as unknown as PairFiles), /loadPair takes an object of options/],
    [() => ed25519.save({} as SaveFiles), /^privateFile is a path, not undefined$/],
    [() => ed25519.save({ privateFile: 'a', publicFile: '' }), /^publicFile is a path/],
    [() => ed25519.save({ privateFile: 'a', force: true } as SaveFiles), /save has no option 'force'/],
    [() => ed25519.save({ privateFile: 'a/../b', publicFile: './b' }), /^both files have the same path$/]
  ]
  for (const [call, message] of calls) await t.rejects(call(), { code: 'ERR_STALK_INVALID_OPTION', message })
})

t.test(
  'a private file that others can get at is refused, a public one is not',
  { skip: noModes },
  async t => {
    const { home, ...files } = await savedPair(t)
    for (const mode of [0o640, 0o620, 0o604, 0o602, 0o644, 0o777]) {
      chmodSync(files.privateFile, mode)
      const refusal = {
        code: 'ERR_STALK_KEY_FILE_MODE',
        message: `mode 0${mode.toString(8)} lets others at it: chmod 600 ${files.privateFile}`
      }
      await t.rejects(Identity.load(files.privateFile), refusal)
      await t.rejects(Identity.loadPair(files), refusal)
      await t.rejects(Identity.default(home), refusal)
    }
    chmodSync(files.privateFile, 0o400)
    chmodSync(files.publicFile, 0o666)
    t.ok((await Identity.loadPair(files)).equals(ed25519))
    writeFileSync(files.publicFile, ed25519.privatePem())
    await t.rejects(
      Identity.load(files.publicFile),
      { code: 'ERR_STALK_KEY_FILE_MODE' },
      'by content, not name'
    )
  }
)

t.test('load says of a bad file which one it is and what is wrong', async t => {
  const dir = t.testdir({ folder: {}, text: 'what?', short: ed25519.privatePem().slice(0, 60) })
  const at = (name: string): string => join(dir, name)
  writeFileSync(at('large'), 'x'.repeat(65_537))
  const cases: [string, string, RegExp][] = [
    ['none', 'MISSING', /cannot open .*none: ENOENT/],
    ['folder', 'IO', /folder is a folder; a key file is needed/],
    ['text', 'FORMAT', /text holds no key; a PEM block/],
    ['short', 'FORMAT', /short holds a block `PRIVATE KEY` without its END line/],
    ['large', 'FORMAT', /large is no key file: larger than 65536 bytes/]
  ]
  for (const [name, code, message] of cases) {
    await t.rejects(Identity.load(at(name)), { code: `ERR_STALK_KEY_FILE_${code}`, phase: 'setup', message })
  }
})

t.test('a pair must belong together, each half in its own file', async t => {
  const { publicFile, privateFile } = await savedPair(t)
  writeFileSync(publicFile, other.publicPem)
  await t.rejects(Identity.loadPair({ publicFile, privateFile }), {
    code: 'ERR_STALK_KEY_FILE_MISMATCH',
    phase: 'setup',
    message: `(${other.fingerprint}) is not the public key of ${privateFile} (${ed25519.fingerprint})`
  })
  await t.rejects(Identity.loadPair({ publicFile: privateFile, privateFile }), {
    code: 'ERR_STALK_KEY_FILE_FORMAT',
    message: /id_priv holds a private key; a public one is needed/
  })
  await t.rejects(Identity.loadPair({ publicFile, privateFile: publicFile }), {
    code: 'ERR_STALK_KEY_FILE_FORMAT',
    message: /id_pub holds a public key alone; a private one is needed/
  })
})

t.test('without default files there is no default identity', async t => {
  t.equal(await Identity.default(t.testdir()), null)
  t.equal(await Identity.default(join(t.testdir(), 'none')), null)
})

t.test('default files that are unfit are an error, never anonymity', async t => {
  const { home, publicFile, privateFile } = await savedPair(t)
  rmSync(publicFile)
  await t.rejects(Identity.default(home), { code: 'ERR_STALK_KEY_FILE_MISSING', message: /id_pub/ })
  writeFileSync(publicFile, other.publicPem)
  await t.rejects(Identity.default(home), { code: 'ERR_STALK_KEY_FILE_MISMATCH' })
  writeFileSync(publicFile, ed25519.publicPem)
  rmSync(privateFile)
  await t.rejects(Identity.default(home), { code: 'ERR_STALK_KEY_FILE_MISSING', message: /id_priv/ })
  await t.rejects(
    Identity.default(publicFile),
    { code: /^ERR_STALK_KEY_FILE_(IO|MISSING)$/ },
    'home is a file'
  )
  if (noModes) return
  rmSync(publicFile)
  symlinkSync(join(home, 'gone'), publicFile)
  symlinkSync(join(home, 'gone'), privateFile)
  await t.rejects(Identity.default(home), { code: 'ERR_STALK_KEY_FILE_MISSING' }, 'links that lead nowhere')
})

t.test('the default identity is looked for in .spack in the home folder', async t => {
  const home = t.testdir()
  await ed25519.save({ publicFile: join(home, '.spack/id_pub'), privateFile: join(home, '.spack/id_priv') })
  const script = `
    import { Identity } from './lib/identity/identity.ts'
    console.log((await Identity.default()).fingerprint)
  `
  t.match(await runScript(script, { HOME: home, USERPROFILE: home }), {
    code: 0,
    out: `${ed25519.fingerprint}\n`
  })
})

t.test('raw is what goes over the wire', async t => {
  const raw: RawPublicKey = ed25519.raw
  t.equal(raw.type, 'ed25519')
  t.equal(raw.bytes.toString('base64url'), ed25519.pubkey.export({ format: 'jwk' }).x)
  t.equal(rsa.raw.bytes.toString('base64url'), rsa.pubkey.export({ format: 'jwk' }).n)
  t.not(ed25519.raw.bytes, ed25519.raw.bytes)
})
