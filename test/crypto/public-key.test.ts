// Raw public keys: which are taken, which are refused and with what words. The list of small-order points is
// written out here, so that the test doesn't share the formula under test.

import {
  createPublicKey,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify
} from 'node:crypto'
import t from 'tap'
import { fromRaw, type KeyType, type RawPublicKey, toRaw } from '../../lib/crypto/public-key.ts'

const P = 2n ** 255n - 19n
const D = 0x52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3n

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')

const ed = (hex: string): RawPublicKey => ({ type: 'ed25519', bytes: Buffer.from(hex, 'hex') })

function littleEndian(y: bigint, sign = 0): Buffer {
  const bytes = Buffer.from(y.toString(16).padStart(64, '0'), 'hex').reverse()
  bytes[31] = (bytes[31] ?? 0) | (sign << 7)
  return bytes
}

function modulus(length: number, first = 0x80, last = 1): RawPublicKey {
  const bytes = randomBytes(length)
  bytes[0] = first
  bytes[length - 1] = last
  return { type: 'rsa', bytes }
}

t.test('a key comes back from its raw form as the same key', async t => {
  for (const { publicKey, privateKey } of [rsa, ed25519]) {
    const raw = toRaw(privateKey)
    t.same(raw, toRaw(publicKey), 'the private key has the raw form of its public key')
    t.ok(Object.isFrozen(raw))
    t.ok(fromRaw(raw).equals(publicKey))
    t.same(toRaw(fromRaw(raw)), raw)
  }
  t.equal(toRaw(ed25519.publicKey).bytes.length, 32)
  t.equal(toRaw(rsa.publicKey).bytes.length, 256)
})

t.test('the raw form holds the numbers that OpenSSL writes into SPKI', async t => {
  const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' })
  t.same(spki(ed25519.publicKey).subarray(-32), toRaw(ed25519.publicKey).bytes)
  const end = spki(rsa.publicKey)
  t.same(end.subarray(-256 - 5, -5), toRaw(rsa.publicKey).bytes)
  t.same(end.subarray(-5), Buffer.from('0203010001', 'hex'), 'and 65537 behind it')
})

t.test('a key from its raw form verifies what the private key signed', async t => {
  const text = Buffer.from('text')
  t.ok(verify(null, text, fromRaw(toRaw(ed25519.publicKey)), sign(null, text, ed25519.privateKey)))
  t.ok(verify('sha256', text, fromRaw(toRaw(rsa.publicKey)), sign('sha256', text, rsa.privateKey)))
})

const publicRsa = ({ bytes }: RawPublicKey): KeyObject =>
  createPublicKey({ key: { kty: 'RSA', n: bytes.toString('base64url'), e: 'AQAB' }, format: 'jwk' })

t.test('RSA keys of ours are taken at both ends of the range and at every whole byte between', async t => {
  for (const length of [256, 257, 384, 511, 512]) {
    const raw = modulus(length)
    t.same(toRaw(publicRsa(raw)), raw, `${length} bytes`)
  }
})

