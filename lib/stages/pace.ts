// The pace of a stage: it does one piece of work at a time and gives away one item at a time, and only as far as it
// is asked. Knows the stream that it paces and the stages beside it; knows nothing of what flows through them.
//
// A plain Transform pushes all that a chunk yields, whoever reads it, and takes the next chunk while the last
// item still waits. Here both stop: memory stays bounded in bytes however much a chunk expands; a stage that
// holds its work back is a barrier for everything behind it; and a fault destroys the stage only when what was
// made before it has been taken, so that nothing authenticated is lost.
//
//   behind ── write, queue ──▶ begin ─┐                ┌─ push, 'data' ──▶ next
//          ── all is idle ───▶ take ──┴─ work ─ give ──┴─ all is idle ───▶

import type { Transform } from 'node:stream'

/** Calls back when a chunk of the stream's own is done with. */
export type Done = (error?: Error | null) => void

/** Turns one chunk into what follows from it, now or when a promise says so. What it throws destroys the stage. */
export type Work<In, Out> = (chunk: In) => Iterable<Out> | Promise<Iterable<Out>>

/** Travels through every stage untouched, behind everything that was written before it. */
export class Marker {
  readonly reached: () => void

  constructor(reached: () => void) {
    this.reached = reached
  }
}

/** What gives a stage its items: it gives no more until it hears that the last one is dealt with. */
export interface Behind {
  release(): void
}

/** In place of a callback, for a chunk that was taken and did not come through the stream's queue. */
const TAKEN = null

export class Pace implements Behind {
  /** The stage that this one was joined into, and the one that was joined into this one. */
  ahead: Pace | null = null
  behind: Behind | null = null
  readonly #stage: Transform
  readonly #work: Work<unknown, unknown>
  readonly #finish: () => Iterable<unknown>
  /** What was made, or can be, and is given away when it is asked for. */
  #held: { readonly items: Iterator<unknown>; readonly done: Done | typeof TAKEN } | null = null
  /** Whether the stage ahead has not dealt with the last item. */
  #holding = false
  /** Whether a chunk that was taken is not done with. */
  #busy = false
  /** What the stream's queue has for us meanwhile: one chunk, or else its end, which comes when all chunks are done. */
  #waiting: (() => void) | null = null

  constructor(stage: Transform, work: Work<unknown, unknown>, finish: () => Iterable<unknown>) {
    this.#stage = stage
    this.#work = work
    this.#finish = finish
  }

  /** The next chunk of the stream's queue. */
  begin(chunk: unknown, done: Done): void {
    if (this.#stage.errored) return // the queue does not stop at a fault
    if (this.#busy) this.#waiting = () => this.#start(chunk, done)
    else this.#start(chunk, done)
  }

  /** All chunks are done with. */
  end(done: Done): void {
    if (this.#busy) this.#waiting = () => this.#run(this.#finish, undefined, done)
    else this.#run(this.#finish, undefined, done)
  }

  /** Whether everything that was written, or taken, is done with. */
  get settled(): boolean {
    return !this.#busy && this.#stage.writableLength === 0
  }

  /** Whether a chunk may be taken. */
  get idle(): boolean {
    return this.settled && this.#stage.writable && this.#stage.writableCorked === 0
  }

  /**
   * A chunk that does not go through the stream's queue, whose turn of events costs more than most work does. Only
   * for a stage that is idle, and, if anybody writes to that as well, whose items are taken as they are made: the
   * stream's queue may wait for ever behind an item that was taken in and not read.
   */
  take(chunk: unknown): void {
    this.#busy = true
    this.#start(chunk, TAKEN)
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

  #start(chunk: unknown, done: Done | typeof TAKEN): void {
    this.#run(chunk instanceof Marker ? unchanged : this.#work, chunk, done)
  }

  #run(work: Work<unknown, unknown>, chunk: unknown, done: Done | typeof TAKEN): void {
    let items: ReturnType<Work<unknown, unknown>>
    try {
      items = work(chunk)
    } catch (error) {
      return this.#fail(error as Error, done)
    }
    if (!(items instanceof Promise)) return this.#give(items[Symbol.iterator](), done)
    items.then(
      made => process.nextTick(() => this.#give(made[Symbol.iterator](), done)),
      error => this.#fail(error, done)
    )
  }

  // Only the work is guarded: what a reader's own handler throws inside `push` is the reader's.
  #give(items: Iterator<unknown>, done: Done | typeof TAKEN): void {
    for (;;) {
      let item: IteratorResult<unknown>
      try {
        item = items.next()
      } catch (error) {
        return this.#fail(error as Error, done)
      }
      if (item.done || this.#stage.destroyed) return this.#over(done)
      if (this.#handOn(item.value)) continue
      this.#held = { items, done }
      return
    }
  }

  /** Whether the next item may follow at once. */
  #handOn(item: unknown): boolean {
    const { ahead } = this
    const direct = ahead?.idle && this.#stage.readableLength === 0 && !this.#stage.isPaused()
    if (!direct) return this.#stage.push(item) && !this.#stage.isPaused() && !this.#holding
    ahead.take(item)
    this.#holding = !ahead.settled // not before: it may have released us while it was at it
    return !this.#holding
  }

  #over(done: Done | typeof TAKEN): void {
    if (done !== TAKEN) return done()
    this.#busy = false
    const waiting = this.#waiting
    this.#waiting = null
    if (this.#stage.destroyed) return
    if (waiting !== null) waiting()
    else if (this.settled && this.#stage.writable) this.behind?.release()
  }

  // On the next tick, as a stream's queue does it: what has gone on before the fault is a tick ahead of it. What was
  // taken stays undone, so that nothing follows it.
  #fail(error: Error, done: Done | typeof TAKEN): void {
    if (done === TAKEN) process.nextTick(() => this.#stage.destroy(error))
    else done(error)
  }
}

const unchanged = (chunk: unknown): Iterable<unknown> => [chunk]
