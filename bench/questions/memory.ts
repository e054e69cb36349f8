// The question: what a thousand idle connections cost the process that accepted them, in memory that it holds: heap,
// buffers, and what native code holds. The code itself, warmed up by some connections before, is not counted.

import { pairFor, workOf } from '../pair.ts'
import { given } from '../process.ts'
import { against, type Question } from '../question.ts'
import { titled } from '../titles.ts'

const CONNECTIONS = { quick: 500, full: 1_000 } as const

/** These stay open: what they gave back would be taken for those that are measured. */
const WARM_UP = { quick: 100, full: 200 } as const

const NAMES = ['stalk', 'tls', 'tcp'] as const

export const idleMemory: Question = {
  name: 'idle-memory',
  title: 'an idle connection, at the listener',
  figures: [{ name: '', unit: 'KB', better: 'less' }],
  subjects: titled(NAMES),
  comparisons: against('stalk', NAMES, { tls: 0.7 }),
  async prepare(subject, options) {
    const [connections, warmUp] = [CONNECTIONS[options.scale], WARM_UP[options.scale]]
    const what = { task: 'idle', subject, payload: 'byte', messages: 0, warmUp, connections } as const
    const work = await workOf(what, options)
    return {
      measure: () =>
        pairFor(work, async ({ listener, connector }) => {
          await connector.ask({ run: warmUp })
          const before = await listener.ask({ usage: true })
          await connector.ask({ run: connections })
          const after = await listener.ask({ usage: true })
          if (after.total !== warmUp + connections) throw new Error(`${after.total} connections are open`)
          return { values: [(given(after.memory) - given(before.memory)) / connections / 1e3], cost: null }
        })
    }
  }
}
