// Callers that give up: a send, a flush, a ping, new keys, an attempt to connect. What was given up is not done, or not
// waited for; everything else goes on as if it had never been.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { type Connection, connect, listener, stalk } from '../../lib/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import {
  alice,
  bob,
  bothClosed,
  collect,
  end,
  ends,
  open,
  pair,
  tcpPair,
  turns,
  until,
  within
} from '../helpers/pair.ts'
import { against } from '../helpers/rogue.ts'

const reason = new Error('changed my mind')
const givenUp = { code: 'ERR_STALK_ABORTED', message: 'given up by the signal of its caller', cause: reason }

t.test('a send that is given up before it was encoded is not sent; those behind it are', async t => {
  for (const joined of [pair, meddledPair, tcpPair]) {
    const both = await open({}, await joined())
    const got = collect(both.responder)
    const controller = new AbortController()
    const sends = [
      both.initiator.send('first'),
      both.initiator.send('not this', { signal: controller.signal }),
      both.initiator.send('nor this', { signal: controller.signal }),
      both.initiator.send('last')
    ]
    controller.abort(reason)
    const results = await within(Promise.allSettled(sends), 'all of them')
    t.match(results, [
      { status: 'fulfilled' },
      { status: 'rejected', reason: givenUp },
      { status: 'rejected', reason: givenUp },
      { status: 'fulfilled' }
    ])
    both.initiator.resume().end()
    const [ours] = await bothClosed(both)
    t.same(got, ['first', 'last'])
    t.match(ours, { kind: 'clean', sent: 2, acknowledged: 2, unsent: 0 })
  }
})

t.test('given up later it has no effect, and leaves no listener', async t => {
  const both = await open()
  const got = collect(both.responder)
  const controller = new AbortController()
  const { signal } = controller
  const listening = { now: 0 }
  const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
  Object.assign(signal, {
    addEventListener: (...args: Parameters<typeof add>) => {
      listening.now += 1
      add(...args)
    },
    removeEventListener: (...args: Parameters<typeof remove>) => {
      listening.now -= 1
      remove(...args)
    }
  })
  await both.initiator.send('one', { signal })
  await both.initiator.flush({ signal, acked: true, timeout: 10_000 })
  await both.initiator.rtt({ signal })
  await both.initiator.rekey({ signal })
  t.equal(listening.now, 0)
  controller.abort(reason)
  await turns()
  t.same(got, ['one'])
  for (const call of [
    () => both.initiator.send('two', { signal }),
    () => both.initiator.flush({ signal }),
    () => both.initiator.flush({ signal, acked: true }),
    () => both.initiator.rtt({ signal }),
    () => both.initiator.rekey({ signal })
  ]) {
    await t.rejects(call() as Promise<unknown> as Promise<void>, givenUp, 'one that is aborted already')
  }
  t.same(both.initiator.counters.outbound.epoch, 1)
  both.initiator.resume().end()
  t.match((await bothClosed(both))[0], { kind: 'clean', sent: 1, unsent: 0 })
  t.same(got, ['one'])
})

t.test('while a transport takes nothing: what waits is withdrawn, what is encoded is not', async t => {
  const both = await open({}, await tcpPair())
  const controller = new AbortController()
  const sends = Array.from({ length: 400 }, (_, n) =>
    both.initiator.send(Buffer.alloc(60_000, n), { signal: controller.signal })
  )
  const results = Promise.allSettled(sends)
  await turns(20)
  controller.abort(reason)
  await turns()
  const got = collect(both.responder)
  const rejected = (await within(results, 'all')).filter(({ status }) => status === 'rejected').length
  t.ok(rejected > 0 && rejected < 400, `${rejected} withdrawn`)
  await both.initiator.send('last')
  both.initiator.resume().end()
  const [ours] = await bothClosed(both)
  t.match(ours, { kind: 'clean', sent: 401 - rejected, acknowledged: 401 - rejected, unsent: 0 })
  t.equal(got.at(-1), 'last')
  t.equal(got.length, 401 - rejected)
})

