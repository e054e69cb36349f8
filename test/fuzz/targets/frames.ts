// The target frames: the deframer, fed with any bytes in any pieces.

import { TYPE } from '../../../lib/constants.ts'
import { StalkError } from '../../../lib/errors.ts'
import { type Admit, Deframer, enframe, type Frame } from '../../../lib/wire/frame.ts'
import { attempt, hex, magnitude, require, type Target } from '../target.ts'
import { recordsAt } from '../vectors.ts'

/** Lib's Deframer, or a broken one in its place. */
export type MakeDeframer = (admit: Admit) => Pick<Deframer, 'push' | 'next' | 'partial'>

const CODES = ['ERR_STALK_UNEXPECTED', 'ERR_STALK_OVERFLOW'] as const

const CAPS: Readonly<Record<number, number>> = {
  [TYPE.initiatorHello]: 1_024,
  [TYPE.responderHello]: 73,
  [TYPE.plainAlert]: 1,
  [TYPE.sealedApplication]: 65_616,
  [TYPE.sealedHandshake]: 2_080
}

function admit(type: number): number {
  const cap = CAPS[type]
  if (cap === undefined) throw new StalkError('ERR_STALK_UNEXPECTED', `the type ${type}`)
  return cap
}

interface Cut {
  readonly frames: readonly Frame[]
  readonly code: string | null
  readonly partial: boolean
}

function cut(make: MakeDeframer, chunks: readonly Buffer[]): Cut {
  const deframer = make(admit)
  const frames: Frame[] = []
  const { code } = attempt(CODES, () => {
    for (const chunk of chunks) {
      deframer.push(chunk)
      for (let frame = deframer.next(); frame; frame = deframer.next()) frames.push(frame)
    }
  })
  return { frames, code, partial: deframer.partial }
}

/** The same, as plainly as section 3 says it. */
function expected(bytes: Buffer): Cut {
  const frames: Frame[] = []
  for (let at = 0; ; ) {
    const type = bytes[at]
    if (type === undefined) return { frames, code: null, partial: false }
    const cap = CAPS[type]
    if (cap === undefined) return { frames, code: 'ERR_STALK_UNEXPECTED', partial: false }
    if (at + 4 > bytes.length) return { frames, code: null, partial: true }
    const end = at + 4 + bytes.readUIntBE(at + 1, 3)
    if (end - at - 4 > cap) return { frames, code: 'ERR_STALK_OVERFLOW', partial: true }
    if (end > bytes.length) return { frames, code: null, partial: true }
    frames.push({ type, body: bytes.subarray(at + 4, end) })
    at = end
  }
}

/** Pieces of 1 to 255 bytes, as the steps say in turn; 0 is all of the rest. */
function pieces(bytes: Buffer, steps: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const step = steps[i % steps.length] || bytes.length
    chunks.push(Buffer.from(bytes.subarray(at, at + step)))
    at += step
  }
  return chunks
}

const shown = ({ frames, code, partial }: Cut): string =>
  `${Buffer.concat(frames.map(enframe)).toString('hex')} ${frames.length} ${code} ${code ? '' : partial}`

export const frames = (make: MakeDeframer = accept => new Deframer(accept)): Target => ({
  name: 'frames',
  properties: [
    'whatever the pieces are, the frames are those of section 3, and so is what is refused',
    'nothing but ERR_STALK_UNEXPECTED and ERR_STALK_OVERFLOW is thrown',
    'the frames, put together, are the bytes that they came from'
  ],
  maxBytes: 4_096,
  batch: 128,
  dictionary: [
    ...Object.keys(CAPS).map(type => Buffer.of(Number(type))),
    hex('000000'),
    hex('000400'),
    hex('000049')
  ],
  seeds: () =>
    ['M1', 'M2', 'M3'].flatMap(place => {
      const [record = Buffer.alloc(0)] = recordsAt(place as 'M1')
      return [Buffer.concat([hex('030105'), record, record]), Buffer.concat([hex('000000'), record])]
    }),
  run(input) {
    const bytes = input.subarray(3)
    const wanted = expected(bytes)
    const got = cut(make, pieces(bytes, input.subarray(0, 3)))
    require(shown(got) === shown(wanted), 'frames other than those of section 3')
    const whole = Buffer.concat(got.frames.map(enframe))
    require(whole.equals(bytes.subarray(0, whole.length)), 'frames that are not the bytes they came from')
    return `${got.frames[0]?.type} ${magnitude(got.frames.length)} ${got.code} ${got.partial}`
  }
})
