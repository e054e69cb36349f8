// The allowance: so many at once, then one in so much time, and full again when it is earned.

import t from 'tap'
import { Allowance } from '../../lib/pipeline/allowance.ts'

function clocked(most: number, msForOne: number): { allowance: Allowance; clock: { now: number } } {
  const clock = { now: 1_000 }
  return { allowance: new Allowance(most, msForOne, () => clock.now), clock }
}

/** How many there are just now. */
function all(allowance: Allowance): number {
  let taken = 0
  while (allowance.take()) taken += 1
  return taken
}

t.test('so many at once, and no more', async t => {
  const { allowance } = clocked(3, 100)
  t.equal(all(allowance), 3)
  t.equal(allowance.take(), false)
})

t.test('one more in each span of time, and not a moment earlier', async t => {
  const { allowance, clock } = clocked(2, 100)
  all(allowance)
  clock.now += 99
  t.equal(allowance.take(), false)
  clock.now += 1
  t.equal(all(allowance), 1)
  clock.now += 250
  t.equal(all(allowance), 2, 'two and a half')
  clock.now += 49
  t.equal(allowance.take(), false)
  clock.now += 1
  t.equal(all(allowance), 1, 'the half was not lost')
})

t.test('however long nothing is taken, there are no more than at the beginning', async t => {
  const { allowance, clock } = clocked(3, 100)
  clock.now += 1_000_000
  t.equal(all(allowance), 3)
})

t.test('it says how long until the next one', async t => {
  const { allowance, clock } = clocked(1, 100)
  t.equal(allowance.wait, 0)
  allowance.take()
  t.equal(allowance.wait, 100)
  clock.now += 60
  t.equal(allowance.wait, 40)
  clock.now += 40
  t.equal(allowance.wait, 0)
  t.equal(allowance.take(), true)
})

t.test('refilled it is as at the beginning, but for what is used already', async t => {
  const { allowance } = clocked(3, 100)
  all(allowance)
  allowance.refill()
  t.equal(all(allowance), 3)
  allowance.refill(2)
  t.equal(all(allowance), 1)
})

t.test('by itself it goes by a clock that nobody sets', async t => {
  const now = Date.now
  t.teardown(() => {
    Date.now = now
  })
  const allowance = new Allowance(1, 60_000)
  allowance.take()
  Date.now = () => now() + 86_400_000
  t.equal(allowance.take(), false)
  t.ok(allowance.wait > 50_000 && allowance.wait <= 60_000)
})
