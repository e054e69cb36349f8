// stalk and the reference implementation in Python, which is written from PROTOCOL.md, talk to each other.

import { once } from 'node:events'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type Connection, connect, type StalkError, SUITES, type SuiteName } from '../../lib/index.ts'
import {
  type Args,
  argsOf,
  type Keys,
  listen,
  type Meddle,
  type Meet,
  MODES,
  type Mode,
  makeKeys,
  type Ours,
  optionsOf,
  relay,
  weConnect,
  weListen
} from './meeting.ts'
import { describe } from './notation.ts'
import { type Job, Reference, requirePython, runPython } from './reference.ts'
import { samples } from './samples.ts'

requirePython(t)

const dir = t.testdir()
const ed25519 = await makeKeys('ed25519', dir)
const rsa = await makeKeys('rsa', dir)
const py = new Reference()
t.teardown(() => py.stop())

const suiteNames = Object.keys(SUITES) as SuiteName[]
const MB = 2 ** 20

interface End {
  readonly meet: Meet
  readonly ours: (mode: Mode, keys?: Keys) => Ours
}

/** The same test twice: stalk as the listener, and as the end that connects. */
const bothWays = (body: (t: Test, end: End) => Promise<void>) => async (t: Test) => {
  for (const [name, meet, role] of [
    ['stalk listens', weListen, 'responder'],
    ['stalk connects', weConnect, 'initiator']
  ] as const) {
    await t.test(name, t => body(t, { meet, ours: (mode, keys = ed25519) => optionsOf(mode, role, keys) }))
  }
}

/** Reads all messages of a connection; `take` waits for the next of them. */
function reader(conn: Connection): { take: (count: number) => Promise<unknown[]> } {
  const messages: unknown[] = []
  conn.on('data', message => messages.push(message))
  const take = async (count: number): Promise<unknown[]> => {
    while (messages.length < count) await once(conn, 'data')
    return messages.splice(0, count)
  }
  return { take }
}

async function shown(job: Job, count: number): Promise<unknown[]> {
  const values: unknown[] = []
  while (values.length < count) values.push((await job.take('message')).value)
  return values
}

const mutual = argsOf('mutual', ed25519)
const greet: Args = [...mutual, '--show']

t.test('every vector of test/vectors holds in the reference', async t => {
  const { status, output } = runPython('check_vectors.py')
  t.match(output, /^\d{4,} checked, 0 failed\n$/)
  t.equal(status, 0)
})

t.test('the check of the vectors fails where one of them is wrong', async t => {
  const folder = t.testdir()
  cpSync(join(import.meta.dirname, '../vectors'), folder, { recursive: true })
  const file = join(folder, 'handshake.json')
  const text = readFileSync(file, 'utf8')
  writeFileSync(file, text.replace(/"sessionId": "(..)/, '"sessionId": "..'))
  const { status, output } = runPython('check_vectors.py', folder)
  t.match(output, / checked, 2 failed\n$/)
  t.equal(status, 1)
})

t.test(
  'the reference takes and refuses the values that section 15 says, and agrees with msgpack',
  async t => {
    const { status, output } = runPython('check_values.py')
    t.match(output, /^\d{2,} checked, 0 failed\n$/)
    t.equal(status, 0)
  }
)

t.test('the reference answers, asks and refuses as section 21 says', async t => {
  const { status, output } = runPython('check_upkeep.py')
  t.match(output, /^\d{2,} checked, 0 failed\n$/)
  t.equal(status, 0)
})

async function talk(t: Test, { meet, ours }: End, suite: SuiteName, mode: Mode, keys: Keys): Promise<void> {
  const options = { ...ours(mode, keys), suites: [suite], app: 'interop' }
  const args = ['--suite', suiteNames.indexOf(suite) + 1, '--app', 'interop', '--echo']
  const { conn, job } = await meet(t, py, options, [...argsOf(mode, keys), ...args])
  const { take } = reader(conn)
  t.match(conn.security, { mode, suite })
  t.equal(conn.peerIdentity?.fingerprint, conn.claimedPeerIdentity?.fingerprint)
  t.match(await job.take('secure'), {
    mode,
    suite,
    session: conn.security?.sessionId,
    peer: options.identity?.fingerprint ?? null,
    exported: conn.exportKeyingMaterial('interop', 'context', 32).toString('hex')
  })
  await conn.send({ hello: suite })
  t.same(await take(1), [{ hello: suite }])
  conn.end()
  t.match(await conn.outcome, { kind: 'clean', sent: 1, acknowledged: 1, received: 1, unsent: 0 })
  t.match(await job.take('end'), { kind: 'clean', sent: 1, acknowledged: 1, received: 1 })
}

t.test(
  'they agree on identities, mode and keys in every suite and mode, with both kinds of key',
  bothWays(async (t, end) => {
    for (const suite of suiteNames) {
      for (const mode of MODES) {
        for (const keys of mode === 'anonymous' ? [ed25519] : [ed25519, rsa]) {
          const kind = keys === rsa ? 'RSA' : 'Ed25519'
          await t.test(`${mode}, ${kind}, ${suite}`, t => talk(t, end, suite, mode, keys))
        }
      }
    }
  })
)

t.test(
  'a value of every type is the same value at the other end, and again when it comes back',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours('mutual'), [...greet, '--echo'])
    const { take } = reader(conn)
    await job.take('secure')
    for (const sample of samples) conn.write(sample)
    t.strictSame(await shown(job, samples.length), samples.map(describe))
    t.strictSame((await take(samples.length)).map(describe), samples.map(describe))
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', received: samples.length, acknowledged: samples.length })
  })
)

