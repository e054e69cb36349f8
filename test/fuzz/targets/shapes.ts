// The target shapes: records of kind 0A and messages behind them, lib against the Python implementation; and what lib's
// encoder announces by itself.

import { KIND, SHAPE_AFTER } from '../../../lib/constants.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { MessageDecoder, MessageEncoder } from '../../../lib/wire/message.ts'
import { shapesContent } from '../../helpers/formulas.ts'
import { describe } from '../../interop/notation.ts'
import { Judge } from '../judge.ts'
import { attempt, hex, require, type Target, type Verdict } from '../target.ts'
import { TOKENS } from '../tokens.ts'
import { encodedBy, kindOf, same } from '../values.ts'
import { agree, type Json } from './values.ts'

export type MakeDecoder = () => Pick<MessageDecoder, 'decode'>

const libs: MakeDecoder = () => new MessageDecoder()

const KINDS = [KIND.shapes, KIND.messages, KIND.lastFragment]
const MOST_RECORDS = 8

/** `u8 kind ‖ u8 length ‖ content`, as often as there is room. */
function recordsOf(input: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + 2 <= input.length && frames.length < MOST_RECORDS; ) {
    const end = at + 2 + input.readUInt8(at + 1)
    const type = KINDS[input.readUInt8(at) % KINDS.length] as number
    frames.push({ type, body: Buffer.from(input.subarray(at + 2, end)) })
    at = end
  }
  return frames
}

/** The described messages of each record; null is one that is refused, and the last. */
type Read = readonly (readonly Json[] | null)[]

interface Ours {
  readonly frames: readonly Frame[]
  readonly read: Read
  /** The messages often enough to be announced, as lib encodes them. */
  readonly sent: readonly Frame[]
  readonly messages: readonly Json[]
}

const CODES = ['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW'] as const

/** How often everything is sent: from the last but one on its key sets are shapes. */
const OFTEN = SHAPE_AFTER + 2

function readBy(make: MakeDecoder, frames: readonly Frame[]): { read: Read; messages: unknown[] } {
  const decoder = make()
  const read: (Json[] | null)[] = []
  const messages: unknown[] = []
  for (const frame of frames) {
    const { value } = attempt(CODES, () => decoder.decode(frame))
    read.push(value && (value.map(describe) as Json[]))
    messages.push(...(value ?? []))
    if (value === null) break
  }
  return { read, messages }
}

/** Everything again and again in one direction. */
function sendOften(messages: readonly unknown[]): Frame[] {
  const encoder = new MessageEncoder()
  const decoder = new MessageDecoder()
  const frames = Array.from({ length: OFTEN }, () => encodedBy(encoder, messages)).flat()
  const arrived = frames.flatMap(frame => decoder.decode(frame))
  require(arrived.length === OFTEN * messages.length, 'not as many messages arrive as are sent')
  for (const [i, message] of arrived.entries())
    require(same(message, messages[i % messages.length]), 'another value arrives, shapes used')
  return frames
}

const asJson = (frames: readonly Frame[]): [number, string][] =>
  frames.map(({ type, body }) => [type, body.toString('hex')])

const agreeAll = (ours: readonly Json[], theirs: readonly Json[]): boolean =>
  ours.length === theirs.length && ours.every((value, i) => agree(value, theirs[i] as Json))

function compare({ read, sent, messages }: Ours, theirs: { records: Read; sent: Read }): string | null {
  for (const [i, ours] of read.entries()) {
    const their = theirs.records[i]
    if (their === undefined || (ours === null) !== (their === null))
      return ours === null
        ? 'lib refuses a record that Python accepts'
        : 'lib accepts a record that Python refuses'
    if (ours && their && !agreeAll(ours, their)) return 'lib reads other messages than Python'
  }
  if (sent.length !== theirs.sent.length || theirs.sent.includes(null)) return 'Python refuses what lib sends'
  const arrived = theirs.sent.flatMap(each => each ?? [])
  return agreeAll(messages, arrived) ? null : 'Python reads other messages than lib sends'
}

const point = shapesContent(0, ['x', 'y'], ['a'])
const framed = (kind: number, content: Buffer | string): Buffer => {
  const bytes = typeof content === 'string' ? hex(content) : content
  return Buffer.concat([Buffer.of(KINDS.indexOf(kind as never), bytes.length), bytes])
}
const behindPoint = (...contents: string[]): Buffer =>
  Buffer.concat([framed(KIND.shapes, point), ...contents.map(content => framed(KIND.messages, content))])

