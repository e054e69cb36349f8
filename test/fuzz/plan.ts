// The plan of a played connection: which bytes a peer sends to one side of a vector's handshake, its own up to a
// place and then those that an input makes, and what that side does by itself. What is sent to a responder behind M4 is
// early data: it is there before the verdict. Knows the formulas; nothing of lib.

import {
  applicationSecrets,
  Direction,
  H,
  HMAC,
  innerOf,
  integer,
  message,
  record,
  signatureOf,
  signed,
  vector as vectorOf
} from '../helpers/formulas.ts'
import type { HandshakeVector } from '../vectors/format.ts'
import { hex } from './target.ts'
import { handshakes, keyNamed, recordedSignature } from './vectors.ts'

export type Role = 'initiator' | 'responder'

export const PLACES = ['M1', 'M2', 'M3', 'M4', 'M5', 'to the initiator', 'to the responder'] as const
export type Place = (typeof PLACES)[number]

export const FLAG = {
  padded: 1,
  finished: 2,
  signature: 4,
  raw: 8,
  otherKey: 16,
  closeFirst: 32,
  early: 64,
  refuses: 128
} as const

export interface Plan {
  /** Of the vector in its file. */
  readonly index: number
  readonly vector: HandshakeVector
  readonly place: Place
  readonly role: Role
  readonly bytes: Buffer
  readonly closeFirst: boolean
  /** Whether its trust policy refuses everyone. */
  readonly refuses: boolean
  /** Whether an initiator sends a message before it is accepted. */
  readonly early: boolean
  /** Whether it asks for new keys as soon as there is a session. */
  readonly asks: boolean
  /** The bytes from there on come only when it has sent so many records under the application's keys; null: at once. */
  readonly held: { readonly at: number; readonly records: number } | null
  /** The kinds of the records behind the handshake. */
  readonly kinds: readonly number[]
}

/** The top bit of the place. */
export const ASKS = 0x80

/** `u8 vector ‖ u8 place ‖ u8 flags ‖ rest`. */
export function planOf(input: Buffer): Plan {
  const [which = 0, where = 0, flags = 0] = input
  const index = which % handshakes.vectors.length
  const vector = handshakes.vectors[index] as HandshakeVector
  const place = PLACES[(where & ~ASKS) % PLACES.length] as Place
  const role: Role = ['M2', 'M3', 'M5', 'to the initiator'].includes(place) ? 'initiator' : 'responder'
  const rest = input.subarray(3)
  const writer = new Writer(vector, flags)
  const bytes = Buffer.concat([...before(vector, place), ...writer.at(place, rest)])
  const refuses = (flags & FLAG.refuses) > 0
  const closeFirst = (flags & FLAG.closeFirst) > 0
  const early = (flags & FLAG.early) > 0 && !refuses && ['M5', 'to the initiator'].includes(place)
  const asks = (where & ASKS) > 0 && !refuses && !early && place.startsWith('to')
  const held = (): Plan['held'] => {
    if (early) return { at: lengthOf(before(vector, 'M5')), records: 1 }
    // A responder's first one is M5.
    const records = (role === 'responder' ? 2 : 1) + (closeFirst ? 1 : 0)
    return asks ? { at: lengthOf(before(vector, place)), records } : null
  }
  const { kinds } = writer
  return { index, vector, place, role, bytes, closeFirst, refuses, early, asks, held: held(), kinds }
}

const lengthOf = (parts: readonly Buffer[]): number => Buffer.concat(parts).length

/** What the peer sends before the place. */
function before({ records: { M1, M2, M3, M4, M5 } }: HandshakeVector, place: Place): Buffer[] {
  const records: Record<Place, string[]> = {
    M1: [],
    M2: [],
    M3: [M2],
    M4: [M1],
    M5: [M2, M3],
    'to the initiator': [M2, M3, M5],
    'to the responder': [M1, M4]
  }
  return records[place].map(hex)
}

class Writer {
  readonly kinds: number[] = []
  readonly #vector: HandshakeVector
  readonly #flags: number

  constructor(vector: HandshakeVector, flags: number) {
    this.#vector = vector
    this.#flags = flags
  }

