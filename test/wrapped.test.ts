// stalk.wrap(): a stage for pipelines, under .pipe(), stream.pipeline() and stream.compose(); the death of its
// source in every phase; every misuse refused with the way to do it right in the text. The other end is a plain
// connection. What a message is, is tested elsewhere.

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import type { Socket } from 'node:net'
import * as stream from 'node:stream'
import { type Duplex, PassThrough, pipeline, Transform, type Writable } from 'node:stream'
import { pipeline as pipelined } from 'node:stream/promises'
import t from 'tap'
import {
  type Connection,
  type Outcome,
  type StalkError,
  stalk,
  type WrapOptions,
  type Wrapped
} from '../lib/index.ts'
import { cut } from '../lib/testing/index.ts'
import { meddledPair } from './helpers/adversary.ts'
import { alice, bob, collect, pair, tcpPair, transports, turns, until, within } from './helpers/pair.ts'

type Pair = [Duplex, Duplex]

interface Joined {
  /** What is tested. */
  readonly wrapped: Wrapped
  /** The duplex under it, not piped in yet. */
  readonly source: Duplex
  /** The other end, and the duplex under it. */
  readonly other: Connection
  readonly far: Duplex
}

/** A connection that failed waits a while for somebody to read what it has got; nobody does here. */
const left: Connection[] = []
t.afterEach(() => {
  for (const connection of left.splice(0)) connection.destroy()
})

/** alice is a plain connection and calls; bob is the wrapped end. No error of either crashes. */
async function joined(options: WrapOptions = {}, on: Pair | Promise<Pair> = tcpPair()): Promise<Joined> {
  const [far, source] = await on
  const other = stalk(far, { role: 'initiator', identity: alice, peer: bob })
  const wrapped = stalk.wrap({ identity: bob, peer: alice, ...options })
  for (const end of [other, wrapped]) end.on('error', () => {})
  left.push(other)
  return { wrapped, source, other, far }
}

/** The app of most tests: each message, in an answer. */
const answering = (): Transform =>
  new Transform({
    objectMode: true,
    transform: (message, _encoding, done) => done(null, { answer: message })
  })

const large = { text: 'x'.repeat(300_000), bytes: Buffer.alloc(200_000, 7) }
const messages = ['small', large, { n: 2n ** 70n }, 'last']
const answers = messages.map(message => ({ answer: message }))

/** Sends all messages, says goodbye, and gives what came back and how it ended. */
async function converse(other: Connection): Promise<{ got: unknown[]; outcome: Outcome }> {
  const got = collect(other)
  for (const message of messages) await within(other.send(message), 'send')
  other.end()
  return { got, outcome: await within(other.outcome, 'the other end closed') }
}

const clean = { kind: 'clean', sent: 4, acknowledged: 4, received: 4, unsent: 0 }

const closed = (wrapped: Wrapped): Promise<Outcome> => within(wrapped.outcome, 'wrapped closed')

const errorOf = async (wrapped: Wrapped): Promise<StalkError> => {
  const [error] = await within(once(wrapped, 'error') as Promise<[StalkError]>, 'error')
  return error
}

/** Not `once`, which takes an error for a failure. */
const closeOf = (stream: Duplex | Writable | Wrapped): Promise<unknown> =>
  within(new Promise<void>(resolve => stream.on('close', resolve)), 'close')

const textOf = (error: Error): string => `${(error as StalkError).code}: ${error.message}`

const reset = (socket: Duplex): void => void (socket as Socket).resetAndDestroy()

// --- plain pipe ------------------------------------------------------------------------------------------

t.test('under pipe, messages come out and replies piped into outbound reach the peer', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).pipe(answering()).pipe(wrapped.outbound)
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  t.match(await closed(wrapped), clean)
  t.equal(source.destroyed, true)
})

for (const [name, make] of Object.entries(transports)) {
  t.test(`over ${name}, wrap serves in either role`, async t => {
    const [a, b] = await make()
    const listens = stalk.wrap({ role: 'responder', identity: bob, peer: alice })
    const calls = stalk.wrap({ role: 'initiator', identity: alice, peer: bob })
    b.pipe(listens).pipe(answering()).pipe(listens.outbound)
    const got: unknown[] = []
    a.pipe(calls).on('data', message => got.push(message))
    for (const message of messages) await within(calls.send(message), 'send')
    calls.outbound.end()
    t.match(await closed(calls), clean)
    t.match(await closed(listens), clean)
    t.same(got, answers)
  })
}

