// The sink: the last stage outbound, the framer of a transport, which can be given the parts of a frame one by one.
// Knows the transport, and what it has taken so far; knows nothing of what is in a frame.

import { type Duplex, Writable } from 'node:stream'
import { MAX_UNWRITTEN_BYTES } from '../constants.ts'
import { Marker } from '../stages/pace.ts'
import { type Frame, partsOf } from '../wire/frame.ts'

/** Told of every write, with its bytes, and without any when one is done; and how many are not done by then. */
export type Progress = (bytes: number, waiting: number) => void

/**
 * Writes frames to the transport as they lie on the wire, each in one go, without ending it. A socket asks to wait as soon as it holds 16 KiB,
 * less than one record; waiting then would cost a turn of the event loop a record, so it may hold some more.
 */
export class Sink extends Writable {
  readonly #transport: Duplex
  readonly #progress: Progress
  #submitted = 0
  #completed = 0
  #markers: { at: number; marker: Marker }[] = []
  #blocked: (() => void) | null = null
  /** Whether the transport did not take something: then nothing behind it is ever flushed. */
  #dropped = false
  readonly #onDrain = (): void => this.#unblock()

  constructor(transport: Duplex, progress: Progress = () => {}) {
    super({ objectMode: true, highWaterMark: 1 })
    this.#transport = transport
    this.#progress = progress
    transport.on('drain', this.#onDrain)
  }

  override _write(item: Frame | Marker, _encoding: BufferEncoding, done: () => void): void {
    if (item instanceof Marker) {
      this.#markers.push({ at: this.#submitted, marker: item })
      this.#reach()
      return done()
    }
    if (!this.#transport.writable) {
      this.#dropped = true // its end or error is reported by itself
      return done()
    }
    this.#submitted += 1
    const parts = partsOf(item)
    const bytes = parts.reduce((sum, { length }) => sum + length, 0)
    this.#progress(bytes, this.#submitted - this.#completed)
    const more = this.#writeTogether(parts, error => {
      this.#completed += 1
      if (error) this.#dropped = true
      this.#progress(0, this.#submitted - this.#completed)
      this.#reach()
    })
    if (more || this.#transport.writableLength < MAX_UNWRITTEN_BYTES) done()
    else this.#blocked = done
  }

  #writeTogether(parts: readonly Buffer[], done: (error?: Error | null) => void): boolean {
    const last = parts.length - 1
    if (last > 0) this.#transport.cork()
    for (const part of parts.slice(0, last)) this.#transport.write(part)
    const more = this.#transport.write(parts[last] as Buffer, done)
    if (last > 0) this.#transport.uncork()
    return more
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#transport.off('drain', this.#onDrain)
    done(error)
  }

  #unblock(): void {
    const done = this.#blocked
    this.#blocked = null
    done?.()
  }

  #reach(): void {
    if (this.#dropped) return
    while (this.#markers[0] && this.#markers[0].at <= this.#completed) this.#markers.shift()?.marker.reached()
  }
}
