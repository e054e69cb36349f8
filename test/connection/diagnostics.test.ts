// What those learn who watch a process from outside of its connections: channels and NODE_DEBUG=stalk. Nothing of it
// is a key or a message, and nothing is made where nobody watches.

import { spawnSync } from 'node:child_process'
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel'
import t, { type Test } from 'tap'
import type { Connection, Diagnostics } from '../../lib/index.ts'
import { alice, bob, bothClosed, collect, ends, open, pair, turns, until, within } from '../helpers/pair.ts'

type Name = keyof Diagnostics

const NAMES: Name[] = [
  'stalk:connection:open',
  'stalk:connection:secure',
  'stalk:handshake:failed',
  'stalk:rekey',
  'stalk:message:refused',
  'stalk:connection:closed'
]

interface Event {
  readonly name: Name
  readonly connection: Connection
  readonly [field: string]: unknown
}

/** Subscribes to everything until the test is over. */
function watch(t: Test, names: readonly Name[] = NAMES): Event[] {
  const events: Event[] = []
  for (const name of names) {
    const onMessage = (message: unknown): void => void events.push({ name, ...(message as object) } as Event)
    subscribe(name, onMessage)
    t.teardown(() => unsubscribe(name, onMessage))
  }
  return events
}

/** What was said of one connection, without the connection. */
const of = (events: readonly Event[], connection: Connection): object[] =>
  events
    .filter(event => event.connection === connection)
    .map(({ connection: _, ...fields }) => ({ ...fields }))

async function finish({ initiator, responder }: Awaited<ReturnType<typeof open>>): Promise<void> {
  initiator.resume().end()
  responder.resume().end()
  await bothClosed({ initiator, responder })
}

t.test('a connection from its beginning to its end', async t => {
  const events = watch(t)
  const both = await open()
  const { initiator, responder } = both
  collect(responder)
  await initiator.send('hello')
  await finish(both)
  const { sessionId } = initiator.security as { sessionId: string }
  const id = sessionId.slice(0, 8)
  const clean = { name: 'stalk:connection:closed', id, kind: 'clean', code: undefined, unsent: 0 }
  const secure = {
    name: 'stalk:connection:secure',
    id,
    sessionId,
    suite: 'X25519-AES256GCM-SHA256',
    mode: 'mutual',
    peerAuthenticated: true,
    resumed: false
  }
  t.matchOnlyStrict(of(events, initiator), [
    { name: 'stalk:connection:open', id: null, role: 'initiator', host: undefined, port: undefined },
    { ...secure, role: 'initiator', peer: bob.fingerprint },
    { ...clean, role: 'initiator', sent: 1, acknowledged: 1, received: 0 }
  ])
  t.matchOnlyStrict(of(events, responder), [
    { name: 'stalk:connection:open', id: null, role: 'responder', host: undefined, port: undefined },
    { ...secure, role: 'responder', peer: alice.fingerprint },
    { ...clean, role: 'responder', sent: 0, acknowledged: 0, received: 1 }
  ])
})

t.test('a handshake that fails, at both ends', async t => {
  const events = watch(t)
  const both = ends(pair(), { initiator: { peer: alice } })
  await bothClosed(both)
  const { initiator, responder } = both
  const mismatch = { id: null, role: 'initiator', code: 'ERR_STALK_PEER_MISMATCH' }
  const nothing = { sent: 0, acknowledged: 0, received: 0, unsent: 0 }
  t.matchOnly(of(events, initiator).slice(1), [
    { name: 'stalk:handshake:failed', ...mismatch, error: initiator.errored },
    { name: 'stalk:connection:closed', ...mismatch, kind: 'rejected', ...nothing }
  ])
  t.match(of(events, responder)[1], { name: 'stalk:handshake:failed', code: 'ERR_STALK_REJECTED' })
  t.equal(of(events, responder).length, 3)
})

