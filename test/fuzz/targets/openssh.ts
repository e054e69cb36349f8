// The target openssh: OpenSSH's private keys and lines of public ones.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { toRaw } from '../../../lib/crypto/public-key.ts'
import { sshBlob } from '../../../lib/identity/fingerprint.ts'
import { type OpenText, readOpenKey } from '../../../lib/identity/key-text.ts'
import { writeSection } from '../../../lib/identity/openssh-key.ts'
import { sshString } from '../../../lib/identity/ssh-fields.ts'
import { writeSshLine } from '../../../lib/identity/ssh-public.ts'
import { attempt, hex, magnitude, require, type Target, texts } from '../target.ts'
import { keys } from '../vectors.ts'

export type Read = (text: string, name: string) => Pick<OpenText, 'key' | 'comment'>

const CODES = [
  'ERR_STALK_KEY_FILE_FORMAT',
  'ERR_STALK_KEY_UNSUPPORTED',
  'ERR_STALK_PASSPHRASE_REQUIRED'
] as const

const MAGIC = Buffer.from('openssh-key-v1\0')
const BLOCK = 8

const armored = (bytes: Buffer): string =>
  `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`

const frame = (blob: Buffer, section: Buffer): Buffer =>
  Buffer.concat([
    MAGIC,
    ...['none', 'none', ''].map(sshString),
    hex('00000001'),
    sshString(blob),
    sshString(section)
  ])

const blobOf = (key: KeyObject): Buffer => sshBlob(toRaw(key))

const [ed25519] = keys.filter(({ raw }) => raw.type === 'ed25519')
const [rsa] = keys.filter(({ raw }) => raw.type === 'rsa' && raw.bytes.length === 256)
const samples = [ed25519, rsa].flatMap(sample => (sample ? [sample.privateKey] : []))

/** What base64 hides from the mutator: a container, the section in one, the inside of a line; or plain text. */
function textOf(input: Buffer): string {
  const flag = input[0] ?? 0
  const rest = input.subarray(1)
  if (flag % 4 === 0) return armored(rest)
  if (flag % 4 === 1) return armored(frame(blobOf(samples[flag > 127 ? 1 : 0] as KeyObject), rest))
  if (flag % 4 === 2) return `ssh-${flag > 127 ? 'rsa' : 'ed25519'} ${rest.toString('base64')} me\n`
  return rest.toString('latin1')
}

const between = (text: string): Buffer =>
  Buffer.from(text.replace(/-----[^-]*-----|[^\w+/=-]/g, ''), 'base64')

/** Written anew from what was read, with the check number that stands there. */
function containerLike(bytes: Buffer, { key, comment }: Pick<OpenText, 'key' | 'comment'>): Buffer {
  const blob = blobOf(key)
  const at = frame(blob, Buffer.alloc(0)).length
  return frame(blob, writeSection(key, comment, bytes.subarray(at, at + 4), BLOCK))
}

function seeds(): Buffer[] {
  return samples.flatMap((key, index) => {
    const section = writeSection(key, 'me', hex('01020304'), BLOCK)
    const high = index * 0x80
    return [
      Buffer.concat([Buffer.of(0), frame(blobOf(key), section)]),
      Buffer.concat([Buffer.of(1 + high), section]),
      Buffer.concat([Buffer.of(2 + high), blobOf(key)]),
      Buffer.concat([Buffer.of(3), Buffer.from(writeSshLine(toRaw(createPublicKey(key)), 'me'))]),
      Buffer.concat([Buffer.of(0), locked(blobOf(key))])
    ]
  })
}

const locked = (blob: Buffer): Buffer =>
  Buffer.concat([
    MAGIC,
    ...['aes256-ctr', 'bcrypt'].map(sshString),
    hex('00000018 00000010 000102030405060708090a0b0c0d0e0f 00000010 00000001'),
    ...[blob, Buffer.alloc(32)].map(sshString)
  ])

export const openssh = (read: Read = readOpenKey): Target => ({
  name: 'openssh',
  properties: [
    'nothing but errors of key files and passphrases is thrown, in bounded time',
    'a private key that is accepted is written back to the same bytes, with the check number that it had',
    'a public key that is accepted is written back to the same words',
    'a key that is accepted is one that an identity can be made of'
  ],
  maxBytes: 2_560,
  batch: 32,
  dictionary: [
    ...texts(
      'openssh-key-v1\0',
      'none',
      'aes256-ctr',
      'bcrypt',
      'ssh-rsa',
      'ssh-ed25519',
      'ssh-dss',
      ' AAAA',
      '\n'
    ),
    ...texts('ssh-rsa AAAA', 'ssh-ed25519 AAAA', '# ', '\r\n', 'sk-ssh-ed25519@openssh.com'),
    ...[
      '00000001',
      '00000000',
      '00000020',
      '00000040',
      '00000003010001',
      '00000101 00',
      '010203',
      '0a',
      'ffffffff'
    ].map(hex)
  ],
  seeds,
  run(input) {
    const text = textOf(input)
    const { value, code } = attempt(CODES, () => read(text, 'the text'))
    if (value === null) return `${code} ${magnitude(text.length)}`
    const { key, comment } = value
    const { type } = toRaw(key)
    if (comment.includes('\ufffd')) return 'a comment that is no UTF-8'
    if (key.type === 'private') {
      if (!text.includes('BEGIN OPENSSH')) return 'another form'
      const bytes = between(text.slice(text.indexOf('-----BEGIN')))
      require(containerLike(bytes, value).equals(bytes), 'a private key that is written back to other bytes')
    } else if (!text.includes('-----BEGIN')) {
      const words = Buffer.from(writeSshLine(toRaw(key), comment))
        .toString('latin1')
        .split(' ')
        .slice(0, 2)
      require(words.every(word =>
        text.includes(word.trim())
      ), 'a public key that is written back to other words')
    }
    return `${key.type} ${type}`
  }
})
