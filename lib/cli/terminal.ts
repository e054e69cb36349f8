// The terminal: whether there is one, colours, the one line of progress, and texts made fit to be shown. The
// only place that asks the environment about it. Knows how things are shown, not what is said (demo-words.ts).

import type { WriteStream } from 'node:tty'

/** What of a stream matters here; a terminal's has `isTTY` and `columns`. */
export type Screen = Pick<WriteStream, 'write' | 'on'> & {
  readonly isTTY?: boolean
  readonly columns?: number
}

export interface Environment {
  readonly NO_COLOR?: string | undefined
  readonly TERM?: string | undefined
}

type Colour = 'bold' | 'dim' | 'green' | 'red'

const START: Record<Colour, string> = {
  bold: '\x1b[1m',
  dim: '\x1b[2m',
  green: '\x1b[32m',
  red: '\x1b[31m'
}
const STOP = '\x1b[0m'
const CLEAR_LINE = '\r\x1b[2K'
const DEFAULT_COLUMNS = 80

/** Writes lines, and below them one line of progress that is there only on a terminal. */
export class Terminal {
  /** Whether colours and progress are wanted: a terminal that can, and no NO_COLOR. */
  readonly lively: boolean
  readonly #screen: Screen
  /** How many columns the line of progress takes; 0 if there is none. */
  #drawn = 0
  #gone = false

  constructor(screen: Screen = process.stdout, env: Environment = process.env) {
    this.#screen = screen
    this.lively = screen.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb'
    // A reader that has seen enough (`| head`) is no failure: the rest goes nowhere.
    screen.on('error', () => {
      this.#gone = true
    })
  }

  paint(colour: Colour, text: string): string {
    return this.lively ? `${START[colour]}${text}${STOP}` : text
  }

  line(text = ''): void {
    this.endProgress()
    this.#write(`${text}\n`)
  }

  /** How long a line of progress may be. */
  get room(): number {
    return this.#columns - 1
  }

  progress(text: string): void {
    if (!this.lively) return
    const shown = text.slice(0, this.room)
    this.#write(`${this.#clearing()}${this.paint('dim', shown)}`)
    this.#drawn = Math.max(shown.length, 1)
  }

  endProgress(): void {
    if (this.#drawn > 0) this.#write(this.#clearing())
    this.#drawn = 0
  }

  get #columns(): number {
    return this.#screen.columns || DEFAULT_COLUMNS
  }

  /** A terminal that was made narrower since has wrapped the line. */
  #clearing(): string {
    const wraps = Math.ceil(this.#drawn / this.#columns) - 1
    return CLEAR_LINE + `\x1b[1A${CLEAR_LINE}`.repeat(Math.max(wraps, 0))
  }

  /** Fulfilled when everything was handed over, or nobody reads any more. */
  drained(): Promise<void> {
    return new Promise(resolve => {
      if (this.#gone) return resolve()
      this.#screen.write('', () => resolve())
    })
  }

  #write(text: string): void {
    if (!this.#gone) this.#screen.write(text)
  }
}

/** Text from elsewhere, on one line, with nothing in it that a terminal would obey. */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, char => `\\u{${char.codePointAt(0)?.toString(16)}}`)
}

/** 1234567 → 1,234,567 */
export const grouped = (count: number): string => Math.round(count).toLocaleString('en-US')

/** Bytes as people say them: 812 bytes, 41.5 kB, 3.2 MB. */
export function sized(bytes: number): string {
  if (bytes < 1_000) return `${grouped(bytes)} bytes`
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)} kB`
  return `${(bytes / 1_000_000).toFixed(1)} MB`
}

export const seconds = (ms: number): string => `${(ms / 1_000).toFixed(ms < 1_000 ? 2 : 1)} s`

/** As `hexdump -C` prints it: offset, 16 bytes, and the same bytes as text. */
export function hexdump(bytes: Buffer): string[] {
  const rows: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16)
    const hex = (from: number, to: number): string =>
      [...row.subarray(from, to)].map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    const both = `${hex(0, 8).padEnd(23)}  ${hex(8, 16).padEnd(23)}`
    const text = row.toString('latin1').replace(/[^ -~]/g, '.')
    rows.push(`${at.toString(16).padStart(4, '0')}  ${both}  |${text}|`)
  }
  return rows
}

/** Words on lines of at most `width` characters. A word that is longer keeps its line. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else {
      line = line ? `${line} ${word}` : word
    }
  }
  return [...lines, line]
}
