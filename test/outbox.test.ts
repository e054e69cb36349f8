// The outbox: which messages were taken, refused, sealed, and still wait; and who is told what.

import t from 'tap'
import { StalkError } from '../lib/errors.ts'
import { Envelope, FlushRequest, Outbox } from '../lib/outbox.ts'
import type { Batch } from '../lib/stages/serializer.ts'

function box(): { outbox: Outbox; batches: Batch[]; flushes: (() => void)[]; errors: unknown[][] } {
  const batches: Batch[] = []
  const flushes: (() => void)[] = []
  const errors: unknown[][] = []
  const outbox = new Outbox({
    write: batch => void batches.push(batch),
    flushed: done => void flushes.push(done),
    messageError: (error, message) => void errors.push([error.code, message])
  })
  return { outbox, batches, flushes, errors }
}

const tick = (): Promise<void> => new Promise(resolve => process.nextTick(resolve))
const refusal = new StalkError('ERR_STALK_VALUE_UNSUPPORTED', 'cannot carry it')

t.test('messages leave their envelopes, flush requests stay behind', async t => {
  const { outbox, batches } = box()
  outbox.flushRequested()
  outbox.send(['a', new Envelope('b'), new FlushRequest(() => {}), 'c'], 4, () => {})
  t.same(batches[0]?.messages, ['a', 'b', 'c'])
})

t.test('the callback comes on the tick after all are encoded, once', async t => {
  const { outbox, batches } = box()
  let called = 0
  outbox.send(['a'], 1, () => {
    called += 1
  })
  t.equal(called, 0)
  batches[0]?.encoded()
  t.equal(called, 0, 'not inside the encoder')
  await tick()
  t.equal(called, 1)
  outbox.abort(new Error('late'))
  t.equal(called, 1)
})

t.test('aborted, the callback gets the error, and nothing more comes', async t => {
  const { outbox, batches } = box()
  const results: unknown[] = []
  outbox.send(['a'], 1, error => results.push(error))
  const reason = new Error('over')
  outbox.abort(reason)
  outbox.abort(new Error('again'))
  batches[0]?.encoded()
  await tick()
  t.same(results, [reason])
})

t.test('a refused message of write is an event on the next tick; one of send is in its envelope', async t => {
  const { outbox, batches, errors } = box()
  const envelope = new Envelope('mine')
  outbox.send(['written', envelope], 2, () => {})
  batches[0]?.refused(0, refusal)
  batches[0]?.refused(1, refusal)
  t.same(errors, [])
  await tick()
  t.same(errors, [['ERR_STALK_VALUE_UNSUPPORTED', 'written']])
  t.equal(envelope.refusal, refusal)
})

t.test('flushes are passed on when what was before them is encoded', async t => {
  const { outbox, batches, flushes } = box()
  outbox.flushRequested()
  let flushed = false
  outbox.send(
    [
      'a',
      new FlushRequest(() => {
        flushed = true
      })
    ],
    2,
    () => {}
  )
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
  outbox.send(['a', 'b', 'c', new FlushRequest(() => {})], 4, () => {})
  t.equal(outbox.waiting(7), 2, 'four are in flight, one request waits')
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
