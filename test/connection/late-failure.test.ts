// A failure waits until what came before it has been read, and no longer than it is allowed to.

import t from 'tap'
import { LateFailure } from '../../lib/connection/late-failure.ts'
import { turns } from '../helpers/pair.ts'

interface Fake {
  left: number
  readonly destroyed: Error[]
  unread(): number
  destroy(error: Error): void
}

function holder(length: number): Fake {
  const destroyed: Error[] = []
  const fake: Fake = {
    left: length,
    destroyed,
    unread: () => fake.left,
    destroy: error => void destroyed.push(error)
  }
  return fake
}

const first = new Error('first')
const better = new Error('better')

t.test('where nothing is left to read it comes at once', async t => {
  const stream = holder(0)
  const failure = new LateFailure(stream, 60_000)
  t.equal(failure.error, null)
  failure.settle(first)
  t.same(stream.destroyed, [first])
  t.equal(failure.error, first)
  failure.over()
})

t.test('where something is left it comes when that was read, behind the last of it', async t => {
  const stream = holder(2)
  const failure = new LateFailure(stream, 60_000)
  failure.settle(first)
  stream.left = 1
  failure.onRead()
  await turns()
  t.same(stream.destroyed, [])
  stream.left = 0
  failure.onRead()
  t.same(stream.destroyed, [], 'not while the last one is handed over')
  await turns(1)
  t.same(stream.destroyed, [first])
  failure.over()
})

t.test('announced, it waits for what is still on its way, and for a better reason', async t => {
  const stream = holder(1)
  const failure = new LateFailure(stream, 60_000)
  failure.announce(first)
  t.equal(failure.error, first)
  stream.left = 0
  failure.onRead()
  await turns()
  t.same(stream.destroyed, [])
  failure.settle(better)
  t.same(stream.destroyed, [better])
  failure.settle(first)
  failure.announce(first)
  t.equal(failure.error, better, 'what was settled stays')
  failure.over()
})

t.test('a reader that has gone for good does not hold it up for ever', async t => {
  for (const how of ['announce', 'settle'] as const) {
    const stream = holder(3)
    const failure = new LateFailure(stream, 20)
    failure[how](first)
    const waiting = Date.now() + 10_000
    while (stream.destroyed.length === 0 && Date.now() < waiting) await turns(1)
    t.same(stream.destroyed, [first], how)
    failure.over()
  }
})

t.test('behind the end of the stream no failure is waited for', async t => {
  const stream = holder(3)
  const failure = new LateFailure(stream, 1)
  failure.over()
  failure.announce(first)
  failure.settle(first)
  await new Promise(resolve => setTimeout(resolve, 20))
  t.same([stream.destroyed, failure.error], [[], null])
})

t.test('without a failure reading changes nothing', async t => {
  const stream = holder(0)
  new LateFailure(stream, 1).onRead()
  await turns()
  t.same(stream.destroyed, [])
})
