// What goes over the connections of a command, added up: those that are open and those that were. Knows connections and their
// counters; shows nothing.

import type { Connection } from '../index.ts'

export interface Reading {
  readonly open: number
  /** Both ways, since the beginning, as are the bytes. */
  readonly messages: number
  readonly inbound: number
  readonly outbound: number
  /** Of the connection that was opened last; null if it is not known. In ms. */
  readonly roundTrip: number | null
  /** How often the keys of that connection were changed; null if there is none. */
  readonly epoch: number | null
}

/** How long an answer to a ping may take, in ms. */
const PING_MS = 10_000

export class Flow {
  readonly #open = new Set<Connection>()
  #messages = 0
  #inbound = 0
  #outbound = 0
  #pinging = false

  add(connection: Connection): void {
    this.#open.add(connection)
    connection.once('close', () => {
      this.#open.delete(connection)
      const { inbound, outbound } = connection.counters
      this.#messages += inbound.messages + outbound.messages
      this.#inbound += inbound.bytes
      this.#outbound += outbound.bytes
    })
  }

  /** Measures the round trip anew, if there is anybody to answer and nothing is being measured. */
  measure(): void {
    const newest = this.#newest()
    if (this.#pinging || !newest?.writable) return
    this.#pinging = true
    const done = (): void => {
      this.#pinging = false
    }
    newest.rtt({ timeout: PING_MS }).then(done, done)
  }

  read(): Reading {
    const sum = { messages: this.#messages, inbound: this.#inbound, outbound: this.#outbound }
    for (const { counters } of this.#open) {
      sum.messages += counters.inbound.messages + counters.outbound.messages
      sum.inbound += counters.inbound.bytes
      sum.outbound += counters.outbound.bytes
    }
    const newest = this.#newest()?.counters
    const epoch = newest ? Math.max(newest.inbound.epoch, newest.outbound.epoch) : null
    return { open: this.#open.size, ...sum, roundTrip: newest?.roundTrip ?? null, epoch }
  }

  #newest(): Connection | undefined {
    return [...this.#open].at(-1)
  }
}
