// PEM texts: what is taken, and for everything else that the text says what was found and what to do.

import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { StalkError } from '../../lib/errors.ts'
import { readOpenKey } from '../../lib/identity/key-text.ts'
import { toPrivatePem, toPublicPem } from '../../lib/identity/key-write.ts'
import { noOpenssl, run } from './tools.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const rsaPem = toPrivatePem(rsa.privateKey)
const edPem = toPrivatePem(ed25519.privateKey)
const edPublicPem = toPublicPem(ed25519.publicKey)

const derOf = (pem: string): Buffer => Buffer.from(pem.replace(/-----.*-----|\s/g, ''), 'base64')

function block(label: string, der: Buffer | string): string {
  const base64 = Buffer.from(der as string).toString('base64')
  return `-----BEGIN ${label}-----\n${base64.replace(/(.{64})/g, '$1\n')}\n-----END ${label}-----\n`
}

const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex')

const parse = (text: string): KeyObject => readOpenKey(text, 'FILE').key

const refused = (t: Test, text: string, message: RegExp): void => {
  t.throws(() => parse(text), { code: 'ERR_STALK_KEY_FILE_FORMAT', phase: 'setup', message })
}

t.test('keys come back from their PEM text as the same keys', async t => {
  for (const { publicKey, privateKey } of [rsa, ed25519]) {
    t.ok(parse(toPrivatePem(privateKey)).equals(privateKey))
    t.ok(parse(toPublicPem(publicKey)).equals(publicKey))
    t.equal(parse(toPublicPem(publicKey)).type, 'public')
  }
})

t.test('line ends, line lengths and text around the block do not matter', async t => {
  const body = derOf(rsaPem).toString('base64')
  const texts = [
    rsaPem.replaceAll('\n', '\r\n'),
    rsaPem.trimEnd(),
    `\n\n${rsaPem}\n\n`,
    `Bag Attributes\n    friendlyName: mine\n${rsaPem}`,
    `${rsaPem}the end\n`,
    `\uFEFF${rsaPem}`,
    rsaPem.padEnd(65_536, '\n'),
    `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----`,
    `-----BEGIN PRIVATE KEY-----\n${body.replace(/(.{76})/g, '$1  \n\t')}\n-----END PRIVATE KEY-----\n`
  ]
  for (const text of texts) t.ok(parse(text).equals(rsa.privateKey))
})

t.test('what is no PEM at all is named, with the way out', async t => {
  const line = 'from="10.*" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG someone@example'
  refused(t, '', /^FILE holds nothing: it is empty/)
  refused(t, ' \r\n\t', /^FILE holds nothing: it is empty/)
  refused(t, line, /a public key with something in front of it; a line of OpenSSH begins with the kind/)
  refused(t, 'PuTTY-User-Key-File-3: ssh-rsa\n', /a PuTTY key; `puttygen OLD -O private-openssh-new/)
  refused(t, '---- BEGIN SSH2 PUBLIC KEY ----\nAAAA', /the form of RFC 4716; `ssh-keygen -i -f OLD > NEW`/)
  refused(t, derOf(rsaPem).toString('latin1'), /DER without PEM.*`openssl pkey -inform DER -in OLD -out NEW`/)
  refused(t, derOf(edPem).toString('latin1'), /DER without PEM/)
  refused(t, derOf(edPublicPem).toString('latin1'), /DER without PEM/)
  refused(
    t,
    'what?',
    /^FILE holds no key; a PEM block \(PKCS#8, PKCS#1, SPKI\), a private key of OpenSSH or a line `ssh-rsa` or `ssh-ed/
  )
  refused(t, Buffer.from(rsaPem, 'utf16le').toString('latin1'), /holds no key/)
  refused(t, rsaPem.replace(/.*\n/, ''), /holds no key/)
  refused(t, edPem.padEnd(65_537, '\n'), /holds more than 65536 bytes/)
  refused(t, `${' '.repeat(65_536)}${edPem}`, /holds more than 65536 bytes/)
})

