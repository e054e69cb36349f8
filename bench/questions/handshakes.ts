// The question: how many connections a second can be made, each end verifying the other; with full signatures, and
// resumed from an earlier one. Eight at a time, on as many cores as there are.

import { KeptPair, workOf } from '../pair.ts'
import { given } from '../process.ts'
import type { Question } from '../question.ts'
import { titled } from '../titles.ts'

const HANDSHAKES = { quick: 400, full: 1_500 } as const

/**
 * Longer than elsewhere: all of the code runs but once a connection, and some thousand of them pass until stalk is
 * compiled; TLS is from the start. Where sessions are resumed, the first are full ones.
 */
const WARM_UP_MS = { quick: 1_500, full: 30_000 } as const
const PORTION = 100

export const handshakes: Question = {
  name: 'handshakes',
  title: 'connections made, both ends verified',
  figures: [{ name: '', unit: 'handshakes/s', better: 'more' }],
  subjects: titled([
    'stalk',
    'stalk-ed25519',
    'stalk-resumed',
    'tls',
    'tls-resumed',
    'crypto-rsa',
    'crypto-ed25519',
    'crypto-resumed'
  ]),
  comparisons: [
    { subject: 'stalk', rival: 'tls', goal: 2.5 },
    { subject: 'stalk-ed25519', rival: 'tls', goal: 5 },
    { subject: 'stalk-resumed', rival: 'tls-resumed', goal: 2.5 },
    { subject: 'crypto-rsa', rival: 'tls' },
    { subject: 'crypto-ed25519', rival: 'tls' },
    { subject: 'crypto-resumed', rival: 'tls-resumed' }
  ],
  async prepare(subject, options) {
    const [messages, warmUpMs] = [HANDSHAKES[options.scale], WARM_UP_MS[options.scale]]
    const what = { task: 'greet', subject, payload: 'byte', messages, connections: 0 } as const
    const pair = new KeptPair(await workOf({ ...what, warmUp: PORTION, warmUpMs }, options))
    return {
      close: () => pair.close(),
      measure: () =>
        pair.use(async ({ listener, connector }) => {
          await listener.ask({ expect: messages })
          const { at, cpu } = await connector.ask({ run: messages })
          const { cpu: listenerCpu } = await listener.ask({ usage: true })
          const wall = given(at) / 1_000 / messages
          const cost = { wall, senderCpu: given(cpu) / messages, receiverCpu: given(listenerCpu) / messages }
          return { values: [1e6 / wall], cost }
        })
    }
  }
}
