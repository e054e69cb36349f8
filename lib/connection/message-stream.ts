// What a Duplex of messages is, wherever they come from: how it is read, that it fails only behind what it holds, and
// when it is over. Knows streams and their types; knows no connection.

import { errorMonitor } from 'node:events'
import { Duplex, type DuplexOptions } from 'node:stream'
import type { InspectOptions } from 'node:util'
import type { StalkError } from '../errors.ts'
import { custom, shown } from '../shown.ts'
import { Loops } from './half-open.ts'
import { LateFailure } from './late-failure.ts'

type Done = (error: Error | null | undefined) => void

export interface MessageStream<In> extends Duplex {
  on(event: 'data', listener: (message: In) => void): this
  on(event: 'messageError', listener: (error: StalkError, message: unknown) => void): this
  on(event: 'error' | typeof errorMonitor, listener: (error: Error) => void): this
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  on(event: string | symbol, listener: (...args: any[]) => void): this
  once(event: 'data', listener: (message: In) => void): this
  once(event: 'messageError', listener: (error: StalkError, message: unknown) => void): this
  once(event: 'error', listener: (error: Error) => void): this
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  once(event: string | symbol, listener: (...args: any[]) => void): this
  write(chunk: unknown, done?: Done): boolean
  write(chunk: unknown, encoding: BufferEncoding, done?: Done): boolean
}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface only types what node's class has
export abstract class MessageStream<In> extends Duplex {
  readonly #failure: LateFailure
  readonly #loops = new Loops()

  /** `patienceMs`: how long a failure waits for a reader that reads nothing. */
  constructor(options: DuplexOptions, patienceMs: number) {
    // Not autoDestroy: with it, a loop over the messages that comes to its end takes the unsent answers with it.
    super({ ...options, allowHalfOpen: true, autoDestroy: false })
    const holder = { unread: () => this.unread, destroy: (error: Error) => this.destroy(error) }
    this.#failure = new LateFailure(holder, patienceMs)
    this.on('end', () => this.#onHalfEnded()).on('finish', () => this.#onHalfEnded())
    this.on(errorMonitor, error => this.destroy(error)) // a misuse that node reports without destroying
  }

  protected get failure(): LateFailure {
    return this.#failure
  }

  /** How much is there that was not read. */
  protected get unread(): number {
    return this.readableLength
  }

  /** The loops over the messages. */
  protected get loops(): Loops {
    return this.#loops
  }

  /** What may be shown of it; no key. */
  abstract toJSON(): object

  [custom](depth: number, options: InspectOptions): string {
    return shown(this, depth, options)
  }

  #onHalfEnded(): void {
    if (this.readableEnded && this.writableFinished) this.destroy(this.#failure.error ?? undefined)
  }

  override read(): In | null
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  override read(size?: number): any // the second forms let it stand where node's types ask for a stream of bytes
  override read(size?: number): unknown {
    if (this.destroyed) return null // node would give what is still held, which nobody counts any more
    const message = super.read(size)
    this.#failure.onRead()
    return message
  }

  override iterator(options?: { destroyOnReturn?: boolean }): NodeJS.AsyncIterator<In> {
    return this.#loops.watch(super.iterator(options))
  }

  /** The messages of the peer, until it says goodbye. */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<In>
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<any>
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<In> {
    return this.iterator()
  }
}
