// OpenSSH's private keys: what is taken, and for every field that is wrong, what is said of it.

import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import t, { type Test } from 'tap'
import { StalkError } from '../../lib/errors.ts'
import { type LockedText, type OpenText, readKey } from '../../lib/identity/key-text.ts'
import { privateText } from '../../lib/identity/key-write.ts'
import {
  armored,
  blobOf,
  container,
  encrypted,
  fieldsOf,
  mpint,
  type Parts,
  type Section,
  sectionOf,
  str,
  u32
} from './openssh-files.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
const ed25519 = generateKeyPairSync('ed25519').privateKey
const keys = [rsa, ed25519]

const read = (bytes: Buffer): OpenText => readKey(armored(bytes), 'FILE') as OpenText
const locked = (bytes: Buffer): LockedText => readKey(armored(bytes), 'FILE') as LockedText

const isOf = (code: string, message: RegExp) => ({ code: `ERR_STALK_${code}`, phase: 'setup', message })

const refused = (
  t: Test,
  key: KeyObject,
  parts: Partial<Parts>,
  message: RegExp,
  code = 'KEY_FILE_FORMAT'
): void => {
  t.throws(() => read(container(key, parts)), isOf(code, message))
}

/** In clear and encrypted. */
const refusedInside = async (
  t: Test,
  key: KeyObject,
  section: Partial<Section>,
  message: RegExp,
  code = 'KEY_FILE_FORMAT'
): Promise<void> => {
  refused(t, key, { section: str(sectionOf(key, section)) }, message, code)
  const hidden = locked(container(key, encrypted(key, 'word', 1, section)))
  await t.rejects(hidden.open(Buffer.from('word')), isOf(code, message))
}

t.test('a key in clear is read with its comment', async t => {
  for (const key of keys) {
    const { key: found, comment, locked } = read(container(key))
    t.ok(found.equals(key))
    t.match({ comment, locked }, { comment: 'me', locked: false })
    t.ok(read(Buffer.from(container(key))).key.equals(key))
    t.ok((readKey(armored(container(key)).replaceAll('\n', '\r\n'), 'FILE') as OpenText).key.equals(key))
  }
})

