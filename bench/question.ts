// What a question is, whatever it asks: run.ts runs any, results.ts and report.ts show any. One file per question in
// questions/. Knows no subject.

/** What one measurement says: a value for each of the question's figures, and what a message took, where one was sent. */
export interface Measured {
  readonly values: readonly number[]
  readonly cost: Cost | null
}

/** In µs a message. */
export interface Cost {
  readonly wall: number
  readonly senderCpu: number
  /** 0 where one process does both. */
  readonly receiverCpu: number
}

/** What is measured: `name` is '' if it is the question's only one. */
export interface Figure {
  readonly name: string
  readonly unit: string
  readonly better: 'more' | 'less'
}

/** One subject held against another: its value divided by the other's. */
export interface Comparison {
  readonly subject: string
  readonly rival: string
  /** What the ratio is to reach, or to stay below where less is better; none where it is only shown. */
  readonly goal?: number
  /** Of which figure; of the first if left out. */
  readonly figure?: string
}

/** How long a measurement takes: `quick` tells whether it works, not how fast it is. */
export type Scale = 'quick' | 'full'

export interface MeasureOptions {
  readonly scale: Scale
  /** The folder for CPU profiles; null for none. */
  readonly profiles: string | null
}

/** What all rounds of one subject share. */
export interface Prepared {
  measure(): Promise<Measured>
  close?(): Promise<void>
}

export interface Question {
  readonly name: string
  readonly title: string
  readonly figures: readonly Figure[]
  /** Name → title, in the order in which they run, round by round. */
  readonly subjects: Readonly<Record<string, string>>
  readonly comparisons: readonly Comparison[]
  /** Where they are not as many as usual: a measurement is very short, or long. */
  readonly rounds?: Partial<Readonly<Record<Scale, number>>>
  prepare(subject: string, options: MeasureOptions): Promise<Prepared>
}

/** One subject against all others, some of them with a goal. */
export const against = (
  subject: string,
  rivals: readonly string[],
  goals: Readonly<Record<string, number>> = {},
  figure = ''
): Comparison[] =>
  rivals
    .filter(rival => rival !== subject)
    .map(rival => {
      const goal = goals[rival]
      return { subject, rival, figure, ...(goal === undefined ? {} : { goal }) }
    })
