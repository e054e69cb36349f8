// `--key-log FILE`: where the secrets of connections go, for `stalk inspect`. Knows a file and who may read it; what the
// lines say is the library's.

import { fstatSync, openSync, writeSync } from 'node:fs'
import type { StalkOptions } from '../index.ts'
import type { Args, Option } from './args.ts'
import { CommandError, EXIT } from './exit.ts'
import type { Shell } from './shell.ts'
import type { Voice } from './voice.ts'

export const KEY_LOG: Option = {
  name: 'key-log',
  value: 'FILE',
  text: 'append the secrets to FILE, for `stalk inspect`; whoever reads it can read all that is sent'
}

/** As the library takes it. Throws a CommandError with EXIT.keys for a file that is not fit to hold keys. */
export function keyLogOf(args: Args, { voice }: Shell): Pick<StalkOptions, 'keyLog' | 'allowKeyLog'> {
  const file = args.text('key-log')
  if (file === undefined) return {}
  const descriptor = openFor(file)
  sayWarnings(voice)
  let failed = false
  const keyLog = (line: string): void => {
    try {
      if (!failed) writeSync(descriptor, `${line}\n`)
    } catch (error) {
      failed = true
      voice.complain('error', { text: `cannot write to ${file}: ${(error as Error).message}`, hints: [] })
    }
  }
  return { keyLog, allowKeyLog: true }
}

const PRIVATE_MODE = 0o600
const OTHERS = 0o077

function openFor(file: string): number {
  const descriptor = opened(file)
  const { mode, isFile } = statOf(descriptor)
  if (process.platform === 'win32' || !isFile || (mode & OTHERS) === 0) return descriptor
  throw new CommandError(EXIT.keys, `others can get at ${file}, which is no place for keys`, [
    `chmod 600 ${file}`
  ])
}

function opened(file: string): number {
  try {
    return openSync(file, 'a', PRIVATE_MODE)
  } catch (error) {
    throw new CommandError(EXIT.keys, `cannot write to ${file}: ${(error as Error).message}`)
  }
}

function statOf(descriptor: number): { mode: number; isFile: boolean } {
  const stat = fstatSync(descriptor)
  return { mode: stat.mode, isFile: stat.isFile() }
}

/** What node would print in its own manner, the library's warning above all. */
function sayWarnings(voice: Voice): void {
  process.removeAllListeners('warning').on('warning', ({ message: text, code }: Warning) => {
    voice.event('warning', { code, text }, `warning: ${text}${code ? ` (${code})` : ''}`)
  })
}

interface Warning extends Error {
  readonly code?: string
}
