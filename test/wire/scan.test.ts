// The scan before decoding: what it refuses and why, and that msgpackr decodes whatever it accepts.

import { deepStrictEqual } from 'node:assert'
import fc from 'fast-check'
import t from 'tap'
import { MAX_DEPTH, MAX_VALUES } from '../../lib/constants.ts'
import { StalkError } from '../../lib/errors.ts'
import { keepMarks, pack, unpack } from '../../lib/wire/packer.ts'
import { hasMark, markedStrings, scan } from '../../lib/wire/scan.ts'
import { anyValue, comparable, noise } from './arbitrary.ts'
import { reference } from './reference.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

const scanAll = (bytes: Buffer): number => scan(bytes, 0, bytes.length)

function refusalOf(bytes: Buffer): string {
  try {
    scanAll(bytes)
  } catch (error) {
    if (error instanceof StalkError && error.code === 'ERR_STALK_BAD_MESSAGE' && error.fault === 'peer')
      return error.message
    throw error
  }
  throw new Error(`it was not refused: ${bytes.toString('hex')}`)
}

/** Whether the scan takes all of it; then msgpackr must decode it, to something that we can send back. */
function accepted(bytes: Buffer): boolean {
  try {
    if (scanAll(bytes) !== bytes.length) return false
  } catch (error) {
    if (error instanceof StalkError && error.code === 'ERR_STALK_BAD_MESSAGE') return false
    throw error
  }
  const value = unpack(keepMarks(bytes))
  deepStrictEqual(comparable(value), comparable(reference(bytes)))
  const again = pack(value)
  if (scanAll(again) !== again.length) throw new Error('what was decoded does not encode')
  return true
}

const REFUSED: readonly (readonly [bytes: string, text: string])[] = [
  ['', 'the end within a value at byte 0 of a message'],
  ['c1', 'the byte c1 at byte 0 of a message'],
  ['92 01', 'more values announced than there are at byte 0 of a message'],
  ['92 01 cd01', 'the end within a value at byte 2 of a message'],
  ['dd ffffffff', 'more values announced than there are at byte 0 of a message'],
  ['df 7fffffff 00', 'more values announced than there are at byte 0 of a message'],
  ['dc 00', 'the end within a value at byte 0 of a message'],
  ['82 a161 01', 'more values announced than there are at byte 0 of a message'],
  ['81 a161', 'the end within a value at byte 3 of a message'],
  ['82 a26161 01', 'the end within a map at byte 5 of a message'],
  ['a5 61', 'the end within a value at byte 0 of a message'],
  ['d9', 'the end within a value at byte 0 of a message'],
  ['db ffffffff 61', 'the end within a value at byte 0 of a message'],
  ['c6 ffffffff', 'the end within a value at byte 0 of a message'],
  ['c7', 'the end within a value at byte 0 of a message'],
  ['c9 ffffffff 74 00', 'the end within a value at byte 0 of a message'],
  ['a1 ff', 'a string that is not UTF-8 at byte 1 of a message'],
  ['a3 eda080', 'a string that is not UTF-8 at byte 1 of a message'],
  ['a2 c080', 'a string that is not UTF-8 at byte 1 of a message'],
  ['81 01 01', 'a key that is not a string at byte 1 of a message'],
  ['81 c4 0161 01', 'a key that is not a string at byte 1 of a message'],
  ['81 a95f5f70726f746f5f5f 01', 'a key named __proto__ at byte 1 of a message'],
  ['81 d9095f5f70726f746f5f5f 01', 'a key named __proto__ at byte 1 of a message'],
  ['82 a161 01 a161 01', 'a key that is there twice at byte 4 of a message'],
  ['82 a0 01 d900 01', 'a key that is there twice at byte 3 of a message'],
  ['82 a161 01 da000161 01', 'a key that is there twice at byte 4 of a message'],
  ['d4 73', 'the end within a value at byte 0 of a message'],
  ['d4 73 00', 'a set without an array at byte 0 of a message'],
  ['d4 73 00 c0', 'a set without an array at byte 0 of a message'],
  ['d4 73 00 d4730090', 'a set without an array at byte 0 of a message'],
  ['d4 73 01 90', 'a set whose filler is not 00 at byte 0 of a message'],
  // An extension without data, where the byte behind it would do as its first.
  ['92 c70074 01', 'an extension of type 74 that is not allowed at byte 1 of a message']
]

