// The target encoding: values of all kinds into the encoder. What goes out is accepted by the scan.

import { KIND, SHAPE_AFTER } from '../../../lib/constants.ts'
import type { StalkError } from '../../../lib/errors.ts'
import type { MessageFrame } from '../../../lib/wire/long.ts'
import { MessageDecoder, MessageEncoder } from '../../../lib/wire/message.ts'
import { scan } from '../../../lib/wire/scan.ts'
import { skip } from '../../../lib/wire/tokens.ts'
import { check } from '../../../lib/wire/values.ts'
import { Builder } from '../builder.ts'
import { attempt, codeOf, hex, magnitude, require, type Target } from '../target.ts'
import { kindOf, same } from '../values.ts'

/** What the encoder makes of messages, and which it refuses, by index. */
export type Encode = (messages: readonly unknown[], max: number) => Encoding

interface Encoding {
  readonly frames: readonly MessageFrame[]
  readonly refused: ReadonlyMap<number, StalkError>
}

const libs: Encode = (messages, max) => {
  const encoder = new MessageEncoder()
  encoder.maxMessageBytes = max
  const refused = new Map<number, StalkError>()
  const frames = [...encoder.encode(messages, (index, error) => refused.set(index, error))]
  return { frames, refused }
}

const CODES = ['ERR_STALK_VALUE_UNSUPPORTED', 'ERR_STALK_MESSAGE_TOO_LARGE'] as const
const MAX = 32_768

/** The encodings of the messages in the frames, each scanned. */
function encodings(frames: readonly MessageFrame[]): Buffer[] {
  const found: Buffer[] = []
  const parts: Buffer[] = []
  for (const { type, body, messages } of frames) {
    require(type !== KIND.fragment || body.length >= 1_024, 'a fragment that is too short')
    if (type !== KIND.messages) parts.push(body)
    if (type === KIND.lastFragment) found.push(Buffer.concat(parts.splice(0)))
    if (type !== KIND.messages) continue
    let at = body.length - behindHeader(body)
    for (let i = 0; i < messages; i++) {
      const end = skip(body, at)
      found.push(body.subarray(at, end))
      at = end
    }
    require(at === body.length, 'bytes behind the last message')
  }
  return found
}

const behindHeader = (body: Buffer): number => body.length - (body[0] === 0xdc ? 3 : body[0] === 0xdd ? 5 : 1)

function requireAccepted(bytes: Buffer): void {
  const { value } = attempt(['ERR_STALK_BAD_MESSAGE'], () => scan(bytes, 0, bytes.length))
  require(value === bytes.length, 'what is encoded is refused by the scan')
  require(bytes.length <= MAX, 'a message above the limit goes out')
}

/** Its size is exact, unless bigints beyond 64 bits are in it. */
function requireSize(message: unknown, bytes: Buffer): void {
  const told = check(message)
  const big = bytes.includes(0x42)
  require(big ? told <= bytes.length : told === bytes.length, 'the size that was told is another')
}

/** Sent again and again in one direction, so that key sets become shapes; what is odd need not arrive each time. */
function requireShaped(encoder: MessageEncoder, sent: readonly unknown[], odd: boolean): void {
  encoder.maxMessageBytes = MAX
  const decoder = new MessageDecoder()
  for (let i = 0; i <= SHAPE_AFTER; i++) {
    let refused = 0
    const frames = [...encoder.encode(sent, () => refused++)]
    const arrived = frames.flatMap(frame => decoder.decode(frame))
    require(arrived.length + refused === sent.length, 'not as many messages arrive as are sent, shapes used')
    require(odd || (refused === 0 && same(arrived, sent)), 'another value arrives, shapes used')
  }
}

export const encoding = (encode: Encode = libs, make = () => new MessageEncoder()): Target => ({
  name: 'encoding',
  properties: [
    'every value is encoded or refused with ERR_STALK_VALUE_UNSUPPORTED or ERR_STALK_MESSAGE_TOO_LARGE',
    'what is encoded, the scan accepts; it is as long as was told, and within the limit',
    'it arrives equal to what was sent',
    'so it does when its key sets have become shapes'
  ],
  maxBytes: 256,
  batch: 32,
  dictionary: [
    '0000',
    '0102',
    '0201',
    '0803',
    '0902',
    '0b40',
    '0b3f',
    '0b41',
    '0d01',
    '0407',
    '0c',
    '0c15'
  ].map(hex),
  seeds: () => Array.from({ length: 42 }, (_, i) => Buffer.of(i % 14, i, 3, i * 7, 1, 2, 9, i, 12, i)),
  run(input) {
    const builder = new Builder(input)
    const messages: unknown[] = []
    while (builder.more && messages.length < 4) messages.push(builder.value())
    const { frames, refused } = encode(messages, MAX)
    const codes = [...refused.values()].map(error => codeOf(error, CODES))
    const sent = messages.filter((_, index) => !refused.has(index))
    const bytes = encodings(frames)
    require(bytes.length === sent.length, 'not one encoding for each message that was not refused')
    bytes.forEach(requireAccepted)
    if (!builder.odd) for (const [i, message] of sent.entries()) requireSize(message, bytes[i] as Buffer)
    const decoder = new MessageDecoder()
    const arrived = frames.flatMap(frame => decoder.decode(frame))
    require(builder.odd || same(arrived, sent), 'another value arrives')
    if (input.length % 4 === 0) requireShaped(make(), sent, builder.odd)
    const { type = 0 } = frames.at(-1) ?? {}
    return `${codes[0]} ${sent.map(kindOf).slice(0, 1)} ${type} ${magnitude(bytes[0]?.length ?? 0)}`
  }
})
