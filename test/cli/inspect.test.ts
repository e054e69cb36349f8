// `stalk inspect` and `--key-log`: what is captured on the wire and what is logged come together again, and what is wrong
// with either is said, with an exit code.

import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Terminal } from '../../lib/cli/terminal.ts'
import { linesOf } from '../../lib/cli/timeline.ts'
import type { CaptureEntry } from '../../lib/index.ts'
import { alice, bob } from '../helpers/pair.ts'
import { captured } from '../inspection/captured.ts'
import { lines, makeHome, parsed, run, Stalk } from './tools.ts'

const dir = t.testdir()
const { capture, back } = await captured(async ({ initiator, responder }) => {
  responder.on('data', message => responder.write(message)).on('end', () => responder.end())
  initiator.resume()
  await initiator.send({ hello: 'world', big: 2n ** 70n })
  await initiator.send('\x1b[31mred\u202e')
  initiator.end()
})

/** Writes a capture to files, and gives the arguments that name them. */
function files(name: string, { initiator, responder, keys }: typeof capture): string[] {
  const paths = [`${name}.i`, `${name}.r`, `${name}.keys`].map(file => join(dir, file))
  for (const [index, content] of [initiator, responder, keys].entries())
    writeFileSync(paths[index] as string, content)
  const [i = '', r = '', k = ''] = paths
  return ['inspect', '--initiator', i, '--responder', r, '--keys', k]
}

const whole = files('whole', capture)

t.test('with the keys it shows everything, a record a line', async t => {
  const { exit, stdout, stderr } = await run(whole)
  t.equal(await exit, 0)
  t.match(stderr, /^→ initiator, [\d,]+ bytes {3}← responder, [\d,]+ bytes\n$/)
  const shown = lines(stdout)
  t.match(shown, [
    /^→ {8}0 {7}\d\d {2}InitiatorHello {2}random [0-9a-f]{16}… {2}stalk\/1$/,
    /^ {21}suites X25519-AES256GCM-SHA256, X25519-CHACHA20POLY1305-SHA256$/,
    /^ {21}takes signatures ed25519, rsa$/,
    /^← {8}0 {7}77 {2}ResponderHello {2}stalk\/1 {2}X25519-AES256GCM-SHA256$/,
    `${bob.fingerprint} (ED25519 256): signature and Finished match`,
    /takes messages up to 16,777,216 bytes, asks for an identity, takes signatures ed25519, rsa {2}padding 1,\d{3}$/,
    `${alice.fingerprint} (ED25519 256): signature and Finished match`
  ])
  t.match(stdout, /^← {4}2,145 {7}24 {2}Accept$/m)
  t.match(stdout, /^→ .* message 1 {2}\{"hello":"world","big":\{"\$bigint":"1180591620717411303424"\}\}$/m)
  t.match(stdout, / message 2 {2}"\\u001b\[31mred\\u202e"$/m)
  t.match(stdout, /^→ .* goodbye, \d messages? received$/m)
  t.match(lines(stdout).at(-1), / final pong, 2 messages received$/)
})

t.test('without them it shows what everybody sees', async t => {
  const { exit, stdout } = await run(whole.slice(0, 5))
  t.equal(await exit, 0)
  t.match(stdout, /ResponderHello/)
  t.match(stdout, /^→ .* sealed, application keys$/m)
  t.notMatch(stdout, /world|SHA256:/)
})

t.test('with --json each record is one JSON object, messages tagged', async t => {
  const { exit, stdout, stderr } = await run([...whole, '--json'])
  t.equal(await exit, 0)
  t.match(parsed(stderr), [{ event: 'inspecting', initiator: capture.initiator.length }])
  const entries = parsed(stdout)
  t.match(entries[0], { from: 'initiator', at: 0, name: 'initiatorHello', random: /^[0-9a-f]{64}$/ })
  const messages = entries.filter(({ name, from }) => name === 'messages' && from === 'initiator')
  t.match(messages[0], {
    first: 1,
    epoch: 0,
    messages: [{ hello: 'world', big: { $bigint: String(2n ** 70n) } }]
  })
})

