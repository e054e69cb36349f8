// When the peer has said goodbye: who is still at the answers is waited for, and then our goodbye follows by itself,
// so that no answer is lost and no connection lingers. Every way in which programs read and answer.

import { once } from 'node:events'
import { pipeline, Readable, Transform } from 'node:stream'
import { pipeline as pipelined } from 'node:stream/promises'
import t from 'tap'
import type { Connection, Outcome } from '../../lib/index.ts'
import { collect, type EndsOptions, open, turns, within } from '../helpers/pair.ts'

const questions = ['one', 'two', 'three']
const answers = questions.map(question => ({ to: question }))

interface Asked {
  /** What came back, to the last. */
  readonly got: unknown[]
  /** How it ended where it was asked, and where it was answered. */
  readonly outcomes: [Outcome, Outcome]
}

type Answering = (answerer: Connection) => unknown

/** Asks all questions, says goodbye, and sees what comes back; how they are answered is what is tested. */
async function ask(answering: Answering, options: EndsOptions = {}): Promise<Asked> {
  const { initiator, responder } = await open(options)
  const got = collect(initiator)
  const done = answering(responder)
  for (const question of questions) initiator.write(question)
  initiator.end()
  const outcomes = await within(Promise.all([initiator.outcome, responder.outcome]), 'closed')
  await done
  return { got, outcomes }
}

const clean: [object, object] = [
  { kind: 'clean', sent: 3, received: 3, unsent: 0 },
  { kind: 'clean', sent: 3, received: 3, unsent: 0 }
]

/** Answers each question, some turns of the event loop later. */
const slow = (): Transform =>
  new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(question, _encoding, done) {
      turns(30).then(() => done(null, { to: question }))
    }
  })

const passing = (): Transform =>
  new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform(message, _encoding, done) {
      turns(10).then(() => done(null, message))
    },
    // Also the end takes its time.
    flush(done) {
      turns(30).then(() => done())
    }
  })

async function* answered(source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const question of source) {
    await turns(30)
    yield { to: question }
  }
}

/** Every way to answer that is waited for. */
const ways: Record<string, Answering> = {
  'a data handler that answers at once': answerer =>
    answerer.on('data', question => answerer.write({ to: question })),
  'a data handler that sends': answerer =>
    answerer.on('data', question => answerer.send({ to: question }).catch(t.fail)),
  'a loop that takes its time': async answerer => {
    for await (const question of answerer) {
      await turns(30)
      await answerer.send({ to: question })
    }
  },
  'a loop that ends the connection itself': async answerer => {
    for await (const question of answerer) answerer.write({ to: question })
    await turns(1)
    answerer.end()
  },
  'a loop that collects, and answers when it is left': async answerer => {
    const asked: unknown[] = []
    for await (const question of answerer) asked.push(question)
    for (const question of asked) answerer.write({ to: question })
  },
  'pipes through slow transforms': answerer =>
    answerer.pipe(slow()).pipe(passing()).pipe(passing()).pipe(answerer),
  'a pipeline with a callback and a generator': answerer =>
    new Promise<void>((resolve, reject) =>
      pipeline([answerer, answered, answerer] as never, (error: Error | null) =>
        error ? reject(error) : resolve()
      )
    ),
  'a pipeline of promises with a generator': answerer => pipelined([answerer, answered, answerer] as never),
  'a pipeline through slow transforms': answerer => pipelined(answerer, slow(), passing(), answerer),
  'a pipeline whose last stage is a function': answerer =>
    pipelined(answerer, async (source: AsyncIterable<unknown>) => {
      for await (const answer of answered(source)) await answerer.send(answer)
    }),
  'a stream of answers that is piped in later': async answerer => {
    const asked: unknown[] = []
    answerer.on('data', question => asked.push(question))
    await once(answerer, 'end')
    Readable.from(asked.map(question => ({ to: question }))).pipe(answerer)
  },
  'an end handler': answerer => {
    const asked: unknown[] = []
    answerer.on('data', question => asked.push(question))
    answerer.on('end', () => {
      for (const question of asked) answerer.write({ to: question })
    })
  }
}

