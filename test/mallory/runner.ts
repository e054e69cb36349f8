// Runs faults against a target and prints what came of each: fault → expected → seen. As a program, all of
// them:
//
//   node --import=tsx test/mallory/runner.ts [--target 'command {role} {host} {port} {settings}'] [--only text]

import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { within } from '../helpers/pair.ts'
import { CATALOGUE } from './catalogue.ts'
import { type Fault, type Role, type Settings, stepsOf } from './fault.ts'
import { alertHeard, complaintsOf, complaintsOfEnd } from './judge.ts'
import { Memory } from './memory.ts'
import { ownTarget } from './own-target.ts'
import { Peer } from './peer.ts'
import { commandTarget, type Meeting, type Target } from './targets.ts'

export interface Result {
  readonly fault: Fault
  /** The target's role. */
  readonly role: Role
  readonly seen: string
  readonly complaints: readonly string[]
}

/** Whether the target can be set up as the fault needs it. */
export const isRunnable = ({ target: settings = {} }: Fault, target: Target): boolean =>
  Object.keys(settings).every(setting => target.takes(setting as keyof Settings))

/** However a target behaves, a run is over then, in ms. */
const RUN_MS = 30_000

/** One fault against a target in this role. */
export async function run(fault: Fault, role: Role, target: Target): Promise<Result> {
  const steps = stepsOf(fault)
  const memory = new Memory()
  const seen: string[] = []
  const complaints: string[] = []
  let meeting: Meeting | undefined
  try {
    for (const [i, step] of steps.entries()) {
      meeting = await within(meeting?.next() ?? target.meet(role, fault.target ?? {}), 'the meeting')
      const came = await within(encounter(step, role, meeting, memory), 'an end', RUN_MS)
      seen.push(came.seen)
      const where = steps.length > 1 ? `connection ${i + 1}: ` : ''
      complaints.push(...came.complaints.map(complaint => where + complaint))
      meeting.socket.destroy()
    }
  } catch (error) {
    seen.push('no end')
    complaints.push((error as Error).message)
  } finally {
    meeting?.stop()
    meeting?.socket.destroy()
  }
  return { fault, role, seen: seen.join('; '), complaints }
}

async function encounter(
  fault: Fault,
  role: Role,
  meeting: Meeting,
  memory: Memory
): Promise<Pick<Result, 'seen' | 'complaints'>> {
  const peer = new Peer(meeting.socket, role === 'initiator' ? 'responder' : 'initiator', fault.acts, memory)
  const heard = await peer.run()
  const ended = await meeting.ended()
  return {
    seen: `${ended ? `${ended.error ?? 'clean'}, ` : ''}alert ${alertHeard(heard)}`,
    complaints: [...complaintsOf(fault, heard), ...(ended ? complaintsOfEnd(fault, ended) : [])]
  }
}

/** All faults, in every role that they apply to. */
export async function* runAll(faults: readonly Fault[], target: Target): AsyncGenerator<Result> {
  for (const fault of faults.filter(candidate => isRunnable(candidate, target))) {
    for (const role of fault.against) yield await run(fault, role, target)
  }
}

/** What came of it: a known deviation is none that fails, but one that is no longer there does. */
export function verdictOf({ fault, complaints }: Result, { known = {} }: Target): 'ok' | 'known' | 'FAIL' {
  const isKnown = Object.hasOwn(known, fault.name)
  if (complaints.length === 0) return isKnown ? 'FAIL' : 'ok'
  return isKnown ? 'known' : 'FAIL'
}

function lineOf(result: Result, target: Target): string {
  const { fault, role, seen, complaints } = result
  const { code, alerts } = fault.expected
  const expected = `${code ?? 'clean'}, alert ${alerts.join(' or ')}`
  const verdict = verdictOf(result, target)
  const why = complaints.length === 0 && verdict === 'FAIL' ? ['known to deviate, and does not'] : complaints
  const columns = [verdict.padEnd(5), role.padEnd(9), fault.name.padEnd(32), expected.padEnd(46), seen]
  return [...columns, ...why].join('  ')
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { target: { type: 'string' }, only: { type: 'string', default: '' } }
  })
  const target = values.target === undefined ? ownTarget : commandTarget(values.target)
  const faults = CATALOGUE.filter(({ name }) => name.includes(values.only))
  const left = faults.filter(fault => !isRunnable(fault, target)).length
  const counts = { ok: 0, known: 0, FAIL: 0 }
  for await (const result of runAll(faults, target)) {
    counts[verdictOf(result, target)] += 1
    console.log(lineOf(result, target))
  }
  console.log(`${counts.ok} as expected, ${counts.known} known to deviate, ${counts.FAIL} failed`)
  if (left > 0) console.log(`${left} faults need settings that the target does not take`)
  if (counts.FAIL > 0 || counts.ok === 0) process.exitCode = 1
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main()
