// Faults on their own: what passes of some bytes, however they are chunked.

import t from 'tap'
import { cut, drop, type Fault, flip, records, repeat, swap } from '../../lib/testing/index.ts'

/** What passes of `text`, in chunks of `size`, and how the wire was ended. */
function passed(fault: Fault, text: string | Buffer, size: number): { out: string; ended: string | null } {
  const bytes = Buffer.from(text as string)
  const out: Buffer[] = []
  let ended: string | null = null
  const wire = {
    pass: (chunk: Buffer) => void (ended ?? out.push(Buffer.from(chunk))),
    end: () => (ended ??= 'end'),
    reset: (error?: Error) => (ended ??= `reset ${error?.message}`),
    silence: () => (ended ??= 'silence')
  }
  for (let at = 0; at < bytes.length; at += size) fault(bytes.subarray(at, at + size), at, wire as never)
  return { out: Buffer.concat(out).toString('latin1'), ended }
}

const SIZES = [1, 2, 3, 4, 5, 7, 10, 26]
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz'

/** Records with these bodies. */
const recordsOf = (...bodies: string[]): Buffer =>
  Buffer.concat(bodies.map(body => Buffer.concat([Buffer.of(0xe4, 0, 0, body.length), Buffer.from(body)])))

t.test('cut lets so many bytes pass and ends the wire, in the way that was asked for', async t => {
  for (const size of SIZES) {
    t.same(passed(cut(0), ALPHABET, size), { out: '', ended: 'end' })
    t.same(passed(cut(10), ALPHABET, size), { out: 'abcdefghij', ended: 'end' })
    t.same(passed(cut(10, 'silence'), ALPHABET, size), { out: 'abcdefghij', ended: 'silence' })
    t.same(passed(cut(26, 'reset', new Error('x')), ALPHABET, size), { out: ALPHABET, ended: 'reset x' })
    t.same(passed(cut(27), ALPHABET, size), { out: ALPHABET, ended: null })
  }
})

t.test('flip turns over one bit of one byte', async t => {
  for (const size of SIZES) {
    t.same(passed(flip(2, 0), 'abcdef', size), { out: 'abbdef', ended: null })
    t.same(passed(flip(2), 'abcdef', size).out, 'abgdef')
    t.same(passed(flip(6), 'abcdef', size).out, 'abcdef')
  }
})

t.test('bytes are dropped, repeated and swapped wherever the chunks end', async t => {
  for (const size of SIZES) {
    const piece = { from: 3, to: 6 }
    t.equal(passed(drop(piece), ALPHABET, size).out, 'abcghijklmnopqrstuvwxyz', `${size}`)
    t.equal(passed(repeat(piece), ALPHABET, size).out, 'abcdefdefghijklmnopqrstuvwxyz', `${size}`)
    t.equal(passed(swap(piece), ALPHABET, size).out, 'abcghidefjklmnopqrstuvwxyz', `${size}`)
    t.equal(passed(drop({ from: 0, to: 26 }), ALPHABET, size).out, '')
    t.equal(
      passed(repeat({ from: 20, to: 30 }), ALPHABET, size).out,
      'abcdefghijklmnopqrst',
      'half a piece waits'
    )
  }
})

t.test('so are records, the other ones passing as they are', async t => {
  const all = recordsOf('one', '', 'three', 'four')
  const is = (...bodies: string[]): string => recordsOf(...bodies).toString('latin1')
  for (const size of SIZES) {
    t.equal(passed(drop({ record: 1 }), all, size).out, is('one', 'three', 'four'))
    t.equal(passed(repeat({ record: 2 }), all, size).out, is('one', '', 'three', 'three', 'four'))
    t.equal(passed(swap({ record: 0 }), all, size).out, is('', 'one', 'three', 'four'))
    t.equal(passed(swap({ record: 3 }), all, size).out, is('one', '', 'three'), 'nothing follows')
    const seen: [string, number][] = []
    passed(
      records((record, index) => seen.push([record.subarray(4).toString(), index])),
      all,
      size
    )
    t.same(seen, [
      ['one', 0],
      ['', 1],
      ['three', 2],
      ['four', 3]
    ])
  }
})

t.test('a place that is none is refused', async t => {
  const refused: [() => Fault, RegExp][] = [
    [() => cut(-1), /^at must be a whole number from 0$/],
    [() => flip(0.5), /^at must be/],
    [() => flip(1, 8), /^bit must be a whole number from 0 to 7$/],
    [() => drop({ record: -1 }), /^record must be/],
    [() => repeat({ from: 5, to: 5 }), /^to must lie behind from$/],
    [() => swap({ from: Number.NaN, to: 5 }), /^from must be/],
    [() => cut(5, 'rst' as never), /^a cut is 'end', 'reset' or 'silence'$/],
    [() => drop(5 as never), /^a piece is { record } or { from, to }$/],
    [() => repeat(null as never), /^a piece is/],
    [() => records('all' as never), /^records takes a function/]
  ]
  for (const [make, message] of refused) t.throws(make, { code: 'ERR_STALK_INVALID_OPTION', message })
})