t.test('new keys: each direction of each end, with how often it was changed', async t => {
  const events = watch(t, ['stalk:rekey'])
  const both = await open()
  for (const end of [both.initiator, both.responder]) end.resume()
  await Promise.all([both.initiator.rekey(), both.responder.rekey()])
  await turns()
  for (const end of [both.initiator, both.responder]) {
    const told = of(events, end) as { direction: string; epoch: number }[]
    for (const direction of ['inbound', 'outbound'] as const) {
      const epochs = told.filter(event => event.direction === direction).map(({ epoch }) => epoch)
      t.same(
        epochs,
        Array.from({ length: end.counters[direction].epoch }, (_, index) => index + 1)
      )
      t.ok(epochs.length > 0)
    }
    t.match(told[0], { name: 'stalk:rekey', id: /^[0-9a-f]{8}$/, role: end.security?.role as string })
  }
  await finish(both)
})

const text = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value: unknown) =>
      typeof value === 'string' ? { value } : { issues: [{ message: `no text but ${value}` }] }
  }
} as const

t.test('a message that is refused, ours or the peer’s, and never what is in it', async t => {
  const events = watch(t)
  const both = await open({ responder: { schema: text, onInvalid: 'skip', maxMessage: 1_000 } })
  const { initiator, responder } = both
  for (const end of [initiator, responder]) end.on('messageError', () => {}).resume()
  await t.rejects(initiator.send({ secretKey: () => {} }), { code: 'ERR_STALK_VALUE_UNSUPPORTED' })
  initiator.write('x'.repeat(2_000))
  await initiator.send(4_711)
  const abort = new AbortController()
  const withdrawn = initiator.send('withdrawn', { signal: abort.signal })
  abort.abort()
  await t.rejects(withdrawn, { code: 'ERR_STALK_ABORTED' })
  await until(() => events.filter(({ name }) => name === 'stalk:message:refused').length === 3, 'refusals')
  await finish(both)
  const refusals = events.filter(({ name }) => name === 'stalk:message:refused')
  const id = initiator.security?.sessionId.slice(0, 8)
  t.same(
    refusals.map(({ connection, ...fields }) => fields),
    [
      ['initiator', 'outbound', 'ERR_STALK_VALUE_UNSUPPORTED'],
      ['initiator', 'outbound', 'ERR_STALK_MESSAGE_TOO_LARGE'],
      ['responder', 'inbound', 'ERR_STALK_SCHEMA']
    ].map(([role, direction, code]) => ({ name: 'stalk:message:refused', id, role, direction, code }))
  )
  t.notMatch(JSON.stringify(events.map(({ connection, ...fields }) => fields)), /secretKey|4711|xxx/)
})

t.test('a message that ends the connection is not quoted either', async t => {
  const events = watch(t)
  const both = await open({ responder: { schema: text } })
  both.initiator.write(4_711)
  both.responder.resume()
  await bothClosed(both)
  t.match(of(events, both.responder).at(-1), {
    name: 'stalk:connection:closed',
    kind: 'protocol',
    code: 'ERR_STALK_SCHEMA'
  })
  t.match((await both.responder.outcome).reason, '4711')
  t.notMatch(JSON.stringify(events.map(({ connection, ...fields }) => fields)), /4711/)
})

t.test('nothing is published or made where nobody listens', async t => {
  const published: unknown[] = []
  for (const name of NAMES) {
    const there = channel(name) as { publish(message: unknown): void }
    t.intercept(there, 'publish', { value: (message: unknown) => published.push(message) })
  }
  const both = await open()
  let asked = 0
  const security = both.initiator.security
  Object.defineProperty(both.initiator, 'security', {
    get() {
      asked += 1
      return security
    }
  })
  both.initiator.on('messageError', () => {}).resume()
  both.responder.resume()
  await both.initiator.rekey()
  both.initiator.write(Symbol('no message'))
  await turns()
  await finish(both)
  t.same(published, [])
  t.equal(asked, 0, 'it was not even asked who the connection is')
})

t.test('a subscriber may end the connection that it hears of', async t => {
  for (const name of NAMES.filter(name => name !== 'stalk:connection:closed')) {
    const end = (message: unknown): void => void (message as { connection: Connection }).connection.destroy()
    subscribe(name, end)
    const both = ends(pair())
    for (const side of [both.initiator, both.responder]) side.on('messageError', () => {}).resume()
    both.initiator.write(Symbol('no message'))
    both.initiator.rekey().catch(() => {})
    both.initiator.ready.then(
      () => both.initiator.rekey().catch(() => {}),
      () => {}
    )
    if (name === 'stalk:handshake:failed') both.responder.destroy()
    const [initiator, responder] = await within(bothClosed(both), name)
    t.not(initiator.kind, 'clean', name)
    t.not(responder.kind, 'clean', name)
    unsubscribe(name, end)
  }
})

