// What processes of a measurement say to each other, and what a task is: one end's part in it. One file per task
// beside this. Knows no subject.

import type { PayloadName } from '../payloads.ts'
import type { Credentials } from '../subject.ts'

export type Role = 'listener' | 'connector' | 'alone'

export type TaskName = 'carry' | 'echo' | 'greet' | 'idle' | 'codec' | 'local' | 'step'

/** What a process is to do. */
export interface Opening {
  readonly task: TaskName
  readonly role: Role
  readonly subject: string
  readonly payload: PayloadName
  readonly own: Credentials
  readonly port: number
  readonly connections: number
  /** The file for a CPU profile, from here to the end; null for none. */
  readonly profile: string | null
}

/**
 * `expect`: be ready for so many messages; only when the receiver has answered may the sender begin. `run`: do so many.
 * `usage`: what it took; a receiver answers when it has all. `finish`: say goodbye, or wait for the other's.
 */
export type Request =
  | { readonly open: Opening }
  | { readonly expect: number }
  | { readonly run: number }
  | { readonly usage: true }
  | { readonly finish: true }

export interface Reply {
  /** Where the listener listens. */
  readonly port?: number
  /** When it began, or had all, on the clock that all processes share, in ns; for who is alone, how long it took. */
  readonly at?: number
  /** CPU time of this process since the run began, in µs. */
  readonly cpu?: number
  /** Messages received, in all. */
  readonly total?: number
  /** What this process keeps in memory, in bytes. */
  readonly memory?: number
  /** How long each run took, in µs. */
  readonly times?: readonly number[]
}

/** Answers what it is asked. */
export type End = (request: Request) => Promise<Reply>

export type Task = (opening: Opening) => Promise<readonly [End, Reply]>

export const now = (): number => Number(process.hrtime.bigint())

/** CPU time since the last `start`, of all threads, in µs. */
export class Meter {
  #from = process.cpuUsage()

  start(): void {
    this.#from = process.cpuUsage()
  }

  read(): number {
    const { user, system } = process.cpuUsage(this.#from)
    return user + system
  }
}

/** Whatever goes wrong ends the process. */
export function fail(text: string): never {
  console.error(`\nbench: ${text}`)
  process.exit(1)
}
