// Encrypted key files as their users meet them: the passphrase given, asked for, missing, wrong; and the forms in
// which a key is saved.

import { chmodSync, existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Identity } from '../../lib/identity/identity.ts'
import type { LoadOptions, SaveFiles } from '../../lib/identity/options.ts'
import { noModes } from './tools.ts'

const identity = await Identity.generate({ type: 'ed25519' })
const passphrase = 'correct horse ü'

const dir = t.testdir()
const path = (name: string): string => join(dir, name)
const files = { pkcs8: path('pkcs8'), openssh: path('openssh') }
for (const format of ['pkcs8', 'openssh'] as const) {
  await identity.save({ privateFile: files[format], format, passphrase, comment: 'me' })
}

t.test('a passphrase is a string, bytes, or a function that is asked when it is needed', async t => {
  for (const file of Object.values(files)) {
    const asked: string[] = []
    const answers: LoadOptions['passphrase'][] = [
      passphrase,
      Buffer.from(passphrase),
      new TextEncoder().encode(passphrase),
      name => {
        asked.push(name)
        return passphrase
      },
      async () => Buffer.from(passphrase)
    ]
    for (const passphrase of answers) {
      const loaded = await Identity.load(file, passphrase === undefined ? {} : { passphrase })
      t.ok(loaded.privkey?.equals(identity.privkey as never))
    }
    t.same(asked, [file])
    const parsed = await Identity.parse(readFileSync(file), { passphrase })
    t.ok(parsed.equals(identity))
    t.equal(parsed.privkey?.type, 'private')
  }
})

t.test("the caller's bytes are left as they are", async t => {
  const bytes = Buffer.from(passphrase)
  await Identity.load(files.pkcs8, { passphrase: () => bytes })
  await identity.save({ privateFile: path('again'), passphrase: bytes })
  t.equal(bytes.toString(), passphrase)
})

t.test('without a passphrase, or with a wrong one, it is said which file it is', async t => {
  for (const file of Object.values(files)) {
    const required = {
      code: 'ERR_STALK_PASSPHRASE_REQUIRED',
      phase: 'setup',
      fault: 'caller',
      message: `${file} is encrypted, and no passphrase was given; Identity.load(path, { passphrase }) takes one`
    }
    await t.rejects(Identity.load(file), required)
    for (const none of ['', () => null, () => undefined, async () => '', () => Buffer.alloc(0)]) {
      await t.rejects(Identity.load(file, { passphrase: none }), required)
    }
    t.throws(() => Identity.fromPem(readFileSync(file)), { code: 'ERR_STALK_PASSPHRASE_REQUIRED' })
    await t.rejects(Identity.load(file, { passphrase: 'wrong' }), {
      code: 'ERR_STALK_PASSPHRASE_WRONG',
      fault: 'caller',
      message: `${file} does not open with this passphrase`
    })
    await t.rejects(Identity.parse(readFileSync(file), { passphrase: 'wrong' }), {
      code: 'ERR_STALK_PASSPHRASE_WRONG',
      message: /^the text does not open/
    })
  }
})

t.test('what the function throws is thrown on', async t => {
  const own = new Error('the safe is shut')
  const shut = (): never => {
    throw own
  }
  for (const passphrase of [shut, async () => shut()]) {
    t.equal(await Identity.load(files.pkcs8, { passphrase }).catch(error => error), own)
  }
  const name = path('never')
  t.equal(await identity.save({ privateFile: name, passphrase: shut }).catch(error => error), own)
  for (const taken of [{ privateFile: files.pkcs8 }, { privateFile: name, publicFile: files.pkcs8 }]) {
    const saved = identity.save({ ...taken, passphrase: shut })
    await t.rejects(
      saved,
      { code: 'ERR_STALK_KEY_FILE_EXISTS', cause: { path: files.pkcs8 } },
      'nobody is asked'
    )
  }
  t.notOk(existsSync(name))
})

t.test('nobody is asked for a file in clear, nor for one that others can get at', async t => {
  const clear = path('clear')
  await identity.save({ privateFile: clear, publicFile: `${clear}.pub`, format: 'openssh' })
  const passphrase = (): string => {
    throw new Error('asked')
  }
  for (const file of [clear, `${clear}.pub`])
    t.ok((await Identity.load(file, { passphrase })).equals(identity))
  if (noModes) return
  for (const file of [...Object.values(files), clear]) {
    chmodSync(file, 0o640)
    const refusal = { code: 'ERR_STALK_KEY_FILE_MODE', message: /mode 0640 lets others at it: chmod 600/ }
    await t.rejects(Identity.load(file, { passphrase }), refusal)
    await t.rejects(Identity.loadPublic(file, { passphrase }), refusal)
    chmodSync(file, 0o600)
  }
})

t.test('loadPublic needs a passphrase only where the public key is encrypted too', async t => {
  for (const [file, passphrase] of [
    [files.openssh, undefined],
    [files.pkcs8, 'correct horse ü']
  ] as const) {
    const open = await Identity.loadPublic(file, passphrase ? { passphrase } : {})
    t.equal(open.privkey, null)
    t.ok(open.equals(identity))
  }
  await t.rejects(Identity.loadPublic(files.pkcs8), { code: 'ERR_STALK_PASSPHRASE_REQUIRED' })
  const clear = path('mine')
  await identity.save({ privateFile: clear, publicFile: `${clear}.pub`, format: 'openssh', comment: 'me' })
  for (const file of [clear, `${clear}.pub`]) {
    const open = await Identity.loadPublic(file)
    t.match({ comment: open.comment, privkey: open.privkey }, { comment: 'me', privkey: null })
  }
})

