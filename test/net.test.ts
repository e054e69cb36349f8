// listener() and connect(), over TCP and a Unix socket, and what strangers do to a listener: each ends as a
// clientError, and the others are served all the same.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import {
  type Connection,
  connect,
  type ErrorCode,
  Identity,
  type Listener,
  type ListenOptions,
  listener
} from '../lib/index.ts'

const server = await Identity.generate({ type: 'ed25519' })
const client = await Identity.generate({ type: 'ed25519' })

/** A listener that echoes, on a free port. */
async function echo(
  options: ListenOptions = {}
): Promise<{ listening: Listener; port: number; errors: Error[] }> {
  const listening = listener('127.0.0.1', 0, connection => connection.pipe(connection as never), {
    identity: server,
    ...options
  })
  const errors: Error[] = []
  listening.on('clientError', error => errors.push(error))
  await once(listening, 'listening')
  return { listening, port: (listening.address() as AddressInfo).port, errors }
}

/** Sends a message, takes the echo, and says goodbye. */
async function converse(connection: Connection): Promise<void> {
  await connection.send('ping')
  connection.end()
  const got: unknown[] = []
  for await (const message of connection) got.push(message)
  if (got[0] !== 'ping') throw new Error('no echo')
  if ((await connection.outcome).kind !== 'clean') throw new Error('not clean')
}

const options = { identity: client, peer: server }

t.test('connect and listener take host and port, or one object', async t => {
  const { listening, port } = await echo()
  await converse(await connect('127.0.0.1', port, options))
  const connection = await connect({ host: '127.0.0.1', port, ...options })
  t.equal(connection.host, '127.0.0.1')
  t.equal(connection.port, port)
  await converse(connection)
  await new Promise(resolve => listening.close(resolve))
  t.equal(listening.listening, false)
})

t.test('a Unix socket serves as well', async t => {
  const path = join(t.testdir(), 'stalk.sock')
  const handler = (connection: Connection): unknown => connection.pipe(connection as never)
  const listening = listener({ path, identity: server }, handler as (connection: Connection) => void)
  await once(listening, 'listening')
  t.equal(listening.address(), path)
  await converse(await connect({ path, ...options }))
  listening.close()
  await once(listening, 'close')
})

t.test('an address that is taken is an error of the listener', async t => {
  const { listening, port } = await echo()
  const second = listener('127.0.0.1', port, undefined, { identity: server })
  const [error] = await once(second, 'error')
  t.match(error, { code: 'EADDRINUSE' })
  listening.close()
})

t.test('connect says what is wrong: nobody there, another key, no such option', async t => {
  const { listening, port } = await echo()
  const free = net.createServer().listen(0)
  const { port: nobody } = free.address() as AddressInfo
  free.close()
  await once(free, 'close')
  await t.rejects(connect('127.0.0.1', nobody, options), {
    code: 'ERR_STALK_CONNECT',
    message: /ECONNREFUSED/
  })
  await t.rejects(connect('127.0.0.1', port, { ...options, peer: client }), {
    code: 'ERR_STALK_PEER_MISMATCH'
  })
  await t.rejects(connect('127.0.0.1', port, { ...options, pear: server } as never), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /option pear does not exist; there are host, port, path/
  })
  await t.rejects(connect({ path: '/x', port, ...options }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /path/
  })
  await t.rejects(connect('127.0.0.1', -1, options), { code: 'ERR_STALK_INVALID_OPTION', message: /port/ })
  t.throws(() => listener('127.0.0.1', 0, 'no function' as never), { message: /option handler/ })
  t.throws(() => listener('127.0.0.1', 0, undefined, { maxHalfOpen: 0 }), { message: /option maxHalfOpen/ })
  listening.close()
})

/** Connects as a stranger, says something, and waits until the listener hangs up. */
async function stranger(port: number, say: Buffer | string): Promise<Buffer> {
  const socket = net.connect(port, '127.0.0.1')
  const heard: Buffer[] = []
  socket.on('data', chunk => heard.push(chunk)).on('error', () => {})
  if (say.length > 0) socket.write(say)
  await once(socket, 'close')
  return Buffer.concat(heard)
}

