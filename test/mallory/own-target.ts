// Our own implementation as a target: a connection that sends every message back, or closes first. Knows how a fault's
// settings are options of ours.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type Connection, Identity, type StalkOptions, stalk } from '../../lib/index.ts'
import { tcpPair, within } from '../helpers/pair.ts'
import { issuesTickets, keepsTickets } from '../helpers/resumption.ts'
import type { Role, Settings } from './fault.ts'
import type { Ended } from './judge.ts'
import { malloryIdentity } from './keys.ts'
import type { Meeting, Target } from './targets.ts'

const identity = await Identity.generate({ type: 'ed25519' })

/** For all connections of a target. */
export function optionsOf(role: Role, settings: Settings): StalkOptions {
  const { pinned, requireIdentity, anonymous, closesFirst, pings, updates, readsOn, resumes, ...same } =
    settings
  return {
    role,
    identity: anonymous ? null : identity,
    peer: pinned ? malloryIdentity : 'anyone',
    ...(requireIdentity && { requireIdentity }),
    ...(resumes && (role === 'initiator' ? keepsTickets() : issuesTickets())),
    ...same
  }
}

/** A connection that sends every message back, if it does not close first; with what it was given. */
export function echoing(
  duplex: Duplex,
  options: StalkOptions,
  settings: Settings
): { connection: Connection; got: unknown[] } {
  const connection = stalk(duplex, options)
  const got: unknown[] = []
  connection.on('data', message => {
    got.push(message)
    if (!settings.closesFirst) void send(message)
  })
  const asks = settings.pings || settings.updates
  const ask = (): void => {
    if (settings.pings) connection.rtt().catch(() => {}) // how it ends is in the outcome
    if (settings.updates) connection.rekey().catch(() => {})
  }
  const send = (message: unknown): Promise<void> => connection.send(message).then(ask, () => {})
  if (settings.closesFirst && asks)
    connection.once('secure', () => send('first').then(() => connection.end()))
  else if (settings.closesFirst) {
    void send('first')
    connection.end()
  }
  return { connection, got }
}

export const ownTarget: Target = {
  name: 'stalk, in this process',
  takes: () => true,
  meet: (role: Role, settings: Settings) => meeting(optionsOf(role, settings), settings)
}

async function meeting(options: StalkOptions, settings: Settings): Promise<Meeting> {
  const [socket, theirs] = (await tcpPair()) as [Socket, Socket]
  for (const end of [socket, theirs]) end.setNoDelay(true)
  const { connection, got } = echoing(theirs, options, settings)
  let errors = 0
  connection.on('error', () => errors++)
  const ended = async (): Promise<Ended> => {
    const { code = null } = await within(connection.outcome, 'the outcome', 5_000)
    return { error: code, inside: { delivered: got, errors } }
  }
  return { socket, ended, next: () => meeting(options, settings), stop: () => connection.destroy() }
}
