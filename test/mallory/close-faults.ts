// Faults of the end: goodbyes, counts, pongs, alerts, and ends of the transport without them. The target has not
// closed yet; how Mallory answers one that has is in answer-faults.ts.

import type { ErrorCode } from '../../lib/index.ts'
import { integer } from '../helpers/formulas.ts'
import { after, BOTH, between, broken, type Expected, type Fault, hex } from './fault.ts'
import type { Peer } from './peer.ts'

const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
/** A pong too many, and not well formed: which of both is found first is not said. */
const badPong = broken('ERR_STALK_DECODE', 4, 1)

const row = (
  name: string,
  does: string,
  make: (peer: Peer) => Buffer | readonly Buffer[],
  expected: Expected = unexpected
): Fault => ({ name, does, against: BOTH, acts: between(make), expected })

const closing = (
  name: string,
  does: string,
  open: (peer: Peer) => Promise<void> | void,
  expected: Expected
): Fault => ({
  ...row(name, does, () => [], expected),
  acts: { open }
})

/** Behind a close every message is a fault by itself, so that none follows. */
const close = (...[name, does, make, expected]: Parameters<typeof row>): Fault => ({
  ...row(`close-${name}`, does, make, expected),
  acts: after(make)
})

/** Behind a close; a target that has answered it already can tell Mallory no more. */
const behindClose = (
  name: string,
  does: string,
  make: (peer: Peer) => Buffer,
  expected = unexpected
): Fault =>
  close(name, does, peer => [peer.close(0), make(peer)], {
    ...expected,
    alerts: [...expected.alerts, 'none']
  })

const closes: readonly Fault[] = [
  behindClose('twice', 'closes twice', peer => peer.close(0)),
  behindClose('message', 'sends a message behind its close', peer => peer.message('behind')),
  behindClose('fragment', 'sends a fragment behind its close', peer => peer.seal(3, Buffer.alloc(2_000))),
  behindClose('last-fragment', 'sends a whole fragment behind its close', peer => peer.seal(4, hex('c3'))),
  behindClose('handshake', 'sends Accept behind its close', peer => peer.seal(1, hex('070000'))),
  behindClose('unknown', 'sends an unknown kind behind its close', peer => peer.seal(0x7f)),
  behindClose(
    'bad-record',
    'sends a record that does not open behind its close',
    () => hex(`e4000020${'00'.repeat(32)}`),
    broken('ERR_STALK_BAD_RECORD', 2)
  ),
  {
    ...behindClose('early-message', 'sends a message behind a close in its early data', peer =>
      peer.close(0)
    ),
    against: ['responder'],
    acts: {
      sends: { M4: (m4, peer) => [m4, peer.message('before'), peer.close(0), peer.message('behind')] },
      open: () => {}
    }
  },
  close(
    'alert',
    'aborts behind its close',
    peer => [peer.close(0), peer.seal(5, hex('08'))],
    broken('ERR_STALK_PEER_ABORTED', 'none')
  ),
  close('count-high', 'has received more than was sent', peer => peer.close(1_000)),
  close(
    'count-2-53',
    'has received 2⁵³ messages',
    peer => peer.close(2n ** 53n),
    broken('ERR_STALK_DECODE', 4, 1)
  ),
  close(
    'count-2-64',
    'has received 2⁶⁴ − 1 messages',
    peer => peer.close(2n ** 64n - 1n),
    broken('ERR_STALK_DECODE', 4, 1)
  ),
  close('bare', 'closes without a count', peer => peer.seal(5, hex('00')), malformed()),
  close('short', 'closes with a count of 7 bytes', peer => peer.seal(5, Buffer.alloc(8)), malformed()),
  close('long', 'closes with a count of 9 bytes', peer => peer.seal(5, Buffer.alloc(10)), malformed())
]

/** The connection ends all the same; that it is told of is not required. */
function malformed(): Expected {
  return broken('ERR_STALK_DECODE', 4, 'none')
}

