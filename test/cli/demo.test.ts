// `npm start` from the outside: what it prints, its exit codes, and that it leaves nothing behind, with each kind of
// input and when something goes wrong. Its programs are made to fail from outside too, by what NODE_OPTIONS loads.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { mustExecute, ROOT, TSC } from '../package/project.ts'

/** A build of our own, in a place like that of dist, so that nobody builds over it while it runs. */
const BUILD = t.testdir({ 'package-lock.json': t.fixture('symlink', join(ROOT, 'package-lock.json')) })
const DEMO = join(BUILD, 'dist/cli/demo.js')
mustExecute([process.execPath, TSC, '-p', 'lib', '--outDir', join(BUILD, 'dist')], ROOT)
const { PATH } = process.env
const ESCAPE = '\x1b'

interface Options {
  readonly args?: readonly string[]
  /** What to write to its standard input; null: it is open and nothing comes. Default: there is none. */
  readonly input?: string | null
  /** A piece of JavaScript that each of its processes runs first. */
  readonly preload?: string
  /** Called with each piece of its output. */
  readonly onOutput?: (child: ChildProcess, text: string) => void
}

interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the demo with a temporary folder of its own, and checks that nothing of it is left. */
async function demo(t: Test, folder: string, options: Options = {}): Promise<Ran> {
  const { input, preload = '', onOutput, args = [] } = options
  // By way of env, for tap would add its own to NODE_OPTIONS.
  const load = `NODE_OPTIONS=--import=data:text/javascript,${encodeURIComponent(LOG_PID + preload)}`
  const child = spawn('env', [load, process.execPath, DEMO, ...args], {
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    env: { PATH, TMPDIR: folder }
  })
  child.stdin?.on('error', () => {}) // it may take less than it is given
  if (typeof input === 'string') child.stdin?.end(input)
  const ran = await outputOf(child, onOutput)
  child.stdin?.destroy()
  const left = readdirSync(folder).filter(name => name.startsWith('stalk-demo'))
  t.strictSame(left, [], 'no folder is left')
  for (const pid of pidsIn(folder)) t.ok(await isGone(pid), 'no process is left')
  t.notOk((ran.out + ran.err).includes(ESCAPE), 'no escape sequences without a terminal')
  return ran
}

function outputOf(child: ChildProcess, onOutput: Options['onOutput']): Promise<Ran> {
  let [out, err] = ['', '']
  child.stdout?.setEncoding('utf8').on('data', text => {
    out += text
    onOutput?.(child, out)
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    err += text
  })
  return new Promise((resolve, reject) => {
    child.once('error', reject).once('close', code => resolve({ code, out, err }))
  })
}

/** The processes that have run, and forgets them. */
function pidsIn(folder: string): number[] {
  const file = join(folder, 'pids')
  const pids = readFileSync(file, 'utf8').trim().split('\n').map(Number)
  rmSync(file)
  return pids
}

/** Whether no process has this id any more. */
async function isGone(id: number): Promise<boolean> {
  for (let tries = 0; tries < 40; tries += 1) {
    if (!isRunning(id)) return true
    await sleep(50)
  }
  return false
}

/** A process that has ended and that nobody asks how still has its id, for as long as its parent likes. */
function isRunning(id: number): boolean {
  try {
    process.kill(id, 0)
    const state = existsSync('/proc')
      ? readFileSync(`/proc/${id}/stat`, 'latin1').replace(/^.*\) /s, '')[0]
      : ''
    return state !== 'Z'
  } catch {
    return false
  }
}

/** Each process writes down its id. */
const LOG_PID = `(await import('node:fs')).appendFileSync(process.env.TMPDIR + '/pids', process.pid + '\\n');`

const inProgram = (name: string, code: string): string =>
  `if (process.argv[1]?.includes('demo-${name}')) { ${code} }`

const CLAIMS = [
  'each end proved its key to the other, and is the one that was expected',
  'arrived whole, in order, once: the digests are equal',
  'both ends said goodbye, and everything that was sent is acknowledged',
  'the connector refused, and names both keys',
  'the listener learned that it was refused',
  'no message was sent, and none was delivered',
  'neither end takes the cut for an end: both report an error',
  '(what had arrived is whole and in order: the first|no message had arrived whole)',
  "how many arrived, the connector can't know, and doesn't pretend to"
]

