// Shapes between two of the reference and between stalk and the reference, both ways over TCP. The reference announces a
// key set at once, or when it comes for the second time; stalk when it has met it often.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { type Connection, SUITES, type SuiteName } from '../../lib/index.ts'
import {
  type Args,
  argsOf,
  type Meet,
  makeKeys,
  type Ours,
  optionsOf,
  weConnect,
  weListen
} from './meeting.ts'
import { describe } from './notation.ts'
import { type Job, Reference, requirePython, runPython } from './reference.ts'
import { samples } from './samples.ts'

requirePython(t)

const dir = t.testdir()
const keys = await makeKeys('ed25519', dir)
const py = new Reference()
t.teardown(() => py.stop())

const suiteNames = Object.keys(SUITES) as SuiteName[]
const MOST = 32
/** More often than stalk waits. */
const OFTEN = 40

interface End {
  readonly meet: Meet
  readonly ours: Ours
}

const bothWays = (body: (t: Test, end: End) => Promise<void>) => async (t: Test) => {
  for (const [name, meet, role] of [
    ['stalk listens', weListen, 'responder'],
    ['stalk connects', weConnect, 'initiator']
  ] as const) {
    await t.test(name, t => body(t, { meet, ours: optionsOf('mutual', role, keys) }))
  }
}

async function take(conn: Connection, count: number): Promise<unknown[]> {
  const messages: unknown[] = []
  const all = new Promise<void>(resolve =>
    conn.on('data', message => {
      if (messages.push(message) === count) resolve()
    })
  )
  await Promise.race([all, once(conn, 'close')])
  return messages
}

async function shown(job: Job, count: number): Promise<unknown[]> {
  const values: unknown[] = []
  while (values.length < count) values.push((await job.take('message')).value)
  return values
}

const mutual = argsOf('mutual', keys)
const sends = (messages: readonly unknown[]): Args =>
  messages.flatMap(message => ['--send', JSON.stringify(describe(message))])

/** Objects in one another, in arrays and sets, with the numbers that shapes take the place of. */
const nested = (i: number): unknown => ({
  id: i % 128,
  at: {
    x: 64,
    y: 127,
    more: [
      { id: 63, at: null },
      { id: 128, at: new Set([{ x: i, y: -0 }]) }
    ]
  },
  big: 2n ** 70n,
  when: new Date(i)
})
const NESTED = Array.from({ length: OFTEN }, (_, i) => nested(i))

/** More key sets than there may be shapes, each of them twice. */
const MANY = Array.from({ length: 2 * (MOST + 8) }, (_, i) => ({
  [`key${i >> 1}`]: 60 + (i % 70),
  same: true
}))

const NUMBERS = Array.from({ length: 140 }, (_, i) => i)

t.test('the reference announces, takes and refuses shapes as section 21.5 says', async t => {
  const { status, output } = runPython('check_shapes.py')
  t.match(output, /^\d{3,} checked, 0 failed\n$/)
  t.equal(status, 0)
})

t.test(
  'two of the reference write each other objects of shapes, across key updates, in every suite',
  async t => {
    for (const i of suiteNames.keys()) {
      const args = [...argsOf('anonymous', keys), '--suite', i + 1, '--shapes', 1, '--update-every', 3]
      const listening = py.run('listen', '--echo', ...args)
      const messages = [...NESTED.slice(0, 4), 64, NUMBERS]
      const connecting = py.run(
        'connect',
        ...['--port', await listening.port(), '--show', '--close', 'first'],
        ...args,
        ...sends(messages)
      )
      for (const job of [connecting, listening]) await job.take('secure')
      t.strictSame(await shown(connecting, messages.length), messages.map(describe))
      for (const job of [connecting, listening])
        t.match(await job.take('end'), {
          kind: 'clean',
          received: messages.length,
          shapes: 4,
          peer_shapes: 4
        })
    }
  }
)

t.test(
  'objects of shapes that stalk has announced are the same at the reference, and again when they come back as its own',
  bothWays(async (t, { meet, ours }) => {
    for (const [i, suite] of suiteNames.entries()) {
      const args = [...mutual, '--suite', i + 1, '--show', '--echo', '--shapes', 2]
      const { conn, job } = await meet(t, py, { ...ours, suites: [suite] }, args)
      const messages = [...NESTED, NUMBERS, ...NESTED, 64, 127, { id: 64, at: 127 }]
      const back = take(conn, messages.length)
      for (const message of messages) await conn.send(message)
      await job.take('secure')
      t.strictSame(await shown(job, messages.length), messages.map(describe))
      t.strictSame((await back).map(describe), messages.map(describe))
      conn.end()
      t.match(await conn.outcome, { kind: 'clean', received: messages.length, acknowledged: messages.length })
      const { shapes, peer_shapes } = (await job.take('end')) as unknown as Record<string, number>
      t.equal(shapes, 4)
      t.equal(peer_shapes, 4)
    }
  })
)

