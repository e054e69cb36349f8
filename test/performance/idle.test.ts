// What an open connection keeps. It hardly varies between runs and machines; the bound is half as much again as was
// measured.

import t from 'tap'
import { runFile } from '../helpers/child.ts'

t.test('an open connection keeps nothing that only its handshake needed', async t => {
  const { code, out, err } = await runFile('test/performance/idle.ts', ['100'], 60_000, ['--expose-gc'])
  t.equal(code, 0, err)
  const { heap, stillDeciding, held } = JSON.parse(out)
  t.comment(`${heap.toFixed(0)} bytes of heap for both ends and what is between them`)
  t.equal(held, 400)
  t.equal(stillDeciding, 0)
  t.ok(heap > 0 && heap < 80_000, `${heap} bytes of heap`)
})
