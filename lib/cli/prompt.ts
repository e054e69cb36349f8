// A question at the terminal, and the line that somebody types, seeing it or not. Knows keys and the terminal of the
// process; knows not what is asked.

import { openSync, writeSync } from 'node:fs'
import { ReadStream } from 'node:tty'
import { Interrupted } from './exit.ts'

const ENTER = new Set([0x0a, 0x0d, 0x04])
const RUB_OUT = new Set([0x08, 0x7f])
const INTERRUPT = 0x03
const KILL_LINE = 0x15
const ESCAPE = 0x1b

/** As much as is remembered of a line, in bytes; more than any passphrase may have. */
const MAX_LINE = 4_096

/** A line as its keys arrive: Enter or Ctrl-D ends it, Backspace and Ctrl-U take back, Ctrl-C gives up. */
export class SecretLine {
  readonly #bytes = Buffer.alloc(MAX_LINE)
  #length = 0
  /** In the middle of a key that is no character, such as an arrow: ESC [ A. */
  #escape: 'none' | 'begun' | 'inside' = 'none'

  /** The line, the caller's to wipe. */
  take(): Buffer {
    const line = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#bytes.fill(0)
    this.#length = 0
    return line
  }

  /** Whether that was the end of the line. Throws Interrupted. */
  push(keys: Buffer): boolean {
    for (const key of keys) {
      if (key === INTERRUPT) throw new Interrupted('SIGINT')
      if (this.#isEscaped(key)) continue
      if (ENTER.has(key)) return true
      this.#type(key)
    }
    return false
  }

  #isEscaped(key: number): boolean {
    const was = this.#escape
    if (key === ESCAPE) this.#escape = 'begun'
    else if (was === 'begun') this.#escape = key === 0x5b || key === 0x4f ? 'inside' : 'none'
    else if (was === 'inside' && key >= 0x40) this.#escape = 'none'
    return was !== 'none' || key === ESCAPE
  }

  #type(key: number): void {
    if (RUB_OUT.has(key)) this.#rubOut()
    else if (key === KILL_LINE) this.#length = 0
    else if (key >= 0x20 && this.#length < MAX_LINE) this.#bytes[this.#length++] = key
  }

  /** A whole character of UTF-8: the bytes 10xxxxxx and the one before them. */
  #rubOut(): void {
    let more = true
    while (this.#length > 0 && more) {
      this.#length--
      more = ((this.#bytes[this.#length] ?? 0) & 0xc0) === 0x80
    }
  }
}

/** What of a terminal is needed to ask. */
export interface Console {
  readonly keys: Pick<ReadStream, 'setRawMode' | 'on' | 'removeAllListeners' | 'resume' | 'pause'>
  write(text: string): void
  close(): void
}

/** Whether somebody is there to be asked: not where both input and messages go elsewhere. */
export const hasTerminal = (): boolean => process.stdin.isTTY === true || process.stderr.isTTY === true

/** The terminal of the process itself, since standard input may be a file. */
function openConsole(): Console {
  if (process.platform === 'win32') {
    return { keys: process.stdin, write: text => process.stderr.write(text), close: () => {} }
  }
  const terminal = openSync('/dev/tty', 'r+')
  const keys = new ReadStream(terminal)
  return { keys, write: text => writeSync(terminal, text), close: () => keys.destroy() }
}

/** Asks, and resolves to the line, the caller's to wipe. Rejects with Interrupted, or an error of the system. */
export async function askSecretly(question: string, console: Console = openConsole()): Promise<Buffer> {
  const { keys } = console
  keys.setRawMode(true) // before the question: whoever sees it may type
  console.write(question)
  try {
    return await lineFrom(keys)
  } finally {
    keys.setRawMode(false)
    keys.pause()
    console.write('\n')
    console.close()
  }
}

function lineFrom(keys: Console['keys']): Promise<Buffer> {
  const line = new SecretLine()
  return new Promise<Buffer>((resolve, reject) => {
    keys.on('error', reject)
    keys.on('end', () => resolve(line.take()))
    keys.on('data', chunk => {
      try {
        if (line.push(chunk)) resolve(line.take())
      } catch (error) {
        line.take().fill(0)
        reject(error)
      }
    })
    keys.resume()
  }).finally(() => {
    for (const name of ['data', 'end', 'error']) keys.removeAllListeners(name)
  })
}

/** What of a terminal is needed to ask for a line that may be seen. */
export interface OpenConsole {
  readonly lines: Pick<ReadStream, 'on' | 'removeAllListeners' | 'resume' | 'pause'>
  write(text: string): void
  close(): void
}

function openLines(): OpenConsole {
  const { keys, ...rest } = openConsole()
  return { lines: keys, ...rest }
}

/**
 * Asks, and resolves to the line without its end, which the terminal itself shows and lets be edited; to null for Ctrl-D.
 * Ctrl-C is a signal as ever.
 */
export async function askOpenly(
  question: string,
  console: OpenConsole = openLines()
): Promise<string | null> {
  const { lines } = console
  console.write(question)
  try {
    const line = await openLineFrom(lines)
    if (line === null) console.write('\n')
    return line
  } finally {
    lines.pause()
    console.close()
  }
}

function openLineFrom(lines: OpenConsole['lines']): Promise<string | null> {
  let line = ''
  return new Promise<string | null>((resolve, reject) => {
    lines.on('error', reject)
    lines.on('end', () => resolve(null))
    lines.on('data', chunk => {
      line = (line + chunk.toString()).slice(0, MAX_LINE)
      if (line.includes('\n')) resolve(line.slice(0, line.indexOf('\n')).replace(/\r$/, ''))
    })
    lines.resume()
  }).finally(() => {
    for (const name of ['data', 'end', 'error']) lines.removeAllListeners(name)
  })
}
