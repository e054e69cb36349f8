// What goes wrong with a tunnel: targets that refuse or stall, strangers at either end, ends that die, places that can't be
// had. It is said in clear words with a code, a program never takes it for an end, and the tunnel goes on.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readArgs } from '../../../lib/cli/args.ts'
import { tunnel } from '../../../lib/cli/commands/tunnel.ts'
import { type CommandError, exitOf } from '../../../lib/cli/exit.ts'
import { Shell } from '../../../lib/cli/shell.ts'
import { lines, makeHome, parsed, run } from '../tools.ts'
import { dial, type Keys, portOf, serve, startFar, startNear, startTunnel } from './tools.ts'

const dir = t.testdir()
const keys: Keys = { near: await makeHome(dir, 'near'), far: await makeHome(dir, 'far') }
const stranger = await makeHome(dir, 'stranger')
const { fingerprint } = keys.far.identity

/** A port where nobody listens. */
async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

t.test('a target that refuses is said at both ends, and the program is reset', async t => {
  const { near, far, place } = await startTunnel(t, keys, await freePort())
  const program = await dial(place)
  program.socket.write('hello?')
  t.equal(await program.fate, 'ECONNRESET')
  await near.says(/^stalk tunnel: #1 127\.0\.0\.1:\d+: .*nobody listens on the target: connection refused$/m)
  await far.says(/^stalk tunnel: 127\.0\.0\.1:\d+ was refused: nobody listens on the target: .*ECONNREFUSED/m)
})

t.test('so is a target that is missing', { skip: process.platform === 'win32' }, async t => {
  const { near, far, place } = await startTunnel(t, keys, join(t.testdir(), 'nothing'))
  const program = await dial(place)
  t.equal(await program.fate, 'ECONNRESET')
  await near.says(/the target does not exist$/m)
  await far.says(/was refused: the target does not exist \(.*ENOENT/)
})

t.test('a target that stalls is given up in time', { skip: process.platform !== 'linux' }, async t => {
  const code =
    "const s = require('net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(s.address().port))"
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [text] = (await once(child.stdout, 'data')) as [Buffer]
  child.kill('SIGSTOP')
  const fillers = Array.from({ length: 4 }, () => net.connect(Number(text.toString()), '127.0.0.1'))
  for (const filler of fillers) filler.on('error', () => {})
  t.teardown(() => fillers.map(filler => filler.destroy()))
  await new Promise(resolve => setTimeout(resolve, 200))
  const { near, far, place } = await startTunnel(t, keys, Number(text.toString()), {
    far: ['--connect-timeout', '1']
  })
  const program = await dial(place)
  program.socket.write('hello?')
  t.equal(await program.fate, 'ECONNRESET')
  await near.says(/the target did not answer in time$/m)
  await far.says(/was refused: the target did not answer in time \(no answer within 1 s\)/)
})

t.test('a near end that finds another key, or is not accepted, ends with 4', async t => {
  const service = await serve(t)
  const far = startFar(t, keys, service.place, 0)
  const to = await portOf(far)
  const wrong = startNear(t, keys, to, 0, ['--peer', stranger.identity.fingerprint])
  t.equal(await wrong.exit, 4)
  t.match(wrong.stderr, /another key than the one you expect \(ERR_STALK_PEER_MISMATCH\)/)
  t.match(wrong.stderr, fingerprint)
  const unknown = startNear(t, { ...keys, near: stranger }, to, 0)
  t.equal(await unknown.exit, 4)
  t.match(unknown.stderr, /the peer does not accept us: .*\(ERR_STALK_REJECTED\)/)
  t.match(unknown.stderr, `we are ${stranger.identity.fingerprint}`)
  await far.says(/did not get in: it has another key than those that may come in .*PEER_MISMATCH/)
})

t.test('a far end that is not there yet is waited for, and each program is told until then', async t => {
  const service = await serve(t)
  const to = await freePort()
  const near = startNear(t, keys, to, 0)
  const place = await portOf(near)
  await near.says(/the far end is not there yet: connection refused: .*\(ERR_STALK_CONNECT\)/)
  const early = await dial(place)
  t.equal(await early.fate, 'ECONNRESET')
  await near.says(/#1 127\.0\.0\.1:\d+: connection refused: nobody listens on .*CONNECT/)
  const far = startFar(t, keys, service.place, to)
  await portOf(far)
  const program = await dial(place)
  program.socket.end('there at last')
  const there = await service.next()
  t.equal(await there.fate, 'end')
  t.equal(there.text, 'there at last')
})

t.test('a far end that has another key when it comes back is not used', async t => {
  const service = await serve(t)
  const { near, far, place, farPlace } = await startTunnel(t, keys, service.place)
  far.child.kill('SIGKILL')
  await far.exit
  const other = startFar(t, { near: keys.near, far: stranger }, service.place, farPlace)
  await portOf(other)
  const program = await dial(place)
  program.socket.write('a secret')
  t.equal(await program.fate, 'ECONNRESET')
  await near.says(/#1 .*another key than the one you expect.*MISMATCH/)
})

t.test('garbage, another program and stalk connect are kept out, and it goes on', async t => {
  const service = await serve(t)
  const { far, place, farPlace } = await startTunnel(t, keys, service.place)
  const http = await dial(farPlace)
  http.socket.write('GET / HTTP/1.1\r\n\r\n')
  await far.says(/127\.0\.0\.1 did not get in: .*\(ERR_STALK_NOT_STALK\)/)
  const talk = await run(['connect', String(farPlace), '--peer', fingerprint], { ...keys.near, input: '1\n' })
  t.not(await talk.exit, 0)
  t.equal(talk.stdout, '')
  const same = ['connect', String(farPlace), '--peer', fingerprint, '--app', 'stalk-tunnel/1']
  const close = await run(same, { ...keys.near, input: '{"hello":1}\n' })
  t.not(await close.exit, 0)
  const [program, there] = [await dial(place), await service.next()]
  program.socket.end('still here')
  t.equal(await there.fate, 'end')
  t.equal(there.text, 'still here')
})

t.test(
  'either end killed in mid-transfer: the one that is left resets its program, and never ends it',
  async t => {
    for (const victim of ['near', 'far'] as const) {
      const service = await serve(t)
      const tunnel = await startTunnel(t, keys, service.place)
      const [program, there] = [await dial(tunnel.place), await service.next()]
      const [killed, other] =
        victim === 'near' ? ([tunnel.near, there] as const) : ([tunnel.far, program] as const)
      const source = victim === 'near' ? program : there
      source.socket.write(Buffer.alloc(50_000_000))
      await other.has(1_000_000)
      killed.child.kill('SIGKILL')
      t.equal(await other.fate, 'ECONNRESET', victim)
      const survivor = victim === 'near' ? tunnel.far : tunnel.near
      await survivor.says(/#1 .*: reset after .*\(ERR_STALK_(TRUNCATED|RESET)\)/)
    }
  }
)

t.test('limits: in all, from one address, and at the far end', async t => {
  const service = await serve(t)
  const few = await startTunnel(t, keys, service.place, { near: ['--max-connections', '2'] })
  const first = await dial(few.place)
  await dial(few.place)
  await service.next()
  await service.next()
  t.match(await dial(few.place).then(({ fate }) => fate, refusedBy), /ECONNRESET|EPIPE/)
  await few.near.says(/127\.0\.0\.1:\d+ was turned away: as many connections are open as there may be/)
  first.socket.resetAndDestroy()
  await few.near.says(/#1 .*: reset/)
  await dial(few.place)
  await service.next()
  const one = await startTunnel(t, keys, service.place, { far: ['--max-per-address', '1'] })
  await dial(one.place)
  await service.next()
  t.equal(await dial(one.place).then(({ fate }) => fate, refusedBy), 'ECONNRESET')
  await one.near.says(/#2 .*the far end carries as many connections as it may$/m)
  await one.far.says(/was refused: the far end carries as many/)
})

t.test('--idle resets what moves nothing, and nothing else', async t => {
  const service = await serve(t)
  const { near, place } = await startTunnel(t, keys, service.place, { near: ['--idle', '1'] })
  const [quiet, lively] = [await dial(place), await dial(place)]
  const ticking = setInterval(() => lively.socket.write('tick'), 200)
  t.equal(await quiet.fate, 'ECONNRESET')
  await near.says(/#1 .*: given up after .*: nothing has moved for 1 s/)
  await new Promise(resolve => setTimeout(resolve, 700))
  clearInterval(ticking)
  t.equal(lively.socket.destroyed, false)
})

t.test('a signal waits for what is open; a second one, and --drain, reset it', async t => {
  const service = await serve(t)
  for (const end of ['near', 'far'] as const) {
    const tunnel = await startTunnel(t, keys, service.place)
    const [program, there] = [await dial(tunnel.place), await service.next()]
    program.socket.write('begun')
    await there.has(5)
    tunnel[end].child.kill('SIGTERM')
    await tunnel[end].says(/ending \(SIGTERM\): 1 connection still open, for 30 s at most; again/)
    t.match(await dial(tunnel.place).then(({ fate }) => fate, refusedBy), /ECONNRE/, 'nobody else comes in')
    program.socket.end(', done')
    t.equal(await there.fate, 'end')
    there.socket.end('and answered')
    t.equal(await program.fate, 'end')
    t.equal(program.text, 'and answered')
    t.equal(await tunnel[end].exit, 0)
  }
  const twice = await startTunnel(t, keys, service.place)
  const [program, there] = [await dial(twice.place), await service.next()]
  there.socket.write('some')
  await program.has(4)
  twice.near.child.kill('SIGINT')
  await twice.near.says(/ending/)
  twice.near.child.kill('SIGINT')
  t.equal(await twice.near.exit, 130)
  t.equal(await program.fate, 'ECONNRESET', 'and not an end')
  t.equal(await there.fate, 'ECONNRESET')
  const brief = await startTunnel(t, keys, service.place, { near: ['--drain', '1'] })
  const [held, behind] = [await dial(brief.place), await service.next()]
  brief.near.child.kill('SIGTERM')
  t.equal(await brief.near.exit, 5)
  t.match(
    lines(brief.near.stderr).at(-1),
    /^stalk tunnel: 1 connection reset, which had not ended after 1 s$/
  )
  t.equal(await held.fate, 'ECONNRESET')
  t.equal(await behind.fate, 'ECONNRESET')
})

const refusedBy = (error: NodeJS.ErrnoException): string => String(error.code)

t.test('with --json all of it is one object a line', async t => {
  const service = await serve(t)
  const far = startFar(t, keys, service.place, 0, ['--json'])
  const where = (await far.says(/"where":"127\.0\.0\.1:(\d+)"/))[1] as string
  const near = startNear(t, keys, Number(where), 0, ['--json'])
  const port = Number((await near.says(/"where":"127\.0\.0\.1:(\d+)"/))[1])
  await near.says(/"found"/)
  const [program, there] = [await dial(port), await service.next()]
  program.socket.end('12345')
  await there.fate
  there.socket.end('123')
  await program.fate
  const reset = await dial(port)
  await service.next()
  reset.socket.resetAndDestroy()
  await near.says(/"reset"/)
  await far.says(/"reset"/)
  const peer = keys.near.identity.fingerprint
  const said = parsed(near.stderr)
  t.match(
    said.map(({ event }) => event),
    ['listening', 'found', 'opened', 'ended', 'opened', 'ended']
  )
  t.match(said[3], { event: 'ended', connection: 1, sent: 5, received: 3, kind: 'end' })
  t.match(said[5], { connection: 2, kind: 'reset', by: 'here' })
  t.match(parsed(far.stderr)[2], { event: 'opened', peer, mode: 'mutual' })
  t.match(parsed(far.stderr).at(-1), { kind: 'reset', by: 'there' })
})

/** In this process, which is quicker than one for each. */
async function failsIn(t: Test, args: readonly string[], exit: number, text: RegExp): Promise<void> {
  Object.assign(process.env, { STALK_HOME: keys.near.home })
  try {
    await tunnel.run(readArgs(tunnel, args), new Shell('stalk tunnel'))
    t.fail(args.join(' '))
  } catch (error) {
    t.equal(exitOf(error), exit, args.join(' '))
    t.match([(error as Error).message, ...((error as CommandError).hints ?? [])].join('\n'), text)
  }
}

t.test('places that can not be had, in plain words', async t => {
  const service = await serve(t)
  const taken = String(service.place)
  const far = ['--authorize', keys.near.identity.fingerprint]
  const near = ['--peer', fingerprint]
  const fails = (args: string[], exit: number, text: RegExp): Promise<void> => failsIn(t, args, exit, text)
  await fails(['--listen', taken, '--to', '1', ...near], 3, /127\.0\.0\.1:\d+ is in use$/m)
  await fails(['--serve', taken, '--target', '1', ...far], 3, /127\.0\.0\.1:\d+ is in use$/m)
  await fails(
    ['--listen', '192.0.2.1:80', '--to', '1', ...near],
    3,
    /192\.0\.2\.1 is not an address of this machine/
  )
  await fails(['--listen', 'x:y', '--to', '1', ...near], 2, /x:y is no \[HOST:\]PORT/)
  await fails(['--listen', '70000', '--to', '1', ...near], 2, /a port is a number from 0 to 65535/)
  await fails(['--listen', '0', '--to', '0', ...near], 2, /a port is a number from 1 to 65535/)
  await fails(['--listen', '0', ...near], 2, /--to \[HOST:\]PORT or --to SOCKET is needed/)
  await fails(['--listen', '0', '--to', '1'], 2, /whom do you expect there/)
  await fails(['--serve', '0', '--target', '1'], 2, /who may use the target\?/)
  await fails(['--serve', '0', '--target', '1', '--anyone', ...far], 2, /either --authorize or --anyone/)
  await fails(['--listen', '0', '--serve', '0'], 2, /--listen is for the near end .* --serve for the far end/)
  await fails([], 2, /a tunnel has a near end \(--listen, --to\) and a far end/)
  await fails(['4000', ...near], 2, /4000 is too much/)
  await fails(['--listen', '0', '--to', '1', '--idle', '0', ...near], 2, /--idle takes a whole number/)
})

t.test('Unix sockets that are in use, left behind, no sockets, or too long', async t => {
  if (process.platform === 'win32') return
  const places = mkdtempSync(join(tmpdir(), 'stalk-'))
  t.teardown(() => rmSync(places, { recursive: true }))
  const path = join(places, 's')
  const fails = (place: string, exit: number, text: RegExp): Promise<void> =>
    failsIn(t, ['--to', '1', '--peer', fingerprint, '--listen', place], exit, text)
  await serve(t, path)
  await fails(path, 3, /\/s is in use$/m)
  const stale = join(places, 'stale')
  const child = spawn(process.execPath, [
    '-e',
    "require('net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))",
    stale
  ])
  await once(child, 'exit')
  await fails(stale, 3, /\/stale was left behind: nobody listens there any more\nrm .*\/stale$/)
  writeFileSync(join(places, 'file'), '')
  await fails(join(places, 'file'), 3, /\/file is there already, and is no socket$/m)
  await fails(join(places, 'no', 'such', 'folder'), 3, /cannot make a socket at /)
  await fails(`/${'x'.repeat(107)}`, 2, /the path of a Unix socket is 10[37] bytes at most, and .* has 108/)
})
