// What a message takes from the heap and in buffers on its way through both ends. It hardly varies between runs and
// machines; the bounds are half as much again as was measured, so that twice as much is seen.

import t from 'tap'
import { runFile } from '../helpers/child.ts'

// No garbage is collected while the young generation has room for all of it.
const FLAGS = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']

interface Allocated {
  /** Per message, in bytes. */
  readonly heap: number
  readonly buffers: number
  /** Of buffers, when the young generation was collected: what only a collection of everything can free. */
  readonly left: number
  readonly collections: number
}

async function allocated(kind: string, messages: number): Promise<Allocated> {
  const { code, out, err } = await runFile(
    'test/performance/allocations.ts',
    [kind, `${messages}`],
    60_000,
    FLAGS
  )
  if (code !== 0) throw new Error(err)
  return JSON.parse(out) as Allocated
}

t.test('a small message takes about a kilobyte of heap, and some hundred bytes in buffers', async t => {
  const { heap, buffers, collections } = await allocated('small', 20_000)
  t.comment(`${heap.toFixed(0)} bytes of heap, ${buffers.toFixed(0)} of buffers`)
  t.equal(collections, 0)
  t.ok(heap > 0 && heap < 1_600, `${heap} bytes of heap`)
  t.ok(buffers < 450, `${buffers} bytes of buffers`)
})

t.test('a buffer is in memory no more than three times between its writer and its reader', async t => {
  const bytes = 65_536
  const { buffers, collections } = await allocated('64KiB', 40)
  t.comment(`${(buffers / bytes).toFixed(2)} bytes of buffers for each of the message`)
  t.equal(collections, 0)
  t.ok(buffers < 3 * bytes, `${buffers} bytes of buffers`)
})

t.test('what a long message took is garbage as soon as it has been read, and young', async t => {
  const bytes = 65_536
  const { left, collections } = await allocated('64KiB', 100)
  t.comment(`${left.toFixed(0)} bytes of buffers are left of each`)
  t.equal(collections, 0)
  t.ok(left < bytes / 10, `${left} bytes of buffers`)
})
