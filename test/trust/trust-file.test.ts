// Trust files on the disk: what is read, and all that is refused because somebody else may have written it.

import { execFileSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readTrustFile, versionOf } from '../../lib/trust/trust-file.ts'
import { noModes } from './files.ts'

const modes = noModes && { skip: 'files have no modes here' }
const isRoot = process.getuid?.() === 0

const previous = process.umask(0o022)
t.teardown(() => process.umask(previous))

t.test('a file is read to the byte; one that is not there is null, and its folder may be empty', async t => {
  const dir = t.testdir({ peers: '' })
  t.match(await readTrustFile(join(dir, 'peers')), { text: '' })
  writeFileSync(join(dir, 'peers'), Buffer.from([0x61, 0xe9, 0x0a]))
  t.match(await readTrustFile(join(dir, 'peers')), { text: 'a\xe9\n' })
  t.equal(await readTrustFile(join(dir, 'none')), null)
  t.equal(await versionOf(join(dir, 'none')), null)
})

t.test('every change is another version', async t => {
  const path = join(t.testdir({ peers: 'a' }), 'peers')
  const first = await versionOf(path)
  t.equal(await versionOf(path), first)
  t.equal((await readTrustFile(path))?.version, first)
  writeFileSync(path, 'b')
  t.not(await versionOf(path), first)
})

t.test('without the folder there is no file, and nobody makes one by accident', async t => {
  const path = join(t.testdir(), 'none', 'peers')
  await t.rejects(readTrustFile(path), {
    code: 'ERR_STALK_TRUST_FILE_MISSING',
    message: `${path} can't be there: there is no folder ${join(path, '..')}`,
    fault: 'trust',
    phase: 'setup',
    cause: { code: 'ENOENT' }
  })
})

t.test('a symbolic link is refused, be it to a file that would do', modes || {}, async t => {
  const dir = t.testdir({ peers: '' })
  const link = join(dir, 'link')
  symlinkSync(join(dir, 'peers'), link)
  const expected = {
    code: 'ERR_STALK_TRUST_FILE_MODE',
    message: `${link} is a symbolic link; whom to trust is read from a file itself`
  }
  await t.rejects(readTrustFile(link), expected)
  await t.rejects(versionOf(link), expected)
})

t.test('what group or others can write is refused, the file and its folder', modes || {}, async t => {
  const dir = t.testdir({ peers: '' })
  const path = join(dir, 'peers')
  for (const mode of [0o620, 0o602, 0o666, 0o777]) {
    chmodSync(path, mode)
    const octal = mode.toString(8).padStart(4, '0')
    await t.rejects(readTrustFile(path), {
      code: 'ERR_STALK_TRUST_FILE_MODE',
      message: `${path} says whom to trust, but its mode ${octal} lets others write: chmod go-w ${path}`
    })
  }
  chmodSync(path, 0o644)
  t.match(await readTrustFile(path), { text: '' }, 'what others can only read is no secret')
  for (const [mode, isSafe] of [
    [0o775, false],
    [0o757, false],
    [0o1777, true],
    [0o755, true]
  ] as const) {
    chmodSync(dir, mode)
    const read = readTrustFile(path)
    if (isSafe) await t.resolves(read)
    else await t.rejects(read, { code: 'ERR_STALK_TRUST_FILE_MODE', message: `chmod go-w ${dir}` })
  }
})

t.test(
  'what belongs to somebody else is refused',
  { skip: !isRoot && 'only root can give files away' },
  async t => {
    const path = join(t.testdir({ peers: '' }), 'peers')
    chownSync(path, 12_345, 12_345)
    await t.rejects(readTrustFile(path), {
      code: 'ERR_STALK_TRUST_FILE_MODE',
      message: `${path} says whom to trust, but it belongs to somebody else (user 12345)`
    })
  }
)

t.test('a folder, a pipe and a device are no files', modes || {}, async t => {
  const dir = t.testdir()
  mkdirSync(join(dir, 'folder'))
  execFileSync('mkfifo', [join(dir, 'pipe')])
  for (const [name, problem] of [
    ['folder', 'is a folder'],
    ['pipe', 'is not a regular file']
  ] as const)
    await t.rejects(readTrustFile(join(dir, name)), {
      code: 'ERR_STALK_TRUST_FILE_IO',
      message: `${join(dir, name)} ${problem}`
    })
  await t.rejects(readTrustFile('/dev/full'), {
    code: 'ERR_STALK_TRUST_FILE_IO',
    message: '/dev/full is not a regular file'
  })
  await t.rejects(readTrustFile(join(dir, 'a\0b')), {
    code: 'ERR_STALK_TRUST_FILE_IO',
    message: /^cannot read /
  })
})

t.test('a MiB is read, more is refused', async t => {
  const path = join(t.testdir(), 'peers')
  writeFileSync(path, '#'.repeat(1_048_576))
  await t.resolves(readTrustFile(path))
  writeFileSync(path, '#'.repeat(1_048_577))
  await t.rejects(readTrustFile(path), {
    code: 'ERR_STALK_TRUST_FILE_FORMAT',
    message: `${path} is larger than 1048576 bytes`
  })
})
