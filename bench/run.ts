// npm run bench -- [--quick] [--rounds N] [--only TEXT] [--subjects A,B] [--json FILE] [--profile FOLDER]
//
// Asks every question of every subject, round by round, one after the other within a round (A B C A B C), after a
// round that does not count. Each measurement has processes of its own, which warm up by themselves as well.

import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { headLine, machineOf, versionsOf } from './machine.ts'
import { oneWayQuestions } from './one-way.ts'
import type { Measured, MeasureOptions, Question } from './question.ts'
import { type Answer, resultsOf, tableOf } from './report.ts'
import { SUBJECTS, type SubjectName } from './subjects/index.ts'

const QUESTIONS: readonly Question[] = [...oneWayQuestions]

const ROUNDS = { quick: 2, full: 5 } as const

interface Plan extends MeasureOptions {
  readonly questions: readonly Question[]
  readonly subjects: ReadonlySet<SubjectName>
  readonly rounds: number
  readonly json: string | undefined
}

function planOf(args: string[]): Plan {
  const { values } = parseArgs({
    args,
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
    questions: QUESTIONS.filter(({ name }) => name.includes(values.only)),
    subjects: subjectsOf(values.subjects),
    json: values.json,
    profiles: values.profile ?? null
  }
}

function subjectsOf(list: string | undefined): ReadonlySet<SubjectName> {
  const known = Object.keys(SUBJECTS) as SubjectName[]
  if (list === undefined) return new Set(known)
  return new Set(
    list.split(',').map(name => {
      const found = known.find(candidate => candidate === name)
      if (found) return found
      throw new Error(`there is no subject ${name}; there are ${known.join(', ')}`)
    })
  )
}

/** Quick or profiled, a run tells nothing by its first round that it would not tell by the next. */
async function answer(question: Question, plan: Plan): Promise<Answer> {
  const subjects = question.subjects.filter(subject => plan.subjects.has(subject))
  const samples = new Map<SubjectName, Measured[]>(subjects.map(subject => [subject, []]))
  const measures = await Promise.all(subjects.map(subject => question.prepare(subject, plan)))
  const discarded = plan.scale === 'full' && plan.profiles === null ? 1 : 0
  for (let round = 0; round < plan.rounds + discarded; round++) {
    for (const [place, subject] of subjects.entries()) {
      progress(`${question.name}: round ${round + 1 - discarded} of ${plan.rounds}, ${subject}`)
      const measured = await measures[place]?.()
      if (measured && round >= discarded) samples.get(subject)?.push(measured)
    }
  }
  progress('')
  return { question, samples }
}

/** One line that is written over; nothing where nobody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}

async function main(): Promise<void> {
  const plan = planOf(process.argv.slice(2))
  if (plan.profiles !== null) mkdirSync(plan.profiles, { recursive: true })
  const machine = machineOf()
  const versions = versionsOf()
  console.log(
    `${headLine(machine, versions)}; ${plan.rounds} rounds${plan.scale === 'quick' ? ', quick' : ''}`
  )
  console.log('times in µs a message; "stalk is": the median of the ratios within each round\n')
  const answers: Answer[] = []
  for (const question of plan.questions) answers.push(await answer(question, plan))
  console.log(tableOf(answers))
  if (plan.json === undefined) return
  const results = answers.flatMap(resultsOf)
  writeFileSync(
    plan.json,
    `${JSON.stringify({ machine, versions, rounds: plan.rounds, results }, null, 2)}\n`
  )
}

await main()
