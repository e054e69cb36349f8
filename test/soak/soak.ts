// A soak: a receiver and a sender, each a process of its own, a proxy between them that cuts, and what was seen. Knows
// the processes and their reports.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Random } from '../fuzz/random.ts'
import type { Memory, Orders, Report } from './process.ts'
import { type CuttingProxy, cuttingProxy } from './proxy.ts'

export interface Plan {
  readonly messages: number
  readonly seed: number
  /** After how many bytes the wire is cut, on average. */
  readonly cutEvery: number
  /** How long nothing may happen, in ms. */
  readonly patience?: number
}

export interface Half {
  done: number
  connections: number
  repeated: number
  rss: number
  readonly memory: { start?: Memory; end?: Memory }
}

export interface Soaked {
  readonly sender: Half
  readonly receiver: Half
  readonly violations: string[]
  readonly proxy: Pick<CuttingProxy, 'cuts' | 'bytes'>
}

/** How much more a process may use in the end than at the start, in bytes: live, and in all. */
const MORE_LIVE = 32 * 2 ** 20
const MORE_RSS = 160 * 2 ** 20
/** More of them than anybody reads. */
const MOST_VIOLATIONS = 100

export class Soak implements Soaked {
  readonly sender = half()
  readonly receiver = half()
  readonly violations: string[] = []
  proxy: Pick<CuttingProxy, 'cuts' | 'bytes'> = { cuts: { end: 0, reset: 0 }, bytes: 0 }
  readonly #plan: Plan
  readonly #children: ChildProcess[] = []
  #happened = performance.now()

  constructor(plan: Plan) {
    this.#plan = plan
  }

  async run(): Promise<Soaked> {
    const { messages, cutEvery, seed, patience = 60_000 } = this.#plan
    const watch = setInterval(() => {
      if (performance.now() - this.#happened > patience) this.#stuck(patience)
    }, 1_000)
    try {
      const [receiver, listening] = this.#start('receiver', this.receiver)
      const { port, fingerprint } = await listening
      receiver.send({ messages } satisfies Orders)
      const proxy = await cuttingProxy(port, cutEvery, new Random(seed))
      this.proxy = proxy
      const [sender] = this.#start('sender', this.sender)
      sender.send({ messages, port: proxy.port, fingerprint } satisfies Orders)
      await Promise.all(this.#children.map(child => once(child, 'exit')))
      proxy.close()
    } finally {
      clearInterval(watch)
    }
    this.#judge()
    return this
  }

  #start(
    name: 'sender' | 'receiver',
    half: Half
  ): [ChildProcess, Promise<{ port: number; fingerprint: string }>] {
    const { NODE_OPTIONS: _, ...env } = process.env
    const file = fileURLToPath(new URL(`${name}.ts`, import.meta.url))
    const child = fork(file, { execArgv: ['--import=tsx', '--expose-gc'], env })
    this.#children.push(child)
    const listening = new Promise<{ port: number; fingerprint: string }>(resolve => {
      child.on('message', (report: Report) => {
        if (report.kind === 'listening') resolve(report)
        this.#take(name, half, report)
      })
    })
    child.on('exit', (code, signal) => {
      if (code === 0) return
      this.#violation(`the ${name} ended with ${signal ?? code}`)
      for (const other of this.#children) other.kill()
    })
    return [child, listening]
  }

  #take(name: string, half: Half, report: Report): void {
    if (report.kind === 'violation') this.#violation(`${name}: ${report.text}`)
    if (report.kind === 'memory') half.memory[report.when] = report.memory
    if (report.kind !== 'state') return
    const { done, connections, repeated, rss } = report
    if (done !== half.done) this.#happened = performance.now()
    Object.assign(half, { done, connections, repeated, rss })
  }

  #violation(text: string): void {
    if (this.violations.length < MOST_VIOLATIONS) this.violations.push(text)
  }

  #stuck(ms: number): void {
    this.#violation(`nothing happened for ${ms} ms`)
    for (const child of this.#children) child.kill()
  }

  #judge(): void {
    const { messages } = this.#plan
    for (const [name, { done, memory }] of [
      ['sender', this.sender],
      ['receiver', this.receiver]
    ] as const) {
      if (done !== messages) this.#violation(`the ${name} ended at ${done} of ${messages}`)
      const { start, end } = memory
      if (!start || !end) continue
      if (end.live - start.live > MORE_LIVE)
        this.#violation(`the ${name} holds ${end.live - start.live} bytes more`)
      if (end.rss - start.rss > MORE_RSS)
        this.#violation(`the ${name} uses ${end.rss - start.rss} bytes more`)
    }
  }
}

const half = (): Half => ({ done: 0, connections: 0, repeated: 0, rss: 0, memory: {} })
