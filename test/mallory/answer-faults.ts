// Faults of an answer: the target has sent a message and its close, and Mallory still has to close. Up to that the
// target tells an alert; behind both closes it has said its last word, and tells none (section 16).

import { answered, closedOn } from './closing-controls.ts'
import { BOTH, broken, type Expected, type Fault, hex, type Settings } from './fault.ts'
import type { Peer } from './peer.ts'

type Make = (peer: Peer) => Buffer | readonly Buffer[]

const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
const malformed = broken('ERR_STALK_DECODE', 4)
const badRecord = broken('ERR_STALK_BAD_RECORD', 2)
const aborted = broken('ERR_STALK_PEER_ABORTED', 'none')
const truncated = broken('ERR_STALK_TRUNCATED', 'none')
/** Not well formed, and not to come: which of both is found first is not said. */
const badPong = broken('ERR_STALK_DECODE', 4, 1)

const row = (
  name: string,
  does: string,
  open: (peer: Peer) => Promise<void> | void,
  expected: Expected,
  target: Settings = {}
): Fault => ({
  name: `answer-${name}`,
  does,
  against: BOTH,
  target: { closesFirst: true, ...target },
  acts: {
    open: async peer => {
      await closedOn(peer)
      await open(peer)
    }
  },
  expected
})

/** Ahead of Mallory's close, which follows for a target that misses the fault. */
const ahead = (name: string, does: string, make: Make, expected: Expected = unexpected): Fault =>
  row(
    name,
    does,
    peer => peer.write(peer.message('before'), ...[make(peer)].flat(), peer.message('behind'), peer.close()),
    expected
  )

/** In the place of Mallory's close. */
const close = (name: string, does: string, make: Make, expected: Expected = unexpected): Fault =>
  row(name, does, peer => peer.write(peer.message('before'), ...[make(peer)].flat()), expected)

/** Behind Mallory's close: in one piece with it, and once the target has said its last word. */
const behind = (name: string, does: string, make: Make, { code }: Expected = unexpected): Fault[] => {
  const expected = { ...unexpected, code, alerts: ['none'] } as const
  return [
    close(name, does, peer => [peer.close(), ...[make(peer)].flat()], expected),
    row(
      `${name}-late`,
      `${does}, as its last word`,
      async peer => {
        peer.write(peer.message('before'), peer.close())
        await answered(peer)
        peer.write(...[make(peer)].flat())
      },
      expected
    )
  ]
}

const garbage = hex(`e4000020${'00'.repeat(32)}`)
const pinged = hex('0102030405060708')

const aheadOfBoth: readonly Fault[] = [
  ahead('pong-early', 'sends its pong before its close', peer => peer.pong()),
  ahead('pong-early-to-no-ping', 'answers a ping that nobody sent', peer => peer.pong(1, pinged)),
  ahead('pong-early-short', 'sends a pong of 15 bytes', peer => peer.seal(9, Buffer.alloc(15)), badPong),
  ahead('update-unasked', "answers a request that nobody made behind the target's close", peer =>
    peer.update(0)
  ),
  ahead('accept', "sends Accept behind the target's close", peer => peer.seal(1, hex('070000'))),
  ahead('unknown', "sends an unknown kind behind the target's close", peer => peer.seal(0x7f)),
  ahead('in-clear', "sends an alert in clear behind the target's close", peer => peer.plainAlert(8)),
  ahead(
    'bad-record',
    "sends a record that does not open behind the target's close",
    () => garbage,
    badRecord
  ),
  ahead(
    'too-long',
    "announces too long a record behind the target's close",
    () => hex('e4ffffff'),
    broken('ERR_STALK_OVERFLOW', 3)
  ),
  ahead(
    'bad-message',
    "sends a malformed message behind the target's close",
    peer => peer.seal(2, hex('91c1')),
    broken('ERR_STALK_BAD_MESSAGE', 11)
  ),
  ahead('alert', "aborts behind the target's close", peer => peer.seal(5, hex('08')), aborted),
  ahead(
    'alert-unknown',
    "sends an unknown alert behind the target's close",
    peer => peer.seal(5, hex('63')),
    malformed
  )
]

const closes: readonly Fault[] = [
  close('count-high', 'has received more than was sent', peer => peer.close(2)),
  close('count-2-53', 'has received 2⁵³ messages', peer => peer.close(2n ** 53n), badPong),
  close('count-2-64', 'has received 2⁶⁴ − 1 messages', peer => peer.close(2n ** 64n - 1n), badPong),
  close('bare', 'closes without a count', peer => peer.seal(5, hex('00')), malformed),
  close('short', 'closes with a count of 7 bytes', peer => peer.seal(5, Buffer.alloc(8)), malformed),
  close('long', 'closes with a count of 9 bytes', peer => peer.seal(5, Buffer.alloc(10)), malformed),
  close('amid-fragments', 'closes before the last fragment of a message', peer => [
    peer.seal(3, Buffer.alloc(2_000, 0x61)),
    peer.close()
  ])
]

