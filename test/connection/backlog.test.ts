import { once } from 'node:events'
import t from 'tap'
import { Backlog } from '../../lib/connection/backlog.ts'
import { WRITABLE_BYTES, WRITABLE_HIGH_WATER_MARK } from '../../lib/constants.ts'
import { bothClosed, collect, open } from '../helpers/pair.ts'

t.test('buffers and strings count what they are long, other messages what messages were lately', async t => {
  const backlog = new Backlog()
  const object = { a: 1 }
  backlog.add(object)
  t.notOk(backlog.full, 'nothing is known of it yet')
  backlog.encoded(WRITABLE_BYTES, 0)
  backlog.encoded(WRITABLE_BYTES, 4)
  backlog.add(object)
  t.notOk(backlog.full, 'half')
  backlog.add(object)
  t.ok(backlog.full)
  backlog.take()
  t.ok(backlog.full, 'also while they are encoded')
  backlog.release()
  t.notOk(backlog.full)
  for (const message of [
    Buffer.alloc(WRITABLE_BYTES),
    'x'.repeat(WRITABLE_BYTES),
    new Float64Array(WRITABLE_BYTES / 8)
  ]) {
    backlog.add(message)
    t.ok(backlog.full)
    backlog.take()
    backlog.release()
  }
})

t.test('write says false for many bytes, and drain comes for it', async t => {
  const both = await open()
  const got = collect(both.responder)
  const message = Buffer.alloc(100_000)
  let written = 1
  while (both.initiator.write(message)) written += 1
  t.equal(written, Math.ceil(WRITABLE_BYTES / message.length))
  t.ok(both.initiator.writableNeedDrain)
  await once(both.initiator, 'drain')
  t.notOk(both.initiator.writableNeedDrain)
  t.equal(both.initiator.writableLength, 0)
  for (let i = 1; i < WRITABLE_HIGH_WATER_MARK; i++) t.ok(both.initiator.write(i) || i > 10, `${i}`)
  await both.initiator.flush()
  both.initiator.end()
  both.responder.end()
  await bothClosed(both)
  t.equal(got.length, written + WRITABLE_HIGH_WATER_MARK - 1)
})

t.test(
  'large objects stop the writer, at once where it can be seen, and later once their size is known',
  async t => {
    const both = await open()
    collect(both.responder)
    const flat = { name: 'large', bytes: Buffer.alloc(200_000) }
    let first = 1
    while (both.initiator.write(flat)) first += 1
    t.equal(first, 6)
    await once(both.initiator, 'drain')
    const message = { nested: [flat] }
    let written = 1
    while (both.initiator.write(message)) written += 1
    t.equal(written, 6)
    await once(both.initiator, 'drain')
    both.initiator.end()
    both.responder.end()
    await bothClosed(both)
  }
)
