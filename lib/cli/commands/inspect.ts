// `stalk inspect`: what a captured connection says, record by record. Knows files and what is wrong with a capture; how
// it is shown is timeline.ts's.

import { readFile } from 'node:fs/promises'
import { type CaptureEntry, type ErrorCode, inspectCapture, StalkError } from '../../index.ts'
import { type Args, usage } from '../args.ts'
import type { Command } from '../command.ts'
import { CommandError, EXIT, exitOf, Reported } from '../exit.ts'
import { explain } from '../explain.ts'
import { writeLine } from '../ndjson.ts'
import type { Shell } from '../shell.ts'
import { grouped, harmless, Terminal } from '../terminal.ts'
import { faultIn, linesOf } from '../timeline.ts'

export const inspectCommand: Command = {
  name: 'inspect',
  summary: 'show what a captured connection says',
  usage: ['inspect --initiator FILE --responder FILE [--keys FILE] [--app NAME]'],
  about: [
    'Each FILE is all that one end sent, byte for byte, as `socat -r FILE -R FILE` and other proxies write it. One line a record: who sent it (→ the initiator, ← the responder), where it begins, how long it is, and what it says. Without keys that is what everybody on the way sees. With a key log, as `--key-log` of listen, connect and tunnel writes it, it is everything, messages as in `stalk connect --help`.',
    'A capture has no times: within one direction the order is that of the wire, between the two it is one that the protocol allows.',
    'A capture that is cut, or that was changed, is shown as far as it goes; then it is said where and why. The exit code is 5 for one that is cut, 8 for one that breaks the protocol, 7 where the key log is unfit or has no keys of this connection, 6 where a file cannot be read.'
  ],
  options: [
    { name: 'initiator', value: 'FILE', text: 'what the end that connected has sent' },
    { name: 'responder', value: 'FILE', text: 'what the end that was called has sent' },
    { name: 'keys', value: 'FILE', text: 'a key log; it may hold the keys of many connections' },
    {
      name: 'app',
      value: 'NAME',
      text: "the name of the application's protocol, without which no signature matches"
    }
  ],
  run: showCapture
}

async function showCapture(args: Args, shell: Shell): Promise<void> {
  if (args.positionals.length > 0)
    throw usage('takes no arguments; --initiator and --responder name the files')
  const [initiator, responder] = await Promise.all([bytesOf('initiator', args), bytesOf('responder', args)])
  const keys = await keysOf(args)
  const app = args.text('app')
  const capture = {
    initiator,
    responder,
    ...(keys !== undefined && { keys }),
    ...(app !== undefined && { app })
  }
  const entries = inspectCapture(capture)
  const sizes = { initiator: initiator.length, responder: responder.length }
  shell.voice.event('inspecting', sizes, [
    `→ initiator, ${grouped(sizes.initiator)} bytes   ← responder, ${grouped(sizes.responder)} bytes`
  ])
  const report = new Report(args, shell)
  for (const entry of entries) await report.show(entry)
  report.end()
}

async function bytesOf(role: 'initiator' | 'responder', args: Args): Promise<Buffer> {
  const file = args.text(role)
  if (file) return read(file, EXIT.input)
  throw usage(`both directions are needed: --${role} FILE is missing`)
}

async function keysOf(args: Args): Promise<string | undefined> {
  const file = args.text('keys')
  return file === undefined ? undefined : (await read(file, EXIT.keys)).toString('utf8')
}

async function read(file: string, exit: number): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new CommandError(
      exit,
      code === 'ENOENT' ? `no such file: ${file}` : `cannot read ${file}: ${message}`
    )
  }
}

/** Shows entries, and keeps what is wrong with them for the end. */
class Report {
  readonly #args: Args
  readonly #shell: Shell
  readonly #screen = new Terminal(process.stdout)
  readonly #wrong: { readonly exit: number; readonly error: Error }[] = []

  constructor(args: Args, shell: Shell) {
    this.#args = args
    this.#shell = shell
  }

  async show(entry: CaptureEntry): Promise<void> {
    this.#judge(entry)
    const lines = this.#args.has('json') ? [jsonOf(entry)] : linesOf(entry, this.#screen)
    for (const line of lines) await this.#shell.output.line(line)
  }

  /** Throws if anything was wrong, once it is said. */
  end(): void {
    for (const { exit, error } of this.#wrong) this.#shell.voice.complain('error', explain(error), { exit })
    const [first] = this.#wrong
    if (first) throw new Reported(first.exit)
  }

  #judge(entry: CaptureEntry): void {
    const fault = faultIn(entry)
    if (entry.name === 'problem') this.#fail(entry.code, `${placeOf(entry)}: ${entry.text}`)
    else if (fault)
      this.#fail(
        fault as ErrorCode,
        `${placeOf(entry)}: the proof does not match: was it changed, or is this another --app?`
      )
    else if (entry.name === 'initiatorHello' && this.#args.has('keys') && entry.keys.length === 0) {
      const text = `${this.#args.text('keys')} has no keys of this connection`
      this.#wrong.push({
        exit: EXIT.keys,
        error: new CommandError(EXIT.keys, text, [`its random is ${entry.random}`])
      })
    }
  }

  #fail(code: ErrorCode, text: string): void {
    const error = new StalkError(code, text)
    this.#wrong.push({ exit: exitOf(error), error })
  }
}

const placeOf = ({ from, at }: CaptureEntry): string => harmless(`${from}, byte ${grouped(at)}`)

/** What is undefined is left out, here as in every JSON. */
const jsonOf = (entry: CaptureEntry): string =>
  writeLine(Object.fromEntries(Object.entries(entry).filter(([, value]) => value !== undefined)))
