// The inbox: how much waits, when that is enough, and in which order it is given away.

import t from 'tap'
import { Inbox } from '../../lib/connection/inbox.ts'
import { INBOX_BYTES } from '../../lib/constants.ts'
import { Arrived } from '../../lib/wire/message.ts'

/** Takes so many, and wants no more then. */
function taking(most: number): { take(message: unknown): boolean; taken: unknown[] } {
  const taken: unknown[] = []
  return {
    taken,
    take: message => {
      taken.push(message)
      return taken.length < most
    }
  }
}

t.test('messages come out in order, as far as they are wanted', async t => {
  const inbox = new Inbox()
  inbox.fill(new Arrived([1, 2, 3], 10))
  inbox.fill(new Arrived([4], 10))
  inbox.fill(new Arrived([5, 6], 10))
  t.same([inbox.arrived, inbox.waiting], [6, 6])
  const some = taking(2)
  t.equal(inbox.empty(some.take), false)
  t.same([some.taken, inbox.waiting], [[1, 2], 4])
  const more = taking(2)
  t.equal(inbox.empty(more.take), false)
  t.same([more.taken, inbox.waiting], [[3, 4], 2])
  const rest = taking(9)
  t.equal(inbox.empty(rest.take), true, 'and more would be taken')
  t.same([rest.taken, inbox.waiting, inbox.arrived], [[5, 6], 0, 6])
  t.equal(inbox.empty(rest.take), true)
})

t.test('it is full beyond 256 KiB, whatever the messages, and not before', async t => {
  const inbox = new Inbox()
  inbox.fill(new Arrived(['a'], INBOX_BYTES - 1))
  inbox.fill(new Arrived(['b'], 1))
  t.equal(inbox.full, false)
  inbox.fill(new Arrived(['c'], 1))
  t.equal(inbox.full, true)
  inbox.empty(taking(9).take)
  t.equal(inbox.full, false)
})

t.test('what was left out has arrived, and does not wait', async t => {
  const inbox = new Inbox()
  inbox.leaveOut()
  t.same([inbox.arrived, inbox.waiting, inbox.full], [1, 0, false])
})

t.test('a hundred thousand records of one small message each are given away in no time', async t => {
  const inbox = new Inbox()
  for (let n = 0; n < 120_000; n++) inbox.fill(new Arrived([n], 2))
  const { take, taken } = taking(Number.POSITIVE_INFINITY)
  const started = performance.now()
  inbox.empty(take)
  const took = performance.now() - started
  t.equal(taken.length, 120_000)
  t.ok(took < 1_000, `${took} ms`)
})
