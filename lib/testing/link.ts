// A link: one direction between two ends, with what happens to bytes on it. Knows faults, chunks, time and how much
// is on the way; knows no stream.

import { count, MAX_MS } from '../option-checks.ts'
import { checkEnding, checkFault, type Ending, type Fault, type Wire } from './faults.ts'

/** How a direction is to behave. */
export interface LinkOptions {
  /** What happens to the bytes, one after the other. */
  readonly faults?: Fault | readonly Fault[] | undefined
  /**
   * How the reader gets them: in chunks of so many bytes; `{ most }`: of random sizes up to so many; `'turn'`: all of
   * one turn of the event loop in one. Default: as they were written.
   */
  readonly chunk?: number | 'turn' | { readonly most: number } | undefined
  /** How long everything is on the way, in ms. Default 0: it arrives in the very write. */
  readonly delay?: number | undefined
  /** How much may be on the way before a write has to wait, in bytes. Default 65,536. */
  readonly capacity?: number | undefined
}

/** One direction while it is in use. */
export interface Direction {
  /** What its writer has written so far, in bytes. Where a fault is to strike from now on is counted from there. */
  readonly written: number
  /** What its reader was given so far, in bytes. */
  readonly delivered: number
  /** Puts in one more fault, behind those that are there. */
  meddle(fault: Fault): void
  /** Changes how long everything takes that is written from now on, in ms. */
  delay(ms: number): void
  /** Lets nothing arrive any more; once `capacity` is used up, writes wait. */
  stall(): void
  /** Lets everything arrive that was held up, and all that follows. */
  resume(): void
  /** Ends it at once; what is on the way is lost. As the fault `cut`, which lets it arrive. */
  cut(how?: Ending, error?: Error): void
}

/** What a link does at its two ends. */
export interface LinkEnds {
  /** Whether the reader wants more. */
  deliver(bytes: Buffer): boolean
  end(): void
  reset(error: Error | undefined): void
  silence(): void
}

/** A fault in its place, and how many bytes have come to it. */
interface Station {
  readonly fault: Fault
  readonly wire: Wire
  at: number
}

interface Item {
  readonly bytes: Buffer
  readonly ending: Ending | null
  readonly error: Error | undefined
  ripe: boolean
}

type Done = () => void

export class Link implements Direction {
  written = 0
  delivered = 0
  readonly #ends: LinkEnds
  readonly #capacity: number
  readonly #chunk: LinkOptions['chunk']
  readonly #draw: (bound: number) => number
  readonly #stations: Station[] = []
  readonly #queue: Item[] = []
  readonly #timers = new Set<NodeJS.Timeout>()
  #delayMs: number
  #gathered: Buffer[] = []
  #onTheWay = 0
  #wanted = true
  #stalled = false
  #pumping = false
  /** Nothing more is taken; and nothing more arrives. */
  #closed = false
  #over = false
  #waiting: Done | null = null

  constructor(options: LinkOptions, draw: (bound: number) => number, ends: LinkEnds) {
    this.#ends = ends
    this.#capacity = options.capacity ?? DEFAULT_CAPACITY
    this.#chunk = options.chunk
    this.#draw = draw
    this.#delayMs = options.delay ?? 0
    for (const fault of [options.faults ?? []].flat()) this.meddle(fault)
  }

  meddle(fault: Fault): void {
    checkFault(fault)
    const place = this.#stations.length + 1
    const wire: Wire = {
      pass: bytes => this.#pass(bytes, place),
      end: () => this.#close('end'),
      reset: error => this.#close('reset', error),
      silence: () => this.#close('silence')
    }
    this.#stations.push({ fault, wire, at: this.written })
  }

  delay(ms: number): void {
    checkDelay(ms)
    this.#delayMs = ms
  }

  stall(): void {
    this.#stalled = true
  }

  resume(): void {
    this.#stalled = false
    this.#pump()
  }

