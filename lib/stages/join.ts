// Stages in a row: what one gives goes to the next, at once where both are idle, and otherwise as a pipe would bring
// it. Knows streams and paces; knows nothing of what flows through them.

import type { Writable } from 'node:stream'
import type { Behind, Pace } from './pace.ts'
import { paceOf, type Stage } from './paced.ts'

/**
 * What `from` gives goes `into` the next, as with `pipe`, and so does its end unless `end` is false. Where both are
 * idle an item goes past their queues, and there is no `data` for it: nobody else may read `from`. A pipe waits for
 * `drain` even where the next one has dealt with an item already, which stages nearly always have.
 */
export function join(from: Stage, into: Writable, { end = true } = {}): void {
  const pace = paceOf(from) as Pace
  pace.ahead = paceOf(into) ?? null
  ;(from as Joined)[NEXT] = into
  from.on('data', passOn)
  follow(into, pace)
  if (end) from.on('end', endNext)
}

/** What a stage was joined into; null for the last one. */
export const nextOf = (stage: Stage): Writable | null => (stage as Joined)[NEXT] ?? null

/** `behind` gives `into` what it has, and hears whenever that has dealt with all it was given. */
export function follow(into: Writable, behind: Behind): void {
  const pace = paceOf(into)
  if (pace) pace.behind = behind
  ;(into as Followed)[BEHIND] = behind
  into.on('drain', release)
}

/** As `stage.write`, but at once where the stage is idle. For stages that are joined to another: see `Pace.take`. */
export function hand(stage: Stage, item: unknown): void {
  const pace = paceOf(stage) as Pace
  if (pace.idle) pace.take(item)
  else stage.write(item)
}

/** Whether a stage has yet to deal with something. */
export const isBusy = (stage: Stage): boolean => !(paceOf(stage) as Pace).settled

// Here as well as in the paces: a row may end in a stream that has none.
const NEXT = Symbol('the stage ahead')
const BEHIND = Symbol('what is behind it')

type Joined = Stage & { [NEXT]?: Writable }
type Followed = Writable & { [BEHIND]: Behind }

// These are shared by all stages, of which a connection has several.

function passOn(this: unknown, item: unknown): void {
  const next = (this as Joined)[NEXT] as Writable
  if (next.writable) next.write(item)
  if (!isDone(next)) (paceOf(this as Stage) as Pace).hold()
}

function release(this: unknown): void {
  const next = this as Followed
  if (isDone(next)) next[BEHIND].release() // it may be the drain of the last item but one, and the last has failed
}

function endNext(this: unknown): void {
  nextOf(this as Stage)?.end()
}

/** Whether a stage has dealt with all it was given, and takes more. */
const isDone = (next: Writable): boolean =>
  next.writable && (paceOf(next)?.settled ?? next.writableLength === 0)
