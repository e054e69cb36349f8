// A program for one connection: how it is started, what it is told in its environment, and how it is stopped, with all that
// it has started. Knows processes; knows no connection and no message.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

/** How long a program that was asked to stop may take, in ms. */
const PATIENCE_MS = 2_000

/** What the program learns of its connection. */
export interface About {
  readonly number: number
  /** A fingerprint; null if the peer is anonymous. */
  readonly peer: string | null
  readonly host: string | undefined
  readonly port: number | undefined
}

export class Program {
  static readonly #running = new Set<Program>()
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  /** Null where it ended well; otherwise how it did not, in words. */
  readonly ended: Promise<string | null>

  /** `command` is the shell's. It leads a group of processes, so that Ctrl-C is ours alone. */
  constructor(command: string, about: About, env: NodeJS.ProcessEnv = process.env) {
    this.#child = spawn(command, {
      shell: true,
      detached: true,
      stdio: 'pipe',
      env: environmentOf(about, env)
    })
    if (Program.#running.size === 0) process.on('exit', killAll)
    Program.#running.add(this)
    this.stdin.on('error', () => {}) // it reads no more
    this.ended = new Promise(resolve => {
      this.#child.once('error', error => resolve(`can't be started: ${error.message}`))
      this.#child.once('close', (code, signal) => resolve(wordsOf(code, signal)))
    })
    void this.ended.then(() => {
      Program.#running.delete(this)
      if (Program.#running.size === 0) process.off('exit', killAll)
    })
  }

  static killAll(): void {
    for (const program of Program.#running) program.#kill('SIGKILL')
  }

  get stdin(): Writable {
    return this.#child.stdin
  }

  get stdout(): Readable {
    return this.#child.stdout
  }

  get stderr(): Readable {
    return this.#child.stderr
  }

  /** Asks it to stop, and makes it. Fulfilled when it has. */
  async stop(): Promise<void> {
    this.#kill('SIGTERM')
    const timer = setTimeout(() => this.#kill('SIGKILL'), PATIENCE_MS)
    await this.ended
    clearTimeout(timer)
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid } = this.#child
    if (pid === undefined) return
    try {
      if (process.platform === 'win32') this.#child.kill(signal)
      else process.kill(-pid, signal)
    } catch {
      // it is gone
    }
  }
}

const killAll = (): void => Program.killAll()

/** Ours, but for what opens our keys. */
function environmentOf({ number, peer, host, port }: About, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { STALK_PASSPHRASE, ...rest } = env
  return {
    ...rest,
    STALK_CONNECTION: String(number),
    STALK_PEER: peer ?? '',
    STALK_PEER_HOST: host ?? '',
    STALK_PEER_PORT: port === undefined ? '' : String(port)
  }
}

function wordsOf(code: number | null, signal: string | null): string | null {
  if (code === 0) return null
  return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`
}
