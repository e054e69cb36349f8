// Resumption as people use it: listener and connect over TCP. What is resumed is the same peer under other keys; what is
// not is a full handshake, or a refusal, and never less than was asked for.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import {
  type Connection,
  type ConnectOptions,
  connect,
  Identity,
  type Listener,
  type ListenOptions,
  listener,
  MemoryTicketStore,
  SessionCache,
  type StalkError,
  type StalkOptions,
  SUITES,
  type SuiteName,
  stalk,
  TicketKeys,
  type TicketStore
} from '../../lib/index.ts'
import { alice, bob, end, pair, until, within } from '../helpers/pair.ts'

const carol = await Identity.generate({ type: 'ed25519' })
const rsa = await Identity.generate()
const SECRET = Buffer.alloc(32, 9)

interface Served {
  readonly port: number
  readonly refusals: StalkError[]
  readonly connections: Connection[]
}

/** An echo that issues tickets, unless the options say otherwise. */
async function serve(t: Test, options: ListenOptions = {}): Promise<Served> {
  const connections: Connection[] = []
  const refusals: StalkError[] = []
  const server: Listener = listener('127.0.0.1', 0, connection => connection.pipe(connection), {
    identity: bob,
    tickets: true,
    ...options
  })
  server.on('connection', connection => connections.push(connection))
  server.on('clientError', error => refusals.push(error as StalkError))
  t.teardown(() => server.close())
  await within(once(server, 'listening'), 'listening')
  return { port: (server.address() as AddressInfo).port, refusals, connections }
}

/** What a connection came to, once something was echoed over it and both ends have said goodbye. */
async function visit(
  port: number,
  options: ConnectOptions
): Promise<Connection & { readonly security: NonNullable<Connection['security']> }> {
  const connection = await within(connect('127.0.0.1', port, options), 'connect')
  connection.end('hello')
  const got: unknown[] = []
  for await (const message of connection) got.push(message)
  const { kind, acknowledged } = await within(connection.outcome, 'outcome')
  if (kind !== 'clean' || acknowledged !== 1 || got[0] !== 'hello') throw new Error(`${kind}: ${got}`)
  return connection as never
}

const codesOf = (errors: readonly StalkError[]): string[] => errors.map(({ code }) => code)

const resumedIn = async (port: number, options: ConnectOptions): Promise<boolean> =>
  (await visit(port, options)).security.resumed

// --- the same, under other keys --------------------------------------------------------------------------

const modes: Record<string, [Identity | null, Identity | null]> = {
  mutual: [alice, bob],
  'responder-only': [null, bob],
  'initiator-only': [alice, null],
  anonymous: [null, null]
}

for (const [mode, [own, theirs]] of Object.entries(modes)) {
  t.test(`${mode}: resumed under every suite, with tickets in memory and sealed ones`, async t => {
    for (const tickets of [true, new TicketKeys({ secret: SECRET })]) {
      for (const suite of Object.keys(SUITES) as SuiteName[]) {
        const served = await serve(t, { identity: theirs, tickets, suites: [suite] })
        const options = {
          identity: own,
          peer: theirs ?? ('anyone' as const),
          suites: [suite],
          sessions: new SessionCache()
        }
        const visits = []
        for (const _ of [1, 2, 3]) visits.push(await visit(served.port, options))
        t.same(
          visits.map(({ security }) => security.resumed),
          [false, true, true]
        )
        const [first, second] = visits.map(({ security: { resumed, sessionId, ...rest } }) => rest)
        t.same(first, second, 'nothing else differs')
        t.match(second, { mode, suite })
        t.equal(new Set(visits.map(({ security }) => security.sessionId)).size, 3)
        t.equal(new Set(visits.map(v => v.exportKeyingMaterial('x', '', 32).toString('hex'))).size, 3)
        const there = served.connections.map(({ security, claimedPeerIdentity }) => [
          security?.resumed,
          security?.sessionId,
          claimedPeerIdentity?.fingerprint
        ])
        t.same(
          there,
          visits.map(({ security }) => [security.resumed, security.sessionId, own?.fingerprint])
        )
      }
    }
  })
}

t.test('RSA at both ends: as with other keys', async t => {
  const { port } = await serve(t, { identity: rsa, authorize: peer => peer?.equals(rsa) === true })
  const options = { identity: rsa, peer: rsa, sessions: new SessionCache() }
  t.same([await resumedIn(port, options), await resumedIn(port, options)], [false, true])
})

