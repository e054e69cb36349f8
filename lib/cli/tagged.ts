// Tagged JSON: what a message may carry and JSON can't, as objects with one key that begins with `$`. Both
// ways, and the way back is exact. Knows values and their JSON; knows no lines and no streams.
//
//   12n                  {"$bigint":"12"}           NaN, ±Infinity, -0   {"$number":"NaN"} …
//   a Date               {"$date":"2026-…Z"}        undefined            {"$undefined":true}
//   an invalid Date      {"$date":null}             a Set                {"$set":[1,2]}
//   a Buffer             {"$bytes":"base64"}        other binary data    {"$Float64Array":"base64"} …
//
// An object that really has such a key alone gets one more `$`: { $date: 1 } is {"$$date":1}.

type Plain = Record<string, unknown>

/** The text says what is wrong with a value, for a person. */
export class BadValue extends Error {}

/** A value as `JSON.stringify` can take it. */
export function toTagged(value: unknown): unknown {
  if (typeof value === 'number') return isJsonNumber(value) ? value : { $number: numberText(value) }
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (value === undefined) return { $undefined: true }
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(toTagged)
  if (value instanceof Date) return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
  if (value instanceof Set) return { $set: Array.from(value, toTagged) }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return binaryTag(value)
  return tagged(value as Plain)
}

/** The value that a parsed JSON text stands for. Changes what it is given. Throws BadValue. */
export function fromTagged(json: unknown, depth = 0): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (depth > MAX_DEPTH) throw new BadValue('it is nested too deep: at most 64 levels can be carried')
  if (Array.isArray(json)) return untagAll(json, depth)
  const keys = Object.keys(json)
  const [key = ''] = keys
  if (keys.length === 1 && key.startsWith('$')) {
    const content = (json as Plain)[key]
    if (ESCAPED.test(key)) return { [key.slice(1)]: fromTagged(content, depth + 1) }
    const read = READERS.get(key)
    if (read) return read(content, depth)
  }
  return untagged(json as Plain, keys, depth)
}

/** A set takes two levels of JSON for one of its own; what is deeper is refused when it is sent. */
const MAX_DEPTH = 130

// --- numbers -----------------------------------------------------------------------------------------

const NUMBERS = new Map([NaN, Infinity, -Infinity, -0].map(value => [numberText(value), value]))

const isJsonNumber = (value: number): boolean => Number.isFinite(value) && !Object.is(value, -0)

function numberText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function readNumber(content: unknown): number {
  const value = NUMBERS.get(content as string)
  if (value === undefined) throw wrong('$number', `one of ${[...NUMBERS.keys()].join(', ')}`)
  return value
}

/** More digits than any bigint has that can be carried. */
const DIGITS = /^-?\d{1,2500}$/

function readBigint(content: unknown): bigint {
  if (typeof content === 'string' && DIGITS.test(content)) return BigInt(content)
  throw wrong('$bigint', 'at most 2,500 digits, as a string')
}

// --- dates, sets, undefined --------------------------------------------------------------------------

const DATE = /^(\d{4}|[+-]\d{6})-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/

function readDate(content: unknown): Date {
  if (content === null) return new Date(Number.NaN)
  const date = new Date(typeof content === 'string' && DATE.test(content) ? dayChecked(content) : Number.NaN)
  if (Number.isNaN(date.getTime())) {
    throw wrong('$date', 'an ISO 8601 date, as in "2026-02-28T12:00:00.000Z", or null')
  }
  return date
}

/** There is no 30th of February, although Date.parse knows one. */
function dayChecked(text: string): string | number {
  const day = text.split('T', 1)[0] as string
  const midnight = new Date(`${day}T00:00Z`)
  if (Number.isNaN(midnight.getTime())) return text
  return midnight.toISOString().startsWith(`${day}T`) ? text : Number.NaN
}

