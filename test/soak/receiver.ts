// The receiving process of a soak: one connection after the other is read to its end and entered in the ledger.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Connection, Identity, listener } from '../../lib/index.ts'
import { Ledger } from './ledger.ts'
import type { Greeting, Numbered } from './messages.ts'
import { orders, Progress, report, violation } from './process.ts'

/** After so many messages the sender hears of them. */
const ANSWER_EVERY = 1_000

const ledger = new Ledger(violation)
const identity = await Identity.generate({ type: 'ed25519' })
let last: Promise<void> = Promise.resolve()

const server = listener(
  '127.0.0.1',
  0,
  conn => {
    conn.pause()
    last = last.then(() => serve(conn)) // what a connection before it has brought comes first
  },
  { identity, requireIdentity: true, keepAlive: 5_000, rekeyAfter: { records: 5_000 } }
)
await once(server, 'listening')
const { messages } = await waiting()
const progress = new Progress(messages, () => ({
  done: ledger.highest,
  connections: ledger.connections,
  repeated: ledger.repeated
}))

async function waiting(): ReturnType<typeof orders> {
  const told = orders()
  report({
    kind: 'listening',
    port: (server.address() as AddressInfo).port,
    fingerprint: identity.fingerprint
  })
  return told
}

async function serve(conn: Connection): Promise<void> {
  ledger.begin()
  conn.on('error', () => {}) // the outcome has it
  conn.on('data', message => {
    ledger.take(message as Greeting | Numbered)
    if (ledger.taken % ANSWER_EVERY === 0) conn.write({ got: ledger.highest })
  })
  conn.resume()
  const { kind, code, reason, received } = await conn.outcome
  if (received !== ledger.taken) violation(`received ${received}, but ${ledger.taken} were read`)
  if (kind !== 'clean' && kind !== 'truncated' && kind !== 'reset') violation(`receiver: ${code}: ${reason}`)
  if (kind === 'clean' && ledger.highest < messages) violation(`a clean end behind ${ledger.highest}`)
  if (ledger.highest >= messages && kind === 'clean') server.close(() => progress.finish())
}
