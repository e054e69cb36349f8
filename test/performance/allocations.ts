// node --import=tsx --expose-gc --min-semi-space-size=256 --max-semi-space-size=256 allocations.ts KIND COUNT
//
// How much memory a message takes from its `write` to its reader, both ends in this process: counted while no garbage
// is collected, so that all of it is there to be counted; and what the collector of the young leaves. Prints JSON.

import { once } from 'node:events'
import { PerformanceObserver } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { connectedPair } from 'stalk/testing'

const [kind = 'small', count = '10000'] = process.argv.slice(2)
const buffer = Buffer.alloc(65_536, 7)

const make = (n: number): unknown =>
  kind === 'small'
    ? { n, kind: 'reading', at: 1_700_000_000_000 + n, value: n / 7, unit: 'ms', ok: n % 3 === 0 }
    : buffer

const { initiator, responder } = await connectedPair()
let arrived = 0
responder.on('data', () => {
  arrived += 1
})

async function send(messages: number): Promise<void> {
  const goal = arrived + messages
  for (let n = 0; n < messages; n++) if (!initiator.write(make(n))) await once(initiator, 'drain')
  while (arrived < goal) await turn()
}

/** Twice: the memory of buffers is freed in the background, and counted as freed by the next collection. */
async function collect({ young = false } = {}): Promise<void> {
  for (let twice = 0; twice < 2; twice++) {
    if (young) globalThis.gc?.({ type: 'minor' })
    else globalThis.gc?.()
    await turn()
    await turn()
  }
}

let collections = 0
new PerformanceObserver(list => {
  collections += list.getEntries().length
}).observe({ entryTypes: ['gc'] })

const messages = Number(count)
await send(messages)
await collect()
collections = 0
const before = process.memoryUsage()
await send(messages)
const after = process.memoryUsage()
await turn()
const counted = collections
await collect({ young: true })
const left = process.memoryUsage()
console.log(
  JSON.stringify({
    heap: (after.heapUsed - before.heapUsed) / messages,
    buffers: (after.arrayBuffers - before.arrayBuffers) / messages,
    left: (left.arrayBuffers - before.arrayBuffers) / messages,
    collections: counted
  })
)
process.exit()
