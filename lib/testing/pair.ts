// Two duplexes of bytes joined in memory, which end as sockets do, and a handle for each direction between them.
// Knows streams; what happens on the way is the link's. Knows nothing of what is carried.

import { Duplex } from 'node:stream'
import { StalkError } from '../errors.ts'
import { checkNames, count, invalidOption } from '../option-checks.ts'
import { checkFault, type Fault } from './faults.ts'
import { checkDelay, type Direction, Link, type LinkEnds, type LinkOptions } from './link.ts'
import { seeded } from './random.ts'

export interface PairOptions {
  /** What happens to what the first end writes: one fault, or all there is to say. Default: it arrives as it is. */
  readonly there?: Fault | LinkOptions | undefined
  /** What happens to what the second end writes. */
  readonly back?: Fault | LinkOptions | undefined
  /** Makes random chunks the same again. A whole number; default 1. */
  readonly seed?: number | undefined
}

export interface Pair {
  /** Two duplexes of bytes: what one is given the other one gives. */
  readonly ends: [Duplex, Duplex]
  /** From the first end to the second. */
  readonly there: Direction
  /** From the second end to the first. */
  readonly back: Direction
}

/**
 * Two joined duplexes, on which faults strike in the same places every time. They end as sockets with `allowHalfOpen`
 * do: `end()` is seen at the other end, and so is `destroy()`, as an end; what is written to an end that was destroyed
 * is lost. Throws ERR_STALK_INVALID_OPTION.
 */
export function pair(options: PairOptions = {}): Pair {
  checkNames(options, PAIR_NAMES)
  const { seed = 1 } = options
  if (!Number.isSafeInteger(seed)) throw invalidOption('seed', 'must be a whole number')
  const draw = seeded(seed)
  const [first, second] = [new End(), new End()]
  const join = (from: End, to: End, given: PairOptions['there']): Link => {
    const link = new Link(linkOptions(given), draw, endsOf(from, to))
    from.outbound = link
    to.inbound = link
    return link
  }
  const there = join(first, second, options.there)
  const back = join(second, first, options.back)
  return { ends: [first, second], there, back }
}

const endsOf = (from: End, to: End): LinkEnds => ({
  deliver: bytes => to.push(bytes),
  end: () => void to.push(null),
  reset: (error = connectionReset()) => {
    for (const end of [from, to]) end.fall(error)
  },
  silence: () => from.inbound?.stop()
})

const connectionReset = (): Error =>
  Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET', syscall: 'read' })

class End extends Duplex {
  inbound: Link | null = null
  outbound: Link | null = null

  /** The connection was reset. What has arrived by then may still be read in this turn. */
  fall(error: Error): void {
    this.inbound?.stop()
    setImmediate(() => this.destroy(error))
  }

  override _read(): void {
    this.inbound?.want()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.outbound?.write(chunk, done)
  }

  // Behind what a fault holds until the end of the turn.
  override _final(done: () => void): void {
    setImmediate(() => {
      this.outbound?.end()
      done()
    })
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.inbound?.stop()
    this.outbound?.release()
    setImmediate(() => this.outbound?.end())
    done(error)
  }
}

const PAIR_NAMES = new Set(['there', 'back', 'seed'])
const LINK_NAMES = new Set(['faults', 'chunk', 'delay', 'capacity'])

function linkOptions(given: PairOptions['there'] = {}): LinkOptions {
  if (typeof given === 'function') return { faults: given }
  if (typeof given !== 'object' || given === null) throw invalid('there and back are a fault, or an object')
  checkNames(given, LINK_NAMES)
  const { faults, chunk, delay, capacity } = given
  for (const fault of [faults ?? []].flat()) checkFault(fault)
  checkChunk(chunk)
  checkDelay(delay)
  count('capacity', capacity, null, Number.MAX_SAFE_INTEGER)
  return given
}

function checkChunk(chunk: LinkOptions['chunk']): void {
  if (chunk === 'turn') return
  if (typeof chunk !== 'object') return void count('chunk', chunk, null, Number.MAX_SAFE_INTEGER)
  checkNames(chunk, new Set(['most']), 'chunk')
  if (count('chunk.most', chunk.most, null, 2 ** 31) === null) throw invalid('a chunk needs to know the most')
}

const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })
