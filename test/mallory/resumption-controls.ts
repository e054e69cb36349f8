// Controls of resumption: sessions that are resumed, tickets that are not taken and do no harm, and all that a giver of
// tickets may do.

import { BOTH, clean, type Expected, type Fault, flipped, type Role, type Step } from './fault.ts'
import { BUCKET } from './flood-faults.ts'
import { rsa } from './keys.ts'
import type { Peer } from './peer.ts'
import { rekeyed } from './questions.ts'
import {
  type Around,
  first,
  greeted,
  greetedInFull,
  greeting,
  handOver,
  inSecond,
  issuing,
  resumed,
  resumedWithFirst,
  unoffered,
  withTicket
} from './resuming.ts'

/** Its last connection is what the step says. */
const row = (
  name: string,
  does: string,
  { acts, expected }: Step,
  { against = BOTH, ...around }: Around & { against?: readonly Role[] } = {}
): Fault => inSecond(...against)(`control-${name}`, does, acts, expected, around)

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

// --- every mode and suite ------------------------------------------------------------------------------

type Says = Parameters<typeof issuing>[0]

/** Says the same in both connections. */
const alike = (
  name: string,
  does: string,
  says: Says,
  around: Around & { against?: readonly Role[] } = {}
): Fault => row(`resumed-${name}`, does, resumed(says), { ahead: [issuing(says)], ...around })

const OFB = { suites: [3, 0x5a6a], suite: 3 }

const modes: readonly Fault[] = [
  alike('mutual', 'resumes a session in which both have shown a key', {}),
  alike('rsa', 'resumes a session in which it has shown an RSA key', { identity: rsa }),
  alike('anonymous', 'resumes a session in which it has shown no key', { identity: null }),
  alike(
    'target-anonymous',
    'resumes a session in which it alone has shown a key',
    {},
    {
      target: { anonymous: true }
    }
  ),
  alike(
    'nobody',
    'resumes a session in which nobody has shown a key',
    { identity: null },
    {
      target: { anonymous: true }
    }
  ),
  alike(
    'want-required',
    'resumes a session in which it has required a key',
    { want: 2 },
    {
      against: ['initiator']
    }
  ),
  alike('pinned', 'resumes a session with who has its key pinned', {}, { target: { pinned: true } }),
  alike(
    'identity-required',
    'resumes a session with who requires a key',
    {},
    {
      against: ['responder'],
      target: { requireIdentity: true }
    }
  ),
  alike('chacha', 'resumes a session under suite 0002', { suites: [2, 0x5a6a], suite: 2 }),
  alike('ofb', 'resumes a session under suite 0003', OFB, {
    target: { suites: ['X25519-AES256OFB-HMACSHA256'] }
  })
]

// --- resumed sessions ----------------------------------------------------------------------------------

/** A resumed session in which something else comes first. */
const resumedWith = (open: (peer: Peer) => Promise<void>, ...got: unknown[]): Step => ({
  acts: { says: withTicket(), open },
  expected: { ...clean(...got), resumed: true }
})

const early: Step = resumedWith(
  async peer => {
    peer.write(peer.message('hello'))
    await peer.goodbye(2)
  },
  'early',
  'hello'
)
const withEarly = (place: 'M4' | 'M5'): Step => ({
  ...early,
  acts: { ...early.acts, sends: { [place]: (bytes: Buffer, peer: Peer) => [bytes, peer.message('early')] } }
})

/** The target's second ticket says less than its first one did. */
async function inherits(peer: Peer): Promise<void> {
  await handOver(peer)
  const [first, second] = peer.memory.tickets
  if (!first || !second || second.lifetime >= first.lifetime)
    throw new Error(`a ticket of ${second?.lifetime} s, a second behind one of ${first?.lifetime} s`)
}

const sessions: readonly Fault[] = [
  row('resumed-twice', 'resumes a resumed session', resumed(), { ahead: [issuing(), resumed({}, handOver)] }),
  row('resumed-max-message', 'takes other messages in a resumed session', resumed({ maxMessage: 16 })),
  row(
    'resumed-upkeep',
    'takes new keys in a resumed session',
    resumed({}, async peer => void (await rekeyed(peer)))
  ),
  row('resumed-early-data', 'sends messages right behind M4 of a resumed handshake', withEarly('M4'), {
    against: ['responder']
  }),
  row('resumed-behind-m5', 'sends messages right behind M5 of a resumed handshake', withEarly('M5'), {
    against: ['initiator']
  }),
  row(
    'resumed-expiry-inherited',
    'resumes a session, and is given a ticket that is good for no longer than the first',
    resumed({}, inherits),
    {
      against: ['responder'],
      ahead: [
        issuing({}, async peer => {
          await handOver(peer)
          await pause(1_100)
        })
      ]
    }
  )
]

// --- tickets that are not taken ------------------------------------------------------------------------

const inFull = (says: NonNullable<Step['acts']['says']>): Step => ({
  acts: { says, open: greeting() },
  expected: greetedInFull
})

/** A ticket that is not the target's, with a binder of Mallory's own. */
const stranger = (change: (value: Buffer) => Buffer, says: Says = {}): Step =>
  inFull(withTicket(says, ({ last }) => ({ value: change(last.value), psk: Buffer.alloc(32, 7) })))