t.test('before there are keys', async t => {
  const both = ends(meddledPair())
  const got = collect(both.responder)
  const controller = new AbortController()
  const given = both.initiator.send('never', { signal: controller.signal })
  const kept = both.initiator.send('kept')
  controller.abort(reason)
  await t.rejects(given, givenUp)
  await within(kept, 'send')
  both.initiator.resume().end()
  t.match((await bothClosed(both))[0], { kind: 'clean', sent: 1, unsent: 0 })
  t.same(got, ['kept'])
})

t.test('a wait that is given up leaves the connection as it was', async t => {
  const { connection, heard } = await against('initiator')
  connection.write(1)
  const controller = new AbortController()
  const { signal } = controller
  const waits = [
    connection.flush({ acked: true, signal }),
    connection.rtt({ signal }),
    connection.rekey({ signal })
  ]
  await until(() => heard.length >= 3, 'the questions')
  controller.abort(reason)
  for (const wait of waits) await t.rejects(wait as Promise<unknown> as Promise<void>, givenUp)
  for (const [name, wait] of Object.entries({
    flush: connection.flush({ acked: true, timeout: 10 }),
    rtt: connection.rtt({ timeout: 10 }),
    rekey: connection.rekey({ timeout: 10 })
  })) {
    await t.rejects(wait as Promise<unknown> as Promise<void>, {
      code: 'ERR_STALK_WAIT_TIMEOUT',
      message: `${name} took longer than 10 ms`
    })
  }
  t.equal(connection.errored, null)
  await within(connection.send('goes on'), 'send')
  connection.destroy()
  await connection.outcome
})

t.test('options that are wrong are thrown at once, by all of them alike', async t => {
  const both = await open()
  const { initiator } = both
  const calls: [() => unknown, string | RegExp][] = [
    [() => initiator.send(1, { timeout: 5 } as never), /^option timeout does not exist; there is signal$/],
    [() => initiator.send(1, { signal: 5 } as never), 'option signal must be an AbortSignal'],
    [
      () => initiator.flush({ ack: true } as never),
      /^option ack does not exist; there are signal, timeout, acked$/
    ],
    [() => initiator.flush({ acked: 1 } as never), 'option acked must be true or false'],
    [() => initiator.flush({ timeout: 0 }), /^option timeout must be a whole number from 1/],
    [() => initiator.rtt({ timeout: 2 ** 31 }), /^option timeout must be a whole number from 1/],
    [() => initiator.rtt(null as never), 'the options must be an object'],
    [() => initiator.rekey({ acked: true } as never), /^option acked does not exist/]
  ]
  for (const [call, message] of calls) t.throws(call, { code: 'ERR_STALK_INVALID_OPTION', message })
  initiator.destroy()
  await bothClosed(both)
})

const CALL = { identity: alice, peer: bob }

t.test('connect: aborted before, nothing is dialed', async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  let called = 0
  server.on('connection', () => called++)
  const { port } = server.address() as AddressInfo
  await t.rejects(connect('127.0.0.1', port, { ...CALL, signal: AbortSignal.abort(reason) }), givenUp)
  await turns()
  t.equal(called, 0)
  server.close()
})