t.test('what is refused is named, with its place', async t => {
  for (const [bytes, text] of REFUSED) t.equal(refusalOf(hex(bytes)), text, bytes)
})

t.test('every byte beyond 7f alone is refused as a string, and as a key', async t => {
  for (let byte = 0x80; byte <= 0xff; byte++) {
    const one = Buffer.of(byte).toString('hex')
    t.equal(refusalOf(hex(`a1 ${one}`)), 'a string that is not UTF-8 at byte 1 of a message', one)
    t.equal(refusalOf(hex(`81 a1 ${one} 01`)), 'a string that is not UTF-8 at byte 2 of a message', one)
  }
})

t.test('nothing but a string is a key, whatever its first byte', async t => {
  for (let token = 0; token <= 0xff; token++) {
    if ((token >= 0xa0 && token < 0xc0) || (token >= 0xd9 && token <= 0xdb)) continue
    const bytes = Buffer.concat([Buffer.of(0x81, token), Buffer.alloc(20)])
    t.equal(refusalOf(bytes), 'a key that is not a string at byte 1 of a message', token.toString(16))
  }
})

t.test('keys that are not __proto__, only like it, are taken', async t => {
  for (const key of ['_12345678', '__proto_', '__proto___', '_-proto__', 'xxproto__', '__PROTO__']) {
    const bytes = Buffer.concat([hex('81'), pack(key), hex('01')])
    t.equal(scanAll(bytes), bytes.length, key)
  }
})

const BAD_EXTENSIONS = [
  'd40001', // undefined with another filler
  'c7010000', // undefined, longer
  'c70000',
  'd5000000',
  'c70042', // a bigint of no bytes
  `c80401 42 ${'00'.repeat(1025)}`, // one of too many
  'd4740b', // no such array
  'd474ff',
  'd4740f',
  'c70074',
  'c702740700', // a Float32Array with 1 byte
  'c70a7409000000000000000000',
  'd4ff00', // dates of other forms
  'd4fffe',
  'c701ffff',
  'd5ffffff',
  'c700ff',
  'd8ff00000000000000000000000000000000',
  `d7ff ${(4_000_000_000).toString(16)} 00000000`, // a billion nanoseconds
  'c70cff 3b9aca00 0000000000000000',
  'c70cff 00000000 000007dba8218001', // a second too late, too early
  'c70cff 00000001 000007dba8218000',
  'c70cff 00000000 fffff82457de7fff',
  'c70cff 00000000 0100000000000000', // bytes that msgpackr does not look at
  'c70173009101', // a set in another form
  'd573000091',
  'd472409101', // record definitions, bundled strings, errors, references, regular expressions
  'd57240009101',
  'd66200000000',
  'd4650093a1',
  'd66900000001',
  'd67000000001',
  'd4780092a161a0',
  'd40100', // anything else
  'd48000',
  'c7007f'
]

t.test('extensions in another form, and all others, are refused', async t => {
  for (const bytes of BAD_EXTENSIONS)
    t.match(refusalOf(hex(bytes)), /^an extension of type [0-9a-f]{2} that is not allowed at byte 0/, bytes)
})

t.test('each of the 256 extension types is refused in each form but those of the list', async t => {
  const allowed = new Set<string>()
  for (let type = 0; type < 256; type++) {
    for (const [token, length] of [
      [0xd4, 1],
      [0xd5, 2],
      [0xd6, 4],
      [0xd7, 8],
      [0xd8, 16]
    ] as const) {
      const bytes = Buffer.from([token, type, ...new Array(length).fill(0), 0x90])
      try {
        scan(bytes, 0, bytes.length)
        allowed.add(`${token.toString(16)}${type.toString(16).padStart(2, '0')}`)
      } catch {}
    }
  }
  t.same([...allowed].sort(), [
    'd400',
    'd442',
    'd473',
    'd474',
    'd542',
    'd574',
    'd642',
    'd674',
    'd6ff',
    'd742',
    'd774',
    'd7ff',
    'd842',
    'd874'
  ])
})

