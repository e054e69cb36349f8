// The judge: the Python implementation as a process that is asked about many inputs at once (judge.py). Knows the
// process; compares nothing.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { python } from '../interop/reference.ts'

/** Whether there is a Python that the reference runs on. */
export const hasPython = python !== undefined

export class Judge {
  readonly #target: string
  #child: ChildProcessByStdio<Writable, Readable, null> | null = null
  #answers: AsyncIterator<string> | null = null

  constructor(target: string) {
    this.#target = target
  }

  /** The answers to the inputs, in order. */
  async ask<T>(inputs: readonly object[]): Promise<T[]> {
    this.#start()
    this.#child?.stdin.write(`${JSON.stringify({ target: this.#target, inputs })}\n`)
    const answer = await this.#answers?.next()
    if (!answer || answer.done) throw new Error('the Python implementation has ended')
    return JSON.parse(answer.value)
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = null
    if (!child || child.exitCode !== null) return
    const exited = once(child, 'exit')
    child.stdin.end()
    await exited
  }

  #start(): void {
    if (this.#child) return
    const file = fileURLToPath(new URL('judge.py', import.meta.url))
    const env = { ...process.env, PYTHONWARNINGS: 'ignore' }
    this.#child = spawn(python ?? '', ['-B', file], { env, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }
}
