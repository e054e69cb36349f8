// connect with known peers, over real sockets: what each policy does with a peer that is known, unknown, changed, revoked
// or succeeded, and that nobody is asked while a peer waits.

import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import net from 'node:net'
import t, { type Test } from 'tap'
import {
  type Connection,
  type ConnectOptions,
  connect,
  type Identity,
  type KnownPeers,
  knownPeers,
  type ListenOptions,
  listener,
  type Question,
  Succession,
  stalk
} from '../../lib/index.ts'
import { freshPath, pair } from '../helpers/pair.ts'
import { alice, bob, carol, fileOf, noModes, words } from '../trust/files.ts'

interface Served {
  readonly port: number
  /** Of attempts that came to nothing. */
  readonly failures: unknown[]
  connections: number
}

async function serve(t: Test, identity: Identity | null, options: ListenOptions = {}): Promise<Served> {
  const served = { port: 0, failures: [] as unknown[], connections: 0 }
  const server = listener('127.0.0.1', 0, conn => conn.on('error', () => {}).resume(), {
    identity,
    ...options
  })
  server.on('clientError', error => served.failures.push(error))
  server.on('connection', () => {
    served.connections++
  })
  t.teardown(() => server.close())
  await once(server, 'listening')
  return Object.assign(served, { port: (server.address() as AddressInfo).port })
}

async function meet(port: number, peer: KnownPeers, options: ConnectOptions = {}): Promise<Connection> {
  const conn = await connect('127.0.0.1', port, { identity: null, peer, ...options })
  conn.resume()
  conn.end()
  await conn.outcome
  return conn
}

const read = (path: string): string => readFileSync(path, 'utf8')

t.test('strict: only a peer that the file has; its label is the name of the peer', async t => {
  const { port, failures } = await serve(t, alice)
  const path = fileOf(t, `[127.0.0.1]:${port} ${words(alice, 'the printer')}`)
  const conn = await meet(port, knownPeers(path))
  t.match(conn.security, {
    peerAuthenticated: true,
    peerName: 'the printer',
    peerIdentity: { fingerprint: alice.fingerprint }
  })
  writeFileSync(path, `other ${words(alice)}\n`)
  await t.rejects(meet(port, knownPeers(path)), {
    code: 'ERR_STALK_PEER_UNKNOWN',
    message: `${path} has no key of [127.0.0.1]:${port}; the peer has shown ${alice.fingerprint}`,
    phase: 'handshake',
    fault: 'trust'
  })
  while (failures.length === 0) await new Promise(resolve => setTimeout(resolve, 5))
  t.match(failures, [{ code: 'ERR_STALK_REJECTED' }])
  t.equal(read(path), `other ${words(alice)}\n`)
})

t.test('accept-new: a new peer is remembered, and is the only one from then on', async t => {
  const first = await serve(t, alice)
  const path = fileOf(t)
  const peers = knownPeers(path, 'accept-new')
  t.match((await meet(first.port, peers)).security, { peerAuthenticated: true, peerName: null })
  t.equal(read(path), `[127.0.0.1]:${first.port} ${words(alice)}\n`)
  await meet(first.port, peers)
  t.equal(read(path), `[127.0.0.1]:${first.port} ${words(alice)}\n`)
  const other = await serve(t, bob)
  writeFileSync(path, `# mine\n[127.0.0.1]:${other.port} ${words(alice)}\n`)
  await t.rejects(meet(other.port, peers), {
    code: 'ERR_STALK_PEER_CHANGED',
    message: `expected ${alice.fingerprint} (line 2) at [127.0.0.1]:${other.port}, as in ${path}; the peer has shown ${bob.fingerprint}`
  })
  t.equal(read(path), `# mine\n[127.0.0.1]:${other.port} ${words(alice)}\n`)
})

t.test('a peer that others refuse is not remembered', async t => {
  const { port } = await serve(t, alice)
  const peers = knownPeers(fileOf(t), 'accept-new')
  await t.rejects(meet(port, peers, { authorize: () => false }), { code: 'ERR_STALK_UNAUTHORIZED' })
  t.notOk(existsSync(peers.path))
})

