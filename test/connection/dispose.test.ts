// Ends that are asked for: `await using`, and a listener that drains.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { Writable } from 'node:stream'
import t from 'tap'
import { type Connection, connect, type Listener, type ListenOptions, listener } from '../../lib/index.ts'
import { alice, bob, bothClosed, ends, open, pair, tcpPair, turns, until, within } from '../helpers/pair.ts'
import { against } from '../helpers/rogue.ts'

const CALL = { identity: alice, peer: bob }

const disposed = (connection: Connection): Promise<void> =>
  within(connection[Symbol.asyncDispose](), 'disposing')

t.test('disposed of, it says goodbye, drops what is unread, and waits until it is over', async t => {
  for (const joined of [pair, tcpPair]) {
    const both = await open({}, await joined())
    for (let n = 0; n < 1_000; n++) both.responder.write(n)
    both.initiator.write('last')
    both.responder.on('data', message => message === 'last' && both.responder.end())
    await disposed(both.initiator)
    t.equal(both.initiator.closed, true)
    t.match(await both.initiator.outcome, { kind: 'clean', sent: 1, acknowledged: 1 })
    t.match(await within(both.responder.outcome, 'closed'), {
      kind: 'clean',
      sent: 1_000,
      acknowledged: 1_000
    })
    await disposed(both.initiator)
  }
})

t.test('however it was read until then', async t => {
  const ways: Record<string, (connection: Connection) => unknown> = {
    'not at all': () => {},
    paused: connection => connection.on('data', () => {}).pause(),
    'a step of a loop': connection => connection[Symbol.asyncIterator]().next(),
    'a readable listener': connection => connection.on('readable', () => {}),
    'a pipe that is stuck': connection =>
      connection.pipe(new Writable({ objectMode: true, highWaterMark: 1, write() {} }))
  }
  for (const [name, way] of Object.entries(ways)) {
    const both = await open({}, await tcpPair())
    for (let n = 0; n < 600; n++) both.responder.write(n)
    await within(both.responder.flush(), 'flush')
    way(both.initiator)
    both.responder.resume()
    await turns()
    await disposed(both.initiator)
    t.match(await both.initiator.outcome, { kind: 'clean' }, name)
    await bothClosed(both)
  }
})

t.test('in `await using` with an error on its way, the error is what comes out', async t => {
  const both = await open()
  both.responder.resume()
  const using = async (): Promise<void> => {
    await using connection = both.initiator
    await connection.send(1)
    throw new Error('mine')
  }
  await t.rejects(within(using(), 'the block'), new Error('mine'))
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('one that has failed, or does, is disposed of without a further error', async t => {
  const both = await open()
  both.responder.destroy()
  both.initiator.on('error', () => {})
  await disposed(both.initiator)
  t.match(await both.initiator.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  const { connection } = await against('initiator', { closeTimeout: 50 })
  await disposed(connection)
  t.match(await connection.outcome, { kind: 'timeout', code: 'ERR_STALK_CLOSE_TIMEOUT' })
})

t.test('before there are keys it waits for them, and says goodbye then', async t => {
  const both = ends(await tcpPair())
  both.responder.resume()
  await disposed(both.initiator)
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

async function serve(
  handler: (connection: Connection) => unknown,
  options: ListenOptions = {}
): Promise<{ server: Listener; port: number; errors: Error[] }> {
  const errors: Error[] = []
  const server = listener('127.0.0.1', 0, handler, { identity: bob, peer: alice, ...options })
  server.on('clientError', error => errors.push(error))
  await within(once(server, 'listening'), 'listening')
  return { server, port: (server.address() as AddressInfo).port, errors }
}

const drained = (server: Listener, drain: number): Promise<unknown> =>
  within(new Promise(resolve => server.close({ drain }, resolve)), 'the close of the listener')

t.test('drain: a goodbye to everybody, and an end when they have said theirs', async t => {
  const { server, port } = await serve(connection => connection.resume())
  const callers = await Promise.all([1, 2, 3].map(() => connect('127.0.0.1', port, CALL)))
  for (const caller of callers) caller.resume().write('x')
  const started = performance.now()
  await drained(server, 60_000)
  t.ok(performance.now() - started < 10_000)
  for (const caller of callers) t.match(await caller.outcome, { kind: 'clean', sent: 1, acknowledged: 1 })
})

t.test('drain: who has not ended by then is destroyed, and learns of it', async t => {
  const { server, port, errors } = await serve(connection => connection.resume())
  const caller = await connect('127.0.0.1', port, { ...CALL, allowHalfOpen: true })
  caller.on('error', () => {})
  caller.resume()
  const started = performance.now()
  await drained(server, 100)
  t.ok(performance.now() - started >= 95, 'not before')
  t.match(await within(caller.outcome, 'closed'), { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  t.same(errors, [])
})

t.test('drain: nor does a caller who never shakes hands hold it up', async t => {
  const { server, port } = await serve(connection => connection.resume())
  const socket = net.connect(port, '127.0.0.1').on('error', () => {})
  await once(socket, 'connect')
  await turns()
  await drained(server, 60)
  socket.resume()
  if (!socket.closed) await within(once(socket, 'close'), 'the socket')
  t.equal(socket.closed, true)
})

t.test('drain: one that is shaking hands may still have its say', async t => {
  let accept: (verdict: boolean) => void = () => {}
  let asked = false
  const got: unknown[] = []
  const { server, port } = await serve(connection => connection.on('data', message => got.push(message)), {
    authorize: () =>
      new Promise(resolve => {
        asked = true
        accept = resolve
      })
  })
  const connecting = connect('127.0.0.1', port, CALL)
  await until(() => asked, 'the question')
  const closing = drained(server, 5_000)
  accept(true)
  const caller = await within(connecting, 'connect')
  caller.resume().end('late')
  t.match(await within(caller.outcome, 'closed'), { kind: 'clean', acknowledged: 1 })
  await closing
  t.same(got, ['late'])
})

t.test('drain after a close without it makes haste', async t => {
  const { server, port } = await serve(connection => connection.resume())
  const caller = await connect('127.0.0.1', port, CALL)
  caller.resume()
  const closed = once(server, 'close')
  server.close()
  await turns()
  t.equal(caller.destroyed, false)
  server.close({ drain: 5_000 })
  await within(closed, 'close')
  t.equal((await caller.outcome).kind, 'clean')
})

t.test('drain: options that are wrong are thrown, and nothing is closed', async t => {
  const { server } = await serve(() => {})
  t.throws(() => server.close({ drain: 0 }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /^option drain must be a whole number from 1/
  })
  t.throws(() => server.close({ drein: 5 } as never), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: 'option drein does not exist; there is drain'
  })
  t.equal(server.listening, true)
  await drained(server, 10)
})

t.test('a listener is disposed of when all have ended', async t => {
  const { server, port } = await serve(connection => connection.resume())
  const caller = await connect('127.0.0.1', port, CALL)
  caller.resume().end()
  await within(server[Symbol.asyncDispose](), 'disposing')
  t.equal((await caller.outcome).kind, 'clean')
  await within(server[Symbol.asyncDispose](), 'again')
})
