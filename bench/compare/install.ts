// Installs the rivals beside this file when they are asked for and not there yet. Nothing of theirs is run for it:
// whose native part is not in its package can't be measured, and is left out with the reason.

import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const HERE = import.meta.dirname

const read = (...path: string[]) => JSON.parse(readFileSync(join(HERE, ...path), 'utf8'))

const wanted = (): string[] => Object.keys(read('package.json').optionalDependencies)

const folderOf = (name: string): string => join('node_modules', name)

/** Of the rivals that are there. */
export const rivalVersions = (): Record<string, string> =>
  Object.fromEntries(
    MEASURED.filter(name => existsSync(join(HERE, folderOf(name)))).map(name => [
      name,
      read(folderOf(name), 'package.json').version
    ])
  )

/** The rivals themselves; the others are what they need. */
const MEASURED = ['@hyperswarm/secret-stream', 'zeromq', '@chainsafe/libp2p-noise', 'ws']

/** Tells what it does; an installation that fails is no error, only fewer rivals. */
export async function installRivals(tell: (text: string) => void): Promise<void> {
  const absent = wanted().filter(name => !existsSync(join(HERE, folderOf(name))))
  if (absent.length === 0) return
  tell(`installing into bench/compare, once: ${absent.join(', ')} …`)
  const { npm_execpath: npm } = process.env
  const [program, first] = npm ? [process.execPath, [npm]] : ['npm', []]
  try {
    await promisify(execFile)(program, [...first, 'install', '--no-save'], { cwd: HERE })
  } catch (error) {
    tell(`npm could not install them: ${String(error).split('\n')[0]}`)
  }
}
