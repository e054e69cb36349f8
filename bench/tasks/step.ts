// One step of one codec, over and over, in a process of its own: what it costs in CPU time, garbage collection
// included. CPU time, since others may want the same core.

import { stepOf } from '../codecs/index.ts'
import { Meter, type Task } from './task.ts'

/** How long a measurement takes at least, in µs: far longer than the clock of CPU time is coarse. */
const LEAST_US = 60_000

export const task: Task = async opening => {
  const { per, run } = await stepOf(opening.subject)
  const meter = new Meter()
  const cost = async (calls: number): Promise<number> => {
    meter.start()
    for (let call = 0; call < calls; call++) {
      const running = run()
      if (running) await running
    }
    return meter.read()
  }
  let calls = 1
  while ((await cost(calls)) < LEAST_US) calls *= 2 // warm by then
  return [async () => ({ cpu: (await cost(calls)) / (calls * per) }), {}]
}
