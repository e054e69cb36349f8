// The wire is cut at every place of a conversation, in every mode and suite: what arrives is a prefix of what was
// sent, nothing is taken for an end, nothing hangs.

import t from 'tap'
import { cut } from '../../lib/testing/index.ts'
import { everywhere, measure, notClean, plans, run } from '../helpers/conversation.ts'

t.setTimeout(120_000)

for (const { name, options, stride } of plans) {
  t.test(`${name}: a cut anywhere is no end`, async t => {
    const measured = await measure(options)
    for (const how of stride === 1 ? (['end'] as const) : (['end', 'reset'] as const)) {
      const cases = everywhere(options, measured, stride, n => cut(n, how), notClean(measured))
      t.same(await run(cases), [], `${how} at ${cases.length} places`)
    }
  })
}
