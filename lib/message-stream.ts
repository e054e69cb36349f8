// The types of a Duplex of messages, over node's own class. Types only; nothing happens here.
//
// A node stream's `closed` is a flag; ours is a promise of the outcome. Node 20 and 22 look at the flag only where it
// is one; from 24 on stream.pipeline() takes the promise for a closed stream, and refuses it.

import type { errorMonitor } from 'node:events'
import { Duplex, type DuplexOptions } from 'node:stream'
import type { StalkError } from './errors.ts'

/** What is typed below, and what each class defines itself. */
type Replaced =
  | 'closed'
  | 'on'
  | 'once'
  | 'read'
  | '_read'
  | '_write'
  | '_writev'
  | '_final'
  | '_destroy'
  | typeof Symbol.asyncIterator

export interface MessageStream<In> extends Omit<Duplex, Replaced> {
  on(event: 'data', listener: (message: In) => void): this
  on(event: 'messageError', listener: (error: StalkError, message: unknown) => void): this
  on(event: 'error' | typeof errorMonitor, listener: (error: Error) => void): this
  on(event: string | symbol, listener: (...args: never[]) => void): this
  once(event: 'data', listener: (message: In) => void): this
  once(event: 'messageError', listener: (error: StalkError, message: unknown) => void): this
  once(event: 'error', listener: (error: Error) => void): this
  once(event: string | symbol, listener: (...args: never[]) => void): this
  read(size?: number): In | null
  /** The messages of the peer, until it says goodbye. */
  [Symbol.asyncIterator](): AsyncIterableIterator<In>
}

export const MessageStream = Duplex as unknown as new <In>(options: DuplexOptions) => MessageStream<In>
