// One message there and back, the next when it is back: how long each takes. The listener sends back what it gets.

import { payloadOf } from '../payloads.ts'
import type { Channel } from '../subject.ts'
import { transportOf } from '../subjects/index.ts'
import { fail, Meter, type Task } from './task.ts'

export const task: Task = async opening => {
  const { role, subject, own, port } = opening
  const transport = await transportOf(subject)
  const meter = new Meter()
  if (role === 'listener') {
    const port = await transport.listen(own, ({ inbound, outbound }) => {
      inbound.on('data', message => outbound.write(message))
      inbound.on('end', () => outbound.end())
    })
    return [async () => ({ cpu: meter.read() }), { port }]
  }
  const payload = payloadOf(opening.payload)
  const bounce = bouncing(await transport.connect(port, own))
  let done = 0
  return [
    async request => {
      if (!('run' in request)) return { cpu: meter.read() }
      const times: number[] = []
      meter.start()
      for (const to = done + request.run; done < to; done++) {
        const began = process.hrtime.bigint()
        const back = await bounce(payload.make(done))
        times.push(Number(process.hrtime.bigint() - began) / 1_000)
        if (!payload.is(done, back)) fail(`message ${done} has come back as another`)
      }
      return { times, cpu: meter.read() }
    },
    {}
  ]
}

/** Sends one and waits for the answer. */
function bouncing({ inbound, outbound }: Channel): (message: unknown) => Promise<unknown> {
  let answered: (message: unknown) => void = () => fail('an answer to nothing')
  inbound.on('data', message => answered(message))
  return message =>
    new Promise(resolve => {
      answered = resolve
      outbound.write(message)
    })
}