t.test('other blocks are named, with the way out', async t => {
  const cases: [string, RegExp][] = [
    ['EC PRIVATE KEY', /an elliptic-curve private key; stalk takes RSA and Ed25519 keys/],
    ['DSA PRIVATE KEY', /a DSA private key/],
    ['CERTIFICATE', /a certificate; `openssl x509 -in OLD -pubkey -noout -out NEW`/],
    ['X509 CRL', /a block `X509 CRL`; a PEM block/],
    ['private key', /a block `unreadable`; a PEM block/],
    [`${'A'.repeat(41)}`, /a block `unreadable`/]
  ]
  for (const [label, message] of cases) refused(t, block(label, derOf(edPem)), message)
  refused(t, '-----BEGIN ', /a block `unreadable`/)
})

t.test('two blocks are refused, whatever they are and however broken the second is', async t => {
  refused(t, edPem + edPem, /holds 2 blocks \(PRIVATE KEY, PRIVATE KEY\); keep one in a file/)
  refused(t, edPublicPem + edPem, /holds 2 blocks \(PUBLIC KEY, PRIVATE KEY\)/)
  refused(t, `${edPem}-----BEGIN what`, /holds 2 blocks \(PRIVATE KEY, unreadable\)/)
  refused(t, block('CERTIFICATE', 'x').repeat(3), /holds 3 blocks/)
})

