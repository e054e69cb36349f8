// `stalk` itself: help, version, exit codes, and one line for each thing that goes wrong between two
// machines.

import { readFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { EXIT_MEANING, exitOf } from '../../lib/cli/exit.ts'
import { explainCaller } from '../../lib/cli/explain.ts'
import { ERRORS, type ErrorCode, StalkError } from '../../lib/index.ts'
import { lines, makeHome, parsed, run, Stalk } from './tools.ts'

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const someone = ['--peer', server.identity.fingerprint]

/** Runs it and checks the exit code and the first line that it complains in. */
async function says(
  t: Test,
  args: string[],
  exit: number,
  text: RegExp,
  setting: Parameters<typeof run>[1] = server
): Promise<void> {
  const ran = await run(args, setting)
  t.equal(await ran.exit, exit, args.join(' '))
  t.match(lines(ran.stderr)[0], text)
  t.equal(ran.stdout, '')
}

/** A server of bytes that is no stalk. */
async function bytesOf(t: Test, onSocket: (socket: net.Socket) => void): Promise<string> {
  const plain = net.createServer(socket => onSocket(socket.on('error', () => {})))
  await new Promise<void>(resolve => plain.listen(0, '127.0.0.1', resolve))
  t.teardown(() => plain.close())
  return String((plain.address() as AddressInfo).port)
}

t.test('help and version are on stdout, with exit code 0', async t => {
  for (const args of [['--help'], ['-h'], ['help']]) {
    const { exit, stdout, stderr } = await run(args)
    t.equal(await exit, 0)
    t.equal(stderr, '')
    for (const name of ['keygen', 'fingerprint', 'listen', 'connect', 'peers', 'inspect'])
      t.match(stdout, new RegExp(`^  ${name} `, 'm'))
    for (const [code] of EXIT_MEANING) t.match(stdout, new RegExp(`^  ${code} `, 'm'))
  }
  for (const args of [
    ['listen', '--help'],
    ['listen', '-h'],
    ['help', 'listen']
  ]) {
    t.match((await run(args)).stdout, /^stalk listen: /)
  }
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  t.equal((await run(['--version'])).stdout, `${version}\n`)
})

t.test('what is wrong with the command line is said with a short usage, with exit code 2', async t => {
  const cases: [string[], RegExp][] = [
    [[], /^stalk: a command is needed$/],
    [['liten'], /^stalk: there is no command liten$/],
    [['\x1b[31m'], /^stalk: there is no command \\u\{1b\}\[31m$/],
    [['--port'], /^stalk: there is no command --port$/],
    [['listen', '--prot'], /^stalk listen: there is no option --prot$/],
    [['listen', '0', '--authorize', 'SHA256:short'], /--authorize: SHA256:short is no fingerprint/],
    [['listen', '0', '--suite', 'ROT13'], /--suite names ROT13; there are X25519-AES256GCM-SHA256, /],
    [['listen', '0', '--app', 'x'.repeat(65)], /--app is 65 bytes long; the limit is 64/],
    [['connect', '1', '--anyone', ...someone], /either --peer or --anyone, not both$/]
  ]
  await Promise.all(cases.map(([args, text]) => says(t, args, 2, text)))
  const { stderr } = await run(['listen', '--prot'])
  t.same(lines(stderr).slice(1), [
    '  usage: stalk listen [HOST:]PORT [OPTIONS]',
    '         stalk listen --path SOCKET [OPTIONS]',
    '         stalk listen [HOST:]PORT --exec COMMAND [OPTIONS]',
    '  `stalk listen --help` says more'
  ])
})

t.test('nothing to connect to, nothing to listen on: exit code 3', async t => {
  const busy = await bytesOf(t, () => {})
  const to = (where: string): string[] => ['connect', where, ...someone]
  await says(
    t,
    to('1'),
    3,
    /^stalk connect: connection refused: nobody listens on 127\.0\.0\.1:1 \(ERR_STALK_CONNECT\)$/
  )
  await says(
    t,
    to('no.such.host.invalid:1'),
    3,
    /(no such host: no\.such\.host\.invalid|cannot look up no\.such)/
  )
  await says(t, ['connect', '--path', join(dir, 'none'), ...someone], 3, /no such socket: .*none/)
  await says(t, ['listen', busy], 3, new RegExp(`^stalk listen: 127\\.0\\.0\\.1:${busy} is in use$`))
  await says(t, ['listen', '203.0.113.7:0'], 3, /203\.0\.113\.7 is not an address of this machine$/)
  await says(t, ['listen', '--path', join(dir, 'no', 'folder')], 3, /cannot make a socket at .*folder$/)
})

t.test('no stalk there, or none that fits: exit code 8', async t => {
  const http = await bytesOf(t, socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await says(t, ['connect', http, ...someone], 8, /does not speak stalk \(ERR_STALK_NOT_STALK\)$/)
  const listening = new Stalk(['listen', '0', '--app', 'one'], server)
  const app = ['connect', await listening.port(), ...someone, '--app', 'two']
  await says(t, app, 8, /^stalk connect: /)
  t.match((await run(app, server)).stderr, 'have both ends the same --app?')
  listening.child.kill('SIGKILL')
  const aes = new Stalk(['listen', '0', '--suite', 'X25519-AES256GCM-SHA256'], server)
  const other = ['--suite', 'X25519-CHACHA20POLY1305-SHA256']
  await says(t, ['connect', await aes.port(), ...someone, ...other], 8, /^stalk connect: .*common/)
  t.match(
    (await run(['connect', await aes.port(), ...someone, ...other], server)).stderr,
    'a --suite in common?'
  )
  aes.child.kill('SIGKILL')
})

t.test('a server that hangs up during the handshake: exit code 5', async t => {
  const port = await bytesOf(t, socket => socket.once('data', () => socket.end()))
  await says(
    t,
    ['connect', port, ...someone],
    5,
    /ended before the handshake was complete \(ERR_STALK_TRUNCATED\)$/
  )
})

t.test('with --json an error is one JSON object', async t => {
  const { stderr, exit } = await run(['connect', '1', '--json', ...someone])
  t.same(parsed(stderr), [
    {
      event: 'error',
      exit: 3,
      code: 'ERR_STALK_CONNECT',
      text: 'connection refused: nobody listens on 127.0.0.1:1',
      hints: []
    }
  ])
  t.equal(await exit, 3)
})

t.test('of a caller it is not asked whether stalk listens there', async t => {
  const error = new StalkError('ERR_STALK_HANDSHAKE_TIMEOUT', 'no handshake within 10000 ms')
  t.match(explainCaller(error, { remoteAddress: '192.0.2.1' }), {
    text: '192.0.2.1 did not get in: no handshake within 10000 ms',
    code: error.code,
    hints: []
  })
  const text = /^a caller did not get in: Error: a defect/
  t.match(explainCaller(new Error('a defect'), {}), { text, hints: ['please report this'] })
})

t.test('every code of stalk has its exit code', async t => {
  const codes = Object.keys(ERRORS) as ErrorCode[]
  const exits = Object.fromEntries(codes.map(code => [code, exitOf(new StalkError(code, ''))]))
  t.matchOnly(exits, {
    ERR_STALK_INVALID_OPTION: 2,
    ERR_STALK_ROLE_REQUIRED: 1,
    ERR_STALK_NO_SOURCE: 1,
    ERR_STALK_SECOND_SOURCE: 1,
    ERR_STALK_VALUE_UNSUPPORTED: 6,
    ERR_STALK_MESSAGE_TOO_LARGE: 6,
    ERR_STALK_NOT_WRITABLE: 1,
    ERR_STALK_NOT_READY: 1,
    ERR_STALK_ABORTED: 1,
    ERR_STALK_PEER_TIMEOUT: 5,
    ERR_STALK_PEER_BUSY: 3,
    ERR_STALK_KEY_FILE_MISSING: 7,
    ERR_STALK_KEY_FILE_EXISTS: 7,
    ERR_STALK_KEY_FILE_MODE: 7,
    ERR_STALK_KEY_FILE_FORMAT: 7,
    ERR_STALK_KEY_FILE_IO: 7,
    ERR_STALK_KEY_FILE_MISMATCH: 7,
    ERR_STALK_KEY_UNSUPPORTED: 7,
    ERR_STALK_PASSPHRASE_REQUIRED: 7,
    ERR_STALK_PASSPHRASE_WRONG: 7,
    ERR_STALK_PEER_MISMATCH: 4,
    ERR_STALK_PEER_ANONYMOUS: 4,
    ERR_STALK_UNAUTHORIZED: 4,
    ERR_STALK_PEER_UNKNOWN: 4,
    ERR_STALK_PEER_CHANGED: 4,
    ERR_STALK_PEER_REVOKED: 4,
    ERR_STALK_IDENTITY_REQUIRED: 4,
    ERR_STALK_TRUST_FILE_MISSING: 7,
    ERR_STALK_TRUST_FILE_MODE: 7,
    ERR_STALK_TRUST_FILE_FORMAT: 7,
    ERR_STALK_TRUST_FILE_IO: 7,
    ERR_STALK_TRUST_FILE_LOCKED: 7,
    ERR_STALK_SUCCESSION: 4,
    ERR_STALK_REJECTED: 4,
    ERR_STALK_NOT_STALK: 8,
    ERR_STALK_SAME_ROLE: 8,
    ERR_STALK_UNEXPECTED: 8,
    ERR_STALK_REFLECTED: 8,
    ERR_STALK_BAD_RECORD: 8,
    ERR_STALK_OVERFLOW: 8,
    ERR_STALK_DECODE: 8,
    ERR_STALK_NOTHING_IN_COMMON: 8,
    ERR_STALK_BAD_KEY: 8,
    ERR_STALK_BAD_SIGNATURE: 8,
    ERR_STALK_BAD_FINISHED: 8,
    ERR_STALK_BAD_MESSAGE: 8,
    ERR_STALK_SCHEMA: 8,
    ERR_STALK_FLOODED: 8,
    ERR_STALK_BAD_TICKET: 8,
    ERR_STALK_MESSAGE_TIMEOUT: 5,
    ERR_STALK_PEER_ALERT: 8,
    ERR_STALK_PEER_ABORTED: 5,
    ERR_STALK_TRUNCATED: 5,
    ERR_STALK_RESET: 5,
    ERR_STALK_CONNECT: 3,
    ERR_STALK_HANDSHAKE_TIMEOUT: 5,
    ERR_STALK_CLOSE_TIMEOUT: 5,
    ERR_STALK_PEER_SILENT: 5,
    ERR_STALK_WRITE_TIMEOUT: 5,
    ERR_STALK_IDLE_TIMEOUT: 5,
    ERR_STALK_UNACKNOWLEDGED: 5,
    ERR_STALK_WAIT_TIMEOUT: 5,
    ERR_STALK_KEY_EXHAUSTED: 1,
    ERR_STALK_BUSY: 1,
    ERR_STALK_INTERNAL: 1
  })
})