t.test('an encrypted key shows its public half and opens with its passphrase alone', async t => {
  for (const key of keys) {
    const file = locked(container(key, encrypted(key, 'word', 2)))
    t.match(file, { locked: true, publicKey: { type: 'public' } })
    t.ok((await file.open(Buffer.from('word'))).key.equals(key))
    t.ok((await file.open(Buffer.from('word'))).key.equals(key), 'and once more')
    for (const wrong of ['Word', 'word ', 'x']) {
      await t.rejects(
        file.open(Buffer.from(wrong)),
        isOf(
          'PASSPHRASE_WRONG',
          /^FILE does not open with this passphrase \(or it is damaged, which looks the/
        )
      )
    }
  }
})

t.test('what lib writes is what was built here by hand', async t => {
  for (const key of keys) {
    const text = await privateText(key, 'openssh', 'me', null)
    const bytes = Buffer.from(text.replace(/-----.*-----|\s/g, ''), 'base64')
    const at = bytes.indexOf(sectionOf(key).subarray(8))
    t.ok(bytes.subarray(at - 8, at - 4).equals(bytes.subarray(at - 4, at)), 'with a check number of its own')
    bytes.fill(7, at - 8, at)
    t.same(bytes, container(key))
    t.equal(text.replace(/[\w+/=]{30,}/g, ''), armored(container(key)).replace(/[\w+/=]{30,}/g, ''))
    const hidden = readKey(await privateText(key, 'openssh', '', Buffer.from('word')), 'FILE') as LockedText
    t.match(await hidden.open(Buffer.from('word')), { comment: '' })
  }
})

t.test('the frame: every field is checked', async t => {
  const cases: [Partial<Parts>, RegExp][] = [
    [
      { magic: Buffer.from('openssh-key-v2\0') },
      /a private key of OpenSSH that does not begin as one; it is dam/
    ],
    [{ magic: Buffer.alloc(0) }, /does not begin as one/],
    [
      { cipher: str('aes256-cbc'), kdf: str('bcrypt') },
      /in the cipher aes256-cbc; `ssh-keygen -p -Z aes256-ctr/
    ],
    [{ cipher: str('aes256-gcm@openssh.com'), kdf: str('bcrypt') }, /in the cipher aes256-gcm@openssh\.com/],
    [{ cipher: str('') }, /has a name that is none/],
    [{ cipher: str('x'.repeat(65)) }, /has a name that is none/],
    [{ kdf: str('bcrypt') }, /in the cipher none/],
    [{ options: str('x') }, /in the cipher none/],
    [{ cipher: str('aes256-ctr') }, /in the key derivation none/],
    [{ cipher: str('aes256-ctr'), kdf: str('argon2') }, /in the key derivation argon2/],
    [{ count: u32(0) }, /holds 0 private keys of OpenSSH; keep one in a file/],
    [{ count: u32(2) }, /holds 2 private keys/],
    [{ count: u32(0xffffffff) }, /holds 4294967295 private keys/],
    [{ rest: Buffer.of(0) }, /has 1 bytes too many/],
    [{ section: str('') }, /has half a block/],
    [{ section: str(Buffer.alloc(12)) }, /has half a block/],
    [{ section: u32(0xffffffff) }, /is cut short/],
    [{ blob: str(Buffer.concat([blobOf(ed25519), Buffer.of(0)])) }, /a public key that has 1 bytes too many/],
    [{ blob: str('') }, /a public key that is cut short/],
    [{ blob: str(Buffer.concat([str('ssh-ed25519'), str('short')])) }, /has 5 bytes, not 32/]
  ]
  for (const [parts, message] of cases) refused(t, ed25519, parts, message)
})

t.test('bcrypt: salt and rounds are checked before anything is derived', async t => {
  const parts = encrypted(ed25519, 'word')
  const withOptions = (...options: Buffer[]): Partial<Parts> => ({
    ...parts,
    options: str(Buffer.concat(options))
  })
  const salt = str(Buffer.alloc(16))
  const cases: [Buffer[], RegExp][] = [
    [
      [salt, u32(0)],
      /with 0 rounds of bcrypt; stalk takes 1 to 512, `ssh-keygen -p -a 24 -f COPY` rewrites it/
    ],
    [[salt, u32(513)], /with 513 rounds/],
    [[salt, u32(0xffffffff)], /with 4294967295 rounds/],
    [[salt, u32(16), Buffer.of(0)], /has 1 bytes too many/],
    [[salt], /is cut short/],
    [[str(''), u32(16)], /has a salt of 0 bytes/],
    [[str(Buffer.alloc(129)), u32(16)], /has a salt of 129 bytes/],
    [[], /is cut short/]
  ]
  for (const [options, message] of cases) refused(t, ed25519, withOptions(...options), message)
  t.ok(locked(container(ed25519, withOptions(salt, u32(512)))).locked)
  refused(t, ed25519, { ...parts, section: str(Buffer.alloc(24)) }, /has half a block/)
})

t.test('keys of other kinds are named, encrypted or not', async t => {
  const kinds = [
    'ssh-dss',
    'ecdsa-sha2-nistp256',
    'sk-ssh-ed25519@openssh.com',
    'sk-ecdsa-sha2-nistp256@openssh.com',
    'ssh-ed25519-cert-v01@openssh.com',
    'ssh-xmss@openssh.com'
  ]
  for (const kind of kinds) {
    const message = new RegExp(
      `^FILE: this is a key of the kind ${kind.replaceAll('.', '\\.')}; stalk takes RSA and`
    )
    const blob = str(Buffer.concat([str(kind), str('x')]))
    refused(t, ed25519, { blob }, message, 'KEY_UNSUPPORTED')
    refused(t, ed25519, { ...encrypted(ed25519, 'word'), blob }, message, 'KEY_UNSUPPORTED')
  }
})

t.test('sizes and exponents other than those that stalk takes', async t => {
  const unfit: [Parameters<typeof generateKeyPairSync>[1], RegExp][] = [
    [{ modulusLength: 1024 }, /^FILE: this RSA key has 1024 bits; stalk takes 2048 to 4096/],
    [{ modulusLength: 2047 }, /2047 bits/],
    [{ modulusLength: 4104 }, /4104 bits/],
    [{ modulusLength: 2048, publicExponent: 3 }, /exponent 3/]
  ]
  for (const [options, message] of unfit) {
    const { privateKey } = generateKeyPairSync('rsa', options as { modulusLength: number })
    refused(t, privateKey, {}, message, 'KEY_UNSUPPORTED')
  }
})

t.test('the section: check numbers, padding, comment, what is missing or left over', async t => {
  for (const key of keys) {
    const clear = (section: Partial<Section>): Partial<Parts> => ({ section: str(sectionOf(key, section)) })
    const checks = Buffer.from('0707070707070708', 'hex')
    refused(t, key, clear({ checks }), /has two different check numbers; it is damaged/)
    const hidden = locked(container(key, encrypted(key, 'word', 1, { checks })))
    await t.rejects(hidden.open(Buffer.from('word')), { code: 'ERR_STALK_PASSPHRASE_WRONG' })

    await refusedInside(
      t,
      key,
      { comment: str('a\nb') },
      /comment has a line break or another control character/
    )
    await refusedInside(t, key, { comment: str('a\u001b[2J') }, /control character/)
    await refusedInside(t, key, { comment: str('a\u2028') }, /line break/)
    await refusedInside(
      t,
      key,
      { comment: str('x'.repeat(1_025)) },
      /a key whose comment is longer than 1024 bytes/
    )
    await refusedInside(t, key, { comment: u32(0xffffff) }, /is cut short/)
    const body = sectionOf(key, { padding: Buffer.alloc(0) }).length
    const ends: Buffer[] = [
      Buffer.alloc(8 - (body % 8)),
      Buffer.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]).subarray(0, 16 - (body % 8)),
      Buffer.from([2, 3, 4, 5, 6, 7, 8, 9]).subarray(0, 8 - (body % 8))
    ]
    for (const padding of ends)
      refused(t, key, clear({ padding }), /has something else than padding behind it/)
    t.equal(read(container(key, clear({ comment: str('x'.repeat(1_024)) }))).comment.length, 1_024)
    t.equal(read(container(key, clear({ comment: str('ünïcode') }))).comment, 'ünïcode')
  }
})

t.test('every length of padding is taken', async t => {
  for (let length = 0; length < 16; length++) {
    const section = { comment: str('x'.repeat(length)) }
    t.ok(read(container(ed25519, { section: str(sectionOf(ed25519, section)) })).key.equals(ed25519))
    const hidden = locked(container(ed25519, encrypted(ed25519, 'word', 1, section)))
    t.ok((await hidden.open(Buffer.from('word'))).key.equals(ed25519))
  }
})

t.test('Ed25519: seed, public key and the public key beside it belong together', async t => {
  const [mine, theirs] = [fieldsOf(ed25519), fieldsOf(generateKeyPairSync('ed25519').privateKey)]
  const secret = Buffer.from(mine.secret as Buffer)
  const damaged = /a private key whose parts do not belong together; it is damaged/
  await refusedInside(t, ed25519, { fields: { ...mine, x: theirs.x as Buffer } }, damaged)
  await refusedInside(t, ed25519, { fields: { ...mine, secret: theirs.secret as Buffer } }, damaged)
  const mixed = Buffer.concat([secret.subarray(0, 36), (theirs.secret as Buffer).subarray(36)])
  await refusedInside(t, ed25519, { fields: { ...theirs, secret: mixed } }, damaged)
  const twoKeys = /whose public and private part are of two keys/
  await refusedInside(t, ed25519, { fields: theirs }, twoKeys)
  await refusedInside(t, ed25519, { fields: fieldsOf(rsa) }, twoKeys)
  await refusedInside(t, ed25519, { fields: { ...mine, type: str('ssh-ed25518') } }, twoKeys)
  await refusedInside(
    t,
    ed25519,
    { fields: { ...mine, x: str('short') } },
    /fields of other lengths than Ed25519/
  )
  await refusedInside(
    t,
    ed25519,
    { fields: { ...mine, secret: str(secret.subarray(4, 36)) } },
    /other lengths/
  )
  const lowOrder = Buffer.alloc(32)
  const blob = str(Buffer.concat([str('ssh-ed25519'), str(lowOrder)]))
  refused(t, ed25519, { blob }, /^FILE: this Ed25519 key is of small order/, 'KEY_UNSUPPORTED')
})

t.test('RSA: all numbers belong together and are in their only form', async t => {
  const [mine, theirs] = [fieldsOf(rsa), fieldsOf(other)]
  const damaged = /a private key whose parts do not belong together; it is damaged/
  for (const name of ['n', 'd', 'qi', 'p', 'q'] as const) {
    await refusedInside(t, rsa, { fields: { ...mine, [name]: theirs[name] as Buffer } }, damaged)
  }
  await refusedInside(t, rsa, { fields: theirs }, /public and private part are of two keys/)
  await refusedInside(t, rsa, { fields: { ...mine, p: mine.q as Buffer, q: mine.p as Buffer } }, damaged)
  const one = str(Buffer.of(1))
  await refusedInside(t, rsa, { fields: { ...mine, p: one, q: mine.n as Buffer } }, damaged)
  await refusedInside(t, rsa, { fields: { ...mine, q: one, p: mine.n as Buffer } }, damaged)
  await refusedInside(t, rsa, { fields: { ...mine, e: str(Buffer.of(3)) } }, /exponent 3/, 'KEY_UNSUPPORTED')
  const digits = Buffer.from(rsa.export({ format: 'jwk' }).d ?? '', 'base64url')
  const forms = [
    str(Buffer.concat([Buffer.alloc(2), digits])),
    str(Buffer.concat([Buffer.of(0xff), digits])),
    str(''),
    str(Buffer.of(0))
  ]
  for (const d of forms) {
    await refusedInside(t, rsa, { fields: { ...mine, d } }, /has a number that is not in its only form/)
  }
})

t.test('an exponent beyond the common one of the primes is taken, as other programs make it', async t => {
  const { n, e, d, p, q, qi } = rsa.export({ format: 'jwk' })
  const number = (text: string | undefined): bigint =>
    BigInt(`0x${Buffer.from(text ?? '', 'base64url').toString('hex')}`)
  const phi = (number(p) - 1n) * (number(q) - 1n)
  let long = number(d)
  const step = phi / 2n // the least common multiple divides it
  while (long + step < number(n) && long < step) long += step
  const hex = long.toString(16)
  const bytes = Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex')
  const fields = { type: str('ssh-rsa'), n: mpint(n), e: mpint(e), d: mpint(bytes.toString('base64url')) }
  const section = sectionOf(rsa, { fields: { ...fields, qi: mpint(qi), p: mpint(p), q: mpint(q) } })
  const { key } = read(container(rsa, { section: str(section) }))
  t.equal(key.export({ format: 'jwk' }).n, n)
})

t.test('a key that is cut at any byte, or has a flipped bit, gives a key or a coded error', async t => {
  const ends: Record<string, number> = {}
  const attempt = async (bytes: Buffer): Promise<void> => {
    let end = 'read'
    try {
      const text = readKey(armored(bytes), 'FILE')
      if (text.locked) await text.open(Buffer.from('word'))
    } catch (error) {
      end = error instanceof StalkError ? error.code : `uncoded: ${error}`
    }
    ends[end] = (ends[end] ?? 0) + 1
  }
  for (const key of keys) {
    const bytes = container(key)
    const step = key === rsa ? 67 : 3
    for (let length = 0; length < bytes.length; length += step) {
      t.throws(
        () => read(bytes.subarray(0, length)),
        { code: 'ERR_STALK_KEY_FILE_FORMAT' },
        `${length} bytes`
      )
    }
    for (let bit = 0; bit < bytes.length * 8; bit += step) await attempt(flip(bytes, bit))
    const hidden = container(key, encrypted(key, 'word'))
    for (let bit = 0; bit < hidden.length * 8; bit += step * 29) await attempt(flip(hidden, bit))
  }
  const unknown = Object.keys(ends).filter(
    end => !/^read$|^ERR_STALK_(KEY_FILE_FORMAT|KEY_UNSUPPORTED|PASSPHRASE_WRONG)$/.test(end)
  )
  t.same(unknown, [], JSON.stringify(ends))
})

function flip(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes)
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return flipped
}

t.test('text around: two keys, headers, cut short', async t => {
  const text = armored(container(ed25519))
  const says = (text: string, message: RegExp): void => {
    t.throws(() => readKey(text, 'FILE'), isOf('KEY_FILE_FORMAT', message))
  }
  says(text + text, /holds 2 blocks \(OPENSSH PRIVATE KEY, OPENSSH PRIVATE KEY\); keep one in a file/)
  says(text.replace(/-----END.*/s, ''), /without its END line; it is cut short/)
  says(text.replace('\n', '\nComment: x\n\n'), /a block that is not well formed/)
  says(armored(container(ed25519), 'OPENSSH PUBLIC KEY'), /a block `OPENSSH PUBLIC KEY`; a PEM block/)
  says(armored(ed25519.export({ type: 'pkcs8', format: 'der' })), /does not begin as one/)
  const line = `ssh-ed25519 ${blobOf(ed25519).toString('base64')}\n`
  says(text + line, /a block `OPENSSH PRIVATE KEY` and a public key of OpenSSH; keep one in a file/)
  t.ok(createPrivateKey(ed25519.export({ type: 'pkcs8', format: 'pem' })).equals(ed25519))
})
