// The listener: serves who is verified, turns everybody else away without harm to anyone, and lets go of all.

import { once } from 'node:events'
import http from 'node:http'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import {
  type Connection,
  connect,
  Identity,
  type Listener,
  type ListenOptions,
  listener,
  type StalkError,
  stalk
} from '../lib/index.ts'
import { run } from './helpers/child.ts'
import { alice, bob, freshPath, turns, until, within } from './helpers/pair.ts'

const carol = await Identity.generate({ type: 'ed25519' })

interface Served {
  readonly server: Listener
  readonly port: number
  readonly connections: Connection[]
  readonly clientErrors: { error: StalkError; socket: net.Socket }[]
}

/** bob, who knows alice and echoes. */
async function serve(options: ListenOptions = {}): Promise<Served> {
  const connections: Connection[] = []
  const server = listener(
    '127.0.0.1',
    0,
    connection => {
      connections.push(connection)
      connection.pipe(connection)
    },
    { identity: bob, peer: alice, ...options }
  )
  const clientErrors: Served['clientErrors'] = []
  server.on('clientError', (error, socket) => clientErrors.push({ error, socket }))
  await within(once(server, 'listening'), 'listening')
  return { server, port: (server.address() as AddressInfo).port, connections, clientErrors }
}

const closed = (server: Listener): Promise<unknown> =>
  within(new Promise(resolve => server.close(resolve)), 'the close of the listener')

/** Asks and is answered. */
async function works(port: number): Promise<boolean> {
  const connection = await within(connect('127.0.0.1', port, { identity: alice, peer: bob }), 'connect')
  connection.end('are you there?')
  const got: unknown[] = []
  for await (const message of connection) got.push(message)
  return got[0] === 'are you there?' && (await connection.outcome).kind === 'clean'
}

t.test('connection comes only when the peer is verified and authorized', async t => {
  let accept: (verdict: boolean) => void = () => {}
  const asked: (string | undefined)[] = []
  const { server, port, connections } = await serve({
    authorize: peer => {
      asked.push(peer?.fingerprint)
      return new Promise(resolve => {
        accept = resolve
      })
    }
  })
  const connecting = connect('127.0.0.1', port, { identity: alice, peer: bob })
  await until(() => asked.length === 1, 'authorize')
  await turns()
  t.equal(connections.length, 0)
  accept(true)
  const connection = await within(connecting, 'connect')
  await until(() => connections.length === 1, 'connection')
  t.same(asked, [alice.fingerprint])
  t.equal(connections[0]?.peerIdentity?.fingerprint, alice.fingerprint)
  t.equal(connections[0]?.host, '127.0.0.1')
  t.equal(connections[0]?.port, (connection.socket as net.Socket).localPort)
  connection.end()
  await closed(server)
})

t.test('whoever speaks no stalk is a clientError with its reason, and the others are served', async t => {
  const { server, port, connections, clientErrors } = await serve({ handshakeTimeout: 1000 })
  const http1 = http.get({ host: '127.0.0.1', port, path: '/' })
  await t.rejects(within(once(http1, 'response'), 'an answer to HTTP'), { code: 'ECONNRESET' })
  await until(() => clientErrors.length === 1, 'clientError')
  t.match(clientErrors[0]?.error, {
    code: 'ERR_STALK_NOT_STALK',
    message: 'the peer does not speak stalk',
    phase: 'handshake'
  })
  t.ok(clientErrors[0]?.socket instanceof net.Socket)

  const garbage = net.connect(port, '127.0.0.1')
  garbage.on('error', () => {})
  garbage.write(Buffer.concat([Buffer.of(0xe1, 0, 0, 200), Buffer.from('STLK'), Buffer.alloc(196, 7)]))
  await until(() => clientErrors.length === 2, 'clientError')
  t.match(clientErrors[1]?.error, { code: 'ERR_STALK_DECODE', phase: 'handshake' })

  const long = net.connect(port, '127.0.0.1')
  long.on('error', () => {})
  long.write(Buffer.of(0xe1, 0xff, 0xff, 0xff))
  await until(() => clientErrors.length === 3, 'clientError')
  t.match(clientErrors[2]?.error, {
    code: 'ERR_STALK_OVERFLOW',
    message: 'a record announces 16777215 bytes; the limit here is 1024'
  })

  const silent = net.connect(port, '127.0.0.1')
  silent.on('error', () => {})
  await until(() => clientErrors.length === 4, 'clientError')
  t.match(clientErrors[3]?.error, {
    code: 'ERR_STALK_HANDSHAKE_TIMEOUT',
    message: /^no handshake within 1000 ms: the peer is silent, slow/
  })

  const gone = net.connect(port, '127.0.0.1')
  await once(gone, 'connect')
  gone.destroy()
  await until(() => clientErrors.length === 5, 'clientError')
  t.match(clientErrors[4]?.error, {
    code: 'ERR_STALK_TRUNCATED',
    message: 'the transport ended before the handshake was complete'
  })
  t.equal(connections.length, 0)
  t.ok(await works(port))
  for (const socket of [garbage, long, silent]) socket.destroy()
  await closed(server)
})