t.test('an unverified peer stays one', async t => {
  const { port } = await serve(t)
  const options = { identity: null, peer: 'anyone', sessions: new SessionCache() } as const
  await visit(port, options)
  const { security, peerIdentity, claimedPeerIdentity } = await visit(port, options)
  t.match(security, { resumed: true, peerAuthenticated: false, peerIdentity: null })
  t.equal(peerIdentity, null)
  t.ok(claimedPeerIdentity?.equals(bob))
})

t.test('new keys, pings and acknowledged flushes work in a resumed session', async t => {
  const { port } = await serve(t)
  const options = { identity: alice, peer: bob, sessions: new SessionCache() }
  await visit(port, options)
  const connection = await connect('127.0.0.1', port, options)
  connection.write('one')
  await connection.rekey({ timeout: 5_000 })
  await connection.rtt({ timeout: 5_000 })
  await connection.flush({ acked: true, timeout: 5_000 })
  t.match(
    [connection.security, connection.counters],
    [{ resumed: true }, { outbound: { epoch: 1 }, acknowledged: 1 }]
  )
  connection.resume().end()
  t.match(await within(connection.outcome, 'outcome'), { kind: 'clean' })
})

t.test('what is resumed expires with what it was resumed from, whatever the responder announces', async t => {
  const store = new MemoryTicketStore({ lifetime: 60_000 })
  const issue = store.issue.bind(store)
  store.issue = state => issue(state, null) // a careless one: every session begins anew
  const { port } = await serve(t, { tickets: store })
  let now = 0
  const sessions = new SessionCache({}, () => now)
  const limits: number[] = []
  const keep = sessions.keep.bind(sessions)
  sessions.keep = (place, held, lifetimeMs, notAfter) => {
    limits.push(Math.min(now + lifetimeMs, notAfter))
    keep(place, held, lifetimeMs, notAfter)
  }
  const options = { identity: alice, peer: bob, sessions }
  const resumed = []
  for (const at of [0, 20_000, 40_000, 59_999, 60_000]) {
    now = at
    resumed.push(await resumedIn(port, options))
  }
  t.same(resumed, [false, true, true, true, false])
  t.same(limits, [60_000, 60_000, 60_000, 60_000, 120_000])
})

t.test('many at once are resumed, each with a ticket of its own', async t => {
  const { port } = await serve(t)
  const options = { identity: alice, peer: bob, sessions: new SessionCache() }
  const all = (): Promise<boolean[]> => Promise.all(Array.from({ length: 8 }, () => resumedIn(port, options)))
  t.same(new Set(await all()), new Set([false]))
  t.equal(options.sessions.size, 8)
  t.same(await all(), Array(8).fill(true))
})

// --- a full handshake, quietly ---------------------------------------------------------------------------

t.test('a ticket that the listener does not know any more is a full handshake, and a new ticket', async t => {
  let now = 0
  const pass = (ms: number): void => {
    now += ms
  }
  const rotated = new TicketKeys({ key: Buffer.alloc(32, 1) })
  const small = new MemoryTicketStore({ max: 1 })
  const cleared = new MemoryTicketStore()
  const expiring = new MemoryTicketStore({ lifetime: 60_000 }, () => now)
  const sealed = new TicketKeys({ secret: SECRET, lifetime: 60_000 }, () => now + 1e12)
  const forgets: [string, TicketStore, () => void][] = [
    ['rotated away', rotated, () => [2, 3].map(byte => rotated.rotate(Buffer.alloc(32, byte)))],
    ['evicted', small, () => void small.issue(Buffer.alloc(135), null)],
    ['cleared', cleared, () => cleared.clear()],
    ['expired', expiring, () => pass(60_000)],
    ['expired, and sealed', sealed, () => pass(60_000)]
  ]
  for (const [name, tickets, forget] of forgets) {
    const { port, refusals } = await serve(t, { tickets })
    const options = { identity: alice, peer: bob, sessions: new SessionCache() }
    const resumed = [await resumedIn(port, options), await resumedIn(port, options)]
    forget()
    resumed.push(await resumedIn(port, options), await resumedIn(port, options))
    t.same(resumed, [false, true, false, true], name)
    t.same(refusals, [], name)
  }
})

