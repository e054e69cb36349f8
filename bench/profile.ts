// node --import=tsx bench/profile.ts FOLDER [ROWS]
//
// Where the time goes: the functions with the most time of their own, of every role that was run with
// `npm run bench -- --profile FOLDER`, warm-up included. Knows the format in which V8 writes profiles.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

interface Profile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  /** From the sample before, in µs. */
  readonly timeDeltas: readonly number[]
}

const NOT_OURS = new Set(['(idle)', '(root)'])

/** Function → µs. */
function selfTimes({ nodes, samples, timeDeltas }: Profile): Map<string, number> {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  for (const [index, id] of samples.entries()) {
    const name = names.get(id) ?? '?'
    if (!NOT_OURS.has(name)) times.set(name, (times.get(name) ?? 0) + (timeDeltas[index] ?? 0))
  }
  return times
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  const file = url.replace(/^.*\/(node_modules|dist|bench)\//, '$1/')
  return url === '' ? functionName : `${functionName || '(anonymous)'}  ${file}:${lineNumber + 1}`
}

function show(role: string, profile: Profile, rows: number): void {
  const times = [...selfTimes(profile)].sort(([, a], [, b]) => b - a)
  const all = times.reduce((sum, [, time]) => sum + time, 0)
  console.log(`\n${role}: ${(all / 1_000).toFixed(0)} ms of work`)
  for (const [name, time] of times.slice(0, rows)) {
    console.log(`${((time / all) * 100).toFixed(1).padStart(6)} %  ${name}`)
  }
}

const [folder = '', rows = '25'] = process.argv.slice(2)
for (const file of readdirSync(folder)) {
  show(file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile, Number(rows))
}
