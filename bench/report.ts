// The report for the terminal: one table of all answers.

import { short } from './numbers.ts'
import type { Figure } from './question.ts'
import { type Answer, nameOf, plain, type Result, resultsOf, titleOf } from './results.ts'

const HEAD = [
  '',
  'median',
  'least to most',
  'wall',
  'CPU sender',
  'CPU receiver',
  'stalk is',
  'of its CPU',
  'goal',
  ''
]

type Row = readonly string[]

interface Block {
  readonly title: string
  readonly rows: readonly Row[]
}

/** One table; times in the middle are in µs a message. */
export function tableOf(answers: readonly Answer[]): string {
  const blocks = answers.flatMap(answer => answer.question.figures.map(figure => blockOf(answer, figure)))
  const all = [HEAD, ...blocks.flatMap(({ rows }) => rows)]
  const widths = HEAD.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: Row): string =>
    row
      .map((cell, column) => pad(cell, column, widths))
      .join('  ')
      .trimEnd()
  return [line(HEAD), ...blocks.flatMap(({ title, rows }) => ['', title, ...rows.map(line)])].join('\n')
}

const pad = (cell: string, column: number, widths: readonly number[]): string =>
  column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)

function blockOf(answer: Answer, figure: Figure): Block {
  const results = resultsOf(answer).filter(({ question }) => question === nameOf(answer.question, figure))
  const { subjects } = answer.question
  const rows = [...answer.samples.keys()].flatMap(subject => {
    const title = `  ${subjects[subject] ?? subject}`
    const missing = answer.missing.get(subject)
    if (missing !== undefined) return [[`${title}: ${missing}`]]
    const own = plain(answer, figure, subject)
    if (!own) return []
    const [first = NO_VERDICT, ...more] = results.filter(({ rival }) => rival === subject).map(verdictOf)
    const blank = Array.from({ length: 6 }, () => '')
    return [[title, ...figures(own), ...first], ...more.map(verdict => [...blank, ...verdict])]
  })
  return { title: `${titleOf(answer.question, figure)}, ${figure.unit}`, rows }
}

function figures({ value, spread, cost }: Result): string[] {
  const shown = [short(value), `${short(spread[0])} to ${short(spread[1])}`]
  if (!cost) return [...shown, '', '', '']
  const { wall, senderCpu, receiverCpu } = cost
  return [...shown, short(wall), short(senderCpu), receiverCpu === 0 ? '' : short(receiverCpu)]
}

const NO_VERDICT = ['', '', '', '']

function verdictOf({ subject, better, ratio, ratioSpread, cpuRatio, goal, met }: Result): string[] {
  if (ratio === null || ratioSpread === null) return NO_VERDICT
  const [least, most] = ratioSpread
  const who = subject === 'stalk' ? '' : `${subject.replace(/^.*\//, '')}: `
  const text = `${who}${ratio.toFixed(2)} × (${least.toFixed(2)} to ${most.toFixed(2)})`
  const cpu = cpuRatio === null ? '' : `${cpuRatio.toFixed(2)} ×`
  if (goal === null) return [text, cpu, '', '']
  return [text, cpu, `${better === 'more' ? '≥' : '≤'} ${goal}`, met ? 'met' : 'missed']
}
