// The runner: runs inputs against a target, each within its time bound. Knows what an outcome is; keeps nothing.

import { bounded, cpuMs } from './bound.ts'
import { type Failure, failed, failureOf } from './failure.ts'
import type { Target, Verdict } from './target.ts'

/** What became of an input: what happened with it, or how it failed. */
export type Outcome = { readonly trait: string; readonly failure: null } | { readonly failure: Failure }

/** How long one input may take, in ms. */
export const BOUND_MS = 1_000

/** What takes so many times as long is interrupted. */
const FOR_EVER = 10

export class Runner {
  readonly #target: Target
  readonly #boundMs: number

  constructor(target: Target, boundMs = BOUND_MS) {
    this.#target = target
    this.#boundMs = boundMs
  }

  /** The outcome of each input, in order; where one takes too long, it is the last. */
  async run(inputs: readonly Buffer[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    while (outcomes.length < inputs.length && this.#runFrom(inputs, outcomes));
    const verdicts = (await this.#target.judge?.(inputs.slice(0, outcomes.length))) ?? []
    return outcomes.map((outcome, index) => judged(outcome, inputs[index] as Buffer, verdicts[index]))
  }

  async fails(input: Buffer): Promise<Failure | null> {
    const [outcome] = await this.run([input])
    return outcome?.failure ?? null
  }

  /** Runs inputs that have run before once more, for their coverage. */
  rerun(inputs: readonly Buffer[]): void {
    for (const input of inputs) this.#outcome(input)
  }

  /** Until all have run, or one has been slow. False if it really is. */
  #runFrom(inputs: readonly Buffer[], outcomes: Outcome[]): boolean {
    let tookMs = 0
    const whole = bounded(FOR_EVER * this.#boundMs + inputs.length, () => {
      while (outcomes.length < inputs.length && tookMs <= this.#boundMs) {
        const from = performance.now()
        outcomes.push(this.#outcome(inputs[outcomes.length] as Buffer))
        tookMs = performance.now() - from
      }
    })
    if (!whole) return this.#runAlone(inputs[outcomes.length] as Buffer, outcomes)
    return tookMs <= this.#boundMs || !this.#isSlow(inputs, outcomes)
  }

  /** An input that may never end, or was the one that ran when the time of the whole batch was over. */
  #runAlone(input: Buffer, outcomes: Outcome[]): boolean {
    const ends = bounded(FOR_EVER * this.#boundMs, () => void outcomes.push(this.#outcome(input)))
    if (!ends) outcomes.push({ failure: failed(input, 'takes for ever') })
    return ends
  }

  #outcome(input: Buffer): Outcome {
    try {
      return { trait: this.#target.run(input), failure: null }
    } catch (error) {
      return { failure: failureOf(input, error) }
    }
  }

  /** Another process may have had the processor: an input is slow if it is so three times. */
  #isSlow(inputs: readonly Buffer[], outcomes: Outcome[]): boolean {
    const input = inputs[outcomes.length - 1] as Buffer
    const times = [1, 2].map(() => {
      const from = cpuMs()
      bounded(FOR_EVER * this.#boundMs, () => this.#outcome(input))
      return cpuMs() - from
    })
    const leastMs = Math.round(Math.min(...times))
    if (leastMs <= this.#boundMs) return false
    outcomes.splice(-1, 1, { failure: failed(input, `takes ${leastMs} ms; the bound is ${this.#boundMs}`) })
    return true
  }
}

function judged(outcome: Outcome, input: Buffer, verdict: Verdict | undefined): Outcome {
  if (!verdict || outcome.failure) return outcome
  if (verdict.disagreement !== null) return { failure: failed(input, verdict.disagreement) }
  return { trait: verdict.trait ?? outcome.trait, failure: null }
}
