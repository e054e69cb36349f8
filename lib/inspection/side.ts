// One direction of a capture: its bytes cut into records, opened where there is a key, each as an entry. Every length is
// checked and every cap kept as in the live code, whose codecs these are; the first fault ends the direction.

import {
  FLIGHT_INNER_BYTES,
  HEADER_BYTES,
  KIND,
  MAX_HELLO_BYTES,
  MAX_INNER_BYTES,
  MAX_SEALED_BYTES,
  TYPE
} from '../constants.ts'
import { ALERT, alertText, isAlertCode, StalkError, unexpected } from '../errors.ts'
import type { Role } from '../handshake/flight.ts'
import { decodeMessages, MESSAGE, RESPONDER_HELLO_BYTES } from '../handshake/messages.ts'
import type { Traffic } from '../handshake/traffic.ts'
import { ContentDecoder, carriesMessages } from '../wire/contents.ts'
import { decodeControl } from '../wire/control.ts'
import { Deframer, type Frame } from '../wire/frame.ts'
import { Arrived, MessageDecoder } from '../wire/message.ts'
import type { Inner, Opener } from '../wire/record.ts'
import { decodeShapes } from '../wire/shapes.ts'
import type { AlertEntry, CaptureEntry, Opened, Place, Stage } from './entries.ts'
import type { Facts } from './facts.ts'

const TAG_BYTES = MAX_SEALED_BYTES - MAX_INNER_BYTES

/** The longest bodies of records in clear, and the longest plaintexts of sealed ones, in bytes. */
const CLEAR: Record<number, number> = {
  [TYPE.initiatorHello]: MAX_HELLO_BYTES,
  [TYPE.responderHello]: RESPONDER_HELLO_BYTES,
  [TYPE.plainAlert]: 1
}
const SEALED: Record<number, number> = {
  [TYPE.sealedHandshake]: FLIGHT_INNER_BYTES,
  [TYPE.sealedApplication]: MAX_INNER_BYTES
}

const FIRST = {
  initiator: [TYPE.initiatorHello],
  responder: [TYPE.responderHello, TYPE.plainAlert]
} as const satisfies Record<Role, readonly number[]>

export class Side {
  readonly role: Role
  readonly #facts: Facts
  readonly #length: number
  readonly #deframer = new Deframer(type => this.#admit(type))
  readonly #keys = new Map<Stage, Keys | null>()
  #at = 0
  #may: readonly number[]
  #accepted: boolean
  #contents: ContentDecoder | null = null
  #messages = 0
  #partialBytes = 0
  #parts = 0
  #end: 'none' | 'closed' | 'alert' | 'unknown' = 'none'
  #over = false

  constructor(role: Role, bytes: Buffer, facts: Facts) {
    this.role = role
    this.#facts = facts
    this.#length = bytes.length
    this.#may = FIRST[role]
    this.#accepted = role === 'initiator'
    this.#deframer.push(bytes)
  }

  /** How its sender has ended it: not at all, with a goodbye, with an alert; or we lack the key that would tell. */
  get end(): 'none' | 'closed' | 'alert' | 'unknown' {
    return this.#end
  }

