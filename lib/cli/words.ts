// How connections and messages are shown to a person, and the same facts for a script. Knows what there is to
// say; how it is said is voice.ts's.

import { inspect } from 'node:util'
import type { Connection, Identity, Outcome } from '../index.ts'
import { described } from './keys.ts'
import { harmless } from './terminal.ts'
import type { Voice } from './voice.ts'

export function showConnected(voice: Voice, where: string, connection: Connection): void {
  const { claimedPeerIdentity: peer, identity, security } = connection
  const verified = security?.peerAuthenticated === true
  const facts = {
    where,
    peer: fingerprintOf(peer),
    verified,
    name: security?.peerName ?? null,
    identity: fingerprintOf(identity),
    ...suiteOf(connection)
  }
  voice.event('connected', facts, [
    `connected to ${harmless(where)} with ${security?.suite}`,
    `  peer: ${described(peer)}${peer && !verified ? ', not verified' : nameOf(connection)}`,
    `  we:   ${described(identity)}`
  ])
}

/** For a person without the reason: where there is one, it is complained of next. */
export function showEnd(voice: Voice, outcome: Outcome): void {
  voice.event('ended', outcome, inCounts(outcome))
}

/** How it ended, in one line. */
export function ended(outcome: Outcome): string {
  const { kind, code, reason } = outcome
  return kind === 'clean' ? inCounts(outcome) : `${inCounts(outcome)}: ${reason}${code ? ` (${code})` : ''}`
}

function inCounts({ kind, sent, acknowledged, received, unsent }: Outcome): string {
  const counts = [
    `sent ${sent}`,
    `acknowledged ${acknowledged ?? 'unknown'}`,
    `received ${received}`,
    ...(unsent > 0 ? [`unsent ${unsent}`] : [])
  ]
  return `ended ${kind}: ${counts.join(', ')}`
}

/** What our own list calls the peer. */
export const nameOf = ({ security }: Connection): string =>
  security?.peerName ? `, known as ${harmless(security.peerName)}` : ''

export const fingerprintOf = (identity: Identity | null): string | null => identity?.fingerprint ?? null

export const suiteOf = ({ security }: Connection): object => ({
  mode: security?.mode,
  suite: security?.suite
})

/** The narrowest in which a value is laid out, in columns. */
const MIN_WIDTH = 40
const INDENT = '  '

/** A message as node prints it, indented, with nothing in it that a terminal would obey. */
export function inspected(message: unknown, colors: boolean, columns = 80): string {
  const text = inspect(message, {
    colors,
    depth: 10,
    maxArrayLength: 100,
    maxStringLength: 2_000,
    breakLength: Math.max(columns - INDENT.length, MIN_WIDTH)
  })
  // inspect escapes control characters, but not those that turn the direction of text or hide in it.
  const safe = text.replace(/[\p{Cf}\u2028\u2029]/gu, harmless)
  return INDENT + safe.replaceAll('\n', `\n${INDENT}`)
}
