// A bit is turned over at every place of a conversation, in every mode and suite: no message is changed, missing in
// the middle or doubled, nothing is taken for an end, nothing hangs.

import t from 'tap'
import { flip } from '../../lib/testing/index.ts'
import { everywhere, measure, notClean, plans, run } from '../helpers/conversation.ts'

t.setTimeout(120_000)

for (const { name, options, stride } of plans) {
  t.test(`${name}: a bit turned over anywhere changes no message`, async t => {
    const measured = await measure(options)
    const cases = everywhere(options, measured, stride, n => flip(n), notClean(measured))
    // A length that was enlarged waits for bytes that never come.
    t.same(await run(cases, { giveUpMs: 500 }), [], `at ${cases.length} places`)
  })
}