/** That it did all that it is there to show. */
function checkClaims(t: Test, { code, out, err }: Ran): void {
  t.equal(err, '')
  t.equal(code, 0)
  for (const claim of CLAIMS) t.match(out, new RegExp(`^ {2}ok {2}.*${claim}`, 'm'))
  t.match(out, /\nAll \d+ checks passed, in [\d.]+ s\.\n$/)
  const wide = out.split('\n').filter(line => line.length > 80 && !line.includes('fixtures')) // a long path
  t.strictSame(wide, [], 'fits into 80 columns')
}

t.jobs = 3

t.test('with nothing prepared it sends the packages, refuses the wrong key and notices the cut', async t => {
  const ran = await demo(t, t.testdir())
  checkClaims(t, ran)
  const [, count = ''] = /sends ([\d,]+) messages: the \d+ packages of package-lock.json/.exec(ran.out) ?? []
  t.ok(Number(count.replaceAll(',', '')) >= 1_000, 'at least 1,000 messages')
  t.match(ran.out, new RegExp(`sent ${count}, acknowledged ${count}, received 1\n`))
  t.match(ran.out, /ok {2}values beyond JSON are still what they were: Buffer, Date, bigint\n/)
  t.match(ran.out, /ok {2}nothing of that message can be read on the wire \(parts looked for: \d+\)/)
  t.match(ran.out, /0000 {2}e4 00 [0-9a-f ]+ {2}\|/, 'the record as it was on the wire')
  t.match(ran.out, /X25519-AES256GCM-SHA256/)
  const keys = [...ran.out.matchAll(/^ {2}(?:listener|connector) +RSA-2048 {2}(SHA256:\S{43})$/gm)]
  t.equal(new Set(keys.map(([, key]) => key)).size, 2, 'who is who')
  t.match(ran.out, /ERR_STALK_PEER_MISMATCH\n {4}expected SHA256:\S{43}\n/)
  t.match(ran.out, `the peer has shown ${keys[0]?.[1]}\n`)
})

t.test('it sends NDJSON from standard input, each line once', async t => {
  const input = '{"a":1}\n\n[1,[2,[3]]]\r\n"text"\n0\nfalse\n{"at":{"$date":"2026-01-01T00:00:00.000Z"}}'
  const ran = await demo(t, t.testdir(), { input })
  checkClaims(t, ran)
  t.match(ran.out, 'The connector sends 6 messages from standard input.')
  t.match(ran.out, 'sent 6, acknowledged 6, received 1\n')
  t.match(ran.out, '{ a: 1 }')
  t.match(ran.out, 'still what they were: Date\n')
})

t.test('it sends a file that is named', async t => {
  const folder = t.testdir({ 'messages.ndjson': '{"the first message":"of one"}\n' })
  const file = join(folder, 'messages.ndjson')
  const ran = await demo(t, folder, { args: [file] })
  checkClaims(t, ran)
  t.match(ran.out, /The connector sends 1 message from/)
  t.match(ran.out, 'parts looked for: 2)')
})

t.test('a message that is longer than what passes before the cut never arrives in part', async t => {
  const folder = t.testdir()
  const file = join(folder, 'one.ndjson')
  writeFileSync(file, JSON.stringify('x'.repeat(2_000_000)))
  const { code, out } = await demo(t, folder, { args: [file] })
  t.equal(code, 0)
  t.match(out, 'ok  no message had arrived whole, and none was delivered\n')
})

t.test('standard input that is open and silent does not hold it up, and it says so', async t => {
  const ran = await demo(t, t.testdir(), { input: null })
  checkClaims(t, ran)
  t.match(ran.out.replace(/\s+/g, ' '), 'Standard input is open but nothing came within a second')
})

