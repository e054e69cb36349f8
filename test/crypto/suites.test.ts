// Cipher suites: published vectors, round trips, and that nothing but the genuine record ever opens.

import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import {
  DEFAULT_SUITES,
  SUITES,
  type Suite,
  type SuiteName,
  type TrafficKeys
} from '../../lib/crypto/suites.ts'
import { flip, hex } from '../helpers/tamper.ts'

const GCM = SUITES['X25519-AES256GCM-SHA256']
const CHACHA = SUITES['X25519-CHACHA20POLY1305-SHA256']
const OFB = SUITES['X25519-AES256OFB-HMACSHA256']
const ALL = Object.values(SUITES)

const keysFor = (suite: Suite): TrafficKeys => ({
  key: randomBytes(32),
  iv: randomBytes(suite.ivBytes),
  mac: randomBytes(32)
})

/** Seals as the suite does, joined to one piece. */
function sealing(suite: Suite, keys: TrafficKeys): (n: number, aad: Buffer, ...parts: Buffer[]) => Buffer {
  const seal = suite.sealing(keys)
  return (sequence, aad, ...parts) => Buffer.concat(seal(sequence, aad, ...parts))
}

const AAD = hex('e4000021')
const PLAINTEXT = Buffer.from('attack at dawn')

t.test('the suites have the ids, names and lengths of the protocol', async t => {
  t.same(
    ALL.map(({ id, name, ivBytes, tagBytes }) => [id, name, ivBytes, tagBytes]),
    [
      [1, 'X25519-AES256GCM-SHA256', 12, 16],
      [2, 'X25519-CHACHA20POLY1305-SHA256', 12, 16],
      [3, 'X25519-AES256OFB-HMACSHA256', 16, 32]
    ]
  )
  for (const [name, suite] of Object.entries(SUITES)) t.equal(suite.name, name)
  t.same(DEFAULT_SUITES, [GCM.name, CHACHA.name] satisfies SuiteName[], 'OFB has to be asked for')
})

t.test('ChaCha20-Poly1305 gives what RFC 8439, section 2.8.2 says', async t => {
  const keys = {
    key: hex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f'),
    iv: hex('070000004041424344454647'),
    mac: Buffer.alloc(0)
  }
  const aad = hex('50515253c0c1c2c3c4c5c6c7')
  const plaintext = Buffer.from(
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it."
  )
  const sealed = hex(`
    d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b
    1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc
    3ff4def08e4b7a9de576d26586cec64b6116 1ae10b594f09e26a7e902ecbd0600691`)
  t.same(sealing(CHACHA, keys)(0, aad, plaintext), sealed)
  t.same(CHACHA.opening(keys)(0, aad, sealed), plaintext)
})

t.test('AES-256-GCM gives what its specification says (McGrew and Viega, test case 16)', async t => {
  const keys = {
    key: hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
    iv: hex('cafebabefacedbaddecaf888'),
    mac: Buffer.alloc(0)
  }
  const aad = hex('feedfacedeadbeeffeedfacedeadbeefabaddad2')
  const plaintext = hex(`
    d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
    1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39`)
  const sealed = hex(`
    522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
    8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662 76fc6ece0f4e1768cddf8853bb2d551b`)
  t.same(sealing(GCM, keys)(0, aad, plaintext), sealed)
  t.same(GCM.opening(keys)(0, aad, sealed), plaintext)
})

t.test('AES-256-OFB gives what SP 800-38A, F.4.5 says, also when cut into records', async t => {
  const keys = {
    key: hex('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4'),
    iv: hex('000102030405060708090a0b0c0d0e0f'),
    mac: hex('00')
  }
  const plaintext = hex(`
    6bc1bee22e409f96e93d7e117393172a ae2d8a571e03ac9c9eb76fac45af8e51
    30c81c46a35ce411e5fbc1191a0a52ef f69f2445df4f9b17ad2b417be66c3710`)
  const ciphertext = hex(`
    dc7e84bfda79164b7ecd8486985d3860 4febdc6740d20b3ac88f6ad82a4fb08d
    71ab47a086e86eedf39d1c5bba97c408 0126141d67f37be8538f5a8be740e484`)
  t.same(sealing(OFB, keys)(0, AAD, plaintext).subarray(0, 64), ciphertext)
  const seal = sealing(OFB, keys)
  const parts = [0, 5, 16, 17, 40].map((start, i, all) => plaintext.subarray(start, all[i + 1]))
  const records = parts.map((part, i) => seal(i, AAD, part).subarray(0, part.length))
  t.same(Buffer.concat(records), ciphertext)
})

