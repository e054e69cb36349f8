// The command line of the model: `npm run model -- --runs N [--seed S]`. Knows what is asked for and how it is told;
// the runs know how.

import { parseArgs } from 'node:util'
import { run } from './run.ts'

const USAGE = `usage: npm run model -- [--runs N] [--seed S] [--lanes N] [--path P]

--runs: how many schedules, default 1,000. --seed: default, another one each time. --lanes: how many are played at a
time, default 1: then what each of them leaves behind is looked for as well. --path: the one schedule of a seed that
fast-check names, and how it was shrunk.`

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '1000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    lanes: { type: 'string', default: '1' },
    path: { type: 'string' }
  }
})
const [runs, seed, lanes] = [values.runs, values.seed, values.lanes].map(Number) as [number, number, number]

const TERMINAL_MS = 1_000
const LINE_MS = 60_000
const { stdout } = process
const started = performance.now()
let played = 0
let told = started

function progress(): void {
  played += 1
  if (performance.now() - told < (stdout.isTTY ? TERMINAL_MS : LINE_MS)) return
  told = performance.now()
  const line = `${Math.round((told - started) / 1_000)} s  ${played} of ${runs} schedules`
  stdout.write(stdout.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
}

if ([runs, seed, lanes].every(value => Number.isSafeInteger(value)) && runs > 0 && lanes > 0) {
  console.log(`seed ${seed}`)
  const found = await run({ runs, seed, lanes, path: values.path, played: progress })
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  for (const text of found) console.log(text)
  console.log(`${played} schedules played, ${found.length} finds`)
  process.exitCode = found.length > 0 ? 1 : 0
} else {
  console.error(USAGE)
  process.exitCode = 2
}