t.test('input that can’t be used is an error that names the place', async t => {
  const folder = t.testdir({ 'empty.ndjson': '\n\n', 'bad.ndjson': '{"a":1}\n\n{"a":}\n' })
  const [empty, bad, missing] = ['empty.ndjson', 'bad.ndjson', 'missing.ndjson'].map(name =>
    join(folder, name)
  )
  const cases: [Options, RegExp][] = [
    [{ args: [String(bad)] }, /^stalk demo: \S+bad\.ndjson:3: it is no JSON value: .+\n$/],
    [{ input: '1\n{"a":}\n' }, /^stalk demo: standard input:2: it is no JSON value: .+\n$/],
    [{ input: '1\nnull\n' }, /^stalk demo: standard input:2: null is no message/],
    [{ input: '1\n\n"\\ud800"\n' }, /^stalk demo: standard input:3: cannot carry a string with half a surr/],
    [{ args: [String(missing)] }, /^stalk demo: \S+missing\.ndjson: there is no such file\n$/],
    [{ args: [folder] }, /^stalk demo: \S+: is a folder, not a file\n$/],
    [{ args: [String(empty)] }, /^stalk demo: \S+empty\.ndjson: there is no message in it\n$/],
    [{ args: ['--fast'] }, /^stalk demo: there is no option --fast\n/],
    [{ args: ['a', 'b'] }, /^stalk demo: one file at most, not 2\n/]
  ]
  for (const [options, complaint] of cases) {
    const { code, out, err } = await demo(t, folder, options)
    t.equal(code, 2)
    t.match(err, complaint)
    t.notMatch(out, 'checks passed')
  }
})

t.test('--help says how it is called', async t => {
  const { code, out } = await demo(t, t.testdir(), { args: ['--help'] })
  t.equal(code, 0)
  t.match(out, /^npm start .+\nnpm start -- messages\.ndjson/)
})

t.test('a check that fails is marked, repeated at the end, and makes the exit code 1', async t => {
  const lie = `
    const send = process.send
    process.send = (report, ...rest) => {
      if (report.name === 'ended') report.total.digest = 'a wrong one'
      return send.call(process, report, ...rest)
    }`
  const { code, out } = await demo(t, t.testdir(), { preload: inProgram('listener', lie) })
  t.equal(code, 1)
  t.match(out, /^ {2}FAILED {2}[\d,]+ messages arrived whole.+\n {6}seen: .*a wrong one/m)
  t.match(out, /\n2 of 11 checks FAILED:\n/)
  t.notMatch(out, 'checks passed')
})

t.test('a program that dies is named, with what it said, and makes the exit code 1', async t => {
  for (const name of ['listener', 'connector']) {
    const preload = inProgram(name, `console.error('out of luck'); process.exit(7)`)
    const { code, err } = await demo(t, t.testdir(), { preload })
    t.equal(code, 1)
    t.equal(err, `stalk demo: the ${name} ended with exit code 7\nstalk demo: out of luck\n`)
  }
})

t.test('a program that hangs is given up in the end, with exit code 1', async t => {
  const { code, err } = await demo(t, t.testdir(), {
    preload: inProgram('connector', 'process.send = () => {}')
  })
  t.equal(code, 1)
  t.match(err, /^stalk demo: gave up after 14 s: .+\n$/)
})

t.test('a folder for the keys that can’t be had makes the exit code 1', async t => {
  const preload = `process.env.TMPDIR += '/missing'`
  const { code, err } = await demo(t, t.testdir(), { preload })
  t.equal(code, 1)
  t.match(err, /^stalk demo: ENOENT: .+missing/)
})

t.test('Ctrl-C ends it with 130, in each scene', async t => {
  for (const scene of ['Who talks', '1. ', '2. ', '3. ']) {
    let sent = false
    const { code, err } = await demo(t, t.testdir(), {
      onOutput(child, text) {
        if (sent || !text.includes(scene)) return
        sent = true
        child.kill('SIGINT')
      }
    })
    t.equal(code, 130)
    t.equal(err, 'stalk demo: ended by SIGINT\n')
  }
})

t.test('a reader that has seen enough, as head, is no failure', async t => {
  const { code, err } = await demo(t, t.testdir(), { onOutput: child => void child.stdout?.destroy() })
  t.equal(code, 0)
  t.equal(err, '')
})
