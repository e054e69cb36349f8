// What both directions of a capture have in common: hellos, suite, logged secrets, transcript, who takes how much. Reads
// the handshake with the parsers that the live one has; knows no frames and no order.

import { FLIGHT_INNER_BYTES, MAX_U32, TYPE } from '../constants.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import { verify } from '../crypto/signatures.ts'
import { SUITES, type Suite } from '../crypto/suites.ts'
import { type ErrorCode, StalkError } from '../errors.ts'
import { decodeFlight, type Flight, type Role, Verified } from '../handshake/flight.ts'
import {
  decodeInitiatorHello,
  decodeInitiatorIdentity,
  decodeResponderHello,
  decodeResponderIdentity,
  type IdentityMessage,
  WANT
} from '../handshake/messages.ts'
import { shown } from '../handshake/resumption.ts'
import { trafficKeys } from '../handshake/schedule.ts'
import { Traffic } from '../handshake/traffic.ts'
import { prologueOf, Transcript } from '../handshake/transcript.ts'
import { fingerprintOf } from '../identity/fingerprint.ts'
import { type LoggedSecrets, readKeyLog } from '../key-log.ts'
import { enframe, type Frame } from '../wire/frame.ts'
import { type Inner, Opener } from '../wire/record.ts'
import type { FlightEntry, InitiatorHelloEntry, Place, ResponderHelloEntry, Stage } from './entries.ts'

/** An entry without where it lies. */
type Bare<Entry extends Place> = Omit<Entry, keyof Place>

export class Facts {
  readonly #prologue: Buffer
  readonly #keys: string
  #secrets: LoggedSecrets = { handshake: {}, application: {} }
  #suite: Suite | null = null
  #resumed = false
  /** All that goes into the transcript; null where some of it could not be read. */
  #said: Buffer[] | null = []
  readonly #takes: Partial<Record<Role, number>> = {}

  constructor(app: Buffer, keys: string) {
    this.#prologue = prologueOf(app)
    this.#keys = keys
  }

  /** The agreed one; null before it is known, and where it is none that we have. */
  get suite(): Suite | null {
    return this.#suite
  }

  /** The largest message that `role` takes, in bytes, as far as is known. */
  takes(role: Role): number {
    return this.#takes[role] ?? MAX_U32
  }

  /** What opens the flight of `role`, and its alerts before the end of the handshake; null without its secret. */
  handshakeOpener(role: Role): Opener | null {
    const secret = this.#secrets.handshake[role]
    if (!secret || !this.#suite) return null
    return new Opener(TYPE.sealedHandshake, this.#suite, trafficKeys(secret, this.#suite), FLIGHT_INNER_BYTES)
  }

  /** The keys of what `role` sends after the handshake; null without its secret. */
  traffic(role: Role): Traffic | null {
    const secret = this.#secrets.application[role]
    return secret && this.#suite ? new Traffic(this.#suite, Buffer.from(secret)) : null
  }

  initiatorHello(frame: Frame): Bare<InitiatorHelloEntry> {
    const { versions, random, suites, keyTypes } = decodeInitiatorHello(frame)
    this.#secrets = readKeyLog(this.#keys, random)
    this.#said?.push(enframe(frame))
    return {
      name: 'initiatorHello',
      versions,
      random: random.toString('hex'),
      suites: suites.map(suiteName),
      keyTypes,
      keys: namesOf(this.#secrets)
    }
  }

  responderHello(frame: Frame): Bare<ResponderHelloEntry> {
    const { version, random, suite, psk } = decodeResponderHello(frame)
    this.#suite = suiteOf(suite) ?? null
    this.#resumed = psk
    this.#said?.push(enframe(frame))
    return {
      name: 'responderHello',
      version,
      random: random.toString('hex'),
      suite: suiteName(suite),
      resumed: psk
    }
  }

  flight(
    role: Role,
    inner: Inner
  ): Omit<FlightEntry, keyof Place | 'stage' | 'epoch' | 'sequence' | 'padding'> {
    const flight = decodeFlight(role, inner)
    const { body } = flight.identity
    const responder = role === 'responder' ? decodeResponderIdentity(body) : null
    const message: IdentityMessage = responder ?? decodeInitiatorIdentity(body)
    const { identity, maxMessageBytes } = message
    this.#takes[role] = maxMessageBytes
    return {
      name: 'flight',
      identity: identity && described(identity),
      proof: flight.proof !== null,
      fault: this.#faultOf(role, flight, identity),
      maxMessage: maxMessageBytes,
      ...(responder && { want: wantName(responder.want), keyTypes: responder.keyTypes })
    }
  }

  /** A flight that could not be opened: what comes after it can't be verified. */
  missedFlight(): void {
    this.#said = null
  }

  #faultOf(role: Role, flight: Flight, peer: RawPublicKey | null): ErrorCode | null | undefined {
    const secret = this.#secrets.handshake[role]
    if (!this.#said || !secret) return undefined
    const transcript = new Transcript(this.#prologue).add(...this.#said)
    for (const message of [flight.identity, flight.proof, flight.finished])
      if (message) this.#said.push(Buffer.from(message.encoded))
    try {
      // What a ticket is for stands in no capture: as far as it tells, the identity is that of the ticket.
      Verified.flight(role, flight, peer, transcript, secret, verify, this.#resumed ? shown(peer) : null)
      return null
    } catch (error) {
      if (error instanceof StalkError) return error.code
      throw error
    }
  }
}

const suiteOf = (id: number): Suite | undefined => Object.values(SUITES).find(suite => suite.id === id)

const suiteName = (id: number): string => suiteOf(id)?.name ?? `0x${id.toString(16).padStart(4, '0')}`

const wantName = (want: number): keyof typeof WANT =>
  want === WANT.none ? 'none' : want === WANT.welcome ? 'welcome' : 'required'

const described = (raw: RawPublicKey): FlightEntry['identity'] => ({
  type: raw.type,
  keysize: raw.bytes.length * 8,
  fingerprint: fingerprintOf(raw)
})

/** 'handshake initiator' and so on. */
const namesOf = (secrets: LoggedSecrets): string[] =>
  (['handshake', 'application'] satisfies Stage[]).flatMap(stage =>
    Object.keys(secrets[stage]).map(side => `${stage} ${side}`)
  )
