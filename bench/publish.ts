// npm run bench -- --publish
//
// What the repository shows of a run: its results, the chart of them, and the README's part. This file alone draws the
// last two anew from the first: node --import=tsx bench/publish.ts

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { chartOf } from './chart.ts'
import { withPage } from './page.ts'
import type { Written } from './results.ts'

const ROOT = join(import.meta.dirname, '..')

export const RESULTS = join(ROOT, 'bench/results/latest.json')
export const CHART = join(ROOT, 'bench/results/chart.svg')
export const README = join(ROOT, 'README.md')

export const readResults = (file: string): Written => JSON.parse(readFileSync(file, 'utf8')) as Written

export const writeResults = (file: string, results: Written): void =>
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)

/** From the results that are there. */
export function publish(): void {
  const results = readResults(RESULTS)
  writeFileSync(CHART, chartOf(results))
  writeFileSync(README, withPage(readFileSync(README, 'utf8'), results))
}

if (process.argv[1] === import.meta.filename) publish()
