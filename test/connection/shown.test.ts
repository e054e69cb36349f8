// What JSON, util.inspect and console.log show of everything public: enough to know what it is, and no key, however
// deep and however hidden one looks.

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { Identity, type Listener, listener, StalkError, sealer, stalk } from '../../lib/index.ts'
import { alice, bob, bothClosed, ends, open, pair, tcpPair, within } from '../helpers/pair.ts'

/** All that somebody may do to look at it. */
const looks = (value: unknown): string => {
  const deep = {
    depth: Number.POSITIVE_INFINITY,
    showHidden: true,
    maxArrayLength: null,
    maxStringLength: null
  }
  return [
    JSON.stringify(value) ?? '',
    inspect(value),
    inspect(value, deep),
    inspect([value], { ...deep, getters: true }),
    inspect(value, { ...deep, customInspect: false }),
    String(value),
    inspect(Object.getOwnPropertyDescriptors(value as object), deep)
  ].join('\n')
}

/** As text in the forms that printing gives it. */
function formsOf(secret: Buffer): string[] {
  const bytes = [...secret]
  const hex = secret.toString('hex')
  return [
    hex,
    hex.replace(/../g, '$& ').trim(),
    secret.toString('base64').replace(/=+$/, ''),
    secret.toString('base64url'),
    bytes.join(','),
    bytes.join(', ')
  ]
}

function showsNone(t: Test, what: string, text: string, secrets: readonly Buffer[]): void {
  // Prints of long arrays break lines; the first bytes of a secret are as telling as all of it.
  const lean = text.replace(/\s+/g, ' ')
  const found = secrets.flatMap(secret => formsOf(secret.subarray(0, 24)).filter(form => lean.includes(form)))
  t.same(found, [], what)
}

const privateBytes = (identity: Identity): Buffer[] => {
  const { d = '' } = identity.privkey?.export({ format: 'jwk' }) ?? {}
  return [Buffer.from(d, 'base64url'), Buffer.from(identity.privatePem().split('\n')[1] ?? '')]
}

t.test('no secret of a connection is seen in anything, at any time', async t => {
  const lines: string[] = []
  const log = { keyLog: (line: string) => void lines.push(line), allowKeyLog: true }
  const published: unknown[] = []
  for (const name of ['connection:open', 'connection:secure', 'rekey', 'connection:closed'])
    subscribe(`stalk:${name}`, message => void published.push(message))
  const both = ends(await tcpPair(), { initiator: log })
  const { initiator, responder } = both
  const early = looks(both)
  await within(Promise.all([initiator.ready, responder.ready]), 'the handshake')
  initiator.write({ some: 'message' })
  await initiator.flush()
  const open = [both, initiator, responder, initiator.socket, initiator.security].map(looks)
  for (const end of [initiator, responder]) end.resume()
  await initiator.rekey()
  const exported = initiator.exportKeyingMaterial('label', 'context', 32)
  const late = looks(both)
  for (const end of [initiator, responder]) end.end()
  await bothClosed(both)
  const traffic = lines.map(line => Buffer.from(line.split(' ')[2] ?? '', 'hex'))
  t.equal(traffic.length, 4)
  const secrets = [...traffic, exported, ...privateBytes(alice), ...privateBytes(bob)]
  showsNone(t, 'in the handshake', early, secrets)
  for (const text of open) showsNone(t, 'when it is open', text, secrets)
  showsNone(t, 'with new keys', late, secrets)
  showsNone(t, 'at the end', looks(both), secrets)
  t.ok(published.length >= 8)
  showsNone(t, 'in what was published', looks(published), secrets)
})

t.test('the search finds what it looks for', async t => {
  const secret = randomBytes(32)
  for (const value of [secret, [...secret], secret.toString('hex'), { deep: [new Uint8Array(secret)] }]) {
    const lean = looks(value).replace(/\s+/g, ' ')
    t.ok(formsOf(secret.subarray(0, 24)).some(form => lean.includes(form)))
  }
})

