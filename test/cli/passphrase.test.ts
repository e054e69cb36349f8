// Passphrases at the command line: typed keys, the environment, tries; and the commands with encrypted files, as
// processes.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { chosen, type Source, unlocked } from '../../lib/cli/passphrase.ts'
import { askSecretly, type Console, SecretLine } from '../../lib/cli/prompt.ts'
import { Identity } from '../../lib/index.ts'
import { noSshKeygen, run as tool } from '../identity/tools.ts'
import { lines, run, Stalk } from './tools.ts'

const identity = await Identity.generate({ type: 'ed25519' })
const dir = t.testdir()
const passphrase = 'word'
const files = { pkcs8: join(dir, 'pkcs8'), openssh: join(dir, 'openssh') }
for (const format of ['pkcs8', 'openssh'] as const) {
  await identity.save({ privateFile: files[format], format, passphrase })
}

// --- keys ----------------------------------------------------------------------------------------------

const typed = (...chunks: (string | Buffer)[]): string => {
  const line = new SecretLine()
  for (const chunk of chunks) if (line.push(Buffer.from(chunk as string))) return line.take().toString()
  return 'no end'
}

t.test('a line ends with Enter, in pieces of any size', async t => {
  t.equal(typed('word\r'), 'word')
  t.equal(typed('word\n'), 'word')
  t.equal(typed('w', 'o', 'rd', '\r'), 'word')
  t.equal(typed('\u0004'), '')
  t.equal(typed('two words\rmore'), 'two words')
  t.equal(typed('ü'.repeat(3), '\r'), 'üüü')
  t.equal(typed(Buffer.of(0xc3), Buffer.of(0xbc, 0x0d)), 'ü')
  t.equal(typed('word'), 'no end')
  t.equal(typed('x'.repeat(5_000), '\r').length, 4_096)
})

t.test('Backspace takes back a whole character, Ctrl-U all of them, arrows do nothing', async t => {
  t.equal(typed('worx\u007fd\r'), 'word')
  t.equal(typed('wü\u0008ord\r'), 'word')
  t.equal(typed('😀\u007fx\r'), 'x')
  t.equal(typed('\u007f\u007fx\r'), 'x')
  t.equal(typed('xxx\u0015word\r'), 'word')
  t.equal(typed('wo\u001b[Ard\u001bOP\u001b[3~\r'), 'word')
  t.equal(typed('wo\u001b', '[', 'A', 'rd\r'), 'word')
  t.equal(typed('wo\u0001\u001a\trd\r'), 'word')
})

t.test('Ctrl-C gives up', async t => {
  t.throws(() => typed('wo\u0003'), { exit: 130, message: 'ended by SIGINT' })
  t.throws(() => typed('\u001b\u0003'), { exit: 130, message: 'ended by SIGINT' })
})

function fake(): { console: Console; keys: PassThrough; said: string[] } {
  const said: string[] = []
  const keys = new PassThrough()
  const raw = Object.assign(keys, { setRawMode: (on: boolean) => said.push(on ? 'raw' : 'cooked') })
  const console = {
    keys: raw as unknown as Console['keys'],
    write: (text: string) => void said.push(text),
    close: () => void said.push('closed')
  }
  return { console, keys, said }
}

t.test('while it asks nothing is echoed, and afterwards the terminal is as before', async t => {
  for (const [keys, end] of [
    ['word\r', 'word'],
    ['wo\u0003', 130]
  ] as const) {
    const terminal = fake()
    const asked = askSecretly('what? ', terminal.console)
    terminal.keys.write(keys)
    t.equal(
      await asked.then(
        line => line.toString(),
        error => error.exit
      ),
      end
    )
    t.same(terminal.said, ['raw', 'what? ', 'cooked', '\n', 'closed'])
    for (const name of ['data', 'error']) t.equal(terminal.keys.listenerCount(name), 0)
  }
})

