// Two duplexes joined back to back, in memory, over TCP, or over a Unix socket, and two connections over them.
// Knows how to wait for things with a limit, so that a hang is a failure that says what hung.

import { once } from 'node:events'
import { rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as stream from 'node:stream'
import { Duplex } from 'node:stream'
import { type Connection, Identity, type StalkOptions, stalk } from '../../lib/index.ts'
import type { Fault } from '../../lib/testing/index.ts'
import { meddledPair } from './adversary.ts'

type Done = (error?: Error | null) => void
type Pair = [Duplex, Duplex]

/** What `stream.duplexPair` is made of, for versions of Node that have none. */
class Side extends Duplex {
  other: Side | null = null
  #taken: Done | null = null

  override _read(): void {
    const done = this.#taken
    this.#taken = null
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (chunk.length === 0 || !this.other) return process.nextTick(done)
    this.other.push(chunk)
    this.other.#taken = done
  }

  override _final(done: Done): void {
    this.other?.on('end', done)
    this.other?.push(null)
  }
}

export function ownPair(): Pair {
  const [a, b] = [new Side(), new Side()]
  a.other = b
  b.other = a
  return [a, b]
}

/** Two duplexes of bytes joined in memory. */
export const pair: () => Pair = (stream as { duplexPair?: () => Pair }).duplexPair ?? ownPair

/** A socket that connected and the one that was accepted for it. */
async function socketPair(address: net.ListenOptions): Promise<Pair> {
  const server = net.createServer({ allowHalfOpen: true }).listen(address)
  await once(server, 'listening')
  const bound = server.address() as net.AddressInfo | string
  const there = typeof bound === 'string' ? { path: bound } : { host: bound.address, port: bound.port }
  const socket = net.connect({ ...there, allowHalfOpen: true })
  const [[accepted]] = await Promise.all([once(server, 'connection'), once(socket, 'connect')])
  server.close()
  return [socket, accepted as net.Socket]
}

export const tcpPair = (): Promise<Pair> => socketPair({ host: '127.0.0.1', port: 0 })

let paths = 0

/** A path for a Unix socket that nobody else has. */
export const freshPath = (): string => join(tmpdir(), `stalk-test-${process.pid}-${paths++}.sock`)

export async function unixPair(): Promise<Pair> {
  const path = freshPath()
  const joined = await socketPair({ path })
  rmSync(path, { force: true })
  return joined
}

export const transports: Record<string, () => Pair | Promise<Pair>> = {
  'two duplexes in memory': pair,
  'two duplexes of our own': ownPair,
  TCP: tcpPair,
  'a Unix socket': unixPair
}

export const alice = await Identity.generate({ type: 'ed25519' })
export const bob = await Identity.generate({ type: 'ed25519' })

export interface Ends {
  readonly initiator: Connection
  readonly responder: Connection
}

export interface EndsOptions {
  readonly initiator?: StalkOptions
  readonly responder?: StalkOptions
}

/** One end: alice as the initiator, who wants bob, or the other way round, unless the options say otherwise. */
export function end(role: 'initiator' | 'responder', duplex: Duplex, options: StalkOptions = {}): Connection {
  const [identity, peer] = role === 'initiator' ? [alice, bob] : [bob, alice]
  const connection = stalk(duplex, { role, identity, peer, ...options })
  connection.on('error', () => {}) // it is in `errored`
  return connection
}

/** Both ends. */
export const ends = ([calling, called]: Pair, options: EndsOptions = {}): Ends => ({
  initiator: end('initiator', calling, options.initiator),
  responder: end('responder', called, options.responder)
})

/** The same over a pair in memory that ends as sockets do, once both are secure. */
export async function open(options: EndsOptions = {}, joined: Pair = meddledPair()): Promise<Ends> {
  const both = ends(joined, options)
  await within(Promise.all([both.initiator.ready, both.responder.ready]), 'the handshake')
  return both
}

/** Both ends over a pair in memory; the responder's mind is its `authorize`, and no pin. */
export const two = ({ there, ...options }: EndsOptions & { there?: Fault } = {}): Ends =>
  ends(meddledPair(there), {
    ...options,
    responder: {
      peer: 'anyone',
      authorize: peer => peer?.equals(alice) === true,
      ...options.responder
    }
  })

/** All messages from now on. */
export function collect(connection: Connection): unknown[] {
  const messages: unknown[] = []
  connection.on('data', message => messages.push(message))
  return messages
}

/** Notes the names of events as they come. */
export function note(connection: Connection, names: readonly string[]): string[] {
  const noted: string[] = []
  for (const name of names) connection.on(name, () => noted.push(name))
  connection.outcome.then(() => noted.push('closed'))
  return noted
}

/** The promise, or an error that names what did not come in time. */
export async function within<T>(promise: Promise<T>, what: string, ms = 10_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms} ms`)), ms)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

/** How both ends ended. */
export const bothClosed = ({ initiator, responder }: Ends): Promise<[Outcome, Outcome]> =>
  within(Promise.all([initiator.outcome, responder.outcome]), 'closed')

type Outcome = Awaited<Connection['outcome']>

/** Waits until something is so. */
export async function until(isSo: () => boolean, what: string, ms = 10_000): Promise<void> {
  const deadline = Date.now() + ms
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** Some turns of the event loop: enough for what needs no time to have happened. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise(resolve => setImmediate(resolve))
}