/** By code: what one element of a typed array, an ArrayBuffer or a DataView takes, in bytes. */
const ELEMENTS = new Map([1, 1, 1, 2, 2, 4, 4, 4, 8, 8, 8].map((size, code) => [code, size]))
ELEMENTS.set(16, 1).set(17, 1)

t.test('binary data of each code has whole elements', async t => {
  for (let code = 0; code < 256; code++) {
    const size = ELEMENTS.get(code)
    for (let length = 0; length <= 24; length++) {
      const bytes = Buffer.from([0xc7, 1 + length, 0x74, code, ...new Array(length).fill(0)])
      const whole = size !== undefined && length % size === 0
      if (accepted(bytes) !== whole) t.fail(`code ${code} with ${length} bytes`)
    }
  }
})

const ACCEPTED: readonly (readonly [bytes: string, value: unknown])[] = [
  ['cc01', 1],
  ['cd0001', 1],
  ['ce00000001', 1],
  ['d0ff', -1],
  ['d1ffff', -1],
  ['d2ffffffff', -1],
  ['cf0000000000000001', 1n],
  ['d3ffffffffffffffff', -1n],
  ['ca3fc00000', 1.5],
  ['ca80000000', -0],
  ['cb8000000000000000', -0],
  ['40', 64],
  ['7f', 127],
  ['e0', -32],
  ['d90161', 'a'],
  ['da000161', 'a'],
  ['db0000000161', 'a'],
  ['dc000101', [1]],
  ['dd0000000101', [1]],
  ['de0001a16101', { a: 1 }],
  ['df00000001db000000016101', { a: 1 }],
  ['c5000101', Buffer.of(1)],
  ['c60000000101', Buffer.of(1)],
  ['d4730090', new Set()],
  ['d47300dd0000000101', new Set([1])],
  ['d442ff', -1n],
  ['d5420100', 256n],
  ['c70342010000', 65536n],
  ['c8000242ffff', -1n],
  [`c80400 42 00${'ff'.repeat(1023)}`, 2n ** 8184n - 1n],
  ['d47401', new Uint8Array()],
  ['d5740105', Uint8Array.of(5)],
  ['c900000002740105', Uint8Array.of(5)],
  ['c704ff00000001', new Date(1000)],
  ['c80004ff00000001', new Date(1000)],
  ['c708ff0000000000000001', new Date(1000)],
  ['d7ffee6b27fc00000000', new Date(999)],
  ['d7ff0000000300000000', new Date(3 * 2 ** 32 * 1000)],
  ['c70cff00000000000007dba8218000', new Date(8.64e15)],
  ['c70cff00000000fffff82457de8000', new Date(-8.64e15)],
  ['c70cff3b9ac9ffffffffffffffffff', new Date(0)]
]

t.test('unusual forms that msgpackr decodes right are taken', async t => {
  for (const [bytes, value] of ACCEPTED) {
    t.equal(scanAll(hex(bytes)), hex(bytes).length, bytes)
    t.strictSame(unpack(hex(bytes)), value, bytes)
  }
  t.ok(Object.is(unpack(hex('ca80000000')), -0))
  for (const invalidDate of ['d4ffff', '92 d4ffff d4ffff'])
    t.equal(scanAll(hex(invalidDate)), hex(invalidDate).length, invalidDate)
})

t.test('strings of more than 64 bytes that begin with a byte order mark are counted', async t => {
  // ef bb bf is the mark; the others have two of the three.
  for (const first of ['\ufeff', '\ufefe', '\ufebf', '\ueeff', 'x']) {
    for (const length of [0, 61, 62, 200]) {
      const text = `${first}${'x'.repeat(length)}`
      const before = markedStrings
      scanAll(pack([text, { [text]: 1 }]))
      t.equal(markedStrings - before, first === '\ufeff' && length > 61 ? 2 : 0, `${first}, ${length} more`)
    }
    t.equal(hasMark(Buffer.from(`-${first}`), 1), first === '\ufeff')
  }
})