const GOOD_USES = [
  '91400102',
  '9341c341c00141',
  '92400141c3cc40',
  '9140400102400304',
  '9141d473009141c3',
  '9181a1614105'
]
const BAD_USES = [
  '9140',
  '9142c3',
  '917f',
  '9160',
  '91814101c3',
  `91${'41'.repeat(65)}c3`,
  '9141c1',
  '914141c3c3'
]

function seeds(): Buffer[] {
  const names = Array.from({ length: 65 }, (_, i) => `${i % 10}`.padStart(2, 'a'))
  const odd = [
    '__proto__',
    'constructor',
    '',
    'a-b',
    '0',
    '$_',
    'toJSON',
    'then',
    'x'.repeat(64),
    'x'.repeat(65)
  ]
  return [
    ...[...GOOD_USES, ...BAD_USES].map(use => behindPoint(use)),
    behindPoint('91400102', '9141c3', '92400102 81a161c3'),
    ...odd.map(name =>
      Buffer.concat([framed(KIND.shapes, shapesContent(0, [name])), framed(KIND.messages, '9140c3')])
    ),
    Buffer.concat([framed(KIND.shapes, point), framed(KIND.lastFragment, '40c3c2')]),
    Buffer.concat([
      framed(KIND.messages, '934041 7f'),
      framed(KIND.shapes, point),
      framed(KIND.messages, '91cc7f')
    ]),
    Buffer.concat([framed(KIND.shapes, point), framed(KIND.shapes, shapesContent(2, ['a']))]),
    Buffer.concat([framed(KIND.shapes, point), framed(KIND.shapes, shapesContent(0, ['a']))]),
    framed(KIND.shapes, shapesContent(0, ...names.slice(0, 32).map((_, i) => [`n${i}`]))),
    framed(KIND.shapes, shapesContent(0, ...names.slice(0, 33).map((_, i) => [`n${i}`]))),
    framed(
      KIND.shapes,
      shapesContent(
        0,
        names.slice(0, 64).map((_, i) => `n${i}`)
      )
    ),
    framed(
      KIND.shapes,
      shapesContent(
        0,
        names.map((_, i) => `n${i}`)
      )
    ),
    ...['', '00', '0000', '000100', '00010161', '0001010161ff', '0001020161 0161'].map(content =>
      framed(KIND.shapes, content)
    ),
    framed(KIND.messages, '9182a17801a17902') // equal objects, often
  ]
}

export const shapes = (make: MakeDecoder = libs): Target => {
  const judge = new Judge('shapes')
  const kept = new WeakMap<Buffer, Ours>()
  return {
    name: 'shapes',
    properties: [
      'nothing but ERR_STALK_BAD_MESSAGE and ERR_STALK_OVERFLOW is thrown',
      'lib and the Python implementation accept and refuse the same announcements and messages, and read the same',
      'no value shares memory with the bytes of a record',
      'what is read can be sent often, and arrives equal at lib and at Python, whatever lib announces'
    ],
    maxBytes: 600,
    batch: 64,
    dictionary: [
      ...TOKENS,
      ...[
        '40',
        '41',
        '42',
        '5f',
        '60',
        '7f',
        'cc40',
        '0001',
        '0101',
        '020178 0179',
        '010161',
        '400102',
        '41c3'
      ].map(hex)
    ],
    seeds,
    run(input) {
      const frames = recordsOf(input)
      const asked = frames.map(({ type, body }) => ({ type, body: Buffer.from(body) }))
      const { read, messages } = readBy(make, frames)
      const described = messages.map(describe) as Json[]
      for (const { body } of frames) body.fill(0xa5)
      require(JSON.stringify(messages.map(describe)) === JSON.stringify(described), 'a value shares memory')
      const sent = sendOften(messages)
      const often = Array.from({ length: OFTEN }, () => described).flat()
      kept.set(input, { frames: asked, read, sent, messages: often })
      const announced = sent.filter(({ type }) => type === KIND.shapes).length
      const kinds = frames.map(({ type }, i) => `${type}${read[i] ? '' : '!'}`).slice(0, 3)
      return `${kinds} ${messages.length === 0 ? '' : kindOf(messages.at(-1))} ${announced}`
    },
    async judge(inputs): Promise<Verdict[]> {
      const jobs = inputs.map(input => {
        const { frames = [], sent = [] } = kept.get(input) ?? {}
        return { records: asJson(frames), sent: asJson(sent) }
      })
      const answers = await judge.ask<{ records: Read; sent: Read }>(jobs)
      return inputs.map((input, i) => {
        const own = kept.get(input)
        return { disagreement: own ? compare(own, answers[i] as (typeof answers)[0]) : null }
      })
    },
    stop: () => judge.stop()
  }
}