t.test('a capture that is cut or was changed: what came before, where, why, and an exit code', async t => {
  const cut = await run(files('cut', { ...capture, responder: capture.responder.subarray(0, -3) }))
  t.equal(await cut.exit, 5)
  t.match(cut.stdout, /^← .* Accept$/m)
  t.match(cut.stdout, /the bytes end inside a record, 27 bytes after it began \(ERR_STALK_TRUNCATED\)$/m)
  t.match(
    cut.stderr,
    /^stalk inspect: responder, byte 2,\d+: the bytes end inside a record, 27 bytes .*\(ERR_STALK_TRUNCATED\)$/m
  )
  const without = back.slice(0, -1)
  const ended = await run(files('ended', { ...capture, responder: Buffer.concat(without) }))
  t.equal(await ended.exit, 5)
  t.match(
    ended.stderr,
    /^stalk inspect: responder, byte 2,\d+: the bytes end without a goodbye \(ERR_STALK_TRUNCATED\)$/m
  )
  const bytes = Buffer.from(capture.initiator)
  bytes.writeUInt8(bytes.readUInt8(2_170) ^ 1, 2_170)
  const changed = await run([...files('changed', { ...capture, initiator: bytes }), '--json'])
  t.equal(await changed.exit, 8)
  t.match(
    parsed(changed.stdout).find(({ name, from }) => name === 'problem' && from === 'initiator'),
    {
      at: 2_154,
      code: 'ERR_STALK_BAD_RECORD'
    }
  )
  t.match(parsed(changed.stderr)[1], {
    event: 'error',
    exit: 8,
    code: 'ERR_STALK_BAD_RECORD',
    text: /^initiator, byte 2,154: /
  })
  const swapped = await run(
    files('swapped', { ...capture, initiator: capture.responder, responder: capture.initiator })
  )
  t.equal(await swapped.exit, 8)
  t.match(
    swapped.stderr,
    /initiator, byte 0: these are the bytes of the other end: this one is the initiator \(ERR_STALK_NOT_STALK\)/
  )
})

t.test('another --app is told from a capture that was changed', async t => {
  const { exit, stdout, stderr } = await run([...whole, '--app', 'chat'])
  t.equal(await exit, 8)
  t.match(stdout, /signature or Finished does not match \(ERR_STALK_BAD_SIGNATURE\)$/m)
  t.match(stdout, /message 1 /)
  t.match(stderr, /byte 77: the proof does not match: was it changed, or is this another --app\?/)
})

t.test('keys that are of no use: exit code 7', async t => {
  const other = await captured(async ({ initiator }) => void initiator.end())
  const foreign = await run(files('foreign', { ...capture, keys: other.capture.keys }))
  t.equal(await foreign.exit, 7)
  t.match(foreign.stdout, /sealed, application keys/)
  t.match(foreign.stderr, /foreign\.keys has no keys of this connection\n {2}its random is [0-9a-f]{64}$/m)
  const broken = await run(files('broken', { ...capture, keys: '# fine\nSTALK_I_HS 00 00\n' }))
  t.equal(await broken.exit, 7)
  t.match(broken.stderr, /the key log, line 2: not STALK_….* \(ERR_STALK_KEY_FILE_FORMAT\)$/m)
  t.equal(broken.stdout, '')
  const none = await run([...whole.slice(0, 6), join(dir, 'none')])
  t.equal(await none.exit, 7)
  t.match(none.stderr, /^stalk inspect: no such file: .*none$/m)
})

t.test('files that are missing, and what was left out', async t => {
  const cases: [string[], number, RegExp][] = [
    [['inspect'], 2, /both directions are needed: --initiator FILE is missing/],
    [whole.slice(0, 3), 2, /--responder FILE is missing/],
    [['inspect', 'x'], 2, /takes no arguments/],
    [[...whole.slice(0, 4), join(dir, 'nothing')], 6, /no such file: .*nothing/],
    [[...whole.slice(0, 4), dir], 6, /cannot read .*EISDIR/],
    [[...whole, '--app', 'x'.repeat(65)], 2, /--app is 65 bytes long; the limit is 64/]
  ]
  await Promise.all(
    cases.map(async ([args, code, text]) => {
      const { exit, stderr } = await run(args)
      t.equal(await exit, code, args.join(' '))
      t.match(lines(stderr)[0], text)
    })
  )
})

