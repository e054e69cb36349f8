// V8's precise block coverage of this process. Has to be imported before lib is: functions that were compiled
// before are not counted block by block. One for the whole process, since V8 forgets the blocks when it stops.

import { type Profiler, Session } from 'node:inspector'

const session = new Session()
session.connect()
post('Profiler.enable')
post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })

/** What ran since the last call. */
export const takeCoverage = (): readonly Profiler.ScriptCoverage[] =>
  (post('Profiler.takePreciseCoverage') as Profiler.TakePreciseCoverageReturnType).result

function post(method: string, parameters: object = {}): unknown {
  let failure: Error | null = null
  let answer: unknown
  session.post(method, parameters, (error, result) => {
    failure = error
    answer = result
  })
  if (failure) throw failure
  return answer
}
