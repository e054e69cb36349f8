// `stalk listen`, as a process that real connections come to: what it shows, whom it lets in, and how it
// ends.

import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { type Connection, connect } from '../../lib/index.ts'
import { lines, makeHome, parsed, run, Stalk } from './tools.ts'

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const client = await makeHome(dir, 'client')

const dial = (port: string): Promise<Connection> =>
  connect('127.0.0.1', Number(port), {
    identity: client.identity,
    peer: server.identity,
    allowHalfOpen: true
  })

t.test('it shows messages, who sent them, and how the connection ended', async t => {
  const listening = new Stalk(['listen', '0', '--once'], server)
  const port = await listening.port()
  const conn = await dial(port)
  await conn.send({ hello: 'world', big: 2n ** 70n, set: new Set([1]) })
  await conn.send('\x1b[31mred\u202e')
  conn.end()
  conn.resume()
  t.equal(await listening.exit, 0)
  t.equal(
    listening.stdout,
    `#1 ${client.identity.fingerprint}
  { hello: 'world', big: 1180591620717411303424n, set: Set(1) { 1 } }
  '\\x1B[31mred\\u{202e}'
`
  )
  const { fingerprint } = server.identity
  t.match(listening.stderr, `listening on 127.0.0.1:${port}\n`)
  t.match(listening.stderr, `--peer ${fingerprint}\n`)
  t.match(listening.stderr, /#1 connected from 127\.0\.0\.1:\d+\n {2}peer: SHA256:\S{43} \(ED25519 256\)\n/)
  t.match(lines(listening.stderr).at(-1), '#1 ended clean: sent 0, acknowledged 0, received 2')
})

t.test('with --json all that it says is NDJSON: messages on stdout, events on stderr', async t => {
  const listening = new Stalk(['listen', '0', '--once', '--json'], server)
  const [, port] = await listening.says(/"port":(\d+)/)
  const conn = await dial(port as string)
  await conn.send({ at: new Date(0) })
  conn.end()
  conn.resume()
  t.equal(await listening.exit, 0)
  const peer = client.identity.fingerprint
  t.same(parsed(listening.stdout), [
    { connection: 1, peer, message: { at: { $date: '1970-01-01T00:00:00.000Z' } } }
  ])
  t.match(parsed(listening.stderr), [
    { event: 'listening', host: '127.0.0.1', identity: server.identity.fingerprint, authorized: [] },
    { event: 'connected', connection: 1, peer, mode: 'mutual' },
    { event: 'ended', connection: 1, kind: 'clean', received: 1 }
  ])
})

t.test('with --echo every message comes back', async t => {
  const listening = new Stalk(['listen', '0', '--once', '--echo', '-q'], server)
  listening.child.stdout?.resume()
  const probe = new Stalk(['listen', '0', '--echo', '--json'], server)
  const conn = await dial((await probe.says(/"port":(\d+)/))[1] as string)
  const count = 5_000
  for (let index = 0; index < count; index += 1) void conn.send(index)
  conn.end()
  const back: unknown[] = []
  for await (const message of conn) back.push(message)
  t.same(
    back,
    Array.from({ length: count }, (_, index) => index)
  )
  t.match(await conn.outcome, { kind: 'clean', acknowledged: count })
  probe.child.kill('SIGTERM')
  t.equal(await probe.exit, 0)
  t.equal(listening.stderr, '', 'quiet')
  listening.child.kill('SIGKILL')
  await listening.exit
})

t.test('connections of several peers are told apart, and an anonymous one is called so', async t => {
  const listening = new Stalk(['listen', '0'], server)
  const port = await listening.port()
  const [first, second] = [
    await dial(port),
    await connect('127.0.0.1', Number(port), { identity: null, peer: 'anyone' })
  ]
  await first.send(1)
  await listening.says(/ 1\n/, 'stdout')
  await second.send(2)
  await listening.says(/ 2\n/, 'stdout')
  await first.send(3)
  await listening.says(/ 3\n/, 'stdout')
  const { fingerprint } = client.identity
  t.equal(listening.stdout, `#1 ${fingerprint}\n  1\n#2 anonymous\n  2\n#1 ${fingerprint}\n  3\n`)
  for (const conn of [first, second]) conn.resume().end()
  await listening.says(/#2 ended/)
  await listening.says(/#1 ended/)
  listening.child.kill('SIGINT')
  t.equal(await listening.exit, 0)
})

t.test('--authorize and --require-identity keep others out, in one line each, and it goes on', async t => {
  const key = join(client.home, 'id_pub')
  const listening = new Stalk(['listen', '0', '--authorize', key], server)
  const port = await listening.port()
  const stranger = ['connect', port, '--peer', server.identity.fingerprint]
  const refused = await run(stranger, server)
  t.equal(await refused.exit, 4)
  t.match(lines(refused.stderr)[0], /^stalk connect: the peer does not accept us: .*\(ERR_STALK_REJECTED\)$/)
  t.match(refused.stderr, `we are ${server.identity.fingerprint}`)
  const anonymous = await run([...stranger, '--anonymous'])
  t.equal(await anonymous.exit, 4)
  const known = await run(stranger, { ...client, input: '1\n' })
  t.equal(await known.exit, 0)
  listening.child.kill('SIGTERM')
  t.equal(await listening.exit, 0)
  t.match(
    listening.stderr,
    /127\.0\.0\.1 did not get in: it has another key than those that may come in .*PEER_MISMATCH/
  )
  t.match(listening.stderr, `expected ${client.identity.fingerprint}`)
  t.match(listening.stderr, `the peer has shown ${server.identity.fingerprint}`)
  t.match(listening.stderr, /did not get in: it has shown no key .*PEER_ANONYMOUS/)
  t.match(listening.stderr, /#1 ended clean/)
  t.notMatch(listening.stderr, /#2/)
})

t.test('--require-identity lets in whoever shows a key', async t => {
  const listening = new Stalk(['listen', '0', '--require-identity'], server)
  const to = ['connect', await listening.port(), '--peer', server.identity.fingerprint]
  t.equal(await (await run([...to, '--anonymous'])).exit, 4)
  t.equal(await (await run(to, client)).exit, 0)
  const elsewhere = ['connect', await listening.port(), '--peer', client.identity.fingerprint]
  t.equal(await (await run(elsewhere, client)).exit, 4)
  await listening.says(/did not get in: it does not accept us \(ERR_STALK_REJECTED\)/)
  listening.child.kill('SIGTERM')
  t.equal(await listening.exit, 0)
})

t.test('who speaks no stalk is one line, and it goes on', async t => {
  const listening = new Stalk(['listen', '0'], server)
  const port = await listening.port()
  const http = net.connect(Number(port), '127.0.0.1')
  http.on('error', () => {})
  http.write('GET / HTTP/1.1\r\n\r\n')
  await listening.says(/did not get in: .*\(ERR_STALK_NOT_STALK\)/)
  http.destroy()
  const conn = await dial(port)
  conn.resume().end()
  t.match(await conn.outcome, { kind: 'clean' })
  listening.child.kill('SIGINT')
  t.equal(await listening.exit, 0)
})

t.test('--once: the exit code is how the connection ended', async t => {
  const listening = new Stalk(['listen', '0', '--once'], server)
  const conn = await dial(await listening.port())
  conn.on('error', () => {})
  await conn.send(1)
  await listening.says(/ 1\n/, 'stdout')
  conn.socket.destroy()
  t.equal(await listening.exit, 5)
  t.match(listening.stderr, /#1 ended (truncated|reset): sent 0, acknowledged unknown, received 1: /)
  t.match(lines(listening.stderr).at(-1), /^stalk listen: the transport .*\(ERR_STALK_(TRUNCATED|RESET)\)$/)
})

t.test('a signal ends the connections with a goodbye and waits; a second one ends at once', async t => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    const listening = new Stalk(['listen', '0'], server)
    const conn = await dial(await listening.port())
    await listening.says(/#1 connected/)
    conn.resume()
    listening.child.kill(signal)
    await listening.says(new RegExp(`ending \\(${signal}\\)`))
    await once(conn, 'end')
    await conn.send('a last word')
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', acknowledged: 1 })
    t.equal(await listening.exit, 0)
    t.match(listening.stdout, 'a last word')
  }
  const listening = new Stalk(['listen', '0'], server)
  const conn = await dial(await listening.port())
  conn.on('error', () => {})
  await listening.says(/#1 connected/)
  listening.child.kill('SIGINT')
  await listening.says(/ending/)
  listening.child.kill('SIGINT')
  t.equal(await listening.exit, 130)
  await conn.outcome
})

t.test('it listens on a Unix socket', { skip: process.platform === 'win32' }, async t => {
  const path = join(t.testdir(), 's')
  const listening = new Stalk(['listen', '--path', path, '--once', '--echo'], server)
  await listening.says(/listening on .*\/s\n/)
  const talk = await run(['connect', '--path', path, '--peer', server.identity.fingerprint], {
    ...client,
    input: '{"a":1}\n'
  })
  t.equal(talk.stdout, '{"a":1}\n')
  t.equal(await talk.exit, 0)
  t.equal(await listening.exit, 0)
  t.match(listening.stderr, `stalk connect --path ${path}`)
})

t.test('its reader may leave: it ends its connections, and says so', async t => {
  const listening = new Stalk(['listen', '0'], server)
  const conn = await dial(await listening.port())
  conn.on('error', () => {}).resume()
  listening.child.stdout?.destroy()
  const sending = setInterval(() => void conn.send('x'.repeat(1_000)).catch(() => {}), 20)
  t.equal(await listening.exit, 141)
  clearInterval(sending)
  t.match(await conn.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  t.notMatch(listening.stderr, /EPIPE|Error/)
})

t.test('a reader that is slow slows the peer', async t => {
  const listening = new Stalk(['listen', '0', '--json'], server)
  const conn = await dial((await listening.says(/"port":(\d+)/))[1] as string)
  conn.on('error', () => {})
  listening.child.stdout?.pause()
  const message = 'x'.repeat(10_000)
  const written = await writeUntilStuck(conn, message)
  t.ok(written < 5_000, `${written} messages of 10 kB were taken`)
  listening.child.stdout?.resume()
  await once(conn, 'drain')
  t.pass('it goes on')
  conn.resume().end()
  t.match(await conn.outcome, { kind: 'clean' })
  listening.child.kill('SIGTERM')
  t.equal(await listening.exit, 0)
  t.equal(lines(listening.stdout).length, written)
})

/** How many messages it takes before it takes none for half a second. */
async function writeUntilStuck(conn: Connection, message: unknown): Promise<number> {
  for (let written = 1; ; written += 1) {
    if (conn.write(message)) continue
    const drained = once(conn, 'drain').then(() => true)
    const goesOn = await Promise.race([drained, new Promise(resolve => setTimeout(resolve, 500, false))])
    if (!goesOn) return written
  }
}

t.test('--authorized lets in the keys of a file, as it is at that moment, by their names', async t => {
  const file = join(dir, 'authorized_peers')
  writeFileSync(file, `name="the\u202eclient" ${client.identity.publicLine}`, { mode: 0o600 })
  const listening = new Stalk(['listen', '0', '--authorized', file], server)
  const port = await listening.port()
  await listening.says(/lets in: .*authorized_peers\n/)
  const conn = await dial(port)
  await listening.says(/peer: SHA256:\S{43} \(ED25519 256\), known as the\\u\{202e\}client\n/)
  conn.resume()
  conn.end()
  await conn.outcome
  writeFileSync(file, 'what?\n')
  await t.rejects(dial(port), { code: 'ERR_STALK_REJECTED' })
  await listening.says(/did not get in: .*authorized_peers, line 1 .*\(ERR_STALK_TRUST_FILE_FORMAT\)\n/)
  listening.child.kill('SIGTERM')
  t.equal(await listening.exit, 0)
})

t.test('a file of --authorized that is unfit is said before anybody connects', async t => {
  const folder = join(dir, 'somewhere')
  mkdirSync(folder)
  const missing = await run(['listen', '0', '--authorized', join(folder, 'none')], server)
  t.equal(await missing.exit, 7)
  t.match(missing.stderr, /there is no file .*none: nobody is authorized \(ERR_STALK_TRUST_FILE_MISSING\)\n$/)
  const both = ['listen', '0', '--authorized', folder, '--authorize', client.identity.fingerprint]
  const twice = await run(both, server)
  t.equal(await twice.exit, 2)
  t.match(twice.stderr, /either --authorize or --authorized, not both/)
})
