// connect and listener as people call them: both forms of arguments, the default identity and who gets to see it, and
// everything that can be wrong before a peer answers.

import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import {
  type ConnectOptions,
  connect,
  Identity,
  type Listener,
  type ListenOptions,
  listener,
  type StalkError
} from '../../lib/index.ts'
import { run } from '../helpers/child.ts'
import { alice, bob, freshPath, within } from '../helpers/pair.ts'

const ECHO: ListenOptions = { identity: bob, peer: alice }
const CALL: ConnectOptions = { identity: alice, peer: bob }

async function portOf(server: Listener): Promise<number> {
  await within(once(server, 'listening'), 'listening')
  return (server.address() as AddressInfo).port
}

t.test('both forms of both functions, over TCP and a Unix socket', async t => {
  const path = freshPath()
  const servers = [
    listener('127.0.0.1', 0, connection => connection.pipe(connection), ECHO),
    listener({ host: '127.0.0.1', port: 0, ...ECHO }, connection => connection.pipe(connection)),
    listener({ path, ...ECHO }, connection => connection.pipe(connection)),
    listener({ host: '127.0.0.1', port: 0, ...ECHO }).on('connection', connection =>
      connection.pipe(connection)
    )
  ]
  for (const server of servers) {
    if (!server.listening) await within(once(server, 'listening'), 'listening')
    t.equal(server.listening, true)
    const address = server.address()
    const calls =
      typeof address === 'string'
        ? [connect({ path, ...CALL })]
        : [
            connect('127.0.0.1', address?.port ?? 0, CALL),
            connect({ host: '127.0.0.1', port: address?.port ?? 0, ...CALL }),
            connect({ host: 'localhost', port: address?.port ?? 0, ...CALL })
          ]
    for (const connection of await within(Promise.all(calls), 'connect')) {
      t.match(connection.security, { mode: 'mutual', role: 'initiator', peerAuthenticated: true })
      connection.end({ n: 1 })
      const got: unknown[] = []
      for await (const message of connection) got.push(message)
      t.same(got, [{ n: 1 }])
      t.equal((await connection.outcome).kind, 'clean')
    }
    await new Promise(resolve => server.close(resolve))
  }
})

t.test('the connection says where its peer is', async t => {
  const server = listener('127.0.0.1', 0, connection => connection.resume(), ECHO)
  const port = await portOf(server)
  const connection = await connect('127.0.0.1', port, CALL)
  t.equal(connection.host, '127.0.0.1')
  t.equal(connection.port, port)
  t.ok(connection.socket instanceof net.Socket)
  t.equal(connection.identity, alice)
  t.equal(connection.peerIdentity?.fingerprint, bob.fingerprint)
  connection.end()
  connection.resume()
  await connection.outcome
  await new Promise(resolve => server.close(resolve))
})

t.test('options that are wrong are said at once: connect rejects, listener throws', async t => {
  const wrong: [object, RegExp][] = [
    [{ port: 1, identiy: null }, /^option identiy does not exist; there are host, port, path,/],
    [{ port: 1, role: 'initiator' }, /^option role does not exist/],
    [{ port: 70_000 }, /^option port must be a whole number from 0 to 65,535$/],
    [{ port: '80' }, /^option port must be/],
    [{}, /^option port must be/],
    [{ port: 1, host: 7 }, /^option host must be a name or an address$/],
    [{ port: 1, host: '' }, /^option host must be a name or an address$/],
    [{ path: '' }, /^option path must be the path of a Unix socket$/],
    [{ path: 7 }, /^option path must be the path of a Unix socket$/],
    [{ port: 1, path: '/tmp/x' }, /^option path excludes host and port$/],
    [{ path: '/tmp/x', host: 'here' }, /^option path excludes host and port$/],
    [{ port: 1, peer: 'SHA256:short' }, /^option peer: "SHA256:short" is no identity, no SHA256:/],
    [{ port: 1, suites: [] }, /^option suites must be a list of names$/],
    [
      { port: 1, handshakeTimeout: 0 },
      /^option handshakeTimeout must be a whole number from 1 to 2147483647$/
    ]
  ]
  for (const [options, message] of wrong) {
    const expected = { code: 'ERR_STALK_INVALID_OPTION', phase: 'setup', message }
    t.throws(() => listener(options as object), expected)
    await t.rejects(connect(options as object), expected)
  }
  t.throws(() => listener('127.0.0.1', 0, 'handler' as never), {
    message: 'option handler must be a function'
  })
  t.throws(() => listener('127.0.0.1', 0, () => {}, { maxHalfOpen: 0 }), {
    message: /^option maxHalfOpen must be a whole number from 1 to/
  })
  t.throws(() => listener('127.0.0.1', 0, () => {}, { maxHalfOpenPerAddress: 1.5 }), {
    message: /^option maxHalfOpenPerAddress must be/
  })
  await t.rejects(connect({ port: 1, maxHalfOpen: 3 } as object), {
    message: /^option maxHalfOpen does not exist/
  })
  await t.rejects(connect('127.0.0.1', undefined as never), { message: /^option port must be/ })
})

