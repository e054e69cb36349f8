// The outbox: which messages were taken, refused, sealed, and still wait; and who is told what.

import t from 'tap'
import { Envelope, FlushRequest, Outbox } from '../../lib/connection/outbox.ts'
import { StalkError } from '../../lib/errors.ts'
import type { Batch } from '../../lib/stages/serializer.ts'

function box(): {
  outbox: Outbox
  batches: Batch[]
  flushes: (() => void)[]
  errors: unknown[][]
  refused: string[]
} {
  const batches: Batch[] = []
  const flushes: (() => void)[] = []
  const errors: unknown[][] = []
  const refused: string[] = []
  const outbox = new Outbox({
    write: batch => void batches.push(batch),
    flushed: done => void flushes.push(done),
    refused: error => void refused.push(error.code),
    messageError: (error, message) => void errors.push([error.code, message])
  })
  return { outbox, batches, flushes, errors, refused }
}

const contentsOf = (batch?: Batch): unknown[] =>
  Array.from({ length: batch?.messages.length ?? 0 }, (_, index) => batch?.messages.at(index))

const tick = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))
const refusal = new StalkError('ERR_STALK_VALUE_UNSUPPORTED', 'cannot carry it')

t.test('messages leave their envelopes, flush requests stay behind', async t => {
  const { outbox, batches } = box()
  outbox.flushRequested()
  outbox.take(['a', new Envelope('b', false), new FlushRequest(() => {}), 'c'], () => {})
  t.same(batches, [], 'not within _writev')
  await tick()
  t.same(contentsOf(batches[0]), ['a', 'b', 'c'])
})

t.test('the callback comes on the tick after all are encoded, once', async t => {
  const { outbox, batches } = box()
  let called = 0
  outbox.take(['a'], () => {
    called += 1
  })
  await tick()
  t.equal(called, 0)
  batches[0]?.encoded()
  t.equal(called, 0, 'not inside the encoder')
  await tick()
  t.equal(called, 1)
  outbox.close(new Error('late'))
  t.equal(called, 1)
})

t.test('closed with an error, the callback gets the error, and nothing more comes', async t => {
  const { outbox, batches } = box()
  const results: unknown[] = []
  outbox.take(['a'], error => results.push(error))
  await tick()
  const reason = new Error('over')
  outbox.close(reason)
  outbox.close(new Error('again'))
  batches[0]?.encoded()
  await tick()
  t.same(results, [reason])
})

t.test('closed without an error, everything is called back and only counts as unsealed', async t => {
  const { outbox, batches } = box()
  const results: unknown[] = []
  outbox.take(['in flight'], error => results.push(error))
  await tick()
  outbox.close()
  t.same(results, [undefined])
  outbox.take(['late'], error => results.push(error))
  await tick()
  outbox.flushRequested()
  outbox.take(
    ['later', new Envelope('last', false), new FlushRequest(() => t.fail('nothing is flushed'))],
    error => results.push(error)
  )
  await tick()
  t.same(results, [undefined, undefined, undefined])
  t.equal(batches.length, 1)
  t.equal(outbox.unsealed, 4)
})

t.test('closed before it was handed over, a batch is called back and counts as unsealed', async t => {
  const { outbox, batches } = box()
  const results: unknown[] = []
  outbox.take(['a', 'b'], error => results.push(error))
  outbox.close()
  await tick()
  t.same([results, batches, outbox.unsealed], [[undefined], [], 2])
})

t.test('a refused message of write is an event on the next tick; one of send is in its envelope', async t => {
  const { outbox, batches, errors, refused } = box()
  const envelope = new Envelope('mine', false)
  const withdrawn = new Envelope('mine too', false)
  outbox.take(['written', envelope, withdrawn], () => {})
  withdrawn.withdraw()
  await tick()
  for (const index of [0, 1, 2]) batches[0]?.refused(index, refusal)
  t.same(refused, [refusal.code, refusal.code], 'what was withdrawn was not refused')
  t.same(errors, [])
  await tick()
  t.same(errors, [['ERR_STALK_VALUE_UNSUPPORTED', 'written']])
  t.equal(envelope.refusal, refusal)
})

t.test('flushes are passed on when what was before them is encoded', async t => {
  const { outbox, batches, flushes } = box()
  outbox.flushRequested()
  let flushed = false
  outbox.take(
    [
      'a',
      new FlushRequest(() => {
        flushed = true
      })
    ],
    () => {}
  )
  await tick()
  t.equal(flushes.length, 0)
  batches[0]?.encoded()
  t.equal(flushes.length, 1)
  t.equal(flushed, false)
  flushes[0]?.()
  t.equal(flushed, true)
})

t.test('the counts: sent, unsealed, waiting', async t => {
  const { outbox, batches } = box()
  outbox.flushRequested()
  outbox.flushRequested()
  t.equal(outbox.waiting(7), 5, 'of seven in the queue two are no messages')
  outbox.take(['a', 'b', 'c', new FlushRequest(() => {})], () => {})
  t.equal(outbox.waiting(7), 2, 'four are in flight, one request waits')
  await tick()
  t.same([outbox.sent, outbox.unsealed], [0, 3])
  batches[0]?.refused(1, refusal)
  t.same([outbox.sent, outbox.unsealed], [0, 2])
  outbox.sealed(2)
  t.same([outbox.sent, outbox.unsealed], [2, 0])
  batches[0]?.encoded()
  await tick()
  t.equal(outbox.waiting(3), 2)
  t.equal(outbox.waiting(0), 0)
})
