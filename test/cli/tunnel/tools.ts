// For tests of the tunnel: both ends as processes, programs that use it, and services behind it. A program here tells an
// end from a reset as the tunnel has to, whatever comes right before it.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { readSoon, SOCKET_OPTIONS } from '../../../lib/cli/tunnel/socket.ts'
import type { Identity } from '../../../lib/index.ts'
import { Stalk } from '../tools.ts'

export interface Keys {
  readonly near: { home: string; identity: Identity }
  readonly far: { home: string; identity: Identity }
}

/** One side of a TCP or Unix socket. */
export class Program {
  readonly socket: net.Socket
  /** Fulfilled with how it ended for this side: `end`, or the code of the error. */
  readonly fate: Promise<string>
  #chunks: Buffer[] = []
  #count = 0
  #reading = true
  readonly #ask: () => void

  constructor(socket: net.Socket) {
    this.socket = socket
    this.fate = new Promise(resolve => {
      socket.on('end', () => resolve('end'))
      socket.on('error', error => resolve(String((error as NodeJS.ErrnoException).code)))
      socket.on('close', () => resolve('close'))
    })
    this.#ask = readSoon(socket, () => this.#read())
  }

  /** Reads nothing until it is called again with true. */
  reading(on: boolean): void {
    this.#reading = on
    if (on) this.#ask()
  }

  get bytes(): Buffer {
    const all = Buffer.concat(this.#chunks)
    this.#chunks = [all]
    return all
  }

  get text(): string {
    return this.bytes.toString()
  }

  /** Fulfilled when so many bytes have come. */
  async has(count: number): Promise<void> {
    while (this.#count < count) await new Promise(resolve => setTimeout(resolve, 5))
  }

  #read(): void {
    for (;;) {
      const chunk = this.#reading ? (this.socket.read() as Buffer | null) : null
      if (chunk === null) return
      this.#chunks.push(chunk)
      this.#count += chunk.length
    }
  }
}

export type Place = number | string

export const placeOf = (place: Place): string => String(place)

/**
 * A program that connects. One that is let in and reset at once may hear of both together, as an error of its
 * connecting: it was reset all the same, as its `fate` says.
 */
export async function dial(place: Place): Promise<Program> {
  const at = typeof place === 'number' ? { port: place, host: '127.0.0.1' } : { path: place }
  const socket = net.connect({ ...at, ...SOCKET_OPTIONS } as net.NetConnectOpts)
  const program = new Program(socket)
  await once(socket, 'connect').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ECONNRESET') throw error
  })
  return program
}

export interface Service {
  readonly place: Place
  /** The next connection that comes to it. */
  next(): Promise<Program>
}

/** A service that does nothing by itself. */
export async function serve(t: Test, path?: string): Promise<Service> {
  const came: Program[] = []
  const waiting: ((program: Program) => void)[] = []
  const sockets = new Set<net.Socket>()
  const server = net.createServer(SOCKET_OPTIONS, socket => {
    sockets.add(socket)
    const program = new Program(socket)
    const take = waiting.shift()
    if (take) take(program)
    else came.push(program)
  })
  server.listen(path ? { path } : { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    place: path ?? (server.address() as AddressInfo).port,
    next: async () => came.shift() ?? new Promise(resolve => waiting.push(resolve))
  }
}

export interface Tunnel {
  readonly near: Stalk
  readonly far: Stalk
  /** Where programs connect to. */
  readonly place: Place
  readonly farPlace: Place
}

export interface TunnelOptions {
  readonly near?: readonly string[]
  readonly far?: readonly string[]
  /** Paths of Unix sockets, instead of free ports. */
  readonly nearPath?: string
  readonly farPath?: string
}

/** Both ends, ready. They are killed with the test. */
export async function startTunnel(
  t: Test,
  keys: Keys,
  target: Place,
  options: TunnelOptions = {}
): Promise<Tunnel> {
  const far = startFar(t, keys, target, options.farPath ?? '0', options.far)
  const farPlace = options.farPath ?? (await portOf(far))
  if (options.farPath) await far.says(/tunnel from/)
  const near = startNear(t, keys, farPlace, options.nearPath ?? '0', options.near)
  const place = options.nearPath ?? (await portOf(near))
  await near.says(/the far end is there/)
  await far.says(/has found us/)
  return { near, far, place, farPlace }
}

export function startFar(t: Test, keys: Keys, target: Place, at: Place, more: readonly string[] = []): Stalk {
  const authorize = more.includes('--authorize') ? [] : ['--authorize', keys.near.identity.fingerprint]
  const args = ['tunnel', '--serve', placeOf(at), '--target', placeOf(target), ...authorize, ...more]
  return killedWith(t, new Stalk(args, keys.far))
}

export function startNear(t: Test, keys: Keys, to: Place, at: Place, more: readonly string[] = []): Stalk {
  const peer = more.includes('--peer') ? [] : ['--peer', keys.far.identity.fingerprint]
  const args = ['tunnel', '--listen', placeOf(at), '--to', placeOf(to), ...peer, ...more]
  return killedWith(t, new Stalk(args, keys.near))
}

function killedWith(t: Test, stalk: Stalk): Stalk {
  t.teardown(async () => {
    stalk.child.kill('SIGKILL')
    await stalk.exit
  })
  return stalk
}

/** The port that an end of a tunnel listens on. */
export const portOf = async (end: Stalk): Promise<number> =>
  Number((await end.says(/tunnel from \S+:(\d+) to/))[1])
