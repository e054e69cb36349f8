// Known peers at the command line: `stalk peers`, and `stalk connect` without --peer, with somebody at a terminal and
// with nobody.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readArgs } from '../../lib/cli/args.ts'
import { peers as peersCommand } from '../../lib/cli/commands/peers.ts'
import { exitOf } from '../../lib/cli/exit.ts'
import { put } from '../../lib/cli/trust.ts'
import { type Identity, knownPeers, listener, type Question, Succession } from '../../lib/index.ts'
import { noModes } from '../trust/files.ts'
import { commandOf, lines, makeHome, parsed, run, type Stalk } from './tools.ts'

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const client = await makeHome(dir, 'client')
const other = await makeHome(dir, 'other')
const key = (home: { home: string }): string => join(home.home, 'id_pub')
const word = (identity: Identity): string => identity.publicLine.trim()

const said: unknown[] = []
const shell = { voice: { event: (...words: unknown[]) => said.push(words) } } as never

let homes = 0

/** A home of its own for each test, with the client's identity; the file of known peers is not there yet. */
function freshHome(): { home: string; file: string } {
  const home = join(dir, `home-${homes++}`)
  mkdirSync(home, { mode: 0o700 })
  for (const name of ['id_priv', 'id_pub'])
    writeFileSync(join(home, name), readFileSync(join(client.home, name)), { mode: 0o600 })
  return { home, file: join(home, 'known_peers') }
}

async function serve(
  t: Test,
  identity = server.identity
): Promise<{ port: number; where: string; peers: unknown[] }> {
  const peers: unknown[] = []
  const listening = listener(
    '127.0.0.1',
    0,
    conn => {
      peers.push(conn.peerIdentity?.fingerprint ?? null)
      conn.on('error', () => {}).pipe(conn as never)
    },
    { identity }
  )
  listening.on('clientError', () => {})
  t.teardown(() => listening.close())
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  return { port, where: `[127.0.0.1]:${port}`, peers }
}

const connects = (port: number, home: string, ...more: string[]): Promise<Stalk> =>
  run(['connect', String(port), ...more], { home, input: '1\n' })

t.test('without a terminal a peer that is unknown does not get in, and it is said how to go on', async t => {
  const { port, where, peers } = await serve(t)
  const { home, file } = freshHome()
  const refused = await connects(port, home)
  t.equal(await refused.exit, 4)
  t.equal(refused.stdout, '')
  t.same(lines(refused.stderr), [
    'stalk connect: nothing is known of the peer there, and nobody was asked (ERR_STALK_PEER_UNKNOWN)',
    `  ${file} has no key of ${where}`,
    `  the peer has shown ${server.identity.fingerprint}`,
    '  at a terminal `stalk connect` asks; --trust accept-new remembers whoever answers first',
    '  --peer SHA256:… says which key you expect; `stalk peers add HOST:PORT FILE` makes it known'
  ])
  t.notOk(existsSync(file))
  t.same(peers, [])
  const [error] = parsed((await connects(port, home, '--json')).stderr)
  t.match(error, { event: 'error', code: 'ERR_STALK_PEER_UNKNOWN', exit: 4 })
})

t.test('what was added is known, by its label, and our identity is shown to it', async t => {
  const { port, where, peers } = await serve(t)
  const { home, file } = freshHome()
  const added = await run(['peers', 'add', `127.0.0.1:${port}`, key(server), '--label', 'the printer'], {
    home
  })
  t.equal(await added.exit, 0)
  t.equal(added.stderr, `${where} is now known by ${server.identity.fingerprint}\n`)
  t.equal(readFileSync(file, 'utf8'), `${where} ${word(server.identity)} the printer\n`)
  const connected = await connects(port, home)
  t.equal(await connected.exit, 0)
  t.equal(connected.stdout, '1\n')
  t.match(connected.stderr, `peer: ${server.identity.fingerprint} (ED25519 256), known as the printer\n`)
  t.same(peers, [client.identity.fingerprint])
  const elsewhere = await connects(port, client.home, '--known-peers', file, '--trust', 'strict')
  t.equal(await elsewhere.exit, 0)
})

t.test(
  '--trust accept-new remembers, also where there was no folder; off verifies nothing, and shows nobody',
  async t => {
    const { port, where, peers } = await serve(t)
    const home = join(dir, 'not', 'yet')
    const first = await connects(port, home, '--trust', 'accept-new', '--anonymous')
    t.equal(await first.exit, 0)
    const told = `  nothing was known of it before; remembered in ${join(home, 'known_peers')}\n`
    t.match(first.stderr, told)
    t.notMatch((await connects(port, home, '--trust', 'accept-new', '--anonymous')).stderr, told)
    t.equal(readFileSync(join(home, 'known_peers'), 'utf8'), `${where} ${word(server.identity)}\n`)
    const off = await connects(port, freshHome().home, '--trust', 'off')
    t.equal(await off.exit, 0)
    t.match(off.stderr, `peer: ${server.identity.fingerprint} (ED25519 256), not verified\n`)
    t.same(peers, [null, null, null])
  }
)