const behindBoth: readonly Fault[] = [
  behind('close-twice', 'closes twice', peer => peer.close()),
  behind('message', 'sends a message behind its close', peer => peer.message('behind')),
  behind('fragment', 'sends a fragment behind its close', peer => peer.seal(3, Buffer.alloc(2_000))),
  behind('last-fragment', 'sends a whole fragment behind its close', peer => peer.seal(4, hex('c3'))),
  behind('ping-behind', 'sends a ping behind its close', peer => peer.seal(8, pinged)),
  behind('update-behind', 'asks for new keys behind its close', peer => peer.update()),
  behind('update-unasked-behind', 'answers a request that nobody made behind its close', peer =>
    peer.update(0)
  ),
  behind('accept-behind', 'sends Accept behind its close', peer => peer.seal(1, hex('070000'))),
  behind('unknown-behind', 'sends an unknown kind behind its close', peer => peer.seal(0x7f)),
  behind('in-clear-behind', 'sends an alert in clear behind its close', peer => peer.plainAlert(8)),
  behind('alert-behind', 'aborts behind its close', peer => peer.seal(5, hex('08')), aborted),
  behind('alert-10-behind', 'has waited too long behind both closes', peer => peer.seal(5, hex('0a')), {
    ...aborted,
    code: 'ERR_STALK_PEER_TIMEOUT'
  }),
  behind(
    'alert-unknown-behind',
    'sends an unknown alert behind its close',
    peer => peer.seal(5, hex('63')),
    malformed
  ),
  behind('bad-record-behind', 'sends a record that does not open behind its close', () => garbage, badRecord),
  behind('pong-to-no-ping', 'has a ping in its final pong', peer => peer.pong(1, pinged)),
  behind('pong-twice', 'sends its final pong twice', peer => [peer.pong(), peer.pong()]),
  behind('pong-count-high', 'has received more than was sent, in its final pong', peer => peer.pong(2)),
  behind('pong-count-down', 'takes its acknowledgement back in its final pong', peer => peer.pong(0)),
  behind(
    'pong-count-2-53',
    'has received 2⁵³ messages, in its final pong',
    peer => peer.pong(2n ** 53n),
    malformed
  ),
  behind('pong-short', 'ends with a pong of 15 bytes', peer => peer.seal(9, Buffer.alloc(15)), malformed),
  behind('pong-long', 'ends with a pong of 17 bytes', peer => peer.seal(9, Buffer.alloc(17)), malformed),
  behind('pong-empty', 'ends with a pong without a byte', peer => peer.seal(9), malformed)
].flat()

/** Mallory's close counts nothing, as if it had been sent before anything came. */
const crossed: readonly Fault[] = [
  ['count-high', 'has received more than was sent, in the final pong', (peer: Peer) => [peer.pong(2)]],
  ['twice', 'acknowledges twice', (peer: Peer) => [peer.pong(0), peer.pong(1)]],
  ['message', 'sends a message between the two', (peer: Peer) => [peer.message('behind'), peer.pong()]]
].map(([name, does, make]) =>
  close(
    `crossed-${name}`,
    `has closed before the target, and ${does}`,
    peer => [peer.close(0), ...(make as (peer: Peer) => Buffer[])(peer)],
    { ...unexpected, alerts: ['none'] }
  )
)

const ends: readonly Fault[] = [
  row('end-at-once', 'ends the transport instead of closing', peer => peer.end(), {
    ...truncated,
    delivered: []
  }),
  row('end', 'ends the transport behind a message, without closing', ending(), truncated),
  row(
    'end-in-record',
    'ends the transport within a record, without closing',
    ending(peer => peer.message('badly').subarray(0, 9)),
    truncated
  ),
  row(
    'end-in-close',
    "ends the transport before its close's last byte",
    ending(peer => peer.close().subarray(0, -1)),
    truncated
  ),
  row(
    'end-amid-fragments',
    'ends the transport between fragments, without closing',
    ending(peer => peer.seal(3, Buffer.alloc(2_000, 0x61))),
    truncated
  ),
  row('reset', 'resets the transport instead of closing', peer => peer.reset(), {
    ...broken('ERR_STALK_RESET', 'none'),
    delivered: []
  })
]

function ending(last: (peer: Peer) => Buffer = () => Buffer.alloc(0)): (peer: Peer) => void {
  return peer => {
    peer.write(peer.message('before'), last(peer))
    peer.end()
  }
}

const late = broken('ERR_STALK_CLOSE_TIMEOUT', 10)
const silences: readonly Fault[] = [
  row('silence', 'does not close', peer => peer.write(peer.message('before')), late, { closeTimeout: 1_000 }),
  row(
    'silence-in-record',
    'stops within its close',
    peer => peer.write(peer.message('before'), peer.close().subarray(0, 9)),
    late,
    { closeTimeout: 1_000 }
  )
]

export const answerFaults: readonly Fault[] = [
  ...aheadOfBoth,
  ...closes,
  ...behindBoth,
  ...crossed,
  ...ends,
  ...silences
]
