// Two connections over a pair of duplexes in memory, with identities made for the occasion. Knows what stalk offers
// to everybody, and no more.

import { type Connection, Identity, type StalkOptions, stalk } from '../index.ts'
import { type Pair, type PairOptions, pair } from './pair.ts'

export interface ConnectedPairOptions extends PairOptions {
  /** For the first end. Default: its own identity, and the other end's as `peer`. */
  readonly initiator?: StalkOptions | undefined
  /** For the second end. Default: its own identity, and the other end's as `peer`. */
  readonly responder?: StalkOptions | undefined
}

/** `A`: what the initiator sends, `B`: what the responder does. */
export interface ConnectedPair<A = unknown, B = unknown> extends Omit<Pair, 'ends'> {
  readonly initiator: Connection<B, A>
  readonly responder: Connection<A, B>
}

/**
 * Two connections that trust each other's throwaway Ed25519 identity, as soon as both are ready. The handshake has
 * gone through the pair by then: `there.written` and `back.written` say where the messages begin. The faults of
 * `options` strike in the handshake as well.
 *
 * Throws ERR_STALK_INVALID_OPTION, and what made the handshake fail: then both ends are destroyed.
 */
export async function connectedPair<A = unknown, B = unknown>(
  options: ConnectedPairOptions = {}
): Promise<ConnectedPair<A, B>> {
  const { initiator: forInitiator, responder: forResponder, ...forPair } = options
  const [first, second] = await identities()
  const { ends, there, back } = pair(forPair)
  const initiator = stalk<B, A>(ends[0], {
    role: 'initiator',
    identity: first,
    peer: shown(forResponder, second),
    ...forInitiator
  })
  const responder = stalk<A, B>(ends[1], {
    role: 'responder',
    identity: second,
    peer: shown(forInitiator, first),
    ...forResponder
  })
  await bothReady(initiator, responder)
  return { initiator, responder, there, back }
}

/** Whom an end with these options shows itself to be, as an option of its peer. */
const shown = ({ identity }: StalkOptions = {}, made: Identity): Identity | 'anyone' =>
  (identity === undefined ? made : identity) ?? 'anyone'

async function bothReady(...both: Pick<Connection, 'on' | 'off' | 'ready' | 'destroy'>[]): Promise<void> {
  const heard = (): void => {} // `ready` tells of it
  for (const connection of both) connection.on('error', heard)
  try {
    await Promise.all(both.map(connection => connection.ready))
    for (const connection of both) connection.off('error', heard)
  } catch (error) {
    for (const connection of both) connection.destroy()
    throw error
  }
}

let made: Promise<[Identity, Identity]> | undefined

/** The same for all pairs of a process. */
const identities = (): Promise<[Identity, Identity]> => {
  made ??= Promise.all([Identity.generate({ type: 'ed25519' }), Identity.generate({ type: 'ed25519' })])
  return made
}
