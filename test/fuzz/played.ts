// A played connection: lib's Connection with the inputs of a vector, over a transport that plays given bytes to it
// and then ends. Knows how it ended, what it handed over and what it said.

import { constants, type KeyObject, sign as nodeSign } from 'node:crypto'
import { Duplex } from 'node:stream'
import { Connection } from '../../lib/connection/connection.ts'
import type { Outcome } from '../../lib/connection/outcome.ts'
import { TYPE } from '../../lib/constants.ts'
import { verify } from '../../lib/crypto/signatures.ts'
import { SUITES, type Suite } from '../../lib/crypto/suites.ts'
import { alertFor, type ErrorCode, StalkError } from '../../lib/errors.ts'
import { Handshake, type HandshakeConfig } from '../../lib/handshake/handshake.ts'
import { initiator } from '../../lib/handshake/initiator.ts'
import type { Want } from '../../lib/handshake/messages.ts'
import { responder } from '../../lib/handshake/responder.ts'
import { planOf } from '../helpers/plan.ts'
import { describe } from '../interop/notation.ts'
import type { HandshakeVector } from '../vectors/format.ts'
import type { Plan, Role } from './plan.ts'
import { hex } from './target.ts'
import { keyNamed, recordedSignature } from './vectors.ts'

/** As judge.py tells it of the Python implementation. */
export interface Ending {
  /** clean, truncated, `alert n` from the peer, or `fault n`, n being the alert that the peer is told. */
  readonly end: string
  readonly asked: number
  readonly messages: readonly unknown[]
  /** How many of its messages the peer has acknowledged. */
  readonly acknowledged: number
  readonly sent: string
}

/** Plays the bytes, some of them only when records under the application's keys have been sent, and ends: FIN. */
class Tape extends Duplex {
  readonly sent: Buffer[] = []
  #awaited: number
  #held: Buffer | null

  constructor({ bytes, held }: Plan) {
    super()
    this.#awaited = held?.records ?? 0
    this.#held = bytes.subarray(held?.at ?? 0)
    if (held) this.push(bytes.subarray(0, held.at))
    else this.#play()
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.sent.push(Buffer.from(chunk))
    if (chunk[0] === TYPE.sealedApplication && --this.#awaited <= 0) this.#play()
    done()
  }

  #play(): void {
    if (!this.#held) return
    this.push(this.#held)
    this.push(null)
    this.#held = null
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

/** Signs as the vector has it; anything else without a salt, so that Python's signature is the same. */
function signerOf(vector: HandshakeVector, role: Role): (input: Buffer) => Promise<Buffer> {
  const { privateKey } = keyNamed(vector[role].identity ?? '')
  return async input => recordedSignature(vector, role, input) ?? unsalted(privateKey, input)
}

function unsalted(privateKey: KeyObject, input: Buffer): Buffer {
  if (privateKey.asymmetricKeyType === 'ed25519') return nodeSign(null, input, privateKey)
  return nodeSign('sha256', input, {
    key: privateKey,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 0
  })
}

const refusal = (): StalkError =>
  new StalkError('ERR_STALK_UNAUTHORIZED', 'the policy refuses everyone', { phase: 'handshake' })

export async function play(plan: Plan): Promise<Ending> {
  const { vector, role, closeFirst, early, asks, refuses } = plan
  const tape = new Tape(plan)
  let asked = 0
  const { identity, maxMessage } = vector[role]
  const own = {
    role,
    handshake: machineOf(vector, role),
    maxMessageBytes: maxMessage,
    sign: identity === null ? neverSigns : signerOf(vector, role),
    decide: async () => {
      asked++
      if (refuses) throw refusal()
    }
  }
  const connection = new Connection(tape, planOf(own, 2 * WITHIN_MS))
  const messages: unknown[] = []
  connection.on('data', message => messages.push(describe(message))).on('error', () => {})
  if (early) connection.write('early')
  if (asks) connection.once('secure', () => connection.rekey().catch(() => {})) // how it ends is in the outcome
  if (closeFirst && asks) connection.once('secure', () => connection.end())
  else if (closeFirst) connection.end()
  const { kind, code, acknowledged } = await within(connection)
  const sent = Buffer.concat(tape.sent).toString('hex')
  return { end: endOf(kind, code), asked, messages, acknowledged: acknowledged ?? 0, sent }
}

const neverSigns = (): Promise<Buffer> => Promise.reject(new Error('an anonymous side signs nothing'))

type Ended = Pick<Outcome, 'code' | 'acknowledged'> & { readonly kind: string }

async function within(connection: Connection): Promise<Ended> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Ended>(resolve => {
    timer = setTimeout(
      () => resolve({ kind: `no end within ${WITHIN_MS} ms`, acknowledged: null }),
      WITHIN_MS
    )
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
