// Messages one way between two ends in one process, with no socket in between: what the code of both ends costs.

import { payloadOf } from '../payloads.ts'
import { loadSubject } from '../subjects/index.ts'
import { Receiver, send } from './carry.ts'
import { Meter, now, type Task } from './task.ts'

export const task: Task = async opening => {
  const { local } = await loadSubject(opening.subject)
  if (!local) throw new Error(`${opening.subject} has no ends in one process`)
  const payload = payloadOf(opening.payload)
  const [from, to] = await local.pair()
  const receiver = new Receiver(payload)
  receiver.add(to)
  const meter = new Meter()
  return [
    async request => {
      if (!('run' in request)) return { total: receiver.total }
      meter.start()
      const began = now()
      receiver.expect(request.run)
      await send(from.outbound, payload, receiver.total, receiver.total + request.run)
      await receiver.complete
      return { at: now() - began, cpu: meter.read() }
    },
    {}
  ]
}
