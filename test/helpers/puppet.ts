// Puppets: an initiator and a responder made of the formulas alone, that do as a test tells them. Without faults
// they are honest and complete a handshake with lib's machines; each fault changes one thing that they send,
// with everything behind it (transcript, Finished, sealing) made to fit, so that only the fault can be noticed.
// They check nothing that they receive.

import {
  type ApplicationSecretsOf,
  applicationSecrets,
  binderOf,
  Direction,
  H,
  type HandshakeSecretsOf,
  HMAC,
  handshakeSecrets,
  innerOf,
  integer,
  list,
  message,
  prologueFor,
  record,
  shareOf,
  signatureOf,
  signed,
  text,
  vector,
  x25519
} from './formulas.ts'
import type { KeyPair } from './machines.ts'

/** What to send instead of what an honest end would. Bodies are without their headers. */
export interface Faults {
  readonly hello?: (body: Buffer) => Buffer
  readonly identity?: (body: Buffer) => Buffer
  readonly binder?: (binder: Buffer) => Buffer
  /** Null: no Proof. Given, there is one in a resumed session too. */
  readonly signature?: (input: Buffer) => Buffer | null
  readonly proof?: (body: Buffer) => Buffer
  readonly finished?: (body: Buffer) => Buffer
  /** From the messages of a flight to its content; the transcript keeps the messages as they were. */
  readonly content?: (messages: readonly Buffer[]) => Buffer
  /** From content, kind and padding to what is sealed. */
  readonly inner?: (inner: Buffer) => Buffer
}

export interface PuppetOptions {
  readonly app?: string
  /** As on the wire, grease included. */
  readonly suites?: readonly number[]
  /** The one that the responder chooses. */
  readonly suite?: number
  /** Signature algorithms accepted from the peer. */
  readonly sigs?: readonly number[]
  readonly want?: number
  readonly identity?: KeyPair | null
  readonly maxMessage?: number
  /** The initiator offers it; the responder resumes with it. */
  readonly ticket?: { readonly value: Buffer; readonly psk: Buffer } | null
  readonly random: (bytes: number) => Buffer
  readonly faults?: Faults
}

const NONE = Buffer.alloc(0)

/** The hash that is complete once a message of this type is in it. */
const HASH_AFTER = ['th1', 'th2', 'th3', 'th4', 'th5', 'th6', 'th7'] as const

export type HashName = (typeof HASH_AFTER)[number]

type Role = 'initiator' | 'responder'

/** What both kinds of puppet have: a transcript, keys, flights. */
export class Puppet {
  readonly role: Role
  readonly privateKey: Buffer
  readonly random: Buffer
  /** The hashes of the transcript by name: th1 to th7. */
  readonly hashes: Partial<Record<HashName, Buffer>> = {}
  /** What was signed and with which result, by our side. */
  signature: Buffer | null = null
  shared: Buffer = NONE
  /** The content of the flight that we sent. */
  sent: Buffer = NONE
  secrets: HandshakeSecretsOf | undefined
  application: ApplicationSecretsOf | undefined
  /** The ticket's, once M2 says that the session is resumed. */
  psk: Buffer | undefined
  protected readonly prologue: Buffer
  protected readonly options: PuppetOptions
  protected suite: number
  readonly #parts: Buffer[]
  #handshake: { outbound: Direction; inbound: Direction } | undefined
  #open: { outbound: Direction; inbound: Direction } | undefined

  constructor(role: Role, options: PuppetOptions) {
    this.role = role
    this.options = options
    this.privateKey = options.random(32)
    this.random = options.random(32)
    this.suite = options.suite ?? 1
    this.prologue = prologueFor(options.app ?? '')
    this.#parts = [this.prologue]
  }

  /** Keys of the handshake's own. */
  get handshake(): { outbound: Direction; inbound: Direction } {
    return this.#handshake ?? missing()
  }

  /** Keys of the application; its first use makes them of the transcript as it is then. */
  get open(): { outbound: Direction; inbound: Direction } {
    if (!this.#open) {
      this.application = applicationSecrets(this.secrets?.hs ?? missing(), this.hashes.th7 ?? missing())
      const { i_ap, r_ap } = this.application
      this.#open = this.#directions(0xe4, i_ap, r_ap)
    }
    return this.#open
  }

  /** The record of an alert under the handshake's keys. */
  alert(...content: number[]): Buffer {
    return this.handshake.outbound.seal(innerOf(5, Buffer.from(content)))
  }

  protected agree(m1: Buffer, m2: Buffer, share: Buffer): void {
    this.#add('th1', m1, m2)
    this.shared = x25519(this.privateKey, share)
    this.psk = m2.at(-1) === 1 ? this.options.ticket?.psk : undefined
    this.secrets = handshakeSecrets(this.prologue, this.shared, this.hashes.th1 ?? NONE, this.psk)
    this.#handshake = this.#directions(0xe5, this.secrets.i_hs, this.secrets.r_hs)
  }

