// The transport of a wrapped connection: reads what is piped into wrap(), writes to the source itself. Knows duplex
// streams; knows nothing of what they carry.

import { Duplex } from 'node:stream'

type Done = (error?: Error | null) => void

export class Shuttle extends Duplex {
  readonly #source: Duplex
  #taken: Done | null = null
  #drained: Done | null = null
  readonly #onDrain = (): void => {
    const done = this.#drained
    this.#drained = null
    done?.()
  }
  readonly #onEnd = (): void => this.finish()

  constructor(source: Duplex) {
    super({ allowHalfOpen: true })
    this.#source = source
    source.on('drain', this.#onDrain)
  }

  /** A chunk of the wire; `done` asks for the next. */
  bring(chunk: Buffer, done: Done): void {
    if (this.destroyed || this.readableEnded) return done() // it is over; what still comes is dropped
    if (this.push(chunk)) done()
    else this.#taken = done
  }

  /** The wire has ended. */
  finish(): void {
    if (!this.readableEnded && !this.destroyed) this.push(null)
  }

  /** Nothing is brought any more: what the source still gives is dropped, and its end is looked out for here. */
  watchEnd(): void {
    if (this.#source.readableEnded || this.#source.destroyed) return this.finish()
    this.#source.on('end', this.#onEnd).on('close', this.#onEnd).resume()
  }

  override _read(): void {
    const done = this.#taken
    this.#taken = null
    done?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    if (this.#source.write(chunk)) done()
    else this.#drained = done
  }

  override _final(done: Done): void {
    if (!this.#source.writable) return done()
    this.#source.end(() => done())
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#source.off('drain', this.#onDrain).off('end', this.#onEnd).off('close', this.#onEnd).destroy()
    this._read()
    done(error)
  }
}
