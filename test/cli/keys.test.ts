// `stalk keygen` and `stalk fingerprint`, as processes: what they print, what they leave on the disk, and
// what they say of files that are unfit.

import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { home } from '../../lib/cli/keys.ts'
import { Identity, Succession } from '../../lib/index.ts'
import { lines, makeHome, run } from './tools.ts'

const noModes = process.platform === 'win32'

const hasSshKeygen = ((): boolean => {
  try {
    execFileSync('ssh-keygen', ['-?'], { stdio: 'ignore' })
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ENOENT'
  }
})()

t.test('the home folder is STALK_HOME, else ~/.spack', async t => {
  t.equal(home({ STALK_HOME: '/x' }), '/x')
  t.equal(home({ STALK_HOME: '' }), join(homedir(), '.spack'))
  t.equal(home({}), join(homedir(), '.spack'))
})

t.test('keygen makes an RSA identity in the home folder and prints fingerprint and paths', async t => {
  const home = join(t.testdir(), 'deep', 'home')
  const made = await run(['keygen'], { home })
  t.equal(await made.exit, 0)
  t.equal(made.stderr, '')
  const identity = await Identity.default(home)
  t.match(identity, { type: 'rsa', keysize: 2048 })
  t.equal(
    made.stdout,
    `${identity?.fingerprint}\n  private key: ${join(home, 'id_priv')}\n  public key:  ${join(home, 'id_pub')}\n`
  )
  if (!noModes) t.equal(statSync(join(home, 'id_priv')).mode & 0o777, 0o600)
})

t.test('keygen takes kind, size and folder, and says it in JSON', async t => {
  const out = join(t.testdir(), 'keys')
  const made = await run(['keygen', '--type', 'ed25519', '--out', out, '--json'])
  t.equal(await made.exit, 0)
  const { fingerprint } = await Identity.load(join(out, 'id_pub'))
  t.same(JSON.parse(made.stdout), {
    type: 'ed25519',
    bits: 256,
    fingerprint,
    privateFile: join(out, 'id_priv'),
    publicFile: join(out, 'id_pub')
  })
  const large = await run(['keygen', '-b', '3072', '-o', join(t.testdir(), 'large'), '--json'])
  t.match(JSON.parse(large.stdout), { type: 'rsa', bits: 3072 })
})

t.test('keygen overwrites nothing', async t => {
  const { home } = await makeHome(t.testdir(), 'home')
  const before = readFileSync(join(home, 'id_priv'))
  const again = await run(['keygen', '-t', 'ed25519'], { home })
  t.equal(await again.exit, 7)
  t.equal(again.stdout, '')
  t.same(lines(again.stderr), [
    `stalk keygen: ${join(home, 'id_priv')} is there already, and is never overwritten (ERR_STALK_KEY_FILE_EXISTS)`,
    '  --out DIR puts the keys elsewhere'
  ])
  const asked = await run(['keygen', '--passphrase'], { home })
  t.equal(await asked.exit, 7)
  t.match(asked.stderr, /is there already/, 'before a passphrase is asked for')
  t.same(readFileSync(join(home, 'id_priv')), before)
})

t.test('keygen leaves nothing behind where it fails half-way', async t => {
  const out = t.testdir({ id_pub: 'somebody else' })
  t.equal(await (await run(['keygen', '-t', 'ed25519', '-o', out])).exit, 7)
  t.notOk(existsSync(join(out, 'id_priv')))
  t.equal(readFileSync(join(out, 'id_pub'), 'utf8'), 'somebody else')
  const file = await run(['keygen', '-t', 'ed25519', '-o', join(out, 'id_pub', 'x')])
  t.equal(await file.exit, 7)
  t.match(file.stderr, /^stalk keygen: cannot create the folder .*ENOTDIR/)
})

t.test('keygen refuses what it does not know', async t => {
  const cases: [string[], RegExp][] = [
    [['keygen', '--type', 'dsa'], /--type is rsa or ed25519, not dsa/],
    [['keygen', '--bits', '1024'], /--bits is 2048, 3072 or 4096, not 1024/],
    [['keygen', '--bits', 'many'], /--bits takes a whole number/],
    [['keygen', '--type', 'ed25519', '--bits', '2048'], /--bits is for RSA keys/],
    [['keygen', 'folder'], /takes no arguments; --out DIR names the folder/],
    [['keygen', '--passphrase', 'word'], /takes no arguments; --passphrase asks for it, --out DIR names/]
  ]
  for (const [args, text] of cases) {
    const { exit, stderr } = await run(args)
    t.equal(await exit, 2)
    t.match(stderr, text)
    t.match(stderr, /usage: stalk keygen/)
  }
})

t.test('fingerprint prints what ssh-keygen prints', { skip: !hasSshKeygen }, async t => {
  const { home } = await makeHome(t.testdir(), 'home', 'rsa')
  const file = join(home, 'id_pub')
  const ssh = execFileSync('ssh-keygen', ['-i', '-m', 'PKCS8', '-f', file])
  writeFileSync(join(home, 'ssh.pub'), ssh)
  const [bits, fingerprint] = execFileSync('ssh-keygen', ['-l', '-f', join(home, 'ssh.pub')], {
    encoding: 'utf8'
  }).split(' ')
  const shown = await run(['fingerprint', file])
  t.equal(shown.stdout, `${bits} ${fingerprint} ${file} (RSA)\n`)
})

