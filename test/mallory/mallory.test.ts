// Every fault of the catalogue against our own implementation, in each role that it applies to; and the
// runner, which has to tell a target that fails from one that does not.

import { once } from 'node:events'
import net from 'node:net'
import t from 'tap'
import { AREAS, CATALOGUE, faultNamed } from './catalogue.ts'
import { type Fault, isControl } from './fault.ts'
import { ownTarget } from './own-target.ts'
import { type Result, run, verdictOf } from './runner.ts'
import type { Meeting, Target } from './targets.ts'

const { known = {} } = ownTarget

const consequence = ({ expected: { code, alerts, delivered } }: Fault): string =>
  code === null
    ? `all ${delivered.length} messages come back and both say goodbye`
    : `${code}, alert ${alerts.join(' or ')}, ${delivered.length || 'no'} messages delivered`

for (const [area, faults] of Object.entries(AREAS)) {
  t.test(area, async t => {
    for (const fault of faults) {
      for (const role of fault.against) {
        const { complaints } = await run(fault, role, ownTarget)
        const todo = known[fault.name]
        const sentence = `${fault.name}: Mallory ${fault.does} to our ${role}: ${consequence(fault)}`
        t.same(complaints, [], sentence, todo === undefined ? {} : { todo })
      }
    }
  })
}

t.test('no two faults have one name, and each applies to somebody', async t => {
  t.equal(new Set(CATALOGUE.map(({ name }) => name)).size, CATALOGUE.length)
  t.ok(CATALOGUE.every(({ against }) => against.length > 0))
  t.ok(Object.keys(known).every(name => faultNamed(name)))
})

/** One that does the same with every transport. */
const fixed = (does: (socket: net.Socket) => void): Target => ({
  name: 'fixed',
  takes: () => true,
  async meet() {
    const server = net.createServer({ allowHalfOpen: true }, does).listen(0)
    await once(server, 'listening')
    const socket = net.connect((server.address() as net.AddressInfo).port)
    await once(socket, 'connect')
    const stop = (): void => void server.close()
    const next = (): Promise<Meeting> => {
      stop()
      return this.meet('responder', {})
    }
    return { socket, ended: async () => null, next, stop }
  }
})

t.test('a target that refuses everything fails every control', async t => {
  const refusing = fixed(socket => socket.destroy())
  for (const fault of CATALOGUE.filter(isControl)) {
    for (const role of fault.against) {
      t.equal(verdictOf(await run(fault, role, refusing), refusing), 'FAIL', `${fault.name}, ${role}`)
    }
  }
})

t.test('a target that sends no alert fails where one is due', async t => {
  const silent = fixed(socket => socket.end())
  t.match(await run(faultNamed('m1-version-unknown'), 'responder', silent), {
    complaints: ['alert none instead of 5']
  })
})

t.test('a known deviation does not fail, and one that is gone does', async t => {
  const result: Result = { fault: faultNamed('control-honest'), role: 'initiator', seen: '', complaints: [] }
  const target: Target = { ...ownTarget, known: { 'control-honest': 'a reason' } }
  t.equal(verdictOf({ ...result, complaints: ['something'] }, target), 'known')
  t.equal(verdictOf(result, target), 'FAIL')
  t.equal(verdictOf(result, ownTarget), 'ok')
})
