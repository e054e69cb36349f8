// Integers, wiping, and the Reader: it takes what is there, and says what is missing or left over.

import fc from 'fast-check'
import t from 'tap'
import { Reader, u16, u32, u64, wipe } from '../lib/bytes.ts'
import { StalkError } from '../lib/errors.ts'
import { hex, thrownBy } from './helpers/tamper.ts'

const reader = (text: string): Reader => new Reader(hex(text), 'the thing')

t.test('integers are written big-endian', async t => {
  t.same(u16(0x0102), hex('0102'))
  t.same(u32(0x01020304), hex('01020304'))
  t.same(u32(0xffff_ffff), hex('ffffffff'))
  t.same(u64(0x0102_0304_0506), hex('0000010203040506'))
  t.same(u64(Number.MAX_SAFE_INTEGER), hex('001fffffffffffff'))
})

t.test('an integer that does not fit its field is refused, not cut', async t => {
  t.throws(() => u16(0x1_0000), { code: 'ERR_OUT_OF_RANGE', message: /65536/ })
  t.throws(() => u32(2 ** 32), { code: 'ERR_OUT_OF_RANGE', message: /4_?294_?967_?296/ })
  t.throws(() => u64(-1), { code: 'ERR_OUT_OF_RANGE', message: /-1n/ })
})

t.test('wipe fills every secret with zeros', async t => {
  const [one, two] = [hex('0102'), hex('03')]
  wipe(one, two)
  t.same([one, two], [hex('0000'), hex('00')])
})

t.test('a Reader reads fields in order and counts what remains', async t => {
  const fields = reader('01 0203 04050607 08090a 0002 0b0c')
  t.equal(fields.u8(), 1)
  t.equal(fields.u16(), 0x0203)
  t.equal(fields.u32(), 0x04050607)
  t.same(fields.take(3), hex('08090a'))
  t.equal(fields.remaining, 4)
  t.same(fields.vector(2), hex('0b0c'))
  t.equal(fields.remaining, 0)
  fields.end()
})

t.test('a Reader throws where bytes are missing, naming what was read', async t => {
  const tooEarly = { name: 'StalkError', code: 'ERR_STALK_DECODE', message: 'the thing ends too early' }
  t.throws(() => reader('').u8(), tooEarly)
  t.throws(() => reader('01').u16(), tooEarly)
  t.throws(() => reader('010203').u32(), tooEarly)
  t.throws(() => reader('01').take(2), tooEarly)
  t.throws(() => reader('0002 01').vector(10), tooEarly)
  t.throws(() => reader('02 01').list(() => 1), { code: 'ERR_STALK_DECODE', message: /twice/ })
  const list = reader('02 01')
  t.throws(() => list.list(() => list.u8()), tooEarly)
})

t.test('a failed read takes nothing', async t => {
  const short = reader('0102')
  t.throws(() => short.u32(), { code: 'ERR_STALK_DECODE', message: /too early/ })
  t.equal(short.u16(), 0x0102)
})

t.test('a vector above its limit is refused by its length alone', async t => {
  t.throws(() => reader('ffff').vector(512), {
    code: 'ERR_STALK_DECODE',
    message: 'the thing has a field of 65535 bytes; the limit is 512'
  })
  t.same(reader('0000').vector(0), hex(''))
})

t.test('a list holds at least one item and none twice', async t => {
  const empty = reader('00')
  t.throws(() => empty.list(() => empty.u8()), { code: 'ERR_STALK_DECODE', message: /has an empty list/ })
  const double = reader('03 01 02 01')
  t.throws(() => double.list(() => double.u8()), {
    code: 'ERR_STALK_DECODE',
    message: /has a list that names an item twice/
  })
  const good = reader('03 01 02 03')
  t.same(
    good.list(() => good.u8()),
    [1, 2, 3]
  )
})

t.test('bytes left over are refused', async t => {
  const more = reader('0102')
  more.u8()
  t.throws(() => more.end(), { code: 'ERR_STALK_DECODE', message: 'the thing has 1 bytes too many' })
})

t.test('any bytes read as any fields give the bytes back or a coded error', async t => {
  const step = fc.constantFrom('u8', 'u16', 'u32', 'vector')
  const coded = fc.property(
    fc.uint8Array({ maxLength: 64 }),
    fc.array(step, { maxLength: 20 }),
    (bytes, steps) => {
      const fields = new Reader(Buffer.from(bytes), 'the thing')
      const error = thrownBy(() => {
        for (const name of steps) name === 'vector' ? fields.vector(40) : fields[name]()
      })
      return error === undefined || (error instanceof StalkError && error.code === 'ERR_STALK_DECODE')
    }
  )
  t.doesNotThrow(() => fc.assert(coded))
})
