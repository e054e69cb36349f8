// `stalk connect`, as a process: lines to messages and back, what slows what, and what ends it with which
// exit code.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { type Connection, type Listener, type ListenOptions, listener } from '../../lib/index.ts'
import { commandOf, lines, makeHome, parsed, run, type Setting, Stalk } from './tools.ts'

const windows = process.platform === 'win32'

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const client = await makeHome(dir, 'client')

/** Listens with the library, and closes with the test. */
async function serve(
  t: Test,
  handler: (conn: Connection) => void,
  options: ListenOptions = {}
): Promise<string> {
  const listening: Listener = listener('127.0.0.1', 0, handler, { identity: server.identity, ...options })
  listening.on('clientError', () => {})
  t.teardown(() => listening.close())
  if (!listening.listening) await once(listening, 'listening')
  const address = listening.address()
  return typeof address === 'object' ? String(address?.port) : ''
}

const echo = (conn: Connection): void => void conn.on('error', () => {}).pipe(conn as never)

const to = (port: string, ...more: string[]): string[] => [
  'connect',
  port,
  '--peer',
  server.identity.fingerprint,
  ...more
]

const talk = (port: string, input: Setting['input'], ...more: string[]): Promise<Stalk> =>
  run(to(port, ...more), { ...client, input: input as string })

t.test('lines become messages and messages become lines, of every kind', async t => {
  const got: unknown[] = []
  const port = await serve(t, conn => echo(conn.on('data', message => got.push(message))))
  const input = [
    '{"hello":"world"}',
    '',
    ' [1,2,{"$bigint":"12345678901234567890"}]\r',
    '{"$date":"2026-01-31T12:00:00.000Z"}',
    '{"b":{"$bytes":"AQID"},"s":{"$set":[1]},"n":{"$number":"NaN"},"u":{"$undefined":true}}',
    '{"$$date":1}',
    '"last, without a line feed"'
  ]
  const { stdout, stderr, exit } = await talk(port, input.join('\n'))
  t.equal(await exit, 0)
  const sent = input.filter(line => line !== '').map(line => line.trim())
  t.same(lines(stdout), sent)
  t.strictSame(got[1], [1, 2, 12345678901234567890n])
  t.strictSame(got[2], new Date('2026-01-31T12:00:00.000Z'))
  t.match(got[3], { b: Buffer.from([1, 2, 3]), u: undefined })
  t.strictSame(got[4], { $date: 1 })
  t.equal(
    stderr,
    `connected to 127.0.0.1:${port} with X25519-AES256GCM-SHA256
  peer: ${server.identity.fingerprint} (ED25519 256)
  we:   ${client.identity.fingerprint} (ED25519 256)
ended clean: sent 6, acknowledged 6, received 6
`
  )
})

t.test('--json says on stderr what happens as NDJSON; --quiet says nothing', async t => {
  const port = await serve(t, echo)
  const { stdout, stderr } = await talk(port, '1\n', '--json')
  t.equal(stdout, '1\n')
  t.match(parsed(stderr), [
    { event: 'connected', where: `127.0.0.1:${port}`, peer: server.identity.fingerprint, verified: true },
    { event: 'ended', kind: 'clean', sent: 1, acknowledged: 1, received: 1, unsent: 0 }
  ])
  const quiet = await talk(port, '1\n', '-q')
  t.equal(quiet.stderr, '')
  t.equal(quiet.stdout, '1\n')
})

t.test('the peer is a fingerprint, a file, or one of several', async t => {
  const port = await serve(t, echo)
  const named = async (...options: string[]): Promise<unknown> =>
    (await run(['connect', port, '-q', ...options], client)).exit
  t.equal(await named('--peer', join(server.home, 'id_pub')), 0)
  t.equal(await named('--peer', client.identity.fingerprint, '--peer', join(server.home, 'id_pub')), 0)
  t.equal(await named('--peer', client.identity.fingerprint), 4)
})

