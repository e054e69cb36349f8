// Values as targets compare them, and what every target of the message codec holds them to.

import { isDeepStrictEqual } from 'node:util'
import type { MessageFrame } from '../../lib/wire/long.ts'
import { MessageEncoder } from '../../lib/wire/message.ts'
import { require, Violation } from './target.ts'

/** Node 20 holds that no invalid date equals another, and that a Buffer's pool is part of it. */
export function same(a: unknown, b: unknown): boolean {
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime())
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => same(item, b[i]))
  if (a instanceof Set && b instanceof Set) return a.size === b.size && same([...a], [...b])
  if (isPlain(a) && isPlain(b)) return samePlain(a, b)
  return isDeepStrictEqual(a, b)
}

type Plain = Record<string, unknown>

const isPlain = (value: unknown): value is Plain =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype

function samePlain(a: Plain, b: Plain): boolean {
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && same(a[key], b[key]))
  )
}

/** What lib encodes the messages to; a refusal is a violation. */
export const encoded = (messages: readonly unknown[]): MessageFrame[] =>
  encodedBy(new MessageEncoder(), messages)

/** The same by an encoder that may have met their key sets before. */
export function encodedBy(encoder: MessageEncoder, messages: readonly unknown[]): MessageFrame[] {
  return [
    ...encoder.encode(messages, (_, error) => {
      throw new Violation(`what was received cannot be sent: ${error.message}`, { cause: error })
    })
  ]
}

/** Whether writing over bytes would change a value that was made of them. */
export function requireNoAlias(bytes: Buffer, value: unknown, decode: (bytes: Buffer) => unknown): void {
  const before = Buffer.from(bytes)
  bytes.fill(0xa5)
  require(same(value, decode(before)), 'a value shares memory with the bytes that it came from')
  before.copy(bytes)
}

/** A word for what kind of value it is. */
export function kindOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? 'null' : typeof value
  return value.constructor?.name ?? 'object'
}
