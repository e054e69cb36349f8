// Backpressure bounds memory: with a reader that is slower than its writer, and on a transport that takes nothing any
// more, now and for good.

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import t from 'tap'
import type { Connection } from '../../lib/index.ts'
import { connectedPair } from '../../lib/testing/index.ts'
import { runFile } from '../helpers/child.ts'
import { turns } from '../helpers/pair.ts'

const MESSAGES = 200_000

const MIB = 2 ** 20

/** In bytes. Of 160 MB of messages a writer that nobody stops would come to hold most. */
const MAX_GROWTH = 64 * MIB

type Seen = { readonly start: number; readonly most: number }

t.test(
  'a writer at full speed and a slow reader hold no more memory at the end than soon after the start',
  async t => {
    // A small young generation, whose own growth would be most of what is seen.
    const flags = ['--max-semi-space-size=2']
    const { code, out, err } = await runFile(
      'test/performance/slow-reader.ts',
      [`${MESSAGES}`],
      120_000,
      flags
    )
    t.equal(code, 0, err)
    for (const [who, { start, most }] of Object.entries(JSON.parse(out) as Record<string, Seen>)) {
      const growth = most - start
      t.comment(`${who}: ${(start / MIB).toFixed(0)} MiB, and ${(growth / MIB).toFixed(1)} more`)
      t.ok(start > 0 && growth < MAX_GROWTH, `${who}: ${growth} bytes more`)
    }
  }
)

/** Writes until `write` says no and no `drain` follows. Gives how much was taken, in bytes. */
async function fill(connection: Connection, message: Buffer): Promise<number> {
  for (let taken = message.length; ; taken += message.length) {
    if (connection.write(message)) continue
    const drained = once(connection, 'drain').then(() => true)
    if (!(await Promise.race([drained, pause(200, false)]))) return taken
    if (taken > 64 * MIB) throw new Error('it never stops')
  }
}

for (const bytes of [100, 1_024, 4_096]) {
  t.test(
    `on a transport that is blocked for good a writer of ${bytes} bytes stops, and nothing grows`,
    async t => {
      const { initiator, responder, there } = await connectedPair()
      there.stall()
      const taken = await fill(initiator, Buffer.alloc(bytes, 7))
      t.ok(taken < 2 * MIB, `${taken} bytes were taken`)
      const { written } = there
      const before = process.memoryUsage().arrayBuffers
      await turns(50)
      t.equal(there.written, written, 'nothing more is written')
      t.equal(initiator.writableNeedDrain, true)
      t.ok(process.memoryUsage().arrayBuffers <= before + MIB / 4)
      for (const end of [initiator, responder]) end.on('error', () => {}).destroy()
    }
  )
}