t.test('a client that dribbles does not outlive the deadline', async t => {
  const { server, port, clientErrors } = await serve({ handshakeTimeout: 200 })
  const slow = net.connect(port, '127.0.0.1')
  slow.on('error', () => {})
  const bytes = Buffer.concat([Buffer.of(0xe1, 0, 0, 250), Buffer.from('STLK'), Buffer.alloc(246)])
  let sent = 0
  const timer = setInterval(() => slow.writable && slow.write(bytes.subarray(sent, ++sent)), 20)
  await until(() => clientErrors.length === 1, 'clientError')
  clearInterval(timer)
  t.match(clientErrors[0]?.error, { code: 'ERR_STALK_HANDSHAKE_TIMEOUT' })
  t.ok(sent > 3)
  slow.destroy()
  await closed(server)
})

t.test('a wrong key is told so, and is a clientError; then the right one is served', async t => {
  const { server, port, clientErrors } = await serve()
  const refused = await connect('127.0.0.1', port, { identity: carol, peer: bob }).catch(error => error)
  t.match(refused, {
    code: 'ERR_STALK_REJECTED',
    message: 'the peer ended the connection: authentication or authorization failed (alert 6)'
  })
  await until(() => clientErrors.length === 1, 'clientError')
  t.match(clientErrors[0]?.error, {
    code: 'ERR_STALK_PEER_MISMATCH',
    message: `expected ${alice.fingerprint}; the peer has shown ${carol.fingerprint}`
  })
  const anonymous = await connect('127.0.0.1', port, { identity: null, peer: bob }).catch(error => error)
  t.match(anonymous, { code: 'ERR_STALK_REJECTED' })
  await until(() => clientErrors.length === 2, 'clientError')
  t.match(clientErrors[1]?.error, { code: 'ERR_STALK_PEER_ANONYMOUS', message: /has shown no key/ })
  t.ok(await works(port))
  await closed(server)
})

