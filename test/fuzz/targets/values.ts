// The target values: one encoded value, lib against the Python implementation.

import { KIND } from '../../../lib/constants.ts'
import { MessageDecoder } from '../../../lib/wire/message.ts'
import { describe } from '../../interop/notation.ts'
import { Judge } from '../judge.ts'
import { attempt, magnitude, type Target, type Verdict } from '../target.ts'
import { EXAMPLES, TOKENS } from '../tokens.ts'
import { encoded, kindOf } from '../values.ts'

/** The value that the bytes are; throws where they are refused. */
export type Decode = (bytes: Buffer) => unknown

const libs: Decode = bytes => new MessageDecoder().decode({ type: KIND.lastFragment, body: bytes })[0]

export type Json = null | boolean | number | string | Json[] | { readonly [key: string]: Json }

interface Answer {
  readonly value?: Json
  readonly encoded?: string
}

interface Read {
  readonly value: Json
  /** Our encoding of it, without the array around it. */
  readonly encoded: string
}

function read(decode: Decode, bytes: Buffer): Read | null {
  const { value, code } = attempt(['ERR_STALK_BAD_MESSAGE', 'ERR_STALK_OVERFLOW'], () => decode(bytes))
  if (code !== null) return null
  const [frame] = encoded([value])
  const alone = frame?.type === KIND.messages ? frame.body.subarray(1).toString('hex') : ''
  return { value: describe(value), encoded: alone }
}

const isObject = (value: Json): value is { readonly [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Equal, but for what section 15 leaves open: instants between two milliseconds, equal elements of a set. */
export function agree(ours: Json, theirs: Json): boolean {
  if (Array.isArray(ours) && Array.isArray(theirs)) {
    return ours.length === theirs.length && ours.every((item, i) => agree(item, theirs[i] as Json))
  }
  if (!isObject(ours) || !isObject(theirs)) return ours === theirs
  const [{ $date: date, $set: set }, { $date: theirDate, $set: theirSet }] = [ours, theirs]
  if (date && theirDate) return sameInstant(date, theirDate)
  if (set && theirSet) return agree(set, once(theirSet as Json[]))
  const keys = Object.keys(ours)
  const paired = keys.every(
    key => Object.hasOwn(theirs, key) && agree(ours[key] as Json, theirs[key] as Json)
  )
  return paired && keys.length === Object.keys(theirs).length
}

function sameInstant(ours: Json, theirs: Json): boolean {
  const [[ourSeconds, ourNanos], [theirSeconds, theirNanos]] = [ours as number[], theirs as number[]]
  const seconds = (ourSeconds as number) - (theirSeconds as number)
  return Math.abs(seconds * 1e9 + ((ourNanos as number) - (theirNanos as number))) < 1e6
}

/** What is equal in JavaScript is in a set once: primitive values, which −0 and 0 are one of. */
function once(elements: Json[]): Json[] {
  const seen = new Set<string>()
  return elements.flatMap(element => {
    const plain = isNegativeZero(element) ? 0 : element
    const text = JSON.stringify(plain)
    if (!isPrimitive(plain)) return [plain]
    if (seen.has(text)) return []
    seen.add(text)
    return [plain]
  })
}

const isNegativeZero = (value: Json): boolean => JSON.stringify(value) === '{"$number":"-0"}'

const isPrimitive = (value: Json): boolean =>
  !isObject(value)
    ? !Array.isArray(value)
    : ['$number', '$bigint', '$undefined'].some(tag => Object.hasOwn(value, tag))

function compare(ours: Read | null, theirs: Answer): string | null {
  if (ours === null) return 'value' in theirs ? 'lib refuses a value that Python accepts' : null
  if (theirs.value === undefined) return 'lib accepts a value that Python refuses'
  if (!agree(ours.value, theirs.value)) return 'lib reads another value than Python'
  if (ours.encoded === '' || isOpen(ours.value)) return null
  return ours.encoded === theirs.encoded ? null : 'lib encodes a value to other bytes than Python'
}

/** An integer beyond 64 bits need not be as short as can be, and the payload of a NaN may be lost or not. */
const isOpen = (value: Json): boolean => /"\$bigint":"-?\d{19,}"|"\$number":"NaN"/.test(JSON.stringify(value))

export const values = (decode: Decode = libs): Target => {
  const judge = new Judge('values')
  const ours = new WeakMap<Buffer, Read | null>()
  return {
    name: 'values',
    properties: [
      'lib and the Python implementation accept and refuse the same encodings',
      'both read the same value, but for what section 15 leaves to the receiver',
      'both encode that value to the same bytes'
    ],
    maxBytes: 1_200,
    batch: 128,
    dictionary: TOKENS,
    seeds: () => EXAMPLES,
    run(input) {
      const own = read(decode, input)
      ours.set(input, own)
      return own
        ? `accepted ${kindOf(own.value)} ${own.encoded.slice(0, 2)}`
        : `refused ${(input[0] ?? 0) >> 3} ${magnitude(input.length)}`
    },
    async judge(inputs): Promise<Verdict[]> {
      const jobs = inputs.map(input => ({ bytes: input.toString('hex'), ...described(ours.get(input)) }))
      const answers = await judge.ask<Answer>(jobs)
      return inputs.map((input, i) => {
        const own = ours.get(input)
        return { disagreement: own === undefined ? null : compare(own, answers[i] ?? {}) }
      })
    },
    stop: () => judge.stop()
  }
}

const described = (read: Read | null | undefined): object => (read ? { value: read.value } : {})