t.test('connect: aborted while nobody shakes hands, the socket is let go', async t => {
  const server = net.createServer({ allowHalfOpen: false }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const controller = new AbortController()
  const connecting = connect('127.0.0.1', port, { ...CALL, signal: controller.signal })
  connecting.catch(() => {})
  const [socket] = (await within(once(server, 'connection'), 'a caller')) as [net.Socket]
  await within(once(socket, 'data'), 'a hello')
  controller.abort(reason)
  await t.rejects(within(connecting, 'connect'), givenUp)
  socket.resume()
  if (!socket.closed) await within(once(socket, 'close'), 'its end')
  server.close()
})

t.test(
  'connect: aborted at any turn, it is given up or there is a connection, and nothing is left',
  async t => {
    const made: Connection[] = []
    const server = listener('127.0.0.1', 0, connection => void made.push(connection.resume()), {
      identity: bob,
      peer: alice
    })
    server.on('clientError', () => {})
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const seen = { given: 0, made: 0 }
    for (let wait = 0; wait < 40; wait++) {
      const controller = new AbortController()
      const connecting = connect('127.0.0.1', port, { ...CALL, signal: controller.signal })
      const result = connecting.then(
        connection => ({ connection, error: null }),
        error => ({ connection: null, error })
      )
      await turns(wait)
      controller.abort(reason)
      const { connection, error } = await within(result, 'connect')
      if (connection) {
        seen.made += 1
        t.equal(connection.destroyed, false, 'of no effect once there is a connection')
        connection.resume().end()
        t.equal((await connection.outcome).kind, 'clean')
      } else {
        seen.given += 1
        t.match(error, givenUp)
      }
    }
    t.ok(seen.given > 0, `${seen.given} given up`)
    await within(new Promise(resolve => server.close({ drain: 2_000 }, resolve)), 'the close of the listener')
  }
)

t.test('connect: aborted in the very turn in which the socket connects', async t => {
  const server = net.createServer({ allowHalfOpen: false }, socket => socket.resume()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const controller = new AbortController()
  const dial = net.connect
  t.teardown(() => {
    net.connect = dial
  })
  net.connect = ((options: net.NetConnectOpts) => {
    const socket = dial(options)
    process.nextTick(() => socket.once('connect', () => controller.abort(reason)))
    return socket
  }) as typeof net.connect
  const connecting = connect('127.0.0.1', port, {
    ...CALL,
    signal: controller.signal,
    handshakeTimeout: 2_000
  })
  await t.rejects(within(connecting, 'connect'), givenUp)
  server.close()
})

t.test('connect: after that the signal has no effect', async t => {
  const server = listener('127.0.0.1', 0, connection => connection.pipe(connection), {
    identity: bob,
    peer: alice
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const controller = new AbortController()
  const connection = await connect('127.0.0.1', port, { ...CALL, signal: controller.signal })
  controller.abort(reason)
  connection.end('echo')
  const got = []
  for await (const message of connection) got.push(message)
  t.same(got, ['echo'])
  t.equal((await connection.outcome).kind, 'clean')
  await new Promise(resolve => server.close(resolve))
})

t.test('wrap: a caller gives up also while there is no source', async t => {
  const [ours, theirs] = await tcpPair()
  const responder = end('responder', theirs)
  const got = collect(responder)
  const wrapped = stalk.wrap({ role: 'initiator', identity: alice, peer: bob })
  const controller = new AbortController()
  const { signal } = controller
  const given = [
    wrapped.send('never', { signal }),
    wrapped.flush({ signal }),
    wrapped.flush({ acked: true, signal })
  ]
  for (const wait of given) wait.catch(() => {})
  const kept = wrapped.send('kept')
  await t.rejects(wrapped.flush({ timeout: 10 }), {
    code: 'ERR_STALK_WAIT_TIMEOUT',
    message: 'flush took longer than 10 ms'
  })
  controller.abort(reason)
  for (const wait of given) await t.rejects(wait, givenUp)
  await t.rejects(wrapped.send('never', { signal }), givenUp)
  await t.rejects(wrapped.send('never', { timeout: 5 } as never), { code: 'ERR_STALK_INVALID_OPTION' })
  await t.rejects(wrapped.flush({ timeout: 0 }), { code: 'ERR_STALK_INVALID_OPTION' })
  const flushed = wrapped.flush({ acked: true, timeout: 10_000 })
  ours.pipe(wrapped).resume()
  await within(Promise.all([kept, flushed]), 'what was not given up')
  t.same(got, ['kept'])
  wrapped.outbound.end()
  t.match(await within(wrapped.outcome, 'closed'), { kind: 'clean', sent: 1, acknowledged: 1, unsent: 0 })
})

t.test('wrap: what was given up before there was a source does not count as unsent', async t => {
  const wrapped = stalk.wrap({ role: 'initiator', identity: alice, peer: bob })
  wrapped.on('error', () => {})
  const controller = new AbortController()
  const sends = [wrapped.send(1, { signal: controller.signal }), wrapped.send(2)]
  const both = Promise.allSettled(sends)
  controller.abort(reason)
  await turns()
  wrapped.destroy(reason)
  const results = await within(both, 'both')
  t.match(results, [{ reason: givenUp }, { status: 'rejected' }])
  t.match(await within(wrapped.outcome, 'closed'), { unsent: 1 })
})
