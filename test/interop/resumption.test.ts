// Sessions that are resumed, between two of the reference and between stalk and the reference, both ways over TCP.

import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Connection, connect, type StalkError, SUITES, type SuiteName } from '../../lib/index.ts'
import { issuesTickets, keepsTickets } from '../helpers/resumption.ts'
import {
  type Args,
  argsOf,
  type Keys,
  listen,
  MODES,
  type Mode,
  makeKeys,
  type Ours,
  optionsOf
} from './meeting.ts'
import { type Job, Reference, requirePython, runPython } from './reference.ts'

requirePython(t)

const dir = t.testdir()
const ed25519 = await makeKeys('ed25519', dir)
const rsa = await makeKeys('rsa', dir)
const py = new Reference()
t.teardown(() => py.stop())

const suiteNames = Object.keys(SUITES) as SuiteName[]

let files = 0
const newTicketFile = (): string => join(dir, `tickets-${files++}.json`)

interface Case {
  readonly suite: SuiteName
  readonly mode: Mode
  readonly keys: Keys
}

/** Every suite in every mode, and each mode with an identity once with RSA. */
const CASES: readonly Case[] = [
  ...suiteNames.flatMap(suite => MODES.map(mode => ({ suite, mode, keys: ed25519 }))),
  ...suiteNames.map((suite, i) => ({ suite, mode: MODES[i] as Mode, keys: rsa }))
]

const titleOf = ({ suite, mode, keys }: Case): string =>
  `${mode}, ${keys === rsa ? 'RSA' : 'Ed25519'}, ${suite}`

const suiteArgs = ({ suite }: Case): Args => [
  ...['--suite', suiteNames.indexOf(suite) + 1],
  ...['--app', 'interop']
]

/** Of a connection that a job makes: sends before it is accepted and behind, and closes when it has both back. */
const SENDS: Args = ['--early', '"early"', '--send', '{"hello":"world"}', '--close', 'first']

t.test('the reference offers, resumes and refuses as section 21.4 says', async t => {
  const { status, output } = runPython('check_resumption.py')
  t.match(output, /^\d{3,} checked, 0 failed\n$/)
  t.equal(status, 0)
})

// --- two of the reference ------------------------------------------------------------------------------

/** One connection between two jobs. */
async function meet(t: Test, listening: Job, connecting: Job, resumed: boolean): Promise<void> {
  const { session, exported } = await connecting.take('secure')
  t.match(await listening.take('secure'), { resumed, session, exported })
  const counts = { sent: 2, acknowledged: 2, received: 2 }
  t.match(await connecting.take('end'), { kind: 'clean', ...counts, resumed, tickets: 1 })
  t.match(await listening.take('end'), { kind: 'clean', ...counts, resumed, tickets: 1 })
}

t.test('two of the reference resume a session and the resumed one, in every suite and mode', async t => {
  for (const each of CASES) {
    await t.test(titleOf(each), async t => {
      const { mode, keys } = each
      const identity = ['--identity', keys.file, '--peer', keys.theirs.fingerprint]
      const args = ['--mode', mode, ...identity, ...suiteArgs(each)]
      const listening = py.run('listen', '--connections', 3, '--tickets', 1, '--echo', ...args)
      const dial = ['connect', '--port', await listening.port(), '--ticket-file', newTicketFile(), ...SENDS]
      for (const resumed of [false, true, true]) await meet(t, listening, py.run(...dial, ...args), resumed)
    })
  }
})

t.test('a ticket in a file is gone before it is offered, and an unknown one is a full handshake', async t => {
  const args = ['--mode', 'anonymous', '--tickets', 1]
  const file = newTicketFile()
  for (const _ of [1, 2]) {
    const listening = py.run('listen', '--echo', ...args) // another one: it does not know the first one's tickets
    const dial = ['connect', '--port', await listening.port(), '--ticket-file', file, ...SENDS]
    await meet(t, listening, py.run(...dial, '--mode', 'anonymous'), false)
    t.equal(ticketsIn(file).length, 1)
  }
})

interface TicketEntry {
  readonly value: string
  readonly psk: string
}

const ticketsIn = (file: string): TicketEntry[] => JSON.parse(readFileSync(file, 'utf8'))

/** Makes the binders wrong that are made with the tickets of a file; answers what was in it. */
function spoil(file: string): string {
  const good = readFileSync(file, 'utf8')
  const spoiled = ticketsIn(file).map(ticket => ({ ...ticket, psk: '00'.repeat(32) }))
  writeFileSync(file, JSON.stringify(spoiled))
  return good
}

// --- stalk and the reference ---------------------------------------------------------------------------

