// `stalk listen --exec`: a program for each connection, what it is told, and how its end, its failure and the peer's meet.

import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Connection, connect } from '../../lib/index.ts'
import { lines, makeHome, parsed, run, Stalk } from './tools.ts'

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const client = await makeHome(dir, 'client')

async function listening(
  t: Test,
  command: string,
  ...more: string[]
): Promise<{ stalk: Stalk; port: string }> {
  const env = { STALK_PASSPHRASE: 'a secret' }
  const stalk = new Stalk(['listen', '0', '--exec', command, ...more], { ...server, env })
  t.teardown(async () => {
    stalk.child.kill('SIGKILL')
    await stalk.exit
  })
  return { stalk, port: more.includes('--json') ? '' : await stalk.port() }
}

const dial = (port: string): Promise<Connection> =>
  connect('127.0.0.1', Number(port), {
    identity: client.identity,
    peer: server.identity,
    allowHalfOpen: true
  })

async function all(connection: Connection): Promise<unknown[]> {
  const messages: unknown[] = []
  for await (const message of connection) messages.push(message)
  return messages
}

/** Whether a process is there. */
const lives = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

t.test('messages are lines of a program, and its lines are messages', async t => {
  const { stalk, port } = await listening(t, "sed -u 's/world/moon/'")
  const conn = await dial(port)
  conn.write({ hello: 'world', big: 2n ** 70n, bytes: Buffer.from('x') })
  t.same(await once(conn, 'data'), [{ hello: 'moon', big: 2n ** 70n, bytes: Buffer.from('x') }])
  conn.end('the world')
  t.same(await all(conn), ['the moon'])
  t.match(await conn.outcome, { kind: 'clean', acknowledged: 2 })
  const talk = await run(['connect', port, '--peer', server.identity.fingerprint], {
    ...client,
    input: '"a world"\n'
  })
  t.equal(talk.stdout, '"a moon"\n')
  t.equal(await talk.exit, 0)
  await stalk.says(/#2 ended clean/)
  t.notMatch(stalk.stdout, 'moon')
})

t.test('it is told who the peer is, and nothing that opens our keys', async t => {
  const command = `printf '["%s","%s","%s","%s"]\\n' "$STALK_PEER" "$STALK_CONNECTION" "$STALK_PEER_HOST" "$STALK_PASSPHRASE"`
  const { port } = await listening(t, command)
  const conn = await dial(port)
  conn.end()
  t.same(await all(conn), [[client.identity.fingerprint, '1', '127.0.0.1', '']])
  const stranger = await connect('127.0.0.1', Number(port), { identity: null, peer: server.identity })
  t.same(await all(stranger), [['', '2', '127.0.0.1', '']])
})

t.test('it may go on when the peer has said all, and end before the peer has', async t => {
  const { stalk, port } = await listening(t, 'cat > /dev/null; sleep 0.3; echo \'"done"\'')
  const conn = await dial(port)
  conn.end('work')
  t.same(await all(conn), ['done'])
  t.match(await conn.outcome, { kind: 'clean' })
  const early = await listening(t, 'echo 1')
  const other = await dial(early.port)
  t.same(await all(other), [1])
  await other.send('too late')
  other.end()
  t.match(await other.outcome, { kind: 'clean' })
  await early.stalk.says(/#1: 1 messages came when its program read no more/)
  t.notMatch(stalk.stderr, /read no more/)
})

t.test('a program that fails, dies or says what is no message is a failure for the peer', async t => {
  const cases: [string, RegExp][] = [
    ['echo 1; exit 3', /#1 ended aborted: .*: its program ended with exit code 3$/m],
    ['echo 1; kill -9 $$', /#1 ended aborted: .*: its program was ended by SIGKILL$/m],
    ['echo 1; echo {; cat', /#1 ended aborted: .*: line 2 of what the program says is no message: .*JSON/],
    ['echo 1; no-such-program', /#1 \| .*no-such-program.*not found/]
  ]
  for (const [command, text] of cases) {
    const { stalk, port } = await listening(t, command)
    const conn = await dial(port)
    conn.on('error', () => {}).resume()
    t.match(await conn.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' }, command)
    await stalk.says(text)
  }
  const once = await listening(t, 'exit 3', '--once')
  const conn = await dial(once.port)
  conn.on('error', () => {}).resume()
  t.equal(await once.stalk.exit, 1)
})

t.test('when the connection is cut the program is stopped, with what it has started', async t => {
  const { stalk, port } = await listening(t, 'sleep 60 & echo $!; trap "" TERM; wait; sleep 60')
  const conn = await dial(port)
  conn.on('error', () => {})
  const [pid] = (await once(conn, 'data')) as [number]
  t.ok(lives(pid))
  conn.socket.destroy()
  await stalk.says(/#1 ended (reset|truncated)/)
  while (lives(pid)) await sleep(20)
  t.pass('it is gone')
})

t.test('a signal ends their input and waits; a second one ends them', async t => {
  const { stalk, port } = await listening(t, 'cat; echo \'"a last word"\'')
  const conn = await dial(port)
  await stalk.says(/#1 connected/)
  stalk.child.kill('SIGTERM')
  t.same(await once(conn, 'data'), ['a last word'])
  conn.resume().end()
  t.equal(await stalk.exit, 0)
  const stubborn = await listening(t, 'echo $$; exec sleep 60')
  const other = await dial(stubborn.port)
  other.on('error', () => {})
  const [pid] = (await once(other, 'data')) as [number]
  stubborn.stalk.child.kill('SIGINT')
  await stubborn.stalk.says(/ending/)
  stubborn.stalk.child.kill('SIGINT')
  t.equal(await stubborn.stalk.exit, 130)
  while (lives(pid)) await sleep(20)
  t.pass('it is gone')
})

t.test('--max-children: one more is turned away, until one has ended', async t => {
  const { stalk, port } = await listening(t, 'cat', '--max-children', '1')
  const first = await dial(port)
  await stalk.says(/#1 connected/)
  const second = await dial(port)
  second.on('error', () => {}).resume()
  t.match(await second.outcome, { code: 'ERR_STALK_PEER_BUSY' })
  await stalk.says(/#2 ended aborted: .*as many programs run as may, 1 \(--max-children\)/)
  first.resume().end()
  await stalk.says(/#1 ended clean/)
  const third = await dial(port)
  third.end(3)
  t.same(await all(third), [3])
})

t.test('--raw: bytes as they are, much of them, and no faster than they are read', async t => {
  const { stalk, port } = await listening(t, 'cat', '--raw')
  const conn = await dial(port)
  const bytes = Buffer.alloc(5_000_000, 'all sorts of bytes \0\xff\n')
  for (let at = 0; at < bytes.length; at += 50_000) conn.write(bytes.subarray(at, at + 50_000))
  conn.end()
  const back = (await all(conn)) as Buffer[]
  t.ok(Buffer.concat(back).equals(bytes))
  const wrong = await dial(port)
  wrong.on('error', () => {}).resume()
  wrong.write('a string')
  t.match(await wrong.outcome, { code: 'ERR_STALK_PEER_ABORTED' })
  await stalk.says(/#2 ended aborted: .*the peer sent a message that is not bytes/)
})

t.test('its standard error is shown, also when we are quiet, and with --json as events', async t => {
  const quiet = await listening(t, 'echo out of paper >&2', '--json', '-q')
  quiet.stalk.child.kill('SIGTERM')
  const { stalk } = await listening(t, 'echo "out of paper\x1b[31m" >&2', '--json', '--once')
  const [, port] = await stalk.says(/"port":(\d+)/)
  const conn = await dial(port as string)
  conn.resume().end()
  t.equal(await stalk.exit, 0)
  t.match(parsed(stalk.stderr)[2], { event: 'stderr', connection: 1, text: 'out of paper\x1b[31m' })
  t.equal(lines(stalk.stdout).length, 0)
})

t.test('options that do not go together', async t => {
  for (const [args, text] of [
    [['--raw'], /--raw is for --exec/],
    [['--max-children', '2'], /--max-children is for --exec/],
    [['--exec', ' '], /--exec takes a command/],
    [['--exec', 'cat', '--echo'], /either --exec or --echo/]
  ] as const) {
    const stalk = await run(['listen', '0', ...args], { home: join(dir, 'server') })
    t.equal(await stalk.exit, 2)
    t.match(stalk.stderr, text)
  }
})
