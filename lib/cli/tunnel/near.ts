// The near end of a tunnel: takes connections of programs on this side, and makes one of stalk's to the far end for each.
// Knows where the far end is and how to ask it; what is carried, the traffic knows.

import net from 'node:net'
import { type Address, type Connection, type ConnectOptions, connect, SessionCache } from '../../index.ts'
import { Turns } from './places.ts'
import { reset, SOCKET_OPTIONS } from './socket.ts'
import type { Traffic, Trip } from './traffic.ts'
import { OPENING, refusalIn } from './wire.ts'

/** Handshakes under way at once: a far end lets 64 from one address. */
const MAX_HANDSHAKES = 8

export interface NearReporter {
  /** A program that was turned away: there is no place for it. */
  turnedAway(from: string): void
  /** The far end could not be reached, or is not whom we want. */
  failed(trip: Trip, error: unknown): void
}

export class Near {
  readonly server: net.Server
  readonly #traffic: Traffic
  readonly #far: Address & ConnectOptions
  readonly #reporter: NearReporter
  readonly #turns = new Turns(MAX_HANDSHAKES)

  constructor(traffic: Traffic, far: Address & ConnectOptions, reporter: NearReporter) {
    this.#traffic = traffic
    this.#far = { ...far, sessions: new SessionCache() }
    this.#reporter = reporter
    this.server = net.createServer(SOCKET_OPTIONS, socket => this.#onSocket(socket))
  }

  /** Whether the far end is there and accepts us; rejects with why not. */
  async check(): Promise<Connection> {
    const connection = await this.#turns.run(() => connect(this.#far))
    connection.on('error', () => {})
    connection.resume().end()
    return connection
  }

  #onSocket(socket: net.Socket): void {
    const ignored = (): void => {} // whoever carries it listens too; before, its end is found when it is read
    socket.on('error', ignored)
    const { remoteAddress, remotePort } = socket
    const from = remoteAddress === undefined ? 'a local program' : `${remoteAddress}:${remotePort}`
    const travel = this.#traffic.admit(from, remoteAddress)
    if (travel) return travel(trip => this.#travel(trip, socket))
    reset(socket)
    this.#reporter.turnedAway(from)
  }

  async #travel(trip: Trip, socket: net.Socket): Promise<void> {
    this.#traffic.hold(socket)
    let connection: Connection
    try {
      connection = await this.#turns.run(() => connect(this.#far))
    } catch (error) {
      reset(socket)
      return this.#reporter.failed(trip, error)
    }
    connection.write(OPENING)
    await this.#traffic.carry(trip, socket, connection, refusalIn)
  }
}
