// What must hold once a schedule was played, whatever it was. Knows what both ends have said, read and been told.

import type { Outcome, StalkError } from '../../lib/index.ts'
import type { Played } from './play.ts'
import type { Player, Said } from './player.ts'
import { isUndisturbed, type Schedule } from './schedule.ts'

/** What is wrong with it. */
export function* complaints(schedule: Schedule, { players, outcomes, left }: Played): Generator<string> {
  for (const index of [0, 1] as const) {
    const [player, outcome, theirs] = [players[index], outcomes[index], outcomes[1 - index] as Outcome]
    const found = [
      ...player.complaints,
      ...[
        ...reading(player, outcome, theirs),
        ...counting(player, outcome),
        ...ending(player, outcome),
        ...promises(player)
      ].map(text => `${player.name}: ${text}`)
    ]
    yield* found
  }
  yield* left
  if (isUndisturbed(schedule)) yield* onAGoodDay(players, outcomes)
}

function* reading(
  { got, careless, isPrefix, connection, events }: Player,
  outcome: Outcome,
  theirs: Outcome
): Generator<string> {
  if (!careless && !isPrefix) yield 'a changed, missing, doubled or misplaced message'
  if (!careless && outcome.received !== got.length) yield `received ${outcome.received}, read ${got.length}`
  const arrived = connection.counters.inbound.messages
  if (outcome.received > arrived) yield `received ${outcome.received} of ${arrived}`
  if (arrived > theirs.sent) yield `${arrived} arrived of ${theirs.sent} sent`
  if (events.includes('end') && outcome.received < theirs.sent) yield 'an end before the end'
}

const count = (said: readonly Said[], which: (said: Said) => boolean): number => said.filter(which).length
const code = (fate: Said['fate']): string | undefined => (fate as StalkError | null)?.code
const REFUSED = /UNSUPPORTED|TOO_LARGE/

function* counting({ said, peer, connection }: Player, outcome: Outcome): Generator<string> {
  const { sent, unsent, acknowledged } = outcome
  const good = count(said, ({ fit, withdrawn }) => fit && !withdrawn)
  const refusedForSure = count(said, ({ fate, withdrawn }) => withdrawn || REFUSED.test(code(fate) ?? ''))
  const refused = said.length - sent - unsent
  if (sent > good) yield `sent ${sent} of ${good}`
  // A message that was never looked at, since all was over, was not refused either.
  if (refused < 0 || refused > said.length - good || sent + unsent < good)
    yield `sent ${sent} and unsent ${unsent} of ${said.length}, of which ${said.length - good} could be refused`
  if (outcome.kind === 'clean' && refused !== refusedForSure)
    yield `${refused} refused, ${refusedForSure} told so`
  if ((acknowledged ?? 0) > peer.connection.counters.inbound.messages) yield 'more acknowledged than arrived'
  const { outbound, acknowledged: counted } = connection.counters
  if (outbound.messages !== sent) yield `counters say ${outbound.messages} sent, the outcome ${sent}`
  if (counted !== acknowledged && outcome.kind !== 'rejected')
    yield `counters say ${counted} acknowledged, the outcome ${acknowledged}`
}

const KINDS = new Set(['clean', 'truncated', 'reset', 'aborted'])

function* ending({ events, errors, connection, destroyer }: Player, outcome: Outcome): Generator<string> {
  const { kind, reason } = outcome
  if (!KINDS.has(kind)) yield `the outcome ${kind}: ${reason}`
  if (kind === 'clean' && !destroyer && !events.includes('end')) yield 'clean without an end'
  if (kind === 'clean' && errors.length > 0) yield `clean with an error: ${errors[0]?.message}`
  if (kind !== 'clean' && kind !== 'aborted' && !destroyer && errors.length !== 1)
    yield `${kind} with ${errors.length} errors`
  // Who destroys a connection that has failed already is told its own error; the outcome is the first one.
  if (!destroyer && errors.some(error => error.message !== reason)) yield 'an error that is not the outcome'
  if (errors.length > 1) yield `${errors.length} errors`
  if (events.at(-1) !== 'close') yield `events behind close: ${events}`
  for (const event of ['secure', 'end', 'error', 'close']) {
    if (times(events, event) > 1) yield `${event} twice`
  }
  if (!connection.destroyed || !connection.closed) yield 'not destroyed'
}

const times = (events: readonly string[], event: string): number =>
  events.filter(name => name === event).length

function* promises({ promised }: Player): Generator<string> {
  for (const { what, settled } of promised) if (settled !== 1) yield `${what} was settled ${settled} times`
}

/** Where nothing but goodbyes ended it. */
function* onAGoodDay(players: Played['players'], outcomes: Played['outcomes']): Generator<string> {
  for (const index of [0, 1] as const) {
    const [player, outcome, theirs] = [players[index], outcomes[index], outcomes[1 - index] as Outcome]
    if (outcome.kind !== 'clean') yield `${player.name}: ${outcome.kind} on a good day: ${outcome.reason}`
    else if (
      outcome.acknowledged !== outcome.sent ||
      theirs.received !== outcome.sent ||
      outcome.unsent !== 0
    )
      yield `${player.name}: something is missing on a good day: ${JSON.stringify(outcome)}`
  }
}
