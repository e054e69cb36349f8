// npm run mutate -- lib/wire/frame.ts …: every named file of lib is changed in one small place after the other, and
// its tests have to notice each time. Prints what went unnoticed and a table of figures. A folder stands for its
// files, lib/wire/frame.ts:40-60 for lines of one. Not part of the tests: a file takes minutes. See README.md.

import { existsSync, readdirSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import type { MutantResult } from '@stryker-mutator/api/core'
import { Stryker } from '@stryker-mutator/core'
import { settings } from './settings.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** Tests of files that have none of their own name. */
const TESTED_BY: Record<string, string> = {
  'lib/wire/extensions.ts': 'test/wire/scan.test.ts',
  'lib/wire/keys.ts': 'test/wire/scan.test.ts',
  'lib/wire/locate.ts': 'test/wire/packer.test.ts',
  'lib/wire/tokens.ts': 'test/wire/scan.test.ts'
}

const VECTORS = 'test/vectors.test.ts'

/** What tests say of a change: it failed one, or nothing would start any more. */
const NOTICED = ['Killed', 'RuntimeError']

/** Left out with --checks: what says little of a check. */
const LITERALS = ['ArrayDeclaration', 'ArrowFunction', 'ObjectLiteral', 'Regex', 'StringLiteral']

/** Files by their names in the repository, folders opened. */
const filesIn = (path: string, end: string): string[] =>
  existsSync(path) && statSync(path).isDirectory()
    ? readdirSync(path)
        .filter(name => name.endsWith(end))
        .map(name => join(path, name))
    : [path]

/** A file's own tests and the vectors, or, the own still first, with all others of its folder. */
function testsOf(file: string, all: boolean): string[] {
  const mirror = TESTED_BY[file] ?? file.replace(/^lib/, 'test').replace(/\.ts$/, '.test.ts')
  const folder = all || !existsSync(mirror) ? filesIn(dirname(mirror), '.test.ts') : []
  const own = existsSync(mirror) ? [mirror] : []
  return [...new Set([...own, VECTORS, ...folder])]
}

interface Row {
  readonly file: string
  readonly mutants: number
  readonly killed: number
  readonly timeouts: number
  readonly survived: number
  readonly score: string
}

function rowOf(file: string, mutants: readonly MutantResult[]): Row {
  const tried = mutants.filter(({ status }) => status !== 'Ignored')
  const count = (...wanted: string[]): number => tried.filter(({ status }) => wanted.includes(status)).length
  const [killed, timeouts] = [count(...NOTICED), count('Timeout')]
  const survived = tried.length - killed - timeouts
  const score = `${((100 * (killed + timeouts)) / Math.max(1, tried.length)).toFixed(1)} %`
  return { file, mutants: tried.length, killed, timeouts, survived, score }
}

function tell({ status, fileName, location, mutatorName, replacement }: MutantResult): void {
  const { line, column } = location.start
  const place = `${relative(ROOT, fileName)}:${line}:${column}`
  console.log(`${status} ${place} ${mutatorName}: ${(replacement ?? '').replace(/\s+/g, ' ')}`)
}

async function mutate(named: string, flags: readonly string[]): Promise<Row> {
  const file = named.replace(/:.*/, '')
  const stryker = new Stryker({
    ...settings,
    mutate: [named],
    mutator: { excludedMutations: flags.includes('--checks') ? LITERALS : [] },
    tap: { ...settings.tap, testFiles: testsOf(file, flags.includes('--all')) },
    jsonReporter: { fileName: `.stryker/reports/${file.replaceAll('/', '-')}.json` }
  })
  const mutants = await stryker.runMutationTest()
  for (const mutant of mutants) if (!['Killed', 'Ignored'].includes(mutant.status)) tell(mutant)
  return rowOf(named, mutants)
}

process.chdir(ROOT)
const words = process.argv.slice(2)
const named = words.filter(word => !word.startsWith('--'))
const rows: Row[] = []
for (const file of named.flatMap(name => filesIn(name, '.ts'))) {
  rows.push(await mutate(file, words))
}
console.table(rows)
