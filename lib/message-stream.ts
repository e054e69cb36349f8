// The types of a Duplex of messages, over node's own class. Types only; nothing happens here.

import type { errorMonitor } from 'node:events'
import { Duplex, type DuplexOptions } from 'node:stream'
import type { StalkError } from './errors.ts'

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
  read(): In | null
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  read(size?: number): any // the second forms let it stand where node's types ask for a stream of bytes
  write(chunk: unknown, done?: Done): boolean
  write(chunk: unknown, encoding: BufferEncoding, done?: Done): boolean
  iterator(options?: { destroyOnReturn?: boolean }): NodeJS.AsyncIterator<In>
  /** The messages of the peer, until it says goodbye. */
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<In>
  // biome-ignore lint/suspicious/noExplicitAny: as node declares it
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<any>
}

export const MessageStream = Duplex as unknown as new <In>(options: DuplexOptions) => MessageStream<In>
