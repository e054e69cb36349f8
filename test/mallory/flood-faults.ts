// Faults of too many questions: pings and requests for new keys beyond the bucket of section 21.3. Every one waits for
// its answer, unless it says otherwise.

import { closedOn } from './closing-controls.ts'
import { broken, type Expected, type Fault, type Settings, toBoth } from './fault.ts'
import type { Peer } from './peer.ts'
import { type Ask, askInTurn, pinged, rekeyed } from './questions.ts'

/** What the bucket holds, and gains in a second. */
export const BUCKET = 32

const flooded = broken('ERR_STALK_FLOODED', 9)

/** One more than the bucket has, however long that takes. */
export async function tooMany(peer: Peer, ...questions: readonly Ask[]): Promise<void> {
  const began = performance.now()
  const allowed = (): number => BUCKET + Math.ceil((performance.now() - began) / 1_000)
  for (let asked = 0; asked <= allowed(); asked++) {
    if (!(await questions[asked % questions.length]?.(peer))) return
  }
}

const row = (
  name: string,
  does: string,
  flood: (peer: Peer) => Promise<void> | void,
  expected: Expected = flooded,
  target: Settings = {}
): Fault =>
  toBoth(
    `flood-${name}`,
    does,
    {
      open: async peer => {
        if (target.closesFirst) await closedOn(peer)
        peer.write(peer.message('before'))
        await flood(peer)
        peer.write(peer.message('behind'))
      }
    },
    expected,
    target
  )

/** So many records in one piece. A target may find that one comes before the answer to the one before it. */
const piece = (name: string, does: string, make: (peer: Peer) => Buffer): Fault =>
  row(name, does, peer => peer.write(...Array.from({ length: 3 * BUCKET }, () => make(peer))), {
    ...flooded,
    alerts: [9, 1]
  })

/** Answers are no messages. */
const behindAnswers: Fault = toBoth(
  'flood-behind-answers',
  'uses up what it may ask, answers a ping and a request for new keys, and asks as much again',
  {
    open: async peer => {
      peer.write(peer.message('before'))
      await peer.hears(({ pings, updates }) => pings.length > 0 && updates.length > 0)
      await askInTurn(peer, BUCKET, pinged)
      peer.write(peer.pong(1, peer.heard.pings[0]), peer.update(0))
      await askInTurn(peer, BUCKET / 2, pinged)
      peer.write(peer.message('behind'))
    },
    answers: { ping: () => [], request: () => [] }
  },
  flooded,
  { pings: true, updates: true }
)

export const floodFaults: readonly Fault[] = [
  row('pings', 'sends more pings than it may', peer => tooMany(peer, pinged)),
  row('updates', 'asks for new keys more often than it may', peer => tooMany(peer, rekeyed)),
  row('mixed', 'pings and asks for new keys more often than it may together', peer =>
    tooMany(peer, pinged, rekeyed)
  ),
  row(
    'behind-refill',
    'uses up what it may ask, sends a message, and asks too much',
    async peer => {
      await askInTurn(peer, BUCKET, pinged)
      peer.write(peer.seal(2, Buffer.of(0x91, 0xc3)))
      await tooMany(peer, pinged)
    },
    { ...flooded, delivered: ['before', true] }
  ),
  row('amid-fragments', 'sends more pings than it may between fragments', peer => {
    peer.write(peer.seal(3, Buffer.alloc(1_024, 0x61)))
    return tooMany(peer, pinged)
  }),
  row('behind-silence', 'says nothing for seconds, and sends more pings than it may then', async peer => {
    await new Promise(resolve => setTimeout(resolve, 3_200))
    await tooMany(peer, pinged)
  }),
  behindAnswers,
  row(
    'behind-target',
    'sends more pings than it may behind the close of the target',
    peer => tooMany(peer, pinged),
    flooded,
    { closesFirst: true }
  ),
  piece('pings-in-one-piece', 'sends very many pings at once', peer => peer.ping()),
  piece('updates-in-one-piece', 'asks for new keys very often at once', peer => peer.update())
]
