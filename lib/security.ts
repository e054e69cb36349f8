// What a connection's two ends know of each other once keys are agreed. Knows sessions and identities; decides
// nothing.

import type { SuiteName } from './crypto/suites.ts'
import type { Role } from './handshake/flight.ts'
import type { Session } from './handshake/handshake.ts'
import type { Identity } from './identity/identity.ts'

/** Which ends proved who they are. */
export type Mode = 'mutual' | 'responder-only' | 'initiator-only' | 'anonymous'

export interface Security {
  readonly role: Role
  /** Which ends have shown a key and proved that they hold it. */
  readonly mode: Mode
  readonly version: 'stalk/1'
  readonly suite: SuiteName
  /**
   * Whether the peer is who was meant: it proved its key, and the key was accepted by `peer` or `authorize`. At a
   * responder that names neither, that it proved a key.
   */
  readonly peerAuthenticated: boolean
  /** Whether we have proved our key to the peer. */
  readonly selfAuthenticated: boolean
  /** The peer, if it is authenticated; else null. */
  readonly peerIdentity: Identity | null
  /** What our own list, known peers or authorized peers, calls it; null if nothing. */
  readonly peerName: string | null
  /** Whether the session was resumed from an earlier one. */
  readonly resumed: boolean
  /** The same 32 bytes at both ends and at no other connection, in hex; no secret. */
  readonly sessionId: string
}

/** `verified`: whether a policy told this peer from others; `name`: what it calls it. */
export function securityOf(
  session: Session,
  peer: Identity | null,
  verified: boolean,
  name: string | null
): Security {
  const peerAuthenticated = peer !== null && (verified || session.role === 'responder')
  return Object.freeze({
    role: session.role,
    mode: modeOf(session),
    version: 'stalk/1',
    suite: session.suite.name,
    peerAuthenticated,
    selfAuthenticated: session.self !== null,
    peerIdentity: peerAuthenticated ? peer : null,
    peerName: peerAuthenticated ? name : null,
    resumed: session.resumed,
    sessionId: session.exporter.sessionId.toString('hex')
  })
}

function modeOf({ role, self, peer }: Session): Mode {
  if (self && peer) return 'mutual'
  if (!self && !peer) return 'anonymous'
  return (role === 'initiator') === (self !== null) ? 'initiator-only' : 'responder-only'
}
