// Frames: whatever the chunking, the same frames come out, and nothing is taken that was not admitted.

import fc from 'fast-check'
import t from 'tap'
import { StalkError } from '../../lib/errors.ts'
import { type Admit, Deframer, enframe, type Frame, header, MAX_BODY_BYTES } from '../../lib/wire/frame.ts'
import { chunks, cutAt, hex } from '../helpers/tamper.ts'

const CAP = 70_000
const upTo =
  (cap: number): Admit =>
  () =>
    cap

/** Type and body of each; whose memory it is in, is none of this file's business. */
function deframe(pieces: Iterable<Buffer>, admit: Admit = upTo(CAP)): Frame[] {
  const deframer = new Deframer(admit)
  const frames: Frame[] = []
  for (const piece of pieces) {
    deframer.push(piece)
    for (let frame = deframer.next(); frame; frame = deframer.next()) {
      frames.push({ type: frame.type, body: frame.body })
    }
  }
  return frames
}

/** A body whose bytes show where they belong. */
const body = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => i % 251))

const SIZES = [0, 1, 2, 3, 4, 5, 255, 256, 1000, 65_535, 65_536, CAP]
const STEPS = [1, 2, 3, 4, 5, 7, 64, 1024, 65_536, 1_000_000]

t.test('a frame is its type, its length in three bytes and its body', async t => {
  t.same(enframe({ type: 0xe4, body: hex('0a0b0c') }), hex('e4000003 0a0b0c'))
  t.same(enframe({ type: 0x00, body: hex('') }), hex('00000000'))
  t.same(header(0xff, 0x010203), hex('ff010203'))
  t.same(header(0xe5, MAX_BODY_BYTES), hex('e5ffffff'))
})

t.test('a body that no header can announce is refused', async t => {
  t.throws(() => header(0xe4, MAX_BODY_BYTES + 1), {
    code: 'ERR_STALK_INTERNAL',
    message: 'a frame cannot hold 16777216 bytes'
  })
})

t.test('every size in every step comes out as it went in', async t => {
  const frames = SIZES.map((size, i) => ({ type: 0xe0 + i, body: body(size) }))
  const wire = Buffer.concat(frames.map(enframe))
  for (const step of STEPS) t.same(deframe(chunks(wire, step)), frames, `in chunks of ${step}`)
})

t.test('any chunking gives the same frames', async t => {
  const frame = fc.record({
    type: fc.nat(255),
    body: fc.uint8Array({ maxLength: 40 }).map(bytes => Buffer.from(bytes))
  })
  const same = fc.property(
    fc.array(frame, { maxLength: 8 }),
    fc.array(fc.nat(400), { maxLength: 30 }),
    (frames, cuts) => {
      const wire = Buffer.concat(frames.map(enframe))
      const places = cuts.map(cut => cut % (wire.length + 1)) // some twice, so that there are empty chunks
      const out = deframe(cutAt(wire, places))
      return JSON.stringify(out) === JSON.stringify(frames)
    }
  )
  t.doesNotThrow(() => fc.assert(same, { numRuns: 500 }))
})

t.test('several chunks may be pushed before a frame is asked for', async t => {
  const deframer = new Deframer(upTo(CAP))
  for (const piece of chunks(enframe({ type: 1, body: body(10) }), 1)) deframer.push(piece)
  t.same(deframer.next(), { type: 1, body: body(10) })
  t.equal(deframer.next(), undefined)
})

t.test('the length at the cap is taken, one more is refused with its header', async t => {
  for (const cap of [0, 1, 73, 1024, MAX_BODY_BYTES - 1]) {
    const deframer = new Deframer(upTo(cap))
    deframer.push(header(0xe4, cap + 1))
    t.throws(() => deframer.next(), {
      code: 'ERR_STALK_OVERFLOW',
      message: `a record announces ${cap + 1} bytes; the limit here is ${cap}`
    })
  }
  for (const cap of [0, 1, 73, 1024])
    t.equal(deframe([enframe({ type: 1, body: body(cap) })], upTo(cap)).length, 1)
})

t.test('the greatest length that can be announced is taken where it is admitted', async t => {
  const frame = { type: 0xe4, body: Buffer.alloc(MAX_BODY_BYTES, 7) }
  const [out] = deframe(chunks(enframe(frame), 1_000_000), upTo(MAX_BODY_BYTES))
  t.ok(out?.body.equals(frame.body))
})

t.test('a refused length is refused again, and nothing behind it is read', async t => {
  const deframer = new Deframer(upTo(4))
  deframer.push(Buffer.concat([enframe({ type: 1, body: body(5) }), enframe({ type: 2, body: body(1) })]))
  const overflow = { code: 'ERR_STALK_OVERFLOW', message: /announces 5 bytes; the limit here is 4/ }
  t.throws(() => deframer.next(), overflow)
  t.throws(() => deframer.next(), overflow)
})

