// The stdio of a child process: Duplex.from({ readable: child.stdout, writable: child.stdin }) here, and
// Duplex.from({ readable: process.stdin, writable: process.stdout }) in the child (child-echo.ts).

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { type Connection, type Outcome, stalk } from '../../lib/index.ts'
import { alice, bob, within } from '../helpers/pair.ts'
import { closed, collect, messages, sendAll } from './talk.ts'

type Role = 'initiator' | 'responder'

const DEADLINE_MS = 30_000
const folder = mkdtempSync(join(tmpdir(), 'stalk-child-'))
const keyFile = join(folder, 'id_priv')
await bob.save({ privateFile: keyFile, publicFile: join(folder, 'id_pub') })
t.teardown(() => rmSync(folder, { recursive: true }))

interface Child {
  readonly connection: Connection
  readonly process: ChildProcess
  /** How it ended there. */
  readonly outcome: Promise<Outcome>
}

/** A child that echoes in the other role; we are alice, it is bob. */
function start(role: Role): Child {
  const theirs = role === 'initiator' ? 'responder' : 'initiator'
  const program = join(import.meta.dirname, 'child-echo.ts')
  const child = spawn(process.execPath, ['--import=tsx', program, theirs, keyFile, alice.fingerprint])
  const outcome = text(child.stderr).then(said => JSON.parse(said) as Outcome)
  outcome.catch(() => {}) // where it was killed
  const duplex = Duplex.from({ readable: child.stdout, writable: child.stdin })
  const connection = stalk(duplex, { role, identity: alice, peer: bob, handshakeTimeout: DEADLINE_MS })
  connection.on('error', () => {})
  return { connection, process: child, outcome }
}

for (const role of ['initiator', 'responder'] as const) {
  t.test(
    `over a child's stdio, here as the ${role}: all messages are echoed, and both ends are clean`,
    async t => {
      const child = start(role)
      const got = collect(child.connection)
      await within(sendAll(child.connection), 'sending', DEADLINE_MS)
      const n = messages.length
      t.match(await closed(child.connection), { kind: 'clean', sent: n, received: n, acknowledged: n })
      t.match(await within(child.outcome, "the child's outcome"), { kind: 'clean', sent: n, received: n })
      t.same(got, messages)
      t.equal(child.process.exitCode ?? (await once(child.process, 'exit'))[0], 0)
    }
  )
}

t.test('a child that is killed is a cut, after what it had said', async t => {
  const { connection, process: child } = start('initiator')
  const got = collect(connection)
  const echoed = once(connection, 'data')
  await within(connection.send('one'), 'send', DEADLINE_MS)
  await within(echoed, 'the echo', DEADLINE_MS)
  child.kill('SIGKILL')
  t.match(await closed(connection), { kind: /^(truncated|reset)$/, sent: 1, received: 1 })
  t.same(got, ['one'])
})

t.test('a child whose stdio is cut learns of it, and ends', async t => {
  const { connection, process: child, outcome } = start('responder')
  const echoed = once(connection, 'data')
  await within(connection.send('one'), 'send', DEADLINE_MS)
  await within(echoed, 'the echo', DEADLINE_MS)
  child.stdin?.destroy()
  child.stdout?.destroy()
  t.match(await within(outcome, "the child's outcome", DEADLINE_MS), {
    kind: /^(truncated|reset)$/,
    received: 1
  })
  await closed(connection)
})
