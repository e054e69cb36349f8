// Two handshake machines driven against each other, with deterministic randomness and real keys. Every record
// that crosses is kept, so that tests can flip, drop, swap and replay them.

import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { KIND } from '../../lib/constants.ts'
import type { KeyType, RawPublicKey } from '../../lib/crypto/public-key.ts'
import { toRaw } from '../../lib/crypto/public-key.ts'
import { sign, verify } from '../../lib/crypto/signatures.ts'
import { SUITES, type Suite, type SuiteName } from '../../lib/crypto/suites.ts'
import {
  type Half,
  Handshake,
  type HandshakeConfig,
  type Session,
  type Step
} from '../../lib/handshake/handshake.ts'
import { initiator } from '../../lib/handshake/initiator.ts'
import { WANT, type Want } from '../../lib/handshake/messages.ts'
import { responder } from '../../lib/handshake/responder.ts'
import { type HeldTicket, type Resumable, resumableOf } from '../../lib/handshake/resumption.ts'
import { answerFor, asksForTicket } from '../../lib/pipeline/ticketing.ts'
import type { TicketStore } from '../../lib/resumption/ticket-store.ts'
import { ticketingOf } from '../../lib/resumption/ticketing.ts'
import { decodeControl } from '../../lib/wire/control.ts'
import { Deframer, enframe, type Frame } from '../../lib/wire/frame.ts'
import type { Opener, Sealer } from '../../lib/wire/record.ts'

export interface KeyPair {
  readonly type: KeyType
  readonly privateKey: KeyObject
  readonly raw: RawPublicKey
}

export function keyPair(type: KeyType, bits = 2048): KeyPair {
  const { privateKey } =
    type === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: 65_537 })
      : generateKeyPairSync('ed25519')
  return { type, privateKey, raw: toRaw(privateKey) }
}

/** A deterministic source of bytes; two seeds never give the same. */
export function seeded(seed: string): (bytes: number) => Buffer {
  let counter = 0
  return bytes => {
    const blocks: Buffer[] = []
    for (let have = 0; have < bytes; have += 32) {
      blocks.push(createHash('sha256').update(`${seed} ${counter++}`).digest())
    }
    return Buffer.concat(blocks).subarray(0, bytes)
  }
}

export interface EndOptions {
  readonly identity?: KeyPair | null
  readonly suites?: readonly SuiteName[]
  readonly keyTypes?: readonly KeyType[]
  readonly want?: Want
  readonly app?: string
  readonly random?: (bytes: number) => Buffer
  readonly maxMessageBytes?: number
  /** Signs in the place of the identity's private key. */
  readonly signWith?: (input: Buffer) => Buffer
  /** At a responder: issues tickets, and finds them. */
  readonly store?: TicketStore
  /** At an initiator: offered, if that may be. */
  readonly held?: HeldTicket | null | undefined
}

export const ALL_SUITES = Object.keys(SUITES) as SuiteName[]

const configOf = (options: EndOptions): HandshakeConfig => ({
  app: Buffer.from(options.app ?? ''),
  suites: (options.suites ?? ALL_SUITES).map((name): Suite => SUITES[name]),
  identity: options.identity?.raw ?? null,
  keyTypes: options.keyTypes ?? ['ed25519', 'rsa'],
  maxMessageBytes: options.maxMessageBytes ?? 65_536,
  random: options.random ?? randomBytes,
  verify
})

/** One end: a machine with its sealer and openers, frames in, frames out. */
export class End {
  readonly machine: Handshake
  readonly asked: (RawPublicKey | null)[] = []
  session: Session | undefined
  /** What it was given to resume this session with. */
  held: HeldTicket | undefined
  /** How often it was asked to sign. */
  signed = 0
  writable = false
  /** The largest message that it may write, in bytes, once it may. */
  mayWriteBytes: number | undefined
  sealer: Sealer | undefined
  openers: readonly Opener[] = []
  readonly #options: EndOptions
  readonly #deframer = new Deframer(type => this.#admit(type))

  constructor(half: Half, options: EndOptions) {
    this.machine = new Handshake(half)
    this.#options = options
  }

  start(): Promise<Frame[]> {
    return this.#run(this.machine.start())
  }

  async receive(frame: Frame): Promise<Frame[]> {
    const cap = this.#admit(frame.type)
    if (frame.body.length > cap) throw new Error(`a body of ${frame.body.length} bytes would not be admitted`)
    const inner = this.#openerFor(frame.type)?.open(frame) ?? frame
    if (this.session && inner.type === KIND.ticket) return this.#hold(inner)
    return this.#run(this.machine.receive({ type: frame.type, inner }))
  }

