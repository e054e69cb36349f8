// The Python implementation as a process that runs many connections: its jobs, and what they report.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

const here = import.meta.dirname
const { CI, STALK_PYTHON } = process.env
const interpreters = [STALK_PYTHON ?? 'python3', '/usr/bin/python3'] // the packages are for the system's own
const modules = 'import cryptography, msgpack'

/** The first interpreter that has the modules. */
export const python = interpreters.find(name => spawnSync(name, ['-c', modules]).status === 0)

/** Leaves a test file that needs Python: out of it where there is none, failing where the tests decide. */
export function requirePython(t: Pick<Test, 'plan'>): void {
  if (python) return
  if (CI) throw new Error('no python3 with the modules cryptography and msgpack')
  t.plan(0, 'needs python3 with the packages python3-cryptography and python3-msgpack')
  process.exit(0)
}

export function runPython(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync(python ?? '', ['-B', ...args], { cwd: here, encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

/** What a job reports; the other fields depend on the event. */
export interface Event {
  readonly event: string
  readonly job: number
  readonly port?: number
  readonly value?: unknown
  /** How it ended, or what it failed with, and the alert's code. */
  readonly kind?: string
  readonly code?: number | null
  /** Of a session. */
  readonly session?: string
  readonly exported?: string
  readonly resumed?: boolean
}

/** One listener or one connection of the process. Its events are taken in the order in which they come. */
export class Job {
  #events: Event[] = []
  #wake: () => void = () => {}

  push(event: Event): void {
    this.#events.push(event)
    this.#wake()
  }

  /** The next event, which has to be of that name. */
  async take(name: string): Promise<Event> {
    const event = await this.#next()
    if (event.event !== name) throw new Error(`wanted ${name}, got ${JSON.stringify(event)}`)
    return event
  }

  /** The last event, with a session or without; the others are passed over. */
  async end(): Promise<Event> {
    for (;;) {
      const event = await this.#next()
      if (event.event === 'end' || event.event === 'failed') return event
      if (event.event === 'error') throw new Error(JSON.stringify(event))
    }
  }

  async port(): Promise<number> {
    return (await this.take('listening')).port ?? 0
  }

  async #next(): Promise<Event> {
    while (this.#events.length === 0) await new Promise<void>(resolve => (this.#wake = resolve))
    return this.#events.shift() as Event
  }
}

export class Reference {
  #child: ChildProcess
  #jobs: Job[] = []

  constructor() {
    const env = { ...process.env, PYTHONWARNINGS: 'ignore' }
    const stdio = ['pipe', 'pipe', 'inherit'] as const
    this.#child = spawn(python ?? '', ['-B', '-m', 'stalk_reference', 'batch'], {
      cwd: here,
      env,
      stdio: [...stdio]
    })
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', line => {
      const event = JSON.parse(line) as Event
      this.#jobs[event.job]?.push(event)
    })
  }

  run(...args: (string | number)[]): Job {
    const job = new Job()
    this.#jobs.push(job)
    this.#child.stdin?.write(`${JSON.stringify(args.map(String))}\n`)
    return job
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit')
    this.#child.kill()
    await exited
  }
}