  /** The next record, or null behind the last. */
  next(): CaptureEntry | null {
    if (this.#over) return null
    try {
      const frame = this.#deframer.next()
      if (!frame) return this.#finish()
      const place: Place = { from: this.role, at: this.#at, bytes: HEADER_BYTES + frame.body.length }
      const entry = this.#read(frame, place)
      this.#at += place.bytes
      return entry
    } catch (error) {
      if (!(error instanceof StalkError)) throw error
      return this.#problem(error)
    }
  }

  /** Whether it has accepted the other end. */
  get accepted(): boolean {
    return this.#accepted
  }

  /** That its bytes end where they should not; `secure`: whether the handshake was over. */
  truncated(secure: boolean): CaptureEntry {
    const where = secure ? 'without a goodbye' : 'before the handshake was complete'
    return this.#problem(new StalkError('ERR_STALK_TRUNCATED', `the bytes end ${where}`))
  }

  #finish(): CaptureEntry | null {
    this.#over = true
    if (!this.#deframer.partial) return null
    const text = `the bytes end inside a record, ${this.#length - this.#at} bytes after it began`
    return this.#problem(new StalkError('ERR_STALK_TRUNCATED', text))
  }

  #problem({ code, message }: StalkError): CaptureEntry {
    this.#over = true
    this.#end = 'unknown'
    const bytes = this.#length - this.#at
    return { from: this.role, at: this.#at, bytes, name: 'problem', code, text: message }
  }

  /** The longest body of a record that may stand here. */
  #admit(type: number): number {
    if (!this.#may.includes(type)) throw this.#misplaced(type)
    const inner = SEALED[type]
    return inner === undefined ? (CLEAR[type] as number) : inner + (this.#facts.suite?.tagBytes ?? TAG_BYTES)
  }

  #misplaced(type: number): StalkError {
    const name = `0x${type.toString(16).padStart(2, '0')}`
    if (this.#at > 0) {
      const text = `a record of type ${name} has no place here`
      return new StalkError('ERR_STALK_UNEXPECTED', this.#may.length ? text : `${text}, behind an alert`)
    }
    const swapped = type === (this.role === 'initiator' ? TYPE.responderHello : TYPE.initiatorHello)
    const text = swapped
      ? `these are the bytes of the other end: this one is the ${this.role}`
      : `no ${this.role} of stalk begins with the byte ${name}`
    return new StalkError('ERR_STALK_NOT_STALK', text)
  }

  // --- records -----------------------------------------------------------------------------------------

  #read(frame: Frame, place: Place): CaptureEntry {
    if (frame.type === TYPE.initiatorHello) {
      this.#may = [TYPE.plainAlert, TYPE.sealedHandshake]
      return { ...place, ...this.#facts.initiatorHello(frame) }
    }
    if (frame.type === TYPE.responderHello) {
      this.#may = [TYPE.sealedHandshake]
      return { ...place, ...this.#facts.responderHello(frame) }
    }
    if (frame.type === TYPE.plainAlert) return { ...place, plain: true, ...this.#alert(errorIn(frame.body)) }
    return this.#sealed(frame, place)
  }

  #sealed(frame: Frame, place: Place): CaptureEntry {
    const stage: Stage = frame.type === TYPE.sealedHandshake ? 'handshake' : 'application'
    const flight = stage === 'handshake' && !this.#may.includes(TYPE.sealedApplication)
    const after = this.role === 'responder' && stage === 'handshake' ? [TYPE.sealedHandshake] : []
    const keys = this.#keysOf(stage)
    if (!keys) {
      if (flight) this.#facts.missedFlight()
      this.#end = 'unknown'
      this.#may = [...after, TYPE.sealedApplication]
      return { ...place, name: 'sealed', stage }
    }
    const { inner, ...how } = keys.open(frame)
    this.#may = [...after, TYPE.sealedApplication]
    const where = { ...place, stage, ...how }
    if (stage === 'application') return this.#application(where, inner, keys)
    if (inner.type === KIND.alert) return { ...where, plain: false, ...this.#alert(errorIn(inner.body)) }
    if (!flight) throw unexpected(`a record of kind ${inner.type} came in place of Accept`)
    return { ...where, ...this.#facts.flight(this.role, inner) }
  }

  #keysOf(stage: Stage): Keys | null {
    let keys = this.#keys.get(stage)
    if (keys === undefined) {
      keys =
        stage === 'handshake'
          ? Keys.of(this.#facts.handshakeOpener(this.role))
          : Keys.following(this.#facts.traffic(this.role))
      this.#keys.set(stage, keys)
    }
    return keys
  }

  // --- contents ----------------------------------------------------------------------------------------

  #application(where: Opened, inner: Inner, keys: Keys): CaptureEntry {
    if (!this.#accepted) return this.#accept(where, inner)
    if (inner.type === KIND.handshake) throw unexpected('a handshake message came after the handshake')
    const other = this.role === 'initiator' ? 'responder' : 'initiator'
    this.#contents ??= new ContentDecoder(new MessageDecoder({ maxMessageBytes: this.#facts.takes(other) }))
    const item = this.#contents.decode(inner)
    if (carriesMessages(inner.type)) return this.#part(where, inner, item instanceof Arrived ? item : null)
    if (inner.type === KIND.shapes) return { ...where, name: 'shapes', ...decodeShapes(inner.body) }
    return this.#control(where, inner, keys)
  }

  #accept(where: Opened, { type, body }: Inner): CaptureEntry {
    if (type === KIND.alert) return { ...where, plain: false, ...this.#alert(errorIn(body)) }
    const [message, ...more] = type === KIND.handshake ? decodeMessages(body) : []
    const isAccept = message?.type === MESSAGE.accept && message.body.length === 0 && more.length === 0
    if (!isAccept) throw unexpected(`a record of kind ${type} came in place of Accept`)
    this.#accepted = true
    return { ...where, name: 'accept' }
  }

  #part(where: Opened, { body }: Inner, arrived: Arrived | null): CaptureEntry {
    this.#parts += 1
    this.#partialBytes += body.length
    if (!arrived) return { ...where, name: 'fragment', contentBytes: body.length, soFar: this.#partialBytes }
    const first = this.#messages + 1
    const fragments = this.#parts
    this.#messages += arrived.messages.length
    this.#partialBytes = 0
    this.#parts = 0
    return {
      ...where,
      name: 'messages',
      first,
      messages: arrived.messages,
      ...(fragments > 1 && { fragments })
    }
  }

  #control(where: Opened, inner: Inner, keys: Keys): CaptureEntry {
    const control = decodeControl(inner)
    if (control.name === 'alert') return { ...where, plain: false, ...this.#alert(control.code) }
    if (control.name === 'close') this.#end = 'closed'
    if (control.name === 'keyUpdate') keys.advance()
    if (control.name === 'ping' || control.name === 'pong') {
      return { ...where, ...control, value: control.value.toString('hex') } as CaptureEntry
    }
    // The ticket itself is its holder's.
    if (control.name === 'ticket') {
      const { name, lifetimeS, ticket } = control
      return { ...where, name, lifetime: lifetimeS, ticketBytes: ticket.length }
    }
    return { ...where, ...control }
  }

  #alert(code: number): AlertEntry {
    if (!isAlertCode(code) || code === ALERT.close) {
      throw new StalkError('ERR_STALK_DECODE', `an alert with the code ${code}, which is none`)
    }
    this.#end = 'alert'
    this.#may = []
    return { name: 'alert', code, text: alertText(code) }
  }
}

/** What opens the records of one stage, one after the other. */
class Keys {
  #opener: Opener
  readonly #traffic: Traffic | null
  #epoch = 0
  #sequence = 0

  private constructor(opener: Opener, traffic: Traffic | null) {
    this.#opener = opener
    this.#traffic = traffic
  }

  static of(opener: Opener | null): Keys | null {
    return opener && new Keys(opener, null)
  }

  static following(traffic: Traffic | null): Keys | null {
    return traffic && new Keys(traffic.opener(), traffic)
  }

  open(frame: Frame): { inner: Inner; epoch: number; sequence: number; padding: number } {
    const inner = this.#opener.open(frame)
    const sequence = this.#sequence
    this.#sequence += 1
    return { inner, epoch: this.#epoch, sequence, padding: inner.innerBytes - inner.body.length - 1 }
  }

  advance(): void {
    if (!this.#traffic) return
    this.#traffic.advance()
    this.#opener = this.#traffic.opener()
    this.#epoch += 1
    this.#sequence = 0
  }
}

/** The code of an alert that is no goodbye. */
function errorIn(body: Buffer): number {
  const [code] = body
  if (code !== undefined && body.length === 1) return code
  throw new StalkError('ERR_STALK_DECODE', `an alert of ${body.length} bytes`)
}