t.test('strangers are hung up on, and the listener serves others', async t => {
  const { listening, port } = await echo({ handshakeTimeout: 2_000 })
  const strangers: [string, Buffer | string, ErrorCode, string][] = [
    ['an HTTP client', 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n', 'ERR_STALK_NOT_STALK', ''],
    ['garbage that begins like a hello', Buffer.from('e1000004deadbeef', 'hex'), 'ERR_STALK_NOT_STALK', ''],
    [
      'a hello of another version',
      Buffer.from('e1000007' + '53544c4b010002', 'hex'),
      'ERR_STALK_DECODE',
      'e300000104'
    ],
    ['a length that is too long', Buffer.from('e1000401', 'hex'), 'ERR_STALK_OVERFLOW', 'e300000103'],
    ['a sealed record first', Buffer.from('e4000010', 'hex'), 'ERR_STALK_NOT_STALK', ''],
    ['one that says nothing', '', 'ERR_STALK_HANDSHAKE_TIMEOUT', 'e30000010a']
  ]
  for (const [name, say, code, answer] of strangers) {
    const [heard, [error]] = await Promise.all([stranger(port, say), once(listening, 'clientError')])
    t.equal(heard.toString('hex'), answer, `${name} hears no more than it must`)
    t.match(error, { code }, name)
    await converse(await connect('127.0.0.1', port, options))
  }
  const gone = net.connect(port, '127.0.0.1')
  await once(gone, 'connect')
  gone.resetAndDestroy()
  t.match((await once(listening, 'clientError'))[0].message, /transport/)
  await converse(await connect('127.0.0.1', port, options))
  listening.close()
})

t.test('so many may shake hands at once, in all and from one address', async t => {
  for (const [limits, accepted] of [
    [{ maxHalfOpenPerAddress: 3 }, 3],
    [{ maxHalfOpen: 2 }, 2]
  ] as const) {
    const { listening, port, errors } = await echo({ ...limits, handshakeTimeout: 5_000 })
    const sockets = Array.from({ length: 5 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
    await Promise.all(sockets.map(socket => once(socket, 'connect')))
    await sleep(100)
    t.equal(
      errors.filter(error => (error as { code?: string }).code === 'ERR_STALK_BUSY').length,
      5 - accepted
    )
    for (const socket of sockets) socket.destroy()
    await sleep(50)
    await converse(await connect('127.0.0.1', port, options))
    listening.close()
  }
})

t.test('a connection that fails with nobody listening for it is a clientError, and no crash', async t => {
  const { listening, port, errors } = await echo()
  const connection = await connect('127.0.0.1', port, options)
  ;(connection.socket as net.Socket).resetAndDestroy()
  connection.on('error', () => {})
  await connection.outcome
  await sleep(50)
  t.match(errors, [{ code: /ERR_STALK_(RESET|TRUNCATED)/ }])
  await converse(await connect('127.0.0.1', port, options))
  listening.close()
})

t.test('connection comes only for peers that were let in', async t => {
  const { listening, port } = await echo({ authorize: peer => peer?.equals(client) === true })
  const seen: (string | undefined)[] = []
  listening.on('connection', (connection: Connection) => seen.push(connection.peerIdentity?.fingerprint))
  await t.rejects(connect('127.0.0.1', port, { identity: server, peer: server }), {
    code: 'ERR_STALK_REJECTED'
  })
  await converse(await connect('127.0.0.1', port, options))
  t.same(seen, [client.fingerprint])
  listening.close()
})

t.test(
  'the default identity is used where none is given, and shown only to a peer that was named',
  async t => {
    const home = t.testdir()
    await client.save({
      privateFile: join(home, '.spack', 'id_priv'),
      publicFile: join(home, '.spack', 'id_pub')
    })
    const program = `
    import { connect, Identity, listener } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../lib/index.ts')).href)}
    const own = await Identity.default()
    const shown = []
    const server = listener('127.0.0.1', 0, c => { shown.push(c.peerIdentity?.fingerprint ?? null); c.end() })
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address()
    for (const peer of [own, 'anyone']) {
      const c = await connect('127.0.0.1', port, { peer })
      c.resume().end()
      await c.outcome
    }
    server.close()
    console.log(JSON.stringify({ own: own.fingerprint, shown }))`
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['--import=tsx', '--input-type=module', '-e', program],
      { env: { ...process.env, HOME: home }, encoding: 'utf8' }
    )
    t.equal(stderr, '')
    t.same(JSON.parse(stdout), { own: client.fingerprint, shown: [client.fingerprint, null] })
  }
)

t.test('a thousand connections opened and closed leave nothing behind', async t => {
  const { listening, port, errors } = await echo()
  const resources = (): string[] =>
    process.getActiveResourcesInfo().filter(name => /Socket|Timeout|TCP/.test(name))
  const before = resources().length
  for (let batch = 0; batch < 100; batch++) {
    await Promise.all(
      Array.from({ length: 10 }, async () => converse(await connect('127.0.0.1', port, options)))
    )
  }
  await sleep(100)
  t.same(errors, [])
  t.ok(resources().length <= before, resources().join(' '))
  listening.close()
  await once(listening, 'close')
  t.same(listening.eventNames().sort(), ['clientError', 'connection'])
})
