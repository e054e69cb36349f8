// What the two ends say to each other: nothing but what is known is taken, whatever a peer sends.

import t from 'tap'
import { isOpening, OPENING, Refused, refusal, refusalIn } from '../../../lib/cli/tunnel/wire.ts'

t.test('an opening is one, and nothing else is', async t => {
  t.ok(isOpening(OPENING))
  for (const other of [null, undefined, 1, 'open', {}, { open: 2 }, { open: '1' }, Buffer.from('open')]) {
    t.notOk(isOpening(other))
  }
})

t.test('a refusal says why, in words of ours', async t => {
  const refused = refusalIn(refusal('timeout'))
  t.ok(refused instanceof Refused)
  t.match(refused, { by: 'there', why: 'timeout', message: 'the target did not answer in time' })
})

t.test('what is no refusal breaks the connection, and is not shown', async t => {
  for (const other of [
    null,
    7,
    {},
    { refused: 'because' },
    { refused: 'toString' },
    { refused: 1 },
    OPENING
  ]) {
    t.match(refusalIn(other), {
      by: 'between',
      message: 'the other end sent what has no place in a tunnel'
    })
    t.notOk(refusalIn(other) instanceof Refused)
  }
})