t.test('replies go out with send and flush, and without either end waiting for a pipe', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).on('data', message => wrapped.send({ answer: message }))
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  t.match(await closed(wrapped), clean)
})

t.test('what is sent before a source is there waits for it', async t => {
  const { wrapped, source, other } = await joined()
  const got = collect(other)
  t.equal(wrapped.connection, null)
  const sent = wrapped.send('early')
  const flushed = wrapped.flush()
  wrapped.outbound.write('early too')
  await turns()
  source.pipe(wrapped).resume()
  await within(Promise.all([sent, flushed]), 'send and flush')
  await until(() => got.length === 2, 'both messages')
  t.same(got, ['early', 'early too'])
  wrapped.outbound.end()
  t.match(await closed(wrapped), { kind: 'clean', sent: 2, acknowledged: 2 })
  t.ok(other.readableEnded)
})

t.test('ready, secure, connection and closed say what those of a connection say', async t => {
  const { wrapped, source, other } = await joined()
  const events: string[] = []
  for (const name of ['secure', 'data', 'end', 'close']) wrapped.on(name, () => events.push(name))
  const gone = closeOf(wrapped)
  source.pipe(wrapped)
  await within(wrapped.ready, 'ready')
  t.equal(wrapped.connection?.peerIdentity?.fingerprint, alice.fingerprint)
  t.match(wrapped.connection?.security, { mode: 'mutual', role: 'responder' })
  other.end('one')
  t.match(await closed(wrapped), { kind: 'clean', received: 1 })
  await gone
  t.same(events, ['secure', 'data', 'end', 'close'])
})

t.test('a reply that cannot be carried is a messageError, and the others go on', async t => {
  const { wrapped, source, other } = await joined()
  const got = collect(other)
  source.pipe(wrapped).resume()
  const reported = once(wrapped, 'messageError') as Promise<[StalkError, unknown]>
  const unfit = { fn: () => {} }
  wrapped.outbound.write('one')
  wrapped.outbound.write(unfit)
  wrapped.outbound.write('two')
  const [error, message] = await within(reported, 'messageError')
  t.match(textOf(error), /^ERR_STALK_VALUE_UNSUPPORTED: .*\.fn\b/)
  t.equal(message, unfit)
  await t.rejects(wrapped.send(Symbol('no')), { code: 'ERR_STALK_VALUE_UNSUPPORTED' })
  wrapped.outbound.end()
  t.match(await closed(wrapped), { kind: 'clean', sent: 2, unsent: 0 })
  t.same(got, ['one', 'two'])
})

t.test('with allowHalfOpen the replies stay open until they are ended', async t => {
  const { wrapped, source, other } = await joined({ allowHalfOpen: true })
  const got = collect(other)
  source.pipe(wrapped).resume()
  other.end('question')
  await within(once(wrapped, 'end'), 'end')
  await turns(50)
  await wrapped.send('late')
  await turns(50)
  t.equal(other.readableEnded, false)
  wrapped.outbound.end('later')
  t.match(await closed(wrapped), { kind: 'clean', sent: 2 })
  t.same(got, ['late', 'later'])
})

t.test('without allowHalfOpen our goodbye follows when all is read', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).resume()
  other.end('question')
  t.match(await closed(wrapped), { kind: 'clean', received: 1 })
  t.match(await within(other.outcome, 'other'), { kind: 'clean', acknowledged: 1 })
})

// --- pipeline --------------------------------------------------------------------------------------------

t.test('in a pipeline with a callback, the replies are its last stage', async t => {
  const { wrapped, source, other } = await joined()
  const done = new Promise<unknown>(resolve =>
    pipeline(source, wrapped, answering(), wrapped.outbound, error => resolve(error))
  )
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  t.equal(await within(done, 'the pipeline'), undefined)
  t.match(await closed(wrapped), clean)
})

t.test('in a pipeline of promises, async generators stand before and behind wrap', async t => {
  const [far, source] = await tcpPair()
  const { wrapped, other } = await joined({ role: 'responder', transport: source }, [far, source])
  const done = pipelined(
    source,
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) yield* [chunk.subarray(0, 1), chunk.subarray(1)]
    } as never,
    wrapped,
    async function* (incoming: AsyncIterable<unknown>) {
      for await (const message of incoming) yield { answer: message }
    } as never,
    wrapped.outbound
  )
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  await within(done, 'the pipeline')
  t.match(await closed(wrapped), clean)
})