t.test('--anyone is for those who mean it', async t => {
  let shown: unknown = 'nothing'
  const port = await serve(t, conn => {
    shown = conn.peerIdentity
    echo(conn)
  })
  const anyone = await run(['connect', port, '--anyone'], { ...client, input: '1\n' })
  t.equal(await anyone.exit, 0)
  t.equal(shown, null, 'the default identity is not shown to strangers')
  t.match(anyone.stderr, `peer: ${server.identity.fingerprint} (ED25519 256), not verified\n`)
  t.match(anyone.stderr, 'we:   nobody (anonymous)')
})

t.test('the wrong peer: both fingerprints, nothing sent', async t => {
  let connected = false
  const port = await serve(t, () => {
    connected = true
  })
  const args = ['connect', port, '--peer', client.identity.fingerprint]
  const { exit, stdout, stderr } = await run(args, { ...client, input: '{"secret":1}\n' })
  t.equal(await exit, 4)
  t.equal(stdout, '')
  t.same(lines(stderr), [
    'stalk connect: the peer has another key than the one you expect (ERR_STALK_PEER_MISMATCH)',
    `  expected ${client.identity.fingerprint}`,
    `  the peer has shown ${server.identity.fingerprint}`,
    '  find out why before you trust it: it may be somebody in between'
  ])
  t.equal(connected, false)
  const anonymous = await serve(t, echo, { identity: null })
  const none = await talk(anonymous, '')
  t.equal(await none.exit, 4)
  t.match(none.stderr, /you expect a key and the peer has none .*PEER_ANONYMOUS/)
})

