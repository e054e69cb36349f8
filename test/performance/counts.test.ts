// How much gathers before it goes out: messages in a record, and bytes in a write to the socket. Counts, no times; the
// bounds are about twice what there is, so that a path that sends message by message is seen.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import type { Connection } from '../../lib/index.ts'
import { bothClosed, type Ends, ends, tcpPair, within } from '../helpers/pair.ts'

const MESSAGES = 20_000

const small = (n: number) => ({
  n,
  kind: 'reading',
  at: 1_700_000_000_000 + n,
  value: n / 7,
  ok: n % 3 === 0
})

/** How often a stream hands something to the system: one call of `_write`, or of `_writev` for what has gathered. */
function countWrites(socket: Duplex): { writes: number } {
  const counted = { writes: 0 }
  for (const name of ['_write', '_writev'] as const) {
    const own = socket[name]
    if (!own) continue
    Object.assign(socket, {
      [name](...args: unknown[]) {
        counted.writes += 1
        return Reflect.apply(own, socket, args)
      }
    })
  }
  return counted
}

interface Counted {
  readonly records: number
  readonly writes: number
}

/** Sends them with `send`, and says what that took, in records and writes for each thousand. */
async function perThousand(send: (from: Connection) => Promise<void>): Promise<Counted> {
  const joined = await tcpPair()
  const both = ends(joined)
  await within(both.initiator.ready, 'ready')
  both.responder.resume()
  const counted = countWrites(joined[0])
  const before = both.initiator.counters.outbound.records
  await within(send(both.initiator), 'sending', 60_000)
  await within(both.initiator.flush({ acked: true }), 'flush')
  const thousands = MESSAGES / 1_000
  const records = (both.initiator.counters.outbound.records - before) / thousands
  const writes = counted.writes / thousands
  await finish(both)
  return { records, writes }
}

async function finish(both: Ends): Promise<void> {
  both.initiator.resume()
  both.initiator.end()
  await bothClosed(both)
}

t.test('as fast as write lets it, a few hundred messages share a record, and a write', async t => {
  const { records, writes } = await perThousand(async from => {
    for (let n = 0; n < MESSAGES; n++) if (!from.write(small(n))) await once(from, 'drain')
  })
  t.comment(`${records} records and ${writes} writes for a thousand messages`)
  t.ok(records <= 10, `${records} records for a thousand messages`)
  t.ok(writes <= 10, `${writes} writes for a thousand messages`)
})

t.test('what is written in a tick is one record and one write, or two of each where it is many', async t => {
  const { records, writes } = await perThousand(async from => {
    for (let n = 0; n < MESSAGES; n += 100) {
      for (let i = 0; i < 100; i++) from.write(small(n + i))
      await from.flush()
    }
  })
  t.comment(`${records} records and ${writes} writes for ten times a hundred messages`)
  t.ok(records <= 20, `${records} records for ten flushes`)
  t.ok(writes <= 20, `${writes} writes for ten flushes`)
})

t.test('a message alone is one record and one write', async t => {
  const { records, writes } = await perThousand(async from => {
    for (let n = 0; n < MESSAGES; n++) await from.send(small(n))
  })
  t.ok(records >= 990 && records <= 1_010, `${records} records for a thousand messages`)
  t.ok(writes <= 1_010, `${writes} writes for a thousand messages`)
})

t.test('a large buffer is written once for each record that it needs', async t => {
  const joined = await tcpPair()
  const both = ends(joined)
  await within(both.initiator.ready, 'ready')
  both.responder.resume()
  const counted = countWrites(joined[0])
  await both.initiator.send(Buffer.alloc(4 * 2 ** 20))
  await within(both.initiator.flush({ acked: true }), 'flush')
  t.ok(counted.writes <= 70, `${counted.writes} writes for 65 records`)
  await finish(both)
})
