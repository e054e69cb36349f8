// A process that measures, asked over IPC, one request at a time. Knows how to start it, how to hear that it failed
// or hangs, and how to end it; knows nothing of what it does.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Opening, Reply, Request, Role, TaskName } from './tasks/task.ts'

const WORKER = new URL('./worker.ts', import.meta.url)

/** Memory is measured without garbage, and with a small young generation, whose own growth would be most of it. */
const FLAGS: Partial<Record<TaskName, readonly string[]>> = {
  idle: ['--expose-gc', '--max-semi-space-size=1']
}

/** A worker that has not answered for so long never will, in ms. */
const MAX_SILENCE_MS = 30_000

/** Thrown for one that has not answered. */
export class Silent extends Error {}

const MAX_GOODBYE_MS = 5_000

export class Worker {
  readonly #process: ChildProcess
  readonly #name: string

  constructor({ task, subject, role }: Opening) {
    this.#name = `${role} of ${subject}, ${task},`
    this.#process = fork(WORKER, { execArgv: [...(FLAGS[task] ?? []), '--import=tsx'] })
  }

  /** Starts one and says what it is to do. */
  static async open(opening: Opening): Promise<[Worker, Reply]> {
    const worker = new Worker(opening)
    try {
      return [worker, await worker.ask({ open: opening })]
    } catch (error) {
      await worker.end()
      throw error
    }
  }

  async ask(request: Request): Promise<Reply> {
    if (this.#over) this.#failed(`has ended with ${this.#process.exitCode}`)
    const answer = new AbortController()
    const { signal } = answer
    const silence = setTimeout(() => answer.abort(), MAX_SILENCE_MS)
    try {
      this.#process.send(request)
      const reply = once(this.#process, 'message', { signal })
      const exit = once(this.#process, 'exit', { signal })
      const [first] = await Promise.race([
        reply,
        exit.then(([code]) => this.#failed(`has ended with ${code}`))
      ])
      return first as Reply
    } catch (error) {
      throw signal.aborted ? new Silent(`the ${this.#name} is silent`, { cause: request }) : error
    } finally {
      clearTimeout(silence)
      answer.abort()
    }
  }

  get #over(): boolean {
    return this.#process.exitCode !== null || this.#process.signalCode !== null
  }

  #failed(what: string): never {
    throw new Error(`the ${this.#name} ${what}`)
  }

  /** Fulfilled when the process has ended, by itself if it can. */
  async end(): Promise<void> {
    if (this.#over) return
    const exited = once(this.#process, 'exit')
    const hanging = setTimeout(() => this.#process.kill('SIGKILL'), MAX_GOODBYE_MS)
    if (this.#process.connected) this.#process.disconnect()
    await exited
    clearTimeout(hanging)
  }
}

/** Both ends' processes. */
export class Pair {
  readonly listener: Worker
  readonly connector: Worker

  private constructor(listener: Worker, connector: Worker) {
    this.listener = listener
    this.connector = connector
  }

  /** The listener is there before the connector starts. */
  static async open(openingOf: (role: Role, port: number) => Opening): Promise<Pair> {
    const [listener, { port }] = await Worker.open(openingOf('listener', 0))
    try {
      const [connector] = await Worker.open(openingOf('connector', given(port)))
      return new Pair(listener, connector)
    } catch (error) {
      await listener.end()
      throw error
    }
  }

  /** Both have no more to do, and write down their profiles; what the listener says of it. */
  async finish(): Promise<Reply> {
    const [, reply] = await Promise.all([
      this.connector.ask({ finish: true }),
      this.listener.ask({ finish: true })
    ])
    return reply
  }

  async end(): Promise<void> {
    await Promise.all([this.listener.end(), this.connector.end()])
  }
}

/** A figure that the other process must have given. */
export function given(value: number | undefined): number {
  if (value === undefined) throw new Error('a worker has left out a figure')
  return value
}