  cut(how: Ending = 'end', error?: Error): void {
    checkEnding(how)
    if (this.#over) return
    this.#drop()
    this.#finish(how, error)
  }

  // --- the writer ----------------------------------------------------------------------------------------

  /** Takes what was written; `done` asks for more. */
  write(bytes: Buffer, done: Done): void {
    this.written += bytes.length
    this.#pass(bytes, 0)
    if (this.#over || (this.#wanted && this.#onTheWay <= this.#capacity)) done()
    else this.#waiting = done
  }

  /** The writer has ended. */
  end(): void {
    this.#close('end')
  }

  /** The writer needs no answer any more. */
  release(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  // --- the reader ----------------------------------------------------------------------------------------

  /** The reader wants more. */
  want(): void {
    this.#wanted = true
    this.#releaseIfFree()
  }

  /** Nothing arrives any more; what is written is lost. */
  stop(): void {
    this.#over = true
    this.#closed = true
    this.#drop()
    this.release()
  }

  // --- on the way ----------------------------------------------------------------------------------------

  #pass(bytes: Buffer, place: number): void {
    if (this.#closed || bytes.length === 0) return
    const station = this.#stations[place]
    if (!station) return this.#chunked(bytes)
    const { at } = station
    station.at += bytes.length
    station.fault(bytes, at, station.wire)
  }

  #chunked(bytes: Buffer): void {
    if (this.#chunk === 'turn') return this.#gather(bytes)
    let rest = bytes
    while (rest.length > 0) {
      const size = this.#nextSize(rest.length)
      this.#enqueue(rest.subarray(0, size))
      rest = rest.subarray(size)
    }
  }

  #nextSize(all: number): number {
    const chunk = this.#chunk
    if (typeof chunk === 'number') return chunk
    return typeof chunk === 'object' ? 1 + this.#draw(chunk.most) : all
  }

  #gather(bytes: Buffer): void {
    this.#gathered.push(bytes)
    if (this.#gathered.length === 1) setImmediate(() => this.#ungather())
  }

  #ungather(): void {
    const bytes = Buffer.concat(this.#gathered)
    this.#gathered = []
    if (bytes.length > 0) this.#enqueue(bytes)
  }

  #close(ending: Ending, error?: Error): void {
    if (this.#closed) return
    this.#closed = true
    this.#ungather()
    this.#enqueue(NOTHING, ending, error)
  }

  #enqueue(bytes: Buffer, ending: Ending | null = null, error?: Error): void {
    if (this.#over) return
    const item: Item = { bytes, ending, error, ripe: this.#delayMs === 0 }
    this.#queue.push(item)
    this.#onTheWay += bytes.length
    if (!item.ripe) this.#ripen(item)
    this.#pump()
  }

  #ripen(item: Item): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      item.ripe = true
      this.#pump()
    }, this.#delayMs)
    this.#timers.add(timer)
  }

  // Not again from within: what a reader answers may come back here.
  #pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#stalled && this.#queue[0]?.ripe) this.#arrive(this.#queue.shift() as Item)
    this.#pumping = false
    this.#releaseIfFree()
  }

  #arrive({ bytes, ending, error }: Item): void {
    if (ending) return this.#finish(ending, error)
    this.#onTheWay -= bytes.length
    this.delivered += bytes.length
    if (!this.#ends.deliver(bytes)) this.#wanted = false
  }

  #finish(ending: Ending, error: Error | undefined): void {
    this.#closed = true
    this.#over = true
    if (ending === 'reset') this.#ends.reset(error)
    else this.#ends[ending]()
  }

  #drop(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#queue.length = 0
    this.#gathered = []
    this.#onTheWay = 0
  }

  #releaseIfFree(): void {
    if (this.#over || (this.#wanted && this.#onTheWay <= this.#capacity)) this.release()
  }
}

/** In ms; 0 is allowed. Throws ERR_STALK_INVALID_OPTION. */
export function checkDelay(ms: number | undefined): void {
  if (ms !== 0) count('delay', ms, null, MAX_MS)
}

const DEFAULT_CAPACITY = 65_536
const NOTHING = Buffer.alloc(0)
