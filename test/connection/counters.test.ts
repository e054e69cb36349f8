// The counters: what was said so far, the same seen from both ends, and frozen.

import t from 'tap'
import { meddledPair, recording } from '../helpers/adversary.ts'
import { bothClosed, collect, end, open, tcpPair, until, within } from '../helpers/pair.ts'
import { against } from '../helpers/rogue.ts'

const bytesOf = (records: Buffer[]): number => records.reduce((sum, { length }) => sum + length, 0)

t.test('before anything was said there is nothing', async t => {
  const connection = end('responder', meddledPair()[0])
  t.same(connection.counters, {
    inbound: { records: 0, bytes: 0, epoch: 0, messages: 0 },
    outbound: { records: 0, bytes: 0, epoch: 0, messages: 0 },
    acknowledged: null,
    roundTrip: null
  })
  connection.destroy()
  await connection.outcome
})

t.test('records and bytes are those on the wire, the handshake among them, and both ends agree', async t => {
  const [there, back]: Buffer[][] = [[], []]
  const both = await open({}, meddledPair(recording(there as Buffer[]), recording(back as Buffer[])))
  const got = collect(both.responder)
  for (const message of [1, 'two', Buffer.alloc(200_000)]) both.initiator.write(message)
  await both.initiator.flush({ acked: true })
  await both.initiator.rekey()
  await both.responder.rekey()
  await both.responder.flush({ acked: true })
  await until(() => got.length === 3, 'the messages')
  const [ours, theirs] = [both.initiator.counters, both.responder.counters]
  t.match(ours.outbound, { records: there?.length, bytes: bytesOf(there as Buffer[]), epoch: 2, messages: 3 })
  t.match(ours.inbound, { records: back?.length, bytes: bytesOf(back as Buffer[]), epoch: 2, messages: 0 })
  t.same([theirs.inbound, theirs.outbound], [ours.outbound, ours.inbound])
  t.equal(ours.acknowledged, 3)
  t.equal(typeof ours.roundTrip, 'number')
  both.initiator.resume().end()
  await bothClosed(both)
  t.match(both.initiator.counters, { outbound: { messages: 3 }, acknowledged: 3 })
})

t.test('they are frozen, and those of then stay as they were', async t => {
  const both = await open({}, await tcpPair())
  collect(both.responder)
  const before = both.initiator.counters
  for (const part of [before, before.inbound, before.outbound]) t.equal(Object.isFrozen(part), true)
  await both.initiator.send(1)
  t.same([before.outbound.messages, both.initiator.counters.outbound.messages], [0, 1])
  both.initiator.destroy()
  await bothClosed(both)
})

t.test('messages that wait for their reader have arrived', async t => {
  const both = await open()
  for (let n = 0; n < 1_000; n++) both.initiator.write(n)
  await within(both.initiator.flush({ acked: true }), 'flush')
  t.equal(both.responder.counters.inbound.messages, 1_000)
  both.responder.destroy()
  t.equal((await bothClosed(both))[1].received, 0, 'and were not read')
})

t.test('roundTrip is the last one, and rtt() what it took', async t => {
  const { connection } = await against(
    'initiator',
    {},
    {
      hear: ({ type, body }, { seal }) => {
        if (type === 8) setTimeout(() => seal({ type: 9, body: Buffer.concat([body, Buffer.alloc(8)]) }), 30)
      }
    }
  )
  const ms = await within(connection.rtt(), 'rtt')
  t.ok(ms >= 28 && ms < 5_000, `${ms} ms`)
  t.equal(connection.counters.roundTrip, ms)
  connection.destroy()
  await connection.outcome
})
