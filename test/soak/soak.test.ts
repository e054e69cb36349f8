// A short soak, and that the ledger sees what it is there for.

import t from 'tap'
import { Ledger } from './ledger.ts'
import { isUnchanged, messageOf, sizeOf } from './messages.ts'
import { Soak } from './soak.ts'

t.test('20,000 messages through a wire that is cut: none is lost that was acknowledged', async t => {
  const seed = Date.now() % 2 ** 31
  const soak = new Soak({ messages: 20_000, seed, cutEvery: 500_000 })
  const { violations, receiver, sender, proxy } = await soak.run()
  t.same(violations, [], `seed ${seed}`)
  t.equal(receiver.done, 20_000)
  t.equal(sender.done, 20_000)
  t.ok(receiver.connections > 1, `${receiver.connections} connections`)
  t.ok(proxy.cuts.end + proxy.cuts.reset > 0)
})

t.test('the ledger sees what is lost, changed, doubled, or repeated though it was acknowledged', async t => {
  const greeting = (acknowledged: number): { from: number; acknowledged: number } => ({
    from: acknowledged + 1,
    acknowledged
  })
  const first = [greeting(0), messageOf(1), messageOf(2), messageOf(3)]
  const after: [object[], RegExp | null][] = [
    [[greeting(3), messageOf(4)], null],
    [[greeting(1), messageOf(2), messageOf(3), messageOf(4)], null],
    [[greeting(4), messageOf(5)], /^connection 2: 4 were acknowledged, and 3 have arrived: some are lost$/],
    [[{ from: 2, acknowledged: 3 }], /goes on with 2 behind 3 acknowledged/],
    [[greeting(3), messageOf(5)], /message 5 in the place of 4/],
    [[greeting(3), messageOf(4), messageOf(4)], /message 4 in the place of 5/],
    [[greeting(3), { n: 4, body: messageOf(5).body }], /message 4 is changed/],
    [[greeting(3), messageOf(4), greeting(4)], /a greeting in the middle/],
    [[messageOf(4)], /message 4 in the place of null/]
  ]
  for (const [messages, expected] of after) {
    const violations: string[] = []
    const ledger = new Ledger(text => violations.push(text))
    for (const connection of [first, messages]) {
      ledger.begin()
      for (const message of connection) ledger.take(message as never)
    }
    if (expected) t.match(violations[0], expected)
    else t.same([violations, ledger.highest], [[], 4])
  }
})

t.test('messages are of all sizes, and no other than they should be', async t => {
  const sizes = Array.from({ length: 20_000 }, (_, n) => sizeOf(n))
  t.ok(sizes.filter(size => size > 65_600).length > 0)
  t.ok(sizes.filter(size => size > 1_000).length > 50)
  t.ok(sizes.filter(size => size < 150).length > 15_000)
  t.ok([1, 2, 250, 251, 252, 1e7].every(n => isUnchanged(messageOf(n))))
  t.notOk(isUnchanged({ n: 3, body: messageOf(4).body }))
  t.notOk(isUnchanged({ n: 3, body: [...messageOf(3).body] as never }))
})
