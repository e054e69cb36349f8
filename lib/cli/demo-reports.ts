// What the demo's programs tell each other: the tasks that the two children are given and the reports that they
// send back, over Node's IPC channel. Types and names only.

import type { Connection, Mode, Outcome } from '../index.ts'
import type { Total } from './tally.ts'

/** The name of the demo's protocol; both ends must have the same. */
export const APP = 'stalk-demo'
export const HOST = '127.0.0.1'

export interface ListenerTask {
  readonly privateFile: string
  /** The fingerprint of the connector. */
  readonly peer: string
}

export interface ConnectorTask extends ListenerTask {
  readonly port: number
  readonly messages: readonly unknown[]
  /** How many to send: the messages from the first on, over and over. Infinity: until something ends it. */
  readonly total: number
}

/** What one end knows of the connection. */
export interface Secured {
  readonly mode: Mode
  readonly suite: string
  readonly peerAuthenticated: boolean
  readonly peer: string | null
  readonly self: string | null
  readonly sessionId: string
}

export type Report =
  | { readonly name: 'listening'; readonly port: number }
  | ({ readonly name: 'secure' } & Secured)
  | { readonly name: 'progress'; readonly messages: number }
  /** The handshake failed: a rejection of `connect()`, a `clientError` of the listener. */
  | { readonly name: 'refused'; readonly code: string; readonly text: string }
  /** A message that stalk does not carry, by its place in the task. */
  | { readonly name: 'unsendable'; readonly index: number; readonly text: string }
  | ({ readonly name: 'ended' } & Ended)

export interface Ended {
  readonly outcome: Outcome
  /** Of the messages that this end has sent, or received. */
  readonly total: Total
  /** At the connector: what the listener said that it has received, and when, in ms after the first message. */
  readonly answer?: unknown
  readonly ms?: number
}

export function securedOf(connection: Connection<unknown, unknown>): Secured {
  if (!connection.security) throw new Error('this connection is not secure')
  const { mode, suite, peerAuthenticated, sessionId } = connection.security
  return {
    mode,
    suite,
    peerAuthenticated,
    sessionId,
    peer: connection.peerIdentity?.fingerprint ?? null,
    self: connection.identity?.fingerprint ?? null
  }
}