t.test('a key that has changed: both fingerprints, the line, and exit code 4', async t => {
  const { port, where, peers } = await serve(t)
  const { home, file } = freshHome()
  writeFileSync(file, `# mine\n${where} ${word(other.identity)}\n`, { mode: 0o600 })
  for (const trust of ['ask', 'strict', 'accept-new']) {
    const refused = await connects(port, home, '--trust', trust)
    t.equal(await refused.exit, 4)
    t.same(lines(refused.stderr), [
      'stalk connect: the peer has another key than the one it is known by (ERR_STALK_PEER_CHANGED)',
      `  expected ${other.identity.fingerprint} (line 2) at ${where}, as in ${file}`,
      `  the peer has shown ${server.identity.fingerprint}`,
      '  find out why before you trust it: it may be somebody in between',
      '  `stalk peers forget HOST:PORT` takes out what is known of it'
    ])
  }
  t.equal(readFileSync(file, 'utf8'), `# mine\n${where} ${word(other.identity)}\n`)
  t.same(peers, [])
})

t.test('a file that cannot be used is exit code 7, and names the line', async t => {
  const { port } = await serve(t)
  const { home, file } = freshHome()
  writeFileSync(file, 'what?\n', { mode: 0o600 })
  const malformed = await connects(port, home)
  t.equal(await malformed.exit, 7)
  t.match(malformed.stderr, /known_peers, line 1 has no public key.*\(ERR_STALK_TRUST_FILE_FORMAT\)\n$/)
  if (noModes) return
  writeFileSync(file, '')
  chmodSync(file, 0o666)
  const loose = await run(['peers', 'list'], { home })
  t.equal(await loose.exit, 7)
  t.match(loose.stderr, /its mode 0666 lets others write: chmod go-w .*\(ERR_STALK_TRUST_FILE_MODE\)\n$/)
})

t.test('peers are listed, forgotten and revoked', async t => {
  const { home, file } = freshHome()
  const peers = (...args: string[]): Promise<Stalk> => run(['peers', ...args], { home })
  t.match(await peers('list'), { stdout: '', stderr: `${file} has no peers\n` })
  await peers('add', 'a.example.org:4000,b', key(server), '--label', 'the\u202eprinter')
  await peers('add', '*.org', key(other))
  await peers('add', '::1', key(other))
  await peers('add', 'unix:/run/x', key(other))
  const again = await peers('add', '*.org', key(other))
  t.equal(again.stderr, `*.org was known already by ${other.identity.fingerprint}\n`)
  const listed = await peers('list')
  t.same(lines(listed.stdout), [
    `[a.example.org]:4000,b 256 ${server.identity.fingerprint} the\\u{202e}printer (ED25519)`,
    ...['*.org', '::1', 'unix:/run/x'].map(host => `${host} 256 ${other.identity.fingerprint} (ED25519)`)
  ])
  t.match(parsed((await peers('list', '--json')).stdout)[0], {
    line: 1,
    hosts: '[a.example.org]:4000,b',
    fingerprint: server.identity.fingerprint,
    label: 'the\u202eprinter',
    revoked: false
  })
  const forgotten = await peers('forget', 'a.example.org:4000')
  t.match(forgotten.stderr, /^forgotten: \[a\.example\.org\]:4000 256 SHA256:/)
  t.match(await peers('forget', 'nobody'), {
    stderr: /has nothing of nobody; what has a pattern goes by its fingerprint\n$/
  })
  await peers('revoke', other.identity.fingerprint, '--hosts', 'c:1')
  await peers('revoke', key(server), '--label', 'stolen')
  t.same(lines((await peers('list')).stdout).slice(-2), [
    `revoked: [c]:1 256 ${other.identity.fingerprint} (ED25519)`,
    `revoked: * 256 ${server.identity.fingerprint} stolen (ED25519)`
  ])
  t.match(await peers('forget', server.identity.fingerprint), { stderr: /^forgotten: b 256 / })
  t.match(await peers('forget', server.identity.fingerprint), {
    stderr: `${server.identity.fingerprint} is revoked, and stays so: who wants to trust it again takes line `
  })
  const refused = await peers('add', 'b', key(server))
  t.equal(await refused.exit, 4)
  t.match(refused.stderr, /^stalk peers: the key of the peer is revoked \(ERR_STALK_PEER_REVOKED\)$/m)
})

