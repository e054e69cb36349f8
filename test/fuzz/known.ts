// Known findings: defects that are reported and not yet repaired. A campaign passes over them, and the test of the
// fuzzer runs them as todo. Take an entry out once it holds.

export interface Known {
  readonly target: string
  /** As a campaign tells it. */
  readonly finding: string
  /** The smallest input, in hexadecimal. */
  readonly input: string
  readonly about: string
}

export const known: readonly Known[] = []

export const isKnown = (target: string, finding: string): boolean =>
  known.some(each => each.target === target && each.finding === finding)