t.test('it begins and ends where it is told', async t => {
  const bytes = hex('00 92 0102 c3 ff')
  t.equal(scan(bytes, 1, bytes.length), 4)
  t.equal(scan(bytes, 4, 5), 5)
  t.throws(() => scan(bytes, 1, 3), { code: 'ERR_STALK_BAD_MESSAGE' })
  t.throws(() => scan(bytes, 6, 6), { code: 'ERR_STALK_BAD_MESSAGE' })
})

t.test('depth bombs are refused, at any length', async t => {
  const nested = (open: string, times: number): Buffer =>
    Buffer.concat([...new Array(times).fill(hex(open)), hex('c0')])
  for (const open of ['91', 'd4730091', '81a161', 'dc0001']) {
    t.equal(scanAll(nested(open, MAX_DEPTH)), nested(open, MAX_DEPTH).length)
    t.match(refusalOf(nested(open, MAX_DEPTH + 1)), /^nesting deeper than 64 at byte /)
    t.match(refusalOf(nested(open, 100_000)), /^nesting deeper than 64 at byte /)
  }
})

t.test('count bombs are refused', async t => {
  const array = (length: number): Buffer => {
    const bytes = Buffer.alloc(5 + length, 0xc0)
    bytes[0] = 0xdd
    bytes.writeUInt32BE(length, 1)
    return bytes
  }
  t.equal(scanAll(array(MAX_VALUES - 1)), MAX_VALUES + 4)
  t.match(refusalOf(array(MAX_VALUES)), /^more than 1000000 values at byte 1000004 /)
})

t.test(
  'doubled keys are found in small maps, large maps and nested ones; equal keys of different maps are not',
  async t => {
    const object = (keys: string[]): Buffer => {
      const bytes = Buffer.concat([hex('de0000'), ...keys.flatMap(key => [pack(key), hex('01')])])
      bytes.writeUInt16BE(keys.length, 1)
      return bytes
    }
    for (const count of [2, 15, 16, 17, 1000]) {
      const keys = Array.from({ length: count }, (_, i) => `key ${i}`)
      t.equal(scanAll(object(keys)), object(keys).length)
      t.match(refusalOf(object([...keys.slice(0, -1), 'key 0'])), /^a key that is there twice/)
    }
    t.match(refusalOf(pack([{ a: 1 }, 1]).fill(object(['a', 'a']), 0, 1)), /./)
    const same = pack([{ a: { a: { a: 1 }, b: { a: 1 } }, b: [{ a: 1 }, { a: 1 }] }, { a: 1 }])
    t.equal(scanAll(same), same.length)
    // The inner map is done when the outer one goes on.
    t.match(refusalOf(hex('83 a161 82a16101a16201 a162 01 a161 01')), /^a key that is there twice at byte 13/)
    const inner = '81a161'.repeat(MAX_DEPTH - 1)
    t.match(refusalOf(hex(`${inner} 82 a161 01 a161 01`)), /^a key that is there twice/, 'at any depth')
    // Keys alike in all that the hash looks at.
    t.equal(scanAll(hex('82 a5 6161616161 01 a5 6162616161 01')), 15)
    t.equal(scanAll(object(['a'.repeat(257), 'a'])), 267)
  }
)

t.test('hostile keys take no more than linear time', async t => {
  const colliding = Array.from(
    { length: 4096 },
    (_, i) => `a${i.toString(2).padStart(12, '0').replaceAll('1', 'b')}ca`
  )
  const few = pack(
    Array.from({ length: 2_000 }, (_, i) =>
      Object.fromEntries(colliding.slice(i, i + 16).map(key => [key, 1]))
    )
  )
  const many = pack(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [`k${i}`, 1])))
  for (const bytes of [few, many]) {
    t.equal(scanAll(bytes), bytes.length)
  }
})

