// The real ssh-keygen and openssl, for comparison. Tests that need one are skipped where it is absent.

import { execFileSync, spawnSync } from 'node:child_process'

export const run = (tool: string, ...args: string[]): string =>
  execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })

/** For a test's `skip`: false if the tool is there, else the reason. */
const skipWithout = (tool: string, arg: string): string | false =>
  spawnSync(tool, [arg]).error === undefined ? false : `${tool} is not installed: nothing to compare with`

export const noSshKeygen = skipWithout('ssh-keygen', '-?')
export const noOpenssl = skipWithout('openssl', 'version')
export const noModes = process.platform === 'win32' ? 'Windows has no such file modes' : false