t.test(
  'a value of every type that the reference makes is the same value here, and again at the reference',
  bothWays(async (t, { meet, ours }) => {
    const sends = samples.flatMap(sample => ['--send', JSON.stringify(describe(sample))])
    const { conn, job } = await meet(t, py, ours('mutual'), [...greet, ...sends])
    const received = await reader(conn).take(samples.length)
    await job.take('secure')
    t.strictSame(received.map(describe), samples.map(describe))
    for (const message of received) conn.write(message)
    t.strictSame(await shown(job, samples.length), samples.map(describe))
    conn.end()
    t.match(await job.take('end'), { kind: 'clean', sent: samples.length, acknowledged: samples.length })
  })
)

t.test(
  'messages of several MB pass in both directions, in every suite',
  bothWays(async (t, { meet, ours }) => {
    for (const [i, suite] of suiteNames.entries()) {
      const args = ['--suite', i + 1, '--send-text', 3 * MB, '--echo']
      const { conn } = await meet(t, py, { ...ours('mutual'), suites: [suite] }, [...mutual, ...args])
      const { take } = reader(conn)
      const large = { text: 'ü'.repeat(MB), bytes: Buffer.alloc(4 * MB, 'stalk'), small: [1, 2] }
      const [text] = await take(1)
      t.ok(text === '0123456789abcdef'.repeat((3 * MB) / 16))
      await conn.send(large)
      const [back] = await take(1)
      t.ok(JSON.stringify(describe(back)) === JSON.stringify(describe(large)))
      conn.end()
      t.match(await conn.outcome, { kind: 'clean', sent: 1, acknowledged: 1, received: 1 + 1 })
    }
  })
)

t.test(
  'a message is taken up to maxMessage and refused above it, as the end that told it says',
  bothWays(async (t, { meet, ours }) => {
    const fits = await meet(t, py, { ...ours('mutual'), maxMessage: 100_005 }, [
      ...mutual,
      '--send-text',
      100_000
    ])
    fits.conn.resume().end()
    t.match(await fits.conn.outcome, { kind: 'clean', received: 1 })
    const { conn, job } = await meet(t, py, ours('mutual'), [...greet, '--max-message', 100_004])
    await t.rejects(conn.send('x'.repeat(100_000)), { code: 'ERR_STALK_MESSAGE_TOO_LARGE' })
    await conn.send('small')
    conn.resume().end()
    t.match(await conn.outcome, { kind: 'clean', sent: 1, acknowledged: 1 })
    await job.take('secure')
    t.same(await shown(job, 1), ['small'])
  })
)