t.test('many who meet a new peer at once remember it once; of two keys one is right', async t => {
  const { port } = await serve(t, alice)
  const peers = knownPeers(fileOf(t), 'accept-new')
  await Promise.all(Array.from({ length: 8 }, () => meet(port, peers)))
  t.equal(read(peers.path), `[127.0.0.1]:${port} ${words(alice)}\n`)
  const other = await serve(t, bob)
  const place = peers.at('somewhere', 1)
  const sockets = [port, other.port].map(port =>
    net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  )
  const met = await Promise.allSettled(
    sockets.map(async socket => {
      const conn = stalk(socket, { peer: place })
      conn.on('error', () => {})
      await conn.ready.finally(() => conn.destroy())
    })
  )
  t.same(met.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.match(
    met.find(({ status }) => status === 'rejected'),
    { reason: { code: 'ERR_STALK_PEER_CHANGED' } }
  )
  t.equal((await peers.list()).length, 2)
})

t.test(
  'ask: the attempt ends, somebody is asked, and another attempt finds the peer in the file',
  async t => {
    const served = await serve(t, alice)
    const path = fileOf(t, `other ${words(alice, 'as it is called elsewhere')}`)
    const questions: Question[] = []
    let atTheTime: unknown
    const peers = knownPeers(path, 'ask', {
      ask: async question => {
        questions.push(question)
        await new Promise(resolve => setTimeout(resolve, 700))
        atTheTime = [served.failures.length, served.connections]
        return true
      }
    })
    const conn = await meet(served.port, peers, { handshakeTimeout: 500 })
    t.equal(conn.security?.peerAuthenticated, true)
    t.strictSame(atTheTime, [1, 0], 'while somebody thinks about it, no connection is held open')
    t.match(questions, [
      {
        host: '127.0.0.1',
        port: served.port,
        fingerprint: alice.fingerprint,
        identity: { type: 'ed25519' },
        reason: 'unknown',
        knownAs: ['other'],
        path
      }
    ])
    t.match(read(path), `\n[127.0.0.1]:${served.port} ${words(alice)}\n`)
    await meet(served.port, peers)
    t.equal(questions.length, 1, 'who is known is not asked about')
  }
)

t.test(
  'ask: only true accepts; anything else, and a failure, is an error, and nothing is remembered',
  async t => {
    const { port } = await serve(t, alice)
    const path = fileOf(t)
    for (const answer of [false, undefined, 1, 'yes']) {
      const peers = knownPeers(path, 'ask', { ask: () => answer as boolean })
      await t.rejects(meet(port, peers), {
        code: 'ERR_STALK_PEER_UNKNOWN',
        message: `${alice.fingerprint} at [127.0.0.1]:${port} was not accepted`
      })
    }
    const cause = new Error('nobody is there')
    const failing = knownPeers(path, 'ask', { ask: () => Promise.reject(cause) })
    await t.rejects(meet(port, failing), {
      code: 'ERR_STALK_PEER_UNKNOWN',
      message: `asking about ${alice.fingerprint} at [127.0.0.1]:${port} failed: nobody is there`,
      cause
    })
    t.notOk(existsSync(path))
  }
)

t.test('ask: nobody is asked about a key that has changed, or is revoked', async t => {
  const { port } = await serve(t, alice)
  let asked = 0
  const ask = () => ++asked > 0
  const changed = knownPeers(fileOf(t, `127.0.0.1 ${words(bob)}`), 'ask', { ask })
  await t.rejects(meet(port, changed), { code: 'ERR_STALK_PEER_CHANGED' })
  const revoked = knownPeers(fileOf(t, '#', `@revoked * ${words(alice)}`), 'ask', { ask })
  await t.rejects(meet(port, revoked), {
    code: 'ERR_STALK_PEER_REVOKED',
    message: `the peer has shown ${alice.fingerprint}, which is revoked; ${revoked.path}, line 2`
  })
  t.equal(asked, 0)
})

t.test('ask: who answers the second time with another key than the first time is refused', async t => {
  const served = await serve(t, alice)
  let second: Served | undefined
  const proxy = net.createServer(socket => {
    const port = second?.port ?? served.port
    const onward = net.connect(port, '127.0.0.1')
    socket
      .on('error', () => {})
      .pipe(onward.on('error', () => {}))
      .pipe(socket)
  })
  await once(proxy.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => proxy.close())
  const peers = knownPeers(fileOf(t), 'ask', {
    ask: async () => {
      second = await serve(t, bob)
      return true
    }
  })
  const { port } = proxy.address() as AddressInfo
  await t.rejects(meet(port, peers), {
    code: 'ERR_STALK_PEER_CHANGED',
    message: new RegExp(
      `^expected ${alice.fingerprint.replaceAll('+', '\\+')} \\(line 1\\) .*; the peer has shown `
    )
  })
})

t.test('ask: a signal gives up while somebody thinks about it, and nothing is remembered', async t => {
  const { port } = await serve(t, alice)
  const giving = new AbortController()
  const reason = new Error('enough')
  const peers = knownPeers(fileOf(t), 'ask', {
    ask: () => {
      setTimeout(() => giving.abort(reason), 20)
      return new Promise(resolve => setTimeout(resolve, 100, true))
    }
  })
  await t.rejects(meet(port, peers, { signal: giving.signal }), { code: 'ERR_STALK_ABORTED', cause: reason })
  await new Promise(resolve => setTimeout(resolve, 200))
  t.notOk(existsSync(peers.path))
})

t.test(
  'off: keys are not compared, the peer is not verified, and what is revoked is refused all the same',
  async t => {
    const { port } = await serve(t, alice)
    const peers = knownPeers(fileOf(t, `127.0.0.1 ${words(bob)}`), 'off')
    const conn = await meet(port, peers)
    t.match(conn.security, { peerAuthenticated: false, peerIdentity: null, peerName: null })
    t.equal(conn.claimedPeerIdentity?.fingerprint, alice.fingerprint)
    t.equal(read(peers.path), `127.0.0.1 ${words(bob)}\n`)
    const checked = await meet(port, peers, { authorize: peer => peer?.equals(alice) === true })
    t.equal(checked.security?.peerAuthenticated, true, 'by authorize')
    writeFileSync(peers.path, `@revoked * ${words(alice)}\n`)
    await t.rejects(meet(port, peers), { code: 'ERR_STALK_PEER_REVOKED' })
  }
)

t.test('a peer that shows no key is none that is known', async t => {
  const { port } = await serve(t, null)
  for (const trust of ['strict', 'accept-new'] as const)
    await t.rejects(meet(port, knownPeers(fileOf(t), trust)), {
      code: 'ERR_STALK_PEER_ANONYMOUS',
      message: `the peer at [127.0.0.1]:${port} has shown no key`
    })
  t.equal((await meet(port, knownPeers(fileOf(t), 'off'))).security?.mode, 'anonymous')
})

t.test('a file that cannot be used is an error, whatever the policy', async t => {
  const { port } = await serve(t, alice)
  const path = fileOf(t, `127.0.0.1 ${words(alice)}`, 'what?')
  const policies = [
    knownPeers(path, 'strict'),
    knownPeers(path, 'accept-new'),
    knownPeers(path, 'ask', { ask: () => true }),
    knownPeers(path, 'off')
  ]
  for (const peers of policies)
    await t.rejects(meet(port, peers), {
      code: 'ERR_STALK_TRUST_FILE_FORMAT',
      message: /peers, line 2 has no public key/,
      fault: 'trust'
    })
  if (noModes) return
  writeFileSync(path, `127.0.0.1 ${words(alice)}\n`)
  chmodSync(path, 0o666)
  for (const peers of policies) await t.rejects(meet(port, peers), { code: 'ERR_STALK_TRUST_FILE_MODE' })
})

t.test('a succession: the new key is accepted and remembered, and the old one is none any more', async t => {
  const [before, after] = [await serve(t, alice), await serve(t, bob)]
  const path = fileOf(t, `127.0.0.1 ${words(alice, 'gateway')}`)
  const peers = knownPeers(path, 'accept-new')
  await t.rejects(meet(after.port, peers), { code: 'ERR_STALK_PEER_CHANGED' })
  const { line } = await Succession.sign(alice, bob)
  await peers.succeed((Succession.parse(line) as [Succession])[0])
  await meet(before.port, peers)
  t.equal((await meet(after.port, knownPeers(path, 'strict'))).security?.peerName, 'gateway')
  t.equal(read(path), `127.0.0.1 ${words(alice, 'gateway')}\n${line}\n`, 'strict writes nothing')
  t.equal((await meet(after.port, peers)).security?.peerName, 'gateway')
  t.match(read(path), `\n[127.0.0.1]:${after.port} ${words(bob, 'gateway')}\n`)
  await meet(before.port, peers)
  const back = await serve(t, alice)
  writeFileSync(path, read(path).replace(String(after.port), String(back.port)))
  await t.rejects(meet(back.port, peers), {
    code: 'ERR_STALK_PEER_CHANGED',
    message: `expected ${bob.fingerprint} at [127.0.0.1]:${back.port} (${path}, line 3); the peer has shown ${alice.fingerprint}, the key that it has succeeded`
  })
  const third = await serve(t, carol)
  await t.rejects(meet(third.port, peers), { code: 'ERR_STALK_PEER_CHANGED' })
})

t.test('a Unix socket is known by its path', { skip: noModes }, async t => {
  const path = freshPath()
  const server = listener({ path, identity: alice }, conn => conn.on('error', () => {}).resume())
  t.teardown(() => server.close())
  await once(server, 'listening')
  const peers = knownPeers(fileOf(t), 'accept-new')
  const conn = await connect({ path, identity: null, peer: peers })
  conn.destroy()
  t.equal(read(peers.path), `unix:${path} ${words(alice)}\n`)
})

t.test('stalk on a duplex is told the place; without one, and for asking, it says what to do', async t => {
  const [a, b] = pair()
  const peers = knownPeers(fileOf(t, `printer ${words(bob, 'ours')}`))
  t.throws(() => stalk(a, { role: 'initiator', peer: peers }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /^option peer: known peers need to know where the peer is: knownPeers\(…\)\.at\(host, port\)/
  })
  const asking = knownPeers(peers.path, 'ask', { ask: () => true })
  t.throws(() => stalk(a, { role: 'initiator', peer: asking.at('printer') }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message:
      /^option peer: known peers that 'ask' are for connect, which ends the attempt, asks, and connects again$/
  })
  const there = stalk(b, { role: 'responder', identity: bob })
  const here = stalk(a, { role: 'initiator', peer: peers.at('printer') })
  await here.ready
  t.equal(here.security?.peerName, 'ours')
  here.destroy()
  there.on('error', () => {})
  await t.rejects(connect('a b', 1, { identity: null, peer: peers }), { code: 'ERR_STALK_INVALID_OPTION' })
})
