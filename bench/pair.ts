// Runs one measurement: starts the processes, lets them warm up, lets them run, and compares what both ends
// say. Knows how a worker is asked; knows no subject.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
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
  /** Where CPU profiles go, a folder a role; null for none. */
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

  constructor(name: string, profiles: string | null) {
    this.#name = name
    this.#process = fork(WORKER, { execArgv: ['--import=tsx', ...profiling(profiles)] })
  }

  async ask(request: Request): Promise<Reply> {
    const answered = once(this.#process, 'message')
    const exited = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`the ${this.#name} has exited with ${code}`)
    })
    exited.catch(() => {})
    this.#process.send(request)
    const [reply] = (await Promise.race([answered, exited])) as [Reply]
    return reply
  }

  /** Fulfilled when the process has ended, by itself, so that a profile is complete. */
  async end(): Promise<void> {
    if (this.#process.exitCode !== null) return
    const exited = once(this.#process, 'exit')
    if (this.#process.connected) this.#process.disconnect()
    await exited
  }
}

function profiling(folder: string | null): string[] {
  if (folder === null) return []
  mkdirSync(folder, { recursive: true })
  return ['--cpu-prof', `--cpu-prof-dir=${folder}`]
}

async function withWorkers<Out>(
  { subject, payload, profiles }: Work,
  roles: readonly Role[],
  use: (workers: Worker[]) => Promise<Out>
): Promise<Out> {
  const folder = (role: Role): string | null => profiles && join(profiles, `${payload}-${subject}-${role}`)
  const workers = roles.map(role => new Worker(`${role} of ${subject}`, folder(role)))
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
    port
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
