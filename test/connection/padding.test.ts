// Padding: all that is sealed for the application has a length that says less; cork keeps what is written together.

import t from 'tap'
import { SUITES, type SuiteName } from '../../lib/crypto/suites.ts'
import { meddledPair, recording } from '../helpers/adversary.ts'
import { bothClosed, collect, open, turns, until, within } from '../helpers/pair.ts'

const HEADER = 4

for (const [name, { tagBytes }] of Object.entries(SUITES)) {
  for (const block of [1, 100, 512, 65_600]) {
    t.test(`${name}: blocks of ${block} bytes, whatever is said`, async t => {
      const there: Buffer[] = []
      const options = { suites: [name as SuiteName] }
      const both = await open(
        { initiator: { ...options, padding: { block } }, responder: options },
        meddledPair(recording(there))
      )
      const got = collect(both.responder)
      const said = ['', 'x'.repeat(90), 'x'.repeat(99), { a: [1, 2, 3] }, Buffer.alloc(150_000, 7)]
      for (const message of said) await both.initiator.send(message)
      await within(both.initiator.flush({ acked: true }), 'flush')
      await within(both.initiator.rekey(), 'rekey')
      await within(both.initiator.rtt(), 'rtt')
      both.initiator.resume().end()
      for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
      t.strictSame(got, said)
      const lengths = there
        .filter(record => record[0] === 0xe4)
        .map(record => record.length - HEADER - tagBytes)
      t.ok(lengths.length >= 9, `${lengths.length} records`)
      t.same(
        lengths.filter(length => length % block !== 0 && length !== 65_600),
        [],
        'all are multiples, or as long as can be'
      )
    })
  }
}

t.test('only who pads sends more', async t => {
  const [there, back]: [Buffer[], Buffer[]] = [[], []]
  const both = await open(
    { initiator: { padding: { block: 4_096 } } },
    meddledPair(recording(there), recording(back))
  )
  for (const side of [both.initiator, both.responder]) {
    side.resume()
    await side.send('x')
    await side.flush({ acked: true })
  }
  t.ok(there.slice(-2).every(({ length }) => length > 4_096))
  t.ok(back.slice(-2).every(({ length }) => length < 100))
  both.initiator.destroy()
  await bothClosed(both)
})

t.test('padding counts for a key: what it has sealed is more than the messages', async t => {
  const both = await open({ initiator: { padding: { block: 1_000 }, rekeyAfter: { bytes: 10_000 } } })
  both.responder.resume()
  for (let n = 0; n < 9; n++) await both.initiator.send(n)
  t.equal(both.initiator.counters.outbound.epoch, 0)
  await both.initiator.send(9)
  await until(() => both.initiator.counters.outbound.epoch === 1, 'new keys')
  both.initiator.destroy()
  await bothClosed(both)
})

t.test('corked, messages share a record however many turns they take', async t => {
  const there: Buffer[] = []
  const both = await open({}, meddledPair(recording(there)))
  const got = collect(both.responder)
  there.length = 0
  both.initiator.cork()
  for (let n = 0; n < 100; n++) {
    both.initiator.write(n)
    if (n % 10 === 0) await turns(1)
  }
  await turns()
  t.equal(there.length, 0, 'nothing has left')
  both.initiator.uncork()
  await until(() => got.length === 100, 'the messages')
  t.equal(there.length, 1)
  t.same(
    got,
    Array.from({ length: 100 }, (_, n) => n)
  )
  both.initiator.cork()
  both.initiator.write('held')
  both.initiator.end()
  both.initiator.resume()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
  t.equal(got.at(-1), 'held', 'end() lets go of it')
})

t.test('corked or not, what was written before in the same tick stays in front', async t => {
  const both = await open()
  const got = collect(both.responder)
  both.initiator.write(1)
  both.initiator.cork()
  both.initiator.write(2)
  both.initiator.write(3)
  await turns()
  t.same(got, [1])
  both.initiator.uncork()
  both.initiator.write(4)
  await until(() => got.length === 4, 'the messages')
  t.same(got, [1, 2, 3, 4])
  both.initiator.resume().end()
  await bothClosed(both)
})