t.test('a pipeline that ends in an async function may answer with send', async t => {
  const { wrapped, source, other } = await joined()
  const done = pipelined(source, wrapped, async (incoming: AsyncIterable<unknown>) => {
    for await (const message of incoming) await wrapped.send({ answer: message })
  })
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  await within(done, 'the pipeline')
  t.match(await closed(wrapped), clean)
})

t.test('a pipeline fails with what the wire failed with', async t => {
  const { wrapped, source, other, far } = await joined()
  const done = pipelined(source, wrapped, answering(), wrapped.outbound)
  done.catch(() => {})
  await within(other.send('one'), 'send')
  await within(wrapped.ready, 'ready')
  far.end()
  const error = await within(done, 'the pipeline').then(
    () => null,
    (error: StalkError) => error
  )
  t.match(error && textOf(error), /^ERR_STALK_TRUNCATED: the transport ended without a goodbye/)
  t.match(await closed(wrapped), { kind: 'truncated', received: 1 })
})

t.test('a pipeline whose app fails tells the peer that it was aborted', async t => {
  const { wrapped, source, other } = await joined()
  const failure = new Error('the app is at its wits’ end')
  const done = pipelined(source, wrapped, async (incoming: AsyncIterable<unknown>) => {
    for await (const _ of incoming) throw failure
  })
  done.catch(() => {})
  await within(other.send('one'), 'send')
  await t.rejects(within(done, 'the pipeline'), failure)
  t.match(await closed(wrapped), { kind: 'aborted', received: 1 })
  t.match(await within(other.outcome, 'other'), { kind: 'reset' })
})

// --- compose ---------------------------------------------------------------------------------------------

type Compose = (...streams: unknown[]) => Duplex
const compose = (stream as unknown as { compose: Compose }).compose

t.test('composed with its source and an app, it is one stream of what the app makes', async t => {
  const { wrapped, source, other } = await joined()
  const composed = compose(source, wrapped, answering())
  const got: unknown[] = []
  composed.on('data', message => got.push(message))
  const { outcome } = await converse(other)
  t.match(outcome, { kind: 'clean', sent: 4, acknowledged: 4 })
  t.match(await closed(wrapped), { kind: 'clean', received: 4 })
  t.same(got, answers)
})

t.test('composed with an app alone, it is told of its transport', async t => {
  const [far, source] = await tcpPair()
  const { wrapped, other } = await joined({ transport: source }, [far, source])
  source.pipe(compose(wrapped, answering())).pipe(wrapped.outbound)
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
  t.match(await closed(wrapped), clean)
})

t.test('composed without a source it fails at the first byte, and says how to do it', async t => {
  const { wrapped, source, other } = await joined()
  const composed = compose(wrapped, answering())
  composed.on('error', () => {})
  source.pipe(composed)
  const error = await errorOf(wrapped)
  t.match(textOf(error), /^ERR_STALK_NO_SOURCE: .*source\.pipe\(wrapped\).*wrap\(\{ transport \}\)/)
  source.destroy()
  await within(other.outcome, 'other')
})

// --- the death of the source -----------------------------------------------------------------------------

