// Values as JSON, in the notation of stalk_reference/notation.py.

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

const bytesOf = (value: ArrayBuffer | ArrayBufferView): Buffer =>
  ArrayBuffer.isView(value)
    ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    : Buffer.from(value)

function describeNumber(value: number): Json {
  if (Object.is(value, -0)) return { $number: '-0' }
  return Number.isFinite(value) ? value : { $number: String(value) }
}

function describeDate(date: Date): Json {
  const ms = date.getTime()
  if (Number.isNaN(ms)) return { $date: null }
  const seconds = Math.floor(ms / 1000)
  return { $date: [seconds, (ms - seconds * 1000) * 1e6] }
}

function describeObject(value: object): Json {
  const members = Object.entries(value).map(([key, member]) => [key, describe(member)] as const)
  const tagged = members.length === 1 && members[0]?.[0].startsWith('$')
  return Object.fromEntries(tagged ? members.map(([key, member]) => [`$${key}`, member]) : members)
}

function describeInstance(value: object): Json {
  if (Array.isArray(value)) return value.map(describe)
  if (value instanceof Set) return { $set: [...value].map(describe) }
  if (value instanceof Date) return describeDate(value)
  if (Buffer.isBuffer(value)) return { $bytes: value.toString('hex') }
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) {
    return { [`$${value.constructor.name}`]: bytesOf(value).toString('hex') }
  }
  return describeObject(value)
}

/** A value as JSON that tells it exactly, its type included. */
export function describe(value: unknown): Json {
  switch (typeof value) {
    case 'number':
      return describeNumber(value)
    case 'bigint':
      return { $bigint: String(value) }
    case 'undefined':
      return { $undefined: true }
    case 'object':
      return value === null ? null : describeInstance(value)
    default:
      return value as string | boolean
  }
}
