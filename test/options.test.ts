// Options: the defaults, what becomes of each value, and that nothing misspelt or out of range gets through.

import type { Duplex } from 'node:stream'
import t from 'tap'
import { configOf, OPTION_NAMES, type StalkOptions } from '../lib/options.ts'
import { alice, bob } from './helpers/pair.ts'

const duplex = {} as Duplex
const config = (options: object = {}): ReturnType<typeof configOf> =>
  configOf(duplex, { role: 'initiator', ...options } as StalkOptions)

const refused = (message: string | RegExp) => ({
  code: 'ERR_STALK_INVALID_OPTION',
  phase: 'setup',
  fault: 'caller',
  message
})

t.test('the defaults, frozen', async t => {
  const { policy, suites, app, ...rest } = config()
  t.same(rest, {
    role: 'initiator',
    identity: null,
    requireIdentity: false,
    tickets: null,
    sessions: null,
    maxMessageBytes: 16 * 1024 * 1024,
    schema: null,
    onInvalid: 'error',
    handshakeTimeoutMs: 10_000,
    closeTimeoutMs: 60_000,
    messageTimeoutMs: 30_000,
    keepAliveMs: null,
    idleTimeoutMs: null,
    writeTimeoutMs: null,
    rekeyAfter: { records: 2 ** 22, bytes: 2 ** 36 },
    rekeyAfterMs: 3_600_000,
    pad: undefined,
    allowHalfOpen: false,
    readableHighWaterMark: 256,
    writableHighWaterMark: 1024
  })
  t.same(
    suites.map(suite => suite.name),
    ['X25519-AES256GCM-SHA256', 'X25519-CHACHA20POLY1305-SHA256'],
    'OFB has to be asked for'
  )
  t.equal(app.length, 0)
  t.match(policy, { verifies: false, said: false })
  t.ok(Object.isFrozen(config()))
})

t.test('undefined is as if it were not given, for every option', async t => {
  const all = Object.fromEntries(
    [...OPTION_NAMES].filter(name => name !== 'role').map(name => [name, undefined])
  )
  const { policy: _, ...given } = config(all)
  const { policy: __, ...none } = config()
  t.same(given, none)
})

t.test('a name that does not exist is refused with those that do', async t => {
  t.throws(
    () => config({ Identity: alice }),
    refused(`option Identity does not exist; there are ${[...OPTION_NAMES].join(', ')}`)
  )
  t.throws(() => config({ keepalive: 5 }), refused(/^option keepalive does not exist/))
  for (const options of [null, [], 'role', 7]) {
    t.throws(
      () => configOf(duplex, options as unknown as StalkOptions),
      refused('the options must be an object')
    )
  }
})

