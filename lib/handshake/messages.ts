// Handshake messages: their bytes, both ways, and every check that needs nothing but the message itself.
// Knows no keys, no transcript and no order; that a share is of small order or a key unusable shows later.
//
//   M1 InitiatorHello  "STLK" ‖ versions ‖ random[32] ‖ suites ‖ sigs ‖ share[32] ‖ psk u8 [‖ ticket ‖ binder[32]]
//   M2 ResponderHello  "STLK" ‖ version u16 ‖ random[32] ‖ suite u16 ‖ share[32] ‖ psk u8
//   in flights         mtype u8 ‖ mlen u16 ‖ mbody
//
// Lists are `u8 n ‖ items`; keys, signatures and tickets `u16 length ‖ bytes`. Integers are big-endian.

import { kept, Reader, u16, u32 } from '../bytes.ts'
import { MAX_RSA_BITS, MAX_TICKET_BYTES, TYPE } from '../constants.ts'
import { HASH_BYTES, X25519_BYTES } from '../crypto/primitives.ts'
import type { KeyType, RawPublicKey } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import type { Frame } from '../wire/frame.ts'

const MAGIC = Buffer.from('STLK')
/** Length of a hello's random, in bytes. */
export const RANDOM_BYTES = 32
/** Length of every ResponderHello, in bytes. */
export const RESPONDER_HELLO_BYTES = MAGIC.length + 2 + RANDOM_BYTES + 2 + X25519_BYTES + 1
const MAX_KEY_BYTES = MAX_RSA_BITS / 8

/** The one version there is: stalk/1. */
export const VERSION = 0x0001

/** Whether the responder asks for the initiator's identity. */
export const WANT = { none: 0, welcome: 1, required: 2 } as const
export type Want = (typeof WANT)[keyof typeof WANT]

const isWant = (value: number): value is Want => value <= WANT.required

/** Message types inside flights. */
export const MESSAGE = {
  responderIdentity: 1,
  responderProof: 2,
  responderFinished: 3,
  initiatorIdentity: 4,
  initiatorProof: 5,
  initiatorFinished: 6,
  accept: 7
} as const

/** Signature algorithms; 0 in an identity's place is anonymous. */
const ALGORITHM: Record<KeyType, number> = { ed25519: 1, rsa: 2 }
export const ANONYMOUS = 0

/** The byte that stands for a kind of key. */
export const algorithmOf = (type: KeyType): number => ALGORITHM[type]

/** The kind of key that a byte stands for, if we know it. */
export const keyTypeOf = (algorithm: number): KeyType | undefined =>
  algorithm === ALGORITHM.ed25519 ? 'ed25519' : algorithm === ALGORITHM.rsa ? 'rsa' : undefined

/** Ids `?A?A` mean nothing: an initiator offers one so that responders keep ignoring what they do not know. */
const isGrease = (suite: number): boolean => (suite & 0x0f0f) === 0x0a0a

/** A grease id made of one random byte. */
export const greaseFrom = (byte: number): number => ((byte & 0xf0) << 8) | 0x0a0a | ((byte & 0x0f) << 4)

export interface InitiatorHello {
  readonly versions: readonly number[]
  readonly random: Buffer
  /** By preference, grease included. */
  readonly suites: readonly number[]
  /** Signatures accepted from the responder; unknown ones are left out when decoding. */
  readonly keyTypes: readonly KeyType[]
  readonly share: Buffer
  /** A ticket to resume a session with; null for none. */
  readonly offer: TicketOffer | null
}

export interface TicketOffer {
  /** 1 to 512 bytes. */
  readonly ticket: Buffer
  /** 32 bytes: what proves that the sender has the ticket's key (resumption.ts). */
  readonly binder: Buffer
}

export interface ResponderHello {
  readonly version: number
  readonly random: Buffer
  readonly suite: number
  readonly share: Buffer
  /** Whether the ticket that was offered is used. */
  readonly psk: boolean
}

/** Who one side says it is, and what it takes. */
export interface IdentityMessage {
  readonly identity: RawPublicKey | null
  /** The largest message that side takes, in bytes. */
  readonly maxMessageBytes: number
}

export interface ResponderIdentity extends IdentityMessage {
  readonly want: Want
  /** Signatures accepted from the initiator. */
  readonly keyTypes: readonly KeyType[]
}

// --- hello messages ------------------------------------------------------------------------------------

const list = (items: readonly Uint8Array[]): Buffer => Buffer.concat([Uint8Array.of(items.length), ...items])
const vector = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes])
const algorithms = (keyTypes: readonly KeyType[]): Buffer =>
  list(keyTypes.map(type => Uint8Array.of(ALGORITHM[type])))

export function encodeInitiatorHello(hello: InitiatorHello): Frame {
  const body = Buffer.concat([
    MAGIC,
    list(hello.versions.map(u16)),
    hello.random,
    list(hello.suites.map(u16)),
    algorithms(hello.keyTypes),
    hello.share,
    encodeOffer(hello.offer)
  ])
  return { type: TYPE.initiatorHello, body }
}