t.test('a succession is recorded, shown, and lets the new key in', async t => {
  const { home, file } = freshHome()
  const next = await makeHome(dir, 'next')
  const statement = join(dir, 'id.succession')
  await (await Succession.sign(server.identity, next.identity)).save(statement)
  const { port, where } = await serve(t, next.identity)
  const unknown = await run(['peers', 'trust', statement], { home })
  t.equal(await unknown.exit, 4)
  t.match(
    unknown.stderr,
    /^stalk peers: the succession is not followed: .* does not know SHA256:.*SUCCESSION\)$/m
  )
  await knownPeers(file).add('127.0.0.1', server.identity, { label: 'gateway' })
  const trusted = await run(['peers', 'trust', statement], { home })
  t.equal(await trusted.exit, 0)
  t.match(lines(trusted.stderr), [
    `${server.identity.fingerprint} is succeeded by`,
    /^SHA256:\S+, as both have signed on \d{4}-\d\d-\d\d \d\d:\d\d UTC$/,
    '  the new key is accepted wherever the old one is known'
  ])
  t.match((await connects(port, home, '--trust', 'accept-new')).stderr, /known as gateway/)
  t.match(readFileSync(file, 'utf8'), `\n${where} ${word(next.identity)} gateway\n`)
  t.match(
    (await run(['peers', 'list'], { home })).stdout,
    ` is succeeded by ${next.identity.fingerprint}, signed `
  )
  const revoked = await run(['peers', 'revoke', key(server)], { home })
  t.match(revoked.stderr, `${next.identity.fingerprint} has succeeded it, signed `)
  writeFileSync(statement, 'nonsense\n')
  const foreign = await run(['peers', 'trust', statement], { home })
  t.equal(await foreign.exit, 4)
  t.match(foreign.stderr, /id\.succession holds no succession/)
})

t.test('what is wrong with the words is said, with exit code 2', async t => {
  for (const [words, problem] of [
    [[], /^list, add, forget, revoke or trust\?$/],
    [['toString'], /^there is no `peers toString`$/],
    [['list', 'x'], /^list takes no arguments$/],
    [['add', 'x'], /^add takes a host and a key file/],
    [['add', 'x', server.identity.fingerprint], /^add needs the key itself, in a file/],
    [['add', 'a b', key(server)], /^"a b" is no list of hosts/],
    [['add', 'x', key(server), '--known-peers='], /^--known-peers takes the path of a file$/],
    [['forget'], /^forget takes a host/],
    [['revoke'], /^revoke takes a key file/],
    [['revoke', 'SHA256:abc'], /^SHA256:abc is no fingerprint: /],
    [['forget', 'SHA256:abc'], /^SHA256:abc is no fingerprint: /],
    [['add', 'b', 'SHA256:abc'], /^SHA256:abc is no fingerprint: /],
    [
      ['add', 'foo:99999', key(server)],
      /^foo:99999 is no HOST\[:PORT\]: a port is a number from 1 to 65535$/
    ],
    [['add', 'foo:400O', key(server)], /^foo:400O is no HOST\[:PORT\]/],
    [['add', '4000', key(server)], /^4000 is no host; did you mean 127\.0\.0\.1:4000\?$/],
    [['trust'], /^trust takes the files of successions/]
  ] as const) {
    const error = await perform(words).catch(error => error)
    t.equal(exitOf(error), 2, words.join(' '))
    t.match((error as Error).message, problem)
  }
  const cases = [
    [['--trust', 'maybe'], /--trust is one of strict, ask, accept-new, off, not maybe$/],
    [['--trust', 'ask', '--anyone'], /either --anyone or --trust, not both$/],
    [['--known-peers', 'x', '--peer', key(server)], /either --peer or --known-peers, not both$/]
  ] as const
  await Promise.all(
    cases.map(async ([words, problem]) => {
      const refused = await run(['connect', '1', ...words], { home: client.home })
      t.equal(await refused.exit, 2, words.join(' '))
      t.match(lines(refused.stderr)[0], problem)
    })
  )
})

/** In this process. */
const perform = async (words: readonly string[]): Promise<void> =>
  peersCommand.run(readArgs(peersCommand, words), shell)

// --- the question ----------------------------------------------------------------------------------------

const question: Question = {
  host: 'a\u202eb',
  port: 4000,
  identity: server.identity,
  fingerprint: server.identity.fingerprint,
  reason: 'unknown',
  knownAs: ['[c]:1', '*.org'],
  path: '/home/me/known_peers'
}

