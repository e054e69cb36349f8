// What a run of the bench is to do, from its arguments.

import { parseArgs } from 'node:util'
import type { MeasureOptions, Question } from './question.ts'

export interface Plan extends MeasureOptions {
  readonly questions: readonly Question[]
  /** Null for all. */
  readonly subjects: ReadonlySet<string> | null
  readonly rounds: number
  readonly json: string | null
}

const ROUNDS = { quick: 2, full: 5 } as const

export function planOf(args: readonly string[], all: readonly Question[]): Plan {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      subjects: { type: 'string' },
      json: { type: 'string' },
      profile: { type: 'string' }
    }
  })
  const scale = values.quick ? 'quick' : 'full'
  const rounds = values.rounds === undefined ? ROUNDS[scale] : Number(values.rounds)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds takes a whole number from 1 on')
  return {
    scale,
    rounds,
    questions: questionsOf(values.only, all),
    subjects: subjectsOf(values.subjects, all),
    json: values.json ?? null,
    profiles: values.profile ?? null
  }
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
