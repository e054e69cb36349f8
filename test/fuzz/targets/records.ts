// The target records: the opener under all three suites. Records are sealed by the formulas, not by lib, and then
// spoiled or not.

import { TYPE } from '../../../lib/constants.ts'
import { SUITES } from '../../../lib/crypto/suites.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { type Inner, Opener } from '../../../lib/wire/record.ts'
import { Direction, integer, keysOf, tagBytesOf } from '../../helpers/formulas.ts'
import { attempt, hex, magnitude, require, type Target, type Tried } from '../target.ts'
import { contents } from '../vectors.ts'

/** What opens the records of a suite, in order. */
export type MakeOpener = (suite: number) => { open(frame: Frame): Inner }

const SECRET = Buffer.alloc(32, 7)

function libs(id: number): Opener {
  const suite = Object.values(SUITES).find(known => known.id === id)
  if (!suite) throw new Error(`no suite ${id}`)
  return new Opener(TYPE.sealedApplication, suite, keysOf(SECRET, id))
}

interface Step {
  readonly inner: Buffer
  /** Where a bit is flipped, or null. */
  readonly flip: number | null
  /** How many bytes are cut off the end. */
  readonly cut: number
}

/** Steps of `u8 what ‖ u8 place ‖ u8 length ‖ inner`, up to eight. */
function stepsOf(plan: Buffer): Step[] {
  const steps: Step[] = []
  for (let at = 0; at + 3 <= plan.length && steps.length < 8; ) {
    const [what = 0, place = 0, length = 0] = plan.subarray(at, at + 3)
    const inner = plan.subarray(at + 3, at + 3 + length)
    steps.push({
      inner: Buffer.concat([inner, Buffer.alloc((what & 0x30) * 8)]),
      flip: (what & 3) === 1 ? place : null,
      cut: (what & 3) === 2 ? place : 0
    })
    at += 3 + length
  }
  return steps.filter(({ inner }) => inner.length > 0)
}

/** A spoiled record, or null where it is as it was. */
function spoiled(record: Buffer, { flip, cut }: Step): Buffer | null {
  if (cut > 0) {
    const shorter = Buffer.from(record.subarray(0, Math.max(4, record.length - cut)))
    shorter.writeUIntBE(shorter.length - 4, 1, 3)
    return shorter
  }
  if (flip === null) return null
  const at = 4 + (flip % (record.length - 4))
  const changed = Buffer.from(record)
  changed[at] = (changed[at] as number) ^ (1 << (flip % 8))
  return changed
}

const frameOf = (record: Buffer): Frame => ({
  type: record.readUInt8(0),
  body: Buffer.from(record.subarray(4))
})

const open = (opener: ReturnType<MakeOpener>, record: Buffer): Tried<Inner> =>
  attempt(['ERR_STALK_BAD_RECORD'], () => opener.open(frameOf(record)))

/** Section 4: the zeros at the end are no content, the last byte before them is the kind. */
function expected(inner: Buffer): Buffer | null {
  let end = inner.length
  while (end > 0 && inner[end - 1] === 0) end -= 1
  return end === 0 ? null : Buffer.concat([integer(1, inner[end - 1] as number), inner.subarray(0, end - 1)])
}

const shown = ({ type, body }: Inner): Buffer => Buffer.concat([integer(1, type), body])

export const records = (make: MakeOpener = libs): Target => ({
  name: 'records',
  properties: [
    'a genuine record opens to its content and kind, without its padding; one of padding alone does not open',
    'a changed or shortened record does not open, and the genuine one behind it still does',
    'nothing but ERR_STALK_BAD_RECORD is thrown'
  ],
  maxBytes: 1_024,
  batch: 64,
  dictionary: [
    hex('000000'),
    hex('010502'),
    hex('020101'),
    hex('200005'),
    hex('0500'),
    hex('9301a16181a16291c002')
  ],
  seeds: () =>
    contents.slice(0, 12).map(({ kind, content }, i) => {
      const inner = Buffer.concat([content.subarray(0, 200), integer(1, kind)])
      const step = (what: number): Buffer => Buffer.concat([Buffer.of(what, 3 + i, inner.length), inner])
      return Buffer.concat([integer(1, i), step(0), step(1), step(0x10), step(2), step(0)])
    }),
  run(input) {
    const suite = ((input[0] ?? 0) % 3) + 1
    const sealer = new Direction(TYPE.sealedApplication, suite, SECRET)
    const opener = make(suite)
    const trait = [String(suite)]
    for (const step of stepsOf(input.subarray(1))) {
      const record = sealer.seal(step.inner)
      const wrong = spoiled(record, step)
      if (wrong) require(open(opener, wrong).code !== null, 'a record that is not genuine opens')
      const wanted = expected(step.inner)
      const { value } = open(opener, record)
      require((value === null) === (wanted === null), 'a genuine record does not open, or padding alone does')
      if (value) require(shown(value).equals(wanted ?? Buffer.alloc(0)), 'another content than was sealed')
      if (!value) break // the connection is over then
      trait.push(
        `${wrong ? (wrong.length < 4 + tagBytesOf(suite) ? 'short' : 'bad') : 'ok'}${magnitude(step.inner.length) > 15}`
      )
    }
    return trait.slice(0, 3).join(' ')
  }
})
