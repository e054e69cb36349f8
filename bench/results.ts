// Results: samples in, medians, ratios and verdicts out, and what is written to a JSON file. Ratios are taken within
// each round, since only what ran side by side can be compared, and the median of them counts.

import type { Machine, Versions } from './machine.ts'
import type { Comparison, Cost, Figure, Measured, Question, Scale } from './question.ts'

/** All rounds of one question: subject → a sample a round. */
export interface Answer {
  readonly question: Question
  readonly samples: ReadonlyMap<string, readonly Measured[]>
  /** Subject → why it could not be measured. */
  readonly missing: ReadonlyMap<string, string>
}

export type Spread = readonly [least: number, most: number]

export interface Result {
  readonly question: string
  readonly subject: string
  readonly value: number
  readonly unit: string
  readonly better: Figure['better']
  readonly spread: Spread
  /** In µs a message, where messages were sent. */
  readonly cost: Cost | null
  /** Against whom; one result a comparison, and one without for who is not compared with anyone. */
  readonly rival: string | null
  readonly rivalValue: number | null
  readonly ratio: number | null
  readonly ratioSpread: Spread | null
  /** The same of the CPU time of both ends, where messages were sent: others on the machine disturb it less. */
  readonly cpuRatio: number | null
  readonly goal: number | null
  readonly met: boolean | null
}

/** What is written to a file. */
export interface Written {
  readonly machine: Machine
  readonly versions: Versions
  readonly command: string
  readonly scale: Scale
  readonly rounds: number
  readonly titles: {
    readonly questions: Readonly<Record<string, string>>
    readonly subjects: Readonly<Record<string, string>>
  }
  readonly results: readonly Result[]
  readonly missing: readonly {
    readonly question: string
    readonly subject: string
    readonly reason: string
  }[]
}

const NO_RIVAL = {
  rival: null,
  rivalValue: null,
  ratio: null,
  ratioSpread: null,
  cpuRatio: null,
  goal: null,
  met: null
} as const

export const nameOf = ({ name }: Question, figure: Figure): string =>
  figure.name === '' ? name : `${name} ${figure.name}`

/** Each subject with each of its comparisons, or alone if it has none. */
export const resultsOf = (answer: Answer): Result[] =>
  answer.question.figures.flatMap(figure =>
    [...answer.samples.keys()].flatMap(subject => {
      const own = plain(answer, figure, subject)
      if (!own) return []
      const compared = answer.question.comparisons
        .filter(comparison => comparison.subject === subject && isOf(comparison, figure, answer.question))
        .flatMap(comparison => compare(answer, figure, own, comparison))
      return compared.length > 0 ? compared : [own]
    })
  )

const isOf = ({ figure }: Comparison, { name }: Figure, { figures }: Question): boolean =>
  (figure || figures[0]?.name) === name

const valuesOf = ({ question, samples }: Answer, figure: Figure, subject: string): number[] => {
  const at = question.figures.indexOf(figure)
  return (samples.get(subject) ?? []).map(({ values }) => values[at] as number)
}

export function plain(answer: Answer, figure: Figure, subject: string): Result | null {
  const values = valuesOf(answer, figure, subject)
  if (values.length === 0) return null
  const costs = (answer.samples.get(subject) ?? []).flatMap(({ cost }) => cost ?? [])
  const pick = (key: keyof Cost): number => median(costs.map(cost => cost[key]))
  return {
    question: nameOf(answer.question, figure),
    subject,
    value: median(values),
    unit: figure.unit,
    better: figure.better,
    spread: spreadOf(values),
    cost:
      costs.length === 0
        ? null
        : { wall: pick('wall'), senderCpu: pick('senderCpu'), receiverCpu: pick('receiverCpu') },
    ...NO_RIVAL
  }
}

function compare(
  answer: Answer,
  figure: Figure,
  own: Result,
  { subject, rival, goal }: Comparison
): Result[] {
  const ours = valuesOf(answer, figure, subject)
  const theirs = valuesOf(answer, figure, rival)
  const ratios = ratiosOf(ours, theirs)
  const cpuRatios = ratiosOf(cpuOf(answer, subject), cpuOf(answer, rival))
  if (ratios.length === 0) return []
  const ratio = median(ratios)
  return [
    {
      ...own,
      rival,
      rivalValue: median(theirs),
      ratio,
      ratioSpread: spreadOf(ratios),
      cpuRatio: cpuRatios.length > 0 && !figure.unit.includes('CPU') ? median(cpuRatios) : null,
      goal: goal ?? null,
      met: goal === undefined ? null : figure.better === 'more' ? ratio >= goal : ratio <= goal
    }
  ]
}

/** Of each round that both have. */
const ratiosOf = (ours: readonly number[], theirs: readonly number[]): number[] =>
  ours.flatMap((value, round) => {
    const other = theirs[round]
    return other ? [value / other] : []
  })

const cpuOf = ({ samples }: Answer, subject: string): number[] =>
  (samples.get(subject) ?? []).flatMap(({ cost }) => (cost ? cost.senderCpu + cost.receiverCpu : []))

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2
}

const spreadOf = (values: readonly number[]): Spread => [Math.min(...values), Math.max(...values)]

/** What a file is to say of all answers. */
export function written(
  answers: readonly Answer[],
  head: Pick<Written, 'machine' | 'versions' | 'command' | 'scale' | 'rounds'>
): Written {
  const questions = answers.flatMap(({ question }) =>
    question.figures.map(figure => [nameOf(question, figure), titleOf(question, figure)])
  )
  const subjects = answers.flatMap(({ question }) => Object.entries(question.subjects))
  return {
    ...head,
    titles: { questions: Object.fromEntries(questions), subjects: Object.fromEntries(subjects) },
    results: answers.flatMap(resultsOf),
    missing: answers.flatMap(({ question, missing }) =>
      [...missing].map(([subject, reason]) => ({ question: question.name, subject, reason }))
    )
  }
}

export const titleOf = ({ title }: Question, { name }: Figure): string =>
  name === '' ? title : `${title}, ${name}`
