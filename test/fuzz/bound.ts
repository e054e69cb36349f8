// The time bound: calls that may never end. V8 interrupts them from another thread; what is native code in one
// go it can't interrupt. Knows nothing of targets.

import { Script } from 'node:vm'

const KEY = Symbol.for('stalk.fuzz.call')
const script = new Script(`globalThis[Symbol.for('stalk.fuzz.call')]()`)

/** Runs the call. False if it took longer than so many ms and was interrupted. */
export function bounded(ms: number, call: () => void): boolean {
  const place = globalThis as unknown as Record<symbol, unknown>
  place[KEY] = call
  try {
    script.runInThisContext({ timeout: ms })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false
    throw error
  } finally {
    delete place[KEY]
  }
}

/** What this process has used of the processor, in ms: other processes do not count. */
export function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1_000
}
