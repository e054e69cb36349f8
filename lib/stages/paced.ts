// What all stages share: a through2 transform that does one piece of work at a time and gives away one item at
// a time, and only as far as it is asked. Knows streams; knows nothing of what flows through them.
//
// A plain Transform pushes all that a chunk yields, whoever reads it, and takes the next chunk while the last
// item still waits. Here both stop: memory stays bounded in bytes however much a chunk expands; a stage that
// holds its work back is a barrier for everything behind it; and a fault destroys the stage only when what was
// made before it has been taken, so that nothing authenticated is lost.

import type { Transform } from 'node:stream'
import { transform } from 'through2'

/** To users one of node's; what makes it is readable-stream's, not `instanceof` node's, and works with them all the same. */
export type Stage = Transform

type Done = (error?: Error | null) => void

/** Turns one chunk into what follows from it, now or when a promise says so. What it throws destroys the stage. */
export type Work<In, Out> = (chunk: In) => Iterable<Out> | Promise<Iterable<Out>>

/** Travels through every stage untouched, behind everything that was written before it. */
export class Marker {
  readonly reached: () => void

  constructor(reached: () => void) {
    this.reached = reached
  }
}

/** `finish` is run when all chunks are done: it gives what is still to come, or throws if they should not end there. */
export function paced<In, Out>(work: Work<In, Out>, finish: () => Iterable<Out> = () => []): Stage {
  let goOn: (() => void) | null = null
  // Of 0, since a stream makes items ahead until it has as many as its mark says, asked or not.
  const marks = { objectMode: true, readableHighWaterMark: 0, writableHighWaterMark: 1 }
  const stage = transform(marks, begin, (done: Done) => start(finish, done)) as unknown as Stage
  const read = stage._read
  // Called when a reader asks for more; the item that it is about to take has left only on the next tick.
  stage._read = size => {
    if (goOn === null) return read.call(stage, size)
    process.nextTick(goOn)
    goOn = null
  }
  return stage

  function begin(chunk: In | Marker, _encoding: BufferEncoding, done: Done): void {
    start(() => (chunk instanceof Marker ? [chunk] : work(chunk)), done)
  }

  function start(make: () => ReturnType<Work<In, Out | Marker>>, done: Done): void {
    let items: ReturnType<Work<In, Out | Marker>>
    try {
      items = make()
    } catch (error) {
      return done(error as Error)
    }
    if (!(items instanceof Promise)) return give(items[Symbol.iterator](), done)
    items.then(made => process.nextTick(give, made[Symbol.iterator](), done), done)
  }

  // Only the work is guarded: what a reader's own handler throws inside `push` is the reader's.
  function give(items: Iterator<Out | Marker>, done: Done): void {
    for (;;) {
      let item: IteratorResult<Out | Marker>
      try {
        item = items.next()
      } catch (error) {
        return done(error as Error)
      }
      if (item.done || stage.destroyed) return done()
      if (stage.push(item.value) && !stage.isPaused()) continue
      goOn = () => give(items, done)
      return
    }
  }
}
