// New keys where several reasons for them meet: an answer that is itself the last record that a key should seal, and
// both ends that ask at the same moment.

import t from 'tap'
import { bothClosed, collect, open, turns, until, within } from '../helpers/pair.ts'

t.test('an answer to a request for new keys may be the record that makes new keys due', async t => {
  for (let records = 1; records <= 6; records++) {
    const both = await open({ responder: { rekeyAfter: { records } } })
    const [there, back] = [collect(both.responder), collect(both.initiator)]
    for (let n = 0; n < records - 1; n++) {
      both.responder.write(n)
      await turns(3)
    }
    await within(both.initiator.rekey(), 'new keys')
    for (let n = 0; n < 3; n++) {
      both.initiator.write(n)
      both.responder.write(n)
      await turns(3)
    }
    both.initiator.end()
    for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', `${records}: ${reason}`)
    t.same([there.length, back.length], [3, records + 2])
  }
})

t.test('keys that are due at both ends all the time change, and nothing is lost', async t => {
  for (const [mine, theirs] of [
    [1, 1],
    [2, 3],
    [3, 4],
    [4, 4]
  ] as const) {
    const both = await open({
      initiator: { rekeyAfter: { records: mine } },
      responder: { rekeyAfter: { records: theirs } }
    })
    const [there, back] = [collect(both.responder), collect(both.initiator)]
    for (let n = 0; n < 40; n++) {
      both.initiator.write(n)
      if (n % 3 > 0) await turns(n % 3)
      both.responder.write(n)
      if (n % 2 > 0) await turns(1)
    }
    await until(() => there.length === 40 && back.length === 40, 'all messages')
    t.ok(both.initiator.counters.inbound.epoch > 5)
    both.initiator.end()
    for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
  }
})
