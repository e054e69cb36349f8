// For tests of the command line: starts the real program, types into it, and reads what it says.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Identity } from '../../lib/index.ts'

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

/** The whole command line that runs the program. */
export const commandOf = (args: readonly string[]): string[] => [
  process.execPath,
  '--import=tsx',
  MAIN,
  ...args
]

export interface Setting {
  /** STALK_HOME. */
  home?: string
  /** All of standard input; without it, it stays open. */
  input?: string | Buffer
  env?: Record<string, string>
}

/** A process that runs `stalk`. */
export class Stalk {
  stdout = ''
  stderr = ''
  readonly child: ChildProcess
  /** The exit code, or the signal that killed it. */
  readonly exit: Promise<number | string | null>
  #look: () => void = () => {}

  constructor(args: readonly string[], { home = '/nonexistent', input, env = {} }: Setting = {}) {
    const { NO_COLOR, FORCE_COLOR, NODE_OPTIONS, ...inherited } = process.env
    const [program = '', ...rest] = commandOf(args)
    this.child = spawn(program, rest, {
      env: { ...inherited, STALK_HOME: home, ...env },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    this.child.stdout?.setEncoding('utf8').on('data', text => this.#heard('stdout', text))
    this.child.stderr?.setEncoding('utf8').on('data', text => this.#heard('stderr', text))
    this.stdin.on('error', () => {}) // it may have ended before it read everything
    if (input !== undefined) this.stdin.end(input)
    this.exit = new Promise(resolve => {
      this.child.on('close', (code, signal) => {
        resolve(code ?? signal)
        this.#look()
      })
    })
  }

  get stdin(): Writable {
    return this.child.stdin as Writable
  }

  /** Fulfilled with the match when standard error, or output, matches. */
  async says(pattern: RegExp, where: 'stdout' | 'stderr' = 'stderr'): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this[where])
      if (match) return match
      if (this.child.exitCode !== null) throw new Error(`it never said ${pattern}:\n${this.stderr}`)
      await new Promise<void>(resolve => {
        this.#look = resolve
      })
    }
  }

  /** The port that `listen` listens on. */
  async port(): Promise<string> {
    return (await this.says(/listening on .*:(\d+)/))[1] as string
  }

  #heard(where: 'stdout' | 'stderr', text: string): void {
    this[where] += text
    this.#look()
  }
}

/** Runs it to its end. */
export async function run(args: readonly string[], setting: Setting = {}): Promise<Stalk> {
  const stalk = new Stalk(args, { input: '', ...setting })
  await stalk.exit
  return stalk
}

/** A folder with an identity in it, below `dir`. */
export async function makeHome(
  dir: string,
  name: string,
  type: 'rsa' | 'ed25519' = 'ed25519'
): Promise<{ home: string; identity: Identity }> {
  const home = join(dir, name)
  mkdirSync(home)
  const identity = await Identity.generate({ type })
  await identity.save({ privateFile: join(home, 'id_priv'), publicFile: join(home, 'id_pub') })
  return { home, identity }
}

export const lines = (text: string): string[] => text.split('\n').filter(line => line !== '')

/** NDJSON to values. */
export const parsed = (text: string): Record<string, unknown>[] => lines(text).map(line => JSON.parse(line))