const pongs: readonly Fault[] = [
  row('pong-early', 'sends a pong before any close', peer => peer.pong(0)),
  row('pong-to-no-ping', 'sends a pong to a ping that nobody sent', peer =>
    peer.pong(0, hex('0102030405060708'))
  ),
  row('pong-short', 'sends a pong of 15 bytes', peer => peer.seal(9, Buffer.alloc(15)), badPong),
  row('pong-long', 'sends a pong of 17 bytes', peer => peer.seal(9, Buffer.alloc(17)), badPong),
  row('pong-empty', 'sends a pong without a byte', peer => peer.seal(9), badPong),
  row(
    'pong-count-2-53',
    'sends a pong of 2⁵³ messages',
    peer => peer.pong(2n ** 53n),
    broken('ERR_STALK_DECODE', 4, 1)
  )
]

/**
 * Closes first, with both messages counted, and answers the target's close with this. The target has ended
 * its side by then: it need not be able to tell Mallory of anything.
 */
const last = (
  name: string,
  does: string,
  make: (peer: Peer) => readonly Buffer[],
  code: ErrorCode = 'ERR_STALK_UNEXPECTED'
): Fault =>
  closing(`last-${name}`, does, peer => answerClose(peer, make), {
    code,
    alerts: ['none', 1],
    delivered: ['one', 'two']
  })

async function answerClose(peer: Peer, make: (peer: Peer) => readonly Buffer[]): Promise<void> {
  peer.write(peer.message('one'), peer.message('two'))
  await peer.hears(({ messages }) => messages >= 2)
  peer.write(peer.close())
  await peer.hears(({ closes }) => closes.length > 0)
  peer.write(...make(peer))
  peer.end()
}

const lasts: readonly Fault[] = [
  last('count-down', 'takes an acknowledgement back in its final pong', peer => [peer.pong(1)]),
  last('count-high', 'has received more than was sent, in its final pong', peer => [peer.pong(3)]),
  last('pong-twice', 'sends its final pong twice', peer => [peer.pong(), peer.pong()]),
  last('message', 'sends a message as its last word', peer => [peer.message('behind')]),
  last('close', 'closes again as its last word', peer => [peer.close()]),
  last('alert', 'aborts as its last word', peer => [peer.seal(5, hex('08'))], 'ERR_STALK_PEER_ABORTED')
]

const alertCodes: Record<number, Expected> = {
  6: broken('ERR_STALK_REJECTED', 'none'),
  7: broken('ERR_STALK_REJECTED', 'none'),
  8: broken('ERR_STALK_PEER_ABORTED', 'none'),
  9: broken('ERR_STALK_PEER_BUSY', 'none'),
  10: broken('ERR_STALK_PEER_TIMEOUT', 'none')
}
const alertWith = (code: number, expected: Expected): Fault =>
  row(`alert-${code}`, `sends alert ${code}`, peer => peer.seal(5, integer(1, code)), expected)

const alerts: readonly Fault[] = [
  ...Array.from({ length: 11 }, (_, i) =>
    alertWith(i + 1, alertCodes[i + 1] ?? broken('ERR_STALK_PEER_ALERT', 'none'))
  ),
  ...[12, 99, 255].map(code => alertWith(code, malformed())),
  row('alert-empty', 'sends an alert without a code', peer => peer.seal(5), malformed()),
  row('alert-long', 'sends an alert of two codes', peer => peer.seal(5, hex('0808')), malformed())
]

const ends: readonly Fault[] = [
  closing(
    'end-without-close',
    'ends the transport without a close',
    peer => {
      peer.write(peer.message('before'))
      peer.end()
    },
    broken('ERR_STALK_TRUNCATED', 'none')
  ),
  closing('end-at-once', 'ends the transport as soon as there is a session', peer => peer.end(), {
    ...broken('ERR_STALK_TRUNCATED', 'none'),
    delivered: []
  }),
  closing(
    'reset',
    'resets the transport',
    async peer => {
      peer.write(peer.message('before'))
      await peer.hears(({ messages }) => messages > 0)
      peer.reset()
    },
    broken('ERR_STALK_RESET', 'none')
  )
]

export const closeFaults: readonly Fault[] = [...closes, ...pongs, ...lasts, ...alerts, ...ends]
