// What every transport has to carry: a conversation with small and large messages both ways, a clean close from
// either end, and a cut that is seen. Each integration test brings a transport and lets `carries` try it.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { type Connection, type Outcome, type StalkOptions, stalk } from '../../lib/index.ts'
import { alice, bob, within } from '../helpers/pair.ts'

/** Two duplexes that are joined: `called` has called, `accepted` was called. */
export interface Link {
  readonly called: Duplex
  readonly accepted: Duplex
  /** Ends the way between them, as no orderly close would. */
  cut(): void
  /** Lets go of whatever stood behind them. */
  close?(): void | Promise<void>
}

export interface Transport {
  readonly name: string
  make(): Link | Promise<Link>
  /** Whether the duplexes tell themselves which end called. */
  readonly knowsRoles?: boolean
  /** Whether its close takes what is on the way back: the last acknowledgement may be lost with it. */
  readonly closesBothWays?: boolean
}

const small = Array.from({ length: 50 }, (_, n) => ({ n, at: new Date(n), text: '⚘'.repeat(n) }))

/** Large ones are of several records each, and too many for any buffer in between. */
export const messages: readonly unknown[] = [
  ...small,
  { bytes: randomBytes(1_500_000) },
  'x'.repeat(700_000),
  ...small,
  { list: Array.from({ length: 20_000 }, (_, n) => n), big: 2n ** 100n },
  'last'
]

/** Sends all that there is, with backpressure, and says goodbye. */
export async function sendAll(connection: Connection): Promise<void> {
  for (const message of messages) if (!connection.write(message)) await once(connection, 'drain')
  connection.end()
}

export function collect(connection: Connection): unknown[] {
  const got: unknown[] = []
  connection.on('data', message => got.push(message))
  return got
}

/** Deadlines are there to name what hangs; none is near what it takes. */
const DEADLINE_MS = 30_000

export const closed = ({ outcome }: Connection): Promise<Outcome> => within(outcome, 'outcome', DEADLINE_MS)

interface Ends {
  readonly link: Link
  /** Fulfilled when both duplexes are closed. */
  readonly released: Promise<unknown>
  readonly initiator: Connection
  readonly responder: Connection
}

const trusting: Record<'initiator' | 'responder', StalkOptions> = {
  initiator: { identity: alice, peer: bob },
  responder: { identity: bob, peer: alice }
}

type Roles = 'told' | 'as they called' | 'the other way round'

async function open({ make }: Transport, roles: Roles): Promise<Ends> {
  const link = await make()
  const released = Promise.all([link.called, link.accepted].map(closeOf))
  const [first, second] =
    roles === 'the other way round' ? [link.accepted, link.called] : [link.called, link.accepted]
  const role = (name: 'initiator' | 'responder'): StalkOptions => (roles === 'told' ? {} : { role: name })
  const initiator = stalk(first, { ...trusting.initiator, ...role('initiator') })
  const responder = stalk(second, { ...trusting.responder, ...role('responder') })
  for (const end of [initiator, responder]) end.on('error', () => {})
  return { link, released, initiator, responder }
}

const closeOf = (duplex: Duplex): Promise<void> => new Promise(resolve => duplex.on('close', resolve))

/** Tests that a transport carries stalk. */
export function carries(transport: Transport): void {
  const { name, knowsRoles = false } = transport
  const roles: Roles[] = ['as they called', 'the other way round', ...(knowsRoles ? ['told' as const] : [])]
  for (const how of roles) {
    t.test(`${name}, roles ${how}: all that is said both ways arrives, and both ends are clean`, t =>
      conversation(t, transport, how)
    )
  }
  for (const who of ['initiator', 'responder'] as const) {
    t.test(`${name}: when the ${who} says goodbye first, the last answers still arrive`, t =>
      goodbye(t, transport, who)
    )
  }
  t.test(`${name}: a cut is seen at both ends, after what came before it`, t => cut(t, transport))
}

async function conversation(t: Test, transport: Transport, roles: Roles): Promise<void> {
  const { link, released, initiator, responder } = await open(transport, roles)
  const [there, back] = [collect(responder), collect(initiator)]
  await within(Promise.all([sendAll(initiator), sendAll(responder)]), 'sending', DEADLINE_MS)
  const outcomes = await Promise.all([closed(initiator), closed(responder)])
  t.same(there, messages)
  t.same(back, messages)
  const n = messages.length
  const acknowledged = transport.closesBothWays ? Number : n
  const clean = { kind: 'clean', sent: n, received: n, acknowledged, unsent: 0 }
  t.match(outcomes, [clean, clean])
  t.same(
    [initiator.peerIdentity?.fingerprint, responder.peerIdentity?.fingerprint],
    [bob.fingerprint, alice.fingerprint]
  )
  await within(released, 'both duplexes closed', DEADLINE_MS)
  await link.close?.()
}

async function goodbye(t: Test, transport: Transport, who: 'initiator' | 'responder'): Promise<void> {
  const { link, released, ...ends } = await open(transport, 'as they called')
  const asks = ends[who]
  const answers = ends[who === 'initiator' ? 'responder' : 'initiator']
  answers.pipe(answers)
  const got = collect(asks)
  for (const message of ['one', 'two', 'three']) await within(asks.send(message), 'send', DEADLINE_MS)
  asks.end()
  t.match(await closed(asks), { kind: 'clean', sent: 3, acknowledged: 3, received: 3 })
  t.match(await closed(answers), { kind: 'clean', sent: 3, received: 3 })
  t.same(got, ['one', 'two', 'three'])
  await within(released, 'both duplexes closed', DEADLINE_MS)
  await link.close?.()
}

async function cut(t: Test, transport: Transport): Promise<void> {
  const { link, initiator, responder } = await open(transport, 'as they called')
  const got = collect(responder)
  initiator.resume()
  const ended: string[] = []
  for (const end of [initiator, responder]) end.on('end', () => ended.push('end'))
  const arrived = new Promise<void>(resolve =>
    responder.on('data', () => got.length === messages.length && resolve())
  )
  for (const message of messages) if (!initiator.write(message)) await once(initiator, 'drain')
  await within(arrived, 'all messages', DEADLINE_MS)
  link.cut()
  const outcomes = await Promise.all([closed(initiator), closed(responder)])
  for (const outcome of outcomes) {
    t.match(outcome, { kind: /^(truncated|reset)$/, code: /^ERR_STALK_(TRUNCATED|RESET)$/, unsent: 0 })
  }
  t.same(got, messages)
  t.same(ended, [])
  await link.close?.()
}
