// What all stages share: a through2 transform that does one piece of work at a time and gives away one item at
// a time, and only as far as it is asked. Knows streams; knows nothing of what flows through them.
//
// A plain Transform pushes all that a chunk yields, whoever reads it, and takes the next chunk while the last
// item still waits. Here both stop: memory stays bounded in bytes however much a chunk expands; a stage that
// holds its work back is a barrier for everything behind it; and a fault destroys the stage only when what was
// made before it has been taken, so that nothing authenticated is lost.

import type { Transform, Writable } from 'node:stream'
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
export function paced<In, Out>(work: Work<In, Out>, finish: () => Iterable<Out> = nothing): Stage {
  const stage = transform(MARKS, begin, end) as unknown as Paced
  stage[PACE] = new Pace(stage, work as Work<unknown, unknown>, finish)
  stage._read = read
  return stage
}

/**
 * What `from` gives goes `into` the next, as with `pipe`, and so does its end unless `end` is false. A pipe waits for
 * `drain` even where the next one has dealt with an item already, which stages nearly always have.
 */
export function join(from: Stage, into: Writable, { end = true } = {}): void {
  const pace = (from as Paced)[PACE]
  pace.next = into
  ;(into as Followed)[BEHIND] = pace
  from.on('data', passOn)
  into.on('drain', release)
  if (end) from.on('end', endNext)
}

/** What a stage was joined into; null for the last one. */
export const nextOf = (stage: Stage): Writable | null => (stage as Paced)[PACE].next

const nothing = (): Iterable<never> => []

// Of 0, since a stream makes items ahead until it has as many as its mark says, asked or not.
const MARKS = { objectMode: true, readableHighWaterMark: 0, writableHighWaterMark: 1 }

const PACE = Symbol('pace')
const BEHIND = Symbol('the pace of the stage behind')

type Paced = Stage & { [PACE]: Pace }
type Followed = Writable & { [BEHIND]: Pace }

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

function passOn(this: unknown, item: unknown): void {
  const pace = (this as Paced)[PACE]
  const next = pace.next as Writable
  if (next.writable) next.write(item)
  if (!next.writable || next.writableLength > 0) pace.hold()
}

function release(this: unknown): void {
  const next = this as Followed
  if (next.writable) next[BEHIND].release() // it may be the drain of the last item but one, and the last has failed
}

function endNext(this: unknown): void {
  ;(this as Paced)[PACE].next?.end()
}

class Pace {
  /** What the stage is joined into. */
  next: Writable | null = null
  readonly #stage: Stage
  readonly #work: Work<unknown, unknown>
  readonly #finish: () => Iterable<unknown>
  /** What was made, or can be, and is given away when it is asked for. */
  #held: { readonly items: Iterator<unknown>; readonly done: Done } | null = null
  /** Whether the stage behind has not dealt with the last item. */
  #holding = false

  constructor(stage: Stage, work: Work<unknown, unknown>, finish: () => Iterable<unknown>) {
    this.#stage = stage
    this.#work = work
    this.#finish = finish
  }

  begin(chunk: unknown, done: Done): void {
    this.#start(chunk instanceof Marker ? unchanged : this.#work, chunk, done)
  }

  end(done: Done): void {
    this.#start(this.#finish, undefined, done)
  }

  /** A reader asks for more. False if nothing is held. The item that it is about to take has left only on the next tick. */
  goOn(): boolean {
    if (this.#held === null) return false
    if (!this.#holding) process.nextTick(() => this.#giveHeld())
    return true
  }

  /** Makes nothing until `release`, whoever asks. */
  hold(): void {
    this.#holding = true
  }

  release(): void {
    this.#holding = false
    this.#giveHeld()
  }

  #giveHeld(): void {
    if (this.#held === null || this.#holding) return
    const { items, done } = this.#held
    this.#held = null
    this.#give(items, done)
  }

  #start(work: Work<unknown, unknown>, chunk: unknown, done: Done): void {
    let items: ReturnType<Work<unknown, unknown>>
    try {
      items = work(chunk)
    } catch (error) {
      return done(error as Error)
    }
    if (!(items instanceof Promise)) return this.#give(items[Symbol.iterator](), done)
    items.then(made => process.nextTick(() => this.#give(made[Symbol.iterator](), done)), done)
  }

  // Only the work is guarded: what a reader's own handler throws inside `push` is the reader's.
  #give(items: Iterator<unknown>, done: Done): void {
    for (;;) {
      let item: IteratorResult<unknown>
      try {
        item = items.next()
      } catch (error) {
        return done(error as Error)
      }
      if (item.done || this.#stage.destroyed) return done()
      if (this.#stage.push(item.value) && !this.#stage.isPaused() && !this.#holding) continue
      this.#held = { items, done }
      return
    }
  }
}

const unchanged = (chunk: unknown): Iterable<unknown> => [chunk]