t.test(
  'early data of the reference arrives once it is accepted, and nothing of it where it is not',
  async t => {
    const early = [...mutual, '--early', '"one"', '--early', '[2]', '--send', '"three"']
    const { conn, job } = await weListen(t, py, optionsOf('mutual', 'responder', ed25519), early)
    t.same(await reader(conn).take(3), ['one', [2], 'three'])
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', received: 3 })
    await job.take('secure')
    t.match(await job.take('end'), { kind: 'clean', sent: 3, acknowledged: 3 })

    const refused = await listen(t, { identity: ed25519.ours, peer: rsa.theirs.fingerprint })
    refused.listening.on('connection', () => t.fail('nobody was let in'))
    t.match(await py.run('connect', '--port', refused.port, ...early).take('failed'), {
      kind: 'PeerAlert',
      code: 6
    })
  }
)

t.test(
  'stalk closes first, and both ends know what the other has received',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours('mutual'), [...mutual, '--echo'])
    for (const message of [1, 2, 3]) conn.write(message)
    conn.resume().end()
    t.match(await conn.outcome, { kind: 'clean', sent: 3, acknowledged: 3, received: 3, unsent: 0 })
    await job.take('secure')
    t.match(await job.take('end'), { kind: 'clean', sent: 3, acknowledged: 3, received: 3 })
  })
)

t.test(
  'the reference closes first, and what is sent after its close is acknowledged by its final pong',
  bothWays(async (t, { meet, ours }) => {
    const args = [...greet, '--send', '1', '--send', '2', '--close', 'first']
    const { conn, job } = await meet(t, py, { ...ours('mutual'), allowHalfOpen: true }, args)
    t.same(await reader(conn).take(2), [1, 2])
    for (const message of ['a', 'b', 'c']) conn.write(message)
    conn.end()
    t.match(await conn.outcome, { kind: 'clean', sent: 3, acknowledged: 3, received: 2 })
    await job.take('secure')
    t.same(await shown(job, 3), ['a', 'b', 'c'])
    t.match(await job.take('end'), { kind: 'clean', sent: 2, acknowledged: 2, received: 3 })
  })
)

t.test(
  'both close at once, and the connection ends cleanly at both ends',
  bothWays(async (t, { meet, ours }) => {
    const { conn, job } = await meet(t, py, ours('mutual'), [...mutual, '--send', '1', '--close', 'first'])
    conn.resume().end('bye')
    t.match(await conn.outcome, { kind: 'clean', sent: 1, acknowledged: 1, received: 1 })
    await job.take('secure')
    t.match(await job.take('end'), { kind: 'clean', sent: 1, acknowledged: 1, received: 1 })
  })
)