/** Answers, one after the other; and what was asked. */
function asking(...answers: (string | null)[]): {
  ask: (text: string) => Promise<string | null>
  asked: string[]
} {
  const asked: string[] = []
  return {
    asked,
    ask: async text => {
      asked.push(text)
      return answers.shift() ?? null
    }
  }
}

t.test('yes and the right fingerprint accept; the question can play no tricks', async t => {
  for (const answers of [['yes'], [' YES '], [server.identity.fingerprint], ['y', 'perhaps', 'yes']]) {
    const { ask, asked } = asking(...answers)
    t.equal(await put(question, shell, ask), true)
    t.equal(
      asked[0],
      `Nothing is known of a\\u{202e}b:4000 yet.
Its key is ${server.identity.fingerprint} (ED25519 256).
This key is known as [c]:1 and *.org too.
Is it the key that you expect there (yes/no/fingerprint)? `
    )
    t.same(
      asked.slice(1),
      answers.slice(1).map(() => 'Please type yes, no, or the fingerprint that you expect: ')
    )
  }
  t.match(said[0], [
    'remembering',
    { path: '/home/me/known_peers' },
    'remembering it in /home/me/known_peers'
  ])
})

t.test('no, Ctrl-D, another fingerprint, and three times something else do not', async t => {
  for (const answers of [['no'], [null], ['', 'y', 'ja'], [other.identity.fingerprint], ['SHA256:x']]) {
    await t.rejects(put(question, shell, asking(...answers).ask), {
      exit: 4,
      message:
        /^(you did not accept the peer|the peer has another key than .*); nothing was sent, and nothing remembered$/
    })
  }
})

// --- at a terminal ---------------------------------------------------------------------------------------

const noScript = !hasScript() && { skip: 'needs script(1) of util-linux' }

function hasScript(): boolean {
  try {
    execFileSync('script', ['-qec', 'true', '/dev/null'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** `stalk connect` on a terminal of its own. */
class AtTerminal {
  shown = ''
  readonly #child: ChildProcess
  readonly exit: Promise<number | null>

  constructor(args: readonly string[], home: string) {
    const { NODE_OPTIONS, ...env } = process.env
    const command = commandOf(args).map(word => `'${word}'`)
    this.#child = spawn('script', ['-qec', command.join(' '), '/dev/null'], {
      env: { ...env, STALK_HOME: home, TERM: 'dumb' },
      stdio: ['pipe', 'pipe', 'inherit']
    })
    this.#child.stdout?.setEncoding('utf8').on('data', text => {
      this.shown += text.replaceAll('\r', '')
    })
    this.exit = once(this.#child, 'exit').then(([code]) => code)
  }

  type(keys: string): void {
    this.#child.stdin?.write(keys)
  }

  async shows(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.shown)) {
      if (this.#child.exitCode !== null) throw new Error(`it never showed ${pattern}:\n${this.shown}`)
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }
}

t.test('somebody says yes, and is not asked again', noScript || {}, async t => {
  const { port, where } = await serve(t)
  const { home, file } = freshHome()
  const first = new AtTerminal(['connect', String(port)], home)
  await first.shows(/\(yes\/no\/fingerprint\)\? $/)
  t.notOk(existsSync(file))
  first.type('maybe\r')
  await first.shows(/Please type yes, no, or the fingerprint that you expect: $/)
  first.type('yes\r')
  await first.shows(/we: {3}SHA256/)
  t.equal(readFileSync(file, 'utf8'), `${where} ${word(server.identity)}\n`)
  first.type('1\r')
  await first.shows(/\n1\n1\n/)
  first.type('\x04')
  t.equal(await first.exit, 0)
  const second = new AtTerminal(['connect', String(port)], home)
  await second.shows(/we: {3}SHA256/)
  t.notMatch(second.shown, 'yes/no')
  second.type('\x04')
  t.equal(await second.exit, 0)
})

t.test(
  'somebody says no, or presses Ctrl-C or Ctrl-D, and nothing is remembered',
  noScript || {},
  async t => {
    const { port, peers } = await serve(t)
    const { home, file } = freshHome()
    for (const [keys, exit] of [
      ['no\r', 4],
      ['\x04', 4],
      ['\x03', 130]
    ] as const) {
      const terminal = new AtTerminal(['connect', String(port)], home)
      await terminal.shows(/\(yes\/no\/fingerprint\)\? $/)
      terminal.type(keys)
      t.equal(await terminal.exit, exit)
      t.match(
        terminal.shown,
        exit === 4 ? /you did not accept the peer; nothing was sent/ : /ended by SIGINT/
      )
    }
    t.notOk(existsSync(file))
    t.same(peers, [])
  }
)
