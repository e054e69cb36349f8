// A played connection: lib's Connection with the inputs of a vector, over a transport that plays given bytes to it
// and then ends. Knows how it ended, what it handed over and what it said.

import { Duplex } from 'node:stream'
import { Connection } from '../../lib/connection/connection.ts'
import { verify } from '../../lib/crypto/signatures.ts'
import { SUITES, type Suite } from '../../lib/crypto/suites.ts'
import { alertFor, type ErrorCode } from '../../lib/errors.ts'
import { Handshake, type HandshakeConfig } from '../../lib/handshake/handshake.ts'
import { initiator } from '../../lib/handshake/initiator.ts'
import type { Want } from '../../lib/handshake/messages.ts'
import { responder } from '../../lib/handshake/responder.ts'
import { signatureOf } from '../helpers/formulas.ts'
import { planOf } from '../helpers/plan.ts'
import { describe } from '../interop/notation.ts'
import type { HandshakeVector } from '../vectors/format.ts'
import { hex } from './target.ts'
import { keyNamed } from './vectors.ts'

export type Role = 'initiator' | 'responder'

/** As judge.py tells it of the Python implementation. */
export interface Ending {
  /** clean, truncated, `alert n` from the peer, or `fault n`, n being the alert that the peer is told. */
  readonly end: string
  readonly asked: number
  readonly messages: readonly unknown[]
  readonly sent: string
}

/** Plays the bytes, and ends: FIN. */
class Tape extends Duplex {
  readonly sent: Buffer[] = []
  readonly #bytes: Buffer

  constructor(bytes: Buffer) {
    super()
    this.#bytes = bytes
  }

  override _read(): void {
    if (this.#bytes.length > 0) this.push(this.#bytes)
    this.push(null)
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sent.push(Buffer.from(chunk))
    done()
  }
}

/** Hands out, in turn, what lib asks for. */
function queue(...given: Buffer[]): (bytes: number) => Buffer {
  return bytes => {
    const next = given.shift()
    if (next?.length !== bytes) throw new Error(`${bytes} bytes of randomness that the vector does not have`)
    return Buffer.from(next)
  }
}

/** The two bytes of which lib makes the place of the grease id and the id itself. */
function greaseBytes({ suites }: HandshakeVector): Buffer[] {
  const place = suites.findIndex(isGrease)
  const id = suites[place] ?? 0
  return [Buffer.of(place), Buffer.of(((id >> 8) & 0xf0) | ((id >> 4) & 0x0f))]
}

const isGrease = (id: number): boolean => (id & 0x0f0f) === 0x0a0a

function suitesOf(role: Role, { suites }: HandshakeVector): Suite[] {
  const all = Object.values(SUITES)
  if (role === 'responder') return all
  return suites.filter(id => !isGrease(id)).map(id => all.find(suite => suite.id === id) as Suite)
}

function machineOf(vector: HandshakeVector, role: Role): Handshake {
  const { identity, x25519Private, random, maxMessage } = vector[role]
  const secrets = [hex(x25519Private), hex(random)]
  const config: HandshakeConfig = {
    app: Buffer.from(vector.app),
    suites: suitesOf(role, vector),
    identity: identity === null ? null : keyNamed(identity).raw,
    keyTypes: ['ed25519', 'rsa'],
    maxMessageBytes: maxMessage,
    random: queue(...secrets, ...(role === 'initiator' ? greaseBytes(vector) : [])),
    verify
  }
  return new Handshake(
    role === 'initiator' ? initiator(config) : responder({ ...config, want: vector.want as Want })
  )
}

/** How long an ending may take, in ms: nothing here waits for anybody. */
const WITHIN_MS = 5_000

export async function play(
  vector: HandshakeVector,
  role: Role,
  bytes: Buffer,
  closeFirst: boolean
): Promise<Ending> {
  const tape = new Tape(bytes)
  let asked = 0
  const { identity, maxMessage } = vector[role]
  const own = {
    handshake: machineOf(vector, role),
    maxMessageBytes: maxMessage,
    sign: async (input: Buffer) => signatureOf(keyNamed(identity ?? '').privateKey, input),
    decide: async () => void asked++
  }
  const connection = new Connection(tape, planOf(own, 2 * WITHIN_MS))
  const messages: unknown[] = []
  connection.on('data', message => messages.push(describe(message))).on('error', () => {})
  if (closeFirst) connection.end()
  const { kind, code } = await within(connection)
  return { end: endOf(kind, code), asked, messages, sent: Buffer.concat(tape.sent).toString('hex') }
}

async function within(connection: Connection): Promise<{ kind: string; code?: ErrorCode; reason?: string }> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<{ kind: string }>(resolve => {
    timer = setTimeout(() => resolve({ kind: `no end within ${WITHIN_MS} ms` }), WITHIN_MS)
  })
  const outcome = await Promise.race([connection.outcome, late])
  clearTimeout(timer)
  if (outcome.kind.startsWith('no end')) connection.destroy()
  return outcome
}

/** An alert of the peer's is answered with none, and no fault of ours. */
function endOf(kind: string, code: ErrorCode | undefined): string {
  if (code === undefined || kind === 'truncated') return kind
  const alert = alertFor(code)
  const fromPeer = alert === null && /^ERR_STALK_(REJECTED|PEER_)/.test(code)
  return fromPeer ? 'alert' : `fault ${alert ?? 'None'}`
}
