// NDJSON: lines across chunks, and no line changed without a word.

import fc from 'fast-check'
import t from 'tap'
import { LineSplitter, readLine, writeLine } from '../../lib/cli/ndjson.ts'

const read = (text: string): unknown => readLine(Buffer.from(text))?.message

t.test('lines come out the same however the bytes are cut', async t => {
  const text = 'one\n\ntwo ü\r\n\nlast'
  const expected = text.split('\n')
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size += 1) {
    const splitter = new LineSplitter()
    const lines: Buffer[] = []
    for (let at = 0; at < bytes.length; at += size)
      lines.push(...splitter.push(bytes.subarray(at, at + size)))
    lines.push(splitter.rest())
    t.same(lines.map(String), expected)
  }
})

t.test('a line that never ends is refused before it fills the memory', async t => {
  const splitter = new LineSplitter()
  const chunk = Buffer.alloc(32 * 1024 * 1024, 'x')
  for (let part = 0; part < 4; part += 1) t.same([...splitter.push(chunk)], [])
  t.throws(() => [...splitter.push(chunk)], { message: /^it is longer than \d+ bytes$/ })
})

t.test('blank lines are no messages; white space and a byte order mark do not matter', async t => {
  for (const blank of ['', '  ', '\t\r', '\ufeff']) t.equal(readLine(Buffer.from(blank)), null)
  t.strictSame(read(' {"a":1}\r'), { a: 1 })
  t.strictSame(read('\ufeff[1]'), [1])
  t.equal(read('0'), 0)
  t.equal(read('""'), '')
  t.equal(read('false'), false)
})

t.test('what is no message is refused with the reason', async t => {
  t.throws(() => read('null'), { message: 'null is no message; wrap it, as in {"value":null}' })
  t.throws(() => read('{"a":'), { message: /^it is no JSON value: / })
  t.throws(() => read('1 2'), { message: /^it is no JSON value: / })
  t.throws(() => readLine(Buffer.from([0x22, 0xff, 0x22])), { message: 'it is not UTF-8' })
})

t.test('a number that would be rounded to another is refused; digits in strings are not numbers', async t => {
  t.throws(() => read('{"id":12345678901234567890}'), {
    message:
      'the number 12345678901234567890 would be rounded to 12345678901234567000; ' +
      'write {"$bigint":"12345678901234567890"}'
  })
  t.throws(() => read('[-9007199254740993]'), { message: /rounded/ })
  t.throws(() => read('1e400'), { message: 'the number 1e400 is too large' })
  t.throws(() => read('-1E+999'), { message: /too large/ })
  t.throws(() => read('9'.repeat(400)), { message: /too large/ })
  t.equal(read('9007199254740992'), 2 ** 53)
  t.equal(read('1e308'), 1e308)
  t.equal(read('-168889949784778100'), -168889949784778100, 'as JavaScript writes it')
  t.equal(read('0.12345678901234567890'), 0.12345678901234568)
  t.strictSame(read('{"12345678901234567890":"a \\" 12345678901234567891 \\\\"}'), {
    '12345678901234567890': 'a " 12345678901234567891 \\'
  })
  t.throws(() => read('["\\\\",12345678901234567891]'), { message: /rounded/ })
})

t.test('a message is one line, and that line is the message', async t => {
  fc.assert(
    fc.property(fc.jsonValue({ noUnicodeString: false }).filter(isMessage), value => {
      const line = writeLine(value)
      t.notMatch(line, /\n/)
      t.equal(writeLine(read(line)), line)
    })
  )
})

function isMessage(value: unknown): boolean {
  return value !== null && !JSON.stringify(value).includes('__proto__')
}

t.test('nothing that a terminal would act on is in a line, and all of it comes back', async t => {
  const message = { text: '\u0007\u001b[31m\u007f\u009b31m\u202e\u2066\u2028\ufeff\u200f' }
  const line = writeLine(message)
  t.match(line, /^[\x20-\x7e]+$/)
  t.same(readLine(Buffer.from(line))?.message, message)
})