const deaths: Record<string, { die(source: Duplex, far: Duplex): void; outcome: object; text: RegExp }> = {
  'the source fails': {
    die: source => void source.destroy(new Error('the cable is out')),
    outcome: { kind: 'reset', code: 'ERR_STALK_RESET' },
    text: /^ERR_STALK_RESET: the transport failed: the cable is out/
  },
  'the source is destroyed': {
    die: source => void source.destroy(),
    outcome: { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' },
    text: /^ERR_STALK_TRUNCATED: the transport ended /
  },
  'the peer sends FIN': {
    die: (_source, far) => void far.end(),
    outcome: { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' },
    text: /^ERR_STALK_TRUNCATED: the transport ended /
  },
  'the peer sends RST': {
    die: (_source, far) => reset(far),
    outcome: { kind: 'reset', code: 'ERR_STALK_RESET' },
    text: /^ERR_STALK_RESET: the transport failed: .*ECONNRESET/
  }
}

/** When the source dies, and how many messages were received before. */
const phases: Record<string, (joined: Joined) => Promise<void>> = {
  'before the first byte': async () => {},
  'during the handshake': async ({ wrapped, other }) => {
    await Promise.race([other.ready, until(() => asked, 'authorize')])
    if (wrapped.connection?.security) throw new Error('too late')
  },
  'after messages': async ({ wrapped, other }) => {
    await within(wrapped.ready, 'ready')
    const got = once(wrapped, 'data')
    await within(other.send('one'), 'send')
    await within(got, 'data')
  }
}

/** An authorize that is asked, and answers when it is told to. */
let asked = false
let answer: () => void = () => {}

function undecided(): Promise<boolean> {
  asked = true
  return new Promise(resolve => {
    answer = () => resolve(true)
  })
}

for (const [how, { die, outcome, text }] of Object.entries(deaths)) {
  for (const [when, reach] of Object.entries(phases)) {
    t.test(`${how} ${when}: an error, an outcome, and the replies are told`, async t => {
      asked = false
      const [far, source] = await tcpPair()
      const wrapped = stalk.wrap({
        identity: bob,
        ...(when === 'during the handshake' ? { authorize: undecided } : { peer: alice })
      })
      const early = when === 'before the first byte'
      const other = early ? null : stalk(far, { role: 'initiator', identity: alice, peer: bob })
      other?.on('error', () => {})
      source.pipe(wrapped).resume()
      const failed = errorOf(wrapped)
      const gone = closeOf(wrapped.outbound)
      if (other) await reach({ wrapped, source, other, far })
      const ended = once(source, 'end')
      ended.catch(() => {})
      die(source, far)
      if (how === 'the peer sends FIN') await ended.then(answer) // a verdict may still be given; then the end is seen
      t.match(textOf(await failed), text)
      t.match(await closed(wrapped), { ...outcome, received: when === 'after messages' ? 1 : 0 })
      await gone
      await t.rejects(wrapped.send('too late'), { code: 'ERR_STALK_NOT_WRITABLE' })
      t.equal(wrapped.destroyed, true)
      t.equal(source.destroyed, true)
      far.destroy()
    })
  }
}

for (const how of ['end', 'reset'] as const) {
  t.test(`a wire cut by ${how} inside a record of the handshake is no end`, async t => {
    const { wrapped, source, other } = await joined({ role: 'responder' }, meddledPair(cut(1_000, how)))
    const failed = errorOf(wrapped)
    source.pipe(wrapped).resume()
    const text = how === 'end' ? /^ERR_STALK_TRUNCATED: .*inside a record/ : /^ERR_STALK_RESET: .*ECONNRESET/
    t.match(textOf(await failed), text)
    t.match(await closed(wrapped), { kind: how === 'end' ? 'truncated' : 'reset', received: 0 })
    other.destroy()
  })
}

t.test('a source that was destroyed before it is piped in is refused', async t => {
  const { wrapped, source, far } = await joined()
  source.destroy()
  const failed = errorOf(wrapped)
  source.pipe(wrapped)
  t.match(textOf(await failed), /^ERR_STALK_INVALID_OPTION: .*ended already, or was destroyed/)
  far.destroy()
})

t.test('a source that dies after both goodbyes changes nothing', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).resume()
  const errors: Error[] = []
  wrapped.on('error', error => errors.push(error))
  other.end('one')
  await within(once(wrapped.outbound, 'finish'), 'our goodbye')
  source.destroy(new Error('late'))
  t.match(await closed(wrapped), { kind: 'clean', received: 1 })
  t.same(errors, [])
})

t.test('what came before the source died is still read, however slow the reader', async t => {
  const { wrapped, source, other, far } = await joined()
  source.pipe(wrapped)
  for (let n = 0; n < 600; n++) other.write(n)
  await within(other.flush(), 'flush')
  far.end()
  await within(once(source, 'end'), 'FIN')
  const got: unknown[] = []
  const loop = (async () => {
    for await (const message of wrapped) {
      got.push(message)
      if (got.length % 50 === 0) await turns(2)
    }
  })()
  await t.rejects(within(loop, 'the loop'), { code: 'ERR_STALK_TRUNCATED' })
  t.equal(got.length, 600)
  t.match(await closed(wrapped), { kind: 'truncated', received: 600 })
})

t.test('a wrapped stream that is destroyed takes its source along and tells the peer', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).resume()
  await within(wrapped.ready, 'ready')
  wrapped.destroy()
  t.match(await closed(wrapped), { kind: 'aborted' })
  t.match(await within(other.outcome, 'other'), { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  t.equal(source.destroyed, true)
})