  #directions(
    type: number,
    initiator: Buffer,
    responder: Buffer
  ): { outbound: Direction; inbound: Direction } {
    const [ours, theirs] = this.role === 'initiator' ? [initiator, responder] : [responder, initiator]
    return {
      outbound: new Direction(type, this.suite, ours),
      inbound: new Direction(type, this.suite, theirs)
    }
  }

  #add(name: HashName, ...parts: Buffer[]): Buffer {
    this.#parts.push(...parts)
    const hash = H(...this.#parts)
    this.hashes[name] = hash
    return hash
  }

  /** Our flight, sealed. `first` is its first message's type. */
  protected flight(first: 1 | 4, body: Buffer): Buffer {
    const { faults = {} } = this.options
    const identity = message(first, faults.identity?.(body) ?? body)
    const toSign = this.#add(HASH_AFTER[first], identity)
    const proof = this.#proof(first, toSign)
    const toFinish = this.#add(HASH_AFTER[first === 1 ? 2 : 5], proof)
    const finishedKey = this.role === 'initiator' ? this.secrets?.fin_i : this.secrets?.fin_r
    const mac = HMAC(finishedKey ?? missing(), toFinish)
    const finished = message(first + 2, faults.finished?.(mac) ?? mac)
    this.#add(HASH_AFTER[first === 1 ? 3 : 6], finished)
    const messages = [identity, proof, finished].filter(part => part.length > 0)
    this.sent = faults.content?.(messages) ?? Buffer.concat(messages)
    const inner = innerOf(1, this.sent, 2048)
    return this.handshake.outbound.seal(faults.inner?.(inner) ?? inner)
  }

  #proof(first: number, transcript: Buffer): Buffer {
    const { faults = {}, identity } = this.options
    const input = signed(this.role, transcript)
    if (faults.signature) this.signature = faults.signature(input)
    else this.signature = identity && !this.psk ? signatureOf(identity.privateKey, input) : null
    if (this.signature === null) return NONE
    const body = vector(this.signature)
    return message(first + 1, faults.proof?.(body) ?? body)
  }

  /** Takes the peer's flight into the transcript. */
  protected take(flight: Buffer): void {
    let { content } = this.handshake.inbound.open(flight)
    while (content.length > 0) {
      const end = 3 + content.readUInt16BE(1)
      const type = content.readUInt8(0)
      const hash = this.#add(HASH_AFTER[type as 1], content.subarray(0, end))
      // Where no Proof follows, the hash before Finished is the one after the identity.
      if (type === 1 || type === 4) this.hashes[HASH_AFTER[type === 1 ? 2 : 5]] = hash
      content = content.subarray(end)
    }
  }

  protected identityBody(): Buffer {
    const { identity, maxMessage = 65_536 } = this.options
    const alg = identity ? (identity.type === 'rsa' ? 2 : 1) : 0
    return Buffer.concat([integer(1, alg), vector(identity?.raw.bytes ?? NONE), integer(4, maxMessage)])
  }

  protected hello(body: Buffer): Buffer {
    return this.options.faults?.hello?.(body) ?? body
  }
}

/** M1's share stands behind its three lists and its random. */
function shareIn(m1: Buffer): Buffer {
  let at = 8
  at += 1 + 2 * m1.readUInt8(at) + 32
  at += 1 + 2 * m1.readUInt8(at)
  at += 1 + m1.readUInt8(at)
  return m1.subarray(at, at + 32)
}

function missing(): never {
  throw new Error('the puppet has not come so far')
}

export class InitiatorPuppet extends Puppet {
  #m1: Buffer = NONE

  constructor(options: PuppetOptions) {
    super('initiator', options)
  }

  m1(): Buffer {
    const { suites = [1, 2, 3, 0x5a6a], sigs = [1, 2], ticket } = this.options
    const share = shareOf(this.privateKey)
    const fields = [text('STLK'), list(2, [1]), this.random, list(2, suites), list(1, sigs), share]
    const offer = ticket ? [integer(1, 1), vector(ticket.value), Buffer.alloc(32)] : [integer(1, 0)]
    const whole = record(0xe1, this.hello(Buffer.concat([...fields, ...offer])))
    this.#m1 = ticket ? this.#bound(whole, ticket.psk) : whole
    return this.#m1
  }

  #bound(whole: Buffer, psk: Buffer): Buffer {
    const binder = binderOf(this.prologue, psk, whole)
    return Buffer.concat([whole.subarray(0, -32), this.options.faults?.binder?.(binder) ?? binder])
  }

  takeM2(m2: Buffer): void {
    this.suite = m2.readUInt16BE(4 + 4 + 2 + 32)
    this.agree(this.#m1, m2, m2.subarray(-33, -1))
  }

  takeM3(m3: Buffer): void {
    this.take(m3)
  }

  m4(): Buffer {
    return this.flight(4, this.identityBody())
  }
}

export class ResponderPuppet extends Puppet {
  constructor(options: PuppetOptions) {
    super('responder', options)
  }

  m2(m1: Buffer): Buffer {
    const fields = [
      text('STLK'),
      integer(2, 1),
      this.random,
      integer(2, this.suite),
      shareOf(this.privateKey)
    ]
    const psk = integer(1, this.options.ticket ? 1 : 0)
    const m2 = record(0xe2, this.hello(Buffer.concat([...fields, psk])))
    this.agree(m1, m2, shareIn(m1))
    return m2
  }

  m3(): Buffer {
    const { want = 1, sigs = [1, 2] } = this.options
    return this.flight(1, Buffer.concat([integer(1, want), list(1, sigs), this.identityBody()]))
  }

  takeM4(m4: Buffer): void {
    this.take(m4)
  }

  /** Accept. */
  m5(inner = innerOf(1, message(7, NONE))): Buffer {
    return this.open.outbound.seal(inner)
  }
}
