// Captures: what both ends sent, and what it says to whoever has the keys. Puts two directions, of which no record has a
// time, into one order that the protocol allows. Knows entries and what may not come before what; reads no bytes.

import { MAX_APP_BYTES } from '../constants.ts'
import { readKeyLog } from '../key-log.ts'
import { checkNames, invalidOption } from '../option-checks.ts'
import type { CaptureEntry } from './entries.ts'
import { Facts } from './facts.ts'
import { Side } from './side.ts'

export interface Capture {
  /** All that the initiator sent, as it lay on the wire. */
  readonly initiator: Uint8Array
  readonly responder: Uint8Array
  /** The text of a key log. Without it there is only what everybody sees. */
  readonly keys?: string
  /** The name of the application's protocol; signatures and Finished can't match under another. Default ''. */
  readonly app?: string
}

/**
 * What is in a capture, an entry a record, made as they are asked for. A fault is an entry too, `problem`, and the last
 * of its direction. The order within a direction is the wire's; between them it is one that the protocol allows.
 *
 * Throws ERR_STALK_INVALID_OPTION, and ERR_STALK_KEY_FILE_FORMAT for a key log that is none.
 */
export function inspectCapture(capture: Capture): Iterable<CaptureEntry> {
  checkNames(capture, new Set(['initiator', 'responder', 'keys', 'app']))
  const { keys = '' } = capture
  if (typeof keys !== 'string') throw invalidOption('keys', 'must be the text of a key log')
  readKeyLog(keys, Buffer.alloc(0)) // what is wrong with it is said at once
  const facts = new Facts(appOf(capture.app), keys)
  const initiator = new Side('initiator', bytesOf('initiator', capture.initiator), facts)
  const responder = new Side('responder', bytesOf('responder', capture.responder), facts)
  return timeline(initiator, responder)
}

function bytesOf(name: string, bytes: unknown): Buffer {
  if (!(bytes instanceof Uint8Array)) throw invalidOption(name, 'must be bytes')
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function appOf(app: unknown = ''): Buffer {
  if (typeof app !== 'string') throw invalidOption('app', 'must be a string')
  const bytes = Buffer.from(app)
  if (bytes.length <= MAX_APP_BYTES) return bytes
  throw invalidOption('app', `is ${bytes.length} bytes long; the limit is ${MAX_APP_BYTES}`)
}

function* timeline(initiator: Side, responder: Side): Generator<CaptureEntry> {
  // M1, M2, M3, M4: each can be read only when those before it were.
  for (const side of [initiator, responder, responder, initiator]) {
    const entry = side.next()
    if (entry) yield entry
  }
  yield* merged(new Queue(responder), new Queue(initiator))
  const sides = [initiator, responder]
  if (sides.some(({ end }) => end === 'alert')) return
  for (const side of sides) if (side.end === 'none') yield side.truncated(responder.accepted)
}

/** By turns, as people talk, but nothing before what it answers, and a message in parts as a whole. */
function* merged(turn: Queue, other: Queue): Generator<CaptureEntry> {
  let [now, then] = [turn, other]
  while (now.first || then.first) {
    const waits = !now.mayGo(then) && (now.first === null || then.mayGo(now))
    const entry = waits ? null : now.take()
    if (entry) yield entry
    if (entry?.name !== 'fragment') [now, then] = [then, now]
  }
}

/** A direction, with its next entry to look at; behind a goodbye, with all that follows. */
class Queue {
  readonly #side: Side
  readonly #ahead: CaptureEntry[] = []
  #messages = 0
  readonly #pings: string[] = []
  #requests = 0
  #answers = 0
  #closed = false
  /** Whether a final pong follows our goodbye: then the other end's came later. */
  #closesFirst = false

  constructor(side: Side) {
    this.#side = side
    this.#look()
  }

  get first(): CaptureEntry | null {
    return this.#ahead[0] ?? null
  }

  take(): CaptureEntry | null {
    const entry = this.#ahead.shift() ?? null
    if (this.#ahead.length === 0) this.#look()
    if (entry?.name === 'messages') this.#messages += entry.messages.length
    if (entry?.name === 'ping') this.#pings.push(entry.value)
    if (entry?.name === 'keyUpdate' && entry.asks) this.#requests += 1
    if (entry?.name === 'keyUpdate' && !entry.asks) this.#answers += 1
    if (entry?.name === 'close') this.#closed = true
    return entry
  }

  #look(): void {
    for (let entry = this.#side.next(); entry; entry = this.#side.next()) {
      this.#ahead.push(entry)
      if (entry.name === 'finalPong') this.#closesFirst = true
      if (this.#ahead[0]?.name !== 'close') return
    }
  }

  /** Whether nothing is missing that our next entry answers. */
  mayGo(other: Queue): boolean {
    const entry = this.first
    if (!entry) return false
    if ('received' in entry && entry.received > other.#messages) return false
    if (entry.name === 'pong') return other.#pings.includes(entry.value)
    if (entry.name === 'keyUpdate' && !entry.asks) return other.#requests > this.#answers
    if (entry.name === 'close') return this.#closesFirst || other.#closed
    if (entry.name === 'finalPong') return other.#closed
    return entry.name !== 'problem' || other.first === null
  }
}
