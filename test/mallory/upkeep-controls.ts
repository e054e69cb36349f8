// Controls of pings and key updates: all that section 21 allows, from both ends, at any place and up to the last one
// that a target has to take.

import { closedOn } from './closing-controls.ts'
import { type Acts, type Answers, BOTH, clean, type Fault, hex, type Role, type Settings } from './fault.ts'
import { BUCKET } from './flood-faults.ts'
import type { Peer } from './peer.ts'
import { type Ask, askInTurn, pinged, rekeyed } from './questions.ts'

const row = (
  name: string,
  does: string,
  acts: Acts,
  got: readonly unknown[],
  target: Settings = {},
  against: readonly Role[] = BOTH
): Fault => ({ name: `control-${name}`, does, against, target, acts, expected: clean(...got) })

/** Does this, waits until all messages have come back, and closes. */
const session = (
  name: string,
  does: string,
  talk: (peer: Peer) => Promise<unknown>,
  got: readonly unknown[],
  target: Settings = {}
): Fault =>
  row(
    name,
    does,
    {
      open: async peer => {
        await talk(peer)
        await peer.goodbye(got.length)
      }
    },
    got,
    target
  )

const part = (peer: Peer): Buffer => peer.seal(3, Buffer.concat([hex('da0800'), Buffer.alloc(1_021, 0x61)]))
const rest = (peer: Peer): Buffer => peer.seal(4, Buffer.alloc(1_027, 0x61))
const PARTS = 'a'.repeat(2_048)

const pings: readonly Fault[] = [
  session(
    'ping',
    'sends a ping, and a message',
    async peer => {
      await pinged(peer)
      peer.write(peer.message('hello'))
    },
    ['hello']
  ),
  session(
    'ping-padded',
    'pads a ping to the longest record',
    async peer => {
      peer.write(peer.seal(8, hex('0102030405060708'), 65_600), peer.message('hello'))
      await peer.hears(({ answers }) => answers.length > 0)
    },
    ['hello']
  ),
  session(
    'ping-zero-end',
    'sends a ping that is zero but for its first byte',
    async peer => {
      peer.write(peer.ping(hex('0100000000000000')), peer.message('hello'))
      await peer.hears(({ answers }) => answers.length > 0)
    },
    ['hello']
  ),
  session(
    'ping-behind-messages',
    'sends a ping behind messages, all of which its pong counts',
    async peer => {
      peer.write(peer.message('one'), peer.seal(2, hex('92c3c2')), ...peer.fragments(hex('c3'), 1))
      await pinged(peer, 4)
    },
    ['one', true, false, true]
  ),
  session(
    'ping-amid-fragments',
    'sends pings between fragments',
    async peer => {
      peer.write(peer.message('one'), part(peer))
      await askInTurn(peer, 3, each => pinged(each, 1))
      peer.write(rest(peer))
    },
    ['one', PARTS]
  ),
  row(
    'ping-early',
    'pings in its early data already, as the target cannot tell',
    {
      sends: { M4: (m4, peer) => [m4, peer.message('early'), peer.ping()] },
      open: async peer => {
        await peer.hears(({ answers }) => answers.length > 0)
        await peer.goodbye(1)
      }
    },
    ['early'],
    {},
    ['responder']
  )
]

const suites = [
  [1, 'X25519-AES256GCM-SHA256'],
  [2, 'X25519-CHACHA20POLY1305-SHA256'],
  [3, 'X25519-AES256OFB-HMACSHA256']
] as const

/** Both directions change their keys, twice, in the middle of a block of the keystream or not. */
const underSuite = ([suite, name]: (typeof suites)[number]): Fault => {
  const control = session(
    `update-suite-${suite}`,
    `asks for new keys twice under suite 000${suite}`,
    async peer => {
      peer.write(peer.message('one'))
      await rekeyed(peer)
      peer.write(peer.message('two'), peer.message('three'))
      await rekeyed(peer)
      peer.write(peer.message('four'))
    },
    ['one', 'two', 'three', 'four'],
    { suites: [name] }
  )
  return { ...control, acts: { says: { suites: [suite], suite }, ...control.acts } }
}

const updates: readonly Fault[] = [
  ...suites.map(underSuite),
  session(
    'update-amid-fragments',
    'asks for new keys between fragments',
    async peer => {
      peer.write(part(peer))
      await askInTurn(peer, 3, rekeyed, pinged)
      peer.write(rest(peer))
    },
    [PARTS]
  ),
  session(
    'update-padded',
    'pads its request for new keys',
    async peer => {
      peer.write(peer.seal(6, hex('01'), 65_600))
      peer.changeKey(old => old.next())
      peer.write(peer.message('hello'))
      await peer.hears(({ updates }) => updates.length > 0)
    },
    ['hello']
  ),
  session(
    'update-in-one-piece',
    'asks for new keys between two messages, and pings, in one piece',
    async peer => {
      peer.write(peer.message('one'), peer.update(), peer.message('two'), peer.ping())
      await peer.hears(({ answers, updates }) => answers.length > 0 && updates.length > 0)
    },
    ['one', 'two']
  )
]

