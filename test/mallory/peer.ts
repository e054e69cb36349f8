// Mallory: an end that speaks the whole protocol honestly, but for what a fault's acts say otherwise, and
// hears what the target says to it. Knows the order of the protocol; the bytes are the puppets', and no fault
// is known here.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { Direction, innerOf, integer, type Opened, record, text, ticketContent } from '../helpers/formulas.ts'
import { InitiatorPuppet, ResponderPuppet } from '../helpers/puppet.ts'
import type { Acts, Alert, Instead, Place, Role } from './fault.ts'
import { Incoming } from './incoming.ts'
import { mallory } from './keys.ts'
import { Memory, offeredIn, type Ticket } from './memory.ts'

const NONE = Buffer.alloc(0)

/** How long a target may be silent before it counts as hanging, in ms. */
const PATIENCE_MS = 3_000

/** What the target said. */
export interface Heard {
  readonly alerts: Alert[]
  /** How many messages it sent back, and the contents that they were in. */
  messages: number
  readonly contents: Buffer[]
  /** The counts in its closes, and in its final pongs. */
  readonly closes: bigint[]
  readonly pongs: bigint[]
  /** The values of its pings, what it answered to Mallory's, and what its key updates said. */
  readonly pings: Buffer[]
  readonly answers: { readonly value: Buffer; readonly received: bigint }[]
  readonly updates: number[]
  /** What it gave out. */
  readonly tickets: Ticket[]
  /** Whether its M1 offers a ticket, if it has sent one; whether M2, be it Mallory's, says that the session is resumed. */
  offers: boolean | null
  resumed: boolean
  /** How many records it sent behind its close that may not stand there, and answers that nobody asked for. */
  late: number
  unasked: number
  /** Whether it ended its side of the transport; otherwise it hangs. */
  ended: boolean
}

/** The target has said something else than what an honest handshake goes on with. */
class Over extends Error {}

export class Peer {
  readonly role: Role
  readonly puppet: InitiatorPuppet | ResponderPuppet
  /** What is kept of earlier connections, and for later ones. */
  readonly memory: Memory
  /** What was sent and received as the handshake's records, before a fault changed it. */
  readonly records: Partial<Record<Place, Buffer>> = {}
  /** Records of the target's, sealed under the application's keys. */
  readonly sealed: Buffer[] = []
  /** The first record that Mallory sealed under them. */
  first: Buffer = NONE
  readonly heard: Heard = {
    alerts: [],
    messages: 0,
    contents: [],
    closes: [],
    pongs: [],
    pings: [],
    answers: [],
    updates: [],
    tickets: [],
    offers: null,
    resumed: false,
    late: 0,
    unasked: 0,
    ended: false
  }
  /** Mallory's that the target has not answered. */
  readonly #questions = { pings: 0, requests: 0 }
  readonly #socket: Socket
  readonly #incoming: Incoming
  readonly #acts: Acts

  constructor(socket: Socket, role: Role, acts: Acts, memory = new Memory()) {
    const says = typeof acts.says === 'function' ? acts.says(memory) : acts.says
    const options = { identity: mallory, random: randomBytes, ...says }
    this.role = role
    this.memory = memory
    this.puppet = role === 'initiator' ? new InitiatorPuppet(options) : new ResponderPuppet(options)
    this.#socket = socket
    this.#incoming = new Incoming(socket)
    this.#acts = acts
  }

  /** Does all of it, and hears the target out. */
  async run(): Promise<Heard> {
    try {
      if (this.puppet instanceof InitiatorPuppet) await this.#initiate(this.puppet)
      else await this.#respond(this.puppet)
      await this.#acts.open?.(this)
    } catch (error) {
      if (!(error instanceof Over)) throw error
    }
    while (await this.hear());
    this.heard.ended = this.#incoming.ended
    this.heard.resumed = this.records.M2?.at(-1) === 1
    this.memory.handshakes.push(this.records)
    if (this.heard.ended) this.end()
    else this.#socket.destroy()
    return this.heard
  }

  // --- the handshake -----------------------------------------------------------------------------------

  async #initiate(puppet: InitiatorPuppet): Promise<void> {
    this.#send('M1', puppet.m1())
    puppet.takeM2(await this.#receive('M2', 0xe2))
    puppet.takeM3(await this.#receive('M3', 0xe5))
    this.#send('M4', puppet.m4(), this.#forestall)
    await this.#receive('M5', 0xe4)
  }

  async #respond(puppet: ResponderPuppet): Promise<void> {
    const m1 = await this.#receive('M1', 0xe1)
    this.#noteOffer(offeredIn(m1))
    const m2 = puppet.m2(m1)
    this.#send('M2', m2)
    this.#send('M3', puppet.m3())
    puppet.takeM4(await this.#receive('M4', 0xe5))
    this.#send('M5', puppet.m5(this.#acts.accept), this.#forestall)
  }

  /** What the target must not be given, right behind Mallory's last word of the handshake. */
  readonly #forestall = (): Buffer => (this.#acts.open ? NONE : this.message('mallory'))

  #send(place: Place, honest: Buffer, behind: () => Buffer = () => NONE): void {
    this.records[place] = honest
    const instead: Instead = this.#acts.sends?.[place] ?? (() => honest)
    this.write(...[instead(honest, this)].flat(), behind())
  }

