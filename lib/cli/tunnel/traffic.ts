// All that one end of a tunnel carries: who may come in, what is under way, and how it ends with the process. Knows
// trips from the first byte to the last; what is said about them, its reporter knows.

import type net from 'node:net'
import type { Connection } from '../../index.ts'
import { Broken, type Bytes, Carrier } from './carrier.ts'
import { type PlaceLimits, Places } from './places.ts'
import { reset } from './socket.ts'

export interface TrafficLimits extends PlaceLimits {
  readonly idleMs: number | undefined
}

/** One connection of a program, from where it comes in to where it ends. */
export interface Trip {
  readonly number: number
  /** Where it comes from, in words. */
  readonly from: string
}

export interface Ended extends Bytes {
  readonly ms: number
  /** Null if each direction has come to its end. */
  readonly broken: Broken | null
}

export interface Reporter {
  opened(trip: Trip, connection: Connection): void
  ended(trip: Trip, ended: Ended): void
}

export class Traffic {
  readonly total: Bytes = { sent: 0, received: 0 }
  readonly #limits: TrafficLimits
  readonly #places: Places
  readonly #reporter: Reporter
  readonly #sockets = new Set<net.Socket>()
  readonly #carriers = new Set<Carrier>()
  #count = 0
  #emptied: () => void = () => {}

  constructor(limits: TrafficLimits, reporter: Reporter) {
    this.#limits = limits
    this.#places = new Places(limits)
    this.#reporter = reporter
    // The kernel would end what is open, and a program on this machine would take that for the end of all it was to get.
    process.once('exit', () => {
      for (const socket of this.#sockets) reset(socket)
    })
  }

  /** Trips under way. */
  get open(): number {
    return this.#places.taken
  }

  /** What talks for them just now. */
  get connections(): readonly Connection[] {
    return [...this.#carriers].map(({ connection }) => connection)
  }

  /** Fulfilled when there is no trip under way. */
  async empty(): Promise<void> {
    if (this.open > 0) await new Promise<void>(resolve => (this.#emptied = resolve))
  }

  /** Null if there is no place for it; otherwise `travel` makes of it whatever it becomes. */
  admit(from: string, address: string | undefined): ((travel: (trip: Trip) => Promise<void>) => void) | null {
    const leave = this.#places.take(address)
    if (leave === null) return null
    const trip = { number: ++this.#count, from }
    return travel => {
      void travel(trip).then(() => {
        leave()
        if (this.open === 0) this.#emptied()
      })
    }
  }

  /** It is reset with the process, if it is still open then. */
  hold(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.once('close', () => this.#sockets.delete(socket))
  }

  /** Fulfilled when it has ended. */
  async carry(
    trip: Trip,
    socket: net.Socket,
    connection: Connection,
    other: (message: unknown) => Broken
  ): Promise<void> {
    const begun = performance.now()
    const carrier = new Carrier(socket, connection, { total: this.total, idleMs: this.#limits.idleMs, other })
    this.#carriers.add(carrier)
    this.#reporter.opened(trip, connection)
    const broken = await carrier.ended
    this.#carriers.delete(carrier)
    this.#reporter.ended(trip, { ...carrier.bytes, ms: performance.now() - begun, broken })
  }

  /** Ends all that is under way, as a reset on both sides. */
  break(text: string): void {
    for (const carrier of this.#carriers) carrier.break(new Broken('us', text))
    for (const socket of this.#sockets) reset(socket)
  }
}
