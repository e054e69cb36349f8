// Asks one question of every subject, round by round, one after the other within a round (A B C A B C), after a round
// that does not count. What can't be had, such as a rival that is not installed or stands still, is left out with its
// reason.

import { type Plan, roundsOf } from './plan.ts'
import { Silent } from './process.ts'
import type { Measured, Prepared, Question } from './question.ts'
import type { Answer } from './results.ts'
import { NotHere } from './subject.ts'
import { isRival } from './titles.ts'

export async function ask(question: Question, plan: Plan, progress: (text: string) => void): Promise<Answer> {
  const subjects = Object.keys(question.subjects).filter(name => plan.subjects?.has(name) ?? true)
  const samples = new Map<string, Measured[]>(subjects.map(name => [name, []]))
  const missing = new Map<string, string>()
  const prepared = new Map<string, Prepared>()
  progress(`${question.name}: preparing`)
  try {
    const failures: unknown[] = []
    const results = await Promise.allSettled(subjects.map(subject => question.prepare(subject, plan)))
    for (const [index, result] of results.entries()) {
      const subject = subjects[index] as string
      if (result.status === 'fulfilled') prepared.set(subject, result.value)
      else if (result.reason instanceof NotHere) missing.set(subject, result.reason.message)
      else failures.push(result.reason)
    }
    if (failures.length > 0) throw failures[0]
    await rounds(question, plan, { prepared, samples, missing }, progress)
  } finally {
    await Promise.all([...prepared.values()].map(({ close }) => close?.()))
  }
  return { question, samples, missing }
}

/** Quick or profiled, a run tells nothing by its first round that it would not tell by the next. */
async function rounds(
  question: Question,
  plan: Plan,
  { prepared, samples, missing }: Asked,
  progress: (text: string) => void
): Promise<void> {
  const discarded = plan.scale === 'full' && plan.profiles === null ? 1 : 0
  const count = roundsOf(question, plan)
  for (let round = 1 - discarded; round <= count; round++) {
    for (const [subject, { measure }] of prepared) {
      if (missing.has(subject)) continue
      progress(`${question.name}: round ${round} of ${count}, ${subject}`)
      const measured = await patiently(subject, measure)
      if (measured === null) {
        missing.set(subject, `stood still ${TRIES} times`)
        samples.get(subject)?.splice(0)
      } else if (round > 0) samples.get(subject)?.push(measured)
    }
  }
}

interface Asked {
  readonly prepared: ReadonlyMap<string, Prepared>
  readonly samples: ReadonlyMap<string, Measured[]>
  readonly missing: Map<string, string>
}

const TRIES = 3

/** ZeroMQ's sockets stand still now and then: such a time is not counted. Of stalk and what comes with node it is a fault. */
export async function patiently(
  subject: string,
  measure: () => Promise<Measured>,
  tries = TRIES
): Promise<Measured | null> {
  try {
    return await measure()
  } catch (error) {
    if (!(error instanceof Silent) || !isRival(subject)) throw error
    return tries > 1 ? patiently(subject, measure, tries - 1) : null
  }
}
