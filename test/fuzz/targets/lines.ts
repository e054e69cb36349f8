// The target lines: NDJSON of the command line, tagged values in it.

import { LineSplitter, readLine, writeLine } from '../../../lib/cli/ndjson.ts'
import { BadValue } from '../../../lib/cli/tagged.ts'
import { Builder } from '../builder.ts'
import { described, magnitude, require, type Target, texts, Violation } from '../target.ts'
import { kindOf, same } from '../values.ts'

export interface LineCodec {
  read: typeof readLine
  write: typeof writeLine
}

type Read = { readonly message: unknown } | 'blank' | 'refused'

function readWith(codec: LineCodec, line: Buffer): Read {
  try {
    return codec.read(line) ?? 'blank'
  } catch (error) {
    if (error instanceof BadValue) return 'refused'
    throw new Violation(`threw ${described(error)}`, { cause: error })
  }
}

/** The lines, whatever the pieces are; the last one need not end. */
function split(bytes: Buffer, step: number): Buffer[] {
  const splitter = new LineSplitter()
  const lines: Buffer[] = []
  for (let at = 0; at < bytes.length; at += step) lines.push(...splitter.push(bytes.subarray(at, at + step)))
  return [...lines, splitter.rest()]
}

const shown = (lines: readonly Buffer[]): string => lines.map(line => line.toString('hex')).join(' ')

function requireSplit(bytes: Buffer, step: number): Buffer[] {
  const lines = split(bytes, bytes.length || 1)
  require(shown(lines) === shown(split(bytes, step)), 'the pieces of the input matter')
  require(Buffer.concat(lines.flatMap(line => [line, Buffer.of(10)]))
    .subarray(0, -1)
    .equals(bytes), 'lines lose bytes')
  return lines
}

function requireExact(codec: LineCodec, message: unknown): void {
  const line = codec.write(message)
  require(!line.includes('\n'), 'a message is not one line')
  const back = readWith(codec, Buffer.from(line))
  require(typeof back === 'object', 'what is written is refused')
  require(same(back.message, message), 'another message when read again')
}

/** The builder's values that a line can hold. */
function requireBuilt(codec: LineCodec, bytes: Buffer): string {
  const builder = new Builder(bytes)
  const value = builder.value()
  if (builder.odd || value === null || value === undefined || hasUnfit(value, 0)) return 'unfit'
  requireExact(codec, value)
  return kindOf(value)
}

/** Deeper than lines go, a bigint beyond all that are carried, or a key that JSON takes for something else. */
function hasUnfit(value: unknown, depth: number): boolean {
  if (typeof value === 'bigint') return value >= 2n ** 8_191n || value < -(2n ** 8_191n)
  if (typeof value !== 'object' || value === null) return false
  if (depth > 60) return true
  const inner =
    value instanceof Set || Array.isArray(value) ? [...value] : isBinary(value) ? [] : Object.values(value)
  return Object.hasOwn(value, '__proto__') || inner.some(item => hasUnfit(item, depth + 1))
}

const isBinary = (value: object): boolean => ArrayBuffer.isView(value) || value instanceof ArrayBuffer

/** `u8 what ‖ rest`: 0 a value for the builder, else the size of the pieces of a text. */
export const lines = (codec: LineCodec = { read: readLine, write: writeLine }): Target => ({
  name: 'lines',
  properties: [
    'nothing but BadValue is thrown',
    'whatever the pieces are, the lines are the same and all bytes are in them',
    'a message that was read is written as one line that is read back equal',
    'every value that can be carried is written as one line that is read back equal'
  ],
  maxBytes: 1_024,
  batch: 128,
  dictionary: [
    ...texts(
      '{"',
      '":',
      '"',
      '[',
      ']',
      '{',
      '}',
      ',',
      'null',
      'true',
      '1e999',
      '-0',
      '\n',
      '\\u',
      '\\ud800',
      '\\"'
    ),
    ...[
      'bigint',
      'number',
      'date',
      'set',
      'undefined',
      'bytes',
      'Int8Array',
      'BigUint64Array',
      'DataView',
      'ArrayBuffer'
    ].flatMap(tag => texts(`{"$${tag}":`, `{"$$${tag}":`)),
    ...texts(
      '"NaN"',
      '"-0"',
      '"-Infinity"',
      '"2026-02-28T12:00:00.000Z"',
      '"+275760-09-13"',
      '"-271821-04-20T00:00:00Z"'
    ),
    ...texts(
      '"AAAAAAAAAAA="',
      '"__proto__":1',
      '12345678901234567890',
      '9007199254740993',
      '1.5e308',
      '\ufeff',
      '"0012"'
    )
  ],
  seeds: () => [
    ...texts(
      '\x05{"a":1,"b":[true,null,"x"]}\n{"$bigint":"12"}\n\n{"$date":"2026-02-28T12:00:00.000Z"}\n',
      '\x01{"$set":[1,{"$undefined":true}]}\n{"$bytes":"AAAA"}\n{"$Float64Array":"AAAAAAAAAAA="}',
      '\x03{"$$date":1}\n{"$number":"NaN"}\n[1e3,-0,123456789012345680000]\nnull\n{"$date":null}'
    ),
    ...Array.from({ length: 14 }, (_, i) => Buffer.of(0, i, i * 5, 3, 1, 2, 9, i))
  ],
  run(input) {
    const what = input[0] ?? 1
    const rest = input.subarray(1)
    if (what === 0) return `built ${requireBuilt(codec, rest)}`
    const outcomes = requireSplit(rest, what).map(line => {
      const read = readWith(codec, line)
      if (typeof read === 'string') return read
      requireExact(codec, read.message)
      return kindOf(read.message)
    })
    return `${outcomes.slice(0, 3)} ${magnitude(outcomes.length)}`
  }
})
