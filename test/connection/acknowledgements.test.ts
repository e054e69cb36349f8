// Acknowledgements: counts that may only go up and never beyond what was sent, and who waits for which.

import t from 'tap'
import { Acknowledgements } from '../../lib/connection/acknowledgements.ts'

const impossible = (received: number, sent: number) => ({
  code: 'ERR_STALK_UNEXPECTED',
  message: `the peer claims to have received ${received} messages of ${sent} sent`
})

t.test('none until the peer has said one', async t => {
  const counts = new Acknowledgements()
  t.equal(counts.received, null)
  counts.take(0, 0)
  t.equal(counts.received, 0)
})

t.test('as many as were sent, and not one more', async t => {
  const counts = new Acknowledgements()
  counts.take(3, 3)
  t.throws(() => counts.take(4, 3), impossible(4, 3))
  t.equal(counts.received, 3)
})

t.test('the same again, and not one less', async t => {
  const counts = new Acknowledgements()
  counts.take(3, 5)
  counts.take(3, 5)
  t.throws(() => counts.take(2, 5), impossible(2, 5))
  t.equal(counts.received, 3)
})

t.test('whoever waits is called once, when the count is there', async t => {
  const counts = new Acknowledgements()
  const reached: string[] = []
  t.equal(
    counts.when(0, () => reached.push('none')),
    false
  )
  t.equal(
    counts.when(2, () => reached.push('two')),
    true
  )
  t.equal(
    counts.when(3, () => reached.push('three')),
    true
  )
  t.same(reached, ['none'])
  counts.take(1, 5)
  t.same(reached, ['none'])
  counts.take(2, 5)
  t.same(reached, ['none', 'two'])
  t.equal(
    counts.when(2, () => reached.push('two again')),
    false
  )
  counts.take(5, 5)
  counts.take(5, 5)
  t.same(reached, ['none', 'two', 'two again', 'three'])
})

t.test('a count that cannot be calls nobody', async t => {
  const counts = new Acknowledgements()
  counts.when(2, () => t.fail('called'))
  t.throws(() => counts.take(2, 1), impossible(2, 1))
})
