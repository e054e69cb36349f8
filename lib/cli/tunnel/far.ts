// The far end of a tunnel: takes connections of stalk's from near ends, and calls the target for each. Knows the target
// and how long it may take; who may come in, the listener was told.

import type net from 'node:net'
import type { Address, Connection, Listener } from '../../index.ts'
import { type DialFailure, dial } from './dial.ts'
import type { Traffic, Trip } from './traffic.ts'
import { isOpening, notOurs, type Refusal, refusal } from './wire.ts'

/** How long a near end may take to say what it wants, and to read why it does not get it, in ms. */
const OPENING_MS = 10_000
const REFUSAL_MS = 5_000

export interface FarReporter {
  /** Somebody only wanted to know whether we are there. */
  checked(connection: Connection): void
  /** A connection that can't be carried, and what the near end is told. */
  refused(from: string, why: Refusal, error?: Error): void
}

export interface Target {
  readonly address: Address
  readonly timeoutMs: number
}

export class Far {
  readonly #traffic: Traffic
  readonly #target: Target
  readonly #reporter: FarReporter
  #ending = false

  constructor(listening: Listener, traffic: Traffic, target: Target, reporter: FarReporter) {
    this.#traffic = traffic
    this.#target = target
    this.#reporter = reporter
    listening.on('connection', (connection: Connection) => void this.#onConnection(connection))
  }

  /** From now on nothing is carried but what is under way. */
  end(): void {
    this.#ending = true
  }

  async #onConnection(connection: Connection): Promise<void> {
    connection.on('error', () => {}) // whoever carries it is told
    const first = await firstOf(connection)
    if (connection.destroyed) return
    if (first === null) return this.#onCheck(connection)
    if (!isOpening(first)) return void connection.destroy(notOurs())
    const from = connection.host === undefined ? 'a local program' : `${connection.host}:${connection.port}`
    const travel = this.#ending ? null : this.#traffic.admit(from, connection.host)
    if (travel) return travel(trip => this.#travel(trip, connection))
    this.#refuse(from, connection, this.#ending ? 'ending' : 'full')
  }

  #onCheck(connection: Connection): void {
    this.#reporter.checked(connection)
    connection.end()
  }

  async #travel(trip: Trip, connection: Connection): Promise<void> {
    let socket: net.Socket
    try {
      socket = await dial(this.#target.address, this.#target.timeoutMs)
    } catch (error) {
      const { why } = error as DialFailure
      this.#refuse(trip.from, connection, why, error as DialFailure)
      return void (await connection.outcome)
    }
    this.#traffic.hold(socket)
    await this.#traffic.carry(trip, socket, connection, notOurs)
  }

  /** The near end is told why, and hangs up. */
  #refuse(from: string, connection: Connection, why: Refusal, error?: Error): void {
    this.#reporter.refused(from, why, error)
    const timer = setTimeout(() => connection.destroy(), REFUSAL_MS)
    connection.once('close', () => clearTimeout(timer))
    connection.resume()
    if (connection.writable) connection.end(refusal(why))
  }
}

/** The first message, or null if the peer says goodbye without any. A connection that says nothing is destroyed. */
function firstOf(connection: Connection): Promise<unknown> {
  return new Promise(resolve => {
    const timer = setTimeout(() => connection.destroy(), OPENING_MS)
    const look = (): void => {
      const message = connection.read()
      if (message === null && !connection.readableEnded && !connection.destroyed) return
      clearTimeout(timer)
      connection.off('readable', look).off('end', look).off('close', look)
      resolve(message)
    }
    connection.on('readable', look).on('end', look).on('close', look)
  })
}