// --- misuse ----------------------------------------------------------------------------------------------

t.test('options that do not exist are refused at once, by name', async t => {
  const unknown = { identiti: bob } as WrapOptions
  t.throws(() => stalk.wrap(unknown), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /^option identiti does not exist; there are .*identity/
  })
  t.throws(() => stalk.wrap({ role: 'server' as 'responder' }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /^option role must be 'initiator' or 'responder'/
  })
  t.throws(() => stalk.wrap({ transport: createReadStream(import.meta.filename) as unknown as Duplex }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /takes a duplex stream/
  })
})

t.test('a source that cannot be written is refused, and the text says what to do', async t => {
  const wrapped = stalk.wrap({ role: 'responder' })
  const failed = errorOf(wrapped)
  const file = createReadStream(import.meta.filename)
  file.pipe(wrapped)
  t.match(
    textOf(await failed),
    /^ERR_STALK_NO_SOURCE: .*read but not written.*pipe a duplex in.*wrap\(\{ transport \}\)/
  )
  file.destroy()
})

t.test('replies piped into wrap itself are refused, and the text names outbound', async t => {
  const { wrapped, source, other } = await joined()
  const failed = errorOf(wrapped)
  source.pipe(wrapped).pipe(answering()).pipe(wrapped)
  t.match(textOf(await failed), /^ERR_STALK_SECOND_SOURCE: .*wrapped\.outbound.*wrapped\.send\(\)/)
  t.match(await closed(wrapped), { kind: 'aborted', code: 'ERR_STALK_SECOND_SOURCE' })
  await within(other.outcome, 'other')
  t.equal(source.destroyed, true)
})

t.test('bytes without a source are refused, and the text names both ways', async t => {
  const wrapped = stalk.wrap({ role: 'responder' })
  const failed = errorOf(wrapped)
  wrapped.write(Buffer.from('bytes'))
  t.match(
    textOf(await failed),
    /^ERR_STALK_NO_SOURCE: .*source\.pipe\(wrapped\), or name the transport with wrap\(\{ transport \}\)/
  )
})

t.test('a duplex that does not tell who called needs a role, and the text says so', async t => {
  const [, source] = pair()
  const wrapped = stalk.wrap({ identity: bob })
  const failed = errorOf(wrapped)
  source.pipe(wrapped)
  t.match(
    textOf(await failed),
    /^ERR_STALK_ROLE_REQUIRED: .*'initiator' at one end, 'responder' at the other/
  )
})

t.test('a source that decodes its bytes to text is refused', async t => {
  const [, source] = pair()
  source.setEncoding('utf8')
  const wrapped = stalk.wrap({ identity: bob, role: 'responder' })
  const failed = errorOf(wrapped)
  source.pipe(wrapped)
  t.match(textOf(await failed), /^ERR_STALK_INVALID_OPTION: .*without setEncoding/)
})

t.test('piping the same source in again, or the transport that was named, is no second source', async t => {
  const [far, source] = await tcpPair()
  const { wrapped, other } = await joined({ transport: source }, [far, source])
  source.pipe(wrapped).pipe(answering()).pipe(wrapped.outbound)
  const { got } = await converse(other)
  t.same(got, answers)
})

t.test(
  'after a misuse nobody waits for ever: ready and send reject with it, closed is fulfilled',
  async t => {
    const wrapped = stalk.wrap({ role: 'responder' })
    wrapped.on('error', () => {})
    const sent = wrapped.send('early')
    const flushed = wrapped.flush()
    wrapped.write(Buffer.from('bytes'))
    await t.rejects(within(sent, 'send'), { code: 'ERR_STALK_NO_SOURCE' })
    await t.rejects(within(flushed, 'flush'), { code: 'ERR_STALK_NO_SOURCE' })
    await t.rejects(within(wrapped.ready, 'ready'), { code: 'ERR_STALK_NO_SOURCE' })
    t.match(await closed(wrapped), { kind: 'aborted', code: 'ERR_STALK_NO_SOURCE' })
    await t.rejects(within(wrapped.send('late'), 'send'), { code: 'ERR_STALK_NOT_WRITABLE' })
  }
)

t.test('with a transport that is named, the wire may come through a stage in between', async t => {
  const [far, source] = await tcpPair()
  const { wrapped, other } = await joined({ transport: source }, [far, source])
  source.pipe(new PassThrough()).pipe(wrapped).pipe(answering()).pipe(wrapped.outbound)
  const { got, outcome } = await converse(other)
  t.same(got, answers)
  t.match(outcome, clean)
})

