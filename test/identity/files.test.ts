// Key files on the disk: modes, exclusiveness, and an error of ours for every one of the system's.

import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import {
  createKeyFiles,
  defaultHome,
  isThere,
  readKeyFile,
  requirePrivate
} from '../../lib/identity/files.ts'
import { run as runScript } from '../helpers/child.ts'
import { noModes } from './tools.ts'

const noLinks = noModes

const modeOf = (path: string): number => statSync(path).mode & 0o777

const previous = process.umask(0o022)
t.teardown(() => process.umask(previous))

t.test('a file is read with its path, text and mode', async t => {
  const path = join(t.testdir({ key: 'text\xe9' }), 'key')
  writeFileSync(path, 'text\xe9', 'latin1')
  chmodSync(path, 0o640)
  t.same(await readKeyFile(path), { path, text: 'text\xe9', mode: noModes ? 0o666 : 0o640 })
})

t.test('what cannot be read is an error with a code, a text that names the path, and its cause', async t => {
  const dir = t.testdir({ folder: {}, file: '' })
  await t.rejects(readKeyFile(join(dir, 'none')), {
    code: 'ERR_STALK_KEY_FILE_MISSING',
    phase: 'setup',
    fault: 'caller',
    message: /^cannot open .*none: ENOENT/,
    cause: { code: 'ENOENT' }
  })
  await t.rejects(readKeyFile(join(dir, 'file', 'key')), { code: /^ERR_STALK_KEY_FILE_(IO|MISSING)$/ })
  await t.rejects(readKeyFile(join(dir, 'folder')), { code: 'ERR_STALK_KEY_FILE_IO', message: /folder/ })
  await t.rejects(readKeyFile('a\0b'), { code: 'ERR_STALK_KEY_FILE_IO', message: /null bytes/ })
})

t.test('a named pipe is refused at once, without waiting for a writer', { skip: noModes }, async t => {
  const pipe = join(t.testdir(), 'pipe')
  execFileSync('mkfifo', [pipe])
  await t.rejects(readKeyFile(pipe), { code: 'ERR_STALK_KEY_FILE_IO', message: /is not a regular file/ })
})

t.test('links that go round, and files that fail while being read, are errors of the system', async t => {
  const link = join(t.testdir(), 'link')
  if (!noLinks) {
    symlinkSync(link, link)
    await t.rejects(readKeyFile(link), { code: 'ERR_STALK_KEY_FILE_IO', message: /cannot open .*ELOOP/ })
  }
  if (existsSync('/proc/self/mem')) {
    const message = /^cannot read \/proc\/self\/mem: EIO/
    await t.rejects(readKeyFile('/proc/self/mem'), { code: 'ERR_STALK_KEY_FILE_IO', message })
  }
})

t.test('an empty file is read as an empty text', async t => {
  t.equal((await readKeyFile(join(t.testdir({ key: '' }), 'key'))).text, '')
})

t.test('a file of 64 KiB is read, a larger one is refused', async t => {
  const path = join(t.testdir(), 'key')
  writeFileSync(path, 'x'.repeat(65_536))
  t.equal((await readKeyFile(path)).text.length, 65_536)
  writeFileSync(path, 'x'.repeat(65_537))
  const message = /is no key file: larger than 65536 bytes/
  await t.rejects(readKeyFile(path), { code: 'ERR_STALK_KEY_FILE_FORMAT', message })
  if (existsSync('/dev/zero')) await t.rejects(readKeyFile('/dev/zero'), { code: 'ERR_STALK_KEY_FILE_IO' })
})

t.test('the bytes that were read are wiped, the text alone remains', async t => {
  const path = join(t.testdir({ key: 'a secret' }), 'key')
  const { alloc } = Buffer
  const made: Buffer[] = []
  t.teardown(() => {
    Buffer.alloc = alloc
  })
  Buffer.alloc = (size, ...rest) => {
    const bytes = alloc(size, ...rest)
    made.push(bytes)
    return bytes
  }
  t.equal((await readKeyFile(path)).text, 'a secret')
  t.ok(made.length > 0)
  t.ok(made.every(bytes => bytes.every(byte => byte === 0)))
})

t.test('a file is closed again, taken or not', { skip: !existsSync('/proc/self/fd') }, async t => {
  const dir = t.testdir({ key: 'text' })
  const broken = { path: join(dir, 'broken'), text: 7 as unknown as string, mode: 0o600 }
  const before = readdirSync('/proc/self/fd').length
  for (let i = 0; i < 50; i++) {
    await readKeyFile(join(dir, 'key'))
    await t.rejects(readKeyFile(dir), { code: 'ERR_STALK_KEY_FILE_IO' })
    await t.rejects(createKeyFiles([broken]), { code: 'ERR_STALK_KEY_FILE_IO' })
  }
  t.ok(readdirSync('/proc/self/fd').length < before + 10)
})

t.test('a private file is refused with any permission of group or others', async t => {
  for (const mode of [0o600, 0o400, 0o700, 0o000]) requirePrivate({ path: 'key', text: '', mode }, 'linux')
  for (const mode of [0o640, 0o620, 0o610, 0o604, 0o602, 0o601, 0o644, 0o666, 0o777, 0o444]) {
    t.throws(() => requirePrivate({ path: 'key', text: '', mode }, 'linux'), {
      code: 'ERR_STALK_KEY_FILE_MODE',
      phase: 'setup',
      message: `key holds a private key, but its mode 0${mode.toString(8)} lets others at it: chmod 600 key`
    })
  }
  requirePrivate({ path: 'key', text: '', mode: 0o666 }, 'win32')
  t.pass('on Windows modes say nothing')
})