t.test('keys of ours that are not supported are refused with what they are', async t => {
  const make = (bits: number, publicExponent = 65537): KeyObject =>
    generateKeyPairSync('rsa', { modulusLength: bits, publicExponent }).publicKey
  const flat = { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') }
  const cases: [unknown, RegExp][] = [
    [generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, /type ec; stalk takes RSA and Ed25519/],
    [generateKeyPairSync('x25519').privateKey, /type x25519/],
    [generateKeyPairSync('ed448').publicKey, /type ed448/],
    [generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, /type rsa-pss/],
    [make(1024), /has 1024 bits; stalk takes 2048 to 4096/],
    [make(2047), /has 2047 bits; stalk takes 2048 to 4096/],
    [publicRsa(modulus(255)), /has 2040 bits; stalk takes 2048 to 4096/],
    [publicRsa(modulus(513)), /has 4104 bits; stalk takes 2048 to 4096/],
    [publicRsa(modulus(257, 1)), /has 2049 bits; stalk takes whole bytes only/],
    [publicRsa(modulus(257, 8)), /has 2052 bits; stalk takes whole bytes only/],
    [make(2048, 3), /has the exponent 3; stalk takes 65537 only/],
    [publicRsa(modulus(1025)), /has 8200 bits/],
    [publicRsa(modulus(256, 0x80, 2)), /this RSA key is even/],
    [createPublicKey({ key: flat, format: 'jwk' }), /this Ed25519 key is of small order/],
    [createSecretKey(Buffer.alloc(32)), /not a public or private KeyObject/],
    ['a string', /not a public or private KeyObject/],
    [undefined, /not a public or private KeyObject/]
  ]
  for (const [key, message] of cases) {
    t.throws(() => toRaw(key as KeyObject), { code: 'ERR_STALK_KEY_UNSUPPORTED', phase: 'setup', message })
  }
})

t.test('RSA keys of a peer are refused unless they are 256 to 512 bytes, top and low bit set', async t => {
  const cases: [RawPublicKey, RegExp][] = [
    [modulus(255), /RSA key refused: it has 255 bytes, not 256 to 512/],
    [modulus(513), /has 513 bytes/],
    [modulus(1025), /has 1025 bytes/],
    [{ type: 'rsa', bytes: Buffer.alloc(0) }, /has 0 bytes/],
    [modulus(256, 0x7f), /does not begin with a set bit/],
    [modulus(257, 0x00), /does not begin with a set bit/],
    [modulus(256, 0x80, 2), /is even/],
    [{ type: 'rsa', bytes: Buffer.alloc(256) }, /does not begin with a set bit/]
  ]
  for (const [raw, message] of cases) {
    t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', phase: 'handshake', fault: 'peer', message })
  }
  for (const length of [256, 257, 384, 512]) {
    const key = fromRaw(modulus(length))
    t.match(key.asymmetricKeyDetails, { modulusLength: length * 8, publicExponent: 65537n })
  }
})

t.test('all encodings of the eight points of small order are refused', async t => {
  const eighth = '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc'
  const otherEighth = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03'
  const small = [
    littleEndian(1n).toString('hex'),
    littleEndian(P - 1n).toString('hex'),
    littleEndian(0n).toString('hex'),
    littleEndian(0n, 1).toString('hex'),
    `${eighth}05`,
    `${eighth}85`,
    `${otherEighth}7a`,
    `${otherEighth}fa`,
    // x = 0 with the sign bit set, which RFC 8032 forbids
    littleEndian(1n, 1).toString('hex'),
    littleEndian(P - 1n, 1).toString('hex')
  ]
  for (const hex of small) {
    t.throws(() => fromRaw(ed(hex)), { code: 'ERR_STALK_BAD_KEY', message: /it is of small order/ }, hex)
  }
  t.equal(new Set(small).size, 10)
})

t.test('a y of p or more is refused, with either sign', async t => {
  for (let y = P; y < 2n ** 255n; y++) {
    for (const sign of [0, 1]) {
      const raw: RawPublicKey = { type: 'ed25519', bytes: littleEndian(y, sign) }
      t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', message: /it is not in canonical form/ })
    }
  }
})

t.test('a y that no point of the curve has is refused, and every other one taken', async t => {
  let taken = 0
  for (let i = 0; i < 200; i++) {
    const bytes = randomBytes(32)
    bytes[31] = (bytes[31] ?? 0) & 0x7f
    const raw: RawPublicKey = { type: 'ed25519', bytes }
    const y = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
    if (jacobi((y * y - 1n) * (D * y * y + 1n), P) === 1) {
      fromRaw(raw)
      taken++
    } else {
      t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', message: /it is not a point of the curve/ })
    }
  }
  t.ok(taken > 40 && taken < 160, `about half are points: ${taken}`)
})

t.test('every key that is generated is taken', async t => {
  for (let i = 0; i < 100; i++) fromRaw(toRaw(generateKeyPairSync('ed25519').publicKey))
  t.pass('100 keys')
})

t.test('the length and the type of a raw key are checked before anything else', async t => {
  for (const length of [0, 31, 33, 64]) {
    const raw: RawPublicKey = { type: 'ed25519', bytes: Buffer.alloc(length, 7) }
    t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', message: `it has ${length} bytes, not 32` })
  }
  const raw: RawPublicKey = { type: 'dsa' as KeyType, bytes: Buffer.alloc(32) }
  t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', message: /public key refused: it is of no type/ })
})

t.test('if OpenSSL refuses a key after all, that is a coded error with its cause', async t => {
  const raw = toRaw(ed25519.publicKey)
  raw.bytes.toString = () => 'too short'
  const error = t.throws(() => fromRaw(raw), { code: 'ERR_STALK_BAD_KEY', message: /refused by OpenSSL/ })
  t.match(error, { cause: { code: 'ERR_CRYPTO_INVALID_JWK' } })
})

/**
 * The Jacobi symbol, by reciprocity: another way to the answer that the library gets by Euler's criterion.
 */
function jacobi(value: bigint, modulus: bigint): number {
  let [a, n, sign] = [((value % modulus) + modulus) % modulus, modulus, 1]
  while (a !== 0n) {
    while (a % 2n === 0n) {
      a /= 2n
      if (n % 8n === 3n || n % 8n === 5n) sign = -sign
    }
    if (a % 4n === 3n && n % 4n === 3n) sign = -sign
    const rest: bigint = n % a
    n = a
    a = rest
  }
  return n === 1n ? sign : 0
}
