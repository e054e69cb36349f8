// A campaign against one target: inputs are changed, run, and kept where something new happens. Repeats itself,
// input by input, for the same seed, corpus and lib. Knows coverage, mutator and runner; says nothing itself.

import type { Coverage, Fresh } from './coverage.ts'
import type { Failure } from './failure.ts'
import { isKnown } from './known.ts'
import { minimise } from './minimise.ts'
import { Mutator } from './mutator.ts'
import { Random } from './random.ts'
import { type Outcome, Runner } from './runner.ts'
import type { Target } from './target.ts'

export interface CampaignOptions {
  readonly target: Target
  readonly coverage: Coverage
  readonly seed: number
  readonly corpus: readonly Buffer[]
  /** How long to look for a smaller input, in ms. */
  readonly minimiseMs?: number
  /** Told of each batch before it runs, for whom the process does not survive. */
  readonly before?: (inputs: readonly Buffer[]) => void
  readonly boundMs?: number
}

const BATCH = 512
/** Traits are words of a target's; more of them than this are not words. */
const MAX_TRAITS = 4_000
const MINIMISE_MS = 10_000

export class Campaign {
  readonly failures: Failure[] = []
  executions = 0
  readonly #options: CampaignOptions
  readonly #runner: Runner
  readonly #random: Random
  readonly #mutator: Mutator
  readonly #kept: Buffer[] = []
  readonly #traits = new Map<string, number>()
  readonly #found = new Set<string>()

  constructor(options: CampaignOptions) {
    const { target, seed, boundMs } = options
    this.#options = options
    this.#runner = new Runner(target, boundMs)
    this.#random = new Random(seed)
    this.#mutator = new Mutator(this.#random, target.maxBytes, target.dictionary)
  }

  /** Inputs that are kept. */
  get kept(): readonly Buffer[] {
    return this.#kept
  }

  /** What happened, and how often. */
  get traits(): ReadonlyMap<string, number> {
    return this.#traits
  }

  /** Runs the seeds and the corpus, all of it unless something is found and `stop` says so. */
  async begin(stop = false): Promise<void> {
    const first = [...this.#options.target.seeds(), ...this.#options.corpus]
    const batch = this.#options.target.batch ?? BATCH
    this.#options.coverage.skip()
    for (let from = 0; from < first.length && !(stop && this.failures.length > 0); from += batch) {
      await this.#runAll(first.slice(from, from + batch))
    }
    if (this.#kept.length === 0) this.#kept.push(first[0] ?? Buffer.alloc(0))
  }

  /** One batch of new inputs. */
  async step(): Promise<void> {
    const size = this.#options.target.batch ?? BATCH
    await this.#runAll(Array.from({ length: size }, () => this.#mutator.mutate(this.#choose(), this.#any())))
  }

  /** Every second time one of the newest. */
  #choose(): Buffer {
    const newest = Math.max(0, this.#kept.length - 16)
    if (this.#random.oneIn(2)) return this.#any()
    return this.#kept[newest + this.#random.below(this.#kept.length - newest)] as Buffer
  }

  #any(): Buffer {
    return this.#random.pick(this.#kept)
  }

  async #runAll(inputs: readonly Buffer[]): Promise<void> {
    this.#options.before?.(inputs)
    const outcomes = await this.#runner.run(inputs)
    this.executions += outcomes.length
    const sound = inputs.filter((_, index) => outcomes[index]?.failure === null)
    const fresh = this.#options.coverage.look()
    if (fresh.size > 0) this.#locate(sound, fresh)
    for (const [index, outcome] of outcomes.entries()) {
      const input = inputs[index] as Buffer
      if (outcome.failure) await this.#report(outcome.failure)
      else if (this.#isNew(outcome)) this.#keep(input)
    }
  }

  #keep(input: Buffer): void {
    if (this.#kept.at(-1) !== input) this.#kept.push(input)
  }

  /** Keeps the inputs that reach what is fresh, found by halving; answers what they reach. */
  #locate(inputs: readonly Buffer[], fresh: Fresh): Fresh {
    this.#runner.rerun(inputs)
    const reached = this.#options.coverage.among(fresh)
    if (reached.size === 0) return reached
    if (inputs.length === 1) {
      this.#keep(inputs[0] as Buffer)
      return reached
    }
    const half = inputs.length >>> 1
    const left = this.#locate(inputs.slice(0, half), reached)
    this.#locate(inputs.slice(half), without(reached, left))
    return reached
  }

  #isNew(outcome: Outcome): boolean {
    if (outcome.failure) return false
    const seen = this.#traits.get(outcome.trait) ?? 0
    if (seen > 0 || this.#traits.size < MAX_TRAITS) this.#traits.set(outcome.trait, seen + 1)
    return seen === 0 && this.#traits.size < MAX_TRAITS
  }

  /** The first of each finding that is not known, as small as can be. */
  async #report(failure: Failure): Promise<void> {
    if (this.#found.has(failure.finding)) return
    this.#found.add(failure.finding)
    if (isKnown(this.#options.target.name, failure.finding)) return
    const same = async (input: Buffer): Promise<boolean> =>
      (await this.#runner.fails(input))?.finding === failure.finding
    const input = await minimise(failure.input, same, this.#options.minimiseMs ?? MINIMISE_MS)
    this.failures.push((await this.#runner.fails(input)) ?? failure)
  }
}

function without(fresh: Fresh, reached: Fresh): Fresh {
  const rest = new Map<string, readonly number[]>()
  for (const [url, characters] of fresh) {
    const gone = new Set(reached.get(url))
    const left = characters.filter(character => !gone.has(character))
    if (left.length > 0) rest.set(url, left)
  }
  return rest
}