t.test('every kind of entry has its words, in colours on a terminal alone', async t => {
  const place = { from: 'responder', at: 1_234, bytes: 30 } as const
  const opened = { ...place, stage: 'application', epoch: 1, sequence: 0, padding: 5 } as const
  const entries: [CaptureEntry, RegExp][] = [
    [{ ...place, name: 'alert', plain: true, code: 5, text: 'x' }, /alert 5, in clear: x$/],
    [{ ...opened, name: 'alert', plain: false, code: 6, text: 'x' }, /alert 6: x {2}padding 5$/],
    [{ ...opened, name: 'fragment', contentBytes: 65_535, soFar: 131_070 }, /65,535 bytes, 131,070 so far/],
    [{ ...opened, name: 'ping', value: '00ff' }, /ping 00ff/],
    [{ ...opened, name: 'pong', value: '00ff', received: 1 }, /pong 00ff, 1 message received/],
    [{ ...opened, name: 'keyUpdate', asks: true }, /new keys from here on: 2, and asks for the same/],
    [{ ...opened, name: 'keyUpdate', asks: false }, /new keys from here on: 2, as asked/],
    [{ ...opened, name: 'ticket', lifetime: 3_600, ticketBytes: 99 }, /ticket of 99 bytes, for 3,600 s/],
    [
      { ...opened, name: 'messages', first: 3, messages: ['x'.repeat(3_000)], fragments: 2 },
      /message 3, in 2 parts {2}"x{1999}… 3,002 characters/
    ],
    [
      {
        ...opened,
        stage: 'handshake',
        name: 'flight',
        identity: null,
        proof: false,
        fault: undefined,
        maxMessage: 0,
        want: 'none'
      },
      /nobody \(anonymous\): not verified/
    ],
    [
      {
        ...opened,
        stage: 'handshake',
        name: 'flight',
        identity: null,
        proof: false,
        fault: null,
        maxMessage: 0,
        want: 'required'
      },
      /requires an identity, takes signatures none/
    ]
  ]
  const screen = { write: () => true, on: () => screen } as never
  const lively = new Terminal(Object.assign({}, screen as object, { isTTY: true }) as never, {})
  const dull = new Terminal(screen, {})
  for (const [entry, words] of entries) {
    t.match(linesOf(entry, dull).join('\n'), words)
    t.match(linesOf(entry, dull)[0], /^← {4}1,234 {7}30 {2}\S/)
    t.notOk(linesOf(entry, dull).join().includes('\x1b'))
    t.ok(linesOf(entry, lively).join().startsWith('\x1b[1m←\x1b[0m'))
  }
})

// --- --key-log ---------------------------------------------------------------------------------------------

const server = await makeHome(dir, 'server')

t.test('--key-log appends the same secrets at both ends, to a file of its own', async t => {
  const logs = { listen: join(dir, 'listen.log'), connect: join(dir, 'connect.log') }
  writeFileSync(logs.connect, '# mine\n', { mode: 0o600 })
  const listening = new Stalk(['listen', '0', '--once', '--key-log', logs.listen], server)
  const to = [
    'connect',
    await listening.port(),
    '--peer',
    server.identity.fingerprint,
    '--key-log',
    logs.connect
  ]
  const talk = await run(to, { ...server, input: '1\n' })
  t.equal(await talk.exit, 0)
  t.equal(await listening.exit, 0)
  const [listened, connected] = [logs.listen, logs.connect].map(file => readFileSync(file, 'utf8'))
  t.equal(connected, `# mine\n${listened}`)
  t.equal(lines(listened ?? '').length, 4)
  if (process.platform !== 'win32') t.equal(statSync(logs.listen).mode & 0o777, 0o600)
  for (const { stderr } of [talk, listening])
    t.match(stderr, /^warning: a key log is written: whoever reads it can .*\(STALK_KEY_LOG\)$/m)
})

t.test('a file that is no place for keys is refused before anything is sent: exit code 7', async t => {
  const lax = join(dir, 'lax.log')
  writeFileSync(lax, '')
  chmodSync(lax, 0o644)
  mkdirSync(join(dir, 'folder'))
  const to = (file: string): string[] => [
    'connect',
    '1',
    '--peer',
    server.identity.fingerprint,
    '--key-log',
    file
  ]
  if (process.platform !== 'win32') {
    const { exit, stderr } = await run(to(lax), server)
    t.equal(await exit, 7)
    t.match(
      stderr,
      /^stalk connect: others can get at .*lax\.log, which is no place for keys\n {2}chmod 600 .*lax\.log$/m
    )
  }
  const folder = await run(['listen', '0', '--key-log', join(dir, 'folder')], server)
  t.equal(await folder.exit, 7)
  t.match(folder.stderr, /^stalk listen: cannot write to .*folder: EISDIR/m)
})

t.test('with --json the warning is JSON too', async t => {
  const file = join(dir, 'json.log')
  const { stderr, exit } = await run(['connect', '1', '--json', '--anyone', '--key-log', file], server)
  t.equal(await exit, 3)
  t.ok(parsed(stderr).every(({ event }) => event === 'warning' || event === 'error'))
})
