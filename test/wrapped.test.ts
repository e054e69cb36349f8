// stalk.wrap() in pipelines: under pipe, pipeline and compose; the death of a source; misuse and what to do.

import { once } from 'node:events'
import { type Duplex, PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Connection, stalk, type WrapOptions } from '../lib/index.ts'
import { cutAt, ed25519, type Tamper, wire } from './helpers/wire.ts'

const upper = (): Transform =>
  new Transform({
    objectMode: true,
    transform: (message, _e, done) => done(null, String(message).toUpperCase())
  })

const wrapOptions: WrapOptions = { role: 'responder', identity: ed25519.responder, authorize: () => true }

/** A plain initiator at the other end of a wire. */
function caller(there?: Tamper): { source: Duplex; connection: Connection } {
  const [a, source] = wire(there)
  const connection = stalk(a, { role: 'initiator', identity: ed25519.initiator, peer: ed25519.responder })
  connection.on('error', () => {})
  return { source, connection }
}

async function ask(connection: Connection, ...messages: unknown[]): Promise<unknown[]> {
  for (const message of messages) connection.write(message)
  connection.end()
  const got: unknown[] = []
  for await (const message of connection) got.push(message)
  return got
}

t.test('socket.pipe(wrapped).pipe(app).pipe(wrapped.outbound) answers', async t => {
  const { source, connection } = caller()
  const wrapped = stalk.wrap(wrapOptions)
  source
    .pipe(wrapped as unknown as PassThrough)
    .pipe(upper())
    .pipe(wrapped.outbound)
  t.same(await ask(connection, 'a', 'b', 'c'), ['A', 'B', 'C'])
  await wrapped.ready
  t.match(await wrapped.closed, { kind: 'clean', sent: 3, received: 3, acknowledged: 3 })
  t.equal(wrapped.connection?.peerIdentity?.fingerprint, ed25519.initiator.fingerprint)
})

t.test('replies may be sent with send and flushed, before anything is piped in', async t => {
  const { source, connection } = caller()
  const wrapped = stalk.wrap(wrapOptions)
  const early = wrapped.send('welcome')
  source.pipe(wrapped as unknown as PassThrough).resume()
  await early
  await wrapped.flush()
  t.same(await ask(connection), ['welcome'])
  t.equal((await wrapped.closed).kind, 'clean')
})

t.test('stream.pipeline works, with functions in it', async t => {
  const { source, connection } = caller()
  const wrapped = stalk.wrap(wrapOptions)
  const asking = ask(connection, 1, 2)
  await pipeline([
    source,
    wrapped,
    async function* (messages: AsyncIterable<number>) {
      for await (const message of messages) yield message * 10
    },
    wrapped.outbound
  ] as never)
  t.same(await asking, [10, 20])
})

t.test('a composition works where the transport is named', async t => {
  const { source, connection } = caller()
  const wrapped = stalk.wrap({ ...wrapOptions, transport: source })
  source
    .pipe(wrapped as unknown as PassThrough)
    .pipe(upper())
    .pipe(wrapped.outbound)
  t.same(await ask(connection, 'x'), ['X'])
})

t.test('a source that is cut, reset or destroyed is noticed under plain pipe', async t => {
  const deaths: [string, Tamper | undefined, (source: Duplex) => void, RegExp, RegExp][] = [
    ['cut in the handshake', cutAt(1000), () => {}, /TRUNCATED/, /inside a record/],
    ['reset in the handshake', cutAt(1000, 'reset'), () => {}, /RESET/, /ECONNRESET/],
    ['destroyed later', undefined, source => source.destroy(), /TRUNCATED/, /without a goodbye/],
    ['failed later', undefined, source => source.destroy(new Error('cable')), /RESET/, /cable/]
  ]
  for (const [name, tamper, kill, code, message] of deaths) {
    const { source, connection } = caller(tamper)
    const wrapped = stalk.wrap(wrapOptions)
    const failed = new Promise<Error>(resolve => wrapped.on('error', resolve))
    source.pipe(wrapped as unknown as PassThrough).resume()
    if (!tamper) await wrapped.ready
    kill(source)
    t.match(await failed, { code, message }, name)
    t.not((await wrapped.closed).kind, 'clean', name)
    connection.destroy()
    await connection.closed
  }
})

t.test('misuse is refused, and the text says how to do it right', async t => {
  const errorOf = (wrapped: ReturnType<typeof stalk.wrap>): Promise<Error> =>
    new Promise(resolve => wrapped.on('error', resolve))

  const unwritable = stalk.wrap(wrapOptions)
  Readable.from([Buffer.from('x')]).pipe(unwritable as unknown as PassThrough)
  t.match(await errorOf(unwritable), { code: 'ERR_STALK_NO_SOURCE', message: /wrap\(\{ transport \}\)/ })

  const sourceless = stalk.wrap(wrapOptions)
  sourceless.write(Buffer.from('x'))
  t.match(await errorOf(sourceless), { code: 'ERR_STALK_NO_SOURCE', message: /wrap\(\{ transport \}\)/ })

  const { source, connection } = caller()
  const circular = stalk.wrap(wrapOptions)
  const stage = circular as unknown as PassThrough
  source
    .pipe(stage)
    .pipe(new PassThrough({ objectMode: true }))
    .pipe(stage)
  t.match(await errorOf(circular), { code: 'ERR_STALK_SECOND_SOURCE', message: /wrapped\.outbound/ })
  connection.destroy()
  await connection.closed

  const [roleless] = wire()
  const unknown = stalk.wrap({ identity: null })
  roleless.pipe(unknown as unknown as PassThrough)
  t.match(await errorOf(unknown), { code: 'ERR_STALK_ROLE_REQUIRED' })
})

t.test('a reader that is slow slows the wire', async t => {
  const { source, connection } = caller()
  const wrapped = stalk.wrap(wrapOptions)
  const slow = new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform: (message, _encoding, done) => void setTimeout(done, 1, null, message)
  })
  const got: unknown[] = []
  source
    .pipe(wrapped as unknown as PassThrough)
    .pipe(slow)
    .on('data', message => got.push(message))
  for (let n = 0; n < 300; n++) if (!connection.write(n)) await once(connection, 'drain')
  connection.end()
  t.equal((await connection.closed).kind, 'clean')
  await sleep(10)
  t.same(
    got,
    Array.from({ length: 300 }, (_, n) => n)
  )
})
