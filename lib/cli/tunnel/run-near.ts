// The near end of `stalk tunnel`, from the command line to its end. Knows its options and what goes wrong at the
// beginning; each connection is near.ts's.

import { cannotConnect, textOf } from '../address.ts'
import { type Args, usage } from '../args.ts'
import { identityOf, namedPeer, refused } from '../commands/connect.ts'
import { EXIT, exitOf } from '../exit.ts'
import { explain } from '../explain.ts'
import { Flow } from '../flow.ts'
import { described } from '../keys.ts'
import type { Shell } from '../shell.ts'
import { showStatus } from '../status.ts'
import { Near } from './near.ts'
import {
  DIAL_SECONDS,
  failureOf,
  listening,
  ms,
  namesOf,
  place,
  stalkOptions,
  trafficOf,
  untilSignal,
  whereOf
} from './settings.ts'
import { nearWords, showBegun, showFound } from './words.ts'

export async function runNear(args: Args, shell: Shell): Promise<void> {
  const { voice } = shell
  const from = place(args, 'listen', 0)
  const to = place(args, 'to', 1)
  const peer = (await namedPeer(args)) ?? nobody()
  const identity = await identityOf(args, peer)
  const failure = (error: unknown): unknown => refused(cannotConnect(error, to), identity)
  const flow = new Flow()
  const traffic = trafficOf(args, shell, 'near', flow)
  const handshakeTimeout = ms(args, 'connect-timeout', DIAL_SECONDS) as number
  const options = { ...to, ...stalkOptions(args, shell), handshakeTimeout, peer, identity }
  const near = new Near(traffic, options, nearWords(voice, failure))
  const ended = untilSignal(args, shell, traffic, () => near.server.close())
  await listening(near.server.listen(from), from)
  showBegun(voice, { end: 'near', where: whereOf(near.server), leadsTo: textOf(to) }, {}, [
    `  we:     ${described(identity)}`,
    `  expect: ${namesOf(peer).join('\n          ') || 'anyone'}`
  ])
  showStatus(shell, flow, 'connection')
  await Promise.race([ended, found(near, shell, textOf(to), failure), failureOf(near.server)])
}

function nobody(): never {
  throw usage('whom do you expect there? Say --peer SHA256:… or --peer FILE', [
    'the far end shows its fingerprint when it starts; `stalk fingerprint` does so over there',
    '--anyone talks to whoever answers, and verifies nothing'
  ])
}

/** Never fulfilled. Rejects if the far end is not whom we want, or does not want us; one that is not there may come. */
async function found(
  near: Near,
  { voice }: Shell,
  where: string,
  failure: (error: unknown) => unknown
): Promise<never> {
  try {
    showFound(voice, where, await near.check())
  } catch (error) {
    const why = failure(error)
    if (exitOf(why) === EXIT.untrusted) throw why
    const { text, ...rest } = explain(why)
    voice.complain('broken', { ...rest, text: `the far end is not there yet: ${text}` }, { where })
  }
  return new Promise(() => {})
}
