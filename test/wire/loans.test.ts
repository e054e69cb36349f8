// Lent memory: nobody who still reads it sees it change, however others take and give back.

import t from 'tap'
import { MAX_SEALED_BYTES } from '../../lib/constants.ts'
import { Deframer, enframe, type Frame } from '../../lib/wire/frame.ts'
import { type Loan, lend } from '../../lib/wire/loans.ts'

const LONG = 40_000

/** A loan of a size that is lent. */
function lent(bytes = LONG): Loan {
  const loan = lend(bytes)
  if (loan === null) throw new Error('nothing was lent')
  return loan
}

t.test('what was given back is lent again, and to one only, even if it was given back twice', async t => {
  const first = lent()
  const { buffer } = first.bytes
  first.giveBack()
  first.giveBack()
  const second = lent(LONG + 1)
  t.equal(second.bytes.buffer, buffer)
  t.equal(second.bytes.length, LONG + 1)
  t.not(lent().bytes.buffer, buffer)
})

t.test('what is not given back is lent to nobody else', async t => {
  const loans = Array.from({ length: 20 }, () => lent())
  t.equal(new Set(loans.map(({ bytes }) => bytes.buffer)).size, 20)
  for (const loan of loans) loan.giveBack()
  const again = Array.from({ length: 20 }, () => lent())
  const known = new Set(loans.map(({ bytes }) => bytes.buffer))
  t.ok(again.filter(({ bytes }) => known.has(bytes.buffer)).length <= 8, 'and no more is kept than was said')
})

t.test('lent is what a long record needs, no more and no less', async t => {
  t.equal(lend(1_000), null)
  t.equal(lend(MAX_SEALED_BYTES + 1), null)
  t.equal(lend(MAX_SEALED_BYTES)?.bytes.length, MAX_SEALED_BYTES)
})

const halves = (fill: number): [Buffer, Buffer] => {
  const bytes = enframe({ type: 1, body: Buffer.alloc(LONG, fill) })
  return [bytes.subarray(0, LONG / 2), bytes.subarray(LONG / 2)]
}

function pushed(deframer: Deframer, chunk: Buffer): Frame | undefined {
  deframer.push(chunk)
  return deframer.next()
}

t.test('frames that come in pieces at the same time do not meet in one memory', async t => {
  const deframers = Array.from({ length: 12 }, () => new Deframer(() => LONG))
  for (let round = 0; round < 3; round++) {
    for (const [n, deframer] of deframers.entries()) t.notOk(pushed(deframer, halves(n)[0]))
    const frames = deframers.map((deframer, n) => pushed(deframer, halves(n)[1]))
    for (const [n, frame] of frames.entries()) t.ok(frame?.body.equals(Buffer.alloc(LONG, n)))
    for (const frame of frames) frame?.loan?.giveBack()
  }
})

t.test('a frame whose memory is kept stays as it is', async t => {
  const deframer = new Deframer(() => LONG)
  const frames: (Frame | undefined)[] = []
  for (let n = 0; n < 5; n++) {
    for (const chunk of halves(n)) {
      const frame = pushed(deframer, chunk)
      if (frame) frames.push(frame)
    }
  }
  t.strictSame(
    frames.map(frame => frame?.body.equals(Buffer.alloc(LONG, frames.indexOf(frame)))),
    [true, true, true, true, true]
  )
})

t.test('a frame that came whole is a view of what it came in', async t => {
  const frame = pushed(new Deframer(() => LONG), enframe({ type: 1, body: Buffer.alloc(LONG, 1) }))
  t.equal(frame?.loan, undefined)
})