t.test(
  'stalk and the reference announce all that there is room for, and more key sets come with their keys',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours, [...mutual, '--show', '--echo', '--shapes', 1])
    const messages = Array.from({ length: OFTEN }, () => MANY.filter((_, i) => i % 2)).flat()
    const back = take(conn, messages.length)
    for (let at = 0; at < messages.length; at += 50) {
      const some = messages.slice(at, at + 50)
      await Promise.all(some.map(message => conn.send(message)))
    }
    await job.take('secure')
    t.strictSame(await shown(job, messages.length), messages.map(describe))
    t.strictSame((await back).map(describe), messages.map(describe))
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', received: messages.length })
    t.match(await job.take('end'), { kind: 'clean', shapes: MOST, peer_shapes: MOST })
  })
)

t.test(
  'a value of every type in an object of a shape is the same at the other end, and again when it comes back',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours, [...mutual, '--show', '--echo', '--shapes', 1])
    const teach = Array.from({ length: OFTEN }, () => ({ value: 0, beside: 0 }))
    const objects = samples
      .filter(sample => !isDeep(sample))
      .map(value => ({ value, beside: [{ value, beside: 64 }] }))
    const back = take(conn, teach.length + objects.length)
    for (const message of [...teach, ...objects]) await conn.send(message)
    await job.take('secure')
    t.strictSame((await shown(job, teach.length + objects.length)).slice(teach.length), objects.map(describe))
    t.strictSame((await back).slice(teach.length).map(describe), objects.map(describe))
    conn.end()
    t.match(await conn.outcome, { kind: 'clean' })
  })
)

/** Nested as deep as there may be. */
const isDeep = (value: unknown): boolean => JSON.stringify(describe(value)).startsWith('{"a":[{"a":[')

t.test(
  'objects of shapes that the reference has announced are the same here, 32 of them, across key updates and back',
  bothWays(async (t, { meet, ours }) => {
    const messages = [...MANY, NUMBERS, ...NESTED.slice(0, 8)]
    const args = [...mutual, '--show', '--shapes', 2, '--update-every', 7, ...sends(messages)]
    const { conn, job } = await meet(t, py, ours, args)
    const received = await take(conn, messages.length)
    await job.take('secure')
    t.strictSame(received.map(describe), messages.map(describe))
    for (const message of received) await conn.send(message)
    t.strictSame(await shown(job, messages.length), messages.map(describe))
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', received: messages.length })
    t.match(await job.take('end'), { kind: 'clean', acknowledged: messages.length, shapes: MOST })
  })
)

t.test(
  'an object of a shape that is longer than a record passes in both directions',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours, [...mutual, '--echo', '--shapes', 1])
    const long = {
      text: 'ü'.repeat(100_000),
      list: Array.from({ length: 20_000 }, (_, i) => ({ n: i, m: 64 }))
    }
    const back = take(conn, OFTEN)
    for (let i = 0; i < OFTEN; i++)
      await conn.send(i < OFTEN - 1 ? { text: '', list: [{ n: i, m: i }] } : long)
    t.strictSame((await back).at(-1), long)
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', acknowledged: OFTEN, received: OFTEN })
    await job.take('secure')
    t.match(await job.take('end'), { kind: 'clean', shapes: 2, peer_shapes: 2 })
  })
)

t.test('early data of the reference may announce shapes and use them', async t => {
  const early = NESTED.slice(0, 3).flatMap(message => ['--early', JSON.stringify(describe(message))])
  const args = [...mutual, '--shapes', 1, ...early, ...sends([nested(3)])]
  const { conn, job } = await weListen(t, py, optionsOf('mutual', 'responder', keys), args)
  t.strictSame((await take(conn, 4)).map(describe), NESTED.slice(0, 4).map(describe))
  conn.end()
  t.match(await conn.outcome, { kind: 'clean', received: 4 })
  await job.take('secure')
  t.match(await job.take('end'), { kind: 'clean', sent: 4, acknowledged: 4, shapes: 4 })
})
