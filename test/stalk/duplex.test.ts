// stalk(): what it takes for a duplex, which role an end has, and the warning about peers that nobody named.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { Duplex, PassThrough, Readable } from 'node:stream'
import t from 'tap'
import defaultStalk, { Connection, stalk } from '../../lib/index.ts'
import { run } from '../helpers/child.ts'
import { alice, bob, ends, pair, tcpPair, unixPair, within } from '../helpers/pair.ts'

const OPTIONS = { identity: null, peer: 'anyone' } as const

t.test('it is the default export, and what it gives is a Connection', async t => {
  t.equal(defaultStalk, stalk)
  const [duplex] = pair()
  const connection = stalk(duplex, { ...OPTIONS, role: 'responder' })
  t.ok(connection instanceof Connection)
  t.ok(connection instanceof Duplex)
  t.equal(connection.socket, duplex)
  t.equal(connection.writableObjectMode && connection.readableObjectMode, true)
  connection.destroy()
  await connection.outcome
})

t.test('a net socket that connected is the initiator, one that was accepted the responder', async t => {
  for (const joined of [await tcpPair(), await unixPair()]) {
    const [initiator, responder] = [
      stalk(joined[0], { identity: alice, peer: bob }),
      stalk(joined[1], { identity: bob, peer: alice })
    ]
    await within(Promise.all([initiator.ready, responder.ready]), 'ready')
    t.equal(initiator.security?.role, 'initiator')
    t.equal(responder.security?.role, 'responder')
    initiator.resume().end()
    responder.resume()
    await Promise.all([initiator.outcome, responder.outcome])
  }
})

t.test('a role that is given goes before what the socket says: a server may call', async t => {
  const [socket, accepted] = await tcpPair()
  const calling = stalk(accepted, { role: 'initiator', identity: bob, peer: alice })
  const called = stalk(socket, { role: 'responder', identity: alice, peer: bob })
  await within(Promise.all([calling.ready, called.ready]), 'ready')
  t.same([calling.security?.role, called.security?.role], ['initiator', 'responder'])
  calling.resume().end()
  called.resume()
  await Promise.all([calling.outcome, called.outcome])
})

t.test('a TLS socket has its role too, and the connection runs inside TLS', async t => {
  const { code, out, err } = await run(`
    import { once } from 'node:events'
    import tls from 'node:tls'
    import { stalk } from './lib/index.ts'
    import { alice, bob } from './test/helpers/pair.ts'
    const options = { ciphers: 'aNULL:@SECLEVEL=0', minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' }
    const server = tls.createServer(options, socket => {
      const connection = stalk(socket, { identity: bob, peer: alice })
      connection.pipe(connection)
      connection.ready.then(() => console.log(connection.security.role))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const socket = tls.connect({ ...options, port: server.address().port, host: '127.0.0.1', rejectUnauthorized: false,
      checkServerIdentity: () => {} })
    const connection = stalk(socket, { identity: alice, peer: bob })
    connection.end('inside')
    for await (const message of connection) console.log(message, connection.security.role)
    console.log((await connection.outcome).kind)
    server.close()
  `)
  t.same({ code, err }, { code: 0, err: '' })
  t.same(out.trim().split('\n').sort(), ['clean', 'inside initiator', 'responder'])
})

t.test('any other duplex has to be given its role', async t => {
  for (const duplex of [pair()[0], new PassThrough(), new Duplex({ read() {}, write() {} })]) {
    t.throws(() => stalk(duplex, OPTIONS), {
      code: 'ERR_STALK_ROLE_REQUIRED',
      phase: 'setup',
      message:
        "this duplex does not tell which end called: pass role: 'initiator' at one end, 'responder' at the other"
    })
  }
  t.throws(() => stalk(pair()[0], { ...OPTIONS, role: 'server' as 'responder' }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: "option role must be 'initiator' or 'responder'"
  })
})

t.test('what is no duplex is refused by name of what it takes', async t => {
  const not = {
    code: 'ERR_STALK_INVALID_OPTION',
    phase: 'setup',
    message: /^stalk\(\) takes a duplex stream/
  }
  const odd = [null, undefined, 7, 'socket', {}, new Readable({ read() {} }), { pipe() {} }, () => {}]
  for (const value of odd)
    t.throws(() => stalk(value as unknown as Duplex, { ...OPTIONS, role: 'initiator' }), not)
})

t.test('a duplex that is over, destroyed, or decodes its bytes is refused', async t => {
  const over = {
    code: 'ERR_STALK_INVALID_OPTION',
    message: 'this duplex has ended already, or was destroyed'
  }
  const options = { ...OPTIONS, role: 'initiator' } as const
  const [destroyed] = pair()
  destroyed.destroy()
  t.throws(() => stalk(destroyed, options), over)
  const [ended] = pair()
  ended.end()
  t.throws(() => stalk(ended, options), over)
  const [heard, other] = pair()
  other.end()
  heard.resume()
  await once(heard, 'end')
  t.throws(() => stalk(heard, options), over)
  const [decoding] = pair()
  decoding.setEncoding('utf8')
  t.throws(() => stalk(decoding, options), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: 'this duplex decodes its bytes to text; use it without setEncoding()'
  })
})