t.test('what is sealed opens, in one part or several, empty or long', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const [seal, open] = [sealing(suite, keys), suite.opening(keys)]
    for (const [sequence, length] of [0, 1, 15, 16, 17, 65_536].entries()) {
      const plaintext = randomBytes(length)
      const cut = length >> 1
      const sealed = seal(sequence, AAD, plaintext.subarray(0, cut), plaintext.subarray(cut))
      t.equal(sealed.length, length + suite.tagBytes)
      t.same(open(sequence, AAD, sealed), plaintext, `${suite.name}, ${length} bytes`)
    }
  }
})

t.test('any parts, at any sequence, come back joined', async t => {
  const part = fc.uint8Array({ maxLength: 50 }).map(bytes => Buffer.from(bytes))
  const sequence = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }))
  const comesBack = fc.property(fc.constantFrom(...ALL), fc.array(part), sequence, (suite, parts, n) => {
    const keys = keysFor(suite)
    const sealed = sealing(suite, keys)(n, AAD, ...parts)
    return suite.opening(keys)(n, AAD, sealed)?.equals(Buffer.concat(parts)) === true
  })
  t.doesNotThrow(() => fc.assert(comesBack))
})

t.test('one flipped bit anywhere, and it does not open', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const sealed = sealing(suite, keys)(5, AAD, PLAINTEXT)
    const open = suite.opening(keys)
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      if (open(5, AAD, flip(sealed, bit)) !== null) t.fail(`${suite.name} opened with bit ${bit} flipped`)
    }
    for (let bit = 0; bit < AAD.length * 8; bit++) {
      if (open(5, flip(AAD, bit), sealed) !== null)
        t.fail(`${suite.name} opened with bit ${bit} of aad flipped`)
    }
    t.same(open(5, AAD, sealed), PLAINTEXT, 'the genuine one opens after all that')
  }
})

t.test('another sequence, other keys or other additional data do not open it', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const sealed = sealing(suite, keys)(5, AAD, PLAINTEXT)
    for (const other of [0, 4, 6, 5 + 2 ** 8, 5 + 2 ** 32, 2 ** 53 - 1]) {
      t.equal(suite.opening(keys)(other, AAD, sealed), null, `${suite.name}, sequence ${other}`)
    }
    t.equal(suite.opening(keysFor(suite))(5, AAD, sealed), null)
    t.equal(suite.opening(keys)(5, Buffer.alloc(0), sealed), null)
    t.equal(suite.opening(keys)(5, Buffer.concat([AAD, hex('00')]), sealed), null)
  }
})

t.test('each part of the keys matters', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const sealed = sealing(suite, keys)(0, AAD, PLAINTEXT)
    const opensWith = (other: Partial<TrafficKeys>): Buffer | null =>
      suite.opening({ ...keys, ...other })(0, AAD, sealed)
    t.not(opensWith({ key: flip(keys.key, 200) })?.toString(), PLAINTEXT.toString(), `${suite.name}, key`)
    t.not(opensWith({ iv: flip(keys.iv, 90) })?.toString(), PLAINTEXT.toString(), `${suite.name}, iv`)
    if (suite === OFB) t.equal(opensWith({ mac: flip(keys.mac, 1) }), null, 'mac')
    else t.same(opensWith({ mac: flip(keys.mac, 1) }), PLAINTEXT, 'AEADs have no mac key')
  }
})