t.test('where nobody listens connect says where, and why', async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const refused = await connect('127.0.0.1', port, CALL).catch((error: StalkError) => error)
  t.match(refused, {
    code: 'ERR_STALK_CONNECT',
    phase: 'setup',
    retry: true,
    message: `cannot connect to 127.0.0.1:${port}: connect ECONNREFUSED 127.0.0.1:${port}`,
    cause: { code: 'ECONNREFUSED' }
  })
  await t.rejects(connect({ path: '/nonexistent/stalk.sock', ...CALL }), {
    code: 'ERR_STALK_CONNECT',
    message: /^cannot connect to \/nonexistent\/stalk.sock: connect ENOENT/
  })
  await t.rejects(connect('nowhere.invalid', 1, CALL), {
    code: 'ERR_STALK_CONNECT',
    message: /^cannot connect to nowhere.invalid:1: getaddrinfo/
  })
})

t.test('connect rejects with what made the handshake fail, and hands out nothing', async t => {
  const mallory = await Identity.generate({ type: 'ed25519' })
  const server = listener('127.0.0.1', 0, connection => connection.resume(), { ...ECHO, peer: 'anyone' })
  const port = await portOf(server)
  await t.rejects(connect('127.0.0.1', port, { ...CALL, peer: mallory }), {
    code: 'ERR_STALK_PEER_MISMATCH',
    phase: 'handshake',
    message: `expected ${mallory.fingerprint}; the peer has shown ${bob.fingerprint}`
  })
  await t.rejects(connect('127.0.0.1', port, { ...CALL, app: 'other' }), { code: 'ERR_STALK_BAD_RECORD' })
  await new Promise(resolve => server.close(resolve))
})