t.test('what we encode, we accept: arbitrary values', async t => {
  fc.assert(
    fc.property(anyValue, value => {
      const bytes = pack(value)
      return scanAll(bytes) === bytes.length
    }),
    { numRuns: 1000 }
  )
  t.pass()
})

t.test('cut at every byte, it is refused', async t => {
  const bytes = pack({
    a: [1, 'é', Buffer.of(1), new Date(5), new Set([2n ** 70n])],
    b: { c: -1.5, d: Uint16Array.of(1) }
  })
  for (let end = 0; end < bytes.length; end++)
    t.throws(() => scan(bytes, 0, end), { code: 'ERR_STALK_BAD_MESSAGE' })
})

t.test('with any bit flipped, it is refused or decodes', async t => {
  const bytes = pack({
    id: 1,
    é: ['x'.repeat(70), Buffer.of(1)],
    at: new Date(5),
    s: new Set([2n ** 70n, Float32Array.of(1)])
  })
  let taken = 0
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes)
    flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7))
    if (accepted(flipped)) taken++
  }
  t.ok(taken > 0)
})

t.test('whatever is accepted decodes: mutated messages', async t => {
  const edit = fc.record({
    at: fc.nat(),
    byte: fc.oneof(fc.nat(255), fc.integer({ min: 0xc0, max: 0xdf })),
    what: fc.nat(2)
  })
  let taken = 0
  fc.assert(
    fc.property(anyValue, fc.array(edit, { minLength: 1, maxLength: 4 }), (value, edits) => {
      let bytes = pack(value)
      for (const { at, byte, what } of edits) {
        const i = at % bytes.length
        if (what === 0) bytes[i] = byte
        else if (what === 1) bytes = Buffer.concat([bytes.subarray(0, i), Buffer.of(byte), bytes.subarray(i)])
        else bytes = Buffer.concat([bytes.subarray(0, i), bytes.subarray(i + 1), Buffer.of(byte)])
      }
      if (accepted(bytes)) taken++
    }),
    { numRuns: 4000 }
  )
  t.ok(taken > 100, `${taken} were taken`)
})

t.test('whatever is accepted decodes: noise and token soup', async t => {
  let taken = 0
  const random = noise(400_000, 7)
  // Few letters, so that much of it has meaning.
  const soup = hex(
    '00 7f 80 81 82 90 91 92 a0 a161 a162 c0 c1 c2 c400 c401 c70342 d40000 d47300 d47401 d4ff ff d6ff d90161 dc0001 dd00000001 de0001'
  )
  for (let i = 0; i + 12 < random.length; i += 12) {
    const piece = random.subarray(i, i + ((random[i] as number) % 12) + 1)
    if (accepted(Buffer.from(piece))) taken++
    if (accepted(Buffer.from(piece.map(byte => soup[byte % soup.length] as number)))) taken++
  }
  t.ok(taken > 1000, `${taken} were taken`)
})

const arrayOf = (length: number, one: string): Buffer => {
  const header = Buffer.from([0xdd, 0, 0, 0, 0])
  header.writeUInt32BE(length, 1)
  return Buffer.concat([header, Buffer.from(one.repeat(length), 'hex')])
}

t.test(
  'binary data counts as eight values, so that a message cannot expand a hundredfold in memory',
  async t => {
    for (const one of ['c400', 'c7017401']) {
      const fits = arrayOf(124_999, one)
      t.equal(scanAll(fits), fits.length, `${one}: as many as fit beside the array itself`)
      const over = arrayOf(125_000, one)
      t.throws(() => scanAll(over), { code: 'ERR_STALK_BAD_MESSAGE', message: /more than 1000000 values/ })
    }
  }
)

t.test('every other extension counts as one value', async t => {
  for (const one of ['d40000', 'd44201', 'd6ff00000000']) {
    const bytes = arrayOf(125_000, one)
    t.equal(scanAll(bytes), bytes.length, one)
  }
})
