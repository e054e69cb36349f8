// Faults of who is asked: the target sends a ping, or asks for new keys, behind each of its messages, and Mallory
// answers something else.

import { closedOn } from './closing-controls.ts'
import {
  type Answers,
  BOTH,
  broken,
  type Expected,
  type Fault,
  flipped,
  hex,
  type Settings,
  toBoth
} from './fault.ts'
import type { Peer } from './peer.ts'

const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
const malformed = broken('ERR_STALK_DECODE', 4)
const badRecord = broken('ERR_STALK_BAD_RECORD', 2)

const before = (peer: Peer): void => peer.write(peer.message('before'))

/** A target that misses the fault sends a message back and asks again. */
const isFirst = ({ heard: { messages } }: Peer): boolean => messages === 1

const asked = (
  name: string,
  does: string,
  answers: Answers,
  expected: Expected = unexpected,
  target: Settings = {}
): Fault => toBoth(`asked-${name}`, does, { open: before, answers }, expected, target)

/** Answers the target's ping with these. */
const pong = (
  name: string,
  does: string,
  make: (peer: Peer, value: Buffer) => readonly Buffer[],
  expected?: Expected
): Fault =>
  asked(
    name,
    does,
    { ping: (value, peer) => (isFirst(peer) ? [...make(peer, value), peer.message('behind')] : []) },
    expected,
    {
      pings: true
    }
  )

/** Answers the first ping well, sends another message, and answers the ping behind that with this. */
const second = (name: string, does: string, make: (peer: Peer, value: Buffer) => Buffer): Fault =>
  asked(
    name,
    does,
    {
      ping(value, peer) {
        const { length } = peer.heard.pings
        if (length === 1) return [peer.pong(1, value), peer.seal(2, hex('91c3'))]
        return length === 2 ? [make(peer, value), peer.message('behind')] : []
      }
    },
    { ...unexpected, delivered: ['before', true] },
    { pings: true }
  )

const pongs: readonly Fault[] = [
  pong('flipped-value', "has one bit of the ping's value flipped in its pong", (peer, value) => [
    peer.pong(1, flipped(value, 7))
  ]),
  pong('reversed-value', "has the ping's value reversed in its pong", (peer, value) => [
    peer.pong(1, Buffer.from(value).reverse())
  ]),
  pong('zero-value', 'answers a ping with a final pong', peer => [peer.pong(1)]),
  pong(
    'pong-short',
    'answers a ping with a pong of 15 bytes',
    (peer, value) => [peer.seal(9, Buffer.concat([value, Buffer.alloc(7)]))],
    malformed
  ),
  pong(
    'pong-long',
    'answers a ping with a pong of 17 bytes',
    (peer, value) => [peer.seal(9, Buffer.concat([value, Buffer.alloc(9)]))],
    malformed
  ),
  pong('pong-bare', 'answers a ping without a count', (peer, value) => [peer.seal(9, value)], malformed),
  pong('pong-count-high', 'has received more than was sent, in its pong', (peer, value) => [
    peer.pong(2, value)
  ]),
  pong(
    'pong-count-2-53',
    'has received 2⁵³ messages, in its pong',
    (peer, value) => [peer.pong(2n ** 53n, value)],
    broken('ERR_STALK_DECODE', 4, 1)
  ),
  pong('pong-twice', 'answers a ping twice', (peer, value) => [peer.pong(1, value), peer.pong(1, value)]),
  pong('ping-returned', 'answers a ping with the same ping, and a pong to another', (peer, value) => [
    peer.ping(value),
    peer.pong(1, flipped(value, 0))
  ]),
  second('pong-count-down', 'takes an acknowledgement back in its pong', (peer, value) =>
    peer.pong(0, value)
  ),
  second('pong-of-first', 'answers the second ping with the value of the first', peer =>
    peer.pong(2, peer.heard.pings[0])
  ),
  {
    ...asked('close-count-down', 'takes back in its close what its pong acknowledged', {}, unexpected, {
      pings: true
    }),
    acts: {
      open: before,
      answers: { ping: (value, peer) => [peer.pong(1, value), peer.close(0)] }
    }
  }
]

/** Answers the target's request for new keys with these. */
const update = (
  name: string,
  does: string,
  make: (peer: Peer) => readonly Buffer[],
  expected?: Expected
): Fault =>
  asked(
    name,
    does,
    { request: peer => (isFirst(peer) ? [...make(peer), peer.message('behind')] : []) },
    expected,
    { updates: true }
  )

const updates: readonly Fault[] = [
  update('update-twice', 'answers a request for new keys twice', peer => [peer.update(0), peer.update(0)]),
  update(
    'update-value-2',
    'answers a request with a key update of value 2',
    peer => [peer.update(2)],
    malformed
  ),
  update(
    'update-empty',
    'answers a request with a key update without a byte',
    peer => [peer.seal(6)],
    malformed
  ),
  update(
    'update-key-kept',
    'answers a request and keeps its key',
    peer => [peer.update(0, old => old)],
    badRecord
  ),
  update(
    'update-unsaid',
    'changes its key at a request, and does not say so',
    peer => {
      peer.changeKey(old => old.next())
      return []
    },
    badRecord
  ),
  update(
    'update-under-next',
    'answers a request under its next key already',
    peer => {
      peer.changeKey(old => old.next())
      return [peer.update(0)]
    },
    badRecord
  ),
  update('update-crossed-twice', 'asks for new keys as the target does, and answers it twice', peer => [
    peer.update(1),
    peer.update(0),
    peer.update(0)
  ])
]

/** The target asks behind its message and closes; Mallory answers only behind its final pong. */
const over = (name: string, does: string, target: Settings, make: (peer: Peer) => Buffer): Fault => ({
  name: `asked-over-${name}`,
  does: `${does} behind its final pong`,
  against: BOTH,
  target: { closesFirst: true, ...target },
  acts: {
    open: async peer => {
      await closedOn(peer)
      peer.write(peer.message('before'), peer.close(), peer.pong(), make(peer))
    },
    answers: { ping: () => [], request: () => [] }
  },
  expected: { ...unexpected, alerts: ['none'] }
})

const overs: readonly Fault[] = [
  over('pong', 'answers a ping', { pings: true }, peer => peer.pong(1, peer.heard.pings[0])),
  over('update', 'answers a request for new keys', { updates: true }, peer => peer.update(0)),
  over('ping', 'sends a ping', {}, peer => peer.ping()),
  over('request', 'asks for new keys', {}, peer => peer.update(1)),
  over('message', 'sends a message', {}, peer => peer.message('behind'))
]

/** Nothing comes of a question that the target asks in order to hear something. */
const silences: readonly Fault[] = [
  {
    ...asked(
      'silence',
      'says nothing, and answers no ping',
      { ping: () => [] },
      broken('ERR_STALK_PEER_SILENT', 10)
    ),
    target: { keepAlive: 400 }
  }
]

export const askedFaults: readonly Fault[] = [...pongs, ...updates, ...overs, ...silences]