t.test('fingerprint shows files, or the default identity, for people or in JSON', async t => {
  const { home, identity } = await makeHome(t.testdir(), 'home')
  const { fingerprint } = identity
  const [privateFile, publicFile] = [join(home, 'id_priv'), join(home, 'id_pub')]
  const both = await run(['fingerprint', privateFile, publicFile])
  t.equal(
    both.stdout,
    `256 ${fingerprint} ${privateFile} (ED25519)\n256 ${fingerprint} ${publicFile} (ED25519)\n`
  )
  t.equal((await run(['fingerprint'], { home })).stdout, `256 ${fingerprint} ${publicFile} (ED25519)\n`)
  const json = await run(['fingerprint', '--json', privateFile, publicFile])
  t.same(
    lines(json.stdout).map(line => JSON.parse(line)),
    [
      { file: privateFile, type: 'ed25519', bits: 256, fingerprint, private: true },
      { file: publicFile, type: 'ed25519', bits: 256, fingerprint, private: false }
    ]
  )
})

t.test('fingerprint goes on after a file that is unfit, and says so in the end', async t => {
  const { home } = await makeHome(t.testdir(), 'home')
  const shown = await run(['fingerprint', join(home, 'none'), join(home, 'id_pub')])
  t.equal(await shown.exit, 7)
  t.equal(lines(shown.stdout).length, 1)
  t.equal(
    shown.stderr,
    `stalk fingerprint: no such file: ${join(home, 'none')} (ERR_STALK_KEY_FILE_MISSING)\n`
  )
})

t.test('every unfit key file has its line', async t => {
  const dir = t.testdir()
  const { home } = await makeHome(dir, 'home')
  const { home: other } = await makeHome(dir, 'other')
  const file = (name: string, text: string): string => {
    writeFileSync(join(home, name), text, { mode: 0o600 })
    return join(home, name)
  }
  const says = async (args: string[], text: RegExp, home = '/nonexistent'): Promise<void> => {
    const { exit, stderr, stdout } = await run(args, { home })
    t.equal(await exit, 7, args.join(' '))
    t.match(lines(stderr)[0], text)
    t.equal(stdout, '')
  }
  await says(['fingerprint'], /^stalk fingerprint: there is no identity in \/nonexistent$/)
  await says(['fingerprint', home], /is a folder; a key file is needed \(ERR_STALK_KEY_FILE_IO\)/)
  await says(['fingerprint', file('empty', '')], /empty holds nothing: it is empty/)
  await says(
    ['fingerprint', file('ssh', 'ssh-rsa AAAA me')],
    /ssh holds a public key that is cut short; it is damaged /
  )
  await says(['fingerprint', file('bad\u202e', 'x')], /bad\\u\{202e\} holds no key; /)
  if (!noModes) {
    chmodSync(join(home, 'id_priv'), 0o644)
    await says(['fingerprint', join(home, 'id_priv')], /lets others at it: chmod 600 .*KEY_FILE_MODE\)/)
    chmodSync(join(home, 'id_priv'), 0o600)
  }
  copyFileSync(join(other, 'id_pub'), join(home, 'id_pub'))
  await says(['fingerprint'], /id_pub .* is not the public key of .*id_priv .*MISMATCH\)/, home)
  const pub = join(other, 'id_pub')
  await says(['listen', '0', '--identity', pub], /id_pub holds a public key; a private one is needed/)
  await says(['listen', '0'], /^stalk listen: there is no identity in \/nonexistent$/)
  await says(['connect', '9', '--peer', join(home, 'none')], /no such file: .*none /)
})

t.test('keygen --succeed makes a key that the old one has signed, and the statement for others', async t => {
  const dir = t.testdir()
  const { home, identity: old } = await makeHome(dir, 'home')
  const out = join(dir, 'next')
  const made = await run(['keygen', '-t', 'ed25519', '--succeed', join(home, 'id_priv'), '--out', out], {
    home
  })
  t.equal(await made.exit, 0, made.stderr)
  const next = (await Identity.default(out)) as Identity
  t.same(lines(made.stdout), [
    next.fingerprint,
    `  private key: ${join(out, 'id_priv')}`,
    `  public key:  ${join(out, 'id_pub')}`,
    `  succeeds:    ${old.fingerprint}`,
    `  statement:   ${join(out, 'id.succession')}`,
    `  for those who know the old key: stalk peers trust ${join(out, 'id.succession')}`
  ])
  const [statement] = await Succession.load(join(out, 'id.succession'))
  t.ok(statement?.predecessor.equals(old))
  t.ok(statement?.successor.equals(next))
  const again = await run(['keygen', '--succeed', join(home, 'id_priv'), '--out', out], { home })
  t.equal(await again.exit, 7)
  t.match(
    again.stderr,
    `stalk keygen: ${join(out, 'id.succession')} is there already, and is never overwritten`
  )
  const here = await run(['keygen', '-t', 'ed25519', '--succeed', join(home, 'id_priv')], { home })
  t.equal(await here.exit, 7, 'the old key is not overwritten')
  t.notOk(existsSync(join(home, 'id.succession')))
  const open = await run(['keygen', '--succeed', join(home, 'id_pub'), '--out', join(dir, 'x')], { home })
  t.equal(await open.exit, 7)
  t.match(open.stderr, /id_pub holds a public key; the old private one signs the new one/)
  t.notOk(existsSync(join(dir, 'x')))
})
