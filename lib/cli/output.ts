// Standard output: lines, and no faster than they are read. Knows streams; knows no messages.

import type { Writable } from 'node:stream'
import { CommandError, EXIT, ReaderGone } from './exit.ts'

export class Output {
  /** Never fulfilled; rejected with ReaderGone or a CommandError when nothing can be written any more. */
  readonly failed: Promise<never>
  /** Makes room on a terminal that others write to as well. */
  beforeLine: () => void = () => {}
  readonly #stream: Writable
  #gone = false

  constructor(stream: Writable) {
    this.#stream = stream
    this.failed = new Promise((_resolve, reject) => {
      stream.on('error', error => {
        this.#gone = true
        reject(failureOf(error))
      })
    })
    this.failed.catch(() => {}) // whoever writes races it with the rest of its work
  }

  /** Fulfilled when there is room for more; never, if `failed`. */
  line(text: string): Promise<void> | undefined {
    this.beforeLine()
    if (this.#stream.write(`${text}\n`)) return undefined
    return new Promise(resolve => this.#stream.once('drain', resolve))
  }

  /** Fulfilled when everything was handed over, or nobody reads any more. */
  drained(): Promise<void> {
    return new Promise(resolve => {
      if (this.#gone) return resolve()
      this.#stream.write('', () => resolve())
    })
  }
}

const failureOf = (error: NodeJS.ErrnoException): Error =>
  error.code === 'EPIPE'
    ? new ReaderGone()
    : new CommandError(EXIT.failed, `cannot write to standard output: ${error.message}`)
