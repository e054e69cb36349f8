// Connections made one after the other, a few at a time: each is verified by both ends, brings one byte from the
// listener, and is dropped.

import { payloadOf } from '../payloads.ts'
import type { Channel } from '../subject.ts'
import { transportOf } from '../subjects/index.ts'
import { atOnce } from './connect.ts'
import { fail, Meter, now, type Task } from './task.ts'

const greeting = payloadOf('byte')

export const task: Task = async ({ role, subject, own, port }) => {
  const transport = await transportOf(subject)
  const meter = new Meter()
  if (role === 'listener') {
    const port = await transport.listen(own, ({ inbound, outbound }) => {
      inbound.on('error', () => {}) // it is dropped at the other end
      inbound.on('data', () => fail('an answer, where none was expected'))
      outbound.write(greeting.make(0))
    })
    return [
      async request => {
        if ('expect' in request) meter.start()
        return { cpu: meter.read() }
      },
      { port }
    ]
  }
  return [
    async request => {
      if (!('run' in request)) return {}
      meter.start()
      const began = now()
      await atOnce(request.run, async () => greeted(await transport.connect(port, own)))
      return { at: now() - began, cpu: meter.read() }
    },
    {}
  ]
}

function greeted({ inbound, destroy }: Channel): Promise<void> {
  return new Promise(resolve => {
    inbound.on('data', message => {
      if (!greeting.is(0, message)) fail('another greeting than the one that was sent')
      destroy()
      resolve()
    })
  })
}
