// The source: hands what a transport brings to the first stage, and lets it bring no more while that is busy. Knows
// streams only.

import type { Readable } from 'node:stream'
import { follow, hand, isBusy } from '../stages/join.ts'
import type { Stage } from '../stages/paced.ts'

/** As `transport.pipe(stage, { end: false })`, which would pause the transport and resume it at every chunk. */
export class Source {
  readonly #transport: Readable
  readonly #stage: Stage
  #holding = false

  constructor(transport: Readable, stage: Stage) {
    this.#transport = transport
    this.#stage = stage
    follow(stage, this)
    transport.on('data', this.#onData)
  }

  readonly #onData = (chunk: unknown): void => {
    if (!this.#stage.writable) return this.stop()
    hand(this.#stage, chunk)
    if (!isBusy(this.#stage)) return
    this.#holding = true
    this.#transport.pause()
  }

  /** The stage has dealt with all it was given. */
  release(): void {
    if (!this.#holding) return
    this.#holding = false
    this.#transport.resume()
  }

  /** Hands over nothing more, and reads no more. */
  stop(): void {
    this.#holding = false
    this.#transport.off('data', this.#onData)
    this.#transport.pause()
  }
}
