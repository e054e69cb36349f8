// The real ssh-keygen and openssl, for comparison. Tests that need one are skipped where it is absent, but not
// where CI is set: there they have to be installed.

import { execFileSync, spawnSync } from 'node:child_process'

export const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

const { CI } = process.env

/** For a test's `skip`: false if the tool is there, else the reason. */
function skipWithout(tool: string, arg: string): string | false {
  if (spawnSync(tool, [arg]).error === undefined) return false
  if (CI) throw new Error(`${tool} is not installed`)
  return `${tool} is not installed: nothing to compare with`
}

export const noSshKeygen = skipWithout('ssh-keygen', '-?')
export const noOpenssl = skipWithout('openssl', 'version')
export const noModes = process.platform === 'win32' ? 'Windows has no such file modes' : false