  at(place: Place, rest: Buffer): Buffer[] {
    if (this.#flags & FLAG.raw) return [rest]
    const { i_hs, r_hs, i_ap, r_ap } = this.#vector.secrets
    if (place === 'M1') return [record(0xe1, rest)]
    if (place === 'M2') return [record(0xe2, rest)]
    if (place === 'M3') return [this.#direction(0xe5, r_hs).seal(this.#flight('responder', rest))]
    if (place === 'M4') return this.#m4(i_hs, rest)
    if (place === 'M5') return this.#m5(r_hs, r_ap, rest)
    const direction = this.#direction(0xe4, place === 'to the initiator' ? r_ap : i_ap)
    if (place === 'to the initiator') direction.seal(innerOf(1, message(7, Buffer.alloc(0))))
    return this.#records(direction, rest)
  }

  #direction(type: number, secret: string): Direction {
    return new Direction(type, this.#vector.suite, hex(secret))
  }

  #m5(handshake: string, application: string, rest: Buffer): Buffer[] {
    if (!(this.#flags & FLAG.otherKey)) return [this.#direction(0xe4, application).seal(nonEmpty(rest))]
    const direction = this.#direction(0xe5, handshake)
    direction.seal(Buffer.of(1)) // M3 has the first sequence
    return [direction.seal(nonEmpty(rest))]
  }

  /** A flight, and a message and a close behind it, under the keys that follow from it. */
  #m4(secret: string, rest: Buffer): Buffer[] {
    const flight = this.#direction(0xe5, secret).seal(this.#flight('initiator', rest))
    const th7 = H(this.#transcript('initiator'), ...messagesIn(this.#repaired('initiator', rest)))
    const { i_ap } = applicationSecrets(hex(this.#vector.secrets.hs), th7)
    const direction = new Direction(0xe4, this.#vector.suite, i_ap)
    return [flight, direction.seal(innerOf(2, hex('9101'))), direction.seal(innerOf(5, Buffer.alloc(9)))]
  }

  /** Content, kind and padding of a flight, repaired as the flags say. */
  #flight(role: Role, content: Buffer): Buffer {
    if (!(this.#flags & FLAG.padded)) return nonEmpty(content)
    const repaired = this.#repaired(role, content)
    return repaired.length < 2_048 ? innerOf(1, repaired, 2_048) : nonEmpty(repaired)
  }

  /** With a Proof and a Finished that fit what is before them, where the messages have them. */
  #repaired(role: Role, content: Buffer): Buffer {
    const messages = messagesIn(content)
    if (Buffer.concat(messages).length !== content.length) return content
    const [proofType, finishedType] = role === 'responder' ? [2, 3] : [5, 6]
    const done: Buffer[] = []
    for (const each of messages) {
      const th = H(this.#transcript(role), ...done)
      if (each[0] === proofType && this.#flags & FLAG.signature) done.push(this.#proof(role, proofType, th))
      else if (each[0] === finishedType && this.#flags & FLAG.finished)
        done.push(this.#finished(role, finishedType, th))
      else done.push(each)
    }
    return Buffer.concat(done)
  }

  #proof(role: Role, type: number, th: Buffer): Buffer {
    const { privateKey } = keyNamed(this.#vector[role].identity ?? 'ed25519, initiator')
    const input = signed(role, th)
    const signature = recordedSignature(this.#vector, role, input) ?? signatureOf(privateKey, input)
    return message(type, vectorOf(signature))
  }

  #finished(role: Role, type: number, th: Buffer): Buffer {
    const { fin_i, fin_r } = this.#vector.secrets
    return message(type, HMAC(hex(role === 'responder' ? fin_r : fin_i), th))
  }

  /** What the transcript takes before the flight of a role. */
  #transcript(role: Role): Buffer {
    const { prologue, records, flights } = this.#vector
    const hellos = [hex(prologue), hex(records.M1), hex(records.M2)]
    return Buffer.concat(role === 'responder' ? hellos : [...hellos, hex(flights.M3)])
  }

  /**
   * `u8 kind ‖ u16 length ‖ content`; kinds from 80 on are filled up to 1,100 bytes. Behind a key update goes on under
   * the next key. So many that the bucket of questions can be empty.
   */
  #records(first: Direction, rest: Buffer): Buffer[] {
    const sealed: Buffer[] = []
    let direction = first
    for (let at = 0; at + 3 <= rest.length && sealed.length < 40; ) {
      const kind = rest.readUInt8(at) & 0x7f
      const content = rest.subarray(at + 3, at + 3 + rest.readUInt16BE(at + 1))
      const fill = Math.max(0, rest.readUInt8(at) & 0x80 ? 1_100 - content.length : 0)
      sealed.push(direction.seal(Buffer.concat([content, Buffer.alloc(fill, 0x61), integer(1, kind)])))
      this.kinds.push(kind)
      if (kind === 6) direction = direction.next()
      at += 3 + content.length
    }
    return sealed
  }
}

const nonEmpty = (inner: Buffer): Buffer => (inner.length === 0 ? Buffer.alloc(1) : inner.subarray(0, 2_048))

/** As far as they are well formed. */
function messagesIn(content: Buffer): Buffer[] {
  const messages: Buffer[] = []
  for (let at = 0; at + 3 <= content.length; ) {
    const end = at + 3 + content.readUInt16BE(at + 1)
    if (end > content.length) break
    messages.push(content.subarray(at, end))
    at = end
  }
  return messages
}