/** Throws ERR_STALK_NOT_STALK for another magic, ERR_STALK_DECODE for whatever else is not well formed. */
export function decodeInitiatorHello({ body }: Frame): InitiatorHello {
  const reader = readerBehindMagic(body, 'the InitiatorHello')
  const hello = {
    versions: reader.list(() => reader.u16()),
    random: reader.take(RANDOM_BYTES),
    suites: readSuites(reader),
    keyTypes: readKeyTypes(reader),
    share: reader.take(X25519_BYTES),
    offer: readOffer(reader)
  }
  reader.end()
  return hello
}

function readerBehindMagic(body: Buffer, what: string): Reader {
  const reader = new Reader(body, what)
  if (!reader.take(Math.min(MAGIC.length, body.length)).equals(MAGIC)) {
    throw new StalkError('ERR_STALK_NOT_STALK', 'the peer does not speak stalk', { phase: 'handshake' })
  }
  return reader
}

const readSuites = (reader: Reader): number[] => reader.list(() => reader.u16()).filter(id => !isGrease(id))

const readKeyTypes = (reader: Reader): KeyType[] =>
  reader
    .list(() => reader.u8())
    .map(keyTypeOf)
    .filter(type => type !== undefined)

const encodeOffer = (offer: TicketOffer | null): Buffer =>
  offer === null ? Buffer.of(0) : Buffer.concat([Uint8Array.of(1), vector(offer.ticket), offer.binder])

/** Its form is checked whether or not anybody here issues tickets. */
function readOffer(reader: Reader): TicketOffer | null {
  if (!readFlag(reader, 'psk')) return null
  const ticket = reader.vector(MAX_TICKET_BYTES)
  if (ticket.length === 0) reader.fail('offers an empty ticket')
  return { ticket, binder: reader.take(HASH_BYTES) }
}

function readFlag(reader: Reader, name: string): boolean {
  const flag = reader.u8()
  if (flag > 1) reader.fail(`has ${name} ${flag}`)
  return flag === 1
}

export function encodeResponderHello(hello: ResponderHello): Frame {
  const body = Buffer.concat([
    MAGIC,
    u16(hello.version),
    hello.random,
    u16(hello.suite),
    hello.share,
    Uint8Array.of(hello.psk ? 1 : 0)
  ])
  return { type: TYPE.responderHello, body }
}

/** Throws as decodeInitiatorHello does. */
export function decodeResponderHello({ body }: Frame): ResponderHello {
  const reader = readerBehindMagic(body, 'the ResponderHello')
  const hello = {
    version: reader.u16(),
    random: reader.take(RANDOM_BYTES),
    suite: reader.u16(),
    share: reader.take(X25519_BYTES),
    psk: readFlag(reader, 'psk')
  }
  reader.end()
  return hello
}

// --- messages in flights -------------------------------------------------------------------------------

/** One message of a flight, as it goes into the flight and into the transcript. */
export const encodeMessage = (type: number, body: Buffer): Buffer =>
  Buffer.concat([Uint8Array.of(type), u16(body.length), body])

/** A message of a flight: its body, and all of it as the transcript takes it. */
export interface Message {
  readonly type: number
  readonly body: Buffer
  readonly encoded: Buffer
}

/** The messages of a flight, in order. */
export function decodeMessages(flight: Buffer): Message[] {
  const reader = new Reader(flight, 'a handshake flight')
  const messages: Message[] = []
  while (reader.remaining > 0) {
    const start = flight.length - reader.remaining
    const type = reader.u8()
    const body = reader.vector(flight.length)
    messages.push({ type, body, encoded: flight.subarray(start, flight.length - reader.remaining) })
  }
  return messages
}

const encodeIdentity = ({ identity, maxMessageBytes }: IdentityMessage): Buffer =>
  Buffer.concat([
    Uint8Array.of(identity === null ? ANONYMOUS : ALGORITHM[identity.type]),
    vector(identity?.bytes ?? Buffer.alloc(0)),
    u32(maxMessageBytes)
  ])

function readIdentity(reader: Reader): IdentityMessage {
  const algorithm = reader.u8()
  const bytes = kept(reader.vector(MAX_KEY_BYTES))
  const maxMessageBytes = reader.u32()
  reader.end()
  if (algorithm === ANONYMOUS) {
    if (bytes.length > 0) reader.fail('is anonymous and has a key')
    return { identity: null, maxMessageBytes }
  }
  const type = keyTypeOf(algorithm) ?? reader.fail(`has the unknown signature algorithm ${algorithm}`)
  return { identity: { type, bytes }, maxMessageBytes }
}

export const encodeResponderIdentity = (message: ResponderIdentity): Buffer =>
  encodeMessage(
    MESSAGE.responderIdentity,
    Buffer.concat([Uint8Array.of(message.want), algorithms(message.keyTypes), encodeIdentity(message)])
  )

export function decodeResponderIdentity(body: Buffer): ResponderIdentity {
  const reader: Reader = new Reader(body, 'the ResponderIdentity')
  const want = reader.u8()
  if (!isWant(want)) reader.fail(`has want ${want}`)
  const keyTypes = readKeyTypes(reader)
  return { want, keyTypes, ...readIdentity(reader) }
}

export const encodeInitiatorIdentity = (message: IdentityMessage): Buffer =>
  encodeMessage(MESSAGE.initiatorIdentity, encodeIdentity(message))

export const decodeInitiatorIdentity = (body: Buffer): IdentityMessage =>
  readIdentity(new Reader(body, 'the InitiatorIdentity'))
