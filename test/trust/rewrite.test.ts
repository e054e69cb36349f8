// Changes of a trust file: whole or not at all, by several processes at once, on a full disk, and over the remains of
// those who died.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { knownPeers } from '../../lib/trust/known-peers.ts'
import { rewriteTrustFile } from '../../lib/trust/rewrite.ts'
import { alice, bob, fileOf, noModes, words } from './files.ts'

const WRITER = join(import.meta.dirname, 'writer.ts')
const posix = noModes ? { skip: 'not here' } : {}

/** What a process of its own says that adds keys to the file; `shell` runs before it. */
async function writer(
  file: string,
  name: string,
  count: number,
  shell = ''
): Promise<{ said: string; code: unknown }> {
  const pem = join(dirname(file), 'id_pub')
  if (!existsSync(pem)) writeFileSync(pem, alice.publicPem)
  const command = `${shell} exec "$0" --import=tsx "$@"`
  const { NODE_OPTIONS, ...env } = process.env
  const child = spawn('sh', ['-c', command, process.execPath, WRITER, file, name, String(count), pem], {
    env: { ...env, TSX_DISABLE_CACHE: '1' },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const [said, [code, signal]] = await Promise.all([text(child.stdout), once(child, 'exit')])
  return { said: said.trim(), code: code ?? signal }
}

const rest = (file: string): string[] => readdirSync(dirname(file)).filter(name => name !== 'id_pub')

t.test('the file is made with mode 0600, and remains as it is where nothing changes', async t => {
  const path = fileOf(t)
  await rewriteTrustFile(path, before => {
    t.equal(before, '')
    return 'caf\xe9\n'
  })
  t.same(readFileSync(path), Buffer.from('caf\xe9\n', 'latin1'))
  if (!noModes) t.equal(statSync(path).mode & 0o777, 0o600)
  const { ino } = statSync(path)
  await rewriteTrustFile(path, same => same)
  t.equal(statSync(path).ino, ino)
  t.same(rest(path), ['peers'])
})

t.test('an edit that throws changes nothing and leaves nothing behind', async t => {
  const path = fileOf(t, '# mine')
  const no = new Error('no')
  await t.rejects(
    rewriteTrustFile(path, () => {
      throw no
    }),
    no
  )
  t.equal(readFileSync(path, 'utf8'), '# mine\n')
  t.same(rest(path), ['peers'])
})

t.test('five processes write at once, and nothing of what any of them wrote is lost', posix, async t => {
  const path = fileOf(t, '# kept', `gateway ${words(bob, 'the gateway')}`, '')
  const names = ['a', 'b', 'c', 'd', 'e']
  const ended = await Promise.all(names.map(name => writer(path, name, 12)))
  t.same(
    ended,
    names.map(() => ({ said: 'done', code: 0 }))
  )
  const peers = await knownPeers(path).list()
  t.equal(peers.length, 1 + names.length * 12)
  for (const name of names) {
    const own = peers.filter(({ hosts }) => hosts.startsWith(`[${name}-`)).map(({ hosts }) => hosts)
    t.same(
      own,
      Array.from({ length: 12 }, (_, n) => `[${name}-${n}.example.org]:4000`),
      'each in its order'
    )
  }
  t.match(readFileSync(path, 'utf8'), /^# kept\ngateway ssh-ed25519 \S+ the gateway\n\n\[/)
  t.same(rest(path), ['peers'])
})

t.test('what somebody writes meanwhile without a lock is not lost', async t => {
  const path = fileOf(t, '# one')
  let tries = 0
  await rewriteTrustFile(path, before => {
    if (tries++ === 0) writeFileSync(path, `${before}# two, by an editor\n`)
    return `${before}# three\n`
  })
  t.equal(tries, 2)
  t.equal(readFileSync(path, 'utf8'), '# one\n# two, by an editor\n# three\n')
})

t.test('whoever never lets us write is an error', async t => {
  const path = fileOf(t, '# 0')
  let tries = 0
  const rewriting = rewriteTrustFile(path, before => {
    writeFileSync(path, `# ${++tries}\n`)
    return `${before}# ours\n`
  })
  await t.rejects(rewriting, {
    code: 'ERR_STALK_TRUST_FILE_LOCKED',
    message: `${path} is changed by somebody again and again; nothing was written`
  })
  t.equal(readFileSync(path, 'utf8'), `# ${tries}\n`)
})

t.test('if the lock is taken away, nothing is written', async t => {
  const path = fileOf(t, '# one')
  const rewriting = rewriteTrustFile(path, before => {
    writeFileSync(`${path}.lock`, 'mine now')
    return `${before}# two\n`
  })
  await t.rejects(rewriting, {
    code: 'ERR_STALK_TRUST_FILE_LOCKED',
    message: `the lock of ${path} was taken away; nothing was written`
  })
  t.equal(readFileSync(path, 'utf8'), '# one\n')
  t.equal(readFileSync(`${path}.lock`, 'utf8'), 'mine now')
})

t.test("one who is killed while saving leaves the file as it was, and is in nobody's way", posix, async t => {
  const path = fileOf(t, ...Array.from({ length: 40 }, (_, n) => `# ${n} ${'x'.repeat(50)}`))
  const before = readFileSync(path, 'utf8')
  t.match(await writer(path, 'killed', 1, 'ulimit -f 2;'), { said: '', code: /SIGXFSZ|153/ })
  t.equal(readFileSync(path, 'utf8'), before)
  t.same(rest(path), ['peers', 'peers.lock', 'peers.new'], 'what it died over')
  t.same(await writer(path, 'next', 1), { said: 'done', code: 0 })
  t.match(readFileSync(path, 'utf8'), /# 39 x+\n\[next-0\.example\.org\]:4000 ssh-ed25519 \S+\n$/)
  t.same(rest(path), ['peers'])
})

t.test(
  'a full disk while a key is saved',
  { skip: !canMount() && 'no file system can be mounted here' },
  async t => {
    const folder = mounted(32)
    t.teardown(() => unmount(folder))
    const peers = knownPeers(join(folder, 'peers'))
    await peers.add('a', alice)
    const before = readFileSync(peers.path, 'utf8')
    for (let size = 16_384; size >= 1; size /= 2) fill(join(folder, `filler-${size}`), size)
    await t.rejects(peers.add('b', bob), {
      code: 'ERR_STALK_TRUST_FILE_IO',
      message: /ENOSPC/
    })
    t.equal(readFileSync(peers.path, 'utf8'), before)
    t.notOk(existsSync(`${peers.path}.new`))
    t.notOk(existsSync(`${peers.path}.lock`))
  }
)

function fill(path: string, size: number): void {
  try {
    writeFileSync(path, 'x'.repeat(size))
  } catch {
    // until nothing more fits
  }
}

/** A file system of its own, of so many KiB. */
function mounted(size: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'stalk-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}k,mode=700`, 'tmpfs', folder], { stdio: 'ignore' })
  return folder
}

function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder])
  rmSync(folder, { recursive: true })
}

function canMount(): boolean {
  try {
    unmount(mounted(4))
    return true
  } catch {
    return false
  }
}

t.test('a link in the way of the new text is not followed', posix, async t => {
  const path = fileOf(t, '# one')
  const victim = join(dirname(path), 'victim')
  writeFileSync(victim, 'precious')
  symlinkSync(victim, `${path}.new`)
  await rewriteTrustFile(path, () => '# two\n')
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.equal(readFileSync(path, 'utf8'), '# two\n')
})

t.test('a file may not become larger than one that is read', async t => {
  const path = fileOf(t)
  await t.rejects(
    rewriteTrustFile(path, () => 'x'.repeat(1_048_577)),
    { code: 'ERR_STALK_TRUST_FILE_FORMAT', message: `${path} would be larger than 1048576 bytes` }
  )
  t.notOk(existsSync(path))
})