const bucket = (
  name: string,
  does: string,
  talk: (peer: Peer) => Promise<unknown>,
  got: readonly unknown[]
): Fault => session(`bucket-${name}`, does, talk, got)

const asMany =
  (...questions: readonly Ask[]) =>
  (peer: Peer): Promise<boolean> =>
    askInTurn(peer, BUCKET, ...questions)

const buckets: readonly Fault[] = [
  bucket('pings', 'sends as many pings as it may', asMany(pinged), []),
  bucket('updates', 'asks for new keys as often as it may', asMany(rekeyed), []),
  bucket('mixed', 'pings and asks for new keys as often as it may', asMany(pinged, rekeyed), []),
  bucket(
    'refilled',
    'uses up what it may ask, four times, with a record of messages between',
    async peer => {
      await askInTurn(peer, BUCKET, pinged)
      peer.write(peer.message('one'))
      await askInTurn(peer, BUCKET, pinged, rekeyed)
      peer.write(part(peer))
      await askInTurn(peer, BUCKET, pinged)
      peer.write(rest(peer))
      await askInTurn(peer, BUCKET, rekeyed)
    },
    ['one', PARTS]
  ),
  bucket(
    'gains',
    'uses up what it may ask, and asks once more after a second',
    async peer => {
      await askInTurn(peer, BUCKET, pinged)
      await new Promise(resolve => setTimeout(resolve, 1_100))
      await pinged(peer)
    },
    []
  )
]

const closesFirst: Settings = { closesFirst: true }

const closing: readonly Fault[] = [
  row(
    'ask-behind-close',
    "pings and asks for new keys behind the target's close",
    {
      open: async peer => {
        await closedOn(peer)
        peer.write(peer.message('one'))
        await askInTurn(peer, 4, pinged, rekeyed)
        peer.write(peer.message('two'), peer.close())
        peer.end()
      }
    },
    ['one', 'two'],
    closesFirst
  ),
  row(
    'ask-and-close',
    'pings, asks for new keys and closes in one piece',
    {
      open: async peer => {
        peer.write(peer.message('hello'), peer.ping(), peer.update(), peer.close(0))
        await closedOn(peer)
        peer.write(peer.pong())
        peer.end()
      }
    },
    ['hello']
  )
]

/** Waits for a message and so many questions and answers of the target's behind it, and closes. */
const hello =
  ({ pings = 0, updates = 0, messages = 1 }: { pings?: number; updates?: number; messages?: number }) =>
  async (peer: Peer): Promise<void> => {
    peer.write(peer.message('hello'))
    await peer.hears(heard => heard.pings.length >= pings && heard.updates.length >= updates)
    await peer.goodbye(messages)
  }
const pinging = { open: hello({ pings: 1 }) }
const updating = { open: hello({ updates: 1 }) }

/** The target asks behind its message. */
const asked = (
  name: string,
  does: string,
  target: Settings,
  acts: Acts,
  got: readonly unknown[] = ['hello']
): Fault => row(`asked-${name}`, does, acts, got, target)

const asksBoth: Settings = { pings: true, updates: true }
const NOTHING: Answers = { ping: () => [], request: () => [] }