t.test('a pair, and the default identity, may be encrypted and of any form', async t => {
  for (const format of ['pkcs8', 'openssh'] as const) {
    const home = path(`home-${format}`)
    const pair = { privateFile: join(home, 'id_priv'), publicFile: join(home, 'id_pub') }
    await identity.save({ ...pair, format, passphrase })
    t.ok((await Identity.loadPair({ ...pair, passphrase })).equals(identity))
    t.equal((await Identity.default(home, { passphrase: () => passphrase }))?.privkey?.type, 'private')
    await t.rejects(Identity.default(home), { code: 'ERR_STALK_PASSPHRASE_REQUIRED', message: /id_priv/ })
    await t.rejects(Identity.loadPair({ ...pair, passphrase: 'x' }), { code: 'ERR_STALK_PASSPHRASE_WRONG' })
    if (!noModes) t.equal(statSync(pair.privateFile).mode & 0o777, 0o600)
  }
})

t.test('save writes the form that is asked for', async t => {
  const saved = async (more: Partial<SaveFiles>): Promise<[string, string]> => {
    const privateFile = path(`form-${JSON.stringify(more).replace(/\W/g, '')}`)
    await identity.save({ privateFile, publicFile: `${privateFile}_pub`, ...more })
    return [privateFile, `${privateFile}_pub`].map(file => readFileSync(file, 'utf8')) as [string, string]
  }
  t.same(await saved({}), [identity.privatePem(), identity.publicPem])
  t.match(await saved({ passphrase }), [/^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/, identity.publicPem])
  for (const more of [{}, { passphrase }]) {
    const [secret, open] = await saved({ format: 'openssh', comment: 'me @ home', ...more })
    t.match(secret, /^-----BEGIN OPENSSH PRIVATE KEY-----\n/)
    t.equal(open, `${identity.publicLine.trimEnd()} me @ home\n`)
    const again = await Identity.parse(secret, { passphrase })
    t.equal(again.comment, 'me @ home')
    t.equal(again.publicLine, open)
    const [copy, copyPub] = [path(`copy${Object.keys(more)}`), path(`copy_pub${Object.keys(more)}`)]
    await again.save({ privateFile: copy, publicFile: copyPub, format: 'openssh' })
    t.equal(readFileSync(copyPub, 'utf8'), open, 'the comment stays with the key')
  }
})

t.test('options that do not fit are refused before anything is read or written', async t => {
  const missing = path('missing')
  const calls: [() => Promise<unknown>, RegExp][] = [
    [
      () => Identity.load(missing, { passphrase: 7 as never }),
      /^a passphrase is a string, bytes or a function.* number/
    ],
    [() => Identity.load(missing, { passphrase: null as never }), /not of type object/],
    [() => Identity.load(missing, { password: 'x' } as never), /Identity.load has no option 'password'/],
    [() => Identity.load(missing, 'x' as never), /Identity.load takes an object of options/],
    [() => Identity.loadPublic(missing, { pass: 'x' } as never), /loadPublic has no option 'pass'/],
    [() => Identity.parse('', { pass: 'x' } as never), /parse has no option 'pass'/],
    [() => Identity.default(dir, { pass: 'x' } as never), /default has no option 'pass'/],
    [
      () => Identity.load(files.pkcs8, { passphrase: () => 7 as never }),
      /a passphrase is a string, bytes or a func/
    ],
    [() => Identity.load(files.pkcs8, { passphrase: 'x'.repeat(1_025) }), /has at most 1024 bytes, not 1025/],
    [() => identity.save({ privateFile: missing, passphrase: '' }), /an empty passphrase protects nothing/],
    [() => identity.save({ privateFile: missing, passphrase: () => null }), /an empty passphrase/],
    [
      () => identity.save({ privateFile: missing, passphrase: 'ü'.repeat(513) }),
      /at most 1024 bytes, not 1026/
    ],
    [() => identity.save({ privateFile: missing, passphrase: {} as never }), /not of type object/],
    [
      () => identity.save({ privateFile: missing, format: 'pkcs1' as never }),
      /format is one of pkcs8, openssh, not 'pkcs1'/
    ],
    [() => identity.save({ privateFile: missing, comment: 'a\nb' }), /the comment has a line break/]
  ]
  for (const [call, message] of calls) await t.rejects(call(), { code: 'ERR_STALK_INVALID_OPTION', message })
  t.notOk(existsSync(missing))
})

t.test('no passphrase is in an error', async t => {
  const secret = 'secret-secret'
  for (const call of [
    () => Identity.load(files.openssh, { passphrase: secret }),
    () => Identity.load(files.pkcs8, { passphrase: secret }),
    () => Identity.load(files.pkcs8, { passphrase: { secret } as never }),
    () => Identity.load(files.pkcs8, { passphrase: secret.repeat(200) })
  ]) {
    const error = await call().catch(error => error)
    t.notOk(`${error.stack} ${JSON.stringify(error)} ${error.cause?.stack}`.includes(secret))
  }
})
