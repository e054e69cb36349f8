// The key log: written only where two options say so, the same at both ends, and read back by the random of M1.

import { spawnSync } from 'node:child_process'
import t from 'tap'
import { type Connection, type StalkOptions, stalk } from '../lib/index.ts'
import { readKeyLog } from '../lib/key-log.ts'
import { meddledPair, recording } from './helpers/adversary.ts'
import { bothClosed, ends, open, pair } from './helpers/pair.ts'

const logging = (lines: string[]): StalkOptions => ({
  keyLog: line => void lines.push(line),
  allowKeyLog: true
})

const LABELS = ['STALK_I_HS', 'STALK_R_HS', 'STALK_I_AP', 'STALK_R_AP']

async function finish(...connections: Connection[]): Promise<void> {
  for (const connection of connections) connection.resume().end()
  await Promise.all(connections.map(({ outcome }) => outcome))
}

t.test('both ends log the same four secrets, named by the random of M1', async t => {
  const logs: [string[], string[]] = [[], []]
  const there: Buffer[] = []
  const { initiator, responder } = await open(
    { initiator: logging(logs[0]), responder: logging(logs[1]) },
    meddledPair(recording(there))
  )
  t.same(logs[0], logs[1])
  const fields = logs[0].map(line => line.split(' '))
  t.same(
    fields.map(([label]) => label),
    LABELS
  )
  const m1 = there[0]?.toString('hex')
  for (const [, random = '-', secret] of fields) {
    t.match(m1, random)
    t.match(random, /^[0-9a-f]{64}$/)
    t.match(secret, /^[0-9a-f]{64}$/)
  }
  t.equal(new Set(fields.map(([, , secret]) => secret)).size, 4)
  await finish(initiator, responder)
})

t.test('one option without the other throws, and says why', async t => {
  const [duplex] = pair()
  const why = (options: unknown): string => {
    try {
      const made = stalk(duplex, { role: 'initiator', peer: 'anyone', ...(options as StalkOptions) })
      made.on('error', () => {}).destroy()
    } catch (error) {
      t.match(error, { code: 'ERR_STALK_INVALID_OPTION', phase: 'setup' })
      return (error as Error).message
    }
    return 'nothing'
  }
  t.match(why({ keyLog: () => {} }), /^option keyLog gives all that .* say allowKeyLog: true too$/)
  t.match(why({ keyLog: () => {}, allowKeyLog: false }), /say allowKeyLog: true too$/)
  t.match(why({ allowKeyLog: true }), /^option allowKeyLog allows a key log, and there is no keyLog$/)
  t.match(why({ keyLog: 'file', allowKeyLog: true }), /^option keyLog must be a function$/)
  t.match(why({ keyLog: () => {}, allowKeyLog: 1 }), /^option allowKeyLog must be true or false$/)
  t.equal(why({ allowKeyLog: false }), 'nothing')
})

t.test('what a handshake that fails has come to is logged, and no more', async t => {
  const lines: string[] = []
  const both = ends(pair(), {
    initiator: logging(lines),
    responder: { peer: 'anyone', authorize: () => false }
  })
  await bothClosed(both)
  t.same(
    lines.map(line => line.split(' ')[0]),
    LABELS,
    'the initiator had done its part'
  )
  const asked: string[] = []
  const stranger = ends(pair(), {
    initiator: { ...logging(asked), peer: both.initiator.identity ?? 'anyone', authorize: () => false }
  })
  await bothClosed(stranger)
  t.same(
    asked.map(line => line.split(' ')[0]),
    LABELS.slice(0, 2)
  )
})

t.test('it is warned of once a process, and what the function throws harms no connection', async t => {
  const pairs = new URL('./helpers/pair.ts', import.meta.url).href
  const code = `
    import { open, bothClosed } from ${JSON.stringify(pairs)}
    const warnings = []
    const thrown = []
    process.on('warning', ({ code }) => warnings.push(code))
    process.on('uncaughtException', ({ message }) => thrown.push(message))
    const keyLog = () => { throw new Error('the disk is full') }
    const kinds = []
    for (let n = 0; n < 2; n++) {
      const both = await open({ initiator: { keyLog, allowKeyLog: true } })
      for (const end of [both.initiator, both.responder]) end.resume().end()
      kinds.push(...(await bothClosed(both)).map(({ kind }) => kind))
    }
    console.log(JSON.stringify({ warnings, thrown, kinds }))`
  const { NODE_OPTIONS, ...env } = process.env
  const args = ['--import=tsx', '--no-warnings', '--input-type=module', '--eval', code]
  const { stdout } = spawnSync(process.execPath, args, { env, encoding: 'utf8' })
  const { warnings, thrown, kinds } = JSON.parse(stdout)
  t.same(warnings, ['STALK_KEY_LOG'])
  t.same(thrown, Array(8).fill('the disk is full'))
  t.same(kinds, Array(4).fill('clean'))
})

const random = Buffer.alloc(32, 0xab)
const line = (label: string, of: Buffer, fill: number): string =>
  `${label} ${of.toString('hex')} ${Buffer.alloc(32, fill).toString('hex')}`

t.test('of many connections and foreign lines, those of one are found', async t => {
  const text = [
    '# a comment',
    'CLIENT_RANDOM 00 11',
    line('STALK_I_HS', Buffer.alloc(32, 1), 9),
    line('STALK_I_HS', random, 1),
    `${line('STALK_R_AP', random, 2).toUpperCase()}\r`,
    ''
  ].join('\n')
  t.same(readKeyLog(text, random), {
    handshake: { initiator: Buffer.alloc(32, 1) },
    application: { responder: Buffer.alloc(32, 2) }
  })
  t.same(readKeyLog(text, Buffer.alloc(32)), { handshake: {}, application: {} })
  t.same(readKeyLog('', random), { handshake: {}, application: {} })
})

t.test('a line of ours that is not well formed is named, unless it is still being written', async t => {
  const whole = line('STALK_I_HS', random, 1)
  for (const bad of ['STALK_X_HS', whole.slice(0, -2), `${whole}00`, whole.replace('ab', 'zz'), 'STALK_']) {
    t.throws(() => readKeyLog(`\n${bad}\n`, random), {
      code: 'ERR_STALK_KEY_FILE_FORMAT',
      message: /^the key log, line 2: /
    })
  }
  t.same(readKeyLog(`${whole}\n${whole.slice(0, 40)}`, random).handshake, { initiator: Buffer.alloc(32, 1) })
})
