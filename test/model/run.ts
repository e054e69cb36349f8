// Runs of the model: so many schedules from a seed, several at a time, and what was found with the shortest schedule
// that shows it. Knows fast-check; knows nothing of connections.

import fc from 'fast-check'
import { turns } from '../helpers/pair.ts'
import { play } from './play.ts'
import { type Schedule, schedule } from './schedule.ts'
import { complaints } from './verdict.ts'

export interface Plan {
  readonly runs: number
  readonly seed: number
  /** As fast-check prints it: one schedule of that seed, and no other. */
  readonly path?: string | undefined
  /** How many are played at a time. One by one, what each leaves behind is seen too. */
  readonly lanes: number
  /** After how long no further schedule is begun, in ms. */
  readonly limitMs?: number
  /** Told after each schedule. */
  readonly played?: () => void
}

const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

/** Throws with all that is wrong with a schedule. */
async function judge(given: Schedule, alone: boolean): Promise<void> {
  const before = timers()
  const wrong = [...complaints(given, await play(given))]
  await turns(2)
  if (alone && timers() > before) wrong.push(`${timers() - before} timers are left`)
  if (wrong.length > 0) throw new Error(wrong.join('\n'))
}

/** What was found, as text to be read; each with the seed that makes it again. */
export async function run({
  runs,
  seed,
  path,
  lanes,
  limitMs = Number.POSITIVE_INFINITY,
  played = () => {}
}: Plan): Promise<string[]> {
  const end = performance.now() + limitMs
  const each = Math.ceil(runs / lanes)
  const lane = async (index: number): Promise<string | undefined> => {
    const property = fc.asyncProperty(schedule, async given => {
      if (performance.now() > end) return
      await judge(given, lanes === 1)
      played()
    })
    const details = await fc.check(property, {
      numRuns: each,
      seed: seed + index,
      ...(path && { path }),
      endOnFailure: false
    })
    return details.failed
      ? `${details.errorInstance}\n${await fc.asyncDefaultReportMessage(details)}`
      : undefined
  }
  const found = await Promise.all(Array.from({ length: lanes }, (_, index) => lane(index)))
  return found.filter(text => text !== undefined)
}
