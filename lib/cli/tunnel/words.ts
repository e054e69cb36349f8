// What a tunnel says: where it begins and leads to, how each connection it carried ended, and what was turned away. Knows
// what there is to say; how it is said is voice.ts's.

import type { Connection } from '../../index.ts'

import { explain } from '../explain.ts'
import { described } from '../keys.ts'
import { grouped, harmless, seconds, sized } from '../terminal.ts'
import type { Voice } from '../voice.ts'
import { fingerprintOf, suiteOf } from '../words.ts'
import type { Breaker, Broken } from './carrier.ts'
import type { FarReporter } from './far.ts'
import type { NearReporter } from './near.ts'
import type { Reporter } from './traffic.ts'
import { refusalText } from './wire.ts'

/** At the near end a program of this side comes in, at the far end somebody's key does. */
export type End = 'near' | 'far'

export function trips(voice: Voice, end: End): Reporter {
  return {
    opened: ({ number, from }, connection) => {
      const peer = fingerprintOf(connection.peerIdentity)
      voice.event('opened', { connection: number, from, peer, ...suiteOf(connection) }, [])
    },
    ended: ({ number, from }, { sent, received, ms, broken }) => {
      const facts = { connection: number, from, sent, received, ms: Math.round(ms) }
      // As the program sees it that is carried: there is where the service is, at either end.
      const [there, back] = end === 'near' ? [sent, received] : [received, sent]
      const moved = `${sized(there)} there, ${sized(back)} back, ${seconds(ms)}`
      if (broken === null)
        return voice.event('ended', { ...facts, kind: 'end' }, `#${number} ${from}: ended: ${moved}`)
      const text = `#${number} ${from}: ${broken.by === 'us' ? 'given up' : 'reset'} after ${moved}: `
      if (broken.by === 'here' || (broken.by === 'there' && broken.cause))
        return voice.event(
          'ended',
          { ...facts, kind: 'reset', by: broken.by },
          text + RESET_BY[end][broken.by]
        )
      const { text: why, ...rest } = whyBroken(broken)
      voice.complain('broken', { ...rest, text: text + why }, { ...facts, kind: 'broken', by: broken.by })
    }
  }
}

const RESET_BY: Record<End, Record<Extract<Breaker, 'here' | 'there'>, string>> = {
  near: { here: 'by the program here', there: 'by the far end or its target' },
  far: { here: 'by the target', there: 'by the near end or its program' }
}

const whyBroken = (broken: Broken): ReturnType<typeof explain> =>
  broken.cause ? explain(broken.cause) : { text: broken.message, hints: [] }

export function nearWords(voice: Voice, failure: (error: unknown) => unknown): NearReporter {
  return {
    turnedAway: from => {
      const text = `${from} was turned away: as many connections are open as there may be`
      voice.complain('broken', { text, hints: [] }, { from, by: 'us' })
    },
    failed: ({ number, from }, error) => {
      const { text, ...rest } = explain(failure(error))
      voice.complain('broken', { ...rest, text: `#${number} ${from}: ${text}` }, { connection: number, from })
    }
  }
}

export function farWords(voice: Voice): FarReporter {
  return {
    checked: ({ host, claimedPeerIdentity: peer }) => {
      const facts = { host, peer: fingerprintOf(peer) }
      voice.event('checked', facts, `${described(peer)}${host ? ` at ${host}` : ''} has found us`)
    },
    refused: (from, why, error) => {
      const detail = error ? ` (${error.message})` : ''
      const text = `${from} was refused: ${refusalText(why)}${detail}`
      voice.complain('broken', { text, hints: [] }, { from, why })
    }
  }
}

export interface Begun {
  readonly end: End
  /** Where it listens. */
  readonly where: string
  readonly leadsTo: string
}

/** What a person needs to make the other end. */
export function showBegun(
  voice: Voice,
  { end, where, leadsTo }: Begun,
  facts: object,
  more: readonly string[]
): void {
  const first = `tunnel from ${harmless(where)} to ${harmless(leadsTo)}`
  voice.event('listening', { end, where, to: leadsTo, ...facts }, [first, ...more])
}

export const showFound = (voice: Voice, where: string, peer: Connection): void =>
  voice.event('found', { where, peer: fingerprintOf(peer.claimedPeerIdentity) }, [
    `the far end is there: ${described(peer.claimedPeerIdentity)}`
  ])

export function showEnding(voice: Voice, signal: string, open: number, patience: number): void {
  const text =
    open === 0
      ? `ending (${signal})`
      : `ending (${signal}): ${counted(open)} still open, for ${patience} s at most; again to end at once`
  voice.event('ending', { signal, connections: open }, text)
}
export const counted = (connections: number): string =>
  `${grouped(connections)} ${connections === 1 ? 'connection' : 'connections'}`
