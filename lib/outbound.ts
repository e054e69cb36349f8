// The object-mode Writable of a wrapped connection: writes to it as soon as there is one. Knows streams, and who
// writes to them.

import { Writable } from 'node:stream'
import type { Connection } from './connection/connection.ts'

type Done = (error?: Error | null) => void

export class Outbound extends Writable {
  readonly #opened: Promise<Connection>
  #connection: Connection | null = null

  /** `opened` is rejected if there will never be a connection; then whoever made this destroys it. */
  constructor(opened: Promise<Connection<unknown, unknown>>) {
    super({ objectMode: true })
    this.#opened = opened
  }

  override _construct(done: Done): void {
    done()
    this.#then(connection => {
      this.#connection = connection
      connection.on('close', () => this.destroy(connection.errored ?? undefined))
    })
  }

  override _write(message: unknown, _encoding: BufferEncoding, done: Done): void {
    this.#then(connection => connection.write(message, done))
  }

  override _writev(chunks: { chunk: unknown }[], done: Done): void {
    const last = chunks.length - 1
    this.#then(connection => {
      chunks.forEach(({ chunk }, index) => {
        if (index === last) connection.write(chunk, done)
        else connection.write(chunk)
      })
    })
  }

  override _final(done: Done): void {
    this.#then(connection => connection.end(done))
  }

  #then(action: (connection: Connection) => void): void {
    if (this.#connection) action(this.#connection)
    else this.#opened.then(action, () => {})
  }
}
