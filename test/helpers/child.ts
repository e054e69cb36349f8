// Another process: a piece of TypeScript run on its own, so that what it leaves behind, what it warns of and how it
// crashes can be seen.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const { PATH } = process.env

const root = fileURLToPath(new URL('../..', import.meta.url))

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the text as a module in the project's folder, until it ends by itself or `ms` have passed. */
export const run = (script: string, env: NodeJS.ProcessEnv = {}, ms = 30_000): Promise<Ran> =>
  node(['--input-type=module', '--expose-gc', '--eval', script], env, ms)

/** Runs a program of the project's in its folder, until it ends by itself or `ms` have passed (code null then). */
export const runFile = (
  file: string,
  args: readonly string[],
  ms = 60_000,
  flags: readonly string[] = []
): Promise<Ran> => node([...flags, file, ...args], {}, ms)

function node(args: readonly string[], env: NodeJS.ProcessEnv, timeout: number): Promise<Ran> {
  const child = spawn(process.execPath, ['--import=tsx', ...args], {
    cwd: root,
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout
  })
  let [out, err] = ['', '']
  child.stdout.on('data', chunk => {
    out += chunk
  })
  child.stderr.on('data', chunk => {
    err += chunk
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', code => resolve({ code, out, err }))
  })
}
