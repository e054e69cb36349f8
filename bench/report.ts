// The report: samples in, medians, ratios and verdicts out, as a table for the terminal and as JSON. Ratios are
// taken within each round, since only what ran side by side can be compared, and the median of them counts.

import type { Measured, Question } from './question.ts'
import { SUBJECTS, type SubjectName } from './subjects/index.ts'

/** All rounds of one question: subject → a sample a round. */
export interface Answer {
  readonly question: Question
  readonly samples: ReadonlyMap<SubjectName, readonly Measured[]>
}

export interface Result {
  readonly question: string
  readonly subject: SubjectName
  readonly value: number
  readonly unit: string
  readonly spread: Spread
  /** In µs a message. */
  readonly wall: number
  readonly senderCpu: number
  readonly receiverCpu: number
  /** Against whom, where this is stalk's; one result a rival. */
  readonly rival: SubjectName | null
  readonly rivalValue: number | null
  readonly ratio: number | null
  readonly ratioSpread: Spread | null
  readonly goal: number | null
  readonly met: boolean | null
}

type Spread = readonly [least: number, most: number]

const OURS: SubjectName = 'stalk'

export function resultsOf({ question, samples }: Answer): Result[] {
  const ours = samples.get(OURS) ?? []
  const rivals = [...samples].filter(([subject]) => subject !== OURS)
  const compared = rivals.map(([rival, theirs]) => compare(question, ours, rival, theirs))
  const others = rivals.map(([subject, theirs]) => plain(question, subject, theirs))
  if (ours.length === 0) return others
  return [...(compared.length > 0 ? compared : [plain(question, OURS, ours)]), ...others]
}

function plain({ name, unit }: Question, subject: SubjectName, samples: readonly Measured[]): Result {
  const pick = (key: keyof Measured): number => median(samples.map(sample => sample[key]))
  return {
    question: name,
    subject,
    value: pick('value'),
    unit,
    spread: spreadOf(samples.map(({ value }) => value)),
    wall: pick('wall'),
    senderCpu: pick('senderCpu'),
    receiverCpu: pick('receiverCpu'),
    rival: null,
    rivalValue: null,
    ratio: null,
    ratioSpread: null,
    goal: null,
    met: null
  }
}

function compare(
  question: Question,
  ours: readonly Measured[],
  rival: SubjectName,
  theirs: readonly Measured[]
): Result {
  const ratios = ours.flatMap(({ value }, round) => {
    const other = theirs[round]
    return other ? [value / other.value] : []
  })
  const ratio = ratios.length > 0 ? median(ratios) : null
  const goal = question.goals.find(candidate => candidate.rival === rival)?.atLeast ?? null
  return {
    ...plain(question, OURS, ours),
    rival,
    rivalValue: median(theirs.map(({ value }) => value)),
    ratio,
    ratioSpread: ratio === null ? null : spreadOf(ratios),
    goal,
    met: goal === null || ratio === null ? null : ratio >= goal
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  return ((sorted[Math.floor(middle)] as number) + (sorted[Math.ceil(middle)] as number)) / 2
}

const spreadOf = (values: readonly number[]): Spread => [Math.min(...values), Math.max(...values)]

// --- the table ---------------------------------------------------------------------------------------------

const HEAD = ['', 'median', 'least to most', 'wall', 'CPU sender', 'CPU receiver', 'stalk is', 'goal', '']

/** One table; times are in µs a message. */
export function tableOf(answers: readonly Answer[]): string {
  const blocks = answers.map(answer => {
    const { title, unit } = answer.question
    return { title: `${title}, ${unit}`, rows: rowsOf(answer) }
  })
  const all = [HEAD, ...blocks.flatMap(({ rows }) => rows)]
  const widths = HEAD.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => pad(cell, i, widths))
      .join('  ')
      .trimEnd()
  return [line(HEAD), ...blocks.flatMap(({ title, rows }) => ['', title, ...rows.map(line)])].join('\n')
}

const pad = (cell: string, column: number, widths: readonly number[]): string =>
  column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)

function rowsOf(answer: Answer): string[][] {
  const results = resultsOf(answer)
  return [...answer.samples.keys()].map(subject => {
    const own = results.find(result => result.subject === subject) as Result
    const against = results.find(({ rival }) => rival === subject)
    return [`  ${SUBJECTS[subject]}`, ...figures(own), ...verdict(against)]
  })
}

const figures = ({ value, spread, wall, senderCpu, receiverCpu }: Result): string[] => [
  short(value),
  `${short(spread[0])} to ${short(spread[1])}`,
  wall.toPrecision(3),
  senderCpu.toPrecision(3),
  receiverCpu === 0 ? '' : receiverCpu.toPrecision(3)
]

function verdict(result: Result | undefined): string[] {
  if (!result?.ratio || !result.ratioSpread) return ['', '', '']
  const [least, most] = result.ratioSpread
  const ratio = `${result.ratio.toFixed(2)} × (${least.toFixed(2)} to ${most.toFixed(2)})`
  if (result.goal === null) return [ratio, '', '']
  return [ratio, `≥ ${result.goal.toFixed(1)}`, result.met ? 'met' : 'missed']
}

const short = (value: number): string =>
  value >= 10_000 ? `${(value / 1_000).toFixed(0)} k` : value.toPrecision(3)
