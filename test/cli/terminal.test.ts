// The terminal: colours and progress only where they are wanted, nothing in a text that a terminal would obey, and
// the small layouts.

import { PassThrough } from 'node:stream'
import t from 'tap'
import {
  type Environment,
  grouped,
  harmless,
  hexdump,
  type Screen,
  seconds,
  sized,
  Terminal,
  wrapped
} from '../../lib/cli/terminal.ts'

/** A screen that remembers what was written to it. */
function screen(isTTY: boolean, columns = 80): { stream: Screen & PassThrough; text: () => string } {
  const stream = Object.assign(new PassThrough(), { isTTY, columns }) as unknown as Screen & PassThrough
  const text = (): string => {
    let all = ''
    // From Node 26 on a read gives one chunk, and not all there is.
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) all += chunk
    return all
  }
  return { stream, text }
}

const show = (isTTY: boolean, env: Environment): string => {
  const { stream, text } = screen(isTTY)
  const terminal = new Terminal(stream, env)
  terminal.progress('half')
  terminal.line(terminal.paint('green', 'done'))
  return text()
}

t.test('on a terminal there are colours, and progress on a line that is cleared', async t => {
  t.equal(show(true, {}), '\r\x1b[2K\x1b[2mhalf\x1b[0m\r\x1b[2K\x1b[32mdone\x1b[0m\n')
  t.equal(show(true, { NO_COLOR: '' }), show(true, {}))
})

t.test('without a terminal, with NO_COLOR and on a dumb terminal there is plain text', async t => {
  t.equal(show(false, {}), 'done\n')
  t.equal(show(true, { NO_COLOR: '1' }), 'done\n')
  t.equal(show(true, { TERM: 'dumb' }), 'done\n')
})

t.test('progress is cut so that it never takes a second line', async t => {
  const { stream, text } = screen(true, 10)
  new Terminal(stream, {}).progress('123456789012345')
  t.match(text(), '[2m123456789\x1b')
})

t.test('progress that was wrapped when the terminal got narrower is cleared on all its lines', async t => {
  const { stream, text } = screen(true, 80)
  const terminal = new Terminal(stream, {})
  terminal.progress('x'.repeat(70))
  text()
  Object.assign(stream, { columns: 30 })
  t.equal(terminal.room, 29)
  terminal.progress('y')
  t.equal(text(), '\r\x1b[2K\x1b[1A\r\x1b[2K\x1b[1A\r\x1b[2K\x1b[2my\x1b[0m')
  terminal.endProgress()
  terminal.endProgress()
  t.equal(text(), '\r\x1b[2K')
})

t.test('after the reader has gone nothing is written, and nobody waits', async t => {
  const { stream, text } = screen(false)
  const terminal = new Terminal(stream, {})
  stream.emit('error', new Error('EPIPE'))
  terminal.line('into the void')
  await terminal.drained()
  t.equal(text(), '')
})

t.test('what a terminal would obey is made visible', async t => {
  t.equal(harmless('a\x1b[31mb\r\n\x9bc\u202ed'), 'a\\u{1b}[31mb\\u{d}\\u{a}\\u{9b}c\\u{202e}d')
  t.equal(harmless('é 漢 🙂'), 'é 漢 🙂')
})

t.test('numbers, sizes and times are as people write them', async t => {
  t.equal(grouped(1_234_567.4), '1,234,567')
  t.strictSame([999, 1_500, 2_000_000].map(sized), ['999 bytes', '1.5 kB', '2.0 MB'])
  t.strictSame([345, 2_345].map(seconds), ['0.34 s', '2.3 s'])
})

t.test('a hexdump has 16 bytes a row, and a short last row stays in line', async t => {
  const [first = '', second = '', ...rest] = hexdump(Buffer.from('\0ABCDEFGHIJKLMNO~\x7f', 'latin1'))
  t.equal(first, '0000  00 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |.ABCDEFGHIJKLMNO|')
  t.equal(second, `0010  7e 7f${' '.repeat(45)}|~.|`)
  t.strictSame(rest, [])
})

t.test('text is wrapped between words', async t => {
  t.strictSame(wrapped('one two three', 7), ['one two', 'three'])
  t.strictSame(wrapped('a-long-word is kept', 5), ['a-long-word', 'is', 'kept'])
  t.strictSame(wrapped('', 5), [''])
})