t.test('a socket that is still connecting will do, and one that cannot connect is a reset', async t => {
  const server = net.createServer(socket => socket.destroy()).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  const connection = stalk(net.connect(port, '127.0.0.1'), OPTIONS)
  connection.on('error', () => {})
  t.match(await within(connection.outcome, 'closed'), {
    kind: 'reset',
    code: 'ERR_STALK_RESET',
    reason: /^the transport failed: connect ECONNREFUSED/
  })
})

t.test('two initiators are told that they are; two responders wait until they are told why', async t => {
  const options = { identity: null, peer: 'anyone', handshakeTimeout: 120 } as const
  const [a, b] = pair()
  const initiators = [a, b].map(duplex => stalk(duplex, { ...options, role: 'initiator' }))
  for (const end of initiators) end.on('error', () => {})
  const outcomes = await within(Promise.all(initiators.map(end => end.outcome)), 'closed')
  for (const outcome of outcomes) {
    t.match(outcome, {
      code: 'ERR_STALK_SAME_ROLE',
      reason: "both ends are initiators; one of them has to be given role: 'responder'"
    })
  }
  const [c, d] = pair()
  const responders = [c, d].map(duplex => stalk(duplex, { ...options, role: 'responder' }))
  for (const end of responders) end.on('error', () => {})
  const [first] = await within(Promise.all(responders.map(end => end.outcome)), 'closed')
  t.match(first, {
    kind: 'timeout',
    code: 'ERR_STALK_HANDSHAKE_TIMEOUT',
    reason:
      'no handshake within 120 ms: the peer is silent, slow, speaks no stalk or has our role, or our own policy has not answered'
  })
})

t.test('the warning about a peer that nobody named comes once a process, with its code', async t => {
  const { code, out } = await run(`
    import { stalk } from './lib/index.ts'
    import { PassThrough } from 'node:stream'
    process.on('warning', warning => console.log(JSON.stringify([warning.code, warning.message, warning.detail])))
    for (let n = 0; n < 3; n++) {
      const connection = stalk(new PassThrough(), { role: 'initiator' })
      connection.on('error', () => {})
      connection.destroy()
    }
  `)
  t.equal(code, 0)
  t.same(
    out
      .trim()
      .split('\n')
      .map(line => JSON.parse(line)),
    [
      [
        'STALK_UNVERIFIED_PEER',
        'the peer is not verified: pass peer, an identity or a fingerprint',
        "peer: 'anyone' says that it is meant, and silences this warning"
      ]
    ]
  )
})

t.test("who said 'anyone', named a peer, decides by authorize, or is called is not warned", async t => {
  const { code, out, err } = await run(`
    import { stalk } from './lib/index.ts'
    import { PassThrough } from 'node:stream'
    import { bob } from './test/helpers/pair.ts'
    const quiet = [
      { role: 'initiator', peer: 'anyone' }, { role: 'initiator', peer: bob }, { role: 'initiator', peer: () => true },
      { role: 'initiator', authorize: () => true }, { role: 'responder' }
    ]
    for (const options of quiet) {
      const connection = stalk(new PassThrough(), options)
      connection.on('error', () => {})
      connection.destroy()
    }
  `)
  t.same({ code, out, err }, { code: 0, out: '', err: '' })
})

t.test('connect warns as stalk does, when there is a peer to warn of', async t => {
  const { err } = await run(`
    import { once } from 'node:events'
    import { connect, listener } from './lib/index.ts'
    await connect('127.0.0.1', 1, {}).catch(() => console.error('nobody there'))
    const server = listener('127.0.0.1', 0, connection => connection.resume(), { identity: null })
    await once(server, 'listening')
    const connection = await connect('127.0.0.1', server.address().port, { identity: null })
    connection.resume().end()
    server.close()
  `)
  t.match(err, /^nobody there\n.*\[STALK_UNVERIFIED_PEER\] Warning: the peer is not verified/)
})

t.test('a duplex that cannot be written is reported by the connection', async t => {
  const broken = new Duplex({
    read() {},
    write(_chunk, _encoding, done) {
      done(new Error('no medium'))
    }
  })
  const connection = stalk(broken, { ...OPTIONS, role: 'initiator' })
  connection.on('error', () => {})
  t.match(await within(connection.outcome, 'closed'), {
    kind: 'reset',
    reason: 'the transport failed: no medium'
  })
})

t.test('a stream that can only be written, which has pipe and write, is no duplex', async t => {
  const { code, out } = await run(`
    import { Writable } from 'node:stream'
    import { stalk } from './lib/index.ts'
    try {
      stalk(new Writable({ write() {} }), { role: 'initiator', peer: 'anyone' })
    } catch (error) {
      console.log(error.message)
    }
  `)
  t.equal(code, 0)
  t.match(out, /^stalk\(\) takes a duplex stream/)
})

t.test('both ends in one process, with nothing but a role, find each other', async t => {
  const both = ends(pair(), {
    initiator: { identity: null, peer: 'anyone' },
    responder: { identity: null, peer: 'anyone' }
  })
  await within(both.initiator.ready, 'ready')
  t.match(both.initiator.security, { mode: 'anonymous', peerAuthenticated: false, selfAuthenticated: false })
  both.initiator.resume().end()
  both.responder.resume()
  await both.responder.outcome
})
