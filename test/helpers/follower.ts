// A follower: lib's connection with a vector's inputs, that is sent what the vector's peer sends behind the
// handshake. What its own side begins there it is told to do; what it answers has to come by itself. Knows
// the transport's other end and the vector's keys; judges nothing.

import { Duplex } from 'node:stream'
import { Connection } from '../../lib/connection/connection.ts'
import type { Handshake } from '../../lib/handshake/handshake.ts'
import type { Ticketing } from '../../lib/pipeline/ticketing.ts'
import type { HandshakeVector, RecordVector } from '../vectors/format.ts'
import { Direction } from './formulas.ts'
import { turns, until } from './pair.ts'
import { planOf } from './plan.ts'
import { hex } from './tamper.ts'

type Role = 'initiator' | 'responder'

const MS = 10_000

// --- what lib can be told ------------------------------------------------------------------------------

/** Has a connection of lib's ask its peer; null as long as lib cannot, or not with a value of ours. */
export interface Asks {
  readonly ping: ((connection: Connection, value: Buffer) => void) | null
  readonly update: ((connection: Connection) => void) | null
}

export const ASKS: Asks = { ping: null, update: connection => void connection.rekey().catch(() => {}) }

type Begin = (connection: Connection, content: Buffer) => void

/** How lib is made to begin a record: null, if it cannot; undefined, if it comes by itself. */
function beginOf({ kind, content }: RecordVector): Begin | null | undefined {
  const { ping, update } = ASKS
  if (kind === 2) return content === '92c3a26869' ? sendBoth : null
  if (kind === 3 || kind === 4) return null // lib's fragments are longer
  if (kind === 5) return connection => connection.end()
  if (kind === 6 && content === '01') return update
  if (kind === 7 || kind === 10) return null // lib's tickets are its own, and so are its shapes
  return kind === 8 ? ping : undefined
}

/** The vectors' two messages, in one record. */
function sendBoth(connection: Connection): void {
  connection.cork()
  connection.write(true)
  connection.write('hi')
  connection.uncork()
}

const ours = (vector: HandshakeVector, role: Role, end: number): RecordVector[] =>
  vector.after.slice(0, end).filter(({ from }) => from === role)

/** Whether lib can do all that a side does in `after`, up to that place. */
export const canFollow = (vector: HandshakeVector, role: Role, end: number): boolean =>
  ours(vector, role, end).every(record => beginOf(record) !== null)

// --- its transport -------------------------------------------------------------------------------------

/** Keeps what is written as records; ends when it is ended. */
export class Wire extends Duplex {
  readonly records: Buffer[] = []
  #rest = Buffer.alloc(0)

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 4 && this.#rest.length >= 4 + this.#rest.readUIntBE(1, 3)) {
      const end = 4 + this.#rest.readUIntBE(1, 3)
      this.records.push(this.#rest.subarray(0, end))
      this.#rest = this.#rest.subarray(end)
    }
    done()
  }

  override _final(done: () => void): void {
    this.push(null)
    done()
  }

  async sends(records: number, what: string): Promise<void> {
    const enough = (): boolean => this.records.length >= records || this.readableEnded || this.destroyed
    await until(enough, what, MS)
    if (this.records.length < records) throw new Error(`${what}: the connection has ended`)
  }
}

// --- following -----------------------------------------------------------------------------------------

export interface Start {
  readonly handshake: Handshake
  readonly ticketing: Ticketing
  sign(input: Buffer): Promise<Buffer>
}

export interface Follower {
  readonly connection: Connection
  readonly wire: Wire
}

function connect(
  wire: Wire,
  vector: HandshakeVector,
  role: Role,
  { handshake, sign, ticketing }: Start
): Connection {
  const { maxMessage } = vector[role]
  const own = {
    role,
    handshake,
    sign,
    ticketing,
    maxMessageBytes: maxMessage,
    decide: async () => {},
    allowHalfOpen: true
  }
  const connection = new Connection(wire, planOf(own, MS))
  return connection.on('error', () => {}).resume() // it is in the outcome
}

/** lib's connection as a side of the vector, up to that place of `after`. */
export async function follow(
  vector: HandshakeVector,
  role: Role,
  start: Start,
  end: number
): Promise<Follower> {
  const wire = new Wire()
  const connection = connect(wire, vector, role, start)
  const incoming = role === 'initiator' ? (['M2', 'M3', 'M5'] as const) : (['M1', 'M4'] as const)
  for (const name of incoming) wire.push(hex(vector.records[name]))
  await connection.ready
  await followAfter({ connection, wire }, vector.after.slice(0, end), role)
  return { connection, wire }
}

async function followAfter(
  { connection, wire }: Follower,
  after: readonly RecordVector[],
  role: Role
): Promise<void> {
  const waiting: RecordVector[] = []
  let sent = wire.records.length
  const read = async (leave: number): Promise<void> => {
    for (const { record } of waiting.splice(0, waiting.length - leave)) wire.push(hex(record))
    await turns()
  }
  for (const record of after) {
    if (record.from !== role) {
      waiting.push(record)
      continue
    }
    await read(record.unread ?? 0)
    beginOf(record)?.(connection, hex(record.content))
    await wire.sends(++sent, record.what)
  }
  await read(0)
}

/** What a side has sealed behind the handshake: kind and content of each record, in hexadecimal. */
export function saidOn(wire: Wire, vector: HandshakeVector, role: Role): string[] {
  const { i_ap, r_ap } = vector.secrets
  let direction = new Direction(0xe4, vector.suite, hex(role === 'initiator' ? i_ap : r_ap))
  const records = wire.records.filter(record => record[0] === 0xe4)
  const said = records.map(record => {
    const { kind, content } = direction.open(record)
    if (kind === 6) direction = direction.next()
    return wordOf(kind, content.toString('hex'))
  })
  return role === 'initiator' ? said : said.slice(1) // Accept
}

export const wordOf = (kind: number, content: string): string => `${kind}: ${content}`

export const sayingOf = (vector: HandshakeVector, role: Role, end: number): string[] =>
  ours(vector, role, end).map(({ kind, content }) => wordOf(kind, content))

/** The answers that a side owes at that place of `after`: they come by themselves. */
export function owedBy(vector: HandshakeVector, role: Role, end: number): string[] {
  const before = vector.after.slice(0, end)
  const asked = before.filter(({ from, kind, content }) => from !== role && isQuestion(kind, content)).length
  const answered = before.filter(({ from, kind, content }) => from === role && isAnswer(kind, content)).length
  return vector.after
    .slice(end)
    .filter(({ from, kind, content }) => from === role && isAnswer(kind, content))
    .slice(0, asked - answered)
    .map(({ kind, content }) => wordOf(kind, content))
}

const isQuestion = (kind: number, content: string): boolean => kind === 8 || (kind === 6 && content === '01')
const isAnswer = (kind: number, content: string): boolean => kind === 9 || (kind === 6 && content === '00')