t.test('a type is admitted with its first byte, once, before the rest is there', async t => {
  const asked: number[] = []
  const deframer = new Deframer(type => {
    asked.push(type)
    return 10
  })
  deframer.push(hex('e5'))
  t.equal(deframer.next(), undefined)
  t.same(asked, [0xe5])
  for (const piece of chunks(hex('000002 0102'), 1)) {
    deframer.push(piece)
    deframer.next()
  }
  t.same(asked, [0xe5])
  deframer.push(hex('e4'))
  deframer.next()
  t.same(asked, [0xe5, 0xe4])
})

t.test('a type that is not admitted throws what admit throws, and again', async t => {
  const refused = new StalkError('ERR_STALK_UNEXPECTED', 'not now')
  const deframer = new Deframer(() => {
    throw refused
  })
  t.equal(deframer.next(), undefined, 'nothing is admitted before a byte is there')
  deframer.push(hex('e4'))
  t.throws(() => deframer.next(), { code: 'ERR_STALK_UNEXPECTED', message: 'not now' })
  deframer.push(hex('000000'))
  t.throws(() => deframer.next(), { code: 'ERR_STALK_UNEXPECTED', message: 'not now' })
})

t.test('every frame is admitted by itself: the limit may change between them', async t => {
  const caps = [3, 0, 5]
  const wire = Buffer.concat([3, 0, 6].map(size => enframe({ type: 1, body: body(size) })))
  const deframer = new Deframer(() => caps.shift() ?? 0)
  deframer.push(wire)
  t.same(deframer.next()?.body, body(3))
  t.same(deframer.next()?.body, body(0))
  t.throws(() => deframer.next(), {
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 6 bytes; the limit here is 5/
  })
})

t.test('what is behind a frame is not admitted before it is asked for', async t => {
  const asked: number[] = []
  const deframer = new Deframer(type => {
    asked.push(type)
    return 10
  })
  deframer.push(Buffer.concat([enframe({ type: 1, body: body(2) }), enframe({ type: 2, body: body(2) })]))
  deframer.next()
  t.same(asked, [1])
})

t.test('nothing is allocated for a body before its length was admitted', async t => {
  const allocated: number[] = []
  const { alloc, allocUnsafe } = Buffer
  t.teardown(() => Object.assign(Buffer, { alloc, allocUnsafe }))
  Object.assign(Buffer, {
    alloc: (size: number) => {
      allocated.push(size)
      return alloc(size)
    },
    allocUnsafe: (size: number) => {
      allocated.push(size)
      return allocUnsafe(size)
    }
  })
  const deframer = new Deframer(upTo(1000))
  const announced = hex('e4ffffff')
  deframer.push(announced.subarray(0, 3))
  t.equal(deframer.next(), undefined)
  deframer.push(announced.subarray(3))
  t.throws(() => deframer.next(), { code: 'ERR_STALK_OVERFLOW', message: /16777215/ })
  t.ok(Math.max(...allocated) <= 16, `allocated ${allocated}`)
})

t.test('partial tells a cut within a frame from one between two', async t => {
  const wire = enframe({ type: 1, body: body(3) })
  for (let end = 0; end <= wire.length; end++) {
    const deframer = new Deframer(upTo(10))
    deframer.push(wire.subarray(0, end))
    deframer.next()
    t.equal(deframer.partial, end > 0 && end < wire.length, `after ${end} bytes`)
  }
})

t.test('a cut stream gives the frames that are whole and no other', async t => {
  const wire = Buffer.concat([2, 0, 9].map((size, i) => enframe({ type: i, body: body(size) })))
  const ends = [6, 10, 23]
  for (let end = 0; end <= wire.length; end++) {
    t.equal(deframe([wire.subarray(0, end)]).length, ends.filter(whole => whole <= end).length)
  }
})

t.test('a body that came in pieces has memory of its own', async t => {
  const wire = enframe({ type: 1, body: body(8) })
  const pieces = [Buffer.from(wire.subarray(0, 7)), Buffer.from(wire.subarray(7))]
  const [frame] = deframe(pieces)
  for (const piece of pieces) piece.fill(0xff)
  t.same(frame?.body, body(8))
})

t.test('a body that came whole is a view of its chunk, also where more is behind it', async t => {
  const wire = Buffer.concat([enframe({ type: 1, body: body(8) }), enframe({ type: 2, body: body(9) })])
  const frames = deframe([wire])
  wire.fill(0xff)
  t.same(
    frames.map(frame => frame.body),
    [Buffer.alloc(8, 0xff), Buffer.alloc(9, 0xff)]
  )
})
