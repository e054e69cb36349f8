// The target fragments: sequences of records of kinds 02 to 04, against the rules of section 14.

import { KIND } from '../../../lib/constants.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { MessageDecoder } from '../../../lib/wire/message.ts'
import { scan } from '../../../lib/wire/scan.ts'
import { attempt, hex, magnitude, require, type Target } from '../target.ts'
import { EXAMPLES, TOKENS } from '../tokens.ts'
import { same } from '../values.ts'

export type MakeDecoder = (maxMessageBytes: number) => Pick<MessageDecoder, 'decode' | 'partial'>

const CODES = ['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW', 'ERR_STALK_UNEXPECTED'] as const

const libs: MakeDecoder = maxMessageBytes => new MessageDecoder({ maxMessageBytes })

/** A piece: `u8 kind ‖ u8 how much of the rest, in 16 bytes ‖ u8 how much to fill it up to, in 64 bytes`. */
const PIECE = 3

interface Plan {
  readonly max: number
  readonly frames: readonly Frame[]
}

/** `u8 limit, in 64 bytes ‖ u8 n ‖ n pieces ‖ content`. The content is filled up by a long string's bytes. */
function planOf(input: Buffer): Plan {
  const count = Math.min((input[1] ?? 0) % 8, Math.floor(Math.max(0, input.length - 2) / PIECE))
  let rest = input.subarray(2 + count * PIECE)
  const frames: Frame[] = []
  for (let i = 0; i < count; i++) {
    const [kind = 0, take = 0, fill = 0] = input.subarray(2 + i * PIECE, 2 + (i + 1) * PIECE)
    const content = rest.subarray(0, take * 16)
    rest = rest.subarray(content.length)
    const filled = Buffer.alloc(Math.max(0, fill * 64 - content.length), 0x61)
    // Shapes change what the values behind them are; they are no matter of fragments.
    frames.push({ type: kind === KIND.shapes ? 0 : kind, body: Buffer.concat([content, filled]) })
  }
  return { max: 64 * (input[0] ?? 0), frames }
}

/** What has to become of a fragment; null where the values in it decide. */
class Model {
  bytes = 0
  readonly #max: number

  constructor(max: number) {
    this.#max = max
  }

  codes({ type, body }: Frame): readonly string[] | null {
    if (type === KIND.messages) return this.bytes > 0 ? ['ERR_STALK_UNEXPECTED'] : null
    if (type !== KIND.fragment && type !== KIND.lastFragment) return ['ERR_STALK_UNEXPECTED']
    const faults: string[] = []
    if (body.length < (type === KIND.fragment ? 1_024 : 1)) faults.push('ERR_STALK_BAD_MESSAGE')
    this.bytes += body.length
    if (this.bytes > this.#max) faults.push('ERR_STALK_OVERFLOW')
    return faults.length > 0 ? faults : null
  }
}

const accepts = (bytes: Buffer): boolean =>
  attempt(['ERR_STALK_BAD_MESSAGE'], () => scan(bytes, 0, bytes.length)).value === bytes.length &&
  bytes[0] !== 0xc0 &&
  !bytes.subarray(0, 3).equals(hex('d40000'))

const requireSticky = (decoder: ReturnType<MakeDecoder>, code: string): void =>
  require(attempt(CODES, () => decoder.decode({ type: KIND.messages, body: hex('9101') })).code ===
    code, 'it goes on after an error')

export const fragments = (make: MakeDecoder = libs): Target => ({
  name: 'fragments',
  properties: [
    'nothing but ERR_STALK_BAD_MESSAGE, ERR_STALK_OVERFLOW and ERR_STALK_UNEXPECTED is thrown, and then for good',
    'short fragments, a sum above the limit, and other records between fragments are refused; nothing else is',
    'a message in fragments is the value that its joined bytes are'
  ],
  maxBytes: 2_048,
  batch: 128,
  dictionary: [
    ...TOKENS,
    ...['030010', '040000', '040100', '03ff10', '020100', 'da0ffc', 'db00001000', 'da07fd'].map(hex)
  ],
  seeds: () =>
    [
      ...EXAMPLES.slice(0, 12).map(example => Buffer.concat([hex('ff01040100'), example])),
      ...[
        'ff02 030112 040011 da0800',
        'ff02 030112 020011 da0800',
        'ff02 030101 040011 da0800',
        '1102 030112 040011 da0800'
      ],
      ...[
        'ff03 030111 030011 040010 db00000bfb',
        'ff02 030110 040000 da0800',
        'ff02 040100 020100 05',
        'ff01 060100 05'
      ]
    ].map(seed => (typeof seed === 'string' ? hex(seed) : seed)),
  run(input) {
    const { max, frames } = planOf(input)
    const decoder = make(max)
    const model = new Model(max)
    let joined = Buffer.alloc(0)
    const trait: string[] = []
    for (const frame of frames) {
      const codes = model.codes(frame)
      const { value, code } = attempt(CODES, () => decoder.decode(frame))
      trait.push(`${frame.type} ${code}`)
      if (codes) require(code !== null && codes.includes(code), `${code} where ${codes.join(' or ')} is due`)
      if (code) {
        requireSticky(decoder, code)
        if (!codes && frame.type === KIND.lastFragment)
          require(!accepts(Buffer.concat([joined, frame.body])), 'a good message is refused')
        if (!codes && frame.type === KIND.fragment) require(false, 'a good fragment is refused')
        break
      }
      if (frame.type === KIND.messages) continue
      joined = Buffer.concat([joined, frame.body])
      require(decoder.partial ===
        (frame.type === KIND.fragment), 'whether a message has begun is told wrongly')
      if (frame.type === KIND.fragment) continue
      require(accepts(joined), 'what the scan refuses is accepted in fragments')
      const alone = new MessageDecoder().decode({
        type: KIND.messages,
        body: Buffer.concat([hex('91'), joined])
      })
      require(same(value, alone), 'another value than its joined bytes are')
      joined = Buffer.alloc(0)
      model.bytes = 0
    }
    return `${trait.slice(0, 4).join()} ${magnitude(max) > 512}`
  }
})