/** What the reference says of a session is what stalk says. */
async function agree(t: Test, conn: Connection, job: Job, { mode, suite }: Case, ours: Ours): Promise<void> {
  t.match(await job.take('secure'), {
    mode,
    suite,
    resumed: conn.security?.resumed,
    session: conn.security?.sessionId,
    peer: ours.identity?.fingerprint ?? null,
    exported: conn.exportKeyingMaterial('interop', 'context', 32).toString('hex')
  })
  t.match(conn.security, { mode, suite })
  t.equal(conn.peerIdentity?.fingerprint, conn.claimedPeerIdentity?.fingerprint)
}

const oursFor = ({ mode, suite, keys }: Case, role: 'initiator' | 'responder'): Ours => ({
  ...optionsOf(mode, role, keys),
  suites: [suite],
  app: 'interop'
})

const theirsFor = (each: Case): Args => [...argsOf(each.mode, each.keys), ...suiteArgs(each)]

t.test('the reference resumes sessions with a listener of stalk, in every suite and mode', async t => {
  for (const each of CASES) {
    await t.test(titleOf(each), async t => {
      const ours = { ...oursFor(each, 'responder'), ...issuesTickets() }
      const { listening, port } = await listen(t, ours)
      const dial = ['connect', '--port', port, '--ticket-file', newTicketFile(), ...SENDS, ...theirsFor(each)]
      for (const resumed of [false, true, true]) {
        const job = py.run(...dial)
        const [conn] = (await once(listening, 'connection')) as [Connection]
        conn.pipe(conn)
        await agree(t, conn, job, each, ours)
        t.equal(conn.security?.resumed, resumed)
        t.match(await conn.outcome, { kind: 'clean', sent: 2, acknowledged: 2, received: 2 })
        t.match(await job.take('end'), { kind: 'clean', sent: 2, acknowledged: 2, received: 2, resumed })
      }
    })
  }
})

t.test('stalk resumes sessions with a listener of the reference, in every suite and mode', async t => {
  for (const each of CASES) {
    await t.test(titleOf(each), async t => {
      const ours = { ...oursFor(each, 'initiator'), ...keepsTickets() }
      const job = py.run('listen', '--connections', 3, '--tickets', 1, '--echo', ...theirsFor(each))
      const port = await job.port()
      for (const resumed of [false, true, true]) {
        const conn = await connect('127.0.0.1', port, ours)
        await agree(t, conn, job, each, ours)
        t.equal(conn.security?.resumed, resumed)
        await conn.send({ hello: 'world' })
        t.same(await once(conn, 'data'), [{ hello: 'world' }]) // the ticket came before it
        conn.resume().end()
        t.match(await conn.outcome, { kind: 'clean', sent: 1, acknowledged: 1, received: 1 })
        t.match(await job.take('end'), { kind: 'clean', sent: 1, acknowledged: 1, received: 1, resumed })
      }
    })
  }
})

t.test('stalk refuses a binder that does not match, and the ticket stays good', async t => {
  const { listening, port } = await listen(t, {
    ...optionsOf('mutual', 'responder', ed25519),
    ...issuesTickets()
  })
  listening.on('connection', (conn: Connection) => conn.pipe(conn))
  const file = newTicketFile()
  const args = ['--port', port, '--ticket-file', file, ...SENDS, ...argsOf('mutual', ed25519)]
  t.match(await py.run('connect', ...args).end(), { kind: 'clean', resumed: false })
  const good = spoil(file)
  const refused = once(listening, 'clientError') as Promise<[StalkError]>
  t.match(await py.run('connect', ...args).end(), { event: 'failed', kind: 'PeerAlert', code: 6 })
  t.match((await refused)[0].code, /^ERR_STALK_BAD_/)
  writeFileSync(file, good)
  t.match(await py.run('connect', ...args).end(), { kind: 'clean', resumed: true })
})

t.test('a ticket that the other end does not know is a full handshake', async t => {
  const file = newTicketFile()
  for (const _ of [1, 2]) {
    const ours = { ...optionsOf('mutual', 'responder', ed25519), ...issuesTickets() }
    const { listening, port } = await listen(t, ours)
    listening.on('connection', (conn: Connection) => conn.pipe(conn))
    const args = ['--port', port, '--ticket-file', file, ...SENDS, ...argsOf('mutual', ed25519)]
    t.match(await py.run('connect', ...args).end(), { kind: 'clean', resumed: false })
  }

  const ours = { ...optionsOf('mutual', 'initiator', ed25519), ...keepsTickets() }
  for (const _ of [1, 2]) {
    const job = py.run('listen', '--tickets', 1, '--send', '"behind it"', ...argsOf('mutual', ed25519))
    const conn = await connect('127.0.0.1', await job.port(), ours)
    t.equal(conn.security?.resumed, false)
    t.same(await once(conn, 'data'), ['behind it'])
    conn.resume().end()
    t.match(await job.end(), { kind: 'clean', resumed: false })
  }
})