t.test('a terminal that ends or fails while it asks', async t => {
  const ends = fake()
  const asked = askSecretly('what? ', ends.console)
  ends.keys.end('wo')
  t.equal((await asked).toString(), 'wo')
  const fails = fake()
  const lost = askSecretly('what? ', fails.console)
  fails.keys.destroy(new Error('gone'))
  await t.rejects(lost, { message: 'gone' })
  t.same(fails.said.slice(2), ['cooked', '\n', 'closed'])
})

// --- where they come from --------------------------------------------------------------------------------

function source(
  answers: string[],
  more: Partial<Source> = {}
): Source & { questions: string[]; given: Buffer[] } {
  const questions: string[] = []
  const given: Buffer[] = []
  return {
    env: {},
    attended: true,
    questions,
    given,
    ask: async question => {
      questions.push(question)
      const answer = Buffer.from(answers.shift() ?? '')
      given.push(answer)
      return answer
    },
    ...more
  }
}

const load = (source: Source): Promise<Identity> =>
  unlocked(options => Identity.load(files.pkcs8, options), source)

t.test('at a terminal a passphrase may be wrong twice, and what was typed is wiped', async t => {
  const third = source(['x', 'y', passphrase])
  t.ok((await load(third)).equals(identity))
  const question = `passphrase of ${files.pkcs8}: `
  t.same(third.questions, [question, `wrong; once more: ${question}`, `wrong; once more: ${question}`])
  for (const answer of third.given) t.ok(answer.every(byte => byte === 0))
  const never = source(['x', 'y', 'z', passphrase])
  await t.rejects(load(never), { code: 'ERR_STALK_PASSPHRASE_WRONG' })
  t.equal(never.questions.length, 3)
  const none = source([''])
  await t.rejects(load(none), { code: 'ERR_STALK_PASSPHRASE_REQUIRED' })
  t.equal(none.questions.length, 1)
})

t.test('the environment goes first, and is tried once', async t => {
  const env = { STALK_PASSPHRASE: passphrase }
  const asked = source([])
  t.ok((await load({ ...asked, env })).equals(identity))
  await t.rejects(load({ ...asked, env: { STALK_PASSPHRASE: 'x' } }), { code: 'ERR_STALK_PASSPHRASE_WRONG' })
  t.same(asked.questions, [])
  await t.rejects(load({ ...asked, attended: false }), { code: 'ERR_STALK_PASSPHRASE_REQUIRED' })
  t.same(asked.questions, [])
})

t.test('a path in a question can play no tricks', async t => {
  const asked = source([passphrase])
  await unlocked(async ({ passphrase }) => (passphrase as (name: string) => unknown)('a\u001b[2J'), asked)
  t.same(asked.questions, ['passphrase of a\\u{1b}[2J: '])
})

t.test('a new passphrase is typed twice', async t => {
  const asked = source(['word', 'word'])
  t.equal((await chosen('file', asked)).toString(), 'word')
  t.same(asked.questions, ['passphrase for file: ', 'the same passphrase again: '])
  await t.rejects(chosen('file', source(['word', 'wird'])), {
    exit: 7,
    message: /^the two passphrases differ/
  })
  await t.rejects(chosen('file', source(['', ''])), {
    exit: 7,
    message: /^an empty passphrase protects nothing/
  })
  await t.rejects(chosen('file', source([], { attended: false })), { exit: 7, message: /there is none$/ })
  t.equal(await chosen('file', source([], { env: { STALK_PASSPHRASE: 'x' } })), 'x')
})

// --- the commands ----------------------------------------------------------------------------------------

const env = { STALK_PASSPHRASE: passphrase }

t.test('keygen encrypts, in both forms', async t => {
  for (const [format, begin] of [
    ['pkcs8', '-----BEGIN ENCRYPTED PRIVATE KEY-----'],
    ['openssh', '-----BEGIN OPENSSH PRIVATE KEY-----']
  ]) {
    const home = join(dir, `home-${format}`)
    const made = await run(['keygen', '-t', 'ed25519', '--format', `${format}`, '--passphrase'], {
      home,
      env
    })
    t.equal(await made.exit, 0, made.stderr)
    t.equal(lines(readFileSync(join(home, 'id_priv'), 'utf8'))[0], begin)
    const { fingerprint } = (await Identity.default(home, { passphrase })) as Identity
    t.equal(lines(made.stdout)[0], fingerprint)
    const shown = await run(['fingerprint'], { home, env })
    t.equal(shown.stdout, `256 ${fingerprint} ${join(home, 'id_pub')} (ED25519)\n`)
  }
})

