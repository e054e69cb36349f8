// The sending process of a soak: sends numbered messages, with acknowledged flushes in between, and when the wire is
// cut connects anew and goes on behind what was acknowledged.

import { setTimeout as sleep } from 'node:timers/promises'
import { type Connection, connect, Identity, type StalkError } from '../../lib/index.ts'
import { Random } from '../fuzz/random.ts'
import { type Greeting, messageOf, type Numbered } from './messages.ts'
import { orders, Progress, violation } from './process.ts'

interface Answer {
  readonly got: number
}

/** On average an acknowledged flush after so many messages, and new keys after so many. */
const FLUSH_EVERY = 500
const REKEY_EVERY = 300_000

const { messages, port = 0, fingerprint = '' } = await orders()
const random = new Random(messages)
const identity = await Identity.generate({ type: 'ed25519' })
let acknowledged = 0
let connections = 0
let repeated = 0
let finished = false
/** The last number that was ever sent, and the last one that the peer has told. */
let furthest = 0
let heard = 0
const progress = new Progress(messages, () => ({ done: acknowledged, connections, repeated }))

type Conn = Connection<Answer, Greeting | Numbered>

async function open(): Promise<Conn | null> {
  try {
    const options = { identity, peer: fingerprint, keepAlive: 5_000, rekeyAfter: { records: 4_000 } }
    return await connect<Answer, Greeting | Numbered>('127.0.0.1', port, options)
  } catch (error) {
    const { retry, code, message } = error as StalkError
    if (!retry) violation(`a handshake that was cut is told ${code}: ${message}`)
    return null
  }
}

async function talk(conn: Conn): Promise<void> {
  connections += 1
  const base = acknowledged
  let flushed = base
  conn.on('error', () => {}) // the outcome has it
  conn.on('data', ({ got }) => {
    if (got < heard || got > furthest)
      violation(`the peer says it has ${got} of ${furthest}, and has said ${heard}`)
    heard = got
  })
  conn.write({ from: base + 1, acknowledged: base })
  let sent = base
  while (sent < messages && conn.writable) {
    sent += 1
    furthest = Math.max(furthest, sent)
    if (!conn.write(messageOf(sent))) await drained(conn)
    if (random.oneIn(REKEY_EVERY)) conn.rekey().catch(() => {})
    if (!random.oneIn(FLUSH_EVERY)) continue
    const upTo = sent
    const flushing = conn.flush({ acked: true }).then(
      () => {
        flushed = Math.max(flushed, upTo)
        acknowledged = Math.max(acknowledged, upTo)
      },
      () => {}
    )
    if (random.oneIn(20)) await flushing
  }
  conn.end()
  const outcome = await conn.outcome
  const counted = base + Math.max((outcome.acknowledged ?? 0) - 1, 0) // the greeting is one
  if (flushed > counted) violation(`flushes acknowledged ${flushed}, the outcome ${counted}`)
  if (counted > sent) violation(`${counted} acknowledged of ${sent}`)
  if (outcome.sent + outcome.unsent !== sent - base + 1)
    violation(`sent ${outcome.sent} and unsent ${outcome.unsent} of ${sent - base + 1}`)
  const { kind, code, reason } = outcome
  if (kind !== 'clean' && kind !== 'truncated' && kind !== 'reset') violation(`sender: ${code}: ${reason}`)
  repeated += sent - counted
  acknowledged = counted
  finished = kind === 'clean' && counted === messages
}

/** Until it takes more, or is over. */
const drained = (conn: Conn): Promise<void> =>
  new Promise(resolve => {
    const done = (): void => {
      conn.off('drain', done).off('close', done)
      resolve()
    }
    conn.on('drain', done).on('close', done)
  })

while (!finished) {
  const conn = await open()
  if (conn) await talk(conn)
  else await sleep(2)
}
progress.finish()