t.test('a block that is cut or damaged as text is refused', async t => {
  refused(t, edPem.replace(/-----END.*/s, ''), /a block `PRIVATE KEY` without its END line; it is cut short/)
  refused(t, edPem.replace('END PRIVATE', 'END PUBLIC'), /without its END line/)
  refused(t, edPem.replace('MC4', 'M*4'), /a block that is not well formed/)
  refused(t, edPem.replace('MC4', 'M:C4'), /not plain base64; it is damaged, or has headers/)
  refused(t, edPem.replace('MC4', 'MC4='), /not plain base64/)
  refused(t, edPem.replace('\n', '\nComment: mine\n\n'), /a block that is not well formed/)
  const old = edPem.replace('\n', '\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n')
  refused(
    t,
    old,
    /a private key in the old encryption of PEM.*`ssh-keygen -p -f COPY` or `openssl pkcs8 -topk8/
  )
  // 44 bytes: the last character carries two bits that mean nothing, and must be zero.
  const unusedBits = edPublicPem.replace(/.(?==\n)/, last => String.fromCharCode(last.charCodeAt(0) + 1))
  t.same(derOf(unusedBits), derOf(edPublicPem))
  refused(t, unusedBits, /not plain base64/)
  refused(t, '-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n', /FILE holds/)
})

t.test('DER with bytes behind it, outside or inside, is refused', async t => {
  const der = derOf(edPem)
  const more = Buffer.concat([der, Buffer.alloc(1)])
  refused(t, block('PRIVATE KEY', more), /DER that is damaged, cut short, or followed by more bytes/)
  refused(t, block('PRIVATE KEY', der.subarray(0, -1)), /damaged, cut short/)
  refused(t, block('PRIVATE KEY', ''), /FILE holds/)
  const rsaDer = derOf(rsaPem)
  refused(t, block('PRIVATE KEY', Buffer.concat([rsaDer, rsaDer])), /followed by more bytes/)
  refused(t, block('PUBLIC KEY', Buffer.concat([derOf(edPublicPem), hex('0500')])), /followed by more bytes/)
  // A NULL behind the seed, inside the OCTET STRING, all the lengths around it right.
  const seed = der.subarray(-32)
  const inside = Buffer.concat([hex('3030 020100 3005 06032b6570 0424 0420'), seed, hex('0500')])
  refused(t, block('PRIVATE KEY', inside), /OpenSSL does not take|not in the exact DER form/)
  const rsaInside = Buffer.concat([rsaDer, hex('0500')])
  rsaInside.writeUInt16BE(rsaDer.readUInt16BE(2) + 2, 2)
  rsaInside.writeUInt16BE(rsaDer.readUInt16BE(24) + 2, 24)
  refused(t, block('PRIVATE KEY', rsaInside), /not in the exact DER form.*`openssl pkey -in OLD -out NEW`/)
})

t.test('other structures are refused: versions, attributes, parameters, long forms of lengths', async t => {
  const seed = derOf(edPem).subarray(-32)
  const point = derOf(edPublicPem).subarray(-32)
  const privateBlock = (prefix: string, ...rest: Buffer[]): string =>
    block('PRIVATE KEY', Buffer.concat([hex(prefix), seed, ...rest]))
  refused(
    t,
    privateBlock('3051 020101 3005 06032b6570 0422 0420', hex('812100'), point),
    /not in the exact DER/
  )
  refused(t, privateBlock('3030 020100 3005 06032b6570 0422 0420', hex('a000')), /not in the exact DER form/)
  refused(t, privateBlock('302e 020101 3005 06032b6570 0422 0420'), /FILE holds a block `PRIVATE KEY` that/)
  refused(
    t,
    privateBlock('3030 020100 3007 06032b6570 0500 0422 0420'),
    /FILE holds a block `PRIVATE KEY` that/
  )
  refused(t, privateBlock('30812e 020100 3005 06032b6570 0422 0420'), /FILE holds/)
  const spki = Buffer.concat([hex('302b 3005 06032b6570 048121 00'), point])
  refused(t, block('PUBLIC KEY', spki), /FILE holds.*`openssl pkey -in OLD -pubin -pubout -out NEW`/)
  refused(
    t,
    block('PRIVATE KEY', derOf(edPublicPem)),
    /a block `PRIVATE KEY` that is not in the exact DER form/
  )
  refused(t, block('PUBLIC KEY', derOf(edPem)), /a block `PUBLIC KEY` that is not in the exact DER form/)
  refused(t, block('PUBLIC KEY', hex('0500')), /not in the exact DER form/)
  refused(t, block('PUBLIC KEY', hex(`30${'80'.repeat(40)}`)), /FILE holds DER/)
})

t.test('keys of other kinds are named', async t => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const three = generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 })
  const cases: [string, RegExp][] = [
    [toPrivatePem(ec.privateKey), /^FILE: this is a key of the kind elliptic-curve; stalk takes RSA and/],
    [toPublicPem(ec.publicKey), /kind elliptic-curve/],
    [toPrivatePem(generateKeyPairSync('x25519').privateKey), /kind X25519/],
    [toPrivatePem(generateKeyPairSync('ed448').privateKey), /kind Ed448/],
    [toPublicPem(pss.publicKey), /kind RSA for PSS alone/],
    [block('PUBLIC KEY', hex('300b 3005 06032b6501 030200 00')), /kind 1\.3\.101\.1;/],
    [block('PUBLIC KEY', hex('3006 3000 030200 00')), /kind unknown/],
    [block('PUBLIC KEY', hex('3008 3002 0600 030200 00')), /kind unknown/],
    [block('PUBLIC KEY', hex(`3014 300e 060c 69${'ff'.repeat(10)}01 030200 00`)), /kind unknown/],
    [toPrivatePem(short.privateKey), /^FILE: this RSA key has 1024 bits; stalk takes 2048 to 4096/],
    [toPublicPem(three.publicKey), /^FILE: this RSA key has the exponent 3/],
    [
      edPublicPem.replace(/(?<=MCow).*/, `BQYDK2VwAyEA${'A'.repeat(43)}=`),
      /^FILE: this Ed25519 key is of small/
    ]
  ]
  for (const [text, message] of cases) {
    t.throws(() => parse(text), { code: 'ERR_STALK_KEY_UNSUPPORTED', phase: 'setup', message })
  }
})

t.test('an RSA key whose numbers do not belong together is refused as damaged', async t => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })
  const der = derOf(rsaPem)
  const mixed = Buffer.from(der)
  Buffer.from(other.n ?? '', 'base64url').copy(mixed, der.indexOf(modulusOf(rsa.publicKey)))
  refused(t, block('PRIVATE KEY', mixed), /a private key whose parts do not belong together; it is damaged/)
  const d = Buffer.from(rsa.privateKey.export({ format: 'jwk' }).p ?? '', 'base64url')
  const even = Buffer.from(der)
  const last = der.indexOf(d) + d.length - 1
  even[last] = (even[last] ?? 0) & 0xfe
  refused(t, block('PRIVATE KEY', even), /damaged/)
})

const modulusOf = (key: KeyObject): Buffer => Buffer.from(key.export({ format: 'jwk' }).n ?? '', 'base64url')

t.test('the bytes of a private key are wiped, whether it is taken or not', async t => {
  const bytes: Buffer[] = []
  const noted = <Args extends unknown[], Result>(make: (...args: Args) => Result) =>
    function (this: unknown, ...args: Args): Result {
      const made = make.apply(this, args)
      if (Buffer.isBuffer(made)) bytes.push(made)
      return made
    }
  const { from } = Buffer
  const prototype = Object.getPrototypeOf(rsa.privateKey)
  const exported = prototype.export
  t.teardown(() => {
    Buffer.from = from
    prototype.export = exported
  })
  const damaged = block('PRIVATE KEY', Buffer.concat([derOf(rsaPem), hex('00')]))
  Buffer.from = noted(from) as typeof Buffer.from
  prototype.export = noted(exported)
  parse(rsaPem)
  t.throws(() => parse(damaged), { code: 'ERR_STALK_KEY_FILE_FORMAT', message: /followed by more bytes/ })
  const keys = bytes.filter(({ length }) => length > 1_000)
  t.equal(
    keys.length,
    5,
    'as read, twice, what is in it, as written again to compare, and a copy for its numbers'
  )
  t.ok(keys.every(key => key.every(byte => byte === 0)))
})

t.test('a flipped bit anywhere gives a key or a coded error', async t => {
  const ends: Record<string, number> = {}
  const attempt = (text: string): void => {
    let end = 'loaded'
    try {
      parse(text)
    } catch (error) {
      end = error instanceof StalkError ? error.code : `uncoded: ${error}`
    }
    ends[end] = (ends[end] ?? 0) + 1
  }
  for (const pem of [edPem, edPublicPem, toPublicPem(rsa.publicKey), rsaPem]) {
    const label = pem.includes('PUBLIC') ? 'PUBLIC KEY' : 'PRIVATE KEY'
    const der = derOf(pem)
    for (let bit = 0; bit < der.length * 8; bit += pem === rsaPem ? 29 : 1) {
      attempt(block(label, flip(der, bit)))
    }
    const text = Buffer.from(pem)
    for (let bit = 0; bit < text.length * 8; bit += pem === rsaPem ? 41 : 3) {
      attempt(flip(text, bit).toString('latin1'))
    }
  }
  t.same(
    Object.keys(ends).filter(end => !/^loaded$|^ERR_STALK_KEY_(FILE_FORMAT|UNSUPPORTED)$/.test(end)),
    [],
    JSON.stringify(ends)
  )
})

function flip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return flipped
}

t.test('a key that is cut at any byte gives a coded error', async t => {
  for (const pem of [edPem, edPublicPem]) {
    for (let length = 0; length < pem.trimEnd().length; length++) {
      const message = /^FILE holds/
      t.throws(() => parse(pem.slice(0, length)), { code: 'ERR_STALK_KEY_FILE_FORMAT', message })
    }
    const der = derOf(pem)
    for (let length = 0; length < der.length; length++) {
      refused(
        t,
        block(pem.includes('PUBLIC') ? 'PUBLIC KEY' : 'PRIVATE KEY', der.subarray(0, length)),
        /FILE holds/
      )
    }
  }
})

t.test('hostile texts of full length are refused', async t => {
  const texts = ['-', '-----BEGIN ', '-----BEGIN PRIVATE KEY-----', '-----END PRIVATE KEY-----', '\n', 'A']
  for (const text of texts) {
    const long = text.repeat(65_536 / text.length)
    refused(t, long, /FILE holds/)
    refused(t, `-----BEGIN PRIVATE KEY-----\n${long}`.slice(0, 65_536), /FILE holds/)
  }
})

t.test('keys made by openssl load', { skip: noOpenssl }, async t => {
  const dir = t.testdir()
  for (const options of [['ed25519'], ['rsa'], ['rsa', '-pkeyopt', 'rsa_keygen_bits:3072']]) {
    const file = join(dir, 'key.pem')
    run('openssl', 'genpkey', '-algorithm', ...options, '-out', file)
    const key = parse(readFileSync(file, 'latin1'))
    t.equal(key.type, 'private')
    const pub = parse(run('openssl', 'pkey', '-in', file, '-pubout'))
    t.ok(createPublicKey(key).equals(pub))
    t.equal(toPublicPem(pub), run('openssl', 'pkey', '-in', file, '-pubout'), 'and are written alike')
  }
})

t.test('what openssl is advised to rewrite loads afterwards', { skip: noOpenssl }, async t => {
  const dir = t.testdir()
  const [old, fresh] = [join(dir, 'old.pem'), join(dir, 'new.pem')]
  const rewritten = (text: string | Buffer, ...args: string[]): KeyObject => {
    t.throws(() => parse(text.toString('latin1')), { code: 'ERR_STALK_KEY_FILE_FORMAT', message: /openssl/ })
    writeFileSync(old, text)
    run('openssl', ...args, '-in', old, '-out', fresh)
    return parse(readFileSync(fresh, 'latin1'))
  }
  const { privateKey, publicKey } = rsa
  const secret = { cipher: 'aes-256-cbc', passphrase: 'word' }
  const oldEncrypted = privateKey.export({ type: 'pkcs1', format: 'pem', ...secret })
  t.ok(rewritten(oldEncrypted, 'pkcs8', '-topk8', '-nocrypt', '-passin', 'pass:word').equals(privateKey))
  t.ok(rewritten(derOf(rsaPem), 'pkey', '-inform', 'DER').equals(privateKey))
  writeFileSync(join(dir, 'key.pem'), rsaPem)
  const cert = run('openssl', 'req', '-x509', '-key', join(dir, 'key.pem'), '-subj', '/CN=x', '-days', '1')
  t.ok(rewritten(cert, 'x509', '-pubkey', '-noout').equals(publicKey))
})

t.test('PKCS#1 is taken in its exact form', async t => {
  const { privateKey, publicKey } = rsa
  const open = publicKey.export({ type: 'pkcs1', format: 'der' })
  const secret = privateKey.export({ type: 'pkcs1', format: 'der' })
  t.ok(parse(block('RSA PUBLIC KEY', open)).equals(publicKey))
  t.ok(parse(block('RSA PRIVATE KEY', secret)).equals(privateKey))
  const exact = /a block `RSA PUBLIC KEY` that is not in the exact DER form.*`openssl rsa -RSAPublicKey_in/
  refused(t, block('RSA PUBLIC KEY', secret), exact)
  refused(t, block('RSA PUBLIC KEY', derOf(edPublicPem)), exact)
  refused(t, block('RSA PRIVATE KEY', open), /a block `RSA PRIVATE KEY` that is not in the exact DER form/)
  refused(t, block('RSA PRIVATE KEY', derOf(rsaPem)), /not in the exact DER form/)
  refused(t, block('RSA PUBLIC KEY', Buffer.concat([open, hex('0500')])), /followed by more bytes/)
  const long = Buffer.concat([hex('3082010b 02820102 0000'), open.subarray(9)])
  refused(t, block('RSA PUBLIC KEY', long), /FILE holds/)
  const multi = Buffer.from(secret)
  multi[6] = 1 // version: more than two primes
  refused(t, block('RSA PRIVATE KEY', multi), /FILE holds a block `RSA PRIVATE KEY` that/)
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 })
  const der = short.privateKey.export({ type: 'pkcs1', format: 'der' })
  t.throws(() => parse(block('RSA PRIVATE KEY', der)), {
    code: 'ERR_STALK_KEY_UNSUPPORTED',
    message: /^FILE: this RSA key has 1024 bits/
  })
})