  /** Bytes in, bytes out, through a deframer: any piece of what the peer sent. */
  async deliver(bytes: Buffer): Promise<Buffer[]> {
    this.#deframer.push(bytes)
    const answers: Buffer[] = []
    for (let frame = this.#deframer.next(); frame; frame = this.#deframer.next()) {
      answers.push(...(await this.receive(frame)).map(enframe))
    }
    return answers
  }

  #openerFor(type: number): Opener | undefined {
    return this.openers.find(opener => opener.type === type)
  }

  #admit(type: number): number {
    return this.#openerFor(type)?.maxBodyBytes ?? this.machine.admit(type)
  }

  async #run(step: Step): Promise<Frame[]> {
    const frames = (step.send ?? []).flatMap(item => {
      if ('key' in item) {
        this.sealer = item.key
        return []
      }
      if ('clear' in item) return [item.clear]
      if (!this.sealer) throw new Error('sealed without a key')
      return [this.sealer.seal(item)]
    })
    if (step.openers) this.openers = step.openers
    if (step.writable) {
      this.writable = true
      this.mayWriteBytes = step.writable.maxMessageBytes
    }
    return [...frames, ...(await this.#answer(step.next))]
  }

  #hold(frame: Frame): Frame[] {
    const control = decodeControl(frame)
    if (control.name !== 'ticket' || !this.session) throw new Error('no ticket')
    const { ticket, nonce } = control
    this.held = { ticket, session: resumableOf(this.session, Buffer.from(this.#options.app ?? ''), nonce) }
    return []
  }

  async #sign(input: Buffer): Promise<Buffer> {
    this.signed += 1
    const { identity, signWith } = this.#options
    if (signWith) return signWith(input)
    if (!identity) throw new Error('asked to sign without an identity')
    return sign(identity.type, identity.privateKey, input)
  }

  async #answer(next: Step['next']): Promise<Frame[]> {
    if ('sign' in next) {
      return this.#run(this.machine.signed(await this.#sign(next.sign)))
    }
    if ('ask' in next) {
      this.asked.push(next.ask)
      return this.#run(this.machine.accepted())
    }
    if ('agreed' in next) this.session = next.agreed
    if (asksForTicket(next)) {
      const { store } = this.#options
      return this.#run((await answerFor(next, store ? ticketingOf(store) : null))(this.machine))
    }
    return []
  }
}

export const initiatorEnd = (options: EndOptions = {}): End => {
  const { held } = options
  const takeTicket = (fits: (session: Resumable) => boolean) => (held && fits(held.session) ? held : null)
  return new End(initiator({ ...configOf(options), takeTicket }), options)
}

export const responderEnd = (options: EndOptions = {}): End =>
  new End(
    responder({
      ...configOf(options),
      want: options.want ?? WANT.welcome,
      tickets: options.store !== undefined
    }),
    options
  )

export type Direction = 'initiator → responder' | 'responder → initiator'

/** Stands between two ends: what it returns is delivered in a frame's place. */
export type Middle = (frame: Frame, index: number, direction: Direction) => Frame[]

/** The same for a frame's bytes, header and all: what it returns need not be frames. */
export type ByteMiddle = (bytes: Buffer, index: number, direction: Direction) => Buffer[]

export const frameOf = (bytes: Buffer): Frame => ({ type: bytes.readUInt8(0), body: bytes.subarray(4) })

/**
 * Runs two ends against each other until nothing is on the way; gives every frame that was sent, in order.
 * Throws what the first end to fail throws.
 */
export async function shake(a: End, b: End, middle: Middle = frame => [frame]): Promise<Frame[]> {
  const crossed = await shakeBytes(a, b, (bytes, index, direction) =>
    middle(frameOf(bytes), index, direction).map(enframe)
  )
  return crossed.map(frameOf)
}

export async function shakeBytes(a: End, b: End, middle: ByteMiddle = bytes => [bytes]): Promise<Buffer[]> {
  const crossed: Buffer[] = []
  const queue: { bytes: Buffer; direction: Direction }[] = []
  const put = (sent: Buffer[], direction: Direction): void => {
    for (const bytes of sent) queue.push({ bytes, direction })
  }
  put((await a.start()).map(enframe), 'initiator → responder')
  put((await b.start()).map(enframe), 'responder → initiator')
  for (let item = queue.shift(); item; item = queue.shift()) {
    const { bytes, direction } = item
    crossed.push(bytes)
    const forward = direction === 'initiator → responder'
    const [to, back] = forward
      ? ([b, 'responder → initiator'] as const)
      : ([a, 'initiator → responder'] as const)
    for (const piece of middle(bytes, crossed.length - 1, direction)) put(await to.deliver(piece), back)
  }
  return crossed
}
