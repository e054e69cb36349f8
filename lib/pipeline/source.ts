// The source: what a transport is piped into. It hands each chunk to the first stage, and lets the transport rest while
// that is busy. Knows streams only.

import { EventEmitter } from 'node:events'
import { follow, hand, isBusy } from '../stages/join.ts'
import type { Stage } from '../stages/paced.ts'

/**
 * As much of a Writable as `pipe` asks for. A real one would say `drain` at every chunk, and the transport be paused
 * and resumed; without `pipe` a transport that is paused already, or read by somebody else as well, would be
 * another matter than it is to every other stream.
 */
export class Source extends EventEmitter implements NodeJS.WritableStream {
  readonly writable = true
  readonly #stage: Stage
  #holding = false

  constructor(stage: Stage) {
    super()
    this.#stage = stage
    follow(stage, this)
  }

  /** False while the stage is busy, and for good when it has failed. */
  write(chunk: unknown): boolean {
    if (this.#stage.writable) hand(this.#stage, chunk)
    this.#holding = isBusy(this.#stage) || !this.#stage.writable
    return !this.#holding
  }

  /** The stage has dealt with all it was given. */
  release(): void {
    if (!this.#holding) return
    this.#holding = false
    this.emit('drain')
  }

  /** Not the stage's: who pipes says when that ends. */
  end(): this {
    return this
  }
}
