// Controls of the end: who closes first, closes that cross, and what the transport may do behind both. All of it is
// what section 16 allows.

import { BOTH, clean, type Fault, type Role, type Settings } from './fault.ts'
import type { Peer } from './peer.ts'

const row = (
  name: string,
  does: string,
  open: (peer: Peer) => Promise<void> | void,
  got: readonly string[],
  target: Settings = {},
  against: readonly Role[] = BOTH
): Fault => ({ name: `control-${name}`, does, against, target, acts: { open }, expected: clean(...got) })

/** The target's close has come. */
export const closedOn = (peer: Peer): Promise<void> => peer.hears(({ closes }) => closes.length > 0)

/** So has its last word, which answers Mallory's close. */
export const answered = (peer: Peer): Promise<void> => peer.hears(({ pongs }) => pongs.length > 0)

/** Sends these messages and a close at once, hears the target's, and acknowledges what came before that. */
const closeEarly =
  (...words: string[]) =>
  async (peer: Peer): Promise<void> => {
    peer.write(...words.map(word => peer.message(word)), peer.close(0))
    await closedOn(peer)
    peer.write(peer.pong())
    peer.end()
  }

const first: readonly Fault[] = [
  row(
    'close-then-end',
    'ends the transport right behind its close',
    peer => {
      peer.write(peer.message('hello'), peer.close(0))
      peer.end()
    },
    ['hello']
  ),
  row('close-in-one-write', 'closes in the same piece as its message', closeEarly('hello'), ['hello']),
  inEarlyData(row('early-close', 'closes in its early data', () => {}, ['early'], {}, ['responder']))
]

/** Has a message and a close right behind M4. */
function inEarlyData(fault: Fault): Fault {
  return {
    ...fault,
    acts: {
      sends: { M4: (m4, peer) => [m4, peer.message('early'), peer.close(0)] },
      open: async peer => {
        await closedOn(peer)
        peer.write(peer.pong())
        peer.end()
      }
    }
  }
}

const closesFirst: Settings = { closesFirst: true }

/** The target has closed by then. */
const answer = (
  name: string,
  does: string,
  open: (peer: Peer) => Promise<void> | void,
  got: readonly string[],
  target: Settings = {}
): Fault =>
  row(
    name,
    does,
    async peer => {
      await closedOn(peer)
      await open(peer)
    },
    got,
    { ...closesFirst, ...target }
  )

const second: readonly Fault[] = [
  answer(
    'answer',
    "answers the target's close with its own",
    peer => {
      peer.write(peer.close())
      peer.end()
    },
    []
  ),
  answer(
    'answer-messages',
    "sends messages behind the target's close, and then its own",
    async peer => {
      peer.write(peer.message('one'), peer.message('two'))
      peer.write(...peer.fragments(Buffer.from(`da07d0${'61'.repeat(2_000)}`, 'hex'), 1_024))
      peer.write(peer.message('three'), peer.close())
      await answered(peer)
      peer.end()
    },
    ['one', 'two', 'a'.repeat(2_000), 'three']
  ),
  answer(
    'answer-slowly',
    "is never silent for long, but slow to answer the target's close",
    async peer => {
      for (const word of ['one', 'two', 'three', 'four']) {
        peer.write(peer.message(word))
        await new Promise(resolve => setTimeout(resolve, 400))
      }
      peer.write(peer.close())
      peer.end()
    },
    ['one', 'two', 'three', 'four'],
    { closeTimeout: 1_000 }
  )
]

/** How a target tells it is that Mallory's close does not count what came before its own. */
const crossed: readonly Fault[] = [
  row(
    'crossed-at-once',
    'closes as soon as it has keys, as the target does',
    closeEarly('hello'),
    ['hello'],
    closesFirst
  ),
  inEarlyData(
    row(
      'crossed-early',
      'closes in its early data, and the target as soon as it has keys',
      () => {},
      ['early'],
      closesFirst,
      ['responder']
    )
  ),
  answer(
    'crossed',
    "has closed before the target's message came, and acknowledges it",
    async peer => {
      peer.write(peer.message('hello'), peer.close(0))
      await answered(peer)
      peer.write(peer.pong())
      peer.end()
    },
    ['hello']
  ),
  answer(
    'crossed-in-one-piece',
    'sends its close and its final pong in one piece',
    async peer => {
      peer.write(peer.message('hello'), peer.close(0), peer.pong())
      peer.end()
    },
    ['hello']
  ),
  answer(
    'crossed-nothing-new',
    'acknowledges in its final pong what its close did',
    async peer => {
      peer.write(peer.close(), peer.pong())
      peer.end()
    },
    []
  ),
  answer(
    'crossed-without-pong',
    'has closed before the target, and never acknowledges its message',
    peer => {
      peer.write(peer.message('hello'), peer.close(0))
      peer.end()
    },
    ['hello']
  )
]

const transports: readonly Fault[] = [
  answer(
    'answer-end-in-record',
    'ends the transport within a record behind both closes',
    peer => {
      peer.write(peer.message('hello'), peer.close(), peer.pong().subarray(0, 9))
      peer.end()
    },
    ['hello']
  ),
  answer(
    'answer-end-in-header',
    'ends the transport within a header behind both closes',
    async peer => {
      peer.write(peer.message('hello'), peer.close())
      await answered(peer)
      peer.write(peer.pong().subarray(0, 2))
      peer.end()
    },
    ['hello']
  ),
  answer(
    'answer-reset',
    'resets the transport behind both closes',
    async peer => {
      peer.write(peer.message('hello'), peer.close())
      await answered(peer)
      peer.reset()
    },
    ['hello']
  ),
  answer(
    'answer-without-end',
    "does not end the transport before the target does, which is the target's to bear",
    peer => peer.write(peer.message('hello'), peer.close()),
    ['hello']
  )
]

export const closingControls: readonly Fault[] = [...first, ...second, ...crossed, ...transports]