/** The ticket that was given out is still good behind it. */
const untouched = (name: string, does: string, step: Step): Fault =>
  row(`ticket-${name}`, does, step, { against: ['responder'], behind: [resumedWithFirst] })

const used: Says = { random: (bytes: number) => Buffer.alloc(bytes, 0x42) }

const untaken: readonly Fault[] = [
  untouched(
    'unknown',
    'offers a ticket that nobody has issued',
    stranger(() => Buffer.alloc(32, 5))
  ),
  untouched(
    'unknown-short',
    'offers a ticket of a byte',
    stranger(() => Buffer.of(5))
  ),
  untouched(
    'unknown-512',
    'offers a ticket of 512 bytes',
    stranger(() => Buffer.alloc(512, 5))
  ),
  untouched(
    'changed',
    'offers a ticket with a bit turned over',
    stranger(value => flipped(value, 0))
  ),
  untouched(
    'changed-end',
    'offers a ticket with its last bit turned over',
    stranger(value => flipped(value, -1))
  ),
  untouched(
    'cut',
    'offers a ticket without its last byte',
    stranger(value => value.subarray(0, -1))
  ),
  untouched(
    'continued',
    'offers a ticket with a byte behind it',
    stranger(value => Buffer.concat([value, Buffer.of(0)]))
  ),
  untouched(
    'other-suite',
    'offers a ticket and not its suite, with a binder that is wrong',
    stranger(value => value, { suites: [2, 0x5a6a], suite: 2 })
  ),
  row('ticket-used', 'offers a ticket that was used', inFull(withTicket({}, first)), {
    against: ['responder'],
    ahead: [issuing(), resumed()]
  }),
  row(
    'm1-again',
    'says an M1 whose ticket was used once more, byte for byte',
    inFull(withTicket(used, first)),
    {
      against: ['responder'],
      ahead: [issuing(), resumed(used)]
    }
  ),
  row(
    'ticket-not-taken',
    'does not take the ticket that it has given out',
    { acts: { open: greeting() }, expected: { ...greetedInFull, offers: true } },
    { against: ['initiator'], behind: [unoffered] }
  )
]

// --- giving tickets out --------------------------------------------------------------------------------

/** Mallory gives a ticket out as told, and resumes with it. */
const giving = (
  name: string,
  does: string,
  hand: (peer: Peer) => Promise<void> | void,
  then = resumed()
): Fault => row(`ticket-${name}`, does, then, { against: ['initiator'], ahead: [issuing({}, hand)] })

/** Tickets that the target may keep or drop. */
const dropped = (
  name: string,
  does: string,
  open: NonNullable<Step['acts']['open']>,
  expected: Expected = greeted
): Fault => ({
  name: `control-ticket-${name}`,
  does,
  against: ['initiator'],
  acts: { open },
  expected
})

const many = (count: number, peer: Peer): Buffer[] => Array.from({ length: count }, () => peer.ticket())

const given: readonly Fault[] = [
  giving('shortest', 'gives a ticket of a byte out', peer => handOver(peer, { value: Buffer.of(1) })),
  giving('longest', 'gives a ticket of 512 bytes out', peer =>
    handOver(peer, { value: Buffer.alloc(512, 1) })
  ),
  giving('for-a-day', 'gives a ticket out that is good for a day', peer =>
    handOver(peer, { lifetime: 86_400 })
  ),
  row('ticket-of-nobody', 'wants no key, and gives a ticket out to who has one', unoffered, {
    against: ['initiator'],
    ahead: [issuing({ want: 0 })]
  }),
  giving('behind-update', 'gives a ticket out behind new keys', async peer => {
    await rekeyed(peer)
    await handOver(peer)
  }),
  giving('twice', 'gives the same ticket out twice', peer => {
    const record = { value: Buffer.alloc(32, 3) }
    peer.write(peer.ticket(record), peer.ticket(record))
  }),
  giving(
    'expired',
    'gives a ticket out that is good for a second, and comes back later',
    async peer => {
      await handOver(peer, { lifetime: 1 })
      await pause(1_300)
    },
    unoffered
  ),
  row(
    'ticket-outlives-first',
    'gives a ticket for a day out, in a session that was resumed with one for two seconds',
    unoffered,
    {
      against: ['initiator'],
      ahead: [
        issuing({}, peer => handOver(peer, { lifetime: 2 })),
        resumed({}, async peer => {
          await handOver(peer, { lifetime: 86_400 })
          await pause(2_300)
        })
      ]
    }
  ),
  dropped('dropped', 'gives a ticket out to who keeps none', greeting(handOver)),
  dropped(
    'thirty-two',
    'gives as many tickets out at once as a receiver lets it',
    greeting(peer => peer.write(...many(BUCKET, peer)))
  ),
  dropped('sixty-four', 'gives as many tickets out, and as many behind a message', async peer => {
    peer.write(...many(BUCKET, peer), peer.message('hello'), ...many(BUCKET, peer))
    await peer.goodbye(1)
  }),
  {
    ...dropped('behind-target', 'gives a ticket out behind the close of the target', async peer => {
      await peer.hears(({ closes }) => closes.length > 0)
      peer.write(peer.ticket(), peer.message('hello'), peer.ticket(), peer.close())
    }),
    target: { closesFirst: true }
  }
]

export const resumptionControls: readonly Fault[] = [...modes, ...sessions, ...untaken, ...given]
