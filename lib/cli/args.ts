// The command line of one command: its options described once, for reading them and for --help. Knows no
// command and no environment.

import { parseArgs } from 'node:util'
import { CommandError, EXIT, EXIT_MEANING } from './exit.ts'
import { wrapped } from './terminal.ts'

export interface Option {
  readonly name: string
  readonly short?: string
  /** What its value is called; without one it is a flag. */
  readonly value?: string
  readonly multiple?: true
  readonly text: string
}

/** How a command is called. */
export interface Synopsis {
  readonly name: string
  readonly summary: string
  /** The lines below "Usage:", without `stalk`. */
  readonly usage: readonly string[]
  readonly about: readonly string[]
  readonly options: readonly Option[]
}

export const COMMON: readonly Option[] = [
  { name: 'json', text: 'for scripts: everything on stdout and stderr is one JSON object a line' },
  { name: 'quiet', short: 'q', text: 'say nothing on stderr but what goes wrong' },
  { name: 'help', short: 'h', text: 'show this' }
]

/** What was given. */
export class Args {
  readonly positionals: readonly string[]
  readonly #values: Readonly<Record<string, unknown>>

  constructor(values: Readonly<Record<string, unknown>>, positionals: readonly string[]) {
    this.#values = values
    this.positionals = positionals
  }

  has(name: string): boolean {
    return this.#values[name] !== undefined
  }

  text(name: string): string | undefined {
    return this.#values[name] as string | undefined
  }

  list(name: string): readonly string[] {
    return (this.#values[name] as string[] | undefined) ?? []
  }

  /** A whole number from 1 on. */
  count(name: string, most: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (/^[1-9]\d*$/.test(text) && Number(text) <= most) return Number(text)
    throw usage(`--${name} takes a whole number from 1 to ${most}, not ${text}`)
  }
}

/** Throws a CommandError with EXIT.usage. */
export function readArgs(command: Synopsis, args: readonly string[]): Args {
  const options = Object.fromEntries(
    [...command.options, ...COMMON].map(({ name, short, value, multiple = false }) => [
      name,
      { type: value ? ('string' as const) : ('boolean' as const), multiple, ...(short && { short }) }
    ])
  )
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true })
    return new Args(values, positionals)
  } catch (error) {
    throw usage(words(error as Error))
  }
}

export const usage = (text: string, hints: readonly string[] = []): CommandError =>
  new CommandError(EXIT.usage, text, hints)

const AMBIGUOUS = '$1 takes a value; one that begins with - stands behind =, as in $1=-1'

/** Node's texts are for programmers. */
function words(error: Error): string {
  const [sentence = ''] = error.message.split(/\.\s/, 1)
  return sentence
    .replace(/^Unknown option '(.*)'$/, 'there is no option $1')
    .replace(/^Option '(?:-., )?(--\S+?)(?: <value>)?' argument is ambiguous$/, AMBIGUOUS)
    .replace(/^Option '(?:-., )?(\S+?)(?: <value>)?' argument (?:missing|is ambiguous)$/, '$1 takes a value')
    .replace(/^Option '(?:-., )?(\S+)' does not take an argument$/, '$1 takes no value')
}

// --- help --------------------------------------------------------------------------------------------

const WIDTH = 80

/** The lines below a usage error. */
export function usageLines({ name, usage }: Synopsis): string[] {
  const lines = usage.map((line, index) => `${index === 0 ? 'usage:' : '      '} stalk ${line}`)
  return [...lines, `\`stalk ${name} --help\` says more`]
}

export function helpOf(command: Synopsis): string {
  return [
    `stalk ${command.name}: ${command.summary}`,
    '',
    'Usage:',
    ...command.usage.map(line => `  stalk ${line}`),
    ...command.about.flatMap(paragraph => ['', ...wrapped(paragraph, WIDTH)]),
    '',
    'Options:',
    ...rows([...command.options, ...COMMON].map(option => [labelOf(option), option.text]))
  ].join('\n')
}

/** The help of stalk itself. */
export function overview(about: string, commands: readonly Synopsis[], notes: readonly string[]): string {
  return [
    about,
    '',
    'Usage:',
    '  stalk COMMAND [OPTIONS]',
    '  stalk COMMAND --help',
    '  stalk --version',
    '',
    'Commands:',
    ...rows(commands.map(({ name, summary }) => [name, summary])),
    ...notes.flatMap(paragraph => ['', ...wrapped(paragraph, WIDTH)]),
    '',
    'Exit codes:',
    ...rows(EXIT_MEANING)
  ].join('\n')
}

function labelOf({ name, short, value, multiple }: Option): string {
  return `${short ? `-${short}, ` : ''}--${name}${value ? ` ${value}` : ''}${multiple ? ' …' : ''}`
}

/** Two columns. A label that is too wide has a line of its own. */
function rows(pairs: readonly (readonly [label: string, text: string])[]): string[] {
  const column = Math.min(Math.max(...pairs.map(([label]) => label.length)) + 4, 26)
  return pairs.flatMap(([label, text]) => {
    const lines = wrapped(text, WIDTH - column).map(line => `${' '.repeat(column)}${line}`)
    const head = `  ${label}`
    if (head.length + 2 > column) return [head, ...lines]
    const [first = '', ...rest] = lines
    return [head.padEnd(column) + first.trimStart(), ...rest]
  })
}
