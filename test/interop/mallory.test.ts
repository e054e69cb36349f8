// The misbehaving peer against the Python implementation: what PROTOCOL.md refuses, that one refuses too, with the
// same alert and without giving its application anything. Judged by what it does on the wire.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { AREAS } from '../mallory/catalogue.ts'
import type { Fault } from '../mallory/fault.ts'
import { isRunnable, run } from '../mallory/runner.ts'
import type { Meeting, Target } from '../mallory/targets.ts'
import { makeKeys } from './meeting.ts'
import { python, Reference } from './reference.ts'

const { CI } = process.env
if (!python) {
  if (CI) throw new Error('no python3 with the modules cryptography and msgpack')
  t.plan(0, 'needs python3 with the packages python3-cryptography and python3-msgpack')
  process.exit(0)
}

const { file } = await makeKeys('ed25519', t.testdir())
const py = new Reference()
t.teardown(() => py.stop())

const ECHO = [
  '--mode',
  'mutual',
  '--identity',
  file,
  '--suite',
  1,
  '--suite',
  2,
  '--echo',
  '--close',
  'second'
]

const meetingOf = (socket: net.Socket): Meeting => ({ socket, ended: async () => null, stop() {} })

const target: Target = {
  name: 'the Python implementation',
  takesSettings: false,
  async meet(role) {
    if (role === 'responder') {
      const port = await py.run('listen', '--port', 0, ...ECHO).port()
      const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      await once(socket, 'connect')
      return meetingOf(socket)
    }
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    py.run('connect', '--port', (server.address() as AddressInfo).port, ...ECHO)
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    server.close()
    return meetingOf(socket)
  }
}

/** Its mode mutual takes every key, and no peer without one, which is a fault of nobody. */
const isFor = (fault: Fault): boolean => isRunnable(fault, target) && fault.name !== 'control-anonymous'

for (const [area, faults] of Object.entries(AREAS)) {
  t.test(area, async t => {
    for (const fault of faults.filter(isFor)) {
      for (const role of fault.against) {
        const { complaints } = await run(fault, role, target)
        t.same(complaints, [], `${fault.name}: Mallory ${fault.does} to the ${role}`)
      }
    }
  })
}
