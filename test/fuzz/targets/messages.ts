// The target messages: contents of records of kind 02.

import { KIND } from '../../../lib/constants.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { MessageDecoder } from '../../../lib/wire/message.ts'
import { reference } from '../../wire/reference.ts'
import { attempt, magnitude, require, type Target } from '../target.ts'
import { EXAMPLES, TOKENS } from '../tokens.ts'
import { encoded, kindOf, requireNoAlias, same } from '../values.ts'
import { contents } from '../vectors.ts'

/** Lib's decoder, or a broken one in its place. */
export type Decode = (frame: Frame) => unknown[]

const CODES = ['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW'] as const
const MAX = 1_024

const libs: Decode = frame => new MessageDecoder({ maxMessageBytes: MAX }).decode(frame)

const frameOf = (body: Buffer): Frame => ({ type: KIND.messages, body })

export const messages = (decode: Decode = libs): Target => ({
  name: 'messages',
  properties: [
    'nothing but ERR_STALK_BAD_MESSAGE and ERR_STALK_OVERFLOW is thrown',
    'what is accepted is what a plain second decoder reads, none of it nil or undefined',
    'what is accepted can be sent, and arrives equal',
    'no value shares memory with the bytes of the record'
  ],
  maxBytes: 2_048,
  batch: 128,
  dictionary: TOKENS,
  seeds: () => [
    ...contents
      .filter(({ kind, content }) => kind === 2 && content.length < 600)
      .map(({ content }) => content),
    ...EXAMPLES.map(example => Buffer.concat([Buffer.of(0x92), example, example]))
  ],
  run(input) {
    const body = Buffer.from(input)
    const { value, code } = attempt(CODES, () => decode(frameOf(body)))
    if (value === null) return `${code} ${magnitude(body.length)}`
    require(same(value, reference(body)), 'values other than a plain decoder reads')
    require(value.length > 0 &&
      value.every(message => message !== null && message !== undefined), 'no message')
    requireNoAlias(body, value, bytes => reference(bytes))
    const back = encoded(value).flatMap(frame => new MessageDecoder().decode(frame))
    require(same(back, value), 'other values when encoded again')
    return `accepted ${magnitude(value.length)} ${kindOf(value[0])}`
  }
})
