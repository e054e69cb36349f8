// Runs one measurement of messages that are carried: starts the processes, lets them warm up, lets them run, and
// compares what both ends say. Knows how the tasks are asked; knows no subject.

import { join } from 'node:path'
import type { PayloadName } from './payloads.ts'
import { given, Pair, Worker } from './process.ts'
import type { Cost, MeasureOptions } from './question.ts'
import type { BothCredentials } from './subject.ts'
import { transportOf } from './subjects/index.ts'
import type { Opening, Role, TaskName } from './tasks/task.ts'

export interface Work {
  readonly task: TaskName
  readonly subject: string
  readonly payload: PayloadName
  readonly credentials: BothCredentials
  /** Messages in a portion of the warm-up. */
  readonly warmUp: number
  /** How long the warm-up lasts, at least. */
  readonly warmUpMs: number
  readonly messages: number
  readonly connections: number
  readonly profiles: string | null
}

/** What else there is to say of work in one process. */
export const locally = ({ profiles, scale }: MeasureOptions) => ({
  credentials: { listener: {}, connector: {} } satisfies BothCredentials,
  warmUpMs: WARM_UP_MS[scale],
  profiles
})

/** For a transport, which is given its credentials. */
export async function workOf(
  work: Omit<Work, 'credentials' | 'profiles' | 'warmUpMs'> & Partial<Work>,
  { profiles, scale }: MeasureOptions
): Promise<Work> {
  const transport = await transportOf(work.subject)
  const credentials = await transport.credentials()
  return { warmUpMs: WARM_UP_MS[scale], ...work, profiles, credentials }
}

/** Until the code of every subject is compiled: a protocol in JavaScript needs that, one in C++ does not care. */
export const WARM_UP_MS = { quick: 500, full: 2_000 } as const

/** One portion after the other for so long; how many it were. */
export async function warm(ms: number, portion: () => Promise<unknown>): Promise<number> {
  const until = performance.now() + ms
  let portions = 0
  do {
    await portion()
    portions += 1
  } while (performance.now() < until)
  return portions
}

export const openingOf = (work: Work, role: Role, port = 0): Opening => ({
  task: work.task,
  role,
  subject: work.subject,
  payload: work.payload,
  own: role === 'connector' ? work.credentials.connector : work.credentials.listener,
  port,
  connections: work.connections,
  profile:
    work.profiles && join(work.profiles, `${work.task}-${work.payload}-${work.subject}-${role}.cpuprofile`)
})

const open = (work: Work): Promise<Pair> => Pair.open((role, port) => openingOf(work, role, port))

/** Both ends' processes for one measurement. */
export async function pairFor<Out>(work: Work, use: (pair: Pair) => Promise<Out>): Promise<Out> {
  const pair = await open(work)
  try {
    return await use(pair)
  } finally {
    await pair.end()
  }
}

/**
 * Both ends' processes, kept for all rounds of a question whose code runs but once a measurement: it takes thousands
 * until that is compiled. What has failed is replaced when it is asked again.
 */
export class KeptPair {
  readonly #work: Work
  #pair: Pair | null = null

  constructor(work: Work) {
    this.#work = work
  }

  async use<Out>(measure: (pair: Pair) => Promise<Out>): Promise<Out> {
    try {
      return await measure(this.#pair ?? (await this.#warmed()))
    } catch (error) {
      await this.#pair?.end()
      this.#pair = null
      throw error
    }
  }

  async #warmed(): Promise<Pair> {
    const pair = await open(this.#work)
    this.#pair = pair // already now: it is to be ended should this fail
    await warm(this.#work.warmUpMs, () => pair.connector.ask({ run: this.#work.warmUp }))
    return pair
  }

  async close(): Promise<void> {
    await this.#pair?.finish()
    await this.#pair?.end()
  }
}

/** From a sender to a receiver, two processes over loopback. */
export function overLoopback(work: Work): Promise<Cost> {
  return pairFor(work, async pair => {
    const portions = await warm(work.warmUpMs, () => carry(pair, work.warmUp))
    const cost = await carry(pair, work.messages)
    const { total } = await pair.finish()
    if (total !== portions * work.warmUp + work.messages) throw new Error(`${total} messages have arrived`)
    return cost
  })
}

async function carry({ listener, connector }: Pair, messages: number): Promise<Cost> {
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

/** Both ends in one process, whose CPU time is of both. */
export async function alone(work: Work): Promise<Cost> {
  const [worker] = await Worker.open(openingOf(work, 'alone'))
  try {
    await warm(work.warmUpMs, () => worker.ask({ run: work.warmUp }))
    const { at, cpu } = await worker.ask({ run: work.messages })
    await worker.ask({ finish: true })
    return {
      wall: given(at) / 1_000 / work.messages,
      senderCpu: given(cpu) / work.messages,
      receiverCpu: 0
    }
  } finally {
    await worker.end()
  }
}
