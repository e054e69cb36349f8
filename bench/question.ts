// What a question is, whatever it asks: run.ts runs any, report.ts shows any. One file per question beside this.

import type { Sample } from './pair.ts'
import type { SubjectName } from './subjects/index.ts'

/** What stalk is to reach against a rival: its value divided by the rival's. */
export interface Goal {
  readonly rival: SubjectName
  readonly atLeast: number
}

/** How long a measurement takes: `quick` tells whether it works, not how fast it is. */
export type Scale = 'quick' | 'full'

export interface Measured extends Sample {
  /** In the question's unit. */
  readonly value: number
}

export interface Question {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** In the order in which they run, round by round. */
  readonly subjects: readonly SubjectName[]
  readonly goals: readonly Goal[]
  /** Prepares what all rounds share and gives the measurement of one round. */
  prepare(subject: SubjectName, options: MeasureOptions): Promise<() => Promise<Measured>>
}

export interface MeasureOptions {
  readonly scale: Scale
  readonly profiles: string | null
}