const answers: readonly Fault[] = [
  asked('ping', 'answers a ping', { pings: true }, pinging),
  asked('update', 'answers a request for new keys', { updates: true }, updating),
  asked('both', 'answers a ping and a request for new keys', asksBoth, {
    open: hello({ pings: 1, updates: 1 })
  }),
  asked(
    'ping-slowly',
    'answers a ping behind another message and a ping of its own',
    { pings: true },
    {
      open: hello({ messages: 2 }),
      answers: {
        ping: (value, peer) =>
          peer.heard.pings.length === 1
            ? [peer.message('two'), peer.ping(), peer.pong(1, value)]
            : [peer.pong(2, value)]
      }
    },
    ['hello', 'two']
  ),
  asked(
    'count-0',
    'acknowledges nothing in its pong, though the ping came behind a message',
    { pings: true },
    {
      ...pinging,
      answers: { ping: (value, peer) => [peer.pong(0, value)] }
    }
  ),
  asked(
    'amid-fragments',
    'answers a ping and a request between fragments',
    asksBoth,
    {
      open: hello({ messages: 2 }),
      answers: {
        ping: (value, peer) =>
          peer.heard.pings.length > 1 ? [peer.pong(2, value)] : [part(peer), peer.pong(1, value)],
        request: peer => (peer.heard.updates.length > 1 ? [peer.update(0)] : [peer.update(0), rest(peer)])
      }
    },
    ['hello', PARTS]
  ),
  asked(
    'crossing',
    'asks for new keys before it answers the same request',
    { updates: true },
    {
      open: hello({ updates: 2 }),
      answers: { request: peer => [peer.update(1), peer.update(0)] }
    }
  ),
  asked(
    'crossing-behind',
    'asks for new keys behind its answer to the same request',
    { updates: true },
    {
      open: hello({ updates: 2 }),
      answers: { request: peer => [peer.update(0), peer.update(1)] }
    }
  ),
  asked('unanswered', 'answers nothing, and keeps to the rest of the protocol', asksBoth, {
    open: hello({ pings: 1, updates: 1 }),
    answers: NOTHING
  }),
  asked('by-close', 'closes behind a question, and answers behind its close', asksBoth, {
    open: async peer => {
      peer.write(peer.message('hello'))
      await closedOn(peer)
      peer.write(peer.pong())
      peer.end()
    },
    answers: {
      ping: (value, peer) => [peer.close(), peer.pong(1, value)]
    }
  }),
  asked(
    'late',
    "answers a ping and a request only behind the target's close, when it would have asked once more",
    { ...asksBoth, readsOn: true },
    {
      open: async peer => {
        peer.write(peer.message('one'), peer.message('two'))
        await peer.hears(({ messages, pings }) => messages > 1 && pings.length > 0)
        peer.write(peer.close())
        await closedOn(peer)
        peer.write(peer.pong(2, peer.heard.pings[0]), peer.update(0))
        await new Promise(resolve => setTimeout(resolve, 100))
        peer.write(peer.pong())
        peer.end()
      },
      answers: NOTHING
    },
    ['one', 'two']
  ),
  asked(
    'many',
    'answers questions in great number, and then asks as often as it may',
    asksBoth,
    {
      open: async peer => {
        peer.write(peer.seal(2, Buffer.concat([hex('dc0030'), Buffer.alloc(48, 0xc3)])))
        await peer.hears(({ messages }) => messages >= 48)
        await askInTurn(peer, BUCKET, pinged)
        await peer.goodbye(48)
      }
    },
    Array.from({ length: 48 }, () => true)
  ),
  row(
    'keepalive',
    'says nothing for long, and answers every ping',
    {
      open: async peer => {
        await peer.hears(({ pings }) => pings.length > 2)
        await peer.goodbye(0)
      }
    },
    [],
    { keepAlive: 300 }
  )
]

/** The target asks behind its message and closes; Mallory closes second and answers behind that. */
const behindBoth = (
  name: string,
  does: string,
  target: Settings,
  open: (peer: Peer) => Promise<void> | void
): Fault =>
  row(
    `asked-${name}`,
    does,
    {
      open: async peer => {
        await closedOn(peer)
        await open(peer)
        peer.end()
      },
      answers: NOTHING
    },
    ['hello'],
    { ...closesFirst, ...target }
  )

const pong = (peer: Peer): Buffer => peer.pong(1, peer.heard.pings[0])
const finalPongHeard = (peer: Peer): Promise<void> => peer.hears(({ pongs }) => pongs.length > 0)

const behind: readonly Fault[] = [
  behindBoth('behind-both', 'answers a ping and a request behind both closes', asksBoth, peer =>
    peer.write(peer.message('hello'), peer.close(), pong(peer), peer.update(0))
  ),
  behindBoth(
    'behind-final-pong',
    "answers a ping and a request behind the target's last record",
    asksBoth,
    async peer => {
      peer.write(peer.message('hello'), peer.close())
      await finalPongHeard(peer)
      peer.write(peer.update(0), pong(peer))
    }
  ),
  behindBoth(
    'behind-crossed',
    'answers a ping and a request between its close and its final pong',
    asksBoth,
    peer => peer.write(peer.message('hello'), peer.close(0), pong(peer), peer.update(0), peer.pong(1))
  ),
  behindBoth('before-close', "answers a ping and a request behind the target's close", asksBoth, peer =>
    peer.write(peer.update(0), peer.message('hello'), pong(peer), peer.close())
  ),
  behindBoth('never', 'answers nothing behind the closes', asksBoth, peer =>
    peer.write(peer.message('hello'), peer.close())
  )
]

export const upkeepControls: readonly Fault[] = [
  ...pings,
  ...updates,
  ...buckets,
  ...closing,
  ...answers,
  ...behind
]