for (const [name, answering] of Object.entries(ways)) {
  t.test(`${name}: all answers arrive, and the goodbye follows by itself`, async t => {
    const { got, outcomes } = await ask(answering)
    t.same(got, answers)
    t.match(outcomes, clean)
  })
}

t.test('who only reads ends by itself, in every way of reading', async t => {
  const readers: Record<string, Answering> = {
    resume: answerer => answerer.resume(),
    data: answerer => answerer.on('data', () => {}),
    'a loop': async answerer => {
      for await (const _ of answerer);
    },
    'a pipe': answerer => answerer.pipe(passing()).resume(),
    toArray: answerer => answerer.toArray()
  }
  for (const [name, reading] of Object.entries(readers)) {
    const { got, outcomes } = await ask(reading)
    t.same(got, [], name)
    t.match(outcomes, [
      { kind: 'clean', sent: 3, acknowledged: 3 },
      { kind: 'clean', received: 3 }
    ])
  }
})

t.test('a readable handler ends by itself when all is read', async t => {
  const { got, outcomes } = await ask(answerer =>
    answerer.on('readable', () => {
      for (let question = answerer.read(); question !== null; question = answerer.read()) {
        answerer.write({ to: question })
      }
    })
  )
  t.same(got, answers)
  t.match(outcomes, clean)
})

t.test('what is not read yet holds our goodbye back, however long', async t => {
  const { initiator, responder } = await open()
  initiator.resume()
  for (const question of questions) initiator.write(question)
  initiator.end()
  await turns(100)
  t.equal(initiator.readableEnded, false)
  t.same([responder.read(), responder.read(), responder.read()], questions)
  responder.read()
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', received: 3 })
  t.match(await within(initiator.outcome, 'closed'), { kind: 'clean', acknowledged: 3 })
})

t.test('a body of the loop that hangs on for long after the end is waited for', async t => {
  const { initiator, responder } = await open()
  const got = collect(initiator)
  const answering = (async () => {
    for await (const question of responder) {
      await turns(200)
      await responder.send({ to: question })
    }
    await responder.send('a last word') // in the same turn in which the loop is left
  })()
  await within(initiator.send('one'), 'send')
  initiator.end()
  await turns(50)
  t.equal(initiator.readableEnded, false)
  t.match(await within(initiator.outcome, 'closed'), { kind: 'clean', received: 2 })
  await answering
  t.same(got, [{ to: 'one' }, 'a last word'])
})

t.test('who waits for drain is at the answers, however many there are', async t => {
  const { initiator, responder } = await open({ responder: { writableHighWaterMark: 4 } })
  const got = collect(initiator)
  const many = Array.from({ length: 2_000 }, (_, n) => n)
  responder.on('data', async () => {
    for (const n of many) if (!responder.write(n)) await once(responder, 'drain')
  })
  initiator.end('all of them')
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', sent: 2_000 })
  await within(initiator.outcome, 'closed')
  t.same(got, many)
})

t.test('a stream that is unpiped is not waited for any more', async t => {
  const { initiator, responder } = await open()
  const endless = new Readable({ objectMode: true, read() {} })
  endless.pipe(responder)
  responder.resume()
  initiator.resume()
  initiator.end()
  await within(once(responder, 'end'), 'end')
  await turns(50)
  t.equal(responder.writableEnded, false)
  endless.unpipe(responder)
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean' })
  t.match(await within(initiator.outcome, 'closed'), { kind: 'clean' })
})

t.test('two streams that are piped in are both waited for', async t => {
  const { initiator, responder } = await open()
  const got = collect(initiator)
  const [first, second] = [0, 1].map(() => new Readable({ objectMode: true, read() {} })) as [
    Readable,
    Readable
  ]
  for (const source of [first, second]) source.pipe(responder, { end: false })
  responder.resume()
  initiator.end()
  await within(once(responder, 'end'), 'end')
  first.push('from the first')
  first.push(null)
  first.unpipe(responder)
  await turns(50)
  t.equal(responder.writableEnded, false)
  second.push('from the second')
  await turns(10)
  second.unpipe(responder)
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', sent: 2 })
  await within(initiator.outcome, 'closed')
  t.same(got, ['from the first', 'from the second'])
})

