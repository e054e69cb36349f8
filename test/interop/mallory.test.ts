// The misbehaving peer against the Python implementation: what PROTOCOL.md refuses, that one refuses too, with the
// same alert and without giving its application anything. Judged by what it does on the wire, and whether it says that it ended cleanly.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t from 'tap'
import { SUITES } from '../../lib/index.ts'
import { within } from '../helpers/pair.ts'
import { AREAS } from '../mallory/catalogue.ts'
import type { Fault, Role, Settings } from '../mallory/fault.ts'
import { malloryIdentity } from '../mallory/keys.ts'
import { isRunnable, run } from '../mallory/runner.ts'
import type { Meeting, Target } from '../mallory/targets.ts'
import { type Args, makeKeys } from './meeting.ts'
import { type Job, python, Reference } from './reference.ts'

const { CI } = process.env
if (!python) {
  if (CI) throw new Error('no python3 with the modules cryptography and msgpack')
  t.plan(0, 'needs python3 with the packages python3-cryptography and python3-msgpack')
  process.exit(0)
}

const { file } = await makeKeys('ed25519', t.testdir())
const py = new Reference()
t.teardown(() => py.stop())

/** What the command line has for a setting that is not the default. */
const ARGS: { [S in keyof Settings]?: (value: NonNullable<Settings[S]>, role: Role) => Args } = {
  pinned: () => ['--peer', malloryIdentity.fingerprint],
  requireIdentity: () => [], // its mode mutual does
  anonymous: (_, role) => ['--mode', role === 'responder' ? 'initiator-only' : 'responder-only'],
  maxMessage: bytes => ['--max-message', bytes],
  suites: names => names.flatMap(name => ['--suite', SUITES[name].id]),
  closesFirst: () => ['--send', '"first"', '--close', 'first'],
  closeTimeout: ms => ['--timeout', ms / 1_000],
  pings: () => ['--ping-every', 1],
  updates: () => ['--update-every', 1]
}

function argsOf(role: Role, settings: Settings): Args {
  const given = Object.entries(settings) as [keyof Settings, never][]
  return [
    ...['--mode', 'mutual', '--identity', file],
    ...(settings.suites ? [] : ['--suite', 1, '--suite', 2]),
    ...(settings.closesFirst ? [] : ['--echo']),
    ...given.flatMap(([setting, value]) => ARGS[setting]?.(value, role) ?? [])
  ]
}

const meetingOf = (socket: net.Socket, job: Job): Meeting => ({
  socket,
  async ended() {
    const { kind, code } = await within(job.end(), 'its end', 5_000)
    return { error: kind === 'clean' ? null : [kind, code].join(' ') }
  },
  stop() {}
})

const target: Target = {
  name: 'the Python implementation',
  takes: setting => Object.hasOwn(ARGS, setting),
  async meet(role, settings) {
    const args = argsOf(role, settings)
    if (role === 'responder') {
      const job = py.run('listen', '--port', 0, ...args)
      const socket = net.connect({
        port: await job.port(),
        host: '127.0.0.1',
        allowHalfOpen: true,
        noDelay: true
      })
      await once(socket, 'connect')
      return meetingOf(socket, job)
    }
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const job = py.run('connect', '--port', (server.address() as AddressInfo).port, ...args)
    const [socket] = (await once(server, 'connection')) as [net.Socket]
    server.close()
    return meetingOf(socket, job)
  }
}

/** Its mode mutual takes no peer without a key, and says so rather than that it is another's: a fault of nobody. */
const NOT_FOR_IT = ['control-anonymous', 'unpinned-anonymous']
const isFor = (fault: Fault): boolean => isRunnable(fault, target) && !NOT_FOR_IT.includes(fault.name)

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
