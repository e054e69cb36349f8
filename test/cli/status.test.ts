// The status line, looked at in a real terminal: it is below what was printed, fits, and is gone at the end, however that
// comes.

import { execFileSync, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { fieldsOf, fitting } from '../../lib/cli/status.ts'
import { type Connection, connect } from '../../lib/index.ts'
import { commandOf, makeHome, Stalk } from './tools.ts'

const reading = { open: 2, messages: 0, inbound: 1_500, outbound: 20, roundTrip: 1.26, epoch: 0 }

t.test('what there is no room for is left out, and never half of it', async t => {
  const fields = fieldsOf(reading, 1_234.4, 'peer')
  const whole = '2 peers · 1,234 messages/s · 1.5 kB in · 20 bytes out · rtt 1.3 ms · epoch 0'
  t.equal(fitting(fields, 79), whole)
  t.equal(
    fitting(fields, whole.length - 1),
    '2 peers · 1,234 messages/s · 1.5 kB in · 20 bytes out · rtt 1.3 ms'
  )
  t.equal(fitting(fields, 26), '2 peers · 1,234 messages/s')
  t.equal(fitting(fields, 25), '2 peers')
  t.equal(fitting(fields, 3), '')
  t.same(fieldsOf({ ...reading, open: 1, roundTrip: null, epoch: null }, 0, 'connection'), [
    '1 connection',
    '0 messages/s',
    '1.5 kB in',
    '20 bytes out'
  ])
})

const { CI } = process.env
const hasTmux = spawnSync('tmux', ['-V']).status === 0
if (!hasTmux && CI === 'true') throw new Error('tmux is needed here')

const dir = t.testdir()
const server = await makeHome(dir, 'server')
const client = await makeHome(dir, 'client')

/** A terminal with a program in it. */
class Window {
  readonly #name: string

  /** `before`: what stands before the command, as a pipe into it. */
  constructor(t: Test, args: readonly string[], home: string, before = '') {
    this.#name = `stalk-${process.pid}-${Math.random().toString(36).slice(2)}`
    const script = join(t.testdir(), 'run.sh')
    const words = commandOf(args).map(word => `'${word}'`)
    const then = 'echo "ended with $?"; exec sleep 60'
    writeFileSync(
      script,
      `trap : INT\nunset NO_COLOR\nexport STALK_HOME='${home}'\n${before}${words.join(' ')}\n${then}\n`
    )
    const size = ['-x', '90', '-y', '24']
    this.#tmux('-f', '/dev/null', 'new-session', '-d', ...size, `sh '${script}'`)
    t.teardown(() => this.#tmux('kill-server'))
  }

  /** What is to be seen, without what is empty below. */
  get text(): string {
    return this.#tmux('capture-pane', '-p').trimEnd()
  }

  get lines(): string[] {
    return this.text.split('\n')
  }

  type(keys: string): void {
    this.#tmux('send-keys', keys)
  }

  resize(columns: number): void {
    this.#tmux('resize-window', '-x', String(columns))
  }

  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    for (const deadline = Date.now() + 30_000; ; await sleep(50)) {
      const match = pattern.exec(this.text)
      if (match) return match
      if (Date.now() > deadline) throw new Error(`never ${pattern}:\n${this.text}`)
    }
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-L', this.#name, ...args], { encoding: 'utf8' })
  }
}

const STATUS = /\d peers? · [\d,]+ messages\/s · .* in · .* out/

/** What moves on a terminal. */
const STIR = /·|\p{Cc}\[/u

const dial = (port: string): Promise<Connection> =>
  connect('127.0.0.1', Number(port), {
    identity: client.identity,
    peer: server.identity,
    allowHalfOpen: true
  })

t.test('in a real terminal', { skip: hasTmux ? false : 'tmux not found' }, async t => {
  t.test('it stands below what was printed, fits at any width, and is gone at the end', async t => {
    const window = new Window(t, ['listen', '0'], server.home)
    const port = (await window.shows(/listening on 127\.0\.0\.1:(\d+)/))[1] as string
    await window.shows(/0 peers · 0 messages\/s · 0 bytes in · 0 bytes out$/)
    const conn = await dial(port)
    for (let n = 1; n <= 3; n += 1) await conn.send({ n })
    await window.shows(/1 peer · .* out · rtt [\d.]+ ms · epoch 0$/)
    await conn.rekey()
    await window.shows(/epoch 1$/)
    t.match(window.text, / {2}\{ n: 1 \}\n {2}\{ n: 2 \}\n {2}\{ n: 3 \}\n1 peer · /)
    t.equal(window.lines.filter(line => STATUS.test(line)).length, 1, 'once')
    for (const columns of [50, 30, 12, 90]) {
      window.resize(columns)
      await sleep(1_000)
      t.equal(window.lines.filter(line => line.startsWith('1 peer')).length, 1, 'once')
      t.match(window.lines.at(-1), /^1 peer( · |$)/, `${columns} columns`)
    }
    await conn.send('after that')
    await window.shows(/'after that'\n1 peer · /)
    conn.resume().on('end', () => conn.end())
    window.type('C-c')
    await window.shows(/ended with 0$/)
    t.match(window.text, /ending \(SIGINT\); again to end at once\n#1 ended clean: .*\nended with 0$/)
    t.notMatch(window.text, STATUS)
    await conn.outcome
  })

  t.test('it is gone too when a second signal ends the process at once', async t => {
    const window = new Window(t, ['listen', '0'], server.home)
    const port = (await window.shows(/listening on 127\.0\.0\.1:(\d+)/))[1] as string
    const conn = await dial(port)
    conn.on('error', () => {})
    await window.shows(/1 peer · /)
    window.type('C-c')
    await window.shows(/ending \(SIGINT\); again to end at once\n1 peer · /)
    window.type('C-c')
    await window.shows(/again to end at once\n(?:\^C)*ended with 130$/)
    await conn.outcome
  })

  t.test('connect and tunnel have one; with --quiet, --json and at a pipe nobody has', async t => {
    const listening = new Stalk(['listen', '0', '--echo'], server)
    const port = await listening.port()
    t.teardown(async () => {
      listening.child.kill('SIGKILL')
      await listening.exit
    })
    const { fingerprint } = server.identity
    const far = ['tunnel', '--serve', '0', '--target', '1', '--authorize', fingerprint]
    const tunnel = new Window(t, far, server.home)
    await tunnel.shows(/--peer SHA256:\S+\n0 connections · 0 messages\/s · 0 bytes in · 0 bytes out$/)
    for (const option of ['--quiet', '--json']) {
      const window = new Window(t, [...far, option], server.home)
      await sleep(2_500)
      t.notMatch(window.text, '·', option)
    }
    await sleep(500)
    t.notMatch(listening.stderr + listening.stdout, STIR)
    const to = ['connect', port, '--peer', fingerprint]
    const piped = new Window(t, to, client.home, '(echo \'{"n":1}\'; sleep 8) | ')
    await piped.shows(/we: .*\n\{"n":1\}\n1 peer · .* out/)
    await piped.shows(/\{"n":1\}\nended clean: sent 1, acknowledged 1, received 1\nended with 0$/)
    const typed = new Window(t, to, client.home)
    await typed.shows(/connected to/)
    await sleep(1_000)
    t.notMatch(typed.text, '·', 'not where somebody types')
    const talk = new Stalk(to, client)
    await talk.says(/connected/)
    await sleep(800)
    t.notMatch(talk.stderr, STIR)
    talk.stdin.end()
    t.equal(await talk.exit, 0)
  })
})