t.test('a truncated tag is refused at every length', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const sealed = sealing(suite, keys)(0, AAD, PLAINTEXT)
    const nothing = sealing(suite, keys)(0, AAD)
    for (let length = 0; length < suite.tagBytes; length++) {
      t.equal(suite.opening(keys)(0, AAD, sealed.subarray(0, PLAINTEXT.length + length)), null)
      t.equal(
        suite.opening(keys)(0, AAD, nothing.subarray(0, length)),
        null,
        `a tag of ${length} bytes alone`
      )
    }
    t.equal(suite.opening(keys)(0, AAD, Buffer.concat([sealed, hex('00')])), null, 'one byte more')
  }
})

t.test('the same plaintext never gives the same bytes twice', async t => {
  for (const suite of ALL) {
    const seal = sealing(suite, keysFor(suite))
    const seen = new Set<string>()
    // Every bit of the sequence that a safe integer has, and the first 4,096.
    const sequences = [...Array(4096).keys(), ...Array.from({ length: 41 }, (_, i) => 2 ** (12 + i))]
    for (const sequence of sequences) {
      seen.add(seal(sequence, AAD, Buffer.alloc(16)).subarray(0, 16).toString('hex'))
    }
    t.equal(seen.size, sequences.length, suite.name)
  }
})

t.test('the nonce is the iv with the sequence in its last eight bytes', async t => {
  for (const suite of [GCM, CHACHA]) {
    const keys = keysFor(suite)
    const iv = Buffer.from(keys.iv)
    iv.writeBigUInt64BE(iv.readBigUInt64BE(4) ^ 0x0001_0203_0405_0607n, 4)
    const direct = sealing(suite, { ...keys, iv })(0, AAD, PLAINTEXT)
    t.same(sealing(suite, keys)(0x0001_0203_0405_0607, AAD, PLAINTEXT), direct, suite.name)
  }
})

t.test('OFB: the keystream runs on across records, of any length', async t => {
  const keys = keysFor(OFB)
  const whole = sealing(OFB, keys)(0, AAD, Buffer.alloc(400))
  const [seal, open] = [sealing(OFB, keys), OFB.opening(keys)]
  let at = 0
  for (const [sequence, length] of [1, 0, 15, 16, 31, 100, 3, 234].entries()) {
    const sealed = seal(sequence, AAD, Buffer.alloc(length))
    t.same(sealed.subarray(0, length), whole.subarray(at, at + length), `${length} bytes at ${at}`)
    t.same(open(sequence, AAD, sealed), Buffer.alloc(length))
    at += length
  }
})

t.test('OFB: a forged record does not advance the keystream', async t => {
  const keys = keysFor(OFB)
  const [seal, open] = [sealing(OFB, keys), OFB.opening(keys)]
  t.same(open(0, AAD, seal(0, AAD, PLAINTEXT)), PLAINTEXT)
  const sealed = seal(1, AAD, PLAINTEXT)
  for (let bit = 0; bit < sealed.length * 8; bit++) open(1, AAD, flip(sealed, bit))
  t.equal(open(0, AAD, sealed), null)
  t.equal(open(1, AAD, randomBytes(1000)), null)
  t.equal(open(1, AAD, Buffer.alloc(31)), null)
  t.same(open(1, AAD, sealed), PLAINTEXT)
})

t.test('OFB: the tag covers sequence, header and ciphertext, under a key of its own', async t => {
  const keys = keysFor(OFB)
  const sealed = sealing(OFB, keys)(7, AAD, PLAINTEXT)
  const other = sealing(OFB, { ...keys, mac: randomBytes(32) })(7, AAD, PLAINTEXT)
  const end = PLAINTEXT.length
  t.same(sealed.subarray(0, end), other.subarray(0, end), 'same keystream')
  t.notSame(sealed.subarray(end), other.subarray(end), 'other tag')
})

t.test('sealing and opening leave the keys and the plaintext as they were', async t => {
  for (const suite of ALL) {
    const keys = keysFor(suite)
    const before = [keys.key, keys.iv, keys.mac].map(key => key.toString('hex'))
    const plaintext = Buffer.from(PLAINTEXT)
    const sealed = sealing(suite, keys)(3, AAD, plaintext)
    suite.opening(keys)(3, AAD, sealed)
    t.same(
      [keys.key, keys.iv, keys.mac].map(key => key.toString('hex')),
      before
    )
    t.same(plaintext, PLAINTEXT)
  }
})