t.test(
  'an end that aborts is told from one that closes',
  bothWays(async (t, { meet, ours }) => {
    const theirs = await meet(t, py, ours('mutual'), [...mutual, '--abort'])
    theirs.conn.resume()
    t.match(await theirs.conn.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
    const own = await meet(t, py, ours('mutual'), mutual)
    await own.job.take('secure')
    own.conn.destroy()
    t.match(await own.job.take('end'), { kind: 'alert', code: 8 })
    t.match(await own.conn.outcome, { kind: 'aborted' })
  })
)

/** A handshake that fails: our error's code, and what the reference says. */
async function refusal(
  t: Test,
  end: End,
  ours: Ours,
  args: Args
): Promise<{ code: string; theirs: unknown }> {
  if (end.meet === weListen) {
    const { listening, port } = await listen(t, ours)
    listening.on('connection', () => t.fail('nobody was let in'))
    const job = py.run('connect', '--port', port, ...args)
    const [error] = (await once(listening, 'clientError')) as [StalkError]
    return { code: error.code, theirs: await job.take('failed') }
  }
  const job = py.run('listen', ...args)
  const failed = connect('127.0.0.1', await job.port(), ours).then(
    () => 'connected',
    error => error.code
  )
  return { code: await failed, theirs: await job.take('failed') }
}

const REFUSALS: { name: string; ours: Ours; args: Args; code: string | RegExp; theirs: object }[] = [
  {
    name: 'the wrong key is refused by stalk, and the reference is told no more than that',
    ours: { peer: rsa.theirs.fingerprint },
    args: [],
    code: 'ERR_STALK_PEER_MISMATCH',
    theirs: { kind: 'PeerAlert', code: 6 }
  },
  {
    name: 'the wrong key is refused by the reference, and stalk is told no more than that',
    ours: {},
    args: ['--peer', rsa.ours.fingerprint],
    code: 'ERR_STALK_REJECTED',
    theirs: { kind: 'Fault', code: 6 }
  },
  {
    name: 'ends without a suite in common do not meet',
    ours: { suites: ['X25519-AES256GCM-SHA256'] },
    args: ['--suite', 2],
    code: /NOTHING_IN_COMMON|PEER_ALERT/,
    theirs: { code: 5 }
  },
  {
    name: 'ends of different apps do not meet',
    ours: { app: 'chat' },
    args: ['--app', 'chess'],
    code: 'ERR_STALK_BAD_RECORD',
    theirs: { code: 2 }
  }
]

for (const { name, ours, args, code, theirs } of REFUSALS) {
  t.test(
    name,
    bothWays(async (t, end) => {
      const failed = await refusal(t, end, { ...end.ours('mutual'), ...ours }, [...mutual, ...args])
      t.match(failed, { code, theirs })
    })
  )
}

t.test('an anonymous initiator is refused where an identity is required', async t => {
  const anonymous = { ...optionsOf('responder-only', 'initiator', ed25519) }
  const connecting = { meet: weConnect, ours: () => anonymous }
  t.match(await refusal(t, connecting, anonymous, mutual), {
    code: 'ERR_STALK_IDENTITY_REQUIRED',
    theirs: { kind: 'PeerAlert', code: 7 }
  })
  const listening = { meet: weListen, ours: () => ({}) }
  const args = argsOf('responder-only', ed25519)
  t.match(await refusal(t, listening, optionsOf('mutual', 'responder', ed25519), args), {
    theirs: { kind: 'Fault', code: 7 }
  })
})

const flip =
  (at: number, n: number): Meddle =>
  (record, i) => {
    if (i !== n) return record
    const changed = Buffer.from(record)
    changed[at < 0 ? record.length + at : at] = (changed.at(at) as number) ^ 1
    return changed
  }

/** For `meet`: meddles with what that end sends. */
const between = (
  { meet }: End,
  of: 'reference' | 'stalk',
  meddle: Meddle
): [Meddle | undefined, Meddle | undefined] =>
  (meet === weListen) === (of === 'reference') ? [meddle, undefined] : [undefined, meddle]

/** How many records of that end are the handshake's. */
const handshakeRecords = ({ meet }: End, of: 'reference' | 'stalk'): number =>
  (meet === weListen) === (of === 'reference') ? 2 : 3

t.test(
  'a flipped bit in a message is noticed by whoever receives it, in every suite',
  bothWays(async (t, end) => {
    for (const [i, suite] of suiteNames.entries()) {
      for (const at of [4, -1]) {
        const ours = { ...end.ours('mutual'), suites: [suite] }
        const args = [...greet, '--suite', i + 1]
        const toUs = between(end, 'reference', flip(at, handshakeRecords(end, 'reference')))
        const heard = await end.meet(t, py, ours, [...args, '--send', '"hi"'], ...toUs)
        heard.conn.on('data', () => t.fail('it was delivered'))
        t.match(await heard.conn.outcome, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD' })
        await heard.job.take('secure')
        t.match(await heard.job.take('end'), { kind: 'alert', code: 2 })

        const toThem = between(end, 'stalk', flip(at, handshakeRecords(end, 'stalk')))
        const said = await end.meet(t, py, ours, args, ...toThem)
        said.conn.resume().write('hi')
        await said.job.take('secure')
        t.match(await said.job.take('end'), { kind: 'fault', code: 2, received: 0 })
        t.match(await said.conn.outcome, { kind: 'protocol', code: 'ERR_STALK_PEER_ALERT' })
      }
    }
  })
)

t.test(
  'a connection that is cut is truncated for both, between two records and within one',
  bothWays(async (t, end) => {
    const cuts: Meddle[] = [() => null, record => record.subarray(0, 3), record => record.subarray(0, -1)]
    for (const cut of cuts) {
      const n = handshakeRecords(end, 'stalk') + 1
      const meddle: Meddle = (record, i) => (i < n ? record : i === n ? cut(record, i) : null)
      const { conn, job } = await end.meet(t, py, end.ours('mutual'), greet, ...between(end, 'stalk', meddle))
      conn.resume()
      await conn.send('arrives')
      await conn.send('does not')
      await conn.send('nor this')
      await job.take('secure')
      t.same(await shown(job, 1), ['arrives'])
      t.match(await job.take('end'), { kind: 'truncated', received: 1 })
      t.match(await conn.outcome, { kind: 'truncated', received: 0 })
    }
  })
)

t.test(
  'what the reference sent is truncated for stalk where it is cut, and what came before is delivered',
  bothWays(async (t, end) => {
    const cuts: Meddle[] = [() => null, record => record.subarray(0, 3), record => record.subarray(0, -1)]
    for (const cut of cuts) {
      const n = handshakeRecords(end, 'reference') + 1
      const meddle: Meddle = (record, i) => (i < n ? record : i === n ? cut(record, i) : null)
      const args = [...mutual, '--send', '"arrives"', '--send', '"does not"', '--send', '"nor this"']
      const { conn } = await end.meet(t, py, end.ours('mutual'), args, ...between(end, 'reference', meddle))
      t.same(await reader(conn).take(1), ['arrives'])
      t.match(await conn.outcome, { kind: 'truncated', received: 1, sent: 0 })
    }
  })
)

t.test('a handshake that is cut is truncated for the reference, at every one of our records', async t => {
  const { port } = await listen(t, optionsOf('mutual', 'responder', ed25519))
  for (const n of [0, 1, 2]) {
    const cut = await relay(t, port, undefined, (record, i) => (i < n ? record : null))
    t.match(await py.run('connect', '--port', cut, ...mutual).take('failed'), { kind: 'Truncated' })
  }
})

// --- pings and key updates (section 21) ----------------------------------------------------------------

/** Asks behind each of its records of messages, in the middle of a long one too. */
const asking: Args = ['--ping-every', 1, '--update-every', 1]
const RECORDS = Math.ceil(MB / 65_599)

t.test('two of the reference ask each other for pings and new keys all the time, in every suite', async t => {
  for (const i of suiteNames.keys()) {
    const args = [...argsOf('anonymous', ed25519), '--suite', i + 1, ...asking]
    const listening = py.run('listen', '--echo', ...args)
    const port = await listening.port()
    const connecting = py.run('connect', '--port', port, '--send-text', MB, '--close', 'first', ...args)
    for (const job of [listening, connecting]) {
      await job.take('secure')
      t.match(await job.take('end'), { kind: 'clean', sent: 1, acknowledged: 1, received: 1 })
    }
  }
})

t.test(
  'stalk answers pings and requests for new keys, also within a message, in every suite',
  bothWays(async (t, { meet, ours }) => {
    for (const [i, suite] of suiteNames.entries()) {
      const args = [...mutual, '--suite', i + 1, '--send-text', MB, '--echo', ...asking]
      const { conn, job } = await meet(t, py, { ...ours('mutual'), suites: [suite] }, args)
      const { take } = reader(conn)
      t.equal(String((await take(1))[0]).length, MB)
      for (const message of ['one', 'two', 'three']) {
        await conn.send(message)
        t.same(await take(1), [message])
      }
      conn.end()
      t.match(await conn.outcome, { kind: 'clean', sent: 3, acknowledged: 3, received: 4 })
      await job.take('secure')
      const answered = { pongs: RECORDS + 3, updates: RECORDS + 3 }
      t.match(await job.take('end'), { kind: 'clean', sent: 4, acknowledged: 4, received: 3, ...answered })
    }
  })
)

t.test(
  'stalk answers them behind its own close',
  bothWays(async (t, { meet, ours }) => {
    const args = [...mutual, '--echo', ...asking]
    const { conn, job } = await meet(t, py, ours('mutual'), args)
    for (const message of [1, 2, 3]) conn.write(message)
    conn.resume().end()
    t.match(await conn.outcome, { kind: 'clean', sent: 3, acknowledged: 3, received: 3 })
    await job.take('secure')
    t.match(await job.take('end'), { kind: 'clean', sent: 3, acknowledged: 3, pongs: 3, updates: 3 })
  })
)
