// npm run bench -- [--quick] [--rounds N] [--only TEXT] [--subjects A,B] [--json FILE] [--profile FOLDER]
//
// Asks the questions and shows one table of the answers. Progress goes to stderr while it runs.

import { mkdirSync, writeFileSync } from 'node:fs'
import { ask } from './ask.ts'
import { installRivals } from './compare/install.ts'
import { headLine, machineOf, versionsOf } from './machine.ts'
import { planOf } from './plan.ts'
import { QUESTIONS } from './questions/index.ts'
import { tableOf } from './report.ts'
import { type Answer, written } from './results.ts'
import { isRival } from './titles.ts'

/** One line that is written over, or one a question where nobody watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
  else if (text.endsWith('preparing')) process.stderr.write(`${text.replace(': preparing', ' …')}\n`)
}

async function main(args: readonly string[]): Promise<void> {
  const plan = planOf(args, QUESTIONS)
  if (plan.profiles !== null) mkdirSync(plan.profiles, { recursive: true })
  const names = plan.questions.flatMap(({ subjects }) => Object.keys(subjects))
  if (names.some(name => isRival(name) && (plan.subjects?.has(name) ?? true)))
    await installRivals(console.log)
  const machine = machineOf()
  const versions = versionsOf()
  console.log(
    `${headLine(machine, versions)}; ${plan.rounds} rounds${plan.scale === 'quick' ? ', quick' : ''}`
  )
  console.log('times in µs a message; "stalk is": the median of the ratios within each round\n')
  const answers: Answer[] = []
  for (const question of plan.questions) answers.push(await ask(question, plan, progress))
  progress('')
  console.log(tableOf(answers))
  if (plan.json === null) return
  const { scale, rounds } = plan
  const command = ['npm run bench --', ...args].join(' ')
  const file = written(answers, { machine, versions, command, scale, rounds })
  writeFileSync(plan.json, `${JSON.stringify(file, null, 2)}\n`)
}

await main(process.argv.slice(2))