t.test('closed is fulfilled last of all, after the close event', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).resume()
  let gone = false
  wrapped.on('close', () => {
    gone = true
  })
  other.end()
  await closed(wrapped)
  t.equal(gone, true)
})

t.test('destroy is over as soon as the peer hangs up', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped).resume()
  await within(wrapped.ready, 'ready')
  const ended = once(other.socket, 'close')
  wrapped.destroy()
  await ended
  await within(wrapped.outcome, 'closed', 500) // LINGER_MS is 1,000
  t.equal(source.destroyed, true)
})

t.test('no listener of ours is left on the source when all is over', async t => {
  const { wrapped, source, other } = await joined()
  const before = listenersOf(source)
  source.pipe(wrapped).resume()
  other.end()
  await closed(wrapped)
  await turns()
  t.same(listenersOf(source), before)
})

const listenersOf = (source: Duplex): Record<string, number> =>
  Object.fromEntries(
    source
      .eventNames()
      .map(name => [String(name), source.listenerCount(name)] as const)
      .filter(([name, count]) => count > 0 && name !== 'error')
  )

// --- backpressure ----------------------------------------------------------------------------------------

const CHUNK = { bytes: Buffer.alloc(10_000) }

/** Writes until the stream has said for a while that it is enough; gives how many messages that took. */
async function fill(into: Writable, most: number): Promise<number> {
  let written = 0
  while (written < most) {
    written += 1
    if (into.write(CHUNK)) continue
    const drained = await Promise.race([once(into, 'drain').then(() => true), turns(300).then(() => false)])
    if (!drained) break
  }
  return written
}

t.test('messages that nobody reads stop the peer within bounded memory, and then all arrive', async t => {
  const { wrapped, source, other } = await joined({ role: 'responder' }, pair())
  source.pipe(wrapped)
  const written = await fill(other, 2_000)
  t.ok(written < 1_000, `${written} messages of 10 kB were taken`)
  other.end()
  const got: unknown[] = []
  for await (const message of wrapped) got.push(message)
  t.equal(got.length, written)
  t.match(await closed(wrapped), { kind: 'clean', received: written })
})

t.test('a peer that does not read stops the replies within bounded memory, and then all arrive', async t => {
  const { wrapped, source, other } = await joined({ role: 'responder' }, pair())
  source.pipe(wrapped).resume()
  const written = await fill(wrapped.outbound, 2_000)
  t.ok(written < 1_000, `${written} messages of 10 kB were taken`)
  t.ok(source.writableLength < 1_000_000, `${source.writableLength} bytes wait in the source`)
  wrapped.outbound.end()
  const got: unknown[] = []
  for await (const message of other) got.push(message)
  t.equal(got.length, written)
  t.match(await closed(wrapped), { kind: 'clean', sent: written })
})

t.test('an app that takes its time slows the peer, and nothing is lost', async t => {
  const { wrapped, source, other } = await joined({ readableHighWaterMark: 1 })
  const slow = new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform: (message, _encoding, done) => void setImmediate(done, null, { answer: message })
  })
  source.pipe(wrapped).pipe(slow).pipe(wrapped.outbound)
  const got = collect(other)
  for (let n = 0; n < 1_000; n++) if (!other.write(n)) await once(other, 'drain')
  other.end()
  t.match(await closed(wrapped), { kind: 'clean', received: 1_000, sent: 1_000 })
  await within(other.outcome, 'other')
  t.same(
    got,
    Array.from({ length: 1_000 }, (_, n) => ({ answer: n }))
  )
})

t.test('disposed of, it says goodbye, drops what is unread, and is over when both have', async t => {
  const { wrapped, source, other } = await joined()
  source.pipe(wrapped)
  collect(other)
  await wrapped.send('the last')
  await other.send('unread')
  await wrapped[Symbol.asyncDispose]()
  t.match(await closed(wrapped), { kind: 'clean', sent: 1, acknowledged: 1 })
  t.match(await within(other.outcome, 'other'), { kind: 'clean', received: 1 })
  const idle = stalk.wrap({ role: 'responder' })
  await within(idle[Symbol.asyncDispose](), 'disposing of what had no source')
  t.ok(idle.destroyed)
})
