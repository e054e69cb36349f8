// The question: how long a small object takes there and back, over one connection and with nothing else under way. The
// median, and the time that one in a hundred exceeds.

import { KeptPair, workOf } from '../pair.ts'
import { against, type Question } from '../question.ts'
import { CARRIERS, titled } from '../titles.ts'

const MESSAGES = { quick: 4_000, full: 20_000 } as const

/** Longer than elsewhere: what one message takes shows code that is not compiled yet, or is being compiled. */
const WARM_UP_MS = { quick: 500, full: 10_000 } as const

/** TLS is the rival to keep up with, in both figures. */
const GOALS = { 'tls+msgpackr': 1 }

const NAMES = [...CARRIERS, 'by-hand'] as const

export const pingPong: Question = {
  name: 'ping-pong',
  title: 'small objects, there and back',
  figures: [
    { name: 'p50', unit: 'µs', better: 'less' },
    { name: 'p99', unit: 'µs', better: 'less' }
  ],
  subjects: titled(NAMES),
  comparisons: ['p50', 'p99'].flatMap(figure => [
    ...against('stalk', NAMES, GOALS, figure),
    { subject: 'by-hand', rival: 'tls+msgpackr', figure } // how near the goal whatever is written by hand could come
  ]),
  async prepare(subject, options) {
    const messages = MESSAGES[options.scale]
    const what = { task: 'echo', subject, payload: 'small', messages, warmUp: 500 } as const
    const warmUpMs = WARM_UP_MS[options.scale]
    const pair = new KeptPair(await workOf({ ...what, warmUpMs, connections: 1 }, options))
    return {
      close: () => pair.close(),
      measure: () =>
        pair.use(async ({ connector }) => {
          const { times = [] } = await connector.ask({ run: messages })
          const sorted = times.toSorted((a, b) => a - b)
          return { values: [at(sorted, 0.5), at(sorted, 0.99)], cost: null }
        })
    }
  }
}

const at = (sorted: readonly number[], part: number): number => sorted[Math.floor(sorted.length * part)] ?? 0