t.test('a listener that nobody listens to for clientError is not hurt by a failed handshake', async () => {
  const server = listener('127.0.0.1', 0, () => {}, { identity: bob, handshakeTimeout: 100 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const garbage = net.connect(port, '127.0.0.1')
  garbage.on('error', () => {})
  garbage.end('GET / HTTP/1.1\r\n\r\n')
  await within(once(garbage, 'close'), 'close')
  garbage.destroy()
  await closed(server)
})

t.test('no more handshakes at once than are allowed from an address, and in all', async t => {
  for (const limits of [{ maxHalfOpenPerAddress: 3 }, { maxHalfOpen: 3 }]) {
    const { server, port, clientErrors } = await serve({ ...limits, handshakeTimeout: 5000 })
    const sockets = Array.from({ length: 5 }, () => net.connect(port, '127.0.0.1').on('error', () => {}))
    await until(() => clientErrors.length === 2, 'clientErrors')
    for (const { error, socket } of clientErrors) {
      t.match(error, {
        code: 'ERR_STALK_BUSY',
        message: 'too many handshakes under way, in all or from 127.0.0.1',
        phase: 'handshake',
        retry: true
      })
      t.ok(socket.destroyed)
    }
    for (const socket of sockets) socket.destroy()
    await until(() => clientErrors.length === 5, 'the others')
    t.ok(await works(port), 'their places are free again')
    await closed(server)
  }
})

t.test('connections that are secure take no place of those that shake hands', async t => {
  const { server, port } = await serve({ maxHalfOpen: 1 })
  const open: Connection[] = []
  for (let n = 0; n < 4; n++) open.push(await connect('127.0.0.1', port, { identity: alice, peer: bob }))
  t.equal(open.length, 4)
  for (const connection of open) connection.resume().end()
  await closed(server)
})

t.test('over a Unix socket nobody has an address: the limit in all still holds', async t => {
  const path = freshPath()
  const server = listener({ path, identity: bob, peer: alice, maxHalfOpen: 2, maxHalfOpenPerAddress: 1 })
  const errors: StalkError[] = []
  server.on('clientError', error => errors.push(error))
  await once(server, 'listening')
  t.equal(server.address(), path)
  const sockets = Array.from({ length: 3 }, () => net.connect(path).on('error', () => {}))
  await until(() => errors.length === 1, 'clientError')
  t.match(errors[0], { code: 'ERR_STALK_BUSY' })
  for (const socket of sockets) socket.destroy()
  await until(() => errors.length === 3, 'the others')
  const connection = await connect({ path, identity: alice, peer: bob })
  connection.resume().end()
  t.equal((await connection.outcome).kind, 'clean')
  await closed(server)
})

t.test('a handler without an error listener: the failure is a clientError, and no crash', async t => {
  const { server, port, connections, clientErrors } = await serve()
  const first = await connect('127.0.0.1', port, { identity: alice, peer: bob })
  await first.send('hello')
  first.on('error', () => {})
  ;(first.socket as net.Socket).resetAndDestroy()
  await until(() => clientErrors.length === 1, 'clientError')
  t.match(clientErrors[0]?.error, {
    code: 'ERR_STALK_RESET',
    message: /^the transport failed: (read|write) ECONNRESET$/
  })
  const second = await connect('127.0.0.1', port, { identity: alice, peer: bob })
  await until(() => connections.length === 2, 'connection')
  second.destroy()
  await until(() => clientErrors.length === 2, 'clientError')
  t.match(clientErrors[1]?.error, { code: 'ERR_STALK_PEER_ABORTED' })
  t.ok(await works(port))
  await closed(server)
})

t.test('a handler with an error listener has the error to itself', async t => {
  const errors: Error[] = []
  const { server, port, connections, clientErrors } = await serve()
  server.on('connection', connection => connection.on('error', (error: Error) => errors.push(error)))
  const connection = await connect('127.0.0.1', port, { identity: alice, peer: bob })
  await until(() => connections.length === 1, 'connection')
  connection.destroy()
  await until(() => errors.length === 1, 'error')
  await turns()
  t.match(errors, [{ code: 'ERR_STALK_PEER_ABORTED' }])
  t.same(clientErrors, [])
  await closed(server)
})

t.test('close waits for the connections that there are, and takes no others', async t => {
  const { server, port } = await serve()
  const connection = await connect('127.0.0.1', port, { identity: alice, peer: bob })
  let isClosed = false
  const closing = new Promise<void>(resolve => {
    server.close(() => {
      isClosed = true
      resolve()
    })
  })
  const event = once(server, 'close')
  await t.rejects(connect('127.0.0.1', port, { identity: alice, peer: bob }), { code: 'ERR_STALK_CONNECT' })
  connection.write('still here')
  t.same((await within(once(connection, 'data'), 'an echo'))[0], 'still here')
  t.equal(isClosed, false)
  t.equal(server.listening, false)
  connection.end()
  await within(Promise.all([closing, event]), 'close')
  t.equal((await connection.outcome).kind, 'clean')
})

t.test('await using closes it, and waits', async t => {
  const { server, port } = await serve()
  const connection = await connect('127.0.0.1', port, { identity: alice, peer: bob })
  let disposed = false
  const disposing = server[Symbol.asyncDispose]().then(() => {
    disposed = true
  })
  await turns()
  t.equal(disposed, false)
  connection.resume().end()
  await within(disposing, 'dispose')
  t.equal(server.listening, false)
})

t.test('disposed before it listens, it never does', async t => {
  const server = listener('127.0.0.1', 0, () => {}, { identity: bob })
  const listening = once(server, 'listening').then(() => 'listening')
  await server[Symbol.asyncDispose]()
  const what = await Promise.race([listening, new Promise(resolve => setTimeout(resolve, 200, 'nothing'))])
  t.equal(what, 'nothing')
  server.close()
})

t.test('a port in use, and an address that is not ours, are errors of the listener', async t => {
  const { server, port } = await serve()
  const second = listener('127.0.0.1', port, () => {}, { identity: bob })
  t.match((await within(once(second, 'error'), 'error'))[0], { code: 'EADDRINUSE' })
  t.equal(second.listening, false)
  t.equal(second.address(), null)
  const elsewhere = listener('192.0.2.1', 0, () => {}, { identity: bob })
  t.match((await within(once(elsewhere, 'error'), 'error'))[0], { code: 'EADDRNOTAVAIL' })
  const nowhere = listener({ path: '/nonexistent/stalk.sock', identity: bob })
  t.match((await within(once(nowhere, 'error'), 'error'))[0], { code: /^(ENOENT|EACCES)$/ })
  await closed(server)
})

t.test('many clients at once are all served', async t => {
  const { server, port, connections } = await serve({ maxHalfOpenPerAddress: 64 })
  const answers = await Promise.all(Array.from({ length: 40 }, () => works(port)))
  t.ok(answers.every(answer => answer))
  t.equal(connections.length, 40)
  await closed(server)
})

t.test('a raw duplex and stalk() meet a listener', async t => {
  const { server, port } = await serve()
  const socket = net.connect(port, '127.0.0.1')
  const connection = stalk(socket, { identity: alice, peer: bob })
  connection.end('by hand')
  const got: unknown[] = []
  for await (const message of connection) got.push(message)
  t.same(got, ['by hand'])
  await closed(server)
})

t.test('unref lets the process end; without, it would stay', async t => {
  const { code, out, err } = await run(`
    import { listener } from './lib/index.ts'
    const server = listener('127.0.0.1', 0, () => {}, { identity: null })
    server.on('listening', () => { console.log('listening'); server.ref().unref() })
  `)
  t.same({ code, out, err }, { code: 0, out: 'listening\n', err: '' })
})

t.test('a thousand connections leave no timer, handle or listener behind', async t => {
  const { code, out, err } = await run(`
    import net from 'node:net'
    import { once } from 'node:events'
    import { connect, listener } from './lib/index.ts'
    import { alice, bob } from './test/helpers/pair.ts'
    const server = listener('127.0.0.1', 0, connection => {
      connection.on('error', () => {})
      connection.pipe(connection)
    }, { identity: bob, peer: alice, maxHalfOpenPerAddress: 64 })
    server.on('clientError', () => {})
    await once(server, 'listening')
    const { port } = server.address()
    const counts = () => [process, server].map(emitter =>
      emitter.eventNames().map(name => emitter.listenerCount(name)).reduce((a, b) => a + b, 0))
    async function one(n) {
      if (n % 10 === 9) {
        const socket = net.connect(port, '127.0.0.1').on('error', () => {})
        socket.end('garbage')
        return once(socket, 'close')
      }
      const connection = await connect('127.0.0.1', port, { identity: alice, peer: bob })
      if (n % 10 === 8) connection.destroy()
      else {
        connection.end(n)
        for await (const message of connection) if (message !== n) throw new Error('wrong')
      }
      await connection.outcome
    }
    const batch = async (from, to) => {
      for (let n = from; n < to; n += 25) await Promise.all(Array.from({ length: 25 }, (_, i) => one(n + i)))
      await new Promise(resolve => setTimeout(resolve, 50))
      gc()
      return process.memoryUsage().heapUsed
    }
    await batch(0, 100)
    const before = counts()
    const heapBefore = await batch(100, 250)
    const heapAfter = await batch(250, 1000)
    const grown = Math.round((heapAfter - heapBefore) / 750)
    console.log(JSON.stringify({ before, after: counts(), leaks: grown > 4000 ? grown : 0 }))
    await new Promise(resolve => server.close(resolve))
    await new Promise(resolve => setTimeout(resolve, 100))
    const resources = process.getActiveResourcesInfo().filter(name => !/^(TTY|Pipe|FSReq)/.test(name))
    console.log(JSON.stringify(resources))
  `)
  t.equal(err, '')
  t.equal(code, 0)
  const [counts, resources] = out
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  t.same(counts.after, counts.before)
  t.equal(counts.leaks, 0, 'bytes of heap that each connection leaves')
  t.same(resources, [])
})

t.test('a handshake that failed keeps its place until its socket is gone', async t => {
  const { server, port, clientErrors } = await serve({ maxHalfOpen: 1 })
  const malformed = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  malformed.write(Buffer.from('e100000553544c4b00', 'hex')) // it is told so, and does not hang up
  const [alert] = await within(once(malformed, 'data'), 'the alert')
  t.same(alert, Buffer.from('e300000104', 'hex'))
  net.connect(port, '127.0.0.1').on('error', () => {})
  await until(() => clientErrors.length === 1, 'the one that finds no place')
  t.match(clientErrors[0]?.error, { code: 'ERR_STALK_BUSY' })
  malformed.destroy()
  await until(() => clientErrors.length === 2, 'the first')
  t.match(clientErrors[1]?.error, { code: 'ERR_STALK_DECODE' })
  t.ok(await works(port))
  await closed(server)
})

t.test('a handler that is asynchronous and fails harms its own connection alone', async t => {
  const server = listener({ host: '127.0.0.1', port: 0, identity: bob, peer: alice }, async conn => {
    for await (const message of conn) {
      if (message === 'fail') throw new TypeError('out of luck')
      await conn.send(message)
    }
  })
  const errors: (Error & { code?: string })[] = []
  server.on('clientError', error => errors.push(error))
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const join = async (): Promise<Connection> => {
    const conn = await connect('127.0.0.1', port, { identity: alice, peer: bob })
    return conn.on('error', () => {})
  }
  const cut = await join()
  await cut.send('one')
  await within(once(cut, 'data'), 'an answer')
  cut.socket.destroy()
  await until(() => errors.length === 1, 'the cut')
  t.match(errors[0], { code: 'ERR_STALK_TRUNCATED' })
  const failing = await join()
  failing.resume()
  await failing.send('fail')
  t.match(await within(failing.outcome, 'outcome'), { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  await until(() => errors.length === 2, 'the failure')
  t.match(errors[1], { message: 'out of luck' })
  t.ok(await works(port))
  await closed(server)
  t.equal(errors.length, 2)
})
