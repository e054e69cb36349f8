// Lines of public keys as OpenSSH has them: what is taken, and what is said of the rest.

import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { toRaw } from '../../lib/crypto/public-key.ts'
import { type OpenText, readKey } from '../../lib/identity/key-text.ts'
import { requireComment, writeSshLine } from '../../lib/identity/ssh-public.ts'
import { blobOf, mpint, str } from './openssh-files.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const base64 = blobOf(ed25519).toString('base64')
const line = `ssh-ed25519 ${base64}`

const read = (text: string): OpenText => readKey(text, 'FILE') as OpenText

const refused = (t: Test, text: string, message: RegExp, code = 'KEY_FILE_FORMAT'): void => {
  t.throws(() => read(text), { code: `ERR_STALK_${code}`, phase: 'setup', message })
}

const lineOf = (...fields: Buffer[]): string => {
  const type = fields[0]?.subarray(4).toString() ?? ''
  return `${type} ${Buffer.concat(fields).toString('base64')}`
}

t.test('a line is read with its comment and written back', async t => {
  for (const key of [rsa, ed25519]) {
    const pub = createPublicKey(key)
    for (const comment of ['', 'me@here', 'several words', 'ünïcode', 'x'.repeat(1_024)]) {
      const text = writeSshLine(toRaw(pub), comment)
      t.match(text, new RegExp(`^ssh-${key.asymmetricKeyType} AAAA[\\w+/=]+ ?${comment}\n$`))
      const found = readKey(Buffer.from(text).toString('latin1'), 'FILE') as OpenText
      t.ok(found.key.equals(pub))
      t.match(found, { comment, locked: false })
    }
  }
})

t.test('line ends, white space, empty lines and remarks do not matter', async t => {
  const texts = [
    line,
    `${line}\r\n`,
    `${line} me\r\n`,
    `\n\n${line}\n\n`,
    `# mine\n${line} me\n   \n# the end`,
    `  \t${line}`,
    `ssh-ed25519 \t  ${base64}\t me`,
    `${line}\r`
  ]
  for (const text of texts) {
    const { key, comment } = read(text)
    t.same(toRaw(key), toRaw(ed25519))
    t.match(comment, /^(me)?$/)
  }
})

t.test('two keys, or more than a key, are refused', async t => {
  refused(t, `${line}\n${line}\n`, /^FILE holds 2 public keys; keep one in a file/)
  refused(t, `${line}\r${line}`, /holds 2 public keys/)
  refused(t, `${line} ${line}\n${line}`, /holds 2 public keys/)
  refused(t, `${line}\nwhat?`, /more than the line of one public key/)
  refused(t, `what?\n${line}`, /more than the line/)
  refused(t, `${line} me\rwhat?`, /more than the line/)
})

t.test('what is damaged is refused', async t => {
  for (let length = 0; length < base64.length; length++) {
    t.throws(() => read(`ssh-ed25519 ${base64.slice(0, length)}`), {
      code: 'ERR_STALK_KEY_FILE_FORMAT',
      message: /^FILE holds/
    })
  }
  refused(t, `ssh-ed25519 ${base64}=`, /not plain base64; it is damaged/)
  refused(t, `ssh-ed25519 ${base64.replace(/.$/, '*')}`, /not plain base64/)
  refused(
    t,
    `ssh-rsa ${base64}`,
    /a public key that is ssh-ed25519 inside and ssh-rsa outside; it is damaged/
  )
  const { n } = rsa.export({ format: 'jwk' })
  const e = mpint('AQAB')
  refused(t, lineOf(str('ssh-rsa'), e, mpint(n), Buffer.of(0)), /has 1 bytes too many/)
  refused(t, lineOf(str('ssh-rsa'), e), /is cut short/)
  refused(t, lineOf(str('ssh-rsa'), mpint('AAEAAQ'), mpint(n)), /a number that is not in its only form/)
  refused(t, lineOf(str('ssh-rsa'), e, str(Buffer.from(n ?? '', 'base64url'))), /not in its only form/)
  refused(t, lineOf(str('ssh-ed25519'), str(Buffer.alloc(33))), /has 33 bytes, not 32/)
  refused(t, `${line} a\u001b[2J`, /a key whose comment has a line break or another control character/)
  refused(t, `${line} ${'x'.repeat(1_025)}`, /a key whose comment is longer than 1024 bytes/)
})

t.test('keys that stalk does not take are named', async t => {
  const { n } = rsa.export({ format: 'jwk' })
  const cases: [string, RegExp][] = [
    [
      'ssh-dss AAAAB3NzaC1kc3M= me',
      /^FILE: this is a key of the kind ssh-dss; stalk takes RSA and Ed25519 keys/
    ],
    ['ecdsa-sha2-nistp256 AAAAE2VjZHNh me', /kind ecdsa-sha2-nistp256/],
    ['sk-ssh-ed25519@openssh.com AAAAGnNr me', /kind sk-ssh-ed25519@openssh\.com/],
    ['ssh-rsa-cert-v01@openssh.com AAAAHHNz', /kind ssh-rsa-cert-v01@openssh\.com/],
    [lineOf(str('ssh-rsa'), mpint('Aw'), mpint(n)), /the exponent 3/],
    [
      lineOf(str('ssh-rsa'), mpint('AQAB'), mpint(n?.slice(0, 80))),
      /this RSA key has \d+ bits; stalk takes 2048/
    ],
    [lineOf(str('ssh-ed25519'), str(Buffer.alloc(32))), /this Ed25519 key is of small order/],
    [lineOf(str('ssh-ed25519'), str(Buffer.alloc(32, 0xff))), /this Ed25519 key is not in canonical form/]
  ]
  for (const [text, message] of cases) refused(t, text, message, 'KEY_UNSUPPORTED')
})

t.test('hostile texts of full length are refused in no time', async t => {
  const began = performance.now()
  for (const part of [
    'ssh-',
    'ssh-rsa ',
    'ssh-rsa AAAA',
    ',ssh-',
    ' \t',
    'ssh-rsa\tAAAA \n',
    '# \n',
    '\r',
    'AAAA '
  ]) {
    const long = part.repeat(65_536 / part.length)
    t.throws(() => read(long), { code: /^ERR_STALK_KEY_/ }, part)
    const behind = `${line} ${long}`.slice(0, 65_536)
    if (/\S/.test(part) && part !== '# \n') t.throws(() => read(behind), { code: /^ERR_STALK_KEY_/ }, part)
    else t.ok(read(behind), part)
  }
  t.ok(performance.now() - began < 5_000)
})

t.test('a comment that could be another line is not written', async t => {
  for (const comment of ['a\nb', 'a\rb', 'a\u0000', 'x'.repeat(1_025), 'ü'.repeat(513), 7, null]) {
    t.throws(() => requireComment(comment), { code: 'ERR_STALK_INVALID_OPTION', message: /^the comment / })
  }
  t.equal(requireComment('several words'), 'several words')
})
