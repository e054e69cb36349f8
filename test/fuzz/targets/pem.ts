// The target pem: the texts of key files.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { toRaw } from '../../../lib/crypto/public-key.ts'
import { readOpenKey } from '../../../lib/identity/key-text.ts'
import { toPrivatePem, toPublicPem } from '../../../lib/identity/key-write.ts'
import { attempt, hex, magnitude, require, type Target, texts } from '../target.ts'
import { keys } from '../vectors.ts'

export type Parse = (text: string, name: string) => KeyObject

const CODES = [
  'ERR_STALK_KEY_FILE_FORMAT',
  'ERR_STALK_KEY_UNSUPPORTED',
  'ERR_STALK_PASSPHRASE_REQUIRED'
] as const

const pemOf = (key: KeyObject): string => (key.type === 'private' ? toPrivatePem(key) : toPublicPem(key))

/** A key in the form of the text that it comes from; null for OpenSSH's forms, which have a target of their own. */
function likeText(key: KeyObject, text: string): string | null {
  if (/-----BEGIN RSA P/.test(text)) return key.export({ type: 'pkcs1', format: 'pem' }).toString()
  return /-----BEGIN (PRIVATE|PUBLIC)/.test(text) ? pemOf(key) : null
}

/** All that is between BEGIN and END, without white space. */
const base64In = (text: string): string =>
  text
    .replace(/^.*-----BEGIN [A-Z ]+-----/s, '')
    .replace(/-----END [A-Z ]+-----.*$/s, '')
    .replace(/\s+/g, '')

/** One input in two is DER that a block is put around: what base64 hides from the mutator. */
function textOf(input: Buffer): string {
  const flag = input[0] ?? 0
  const rest = input.subarray(1)
  if (flag % 4 > 1) return rest.toString('latin1')
  const rsa = (flag & 0x80) !== 0 ? 'RSA ' : ''
  const label = `${flag === 4 ? 'ENCRYPTED ' : rsa}${flag % 4 === 0 ? 'PRIVATE' : 'PUBLIC'} KEY`
  return `-----BEGIN ${label}-----\n${rest.toString('base64')}\n-----END ${label}-----\n`
}

function publicPem(index: number): Buffer {
  const { raw } = keys[index] as (typeof keys)[number]
  const spki =
    raw.type === 'ed25519'
      ? Buffer.concat([hex('302a300506032b6570032100'), raw.bytes])
      : Buffer.concat([
          hex('30820122300d06092a864886f70d01010105000382010f003082010a0282010100'),
          raw.bytes,
          hex('0203010001')
        ])
  return Buffer.concat([Buffer.of(1), spki])
}

/** PKCS#1, both halves, and the outline of an encrypted PKCS#8. */
function pkcs1(): Buffer[] {
  const key = keys[firstOf('rsa')]?.privateKey
  if (!key) return []
  return [
    Buffer.concat([Buffer.of(0x80), key.export({ type: 'pkcs1', format: 'der' })]),
    Buffer.concat([Buffer.of(0x81), createPublicKey(key).export({ type: 'pkcs1', format: 'der' })]),
    Buffer.concat([
      Buffer.of(4),
      hex(
        '3057 3049 06092a864886f70d01050d 303c 301b 06092a864886f70d01050c 300e 0408 0102030405060708 02020800'
      ),
      hex('301d 060960864801650304012a 0410 000102030405060708090a0b0c0d0e0f 040a 00010203040506070809')
    ])
  ]
}

const firstOf = (type: string): number =>
  keys.findIndex(({ raw }) => raw.type === type && raw.bytes.length <= 256)

export const pem = (parse: Parse = (text, name) => readOpenKey(text, name).key): Target => ({
  name: 'pem',
  properties: [
    'nothing but errors of key files and passphrases is thrown, in bounded time',
    'a key that is accepted is written back to the same DER, and read from it again',
    'a key that is accepted is one that an identity can be made of'
  ],
  maxBytes: 2_048,
  batch: 32,
  dictionary: [
    ...texts('-----BEGIN PRIVATE KEY-----\n', '-----END PRIVATE KEY-----\n', '-----BEGIN PUBLIC KEY-----\n'),
    ...texts(
      '-----END PUBLIC KEY-----',
      '-----BEGIN RSA PRIVATE KEY-----',
      '-----BEGIN ',
      'Proc-Type: 4,ENCRYPTED\n',
      '\r\n',
      '=',
      '\n'
    ),
    ...[
      '020100',
      '0500',
      '06032b6570',
      '06092a864886f70d010101',
      '0203010001',
      '0382',
      '3080',
      '0000',
      '0420',
      '0422'
    ].map(hex),
    ...[
      '06032b656e',
      '06032b6571',
      '06092a864886f70d01010a',
      '2a8648ce3d0201',
      'a000',
      '308201',
      '30820122'
    ].map(hex)
  ],
  seeds: () => {
    const { privateKey } = keys[firstOf('ed25519')] as (typeof keys)[number]
    const text = Buffer.from(toPrivatePem(privateKey), 'latin1')
    const der = privateKey.export({ format: 'der', type: 'pkcs8' })
    const indexes = [firstOf('ed25519'), firstOf('rsa')].filter(index => index >= 0)
    return [
      Buffer.concat([Buffer.of(2), text]),
      Buffer.concat([Buffer.of(0), der]),
      ...indexes.map(publicPem),
      ...pkcs1()
    ]
  },
  run(input) {
    const text = textOf(input)
    const { value: key, code } = attempt(CODES, () => parse(text, 'the text'))
    if (key === null) return `${code} ${magnitude(text.length)}`
    const { type } = toRaw(key)
    const again = likeText(key, text)
    if (again === null) return `${key.type} ${type} of OpenSSH`
    require(base64In(again) === base64In(text), 'a key that is written back to other bytes')
    require(likeText(parse(again, 'its own text'), again) === again, 'another key when read again')
    return `${key.type} ${type}`
  }
})
