// The question: what a thousand idle connections cost the process that accepted them, in memory that it holds: heap,
// buffers, and what native code holds. The memory of the code itself, warmed up by some connections, is not counted.

import { pairFor, workOf } from '../pair.ts'
import { given } from '../process.ts'
import { against, type Question } from '../question.ts'
import { titled } from '../titles.ts'

const CONNECTIONS = 1_000

const WARM_UP = 200

const NAMES = ['stalk', 'tls', 'tcp'] as const

export const idleMemory: Question = {
  name: 'idle-memory',
  title: `an idle connection at the listener, of ${CONNECTIONS.toLocaleString('en')}`,
  figures: [{ name: '', unit: 'KB', better: 'less' }],
  subjects: titled(NAMES),
  comparisons: against('stalk', NAMES, { tls: 0.7 }),
  rounds: 0.5,
  async prepare(subject, options) {
    const what = { task: 'idle', subject, payload: 'byte', messages: CONNECTIONS, warmUp: WARM_UP } as const
    const work = await workOf({ ...what, connections: 0 }, options)
    return {
      measure: () =>
        pairFor(work, async (listener, connector) => {
          await connector.ask({ run: WARM_UP })
          await connector.ask({ finish: true })
          const before = await listener.ask({ finish: true })
          await connector.ask({ run: CONNECTIONS })
          const after = await listener.ask({ usage: true })
          if (after.total !== CONNECTIONS) throw new Error(`${after.total} connections are open`)
          return { values: [(given(after.memory) - given(before.memory)) / CONNECTIONS / 1e3], cost: null }
        })
    }
  }
}
