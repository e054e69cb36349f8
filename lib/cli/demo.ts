// `npm start`: two programs talk through stalk, on one machine with nothing prepared, and everything that is
// claimed is checked. Knows the order of the scenes, the temporary folder, signals and exit codes.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Identity } from '../index.ts'
import { type Claim, cutClaims, exitCodeOf, strangerClaims, transferClaims } from './demo-claims.ts'
import { DemoError } from './demo-process.ts'
import { type Cast, type Evidence, type Person, play, type Scene } from './demo-scenes.ts'
import * as words from './demo-words.ts'
import { type Input, InputError, readInput } from './input.ts'
import { Tally, type Total } from './tally.ts'
import { harmless, Terminal } from './terminal.ts'

/** The least that is sent before the wire is cut, in bytes: the handshake is over by then. */
const MIN_CUT_BYTES = 32 * 1024
/** How long the three scenes may take together, in ms. */
const DEADLINE_MS = 14_000
const EXIT_FAILED = 1
const EXIT_USAGE = 2
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

/** The command line or a signal ends the demo, with this code. */
class Leave extends Error {
  readonly code: number

  constructor(code: number, text = '') {
    super(text)
    this.code = code
  }
}

class Demo {
  readonly #terminal = new Terminal()
  readonly #ending = new AbortController()
  readonly #startedAt = performance.now()
  readonly #claims: Claim[] = []
  #casting: Promise<unknown> | undefined

  /** Resolves to the exit code. */
  async run(args: readonly string[]): Promise<number> {
    this.#endOnSignals()
    try {
      await Promise.race([this.#perform(fileOf(args)), this.#interrupted()])
      words.showVerdict(this.#terminal, this.#claims, performance.now() - this.#startedAt)
      return exitCodeOf(this.#claims)
    } catch (error) {
      return this.#explain(error)
    } finally {
      this.#terminal.endProgress()
      await this.#casting?.catch(() => {}) // no key file is written behind our back
      await this.#terminal.drained()
    }
  }

  async #perform(file: string | undefined): Promise<void> {
    const terminal = this.#terminal
    words.showTitle(terminal)
    terminal.progress('  making two RSA-2048 keys …')
    const folder = temporaryFolder()
    const casting = makeCast(folder)
    this.#casting = casting
    const [cast, input] = await Promise.all([casting, readInput(file, () => process.stdin)])
    setTimeout(() => this.#ending.abort(tooLong()), DEADLINE_MS).unref()
    words.showCast(terminal, cast, folder)
    const bytes = await this.#transfer(cast, input)
    await this.#stranger(cast, input)
    await this.#cut(cast, input, bytes)
  }

  /** Scene 1. Resolves to the number of bytes that it took. */
  async #transfer(cast: Cast, input: Input): Promise<number> {
    const { messages, total } = input
    words.showTransferHeading(this.#terminal, input)
    const evidence = await this.#play(cast, { messages, total, expects: cast.listener.fingerprint })
    const { unsendable } = evidence
    if (unsendable) throw new InputError(`${input.place(unsendable.index)}: ${unsendable.text}`)
    words.showTransfer(this.#terminal, evidence, messages[0])
    this.#claim(transferClaims(evidence, cast, totalOf(messages, total), messages[0]))
    return evidence.wire.bytesToListener
  }

  async #stranger(cast: Cast, { messages }: Input): Promise<void> {
    words.showStrangerHeading(this.#terminal)
    const expects = cast.stranger.fingerprint
    const evidence = await this.#play(cast, { messages, total: messages.length, expects })
    words.showStranger(this.#terminal, evidence)
    this.#claim(strangerClaims(evidence, cast))
  }

  async #cut(cast: Cast, { messages }: Input, bytes: number): Promise<void> {
    const cutAfterBytes = Math.max(MIN_CUT_BYTES, Math.round(bytes / 2))
    words.showCutHeading(this.#terminal, cutAfterBytes)
    const total = Number.POSITIVE_INFINITY
    const expects = cast.listener.fingerprint
    const evidence = await this.#play(cast, { messages, total, expects, cutAfterBytes })
    words.showCut(this.#terminal, evidence)
    this.#claim(cutClaims(evidence, count => totalOf(messages, count)))
  }

  #play(cast: Cast, scene: Scene): Promise<Evidence> {
    const count = { connector: 0, listener: 0 }
    return play(scene, cast, this.#ending.signal, (name, messages) => {
      count[name] = messages
      this.#terminal.progress(words.progressText(count, scene.total))
    })
  }

  #claim(claims: Claim[]): void {
    words.showClaims(this.#terminal, claims)
    this.#claims.push(...claims)
  }

  #endOnSignals(): void {
    for (const [signal, code] of Object.entries(SIGNALS)) {
      process.on(signal, () => this.#ending.abort(new Leave(code, `ended by ${signal}`)))
    }
  }

  /** Never fulfilled; rejected with the reason for which the demo is to end. */
  #interrupted(): Promise<never> {
    const { signal } = this.#ending
    return new Promise((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason))
    })
  }

  #explain(error: unknown): number {
    const text = error instanceof Error ? error.message : String(error)
    this.#terminal.endProgress()
    if (error instanceof Leave && error.code === 0) this.#terminal.line(text)
    else for (const line of text.split('\n')) console.error(`stalk demo: ${harmless(line)}`)
    if (error instanceof Leave) return error.code
    if (error instanceof InputError) return EXIT_USAGE
    if (!(error instanceof DemoError)) console.error(error)
    return EXIT_FAILED
  }
}

const tooLong = (): DemoError =>
  new DemoError(`gave up after ${DEADLINE_MS / 1_000} s: a program hangs, or this machine is too slow`)

function fileOf(args: readonly string[]): string | undefined {
  if (args.includes('--help') || args.includes('-h')) throw new Leave(0, words.USAGE)
  const option = args.find(arg => arg.startsWith('-'))
  if (option) throw new Leave(EXIT_USAGE, `there is no option ${option}\n${words.USAGE}`)
  if (args.length > 1) throw new Leave(EXIT_USAGE, `one file at most, not ${args.length}\n${words.USAGE}`)
  return args[0]
}

/** A new folder that goes when this process ends, however it ends. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stalk-demo-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Settles when no file is being written any more. */
async function makeCast(folder: string): Promise<Cast> {
  const making = [
    makePerson(folder, 'listener', 'rsa'),
    makePerson(folder, 'connector', 'rsa'),
    makePerson(folder, 'stranger', 'ed25519')
  ] as const
  await Promise.allSettled(making)
  const [listener, connector, stranger] = await Promise.all(making)
  return { listener, connector, stranger }
}

async function makePerson(folder: string, name: string, type: 'rsa' | 'ed25519'): Promise<Person> {
  const identity = await Identity.generate({ type })
  const privateFile = join(folder, `${name}_priv`)
  await identity.save({ privateFile, publicFile: join(folder, `${name}_pub`) })
  const key = identity.type === 'rsa' ? `RSA-${identity.keysize}` : 'Ed25519'
  return { key, fingerprint: identity.fingerprint, privateFile }
}

/** Of the first `count` messages, where they are sent over and over. */
function totalOf(messages: readonly unknown[], count: number): Total {
  const tally = new Tally()
  for (let index = 0; index < count; index += 1) tally.add(messages[index % messages.length])
  return tally.total
}

process.exit(await new Demo().run(process.argv.slice(2)))
