// What all stages are made of: a through2 transform with a pace. Knows streams; knows nothing of what flows through
// them, and not how it is paced.

import type { Transform } from 'node:stream'
import { transform } from 'through2'
import { type Done, Pace, type Work } from './pace.ts'

/** To users one of node's; what makes it is readable-stream's, not `instanceof` node's, and works with them all the same. */
export type Stage = Transform

/** `finish` is run when all chunks are done: it gives what is still to come, or throws if they should not end there. */
export function paced<In, Out>(work: Work<In, Out>, finish: () => Iterable<Out> = nothing): Stage {
  const stage = transform(MARKS, begin, end) as unknown as Paced
  stage[PACE] = new Pace(stage, work as Work<unknown, unknown>, finish)
  stage._read = read
  return stage
}

/** What paces a stage; undefined for a stream that is none of ours. */
export const paceOf = (stream: object): Pace | undefined => (stream as Partial<Paced>)[PACE]

const nothing = (): Iterable<never> => []

// Of 0, since a stream makes items ahead until it has as many as its mark says, asked or not. With a readable mark of 0
// readable-stream copies the options and sets `highWaterMark` in the copy: it has to be there, since to add it takes V8
// ten times as long as all the rest of making a stage.
const MARKS = { objectMode: true, highWaterMark: 0, readableHighWaterMark: 0, writableHighWaterMark: 1 }

const PACE = Symbol('pace')

type Paced = Stage & { [PACE]: Pace }

// These are shared by all stages, of which a connection has several.

function begin(this: unknown, chunk: unknown, _encoding: BufferEncoding, done: Done): void {
  ;(this as Paced)[PACE].begin(chunk, done)
}

function end(this: unknown, done: Done): void {
  ;(this as Paced)[PACE].end(done)
}

/** Called when a reader asks for more. */
function read(this: Paced, size: number): void {
  if (!this[PACE].goOn()) Object.getPrototypeOf(this)._read.call(this, size)
}
