// The misbehaving peer against the Python implementation: what PROTOCOL.md refuses, that one refuses too, with the
// same alert and without giving its application anything. Judged by what it does on the wire, and whether it says that it ended cleanly.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { SUITES } from '../../lib/index.ts'
import { within } from '../helpers/pair.ts'
import { AREAS } from '../mallory/catalogue.ts'
import type { Role, Settings } from '../mallory/fault.ts'
import { malloryIdentity } from '../mallory/keys.ts'
import { isRunnable, run } from '../mallory/runner.ts'
import type { Meeting, Target } from '../mallory/targets.ts'
import { type Args, makeKeys } from './meeting.ts'
import { type Job, Reference, requirePython } from './reference.ts'

requirePython(t)

const dir = t.testdir()
const { file } = await makeKeys('ed25519', dir)
const py = new Reference()
t.teardown(() => py.stop())

let files = 0
const newTicketFile = (): string => join(dir, `tickets-${files++}.json`)

/** What the command line has for a setting that is not the default. */
const ARGS: { [S in keyof Settings]?: (value: NonNullable<Settings[S]>, role: Role) => Args } = {
  pinned: () => ['--peer', malloryIdentity.fingerprint],
  requireIdentity: () => ['--mode', 'mutual'],
  anonymous: () => [],
  maxMessage: bytes => ['--max-message', bytes],
  suites: names => names.flatMap(name => ['--suite', SUITES[name].id]),
  closesFirst: () => ['--send', '"first"', '--close', 'first'],
  closeTimeout: ms => ['--timeout', ms / 1_000],
  pings: () => ['--ping-every', 1],
  updates: () => ['--update-every', 1],
  resumes: (count, role) =>
    role === 'responder' ? ['--connections', count, '--tickets', 1] : ['--ticket-file', newTicketFile()]
}

function argsOf(role: Role, settings: Settings): Args {
  const given = Object.entries(settings) as [keyof Settings, never][]
  return [
    ...['--mode', 'any'],
    ...(settings.anonymous ? [] : ['--identity', file]),
    ...(settings.suites ? [] : ['--suite', 1, '--suite', 2]),
    ...(settings.closesFirst ? [] : ['--echo']),
    ...given.flatMap(([setting, value]) => ARGS[setting]?.(value, role) ?? [])
  ]
}

const meetingOf = (socket: net.Socket, job: Job, next: () => Promise<Meeting>, stop = () => {}): Meeting => ({
  socket,
  async ended() {
    const { kind, code } = await within(job.end(), 'its end', 5_000)
    return { error: kind === 'clean' ? null : [kind, code].join(' ') }
  },
  next,
  stop
})

/** One connection after the other to a listener. */
async function reach(job: Job, port: number): Promise<Meeting> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  await once(socket, 'connect')
  return meetingOf(socket, job, () => reach(job, port))
}

/** One connecting job after the other. */
async function beReached(server: net.Server, args: Args): Promise<Meeting> {
  const job = py.run('connect', '--port', (server.address() as AddressInfo).port, ...args)
  const [socket] = (await once(server, 'connection')) as [net.Socket]
  return meetingOf(
    socket,
    job,
    () => beReached(server, args),
    () => server.close()
  )
}

const target: Target = {
  name: 'the Python implementation',
  takes: setting => Object.hasOwn(ARGS, setting),
  async meet(role, settings) {
    const args = argsOf(role, settings)
    if (role === 'responder') {
      const job = py.run('listen', '--port', 0, ...args)
      return reach(job, await job.port())
    }
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    return beReached(server, args)
  }
}

for (const [area, faults] of Object.entries(AREAS)) {
  t.test(area, async t => {
    for (const fault of faults.filter(each => isRunnable(each, target))) {
      for (const role of fault.against) {
        const { complaints } = await run(fault, role, target)
        t.same(complaints, [], `${fault.name}: Mallory ${fault.does} to the ${role}`)
      }
    }
  })
}
