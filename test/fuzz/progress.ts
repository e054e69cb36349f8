// Progress: how a campaign goes, once a second on a terminal, otherwise a line a minute. Knows the numbers and how
// they are told.

import type { Campaign } from './campaign.ts'
import type { Coverage } from './coverage.ts'

const TERMINAL_MS = 1_000
const LINE_MS = 60_000

export interface Figures {
  readonly target: string
  readonly executions: number
  readonly perSecond: number
  readonly corpus: number
  readonly blocks: number
  readonly finds: number
}

export class Progress {
  readonly #target: string
  readonly #campaign: Campaign
  readonly #coverage: Coverage
  readonly #out: NodeJS.WriteStream
  readonly #start = performance.now()
  #last = performance.now()

  constructor(target: string, campaign: Campaign, coverage: Coverage, out: NodeJS.WriteStream) {
    this.#target = target
    this.#campaign = campaign
    this.#coverage = coverage
    this.#out = out
  }

  figures(): Figures {
    const seconds = (performance.now() - this.#start) / 1_000
    const { executions, kept, failures } = this.#campaign
    return {
      target: this.#target,
      executions,
      perSecond: Math.round(executions / seconds),
      corpus: kept.length,
      blocks: this.#coverage.blocks,
      finds: failures.length
    }
  }

  /** Called after each batch. */
  tick(): void {
    if (performance.now() - this.#last < (this.#out.isTTY ? TERMINAL_MS : LINE_MS)) return
    this.#last = performance.now()
    const seconds = Math.round((performance.now() - this.#start) / 1_000)
    const line = `${seconds} s  ${lineOf(this.figures())}`
    this.#out.write(this.#out.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
  }

  end(): void {
    if (this.#out.isTTY) this.#out.write('\r\x1b[K')
  }
}

export const lineOf = ({ target, executions, perSecond, corpus, blocks, finds }: Figures): string =>
  `${target.padEnd(16)} ${grouped(executions)} executions, ${grouped(perSecond)}/s, corpus ${corpus}, ` +
  `blocks ${blocks}, finds ${finds}`

const grouped = (value: number): string => value.toLocaleString('en')
