// stalk() and its options: what is refused at once, which role a socket has, and the one warning.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { Identity, type StalkOptions, stalk } from '../lib/index.ts'
import { configOf } from '../lib/options.ts'
import { meddledPair } from './helpers/adversary.ts'
import { alice } from './helpers/pair.ts'

const role = 'initiator'
const publicOnly = Identity.fromRaw(alice.raw)

t.test('an option that does not exist, or a value that does not fit, is refused at once', async t => {
  const wrong: [StalkOptions | object | null, RegExp][] = [
    [{ role, requireIdentitiy: true }, /option requireIdentitiy does not exist; there are role, identity/],
    [null, /options must be an object/],
    [[], /options must be an object/],
    [{ role: 'client' }, /option role must be/],
    [{ role, identity: 'me' }, /option identity must be an Identity/],
    [{ role, identity: publicOnly }, /option identity has no private key/],
    [{ role, peer: 'me' }, /option peer: "me" is no identity/],
    [{ role, authorize: true }, /option authorize must be a function/],
    [{ role, requireIdentity: 'yes' }, /option requireIdentity must be true or false/],
    [{ role, suites: [] }, /option suites must be a list/],
    [{ role, suites: ['AES'] }, /option suites names AES; there are X25519/],
    [{ role, suites: ['X25519-AES256GCM-SHA256', 'X25519-AES256GCM-SHA256'] }, /names a suite twice/],
    [{ role, app: 'x'.repeat(65) }, /option app is 65 bytes long; the limit is 64/],
    [{ role, app: '\ud800' }, /option app must be a string/],
    [{ role, maxMessage: 0 }, /option maxMessage must be a whole number from 1/],
    [{ role, maxMessage: 2 ** 32 }, /option maxMessage must be/],
    [{ role, handshakeTimeout: Number.POSITIVE_INFINITY }, /option handshakeTimeout must be/],
    [{ role, closeTimeout: -1 }, /option closeTimeout must be/],
    [{ role, allowHalfOpen: 1 }, /option allowHalfOpen must be/],
    [{ role, readableHighWaterMark: 1.5 }, /option readableHighWaterMark must be/],
    [{ role, writableHighWaterMark: '16' }, /option writableHighWaterMark must be/]
  ]
  for (const [options, message] of wrong) {
    const [duplex] = meddledPair()
    t.throws(() => stalk(duplex, options as StalkOptions), {
      code: 'ERR_STALK_INVALID_OPTION',
      message,
      phase: 'setup',
      fault: 'caller'
    })
    t.throws(() => stalk.wrap(options as StalkOptions), { code: 'ERR_STALK_INVALID_OPTION', message })
  }
})

t.test('what cannot carry a conversation is refused at once', async t => {
  const [a] = meddledPair()
  t.throws(() => stalk(a), { code: 'ERR_STALK_ROLE_REQUIRED', message: /pass role: 'initiator' at one end/ })
  t.throws(() => stalk(Readable.from([]) as never, { role }), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /duplex/
  })
  t.throws(() => stalk(undefined as never, { role }), { code: 'ERR_STALK_INVALID_OPTION', message: /duplex/ })
  const [text] = meddledPair()
  text.setEncoding('utf8')
  t.throws(() => stalk(text, { role }), { message: /setEncoding/ })
  const [ended] = meddledPair()
  ended.destroy()
  t.throws(() => stalk(ended, { role }), { message: /ended already, or was destroyed/ })
})

t.test('a socket tells the role: who connected, and who was accepted', async t => {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  t.equal(configOf(socket, {}).role, 'initiator')
  t.equal(configOf(accepted, {}).role, 'responder')
  t.equal(configOf(accepted, { role }).role, 'initiator', 'what is said goes')
  t.ok(Object.isFrozen(configOf(socket, {})))
  socket.destroy()
  accepted.destroy()
  server.close()
})

t.test('an initiator that names nobody is warned about once a process, unless it is meant', async t => {
  const program = (peer: string): string => `
    import { stalk } from ${JSON.stringify(pathToFileURL(join(import.meta.dirname, '../lib/index.ts')).href)}
    import { PassThrough } from 'node:stream'
    for (const n of [1, 2]) stalk(new PassThrough(), { role: 'initiator'${peer} }).on('error', () => {}).destroy()`
  const run = (peer: string): string =>
    spawnSync(process.execPath, ['--import=tsx', '--input-type=module', '-e', program(peer)], {
      encoding: 'utf8'
    }).stderr
  t.equal(run('').split('STALK_UNVERIFIED_PEER').length - 1, 1)
  t.equal(run(", peer: 'anyone'"), '')
})
