// A MessagePort between threads, as a duplex of bytes (port-duplex.ts): in one thread, and with a worker.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MessageChannel, Worker } from 'node:worker_threads'
import t from 'tap'
import { type Connection, type Outcome, stalk } from '../../lib/index.ts'
import { alice, bob, within } from '../helpers/pair.ts'
import { PortDuplex } from './port-duplex.ts'
import { carries, closed, collect, type Link, messages, sendAll } from './talk.ts'

function make(): Link {
  const { port1, port2 } = new MessageChannel()
  return { called: new PortDuplex(port1), accepted: new PortDuplex(port2), cut: () => port1.close() }
}

carries({ name: 'a MessagePort', make })

const DEADLINE_MS = 30_000
const folder = mkdtempSync(join(tmpdir(), 'stalk-worker-'))
const keyFile = join(folder, 'id_priv')
await bob.save({ privateFile: keyFile, publicFile: join(folder, 'id_pub') })
t.teardown(() => rmSync(folder, { recursive: true }))

/** A worker does not inherit tsx from --import. */
const asTypeScript = `
  const { workerData } = require('node:worker_threads')
  import('tsx/esm/api').then(({ register }) => register() && import(workerData.program))
`

/** A worker that echoes in the other role; we are alice, it is bob. */
function start(role: 'initiator' | 'responder'): { connection: Connection; worker: Worker } {
  const { port1, port2 } = new MessageChannel()
  const theirs = role === 'initiator' ? 'responder' : 'initiator'
  const program = new URL('./worker-echo.ts', import.meta.url).href
  const worker = new Worker(asTypeScript, {
    eval: true,
    workerData: { program, port: port2, role: theirs, keyFile, peer: alice.fingerprint },
    transferList: [port2]
  })
  const options = { role, identity: alice, peer: bob, handshakeTimeout: DEADLINE_MS }
  const connection = stalk(new PortDuplex(port1), options)
  connection.on('error', () => {})
  return { connection, worker }
}

for (const role of ['initiator', 'responder'] as const) {
  t.test(`with a worker, here as the ${role}: all messages are echoed, and both ends are clean`, async t => {
    const { connection, worker } = start(role)
    const outcome = once(worker, 'message') as Promise<[Outcome]>
    const got = collect(connection)
    await within(sendAll(connection), 'sending', DEADLINE_MS)
    const n = messages.length
    t.match(await closed(connection), { kind: 'clean', sent: n, received: n, acknowledged: n })
    t.match(await within(outcome, "the worker's outcome"), [{ kind: 'clean', sent: n, received: n }])
    t.same(got, messages)
    await worker.terminate()
  })
}

t.test('a worker that is terminated is a cut', async t => {
  const { connection, worker } = start('initiator')
  const echoed = once(connection, 'data')
  await within(connection.send('one'), 'send', DEADLINE_MS)
  await within(echoed, 'the echo', DEADLINE_MS)
  await worker.terminate()
  t.match(await closed(connection), { kind: /^(truncated|reset)$/, sent: 1, received: 1 })
})