t.test('each listener has tickets of its own, unless they are given the same store', async t => {
  const cache = new SessionCache()
  const options = { identity: alice, peer: bob, sessions: cache.at('either of them') }
  const [one, two] = [await serve(t), await serve(t)]
  t.same([await resumedIn(one.port, options), await resumedIn(two.port, options)], [false, false])
  const tickets = new MemoryTicketStore()
  const [three, four] = [await serve(t, { tickets }), await serve(t, { tickets })]
  cache.clear()
  t.same([await resumedIn(three.port, options), await resumedIn(four.port, options)], [false, true])
})

t.test('listeners that issue none ignore what they are offered', async t => {
  const options = { identity: alice, peer: bob, sessions: new SessionCache().at('x') }
  const [issuing, plain] = [await serve(t), await serve(t, { tickets: false })]
  t.same([await resumedIn(issuing.port, options), await resumedIn(plain.port, options)], [false, false])
  t.equal(options.sessions.cache.size, 0, 'it was offered, and there is no other')
})

const never = new Promise<never>(() => {})
const broken: Record<string, () => unknown> = {
  throws: () => {
    throw new Error('out of order')
  },
  rejects: () => Promise.reject(new Error('out of order')),
  'never answers': () => never
}

t.test('a store that fails in any way makes full handshakes, and no more than a warning', async t => {
  process.removeAllListeners('warning').on('warning', () => {})
  for (const [name, fails] of Object.entries(broken)) {
    for (const method of ['issue', 'find', 'consume'] as const) {
      const store: TicketStore = new MemoryTicketStore()
      const sessions = new SessionCache()
      const { port, refusals } = await serve(t, { tickets: store })
      await visit(port, { identity: alice, peer: bob, sessions })
      store[method] = fails as never
      const resumed = await resumedIn(port, { identity: alice, peer: bob, sessions })
      t.equal(resumed, method === 'issue', `${method} ${name}`)
      t.same([refusals, sessions.size], [[], method === 'issue' ? 0 : 1], `${method} ${name}`)
    }
  }
})

/** A store in memory that takes its time. */
function slow(ms: number): TicketStore {
  const store = new MemoryTicketStore()
  const later = <T>(value: T): Promise<T> => new Promise(resolve => setTimeout(resolve, ms, value))
  return {
    issue: (state, notAfter) => later(store.issue(state, notAfter)),
    find: ticket => later(store.find(ticket)),
    consume: ticket => later(store.consume(ticket))
  }
}

t.test('a store that is asynchronous resumes too, and messages that come meanwhile wait', async t => {
  const { port } = await serve(t, { tickets: slow(50) })
  const options = { identity: alice, peer: bob, sessions: new SessionCache() }
  t.same([await resumedIn(port, options), await resumedIn(port, options)], [false, true])
})

t.test('a peer that leaves while a store is asked is no more than a handshake that failed', async t => {
  const { port, refusals, connections } = await serve(t, { tickets: slow(100) })
  const options = { identity: alice, peer: bob, sessions: new SessionCache() }
  await visit(port, options)
  for (const afterMs of [40, 140, 240]) {
    const signal = AbortSignal.timeout(afterMs)
    const attempt = connect('127.0.0.1', port, { ...options, signal }).then(c => {
      c.on('error', () => {}).destroy()
    })
    await attempt.catch(() => {})
    await until(() => refusals.length > 0 || connections.length > 1, 'it is noticed')
    refusals.length = 0
    connections.length = 1
    await visit(port, options)
    connections.length = 1
  }
  t.equal(await resumedIn(port, options), true)
})

// --- kept apart --------------------------------------------------------------------------------------------

t.test('a session is not used for another place, identity, app, pin or policy', async t => {
  const tickets = new MemoryTicketStore()
  const { port } = await serve(t, { tickets, app: 'chat' })
  const elsewhere = await serve(t, { tickets, app: 'chat' })
  const sessions = new SessionCache()
  const usual: ConnectOptions = { identity: alice, peer: bob, app: 'chat', sessions }
  await visit(port, usual)
  const others: [string, number, ConnectOptions][] = [
    ['place', elsewhere.port, usual],
    ['identity', port, { ...usual, identity: carol }],
    ['no identity', port, { ...usual, identity: null }],
    ['pins', port, { ...usual, peer: [bob, carol] }],
    ['no pin', port, { ...usual, peer: 'anyone' }],
    ['a decision in place of none', port, { identity: alice, app: 'chat', sessions, authorize: () => true }],
    ['suite', port, { ...usual, suites: ['X25519-CHACHA20POLY1305-SHA256'] }]
  ]
  for (const [name, at, options] of others) t.equal(await resumedIn(at, options), false, name)
  t.equal(await resumedIn(port, usual), true, 'nobody else has taken it')
})