/** A program of its own: what a subscriber throws is an uncaught exception of the process. */
function program(body: string, env: NodeJS.ProcessEnv = {}): { stdout: string; stderr: string } {
  const lib = new URL('../../lib/index.ts', import.meta.url).href
  const helpers = new URL('../helpers/pair.ts', import.meta.url).href
  const code = `
    import { subscribe } from 'node:diagnostics_channel'
    import { Identity } from ${JSON.stringify(lib)}
    import { open, ends, pair, bothClosed } from ${JSON.stringify(helpers)}
    ${body}`
  const { NODE_OPTIONS, ...inherited } = process.env
  const args = ['--import=tsx', '--input-type=module', '--eval', code]
  const { stdout, stderr } = spawnSync(process.execPath, args, {
    env: { ...inherited, ...env },
    encoding: 'utf8'
  })
  return { stdout, stderr }
}

t.test('a subscriber that throws harms no connection', async t => {
  const { stdout, stderr } = program(`
    const thrown = []
    process.on('uncaughtException', error => thrown.push(error.message))
    for (const name of ${JSON.stringify(NAMES)}) subscribe(name, () => { throw new Error(name) })
    const both = await open()
    both.initiator.on('messageError', () => {}).resume()
    both.responder.resume()
    both.initiator.write(Symbol('no message'))
    await both.initiator.send('hello')
    await both.initiator.rekey()
    both.initiator.end()
    both.responder.end()
    const outcomes = await bothClosed(both)
    await bothClosed(ends(pair(), { initiator: { peer: await Identity.generate({ type: 'ed25519' }) } }))
    console.log(JSON.stringify({ outcomes, thrown: [...new Set(thrown)].sort() }))`)
  t.equal(stderr, '')
  const { outcomes, thrown } = JSON.parse(stdout)
  t.match(outcomes, [
    { kind: 'clean', sent: 1, acknowledged: 1 },
    { kind: 'clean', received: 1 }
  ])
  t.same(thrown, [...NAMES].sort())
})

t.test('with NODE_DEBUG=stalk there is a line for each event, and without it none', async t => {
  const body = `
    const both = await open()
    both.initiator.on('messageError', () => {}).resume()
    both.responder.resume()
    both.initiator.write({ private: Symbol('no message') })
    await both.initiator.send('a text that nobody else is to read')
    await both.initiator.rekey()
    both.initiator.end()
    both.responder.end()
    await bothClosed(both)
    await bothClosed(ends(pair(), { initiator: { peer: 'anyone', authorize: () => { throw new Error('two\\nlines') } } }))
    console.log(both.initiator.security.sessionId)`
  const { stdout, stderr } = program(body, { NODE_DEBUG: 'stalk' })
  const id = stdout.slice(0, 8)
  const said = stderr.trim().split('\n')
  for (const line of said) t.match(line, /^STALK \d+: ([0-9a-f]{8}|--------) (initiator|responder) /)
  const initiators = said
    .filter(line => line.includes(` ${id} initiator `))
    .map(line => line.replace(/^STALK \d+: \w+ initiator /, ''))
  t.match(initiators, [
    /^connection:secure sessionId=\w{64} suite=X25519-AES256GCM-SHA256 mode=mutual peer=SHA256:\S{43} peerAuthenticated=true resumed=false$/,
    /^message:refused direction=outbound code=ERR_STALK_VALUE_UNSUPPORTED$/,
    /^rekey direction=outbound epoch=1$/,
    /^rekey direction=inbound epoch=1$/,
    /^connection:closed kind=clean sent=1 acknowledged=1 received=0 unsent=0$/
  ])
  t.equal(initiators.length, 5)
  t.match(stderr, / -{8} initiator connection:open$/m)
  t.match(stderr, / -{8} initiator handshake:failed code=ERR_STALK_UNAUTHORIZED error=".*two\\nlines"$/m)
  t.notMatch(stderr, /nobody else|private/)
  t.equal(program(body).stderr, '')
})
