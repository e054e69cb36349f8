// What the demo sends: NDJSON from a file or from standard input, else the packages of package-lock.json. Knows
// files, lines and how long to wait for them; sends nothing.

import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { LineSplitter, readLine } from './ndjson.ts'
import { packageMessages } from './packages.ts'
import { BadValue } from './tagged.ts'
import { grouped } from './terminal.ts'

/** The input can't be used; the text names the place, for a person. */
export class InputError extends Error {}

export interface Input {
  readonly messages: readonly unknown[]
  /** How many to send: more than there are, where they may be repeated. */
  readonly total: number
  /** What these messages are. */
  readonly about: string
  /** What a person should know about how they were read. */
  readonly notice: string | null
  /** Where a message comes from. */
  place(index: number): string
}

/** How long standard input may be silent before we take it that nobody writes, and how long reading takes, in ms. */
const FIRST_BYTE_MS = 1_000
const READ_MS = 4_000
/** The demo holds all of its input in memory, and has seconds to send it. */
const MAX_BYTES = 16 * 1024 * 1024
const MAX_MESSAGES = 100_000

/** The packages are sent over and over, all of them each time, until there are so many messages. */
const MIN_PACKAGES = 10_000

const PACKAGE_LOCK = new URL('../../package-lock.json', import.meta.url)

/** From the file, if one is named; else from `stdin`, if there is something on it; else the packages. */
export async function readInput(file: string | undefined, stdin: () => StdIn): Promise<Input> {
  if (file !== undefined) return fromFile(file)
  const piped = await fromStdin(stdin())
  if (typeof piped === 'object') return piped
  return fromPackageLock(piped)
}

type StdIn = Readable & { readonly isTTY?: boolean }

async function fromFile(file: string): Promise<Input> {
  const read = await collect(createReadStream(file), file, READ_MS)
  if (read.bytes.length === 0 && read.stopped) throw new InputError(`${file}: nothing came from it`)
  const input = parseLines(read, file)
  if (input.messages.length === 0) throw new InputError(`${file}: there is no message in it`)
  return input
}

/** The messages, or why there are none. */
async function fromStdin(stdin: StdIn): Promise<Input | 'silent' | 'empty'> {
  if (stdin.isTTY) return 'empty'
  const read = await collect(stdin, 'standard input', FIRST_BYTE_MS)
  if (read.bytes.length === 0 && read.stopped) return 'silent'
  const input = parseLines(read, 'standard input')
  return input.messages.length > 0 ? input : 'empty'
}

async function fromPackageLock(stdin: 'silent' | 'empty'): Promise<Input> {
  const messages = packageMessages(await readPackageLock())
  const total = Math.ceil(MIN_PACKAGES / messages.length) * messages.length
  return {
    messages,
    total,
    about: `${grouped(total)} messages: the ${messages.length} packages of package-lock.json, over and over`,
    notice:
      stdin === 'silent'
        ? 'Standard input is open but nothing came within a second, so the demo sends its own.'
        : null,
    place: index => `package-lock.json, package ${index + 1}`
  }
}

async function readPackageLock(): Promise<string> {
  try {
    return await readFile(PACKAGE_LOCK, 'utf8')
  } catch {
    const path = fileURLToPath(PACKAGE_LOCK)
    throw new InputError(`${path}: can't be read; name a file with one JSON value a line instead`)
  }
}

interface Read {
  readonly bytes: Buffer
  /** Why reading stopped before the end; null if it did not. */
  readonly stopped: string | null
}

/** Reads to the end, but for no longer than a demo should take, and no more than it should hold. */
function collect(stream: Readable, source: string, firstByteMs: number): Promise<Read> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const stop = (stopped: string | null): void => {
      for (const timer of timers) clearTimeout(timer)
      stream.removeAllListeners('data').destroy()
      resolve({ bytes: Buffer.concat(chunks), stopped })
    }
    const timers = [
      setTimeout(() => size === 0 && stop('silent'), firstByteMs),
      setTimeout(() => stop(`still open after ${READ_MS / 1_000} s`), READ_MS)
    ]
    stream.on('error', (error: NodeJS.ErrnoException) =>
      reject(new InputError(`${source}: ${problemOf(error)}`))
    )
    stream.on('end', () => stop(null))
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      size += chunk.length
      if (size > MAX_BYTES) stop(`larger than ${MAX_BYTES / 2 ** 20} MiB`)
    })
  })
}

function problemOf({ code, message }: NodeJS.ErrnoException): string {
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EISDIR') return 'is a folder, not a file'
  if (code === 'EACCES') return 'may not be read'
  return message
}

/** One JSON value a line; blank lines are skipped. Throws an InputError that names the line. */
function parseLines({ bytes, stopped }: Read, source: string): Input {
  const lines = linesOf(bytes, stopped === null)
  if (lines.length === 0 && bytes.length > 0)
    throw new InputError(`${source}: line 1 has no end (${stopped})`)
  const messages: unknown[] = []
  const places: number[] = []
  for (const [index, line] of lines.entries()) {
    const read = parseLine(line, `${source}:${index + 1}`)
    if (read === null) continue
    if (messages.length === MAX_MESSAGES) return inputOf(messages, places, source, 'longer than that')
    messages.push(read.message)
    places.push(index + 1)
  }
  return inputOf(messages, places, source, stopped)
}

/** What stands behind the last line feed is a line only if nothing follows. */
function linesOf(bytes: Buffer, whole: boolean): Buffer[] {
  const splitter = new LineSplitter()
  const lines = [...splitter.push(bytes)]
  const rest = splitter.rest()
  return whole && rest.length > 0 ? [...lines, rest] : lines
}

function parseLine(line: Buffer, place: string): ReturnType<typeof readLine> {
  try {
    return readLine(line)
  } catch (error) {
    if (error instanceof BadValue) throw new InputError(`${place}: ${error.message}`)
    throw error
  }
}

function inputOf(messages: unknown[], lines: number[], source: string, stopped: string | null): Input {
  const count = `${grouped(messages.length)} ${messages.length === 1 ? 'message' : 'messages'}`
  return {
    messages,
    total: messages.length,
    about: `${count} from ${source}`,
    notice: stopped && `Took the first ${count} of ${source}, which is ${stopped}.`,
    place: index => `${source}:${lines[index] ?? '?'}`
  }
}
