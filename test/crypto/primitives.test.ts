// HKDF and X25519 against the RFCs' vectors; every X25519 share of small order is refused.

import t from 'tap'
import { Ephemeral, equal, expand, extract, hmac, sha256 } from '../../lib/crypto/primitives.ts'
import { hex } from '../helpers/tamper.ts'

const range = (first: number, last: number): Buffer =>
  Buffer.from(Array.from({ length: last - first + 1 }, (_, i) => first + i))

// RFC 5869, appendix A, test cases 1 to 3
const HKDF = [
  {
    name: 'A.1',
    salt: range(0x00, 0x0c),
    keyMaterial: Buffer.alloc(22, 0x0b),
    info: range(0xf0, 0xf9),
    prk: '077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5',
    okm: '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865'
  },
  {
    name: 'A.2',
    salt: range(0x60, 0xaf),
    keyMaterial: range(0x00, 0x4f),
    info: range(0xb0, 0xff),
    prk: '06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244',
    okm: `b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09
          da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87`
  },
  {
    name: 'A.3',
    salt: Buffer.alloc(0),
    keyMaterial: Buffer.alloc(22, 0x0b),
    info: Buffer.alloc(0),
    prk: '19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04',
    okm: '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8'
  }
]

t.test('Extract and Expand give what RFC 5869 says', async t => {
  for (const { name, salt, keyMaterial, info, prk, okm } of HKDF) {
    t.same(extract(salt, keyMaterial), hex(prk), `${name}, Extract`)
    t.same(expand(hex(prk), info, hex(okm).length), hex(okm), `${name}, Expand`)
  }
})

t.test('Expand gives a prefix for a shorter length, and at most 255 blocks', async t => {
  const long = expand(hex('0a'), hex('0b'), 255 * 32)
  t.equal(long.length, 8160)
  for (const length of [0, 1, 31, 32, 33, 64, 8159]) {
    t.same(expand(hex('0a'), hex('0b'), length), long.subarray(0, length), `${length} bytes`)
  }
  t.throws(() => expand(hex('0a'), hex('0b'), 255 * 32 + 1), {
    code: 'ERR_STALK_INTERNAL',
    message: /HKDF cannot expand to 8161 bytes/
  })
})

t.test('hashes and MACs are of all parts, joined', async t => {
  const abc = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' // FIPS 180-2, appendix B.1
  t.same(sha256(Buffer.from('abc')), hex(abc))
  t.same(sha256(Buffer.from('a'), Buffer.alloc(0), Buffer.from('bc')), hex(abc))
  // RFC 4231, section 4.3
  const mac = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
  t.same(hmac(Buffer.from('Jefe'), Buffer.from('what do ya want for nothing?')), hex(mac))
  t.same(hmac(Buffer.from('Jefe'), Buffer.from('what do ya '), Buffer.from('want for nothing?')), hex(mac))
})

t.test('equal compares bytes, and unequal lengths without throwing', async t => {
  t.ok(equal(hex('0102'), hex('0102')))
  t.ok(equal(hex(''), hex('')))
  t.notOk(equal(hex('0102'), hex('0103')))
  t.notOk(equal(hex('0102'), hex('8102')))
  t.notOk(equal(hex('0102'), hex('010200')))
  t.notOk(equal(hex(''), hex('00')))
})

// RFC 7748, section 6.1
const ALICE = {
  privateKey: hex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  share: hex('8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a')
}
const BOB = {
  privateKey: hex('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'),
  share: hex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
}
const SHARED = hex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742')

const alice = (): Ephemeral => new Ephemeral(() => Buffer.from(ALICE.privateKey))
const bob = (): Ephemeral => new Ephemeral(() => Buffer.from(BOB.privateKey))

t.test('X25519 gives the shares and the secret of RFC 7748', async t => {
  t.same(alice().share, ALICE.share)
  t.same(bob().share, BOB.share)
  t.same(alice().agree(BOB.share), SHARED)
  t.same(bob().agree(ALICE.share), SHARED)
})

t.test('a private key is 32 bytes of the randomness that was passed in', async t => {
  const asked: number[] = []
  new Ephemeral(bytes => {
    asked.push(bytes)
    return Buffer.alloc(bytes, 7)
  })
  t.same(asked, [32])
})

t.test("the highest bit of a peer's share is ignored", async t => {
  const share = Buffer.from(BOB.share)
  share.writeUInt8(share.readUInt8(31) | 0x80, 31)
  t.same(alice().agree(share), SHARED)
})

// All u of order 1, 2, 4 or 8, on the curve or its twist, in every encoding that fits 255 bits: 0, 1, the two
// of order 8, p − 1, and the not canonical p = 0 and p + 1 = 1.
const SMALL_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
]

t.test('every share of small order is refused, the highest bit set or not', async t => {
  for (const text of SMALL_ORDER) {
    for (const high of [0x00, 0x80]) {
      const share = hex(text)
      share.writeUInt8(share.readUInt8(31) | high, 31)
      t.throws(
        () => alice().agree(share),
        {
          code: 'ERR_STALK_BAD_KEY',
          message: "the peer's X25519 share is of small order",
          phase: 'handshake'
        },
        share.toString('hex')
      )
    }
  }
})

t.test('an ordinary share works after a refused one', async t => {
  const ephemeral = alice()
  t.throws(() => ephemeral.agree(Buffer.alloc(32)), { code: 'ERR_STALK_BAD_KEY', message: /small order/ })
  t.same(ephemeral.agree(BOB.share), SHARED)
})