t.test('each number has its range, and 0 never means unlimited', async t => {
  const most: Record<string, number> = {
    maxMessage: 2 ** 32 - 1,
    handshakeTimeout: 2 ** 31 - 1,
    closeTimeout: 2 ** 31 - 1,
    messageTimeout: 2 ** 31 - 1,
    keepAlive: 2 ** 31 - 1,
    idleTimeout: 2 ** 31 - 1,
    writeTimeout: 2 ** 31 - 1,
    readableHighWaterMark: 2 ** 20,
    writableHighWaterMark: 2 ** 20
  }
  for (const [name, max] of Object.entries(most)) {
    for (const value of [1, max]) t.doesNotThrow(() => config({ [name]: value }), `${name} ${value}`)
    const odd = [0, -1, max + 1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', 1n, null, true, {}]
    for (const value of odd) {
      t.throws(
        () => config({ [name]: value }),
        refused(`option ${name} must be a whole number from 1 to ${max}`)
      )
    }
  }
})

t.test('rekeyAfter: never later than the protocol recommends', async t => {
  t.match(config({ rekeyAfter: { records: 5 } }), { rekeyAfter: { records: 5, bytes: 2 ** 36 } })
  t.match(config({ rekeyAfter: { bytes: 7, time: 9 } }), {
    rekeyAfter: { records: 2 ** 22, bytes: 7 },
    rekeyAfterMs: 9
  })
  for (const [name, most] of Object.entries({ records: 2 ** 22, bytes: 2 ** 36, time: 3_600_000 })) {
    for (const value of [0, most + 1, 1.5, '1', null]) {
      t.throws(
        () => config({ rekeyAfter: { [name]: value } }),
        refused(`option rekeyAfter.${name} must be a whole number from 1 to ${most}`)
      )
    }
  }
  t.throws(
    () => config({ rekeyAfter: { messages: 1 } }),
    refused(/^option rekeyAfter.messages does not exist/)
  )
  t.throws(() => config({ rekeyAfter: 5 }), refused('option rekeyAfter must be an object'))
})

t.test('padding: none, or to the next multiple of a block, and never above what a record holds', async t => {
  t.equal(config({ padding: 'none' }).pad, undefined)
  const { pad } = config({ padding: { block: 1_000 } })
  t.same(
    [1, 999, 1_000, 1_001, 65_600].map(least => pad?.(least)),
    [1_000, 1_000, 1_000, 2_000, 65_600]
  )
  t.throws(() => config({ padding: 'some' }), refused("option padding must be 'none' or { block }"))
  t.throws(() => config({ padding: null }), refused("option padding must be 'none' or { block }"))
  t.throws(() => config({ padding: {} }), refused('option padding needs the bytes of a block'))
  t.throws(
    () => config({ padding: { block: 65_601 } }),
    refused(/^option padding.block must be a whole number/)
  )
})

t.test('each flag is true or false, and nothing like it', async t => {
  for (const name of ['requireIdentity', 'allowHalfOpen']) {
    t.equal(config({ role: 'responder', [name]: true })[name as 'allowHalfOpen'], true)
    for (const value of [0, 1, 'true', null, {}]) {
      t.throws(() => config({ [name]: value }), refused(`option ${name} must be true or false`))
    }
  }
})

t.test('an initiator cannot require what only a responder can ask for', async t => {
  t.throws(
    () => config({ requireIdentity: true }),
    refused('option requireIdentity is for responders; an initiator names whom it wants with peer')
  )
})

t.test('an identity of ours has its private key', async t => {
  t.equal(config({ identity: alice }).identity, alice)
  t.equal(config({ identity: null }).identity, null)
  const { Identity } = await import('../lib/identity/identity.ts')
  t.throws(
    () => config({ identity: Identity.fromRaw(alice.raw) }),
    refused('option identity has no private key')
  )
  for (const value of ['pem', {}, alice.raw, true]) {
    t.throws(() => config({ identity: value }), refused('option identity must be an Identity or null'))
  }
})

t.test('peer and authorize make a policy that verifies; anyone is said, and does not', async t => {
  for (const options of [
    { peer: bob },
    { peer: bob.fingerprint },
    { peer: [alice, bob.fingerprint] },
    { authorize: () => true },
    { peer: 'anyone', authorize: () => true }
  ]) {
    t.match(config(options).policy, { verifies: true, said: true })
  }
  t.match(config({ peer: 'anyone' }).policy, { verifies: false, said: true })
  t.throws(() => config({ authorize: true }), refused('option authorize must be a function'))
  t.throws(() => config({ peer: [] }), refused('option peer: an empty list of peers lets nobody in'))
})

t.test('suites: a list of names, by preference, each once', async t => {
  const both = ['X25519-AES256OFB-HMACSHA256', 'X25519-AES256GCM-SHA256'] as const
  t.same(
    config({ suites: both }).suites.map(suite => suite.id),
    [3, 1]
  )
  for (const suites of [[], 'X25519-AES256GCM-SHA256', {}, null]) {
    t.throws(() => config({ suites }), refused('option suites must be a list of names'))
  }
  t.throws(() => config({ suites: [both[0], both[0]] }), refused('option suites names a suite twice'))
  for (const name of ['aes', '__proto__', 'constructor', 1, null]) {
    t.throws(
      () => config({ suites: [name] }),
      refused(/^option suites names .*; there are X25519-AES256GCM-SHA256, /)
    )
  }
})

t.test('app: at most 64 bytes of well-formed text', async t => {
  t.same(config({ app: 'chät' }).app, Buffer.from('chät'))
  t.doesNotThrow(() => config({ app: 'x'.repeat(64) }))
  t.throws(() => config({ app: 'é'.repeat(33) }), refused('option app is 66 bytes long; the limit is 64'))
  for (const app of ['\ud800', 7, null, Buffer.from('x')]) {
    t.throws(() => config({ app }), refused('option app must be a string'))
  }
})

t.test('the role of a socket, from what it says of itself', async t => {
  const role = (socket: object, options: StalkOptions = {}): string =>
    configOf(socket as Duplex, options).role
  const connect = (): void => {}
  t.equal(role({ connect }), 'initiator')
  t.equal(role({ connect, server: {} }), 'responder')
  t.equal(role({ connect, server: null }), 'initiator')
  t.equal(role({ connect, server: {} }, { role: 'initiator' }), 'initiator')
  t.throws(() => role({}), { code: 'ERR_STALK_ROLE_REQUIRED', phase: 'setup' })
  for (const value of ['client', '', null, 1]) {
    t.throws(() => config({ role: value }), refused("option role must be 'initiator' or 'responder'"))
  }
})

t.test('schema and onInvalid', async t => {
  const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } }
  t.equal(config({ schema }).schema, schema)
  t.equal(config({ schema, onInvalid: 'skip' }).onInvalid, 'skip')
  for (const value of [{}, 'schema', () => true, { '~standard': {} }]) {
    t.throws(
      () => config({ schema: value }),
      refused('option schema must be a validator that speaks Standard Schema')
    )
  }
  for (const value of ['drop', null, true]) {
    t.throws(() => config({ onInvalid: value }), refused("option onInvalid must be 'error' or 'skip'"))
  }
})