t.test('without a terminal and without the environment it is said what to do', async t => {
  const made = await run(['keygen', '--passphrase'], { home: join(dir, 'never') })
  t.equal(await made.exit, 7)
  t.same(lines(made.stderr), [
    'stalk keygen: --passphrase asks at a terminal, and there is none',
    '  STALK_PASSPHRASE in the environment may hold the passphrase'
  ])
  const shown = await run(['fingerprint', files.pkcs8])
  t.equal(await shown.exit, 7)
  t.same(lines(shown.stderr), [
    `stalk fingerprint: ${files.pkcs8} is encrypted, and no passphrase was given (ERR_STALK_PASSPHRASE_REQUIRED)`,
    '  it is asked for at a terminal; STALK_PASSPHRASE in the environment may hold it'
  ])
  const wrong = await run(['fingerprint', files.pkcs8], { env: { STALK_PASSPHRASE: 'x' } })
  t.equal(await wrong.exit, 7)
  t.match(wrong.stderr, /does not open with this passphrase .*\(ERR_STALK_PASSPHRASE_WRONG\)/)
})

t.test('keygen takes forms and comments that fit', async t => {
  const cases: [string[], RegExp][] = [
    [['--format', 'pem'], /--format is pkcs8 or openssh, not pem/],
    [['--comment', 'me'], /--comment is for --format openssh; PEM has no place for one/],
    [['--passphrase=word'], /--passphrase takes no value/],
    [['--format', 'openssh', '--comment', 'a\nb'], /the comment has a line break/]
  ]
  for (const [options, text] of cases) {
    const made = await run(['keygen', '-t', 'ed25519', '-o', join(dir, 'unmade'), ...options])
    t.equal(await made.exit, 2)
    t.match(made.stderr, text)
  }
})

t.test('fingerprint needs no passphrase where the public key is in clear', async t => {
  const { fingerprint } = identity
  const shown = await run(['fingerprint', files.openssh])
  t.equal(shown.stdout, `256 ${fingerprint} ${files.openssh} (ED25519)\n`)
  const json = await run(['fingerprint', '--json', files.openssh, files.pkcs8], { env })
  t.same(
    lines(json.stdout).map(line => JSON.parse(line)),
    [files.openssh, files.pkcs8].map(file => ({
      file,
      type: 'ed25519',
      bits: 256,
      fingerprint,
      private: true
    }))
  )
})

t.test('fingerprint prints the line of ssh-keygen', { skip: noSshKeygen }, async t => {
  const made = ['ed25519', 'rsa'].map(type => {
    const file = join(dir, `ssh-${type}`)
    tool('ssh-keygen', '-q', '-t', type, '-N', '', '-C', 'me @ home', '-f', file)
    return file
  })
  const all = made.flatMap(file => [file, `${file}.pub`])
  const expected = all.map(file => tool('ssh-keygen', '-l', '-f', file)).join('')
  t.equal((await run(['fingerprint', ...all])).stdout, expected)
})

t.test('listen shows an encrypted identity of OpenSSH, and lets in the key of a public line', async t => {
  const pub = join(dir, 'peer')
  await identity.save({ privateFile: pub, publicFile: `${pub}.pub`, format: 'openssh', comment: 'me' })
  const stalk = new Stalk(['listen', '0', '--identity', files.openssh, '--authorize', `${pub}.pub`], { env })
  await stalk.port()
  await stalk.says(/lets in: (.*)/)
  t.match(stalk.stderr, `we:      ${identity.fingerprint}`)
  t.match(stalk.stderr, `lets in: ${identity.fingerprint}`)
  stalk.child.kill('SIGTERM')
  t.equal(await stalk.exit, 0)
})
