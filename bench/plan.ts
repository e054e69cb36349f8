// What a run of the bench is to do, from its arguments.

import { parseArgs } from 'node:util'
import type { MeasureOptions, Question } from './question.ts'

export interface Plan extends MeasureOptions {
  readonly questions: readonly Question[]
  /** Null for all. */
  readonly subjects: ReadonlySet<string> | null
  /** Null for each question's own. */
  readonly rounds: number | null
  /** What measures the same, wherever the results go. */
  readonly command: string
  /** Where to write the results. */
  readonly json: string | null
  /** Whether the repository is to show them. */
  readonly publish: boolean
  /** Draw this file's chart into that one, and measure nothing. */
  readonly chart: { readonly from: string; readonly to: string } | null
}

const ROUNDS = { quick: 1, full: 5 } as const

export const roundsOf = ({ rounds }: Partial<Question>, plan: Plan): number =>
  plan.rounds ?? rounds?.[plan.scale] ?? ROUNDS[plan.scale]

export function planOf(args: readonly string[], all: readonly Question[]): Plan {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      subjects: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'string' },
      publish: { type: 'boolean', default: false },
      chart: { type: 'string' }
    }
  })
  const scale = values.quick ? 'quick' : 'full'
  const rounds = values.rounds === undefined ? null : Number(values.rounds)
  if (rounds !== null && !(Number.isInteger(rounds) && rounds > 0))
    throw new Error('--rounds takes a whole number from 1 on')
  return {
    scale,
    rounds,
    questions: questionsOf(values.only, all),
    subjects: subjectsOf(values.subjects, all),
    command: commandOf(values),
    json: values.json ?? null,
    publish: values.publish,
    chart: chartOf(values.chart, positionals),
    profiles: values.profile ?? null
  }
}

interface Measuring {
  readonly quick: boolean
  readonly rounds?: string
  readonly only: string
  readonly subjects?: string
}

function commandOf({ quick, rounds, only, subjects }: Measuring): string {
  const words = [
    quick ? '--quick' : '',
    rounds ? `--rounds ${rounds}` : '',
    only ? `--only ${only}` : '',
    subjects ? `--subjects ${subjects}` : ''
  ].filter(word => word !== '')
  return ['npm run bench', ...(words.length > 0 ? ['--', ...words] : [])].join(' ')
}

function chartOf(from: string | undefined, [to, ...more]: readonly string[]): Plan['chart'] {
  if (from === undefined && to === undefined) return null
  if (from !== undefined && to !== undefined && more.length === 0) return { from, to }
  throw new Error('only --chart FILE.json takes a further word, OUT.svg')
}

function questionsOf(only: string, all: readonly Question[]): Question[] {
  const found = all.filter(({ name }) => name.includes(only))
  if (found.length > 0) return found
  throw new Error(`no question has ${only} in its name; there are ${all.map(({ name }) => name).join(', ')}`)
}

function subjectsOf(list: string | undefined, all: readonly Question[]): ReadonlySet<string> | null {
  if (list === undefined) return null
  const known = new Set(all.flatMap(({ subjects }) => Object.keys(subjects)))
  const names = list.split(',')
  for (const name of names) {
    if (!known.has(name)) throw new Error(`there is no subject ${name}; there are ${[...known].join(', ')}`)
  }
  return new Set(names)
}