t.test('what came of talking to anyone does not help where a key is pinned', async t => {
  const { port } = await serve(t, { identity: carol })
  const sessions = new SessionCache().at('the server')
  await visit(port, { identity: null, peer: 'anyone', sessions })
  await t.rejects(connect('127.0.0.1', port, { identity: null, peer: bob, sessions }), {
    code: 'ERR_STALK_PEER_MISMATCH'
  })
  t.equal(await resumedIn(port, { identity: null, peer: 'anyone', sessions }), true)
})

t.test('a ticket of an anonymous session does not let anybody in who has to show a key', async t => {
  const tickets = new MemoryTicketStore()
  const sessions = new SessionCache().at('the server')
  const [open, strict] = [await serve(t, { tickets }), await serve(t, { tickets, requireIdentity: true })]
  await visit(open.port, { identity: null, peer: bob, sessions })
  await t.rejects(connect('127.0.0.1', strict.port, { identity: null, peer: bob, sessions }), {
    code: 'ERR_STALK_IDENTITY_REQUIRED'
  })
})

// --- refused, and nothing less comes of it -----------------------------------------------------------------

t.test('who is not authorized any more is not let in by a ticket', async t => {
  let welcome = true
  const { port, refusals } = await serve(t, { authorize: () => welcome })
  const options = { identity: alice, peer: bob, sessions: new SessionCache() }
  t.same([await resumedIn(port, options), await resumedIn(port, options)], [false, true])
  welcome = false
  for (const _ of ['with a ticket', 'without']) {
    const connection = connect('127.0.0.1', port, options)
    await t.rejects(connection, { code: 'ERR_STALK_REJECTED' })
  }
  await until(() => refusals.length === 2, 'two refusals')
  t.same(codesOf(refusals), ['ERR_STALK_UNAUTHORIZED', 'ERR_STALK_UNAUTHORIZED'])
  t.equal(options.sessions.size, 0, 'it was offered once')
})

t.test(
  'a responder that the initiator does not trust any more is refused in spite of its ticket',
  async t => {
    let trusted = true
    const asked: (string | undefined)[] = []
    const authorize = (peer: Identity | null): boolean => {
      asked.push(peer?.fingerprint)
      return trusted
    }
    const { port } = await serve(t)
    const options = { identity: alice, authorize, sessions: new SessionCache() }
    t.same([await resumedIn(port, options), await resumedIn(port, options)], [false, true])
    trusted = false
    for (const _ of ['with a ticket', 'without']) {
      await t.rejects(connect('127.0.0.1', port, options), { code: 'ERR_STALK_UNAUTHORIZED' })
    }
    t.same(asked, Array(4).fill(bob.fingerprint), 'it is asked every time')
  }
)

t.test(
  'a ticket without its key is refused, stays good, and the next attempt is a full handshake',
  async t => {
    const tickets = new MemoryTicketStore()
    const { port, refusals } = await serve(t, { tickets })
    const sessions = new SessionCache()
    const options = { identity: alice, peer: bob, sessions }
    await visit(port, options)
    const take = sessions.take.bind(sessions)
    sessions.take = (place, fits) => {
      const kept = take(place, fits)
      kept?.session.psk.fill(0)
      return kept
    }
    await t.rejects(connect('127.0.0.1', port, options), {
      code: 'ERR_STALK_REJECTED',
      message: /an alert in clear, which nobody vouches for/
    })
    await until(() => refusals.length === 1, 'a refusal')
    t.same(codesOf(refusals), ['ERR_STALK_BAD_TICKET'])
    t.equal(tickets.size, 1, 'the bad binder has used nothing up')
    t.equal(await resumedIn(port, options), false)
  }
)

t.test(
  'a ticket is offered once, also if nobody answers; but where there was no connection it was not',
  async t => {
    const { port } = await serve(t)
    const sessions = new SessionCache()
    const usual = { identity: alice, peer: bob, sessions: sessions.at('the server') }
    await visit(port, usual)
    const closed = net.createServer().listen(0, '127.0.0.1')
    await once(closed, 'listening')
    const nobody = (closed.address() as AddressInfo).port
    await new Promise(resolve => closed.close(resolve))
    await t.rejects(connect('127.0.0.1', nobody, usual), { code: 'ERR_STALK_CONNECT' })
    t.equal(sessions.size, 1)
    const rude = net
      .createServer(socket => socket.once('data', () => socket.destroy()))
      .listen(0, '127.0.0.1')
    await once(rude, 'listening')
    await t.rejects(connect('127.0.0.1', (rude.address() as AddressInfo).port, usual), {
      code: /TRUNCATED|RESET/
    })
    t.equal(sessions.size, 0)
    rude.close()
  }
)

