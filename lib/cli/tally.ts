// A tally of messages: how many, which types that JSON doesn't have, and a digest over all of them in order. Two
// tallies are equal if the same messages were added in the same order, each as often. Knows values; no stream.

import { createHash, type Hash } from 'node:crypto'

/** What is told of a tally. */
export interface Total {
  readonly messages: number
  /** SHA-256 over the canonical form of all messages, in hex. */
  readonly digest: string
  /** The types in them that JSON doesn't have, sorted. */
  readonly kinds: readonly string[]
}

export class Tally {
  readonly #hash: Hash = createHash('sha256')
  readonly #kinds = new Set<string>()
  #messages = 0

  get messages(): number {
    return this.#messages
  }

  add(message: unknown): void {
    this.#messages += 1
    this.#hash.update(`${canonical(message, this.#kinds)}\n`)
  }

  get total(): Total {
    return {
      messages: this.#messages,
      digest: this.#hash.copy().digest('hex'),
      kinds: [...this.#kinds].sort()
    }
  }
}

export const sameTotal = (one: Total, other: Total): boolean =>
  one.messages === other.messages && one.digest === other.digest && one.kinds.join() === other.kinds.join()

/**
 * A text that is equal for equal values and different for different ones, types and order of keys included. Adds
 * to `kinds` what JSON could not have carried.
 */
export function canonical(value: unknown, kinds: Set<string> = new Set()): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${seen(kinds, 'bigint')}(${value})`
  if (typeof value !== 'object' || value === null) return String(value)
  const inner = (item: unknown): string => canonical(item, kinds)
  if (Array.isArray(value)) return `[${value.map(inner).join()}]`
  if (value instanceof Date) return `${seen(kinds, 'Date')}(${value.getTime()})`
  if (value instanceof Set) return `${seen(kinds, 'Set')}(${[...value].map(inner).join()})`
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return binary(value, kinds)
  return `{${Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${inner(item)}`)}}`
}

function binary(value: ArrayBufferView | ArrayBuffer, kinds: Set<string>): string {
  const bytes =
    value instanceof ArrayBuffer
      ? Buffer.from(value)
      : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  return `${seen(kinds, value.constructor.name)}(${bytes.toString('base64')})`
}

function seen(kinds: Set<string>, kind: string): string {
  kinds.add(kind)
  return kind
}
