// What the demo claims, held against what its programs have reported. Pure judgement: evidence in, claims out,
// each with what was seen instead if it does not hold. Nothing is taken for true because nobody denied it.

import type { Outcome } from '../index.ts'
import type { Cast, Evidence, Side } from './demo-scenes.ts'
import { needlesIn, needlesOf } from './needles.ts'
import { sameTotal, type Total } from './tally.ts'
import { grouped } from './terminal.ts'

export interface Claim {
  readonly holds: boolean
  readonly text: string
  /** What was seen. */
  readonly seen: string
}

/** Done, or not everything that was claimed is so. */
export const exitCodeOf = (claims: readonly Claim[]): 0 | 1 =>
  claims.length > 0 && claims.every(claim => claim.holds) ? 0 : 1

/** Scene 1. `expected` is what should have arrived, `first` the message that was sent first. */
export function transferClaims(evidence: Evidence, cast: Cast, expected: Total, first: unknown): Claim[] {
  return [
    verifiedClaim(evidence, cast),
    arrivedClaim(evidence, expected),
    ...kindsClaims(evidence, expected),
    ...unreadableClaims(evidence, first),
    goodbyeClaim(evidence, expected.messages)
  ]
}

/** Scene 2: the connector expected somebody else. */
export function strangerClaims({ listener, connector, wire }: Evidence, cast: Cast): Claim[] {
  const { code, text } = connector.refused ?? { code: 'no refusal', text: '' }
  const named = text.includes(cast.stranger.fingerprint) && text.includes(cast.listener.fingerprint)
  const silent = wire.firstRecord === null && !listener.secured && !listener.ended && !connector.secured
  return [
    {
      holds: code === 'ERR_STALK_PEER_MISMATCH' && named,
      text: 'the connector refused, and names both keys',
      seen: `${code} ${text}`
    },
    {
      holds: listener.refused?.code === 'ERR_STALK_REJECTED',
      text: 'the listener learned that it was refused',
      seen: listener.refused?.code ?? 'nothing'
    },
    {
      holds: silent,
      text: 'no message was sent, and none was delivered',
      seen: `the first record: ${wire.firstRecord?.length ?? 0} bytes; ${json(listener)}`
    }
  ]
}

/** Scene 3: the wire was cut. `sent` gives the total of the first so many messages that were sent. */
export function cutClaims({ listener, connector, wire }: Evidence, sent: (count: number) => Total): Claim[] {
  const ends = [connector.ended?.outcome, listener.ended?.outcome]
  const received = listener.ended?.total
  return [
    {
      holds: wire.cut && ends.every(isCut),
      text: 'neither end takes the cut for an end: both report an error',
      seen: ends.map(end => end?.kind ?? 'nothing').join(' and ')
    },
    {
      holds: received !== undefined && sameTotal(received, sent(received.messages)),
      text: arrivedText(received?.messages ?? 0),
      seen: json(received)
    },
    {
      holds: ends[0]?.acknowledged === null,
      text: "how many arrived, the connector can't know, and doesn't pretend to",
      seen: `acknowledged: ${ends[0]?.acknowledged}`
    }
  ]
}

const arrivedText = (count: number): string =>
  count === 0
    ? 'no message had arrived whole, and none was delivered'
    : `what had arrived is whole and in order: the first ${counted(count)}`

const isCut = (outcome: Outcome | undefined): boolean =>
  outcome?.kind === 'truncated' || outcome?.kind === 'reset'

function verifiedClaim({ listener, connector }: Evidence, cast: Cast): Claim {
  const [here, there] = [connector.secured, listener.secured]
  const mutual = [here, there].every(end => end?.mode === 'mutual' && end.peerAuthenticated)
  const same = here?.sessionId === there?.sessionId && here?.suite === there?.suite
  const names =
    here?.peer === cast.listener.fingerprint &&
    here.self === cast.connector.fingerprint &&
    there?.peer === cast.connector.fingerprint &&
    there.self === cast.listener.fingerprint
  return {
    holds: mutual && same && names,
    text: 'each end proved its key to the other, and is the one that was expected',
    seen: json([here, there])
  }
}

function arrivedClaim({ listener, connector }: Evidence, expected: Total): Claim {
  const sent = connector.ended?.total
  const received = listener.ended?.total
  const answered = (connector.ended?.answer as { received?: Total } | undefined)?.received
  return {
    holds: [sent, received, answered].every(total => total !== undefined && sameTotal(total, expected)),
    text: `${counted(expected.messages)} arrived whole, in order, once: the digests are equal`,
    seen: json({ sent, received, answered })
  }
}

function kindsClaims({ listener }: Evidence, { kinds }: Total): Claim[] {
  if (kinds.length === 0) return []
  const seen = listener.ended?.total.kinds.join(', ') ?? ''
  const names = kinds.join(', ')
  return [{ holds: seen === names, text: `values beyond JSON are still what they were: ${names}`, seen }]
}

function unreadableClaims({ wire }: Evidence, first: unknown): Claim[] {
  const needles = needlesOf(first)
  if (needles.length === 0) return []
  const readable = needlesIn(wire.firstRecord ?? Buffer.alloc(0), needles)
  return [
    {
      holds: wire.firstRecord !== null && readable.length === 0,
      text: `nothing of that message can be read on the wire (parts looked for: ${needles.length})`,
      seen: wire.firstRecord ? readable.map(String).join(', ') : 'no record'
    }
  ]
}

function goodbyeClaim({ listener, connector }: Evidence, messages: number): Claim {
  const sides = [sealed(connector, messages, 1), sealed(listener, 1, messages)]
  return {
    holds: sides.every(Boolean),
    text: 'both ends said goodbye, and everything that was sent is acknowledged',
    seen: json([connector.ended?.outcome, listener.ended?.outcome])
  }
}

/** Whether an end closed cleanly, having sent and received so many messages, all of them acknowledged. */
function sealed({ ended }: Side, sent: number, received: number): boolean {
  const outcome = ended?.outcome
  return (
    outcome?.kind === 'clean' &&
    outcome.sent === sent &&
    outcome.acknowledged === sent &&
    outcome.received === received &&
    outcome.unsent === 0
  )
}

const counted = (count: number): string => (count === 1 ? '1 message' : `${grouped(count)} messages`)

const json = (value: unknown): string => JSON.stringify(value) ?? 'nothing'