t.test('a server that is silent, that hangs up, or that speaks something else', async t => {
  const answers: Record<string, [(socket: net.Socket) => void, object]> = {
    silent: [
      () => {},
      { code: 'ERR_STALK_HANDSHAKE_TIMEOUT', message: /^no handshake within 100 ms: the peer is silent/ }
    ],
    'hangs up': [
      socket => socket.end(),
      { code: 'ERR_STALK_TRUNCATED', message: 'the transport ended before the handshake was complete' }
    ],
    resets: [
      socket => socket.once('data', () => socket.resetAndDestroy()),
      { code: 'ERR_STALK_RESET', message: /^the transport failed: (read|write) ECONNRESET$/ }
    ],
    'speaks SMTP': [
      socket => socket.write('220 mail.example ESMTP\r\n'),
      { code: 'ERR_STALK_NOT_STALK', message: 'the peer does not speak stalk' }
    ]
  }
  for (const [name, [answer, expected]] of Object.entries(answers)) {
    const sockets: net.Socket[] = []
    const server = net
      .createServer(socket => {
        sockets.push(socket.on('error', () => {}))
        answer(socket)
      })
      .listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const connecting = connect('127.0.0.1', port, {
      ...CALL,
      handshakeTimeout: name === 'silent' ? 100 : 9000
    })
    t.match(await within(connecting, name).catch(error => error), { phase: 'handshake', ...expected }, name)
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
})

t.test("an error after connect is the connection's own, and is not swallowed", async t => {
  const server = listener('127.0.0.1', 0, connection => connection.destroy(), ECHO)
  server.on('clientError', () => {})
  const port = await portOf(server)
  const connection = await connect('127.0.0.1', port, CALL)
  t.equal(connection.listenerCount('error'), 0)
  const [error] = await within(
    once(connection, 'error').catch(error => [error]),
    'error'
  )
  t.match(error, { code: 'ERR_STALK_PEER_ABORTED' })
  await connection.outcome
  await new Promise(resolve => server.close(resolve))
})

// --- the default identity --------------------------------------------------------------------------------

const home = await mkdtemp(join(tmpdir(), 'stalk-home-'))
t.teardown(() => rm(home, { recursive: true, force: true }))
await alice.save({ privateFile: join(home, '.spack', 'id_priv'), publicFile: join(home, '.spack', 'id_pub') })

const WHO = `
  import { once } from 'node:events'
  import { connect, Identity, listener } from './lib/index.ts'
  const bob = await Identity.generate({ type: 'ed25519' })
  const seen = []
  const server = listener('127.0.0.1', 0, connection => {
    seen.push(connection.peerIdentity?.fingerprint ?? 'anonymous')
    connection.resume()
  }, { identity: bob })
  await once(server, 'listening')
  const { port } = server.address()
  const call = async options => {
    const connection = await connect('127.0.0.1', port, options)
    connection.resume().end()
    await connection.outcome
  }
`

t.test('the default identity is shown only to a peer that was named', async t => {
  const { code, out, err } = await run(
    `${WHO}
    await call({ peer: bob })
    await call({ peer: bob.fingerprint })
    await call({ authorize: () => true })
    await call({ peer: 'anyone' })
    await call({})
    await call({ peer: bob, identity: null })
    await call({ peer: 'anyone', identity: bob })
    server.close()
    console.log(JSON.stringify(seen.map(print => print === bob.fingerprint ? 'bob' : print)))
  `,
    { HOME: home }
  )
  t.equal(code, 0, err)
  const own = alice.fingerprint
  t.same(JSON.parse(out), [own, own, own, 'anonymous', 'anonymous', 'anonymous', 'bob'])
  t.match(err, /STALK_UNVERIFIED_PEER/)
})

t.test('a listener shows the default identity unless it is given another, or null', async t => {
  const { code, out, err } = await run(
    `${WHO}
    server.close()
    const shown = []
    for (const options of [{}, { identity: null }, { identity: bob }]) {
      const server = listener('127.0.0.1', 0, connection => connection.resume(), options)
      await once(server, 'listening')
      const connection = await connect('127.0.0.1', server.address().port, { peer: 'anyone' })
      shown.push(connection.claimedPeerIdentity?.fingerprint ?? 'anonymous')
      connection.resume().end()
      await connection.outcome
      server.close()
    }
    console.log(JSON.stringify(shown.map(print => print === bob.fingerprint ? 'bob' : print)))
  `,
    { HOME: home }
  )
  t.equal(code, 0, err)
  t.same(JSON.parse(out), [alice.fingerprint, 'anonymous', 'bob'])
  t.equal(err, '')
})

t.test(
  'without key files the default is to be anonymous; with bad ones it is an error, at both ends',
  async t => {
    const empty = await mkdtemp(join(tmpdir(), 'stalk-home-'))
    t.teardown(() => rm(empty, { recursive: true, force: true }))
    const anonymous = await run(
      `${WHO}
    await call({ peer: bob })
    server.close()
    console.log(seen.join())
  `,
      { HOME: empty }
    )
    t.same(anonymous, { code: 0, out: 'anonymous\n', err: '' })
    const broken = await mkdtemp(join(tmpdir(), 'stalk-home-'))
    t.teardown(() => rm(broken, { recursive: true, force: true }))
    await bob.save({ privateFile: join(broken, '.spack', 'id_priv') })
    await writeFile(join(broken, '.spack', 'id_pub'), 'not a key')
    const { code, out } = await run(
      `${WHO}
    await call({ peer: bob }).catch(error => console.log(error.code))
    await call({ peer: 'anyone' })
    server.close()
    const second = listener('127.0.0.1', 0)
    const [error] = await once(second, 'error')
    console.log(error.code, second.listening)
    const closed = listener('127.0.0.1', 0)
    closed.on('error', error => console.log('too late', error.code))
    closed.close()
  `,
      { HOME: broken }
    )
    t.same({ code, out }, { code: 0, out: 'ERR_STALK_KEY_FILE_FORMAT\nERR_STALK_KEY_FILE_FORMAT false\n' })
  }
)