t.test('files are created with their modes, in folders of mode 0700', async t => {
  const dir = t.testdir()
  const [one, two] = [join(dir, 'a', 'b', 'one'), join(dir, 'a', 'two')]
  await createKeyFiles([
    { path: one, text: 'secret', mode: 0o600 },
    { path: two, text: 'open', mode: 0o644 }
  ])
  t.equal(readFileSync(one, 'utf8'), 'secret')
  t.equal(readFileSync(two, 'utf8'), 'open')
  if (noModes) return
  t.equal(modeOf(one), 0o600)
  t.equal(modeOf(two), 0o644)
  t.equal(modeOf(join(dir, 'a')), 0o700)
  t.equal(modeOf(join(dir, 'a', 'b')), 0o700)
})

t.test('a file that is there is never overwritten, and nothing is left beside it', async t => {
  const dir = t.testdir({ two: 'old' })
  const [one, two] = [join(dir, 'one'), join(dir, 'two')]
  const files = [
    { path: one, text: 'new', mode: 0o600 },
    { path: two, text: 'new', mode: 0o644 }
  ]
  await t.rejects(createKeyFiles(files), {
    code: 'ERR_STALK_KEY_FILE_EXISTS',
    phase: 'setup',
    message: /^cannot create .*two: EEXIST/
  })
  t.same(readdirSync(dir), ['two'])
  t.equal(readFileSync(two, 'utf8'), 'old')
  await t.rejects(createKeyFiles([...files].reverse()), { code: 'ERR_STALK_KEY_FILE_EXISTS' })
  t.same(readdirSync(dir), ['two'])
  if (noLinks) return
  symlinkSync(join(dir, 'target'), one)
  await t.rejects(createKeyFiles(files), { code: 'ERR_STALK_KEY_FILE_EXISTS' })
  t.same(readdirSync(dir), ['one', 'two'], 'not even through a link that leads nowhere')
})

t.test('of two that race for a name one wins, and its file is whole', async t => {
  const path = join(t.testdir(), 'key')
  const texts = Array.from({ length: 8 }, (_, i) => String(i).repeat(5000))
  const results = await Promise.allSettled(texts.map(text => createKeyFiles([{ path, text, mode: 0o600 }])))
  const winners = results.flatMap((result, i) => (result.status === 'fulfilled' ? [i] : []))
  t.equal(winners.length, 1)
  t.equal(readFileSync(path, 'utf8'), texts[winners[0] ?? -1])
})

t.test('if a folder cannot be made, the files made until then are removed', async t => {
  const dir = t.testdir({ file: '' })
  const files = [
    { path: join(dir, 'one'), text: 'new', mode: 0o600 },
    { path: join(dir, 'file', 'two'), text: 'new', mode: 0o644 }
  ]
  await t.rejects(createKeyFiles(files), {
    code: 'ERR_STALK_KEY_FILE_IO',
    message: /^cannot create the folder .*file: /
  })
  t.same(readdirSync(dir), ['file'])
})

t.test('if a file cannot be written, it is removed', async t => {
  const dir = t.testdir()
  const broken = { path: join(dir, 'key'), text: 7 as unknown as string, mode: 0o600 }
  await t.rejects(createKeyFiles([broken]), {
    code: 'ERR_STALK_KEY_FILE_IO',
    message: /^cannot create .*key: /
  })
  t.same(readdirSync(dir), [])
})

t.test('a path is taken by a file, a folder, or a link that leads nowhere', async t => {
  const dir = t.testdir({ file: '' })
  t.equal(await isThere(join(dir, 'file')), true)
  t.equal(await isThere(dir), true)
  t.equal(await isThere(join(dir, 'none')), false)
  await t.rejects(isThere('a\0b'), { code: 'ERR_STALK_KEY_FILE_IO', message: /^cannot look for / })
  if (noLinks) return
  symlinkSync(join(dir, 'nowhere'), join(dir, 'link'))
  t.equal(await isThere(join(dir, 'link')), true)
  await t.rejects(isThere(join(dir, 'file', 'x')), { code: 'ERR_STALK_KEY_FILE_IO', message: /ENOTDIR/ })
})

t.test('the default folder is .spack in the home folder, and without a home that is an error', async t => {
  const { code, out, err } = await runScript(`
    import os from 'node:os'
    import { syncBuiltinESMExports } from 'node:module'
    os.homedir = () => { throw new Error('no such user') }
    syncBuiltinESMExports()
    const { defaultHome } = await import('./lib/identity/files.ts')
    try { defaultHome() } catch (error) { console.log(error.code, error.message) }
  `)
  t.match({ code, out, err }, { code: 0, out: /^ERR_STALK_KEY_FILE_IO .*there is no home folder/, err: '' })
  t.match(defaultHome(), /[\\/]\.spack$/)
})

t.test('a folder that is there keeps its mode', { skip: noModes }, async t => {
  const dir = join(t.testdir(), 'open')
  mkdirSync(dir, { mode: 0o755 })
  await createKeyFiles([{ path: join(dir, 'key'), text: '', mode: 0o600 }])
  t.equal(modeOf(dir), 0o755)
})
