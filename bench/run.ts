// npm run bench -- [--quick] [--rounds N] [--only TEXT] [--subjects A,B] [--json FILE] [--publish] [--profile FOLDER]
// npm run bench -- --chart FILE.json OUT.svg
//
// Asks the questions and shows one table of the answers. Progress goes to stderr while it runs.

import { mkdirSync, writeFileSync } from 'node:fs'
import { relative } from 'node:path'
import { ask } from './ask.ts'
import { chartOf } from './chart.ts'
import { installRivals } from './compare/install.ts'
import { headLine, machineOf, versionsOf } from './machine.ts'
import { planOf, roundsOf } from './plan.ts'
import { CHART, publish, README, RESULTS, readResults, writeResults } from './publish.ts'
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
  if (plan.chart) return writeFileSync(plan.chart.to, chartOf(readResults(plan.chart.from)))
  if (plan.profiles !== null) mkdirSync(plan.profiles, { recursive: true })
  const names = plan.questions.flatMap(({ subjects }) => Object.keys(subjects))
  if (names.some(name => isRival(name) && (plan.subjects?.has(name) ?? true)))
    await installRivals(console.log)
  const machine = machineOf()
  const versions = versionsOf()
  const rounds = roundsOf({}, plan)
  console.log(`${headLine(machine, versions)}; ${rounds} rounds${plan.scale === 'quick' ? ', quick' : ''}`)
  console.log('times in µs a message; "stalk is": the median of the ratios within each round\n')
  const { scale, command } = plan
  const resultsOf = (all: readonly Answer[]) => written(all, { machine, versions, command, scale, rounds })
  const answers: Answer[] = []
  for (const question of plan.questions) {
    try {
      answers.push(await ask(question, plan, progress))
      if (plan.json !== null) writeResults(plan.json, resultsOf(answers)) // what there is, should the rest be cut off
    } catch (error) {
      progress('')
      console.error(`${question.name} could not be answered:`, error)
      process.exitCode = 1
    }
  }
  progress('')
  console.log(tableOf(answers))
  if (!plan.publish || process.exitCode) return
  writeResults(RESULTS, resultsOf(answers))
  publish()
  console.log(`\nwritten: ${[RESULTS, CHART, README].map(file => relative('', file)).join(', ')}`)
}

await main(process.argv.slice(2))
