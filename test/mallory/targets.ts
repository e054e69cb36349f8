// Whom Mallory meets: somebody behind a command, or our own implementation (own-target.ts). Knows how a
// command is started and found; knows nothing of stalk.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import type { Role, Settings } from './fault.ts'
import type { Ended } from './judge.ts'

/** A target that is there, and the transport to it. */
export interface Meeting {
  readonly socket: net.Socket
  /** How the target ended, where that can be known otherwise than by the wire. */
  ended(): Promise<Ended | null>
  /** The next connection with the same target, once this one has ended. */
  next(): Promise<Meeting>
  stop(): void
}

export interface Target {
  readonly name: string
  /** Whether it can be set up otherwise than by default, in this respect. */
  takes(setting: keyof Settings): boolean
  /** What it is known to do otherwise than expected, by the fault's name. */
  readonly known?: Readonly<Record<string, string>>
  /** Starts the target in this role. */
  meet(role: Role, settings: Settings): Promise<Meeting>
}

const HOST = '127.0.0.1'
const START_MS = 10_000

/**
 * A command, started anew for each meeting. A responder listens there, an initiator connects. Replaced in it
 * are `{role}`, `{verb}` (listen or connect), `{host}`, `{port}` and `{settings}`, which is JSON: a command
 * that does not take it meets only those faults that need none.
 */
export const commandTarget = (command: string): Target => ({
  name: command,
  takes: () => command.includes('{settings}'),
  async meet(role, settings) {
    const server = net.createServer({ allowHalfOpen: true }).listen(0, HOST)
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const verb = role === 'initiator' ? 'connect' : 'listen'
    const values = { role, verb, host: HOST, port, settings: JSON.stringify(settings) }
    const run = (): ChildProcess => start(command, values)
    if (role === 'initiator') {
      const waiting = new Waiting(server)
      return meetingOf(run(), child => waiting.next(child))
    }
    server.close()
    await once(server, 'close')
    return meetingOf(run(), child => reached(port, child))
  }
})

function start(command: string, values: Record<string, unknown>): ChildProcess {
  const words = command
    .split(' ')
    .map(word => word.replaceAll(/\{(\w+)\}/g, (_, name) => String(values[name])))
  const [file = '', ...args] = words
  return spawn(file, args, { stdio: ['ignore', 'ignore', 'inherit'] })
}

/** `transport` makes one more to the same process. */
async function meetingOf(
  child: ChildProcess,
  transport: (child: ChildProcess) => Promise<net.Socket>
): Promise<Meeting> {
  const socket = await transport(child)
  return {
    socket,
    ended: async () => null,
    next: () => meetingOf(child, transport),
    stop: () => child.kill()
  }
}

/** The connections to a server, one by one, also those that come before they are waited for. */
class Waiting {
  readonly #server: net.Server
  readonly #sockets: net.Socket[] = []

  constructor(server: net.Server) {
    this.#server = server.unref().on('connection', socket => this.#sockets.push(socket))
  }

  /** The next one, from this process. */
  async next(child: ChildProcess): Promise<net.Socket> {
    const ended = new AbortController()
    child.once('error', error => ended.abort(error)).once('exit', () => this.#server.close())
    const signal = AbortSignal.any([ended.signal, AbortSignal.timeout(START_MS)])
    if (this.#sockets.length === 0) await once(this.#server, 'connection', { signal })
    return this.#sockets.shift() as net.Socket
  }
}

/** Tries until the command listens. */
async function reached(port: number, child: ChildProcess): Promise<net.Socket> {
  let failed: Error | null = null
  child.once('error', error => {
    failed = error
  })
  for (const deadline = Date.now() + START_MS; Date.now() < deadline && !failed; ) {
    const socket = await dial({ host: HOST, port })
    if (socket) return socket
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  child.kill()
  throw failed ?? new Error('the command did not listen')
}

/** A connected socket, or null where nobody listens. */
export function dial(address: { host: string; port: number }): Promise<net.Socket | null> {
  return new Promise(resolve => {
    const socket = net.connect({ ...address, noDelay: true, allowHalfOpen: true })
    socket.once('connect', () => resolve(socket))
    socket.once('error', () => resolve(null))
  })
}
