// What a command says on standard error: notes for a person, or for a script one JSON object a line. Knows
// how it is said and who wants to hear it; what is said, the commands know.

import type { Explanation } from './explain.ts'
import { harmless, Terminal } from './terminal.ts'

export interface Manner {
  readonly json: boolean
  readonly quiet: boolean
}

export class Voice {
  readonly terminal: Terminal
  readonly #name: string
  #manner: Manner = { json: false, quiet: false }

  /** `name`: what its complaints begin with. */
  constructor(name: string, terminal: Terminal = new Terminal(process.stderr)) {
    this.#name = name
    this.terminal = terminal
  }

  use(manner: Manner): void {
    this.#manner = manner
  }

  /** Whether somebody is there to watch a line that changes. */
  get wantsStatus(): boolean {
    return this.terminal.lively && !this.#manner.json && !this.#manner.quiet
  }

  /** Something happened: `lines` for a person, or the name and the facts for a script. */
  event(name: string, facts: object, lines: string | readonly string[]): void {
    if (this.#manner.quiet) return
    this.#say({ event: name, ...facts }, [lines].flat())
  }

  /** What another program has said; it is not ours to keep quiet. */
  relay(name: string, facts: object, line: string): void {
    this.#say({ event: name, ...facts }, [line])
  }

  /** Something went wrong. */
  complain(
    name: 'error' | 'clientError' | 'skipped' | 'broken',
    { text, code, hints }: Explanation,
    facts: object = {}
  ): void {
    const { terminal } = this
    const head = terminal.paint('red', `${this.#name}:`)
    const tail = code ? ` ${terminal.paint('dim', `(${code})`)}` : ''
    const lines = [`${head} ${harmless(text)}${tail}`, ...hints.map(hint => `  ${harmless(hint)}`)]
    this.#say({ event: name, ...facts, ...(code && { code }), text, hints }, lines)
  }

  #say(facts: object, lines: readonly string[]): void {
    if (this.#manner.json) return this.terminal.line(JSON.stringify(facts))
    for (const line of lines) this.terminal.line(line)
  }
}