t.test('a connection says who talks, how far it has come, what went over it, and how it ended', async t => {
  const both = await open()
  const { initiator, responder } = both
  responder.resume()
  await initiator.send('hello')
  await initiator.flush({ acked: true })
  const person = (identity: Identity, hasPrivate: boolean): object => ({
    type: 'ed25519',
    keysize: 256,
    fingerprint: identity.fingerprint,
    private: hasPrivate
  })
  t.match(JSON.parse(JSON.stringify(initiator)), {
    state: 'open',
    role: 'initiator',
    sessionId: initiator.security?.sessionId,
    suite: 'X25519-AES256GCM-SHA256',
    mode: 'mutual',
    identity: person(alice, true),
    peer: person(bob, false),
    peerAuthenticated: true,
    counters: { outbound: { messages: 1, epoch: 0 }, acknowledged: 1 },
    outcome: null
  })
  t.match(inspect(initiator), /^Connection \{\n {2}state: 'open',\n {2}role: 'initiator'/)
  t.equal(inspect({ a: { b: { c: initiator } } }), '{ a: { b: { c: [Connection] } } }')
  initiator.resume().end()
  t.equal(JSON.parse(JSON.stringify(initiator)).state, 'closing')
  await bothClosed(both)
  t.match(JSON.parse(JSON.stringify(initiator)), { state: 'closed', outcome: { kind: 'clean', sent: 1 } })
})

t.test('before its time and after a failure too', async t => {
  const both = ends(pair(), { initiator: { peer: alice } })
  t.match(both.initiator.toJSON(), { state: 'handshake', sessionId: null, peer: null, outcome: null })
  await bothClosed(both)
  t.match(both.initiator.toJSON(), { state: 'closed', outcome: { code: 'ERR_STALK_PEER_MISMATCH' } })
})

t.test('wrap, a listener, an identity, an error, a stage', async t => {
  const secret = randomBytes(32)
  const wrapped = stalk.wrap({ identity: alice, role: 'initiator', peer: bob })
  wrapped.on('error', () => {})
  t.same(wrapped.toJSON(), { connection: null, outcome: null })
  t.equal(inspect(wrapped), 'Wrapped { connection: null, outcome: null }')
  const [near, far] = pair()
  far.resume()
  near.pipe(wrapped)
  t.match(wrapped.toJSON(), { connection: { state: 'handshake', role: 'initiator' } })
  const listening: Listener = listener({ host: '127.0.0.1', port: 0, identity: bob, peer: 'anyone' })
  await once(listening, 'listening')
  t.match(listening.toJSON(), { listening: true, connections: 0, handshakes: 0 })
  t.match(inspect(listening), /^Listener \{\n {2}listening: true,\n {2}address: \{ address: '127.0.0.1'/)
  const cause = Object.assign(new Error('why'), { issues: ['a message'] })
  const error = new StalkError('ERR_STALK_UNAUTHORIZED', 'no', { phase: 'handshake', cause })
  t.same(JSON.parse(JSON.stringify(error)), {
    name: 'StalkError',
    code: 'ERR_STALK_UNAUTHORIZED',
    message: 'no',
    phase: 'handshake',
    fault: 'trust',
    retry: false,
    cause: 'why'
  })
  t.notOk('cause' in new StalkError('ERR_STALK_RESET', 'x').toJSON())
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsa = Identity.fromPem(privateKey.export({ type: 'pkcs8', format: 'pem' }) as string)
  const text = looks([wrapped, near, listening, alice, rsa, error, sealer(secret)])
  showsNone(t, 'all of them', text, [
    secret,
    ...privateBytes(alice),
    ...privateBytes(bob),
    ...privateBytes(rsa)
  ])
  wrapped.destroy()
  await wrapped.outcome
  await listening[Symbol.asyncDispose]()
})
