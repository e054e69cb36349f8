// Runs one measurement: starts the processes, lets them warm up, lets them run, and compares what both ends
// say. Knows how a worker is asked; knows no subject.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { PayloadName } from './payloads.ts'
import type { BothCredentials } from './subject.ts'
import type { SubjectName } from './subjects/index.ts'
import type { Opening, Reply, Request, Role } from './worker.ts'

export interface Work {
  readonly subject: SubjectName
  readonly payload: PayloadName
  readonly credentials: BothCredentials
  readonly warmUp: number
  readonly messages: number
  /** The folder for CPU profiles, a file a role; null for none. */
  readonly profiles: string | null
}

/** Of one run, in µs a message. */
export interface Sample {
  readonly wall: number
  readonly senderCpu: number
  readonly receiverCpu: number
}

const WORKER = new URL('./worker.ts', import.meta.url)

class Worker {
  readonly #process: ChildProcess
  readonly #name: string

  constructor(name: string) {
    this.#name = name
    this.#process = fork(WORKER, { execArgv: ['--import=tsx'] })
  }

  async ask(request: Request): Promise<Reply> {
    const answer = new AbortController()
    const { signal } = answer
    const silence = setTimeout(() => answer.abort(), MAX_SILENCE_MS)
    try {
      this.#process.send(request)
      const reply = once(this.#process, 'message', { signal })
      const exit = once(this.#process, 'exit', { signal })
      const [first] = await Promise.race([
        reply,
        exit.then(([code]) => this.#failed(`has exited with ${code}`))
      ])
      return first as Reply
    } catch (error) {
      throw signal.aborted ? new Error(`the ${this.#name} is silent`, { cause: request }) : error
    } finally {
      clearTimeout(silence)
      answer.abort()
    }
  }

  #failed(what: string): never {
    throw new Error(`the ${this.#name} ${what}`)
  }

  /** Fulfilled when the process has ended, by itself if it can. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const exited = once(this.#process, 'exit')
    const hanging = setTimeout(() => this.#process.kill('SIGKILL'), MAX_GOODBYE_MS)
    if (this.#process.connected) this.#process.disconnect()
    await exited
    clearTimeout(hanging)
  }
}

/** A worker that has not answered for so long never will, in ms. */
const MAX_SILENCE_MS = 120_000

const MAX_GOODBYE_MS = 5_000

async function withWorkers<Out>(
  { subject }: Work,
  roles: readonly Role[],
  use: (workers: Worker[]) => Promise<Out>
): Promise<Out> {
  const workers = roles.map(role => new Worker(`${role} of ${subject}`))
  try {
    return await use(workers)
  } finally {
    await Promise.all(workers.map(worker => worker.end()))
  }
}

const opening = (work: Work, role: Role, port = 0): { open: Opening } => ({
  open: {
    role,
    subject: work.subject,
    payload: work.payload,
    own: role === 'connector' ? work.credentials.connector : work.credentials.listener,
    port,
    profile: work.profiles && join(work.profiles, `${work.payload}-${work.subject}-${role}.cpuprofile`)
  }
})

/** From a sender to a receiver, two processes over loopback. */
export function overLoopback(work: Work): Promise<Sample> {
  return withWorkers(work, ['listener', 'connector'], async ([listener, connector]) => {
    if (!listener || !connector) throw new Error('a worker is missing')
    const { port } = await listener.ask(opening(work, 'listener'))
    await connector.ask(opening(work, 'connector', port))
    await carry(listener, connector, work.warmUp)
    const sample = await carry(listener, connector, work.messages)
    const [, { total }] = await Promise.all([connector.ask({ finish: true }), listener.ask({ finish: true })])
    if (total !== work.warmUp + work.messages) throw new Error(`${total} messages have arrived`)
    return sample
  })
}

async function carry(listener: Worker, connector: Worker, messages: number): Promise<Sample> {
  await listener.ask({ expect: messages })
  const sent = await connector.ask({ run: messages })
  const received = await listener.ask({ usage: true })
  const { cpu } = await connector.ask({ usage: true })
  return {
    wall: (given(received.at) - given(sent.at)) / 1_000 / messages,
    senderCpu: given(cpu) / messages,
    receiverCpu: given(received.cpu) / messages
  }
}

/** Encoding and decoding in one process. Its CPU time is of both. */
export function alone(work: Work): Promise<Sample> {
  return withWorkers(work, ['alone'], async ([worker]) => {
    if (!worker) throw new Error('a worker is missing')
    await worker.ask(opening(work, 'alone'))
    await worker.ask({ run: work.warmUp })
    const { at, cpu } = await worker.ask({ run: work.messages })
    await worker.ask({ finish: true })
    return {
      wall: given(at) / 1_000 / work.messages,
      senderCpu: given(cpu) / work.messages,
      receiverCpu: 0
    }
  })
}

function given(value: number | undefined): number {
  if (value === undefined) throw new Error('a worker has left out a figure')
  return value
}
