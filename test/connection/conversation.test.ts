// A good day: what is written arrives, in every mode and suite, in the order and with the events that people
// expect of a stream.

import { once } from 'node:events'
import { type PassThrough, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import t from 'tap'
import { Identity, type StalkOptions, SUITES, type SuiteName } from '../../lib/index.ts'
import type { Fault } from '../../lib/testing/index.ts'
import { alice, bob, collect, two } from '../helpers/pair.ts'

const rsa = await Identity.generate()
const suites = Object.keys(SUITES) as SuiteName[]
const message = { text: 'hello', at: new Date(0), big: 2n ** 70n, bytes: Buffer.from('bytes'), zero: -0 }

const modes: Record<string, [StalkOptions, StalkOptions]> = {
  mutual: [{}, {}],
  'responder-only': [{ identity: null }, { authorize: () => true }],
  'initiator-only': [{ peer: 'anyone' }, { identity: null }],
  anonymous: [
    { identity: null, peer: 'anyone' },
    { identity: null, authorize: () => true }
  ]
}

for (const suite of suites) {
  for (const [mode, [initiator, responder]] of Object.entries(modes)) {
    t.test(`${mode} with ${suite}: both ends agree, and messages go both ways`, async t => {
      const ends = two({
        initiator: { suites: [suite], ...initiator },
        responder: { suites: [suite], ...responder }
      })
      const [asked, answered] = [collect(ends.responder), collect(ends.initiator)]
      ends.responder.on('data', () => ends.responder.write('answer'))
      await ends.initiator.send(message)
      ends.initiator.end()
      const [a, b] = await Promise.all([ends.initiator.outcome, ends.responder.outcome])
      t.same(asked, [message])
      t.same(answered, ['answer'])
      t.match(a, { kind: 'clean', sent: 1, acknowledged: 1, received: 1, unsent: 0 })
      t.match(b, { kind: 'clean', sent: 1, acknowledged: 1, received: 1, unsent: 0 })
      const [mine, theirs] = [ends.initiator.security, ends.responder.security]
      t.match(mine, { mode, suite, version: 'stalk/1', role: 'initiator', resumed: false })
      t.match(theirs, { mode, suite, role: 'responder', sessionId: mine?.sessionId })
      t.equal(mine?.selfAuthenticated, theirs?.peerAuthenticated)
      t.equal(ends.initiator.cipher, suite)
      t.ok(Object.isFrozen(mine))
    })
  }
}

t.test('RSA identities are as good as Ed25519 ones, and may meet', async t => {
  for (const [mine, theirs] of [
    [rsa, bob],
    [alice, rsa],
    [rsa, rsa]
  ] as const) {
    const { initiator, responder } = two({
      initiator: { identity: mine, peer: theirs.fingerprint },
      responder: { identity: theirs, authorize: peer => peer?.fingerprint === mine.fingerprint }
    })
    await Promise.all([initiator.ready, responder.ready])
    t.equal(initiator.peerIdentity?.fingerprint, theirs.fingerprint)
    t.equal(responder.peerIdentity?.fingerprint, mine.fingerprint)
    t.equal(initiator.identity, mine)
    initiator.end()
    t.equal((await initiator.outcome).kind, 'clean')
  }
})

t.test('an initiator that names nobody has a peer that is only claimed', async t => {
  const { initiator, responder } = two({ initiator: { peer: 'anyone' } })
  await initiator.ready
  t.equal(initiator.peerIdentity, null)
  t.equal(initiator.security?.peerAuthenticated, false)
  t.equal(initiator.claimedPeerIdentity?.fingerprint, bob.fingerprint)
  initiator.end()
  await responder.outcome
})

t.test('events come in the order secure, data, end, close, closed', async t => {
  const { initiator, responder } = two()
  const events: string[] = []
  for (const event of ['secure', 'data', 'end', 'close'] as const)
    responder.on(event, () => events.push(event))
  initiator.end('only')
  await responder.outcome.then(() => events.push('closed'))
  t.same(events, ['secure', 'data', 'end', 'close', 'closed'])
})

t.test('early writes are held until the peer is verified, and write says when it is enough', async t => {
  const { initiator, responder } = two({ initiator: { writableHighWaterMark: 4 } })
  const got = collect(responder)
  const answers = [1, 2, 3, 4, 5].map(n => initiator.write(n))
  t.same(answers, [true, true, true, false, false])
  t.same(got, [])
  await once(initiator, 'drain')
  initiator.end()
  await responder.outcome
  t.same(got, [1, 2, 3, 4, 5])
})

t.test('messages of one tick share a record', async t => {
  let application = 0
  const count: Fault = (chunk, _at, wire) => {
    if (chunk[0] === 0xe4) application += 1
    wire.pass(chunk)
  }
  const { initiator, responder } = two({ there: count })
  const got = collect(responder)
  await initiator.ready
  for (let n = 0; n < 100; n++) initiator.write({ n })
  await initiator.flush()
  t.equal(application, 1)
  initiator.end()
  await responder.outcome
  t.equal(got.length, 100)
})

t.test('corked messages stay together over ticks', async t => {
  const { initiator, responder } = two()
  const got = collect(responder)
  await initiator.ready
  initiator.cork()
  initiator.write(1)
  await sleep(5)
  initiator.write(2)
  t.same(got, [])
  initiator.uncork()
  initiator.end()
  await responder.outcome
  t.same(got, [1, 2])
})

t.test('a message of megabytes arrives whole between small ones', async t => {
  const { initiator, responder } = two()
  const big = Buffer.alloc(5 * 1024 * 1024, 'stalk')
  const got = collect(responder)
  initiator.write('before')
  initiator.write(big)
  initiator.end('behind')
  await responder.outcome
  t.equal(got.length, 3)
  t.ok(big.equals(got[1] as Buffer))
  t.equal(got[2], 'behind')
})

t.test('answers to the last message are not lost: piped, in a loop, awaited', async t => {
  const slow = (): Transform =>
    new Transform({
      objectMode: true,
      transform: (message, _encoding, done) => void setTimeout(() => done(null, { re: message }), 2)
    })
  const servers: Record<string, (c: ReturnType<typeof two>['responder']) => unknown> = {
    pipe: c => c.pipe(slow()).pipe(c),
    loop: async c => {
      for await (const message of c) {
        await sleep(2)
        await c.send({ re: message })
      }
    },
    'a generator in a pipeline': c =>
      pipeline(
        c,
        async function* (source: AsyncIterable<unknown>) {
          for await (const message of source) {
            await sleep(2)
            yield { re: message }
          }
        },
        c as unknown as PassThrough
      )
  }
  for (const [name, serve] of Object.entries(servers)) {
    const { initiator, responder } = two()
    serve(responder)
    const got = collect(initiator)
    for (const n of [1, 2, 3]) initiator.write(n)
    initiator.end()
    t.match(await initiator.outcome, { kind: 'clean', received: 3 }, name)
    t.same(got, [{ re: 1 }, { re: 2 }, { re: 3 }], name)
  }
})

t.test('with allowHalfOpen our direction stays open until we end it', async t => {
  const { initiator, responder } = two({ responder: { allowHalfOpen: true } })
  const got = collect(initiator)
  responder.resume()
  initiator.end()
  await once(responder, 'end')
  await sleep(20)
  t.equal(responder.writable, true)
  responder.end('late')
  t.equal((await initiator.outcome).kind, 'clean')
  t.same(got, ['late'])
})

t.test('a message that cannot be carried is refused alone', async t => {
  const { initiator, responder } = two({ responder: { maxMessage: 1000 } })
  const got = collect(responder)
  const refused: unknown[] = []
  initiator.on('messageError', (error, message) => refused.push([error.code, message]))
  await initiator.ready
  const cyclic: { self?: unknown } = {}
  cyclic.self = cyclic
  await t.rejects(
    initiator.send(() => {}),
    { code: 'ERR_STALK_VALUE_UNSUPPORTED', message: /function/ }
  )
  await t.rejects(initiator.send(cyclic), { code: 'ERR_STALK_VALUE_UNSUPPORTED', message: /cycle/ })
  await t.rejects(initiator.send(Buffer.alloc(2000)), {
    code: 'ERR_STALK_MESSAGE_TOO_LARGE',
    message: /1000/
  })
  await t.rejects(initiator.send(undefined), {
    code: 'ERR_STALK_VALUE_UNSUPPORTED',
    message: /not a message/
  })
  t.throws(() => initiator.write(null), { code: 'ERR_STREAM_NULL_VALUES' })
  initiator.write('one')
  initiator.write(Symbol.iterator)
  initiator.end('two')
  t.match(await initiator.outcome, { kind: 'clean', sent: 2, acknowledged: 2, unsent: 0 })
  t.same(got, ['one', 'two'])
  t.same(refused, [['ERR_STALK_VALUE_UNSUPPORTED', Symbol.iterator]])
})

t.test('both ends export the same keys, for each label and context others', async t => {
  const { initiator, responder } = two()
  t.throws(() => initiator.exportKeyingMaterial('a', 'b', 32), {
    code: 'ERR_STALK_NOT_READY',
    message: /no keys/
  })
  await Promise.all([initiator.ready, responder.ready])
  const mine = initiator.exportKeyingMaterial('label', 'context', 48)
  t.same(mine, responder.exportKeyingMaterial('label', Buffer.from('context'), 48))
  t.equal(mine.length, 48)
  t.notSame(mine, initiator.exportKeyingMaterial('label', 'other', 48))
  t.notSame(mine, initiator.exportKeyingMaterial('other', 'context', 48))
  initiator.destroy()
  await responder.outcome
})

t.test('a connection that is printed shows no key', async t => {
  const { initiator, responder } = two()
  await initiator.ready
  const secret = initiator.exportKeyingMaterial('x', '', 32).toString('hex')
  const pem = alice.privatePem().split('\n')[1] ?? '-'
  const shown = inspect(initiator, { depth: 8, showHidden: true })
  for (const key of [secret, pem]) t.notMatch(shown, key)
  initiator.destroy()
  await responder.outcome
})

t.test('a reader that is slow slows the writer, and nothing is lost', async t => {
  const { initiator, responder } = two({ responder: { readableHighWaterMark: 2 } })
  const received: number[] = []
  const reading = (async () => {
    for await (const message of responder) {
      received.push(message as number)
      if (received.length % 100 === 0) await sleep(1)
    }
  })()
  for (let n = 0; n < 3000; n++) if (!initiator.write(n)) await once(initiator, 'drain')
  initiator.end()
  await reading
  t.same(
    received,
    Array.from({ length: 3000 }, (_, n) => n)
  )
})

t.test('a reader that never reads stops the writer within bounded memory', async t => {
  const { initiator, responder } = two()
  responder.pause()
  await initiator.ready
  let written = 0
  let blocked = false
  while (!blocked && written < 10_000) {
    written += 1
    if (initiator.write(Buffer.alloc(4096))) continue
    const drained = await Promise.race([once(initiator, 'drain'), sleep(300, null)])
    blocked = drained === null
  }
  t.ok(blocked)
  t.ok(written * 4096 < 5 * 1024 * 1024, `${written} messages of 4 KiB were taken`)
  initiator.destroy()
  t.match(await initiator.outcome, { kind: 'aborted', acknowledged: null })
  responder.destroy()
  await responder.outcome
})
