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
export function run(script: string, env: NodeJS.ProcessEnv = {}, ms = 30_000): Promise<Ran> {
  const args = ['--import=tsx', '--input-type=module', '--expose-gc', '--eval', script]
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: ms
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
