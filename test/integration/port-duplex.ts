// A recipe: a MessagePort of worker_threads as a duplex of bytes, for stalk() or any other stream. Chunks are
// copied and handed over; the next one is sent when the other side has taken the last, so that memory is bounded.

import { Duplex } from 'node:stream'
import type { MessagePort } from 'node:worker_threads'

type Done = (error?: Error | null) => void

/** What crosses the port: a chunk, a request for the next, or the end. */
type Item = Uint8Array | 'next' | 'end'

export class PortDuplex extends Duplex {
  readonly #port: MessagePort
  #taken: Done | null = null
  #owing = false

  constructor(port: MessagePort) {
    super()
    this.#port = port
    port.on('message', (item: Item) => this.#onItem(item))
    port.on('close', () => this.#onClose())
  }

  #onItem(item: Item): void {
    if (item === 'next') return this.#onNext()
    this.#owing = item !== 'end'
    this.push(item === 'end' ? null : Buffer.from(item.buffer, item.byteOffset, item.byteLength))
  }

  #onNext(): void {
    const done = this.#taken
    this.#taken = null
    done?.()
  }

  #onClose(): void {
    this.destroy(this.readableEnded ? undefined : new Error('the port was closed'))
  }

  override _read(): void {
    if (this.#owing) this.#port.postMessage('next')
    this.#owing = false
  }

  // A copy: a Buffer is often a view of a larger pool, all of which would be sent.
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: Done): void {
    this.#taken = done
    const copy = Uint8Array.from(chunk)
    this.#port.postMessage(copy, [copy.buffer])
  }

  override _final(done: Done): void {
    this.#port.postMessage('end')
    done()
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#port.close()
    done(error)
  }
}
