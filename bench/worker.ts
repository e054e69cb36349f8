// One process of a measurement. Does what it is asked over IPC, one request at a time, and answers with times and
// counts. Each task is loaded only where it is done. Whatever goes wrong ends the process.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { fail, type Opening, type Request, type Task, type TaskName } from './tasks/task.ts'

const TASKS: Readonly<Record<TaskName, () => Promise<{ task: Task }>>> = {
  carry: () => import('./tasks/carry.ts'),
  echo: () => import('./tasks/echo.ts'),
  greet: () => import('./tasks/greet.ts'),
  idle: () => import('./tasks/idle.ts'),
  codec: () => import('./tasks/codec.ts'),
  local: () => import('./tasks/local.ts'),
  step: () => import('./tasks/step.ts')
}

/**
 * What a small application has on its heap, some 16 MB, whatever is measured. Below 8 MiB V8 never collects the old
 * generation, and with little more it does so whenever a few dozen megabytes of buffers were freed: by chance a
 * subject would be on one side or the other.
 */
const applicationHeap = (): object[] =>
  Array.from({ length: 200_000 }, (_, id) => ({ id, name: `item ${id}` }))

/** Begins to write down where the time goes. */
async function profilerTo(file: string): Promise<{ stop(): Promise<void> }> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return {
    async stop() {
      const { profile } = await session.post('Profiler.stop')
      writeFileSync(file, JSON.stringify(profile))
    }
  }
}

async function serve(): Promise<void> {
  process.setSourceMapsEnabled(false) // what runs TypeScript switches it on, and every stack would be looked up
  const [{ open }] = (await once(process, 'message')) as [{ open: Opening }]
  if (open.task !== 'idle') Object.assign(globalThis, { applicationHeap: applicationHeap() })
  const { task } = await TASKS[open.task]()
  const [end, opened] = await task(open)
  const profiler = open.profile === null ? null : await profilerTo(open.profile)
  process.on('message', async (request: Request) => {
    const reply = await end(request).catch(error => fail(String(error)))
    if ('finish' in request) await profiler?.stop()
    process.send?.(reply)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.(opened)
}

serve().catch(error => fail(error?.stack ?? String(error)))