function readSet(content: unknown, depth: number): Set<unknown> {
  if (!Array.isArray(content)) throw wrong('$set', 'a list')
  const set = new Set(untagAll(content, depth + 1))
  if (set.size < content.length) throw wrong('$set', 'a list that has nothing twice')
  return set
}

function readUndefined(content: unknown): undefined {
  if (content !== true) throw wrong('$undefined', 'true')
}

// --- binary data -------------------------------------------------------------------------------------

type Binary = ArrayBufferView | ArrayBuffer
type Make = (bytes: ArrayBuffer) => Binary

/** By the name of the class. Elements stand as they lie in memory: little-endian, on all common machines. */
const BINARY: Record<string, { readonly size: number; readonly make: Make }> = {
  ArrayBuffer: { size: 1, make: bytes => bytes },
  DataView: { size: 1, make: bytes => new DataView(bytes) },
  ...Object.fromEntries(
    [
      Int8Array,
      Uint8Array,
      Uint8ClampedArray,
      Int16Array,
      Uint16Array,
      Int32Array,
      Uint32Array,
      Float32Array,
      Float64Array,
      BigInt64Array,
      BigUint64Array
    ].map(type => [
      type.name,
      { size: type.BYTES_PER_ELEMENT, make: (bytes: ArrayBuffer): Binary => new type(bytes) }
    ])
  )
}

function binaryTag(value: Binary): Plain {
  const bytes =
    value instanceof ArrayBuffer
      ? Buffer.from(value)
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const name = Buffer.isBuffer(value) ? 'bytes' : Object.prototype.toString.call(value).slice(8, -1)
  return { [`$${name}`]: bytes.toString('base64') }
}

function readBase64(tag: string, content: unknown): Buffer {
  const bytes = Buffer.from(typeof content === 'string' ? content : '', 'base64')
  if (bytes.toString('base64') === content) return bytes
  throw wrong(tag, 'base64 with its padding, as a string')
}

function readBinary(name: string, content: unknown): Binary {
  const tag = `$${name}`
  const { size, make } = BINARY[name] as (typeof BINARY)[string]
  const bytes = readBase64(tag, content)
  if (bytes.length % size > 0) throw wrong(tag, `whole elements of ${size} bytes`)
  return make(new Uint8Array(bytes).buffer)
}

// --- objects -----------------------------------------------------------------------------------------

type Read = (content: unknown, depth: number) => unknown

const READERS = new Map<string, Read>([
  ['$bigint', readBigint],
  ['$number', readNumber],
  ['$date', readDate],
  ['$set', readSet],
  ['$undefined', readUndefined],
  ['$bytes', content => readBase64('$bytes', content)],
  ...Object.keys(BINARY).map((name): [string, Read] => [`$${name}`, content => readBinary(name, content)])
])

const NAMES = [...READERS.keys()].map(name => name.slice(1)).join('|')
const RESERVED = new RegExp(`^\\$+(${NAMES})$`)
const ESCAPED = new RegExp(`^\\$\\$+(${NAMES})$`)

function tagged(value: Plain): Plain {
  const keys = Object.keys(value)
  const [key = ''] = keys
  if (keys.length === 1 && RESERVED.test(key)) return { [`$${key}`]: toTagged(value[key]) }
  return Object.fromEntries(keys.map(name => [name, toTagged(value[name])]))
}

function untagged(json: Plain, keys: readonly string[], depth: number): Plain {
  for (const key of keys) {
    // Assigned, it would not be a key but change what the object is.
    if (key === '__proto__') throw new BadValue('a key named __proto__ cannot be carried; rename it')
    json[key] = fromTagged(json[key], depth + 1)
  }
  return json
}

function untagAll(list: unknown[], depth: number): unknown[] {
  for (const [index, item] of list.entries()) list[index] = fromTagged(item, depth + 1)
  return list
}

const wrong = (tag: string, wanted: string): BadValue =>
  new BadValue(`"${tag}" takes ${wanted}; an object that really has this key is written with "$${tag}"`)