t.test('an answer that a data handler has only later comes too late, and is told so', async t => {
  const { initiator, responder } = await open()
  const got = collect(initiator)
  const late = new Promise<unknown>(resolve => {
    responder.on('data', async question => {
      await turns(100)
      resolve(await responder.send({ to: question }).catch((error: Error) => error))
    })
  })
  initiator.end('one')
  t.match(await within(late, 'the answer'), { code: 'ERR_STALK_NOT_WRITABLE', message: /^cannot send/ })
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', sent: 0, received: 1 })
  await within(initiator.outcome, 'closed')
  t.same(got, [])
})

t.test('with allowHalfOpen such an answer is in time, and the end is ours to say', async t => {
  const { initiator, responder } = await open({ responder: { allowHalfOpen: true } })
  const got = collect(initiator)
  responder.on('data', async question => {
    await turns(200)
    await responder.send({ to: question })
    responder.end()
  })
  initiator.end('one')
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', sent: 1, received: 1 })
  t.match(await within(initiator.outcome, 'closed'), { kind: 'clean', received: 1 })
  t.same(got, [{ to: 'one' }])
})

for (const [name, answering] of Object.entries(ways)) {
  t.test(`with allowHalfOpen, ${name}: nothing is different but the end`, async t => {
    const options: EndsOptions = { responder: { allowHalfOpen: true } }
    const { got, outcomes } = await ask(async answerer => {
      answerer.on('end', () => turns(300).then(() => answerer.end()))
      await answering(answerer)
    }, options)
    t.same(got, answers)
    t.match(outcomes, clean)
  })
}

t.test('who says goodbye first still reads all that comes', async t => {
  const { initiator, responder } = await open({ responder: { allowHalfOpen: true } })
  const got = collect(initiator)
  initiator.end()
  for (const answer of answers) {
    await turns(20)
    await within(responder.send(answer), 'send')
  }
  responder.end()
  responder.resume()
  t.match(await within(initiator.outcome, 'closed'), { kind: 'clean', received: 3 })
  t.match(await within(responder.outcome, 'closed'), { kind: 'clean', sent: 3, acknowledged: 3 })
  t.same(got, answers)
})

t.test('both ends may say goodbye at once', async t => {
  const { initiator, responder } = await open()
  const [here, there] = [collect(initiator), collect(responder)]
  initiator.end('from the initiator')
  responder.end('from the responder')
  const both = { kind: 'clean', sent: 1, received: 1, acknowledged: 1 }
  t.match(await within(Promise.all([initiator.outcome, responder.outcome]), 'closed'), [both, both])
  t.same([here, there], [['from the responder'], ['from the initiator']])
})

t.test('a loop that is left before the end aborts, as with any stream of node', async t => {
  const { initiator, responder } = await open()
  initiator.resume()
  initiator.write('one')
  initiator.write('two')
  for await (const question of responder) {
    t.equal(question, 'one')
    break
  }
  t.match(await within(responder.outcome, 'closed'), { kind: 'aborted' })
  t.match(await within(initiator.outcome, 'closed'), { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
})

t.test('a pipeline whose generator throws ends the connection with its error', async t => {
  const { initiator, responder } = await open()
  initiator.resume()
  const failure = new Error('no answer to that')
  const done = pipelined([
    responder,
    // biome-ignore lint/correctness/useYield: it throws first
    async function* (source: AsyncIterable<unknown>) {
      for await (const _ of source) throw failure
    },
    responder
  ] as never)
  done.catch(() => {})
  initiator.write('one')
  await t.rejects(within(done, 'the pipeline'), failure)
  t.match(await within(responder.outcome, 'closed'), { kind: 'aborted' })
  t.match(await within(initiator.outcome, 'closed'), { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
})