t.test(
  'a line that is no message: its number, exit code 6, and the peer learns that it is not all',
  async t => {
    const bad: [string, RegExp][] = [
      ['{"a":', /line 3: it is no JSON value: /],
      ['null', /line 3: null is no message; wrap it, as in \{"value":null\}/],
      ['{"$undefined":true}', /line 3: undefined is not a message.*VALUE_UNSUPPORTED/],
      ['"\\ud800"', /line 3: cannot carry a string with half a surrogate pair.*VALUE_UNSUPPORTED/],
      ['{"a":{"$date":1}}', /line 3: "\$date" takes an ISO 8601 date/],
      ['[12345678901234567890]', /line 3: the number 12345678901234567890 would be rounded/],
      ['{"__proto__":1}', /line 3: a key named __proto__ cannot be carried/],
      [`${'['.repeat(65)}${']'.repeat(65)}`, /line 3: cannot carry nesting deeper than 64/]
    ]
    const outcomes: unknown[] = []
    const got: unknown[][] = []
    const port = await serve(t, conn => {
      const mine: unknown[] = []
      got.push(mine)
      conn.on('data', message => mine.push(message)).on('error', () => {})
      void conn.outcome.then(outcome => outcomes.push(outcome))
    })
    const talks = bad.map(async ([line, problem]) => {
      const { exit, stderr } = await talk(port, `"one"\n\n${line}\n"later"\n`)
      t.equal(await exit, 6, line)
      t.match(lines(stderr).at(-1), problem)
    })
    await Promise.all(talks)
    t.same(
      got.map(([first]) => first),
      bad.map(() => 'one')
    )
    t.match(
      outcomes,
      bad.map(() => ({ kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' }))
    )
    const latin1 = await talk(port, Buffer.from([0x22, 0xff, 0x22, 0x0a]))
    t.equal(await latin1.exit, 6)
    t.match(latin1.stderr, /line 1: it is not UTF-8/)
  }
)

t.test('a folder as standard input is an error, not the end of it', { skip: windows }, async t => {
  const port = await serve(t, conn => conn.on('error', () => {}).resume())
  const shell = spawn('sh', ['-c', '"$@" < /', 'sh', ...commandOf(to(port))], {
    env: { ...process.env, STALK_HOME: client.home },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  t.match(await text(shell.stderr), /cannot read standard input: it is a folder\n$/)
  t.equal(shell.exitCode ?? (await once(shell, 'exit'))[0], 6)
})

t.test('a message that is too large for the peer is bad input too', async t => {
  const port = await serve(t, echo, { maxMessage: 1_000 })
  const { exit, stderr } = await talk(port, `1\n"${'x'.repeat(2_000)}"\n`)
  t.equal(await exit, 6)
  t.match(lines(stderr).at(-1), /^stalk connect: line 2: .*1000.*\(ERR_STALK_MESSAGE_TOO_LARGE\)$/)
})

t.test('the peer may end first: what is still to be sent is sent', async t => {
  const got: unknown[] = []
  const port = await serve(t, conn => {
    conn.on('data', message => got.push(message))
    conn.end('hello and goodbye')
  })
  const connected = new Stalk(to(port), client)
  await connected.says(/goodbye/, 'stdout')
  connected.stdin.end('1\n2\n')
  t.equal(await connected.exit, 0)
  t.same(got, [1, 2])
})

t.test('cut: exit code 5, after everything that came before', async t => {
  const port = await serve(t, conn => {
    conn.on('error', () => {})
    void conn
      .send('before')
      .then(() => conn.flush())
      .then(() => conn.socket.destroy())
  })
  const connected = new Stalk(to(port), client)
  t.equal(await connected.exit, 5)
  t.equal(connected.stdout, '"before"\n')
  t.match(connected.stderr, /^ended (truncated|reset): .*received 1$/m)
  t.match(lines(connected.stderr).at(-1), /^stalk connect: .*\(ERR_STALK_(TRUNCATED|RESET)\)$/)
})

t.test('a peer that says no goodbye in --wait seconds: exit code 5', async t => {
  const port = await serve(t, conn => conn.on('error', () => {}).resume(), { allowHalfOpen: true })
  const { exit, stderr } = await talk(port, '1\n', '--wait', '1')
  t.equal(await exit, 5)
  t.match(
    stderr,
    /^ended timeout: sent 1, .*received 0\n.*goodbye within 1000 ms of ours \(ERR_STALK_CLOSE_TIMEOUT\)/m
  )
})

t.test('SIGINT ends it without a goodbye: exit code 130, and SIGTERM 143', async t => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143]
  ] as const) {
    let conn: Connection | undefined
    const port = await serve(t, opened => {
      conn = opened.on('error', () => {})
      opened.resume()
    })
    const connected = new Stalk(to(port), client)
    connected.stdin.write('1\n')
    await connected.says(/connected/)
    connected.child.kill(signal)
    t.equal(await connected.exit, code)
    t.match(lines(connected.stderr).at(-1), `stalk connect: ended by ${signal}`)
    t.match(await conn?.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  }
})

t.test('`| head` ends it as SIGPIPE ends a program', { skip: windows }, async t => {
  const port = await serve(t, conn => {
    conn.on('error', () => {})
    const sending = setInterval(() => conn.write({ filler: 'x'.repeat(1_000) }), 5)
    conn.on('close', () => clearInterval(sending))
  })
  const shell = spawn(
    'sh',
    ['-c', '{ "$@"; echo "exit code $?" >&2; } | head -n 2', 'sh', ...commandOf(to(port))],
    {
      env: { ...process.env, STALK_HOME: client.home },
      stdio: ['pipe', 'pipe', 'pipe']
    }
  )
  const [shown, said] = await Promise.all([text(shell.stdout), text(shell.stderr)])
  t.equal(lines(shown).length, 2)
  const [ended, code, ...more] = lines(said).slice(3)
  t.match(ended, /^ended aborted: sent 0, acknowledged unknown, received \d+$/)
  t.same([code, more], ['exit code 141', []])
})

t.test('a peer that is slow slows the reading of standard input', async t => {
  let peer: Connection | undefined
  const port = await serve(t, conn => {
    peer = conn
  })
  const connected = new Stalk(to(port), client)
  await connected.says(/connected/)
  const line = `"${'x'.repeat(9_997)}"\n`
  const written = await writeUntilStuck(connected, line)
  t.ok(written < 3_000, `${written} lines of 10 kB were taken`)
  let got = 0
  peer?.on('data', () => {
    got += 1
  })
  await once(connected.stdin, 'drain')
  connected.stdin.end()
  t.equal(await connected.exit, 0)
  t.equal(got, written)
})

t.test(
  'a reader that has seen enough ends the connection: no success, and what got there is said',
  async t => {
    const outcomes: Promise<unknown>[] = []
    const port = await serve(t, conn => {
      outcomes.push(conn.outcome)
      echo(conn)
    })
    const connected = new Stalk(to(port), client)
    connected.child.stdout?.once('data', () => connected.child.stdout?.destroy())
    const typing = setInterval(() => connected.stdin.write('1\n2\n3\n'), 10)
    connected.stdin.on('error', () => {})
    t.equal(await connected.exit, 141)
    clearInterval(typing)
    t.match(connected.stderr, /^ended aborted: sent \d+, acknowledged \w+, received \d+/m)
    t.notMatch(connected.stderr, /EPIPE|Error/)
    t.match(await outcomes[0], { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  }
)

t.test('a reader of standard output that is slow slows the peer, and nobody else', async t => {
  let sent = 0
  let got = 0
  const port = await serve(t, conn => {
    conn.on('error', () => {})
    conn.on('data', () => {
      got += 1
    })
    const flood = (): void => {
      while (sent < 20_000 && conn.write('x'.repeat(10_000))) sent += 1
      if (sent >= 20_000) conn.end()
    }
    conn.on('drain', flood)
    flood()
  })
  const connected = new Stalk(to(port), client)
  connected.child.stdout?.pause()
  await settled(() => sent)
  t.ok(sent < 5_000, `${sent} messages of 10 kB were sent`)
  connected.stdin.write('1\n2\n3\n')
  await settled(() => got)
  t.equal(got, 3, 'the other direction goes on')
  const before = sent
  connected.child.stdout?.resume()
  while (sent < before + 1_000) await new Promise(resolve => setTimeout(resolve, 20))
  connected.child.kill('SIGINT')
  t.equal(await connected.exit, 130)
})

t.test('many messages go through, all acknowledged', async t => {
  const port = await serve(t, echo)
  const count = 50_000
  const input = Array.from({ length: count }, (_, index) => `{"index":${index}}`).join('\n')
  const { exit, stdout, stderr } = await talk(port, input)
  t.equal(await exit, 0)
  t.equal(stdout, `${input}\n`)
  t.match(stderr, `ended clean: sent ${count}, acknowledged ${count}, received ${count}`)
})

t.test('no colours but on a terminal, and none with NO_COLOR', { skip: !hasScript() }, async t => {
  const args = ['connect', '1']
  const plain = await run(args)
  t.notMatch(plain.stderr, '\x1b')
  t.match(onTerminal(args, {}), '\x1b[31mstalk connect:')
  t.notMatch(onTerminal(args, { NO_COLOR: '1' }), '\x1b')
  t.notMatch(onTerminal(args, { TERM: 'dumb' }), '\x1b')
})

function hasScript(): boolean {
  try {
    execFileSync('script', ['-qec', 'true', '/dev/null'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What is shown on a terminal. */
function onTerminal(args: readonly string[], env: Record<string, string>): string {
  const { NO_COLOR, ...inherited } = process.env
  try {
    execFileSync('script', ['-qec', commandOf(args).join(' '), '/dev/null'], {
      env: { ...inherited, TERM: 'xterm', ...env },
      stdio: ['ignore', 'pipe', 'pipe']
    })
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout)
  }
  return ''
}

/** When a count has not grown for half a second. */
async function settled(count: () => number): Promise<void> {
  for (let last = -1; count() === 0 || last !== count(); ) {
    last = count()
    await new Promise(resolve => setTimeout(resolve, 500))
  }
}

/** How many lines standard input takes before it takes none for half a second. */
async function writeUntilStuck({ stdin }: Stalk, line: string): Promise<number> {
  for (let written = 1; ; written += 1) {
    if (stdin.write(line)) continue
    const drained = once(stdin, 'drain').then(() => true)
    const goesOn = await Promise.race([drained, new Promise(resolve => setTimeout(resolve, 500, false))])
    if (!goesOn) return written
  }
}
