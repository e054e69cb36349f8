// What JSON and util.inspect show of a connection: who talks, how far it has come, what went over it. Knows what is
// public; no key can be among it.

import type { Role } from '../handshake/flight.ts'
import type { IdentitySummary } from '../identity/identity.ts'
import type { Connection } from './connection.ts'
import type { Counters } from './counters.ts'
import type { Outcome } from './outcome.ts'

/** `closing`: one end has said goodbye, or something has ended it that is not over yet. */
export type State = 'handshake' | 'open' | 'closing' | 'closed'

export interface ConnectionSummary {
  readonly state: State
  readonly role: Role
  readonly host: string | undefined
  readonly port: number | undefined
  readonly sessionId: string | null
  readonly suite: string | null
  readonly mode: string | null
  /** Who we have shown ourselves to be. */
  readonly identity: IdentitySummary | null
  /** The key that the peer has proved, whether or not anybody vouches for it. */
  readonly peer: IdentitySummary | null
  readonly peerAuthenticated: boolean
  readonly counters: Counters
  /** Null until it is over. */
  readonly outcome: Outcome | null
}

export function summaryOf(
  connection: Connection,
  role: Role,
  state: State,
  outcome: Outcome | null
): ConnectionSummary {
  const { host, port, security, identity, claimedPeerIdentity, counters } = connection
  return {
    state,
    role,
    host,
    port,
    sessionId: security?.sessionId ?? null,
    suite: security?.suite ?? null,
    mode: security?.mode ?? null,
    identity: identity?.toJSON() ?? null,
    peer: claimedPeerIdentity?.toJSON() ?? null,
    peerAuthenticated: security?.peerAuthenticated ?? false,
    counters,
    outcome
  }
}