  async #receive(place: Place, type: number): Promise<Buffer> {
    const next = await this.#incoming.next(PATIENCE_MS)
    if (next?.readUInt8(0) !== type || this.#isAlert(next)) {
      if (next) this.#note(next)
      throw new Over()
    }
    this.records[place] = next
    if (place === 'M5') this.puppet.open.inbound.open(next)
    return next
  }

  /** A flight is looked into beforehand, since an alert may stand in its place. */
  #isAlert(whole: Buffer): boolean {
    if (whole.readUInt8(0) !== 0xe5) return false
    try {
      return this.#first('theirs').open(whole).kind === 5
    } catch {
      return true // sealed under other keys: to be noted, not to be taken
    }
  }

  /** The handshake's keys of one side, unused. */
  #first(whose: 'ours' | 'theirs'): Direction {
    const { secrets, role } = this.puppet
    if (!secrets) throw new Over()
    const initiates = (role === 'initiator') === (whose === 'ours')
    return new Direction(0xe5, this.puppet.handshake.inbound.suite, initiates ? secrets.i_hs : secrets.r_hs)
  }

  // --- hearing -----------------------------------------------------------------------------------------

  /** Takes in one more record; false when there is none. */
  async hear(): Promise<boolean> {
    const next = await this.#incoming.next(PATIENCE_MS)
    if (next) this.#note(next)
    return next !== null
  }

  /** Hears until something is so, or the target has ended. */
  async hears(isSo: (heard: Heard) => boolean): Promise<void> {
    while (!isSo(this.heard) && (await this.hear()));
  }

  #note(whole: Buffer): void {
    const opened = this.#open(whole)
    if (opened === null && isFlight(whole)) return
    if (opened === null) return void this.heard.alerts.push('sealed')
    const { kind, content } = opened
    if (this.heard.closes.length > 0 && isOfOpen(kind, content)) this.heard.late += 1
    if (kind === 5 && content[0] === 0) this.heard.closes.push(content.readBigUInt64BE(1))
    else if (kind === 5) this.heard.alerts.push(content.readUInt8(0))
    else if (kind === 6) this.#noteUpdate(content.readUInt8(0))
    else if (kind === 7) this.heard.tickets.push(this.#remember(content))
    else if (kind === 8) this.#notePing(content)
    else if (kind === 9) this.#notePong(content.subarray(0, 8), content.readBigUInt64BE(8))
    else this.#noteMessages(kind, content)
  }

  #noteOffer(ticket: Buffer | null): void {
    this.heard.offers = ticket !== null
    if (ticket === null) return
    if (this.memory.offered.some(earlier => earlier.equals(ticket)))
      throw new Error('a ticket was offered twice')
    this.memory.offered.push(ticket)
  }

  #noteUpdate(request: number): void {
    const { open } = this.puppet
    open.inbound = open.inbound.next()
    this.heard.updates.push(request)
    if (request === 0 && --this.#questions.requests < 0) this.heard.unasked += 1
    if (request === 1) this.write(...(this.#acts.answers?.request?.(this) ?? [this.update(0)]))
  }

  #notePing(value: Buffer): void {
    this.heard.pings.push(value)
    this.write(...(this.#acts.answers?.ping?.(value, this) ?? [this.pong(this.heard.messages, value)]))
  }

  #notePong(value: Buffer, received: bigint): void {
    if (value.equals(Buffer.alloc(8))) return void this.heard.pongs.push(received)
    this.heard.answers.push({ value, received })
    if (--this.#questions.pings < 0) this.heard.unasked += 1
  }

  #noteMessages(kind: number, content: Buffer): void {
    if (kind < 2 || kind > 4) return
    this.heard.contents.push(content)
    this.heard.messages += kind === 2 ? elements(content) : kind - 3
  }

  /** What is in a record of the target's; null where Mallory's keys do not open it. */
  #open(whole: Buffer): Opened | null {
    const type = whole.readUInt8(0)
    if (type === 0xe3) return { kind: 5, content: whole.subarray(4) }
    if (type === 0xe4) this.sealed.push(whole)
    try {
      if (type === 0xe4) return this.puppet.open.inbound.open(whole)
      const taken = this.records[this.role === 'initiator' ? 'M3' : 'M4'] !== undefined
      return (taken ? this.puppet.handshake.inbound : this.#first('theirs')).open(whole)
    } catch {
      return null
    }
  }

  // --- saying ------------------------------------------------------------------------------------------

  write(...records: Buffer[]): void {
    const bytes = Buffer.concat(records)
    if (bytes.length > 0 && this.#socket.writable) this.#socket.write(bytes)
  }

  /** A record of a kind under the application's keys, padded to `bytes` where they are given. */
  seal(kind: number, content: Buffer = NONE, bytes?: number): Buffer {
    const record = this.puppet.open.outbound.seal(innerOf(kind, content, bytes))
    if (this.first.length === 0) this.first = record
    if (kind === 8) this.#questions.pings += 1
    if (kind === 6 && content[0] === 1) this.#questions.requests += 1
    return record
  }

  /** A record with a short text as its message. */
  message(words: string): Buffer {
    return this.seal(2, Buffer.concat([Buffer.of(0x91, 0xa0 + words.length), text(words)]))
  }

  /** A message in fragments of these lengths, the last of which is marked. */
  fragments(message: Buffer, length: number): Buffer[] {
    const records: Buffer[] = []
    for (let at = 0; at < message.length; at += length) {
      const last = at + length >= message.length
      records.push(this.seal(last ? 4 : 3, message.subarray(at, at + length)))
    }
    return records
  }

  close(received: number | bigint = this.heard.messages): Buffer {
    return this.seal(5, Buffer.concat([integer(1, 0), integer(8, received)]))
  }

  pong(received: number | bigint = this.heard.messages, first: Buffer = Buffer.alloc(8)): Buffer {
    return this.seal(9, Buffer.concat([first, integer(8, received)]))
  }

  ping(value: Buffer = Buffer.alloc(8, 0x70)): Buffer {
    return this.seal(8, value)
  }

  /** A ticket that Mallory remembers. */
  ticket({ lifetime = 3_600, value = randomBytes(32) }: { lifetime?: number; value?: Buffer } = {}): Buffer {
    const content = ticketContent(lifetime, randomBytes(16), value)
    this.#remember(content)
    return this.seal(7, content)
  }

  #remember(content: Buffer): Ticket {
    return this.memory.note(content, this.puppet.application?.res ?? NONE)
  }

  /** The last record under Mallory's key, which is `next` from then on: 1 asks the target for the same, 0 answers. */
  update(request = 1, next: (old: Direction) => Direction = old => old.next()): Buffer {
    const record = this.seal(6, Buffer.of(request))
    this.changeKey(next)
    return record
  }

  /** Another key, without a word. */
  changeKey(next: (old: Direction) => Direction): void {
    const { open } = this.puppet
    open.outbound = next(open.outbound)
  }

  /** A record under the handshake's keys that stands in the place of Mallory's flight, padded as one if told so. */
  insteadOfFlight(kind: number, content: Buffer, bytes?: number): Buffer {
    return this.#first('ours').seal(innerOf(kind, content, bytes))
  }

  /** An alert in clear. */
  plainAlert(...content: number[]): Buffer {
    return record(0xe3, Buffer.from(content))
  }

  /** Waits for so many messages to come back, and ends as the first closer has to. */
  async goodbye(messages: number): Promise<void> {
    await this.hears(heard => heard.messages >= messages)
    this.write(this.close())
    await this.hears(heard => heard.closes.length > 0)
    this.write(this.pong())
    this.end()
  }

  /** Reads nothing while it says this, and for so many ms once the transport has taken it. */
  async turnsAway(records: readonly Buffer[], ms: number): Promise<void> {
    this.#socket.pause()
    this.write(...records)
    while (this.#socket.writable && this.#socket.writableLength > 0) await after(20)
    await after(ms)
    this.#socket.resume()
  }

  /** An orderly end of the transport. */
  end(): void {
    if (this.#socket.writable) this.#socket.end()
  }

  /** A violent one. */
  reset(): void {
    this.#socket.resetAndDestroy()
  }
}

/** What may not come behind a close: all but an alert, a pong and the answer to a request for new keys. */
const isOfOpen = (kind: number, content: Buffer): boolean =>
  kind === 5 ? content[0] === 0 : kind === 6 ? content[0] === 1 : kind !== 9

/** Of a flight's length, or longer: no alert is padded to that. */
const isFlight = (whole: Buffer): boolean => whole.readUInt8(0) === 0xe5 && whole.length > 2_048

/** How many elements a MessagePack array's header announces. */
function elements(content: Buffer): number {
  const first = content.readUInt8(0)
  if (first === 0xdc) return content.readUInt16BE(1)
  return first === 0xdd ? content.readUInt32BE(1) : first & 0x0f
}
