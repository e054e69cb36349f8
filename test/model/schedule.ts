// Schedules: what is done to two connections and the wire between them, as data that fast-check makes and shrinks.
// Knows what can be done; knows no connection.

import fc from 'fast-check'
import { SUITES, type SuiteName } from '../../lib/index.ts'
import type { Ending, LinkOptions } from '../../lib/testing/index.ts'

/** What a message is like: of so many bytes, or one that is refused here or for its size. */
export type Size = number | 'unfit' | 'null' | 'too large'

export type Action =
  | { readonly do: 'write' | 'send' | 'send and wait'; readonly size: Size }
  | { readonly do: 'send and give up'; readonly size: number; readonly after: number }
  | { readonly do: 'read'; readonly count: number }
  | { readonly do: 'flush'; readonly acked: boolean; readonly wait: boolean }
  | { readonly do: 'cut'; readonly after: number; readonly how: Ending }
  | { readonly do: 'cut now'; readonly how: Ending }
  | { readonly do: 'turns'; readonly count: number }
  | { readonly do: 'delay'; readonly ms: number }
  | { readonly do: 'destroy'; readonly withError: boolean }
  | {
      readonly do:
        | 'pause'
        | 'resume'
        | 'rekey'
        | 'rtt'
        | 'cork'
        | 'uncork'
        | 'stall'
        | 'unstall'
        | 'end'
        | 'dispose'
    }

export interface Step {
  /** Which end does it; on the wire, whose words it befalls. */
  readonly end: 0 | 1
  readonly action: Action
}

export type Reading = 'data' | 'loop' | 'slow loop' | 'read'

export interface EndSetup {
  readonly reading: Reading
  readonly readableHighWaterMark: number
  readonly writableHighWaterMark: number
  readonly allowHalfOpen: boolean
  /** After how many records there are new keys; null for hardly ever. */
  readonly rekeyAfter: number | null
  readonly block: number | null
  /** What happens to what it writes. */
  readonly link: Pick<LinkOptions, 'chunk' | 'delay' | 'capacity'>
  /** Where its words are cut from the beginning on. */
  readonly cut: { readonly at: number; readonly how: Ending } | null
}

export interface Schedule {
  readonly suite: SuiteName
  readonly ends: readonly [EndSetup, EndSetup]
  /** Whether the steps begin when both are ready, or at once. */
  readonly ready: boolean
  readonly steps: readonly Step[]
}

/** The most that either end takes, in bytes of a message. */
export const MAX_MESSAGE = 400_000

const small = fc.integer({ min: 0, max: 300 })
const large = fc.constantFrom(20_000, 65_535, 65_536, 65_594, 65_595, 70_000, 200_000)
const size: fc.Arbitrary<Size> = fc.oneof(
  { weight: 12, arbitrary: small },
  { weight: 2, arbitrary: large },
  { weight: 1, arbitrary: fc.constantFrom('unfit', 'null', 'too large') }
)
const ending = fc.constantFrom<Ending[]>('end', 'end', 'end', 'end', 'reset', 'reset', 'reset', 'silence')

const saying: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constantFrom('write', 'send', 'send and wait'), size }),
  fc.record({ do: fc.constant('write'), size: small }),
  fc.record({ do: fc.constant('send and give up'), size: small, after: fc.integer({ min: 0, max: 3 }) })
)

const between: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ do: fc.constant('flush'), acked: fc.boolean(), wait: fc.boolean() }),
  fc.record({ do: fc.constant('turns'), count: fc.integer({ min: 1, max: 12 }) }),
  fc.record({ do: fc.constant('read'), count: fc.integer({ min: 1, max: 8 }) }),
  fc.record({ do: fc.constantFrom('pause', 'resume', 'rekey', 'rtt', 'cork', 'uncork', 'stall', 'unstall') }),
  fc.record({ do: fc.constant('delay'), ms: fc.integer({ min: 0, max: 3 }) })
)

const parting: fc.Arbitrary<Action> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end') }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('cut'), after: fc.integer({ min: 0, max: 400 }), how: ending })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('cut now'), how: ending }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('destroy'), withError: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dispose') }) }
)

const step: fc.Arbitrary<Step> = fc.record({
  end: fc.constantFrom(0, 1),
  action: fc.oneof(
    { weight: 20, arbitrary: saying },
    { weight: 14, arbitrary: between },
    { weight: 1, arbitrary: parting }
  )
})

const rarely = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(arbitrary, { freq: 3 })

/** Rarely `null`, as fc.option has it the other way round. */
const seldom = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: 4, arbitrary: fc.constant(null) }, { weight: 1, arbitrary })

const endSetup: fc.Arbitrary<EndSetup> = fc.record({
  reading: fc.constantFrom<Reading[]>('data', 'loop', 'slow loop', 'read'),
  readableHighWaterMark: fc.constantFrom(256, 1, 2, 16),
  writableHighWaterMark: fc.constantFrom(256, 1, 2, 16),
  allowHalfOpen: fc.boolean(),
  rekeyAfter: seldom(fc.integer({ min: 2, max: 20 })),
  block: seldom(fc.constantFrom(2, 256, 65_600)),
  link: fc
    .record({
      chunk: rarely(
        fc.oneof(
          fc.constantFrom<('turn' | number)[]>('turn', 50, 1_000),
          fc.record({ most: fc.integer({ min: 100, max: 2_000 }) })
        )
      ),
      delay: seldom(fc.integer({ min: 1, max: 3 })),
      capacity: seldom(fc.constantFrom(1, 1_000))
    })
    .map(({ chunk, delay, capacity }) => ({
      chunk: chunk ?? undefined,
      delay: delay ?? undefined,
      capacity: capacity ?? undefined
    })),
  cut: seldom(fc.record({ at: fc.integer({ min: 0, max: 4_000 }), how: ending }))
})

export const schedule: fc.Arbitrary<Schedule> = fc.record({
  suite: fc.constantFrom(...(Object.keys(SUITES) as SuiteName[])),
  ends: fc.tuple(endSetup, endSetup),
  ready: fc.boolean(),
  steps: fc.array(step, { maxLength: 60, size: 'max' })
})

/** Whether anything but the two programs themselves may end the connection. */
export const isUndisturbed = ({ ends, steps }: Schedule): boolean =>
  ends.every(({ cut }) => cut === null) &&
  steps.every(({ action }) => !['cut', 'cut now', 'destroy'].includes(action.do))