t.test(
  'who replays what an initiator sent gets M2 and M3, which it can not open, and no further',
  async t => {
    const served = await serve(t, { tickets: new TicketKeys({ secret: SECRET }), handshakeTimeout: 2_000 })
    const recorded: Buffer[] = []
    const proxy = net
      .createServer(client => {
        const up = net.connect(served.port, '127.0.0.1')
        client.on('data', chunk => recorded.push(chunk))
        client.pipe(up).pipe(client)
      })
      .listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    const options = { identity: alice, peer: bob, sessions: new SessionCache() }
    const { port } = proxy.address() as AddressInfo
    await visit(port, options)
    recorded.length = 0
    t.equal(await resumedIn(port, options), true)
    const before = served.connections.length
    const thief = net.connect(served.port, '127.0.0.1')
    thief.on('error', () => {}).resume()
    thief.write(Buffer.concat(recorded))
    await within(once(thief, 'close'), 'the end of it')
    await until(() => served.refusals.length === 1, 'a refusal')
    t.equal(served.connections.length, before)
    t.same(codesOf(served.refusals), ['ERR_STALK_BAD_RECORD'])
    proxy.close()
  }
)

// --- with stalk() and wrap() ---------------------------------------------------------------------------------

t.test('stalk() over any duplex: a store, and a name', async t => {
  const tickets = new MemoryTicketStore()
  const sessions = new SessionCache().at('bob')
  const resumed: unknown[] = []
  for (const _ of [1, 2]) {
    const [a, b] = pair()
    const both = [end('initiator', a, { sessions }), end('responder', b, { tickets })]
    await within(Promise.all(both.map(({ ready }) => ready)), 'ready')
    resumed.push(both.map(({ security }) => security?.resumed))
    for (const connection of both) connection.resume().end()
    await within(Promise.all(both.map(({ outcome }) => outcome)), 'closed')
  }
  t.same(resumed, [
    [false, false],
    [true, true]
  ])
})

t.test('wrap() issues tickets too, and is a responder where it is told to', async t => {
  const tickets = new MemoryTicketStore()
  const sessions = new SessionCache().at('wrapped')
  const resumed: unknown[] = []
  for (const _ of [1, 2]) {
    const [a, b] = pair()
    const wrapped = stalk.wrap({ role: 'responder', identity: bob, tickets })
    b.pipe(wrapped).resume()
    const connection = end('initiator', a, { sessions })
    await within(connection.ready, 'ready')
    resumed.push(connection.security?.resumed)
    connection.resume().end()
    await within(connection.outcome, 'closed')
  }
  t.same(resumed, [false, true])
  t.doesNotThrow(() => stalk.wrap({ tickets }))
})

t.test('options that do not fit are refused, with what to do', async t => {
  const cache = new SessionCache()
  const cases: [StalkOptions['role'], object, RegExp][] = [
    ['responder', { tickets: true }, /must be a store here: one of its own would end with the connection/],
    [
      'responder',
      { tickets: {} },
      /must be TicketKeys, a MemoryTicketStore, or have issue, find and consume/
    ],
    ['responder', { tickets: null }, /must be TicketKeys/],
    ['responder', { sessions: cache.at('x') }, /sessions is for initiators/],
    ['initiator', { sessions: cache }, /needs a name here: sessions.at\(name\)/],
    ['initiator', { sessions: new Map() }, /must be cache.at\(name\)/],
    ['initiator', { tickets: new MemoryTicketStore() }, /tickets is for responders/]
  ]
  for (const [role, options, message] of cases) {
    t.throws(() => stalk(pair()[0], { role: role as 'initiator', ...options }), {
      code: 'ERR_STALK_INVALID_OPTION',
      message
    })
  }
  await t.rejects(connect('127.0.0.1', 1, { tickets: new MemoryTicketStore() } as never), /is for responders/)
  await t.rejects(connect('127.0.0.1', 1, { sessions: 7 } as never), /must be a SessionCache, or cache.at/)
  t.throws(() => listener('127.0.0.1', 0, () => {}, { sessions: cache.at('x') } as never), /for initiators/)
  t.throws(() => listener('127.0.0.1', 0, () => {}, { tickets: 'yes' } as never), /must be TicketKeys/)
})
