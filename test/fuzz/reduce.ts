// Reduction: the few short inputs that reach what many reach, for the corpus in the repository.

import { Coverage } from './coverage.ts'
import { Runner } from './runner.ts'
import type { Target } from './target.ts'

/** The most that the inputs may take together, in bytes. */
const MAX_BYTES = 3_000

/** Shortest first: those that reach new code, and then those with which something else new happens. */
export async function reduce(target: Target, inputs: readonly Buffer[]): Promise<Buffer[]> {
  const runner = new Runner(target)
  const coverage = new Coverage()
  coverage.skip()
  const traits = new Set<string>()
  const reaching: Buffer[] = []
  const others: Buffer[] = []
  for (const input of [...inputs].sort((a, b) => a.length - b.length)) {
    const [outcome] = await runner.run([input])
    if (!outcome || outcome.failure) continue
    if (coverage.look().size > 0) reaching.push(input)
    else if (!traits.has(outcome.trait)) others.push(input)
    traits.add(outcome.trait)
  }
  return within(MAX_BYTES, [...reaching, ...others])
}

function within(most: number, inputs: readonly Buffer[]): Buffer[] {
  let bytes = 0
  return inputs.filter(({ length }) => {
    if (bytes + length > most) return false
    bytes += length + 1
    return true
  })
}
