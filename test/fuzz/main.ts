// The command line of campaigns: `npm run campaign -- NAME --minutes N [--seed S]`. Knows what is asked for; the
// campaign knows how.

import './profiler.ts'

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { Campaign } from './campaign.ts'
import { differential, targets } from './catalogue.ts'
import { parseCorpus, readCorpus, writeCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'
import { Finds } from './finds.ts'
import { hasPython } from './judge.ts'
import { known } from './known.ts'
import { type Figures, lineOf, Progress } from './progress.ts'
import { reduce } from './reduce.ts'
import { Runner } from './runner.ts'
import type { Target } from './target.ts'

const USAGE = `usage: npm run campaign -- NAME --minutes N [--seed S] [--out FOLDER] [--keep]
       npm run campaign -- NAME --input HEX|@FILE
       npm run campaign -- --list

NAME is a target, or all: then they share the minutes. --out: where failing inputs and what was kept are written;
default: a new temporary folder. --keep: writes the shortest inputs that reach as much into test/fuzz/corpus.`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: 'string', default: '1' },
    seed: { type: 'string' },
    out: { type: 'string' },
    input: { type: 'string' },
    keep: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false }
  }
})

const all: Target[] = [...targets, ...(hasPython ? differential : [])].map(make => make())

async function run(): Promise<number> {
  if (values.list) return list()
  const chosen = all.filter(({ name }) => positionals[0] === 'all' || positionals[0] === name)
  const minutes = Number(values.minutes)
  if (positionals.length !== 1 || chosen.length === 0 || !(minutes >= 0)) {
    console.error(USAGE)
    return 2
  }
  if (values.input !== undefined) return replay(chosen[0] as Target, values.input)
  return campaigns(chosen, (minutes * 60_000) / chosen.length)
}

function list(): number {
  for (const { name, properties } of all) {
    console.log(`${name}\n${properties.map(property => `    ${property}`).join('\n')}`)
  }
  for (const { target, about } of known) console.log(`known, in ${target}: ${about}`)
  if (!hasPython) console.log('values, conversation: no Python with the packages of test/interop')
  return 0
}

async function replay(target: Target, text: string): Promise<number> {
  const [input = Buffer.alloc(0)] = text.startsWith('@') ? [readFileSync(text.slice(1))] : parseCorpus(text)
  const [outcome] = await new Runner(target).run([input])
  await target.stop?.()
  console.log(outcome?.failure ? outcome.failure.text : `holds: ${outcome?.trait}`)
  return outcome?.failure ? 1 : 0
}

async function campaigns(chosen: readonly Target[], ms: number): Promise<number> {
  const seed = Number(values.seed ?? Date.now() % 2 ** 31)
  const finds = new Finds(values.out)
  console.log(`seed ${seed}, finds in ${finds.folder}`)
  const figures: Figures[] = []
  for (const target of chosen) figures.push(await campaign(target, ms, seed, finds))
  console.log(['', 'summary', ...figures.map(lineOf)].join('\n'))
  const found = figures.reduce((sum, { finds }) => sum + finds, 0)
  console.log(found > 0 ? `${found} finds, in ${finds.folder}` : 'no finds')
  return found > 0 ? 1 : 0
}

async function campaign(target: Target, ms: number, seed: number, finds: Finds): Promise<Figures> {
  const coverage = new Coverage()
  const { name } = target
  const before = (inputs: readonly Buffer[]): void => finds.before(name, inputs)
  const campaign = new Campaign({ target, coverage, seed, corpus: readCorpus(name), before })
  const progress = new Progress(name, campaign, coverage, process.stdout)
  const end = performance.now() + ms
  let told = 0
  await campaign.begin()
  do {
    for (const failure of campaign.failures.slice(told)) {
      progress.end()
      console.log(`${name}: ${failure.finding}\n  ${finds.save(name, failure)}`)
      told++
    }
    progress.tick()
    if (performance.now() < end) await campaign.step()
  } while (performance.now() < end || told < campaign.failures.length)
  progress.end()
  const figures = progress.figures()
  finds.saveCorpus(name, campaign.kept)
  if (values.keep) writeCorpus(name, aboutOf(name), await reduce(target, campaign.kept))
  await target.stop?.()
  return figures
}

const aboutOf = (name: string): string =>
  `Inputs of the target ${name}, one a line; made by: npm run campaign -- ${name} --minutes N --keep`

process.exitCode = await run()
