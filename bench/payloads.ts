// The values that all subjects carry: the n-th is made anew at the sender and recognised at the receiver, in
// order and whole. Knows nothing of who carries them.

import { createCipheriv } from 'node:crypto'

export interface Payload {
  /** What one counts for in the question's unit. */
  readonly bytes: number
  make(index: number): unknown
  /** Whether this is the n-th. */
  is(index: number, message: unknown): boolean
}

// --- small objects: 6 fields, 72 bytes as plain MessagePack, whatever the index ----------------------------

interface Reading {
  readonly id: number
  readonly type: string
  readonly sensor: string
  readonly at: number
  readonly value: number
  readonly ok: boolean
}

const TYPES = ['reading', 'warning', 'average', 'maximum']
const SENSORS = ['kitchen-007', 'hallway-012', 'bedroom-103', 'terrace-220', 'balcony-041']
const FIRST_ID = 100_000 // 5 bytes from the first on
const FIRST_AT = 1_700_000_000_000

const reading = (index: number): Reading => ({
  id: FIRST_ID + index,
  type: TYPES[index % TYPES.length] as string,
  sensor: SENSORS[index % SENSORS.length] as string,
  at: FIRST_AT + index * 250,
  value: valueAt(index),
  ok: index % 3 !== 0
})

/** Never whole, so that it is always a double. */
const valueAt = (index: number): number => ((index % 4_001) + 0.5) / 64

function isReading(index: number, message: unknown): boolean {
  const { id, type, sensor, at, value, ok } = message as Reading
  return (
    id === FIRST_ID + index &&
    type === TYPES[index % TYPES.length] &&
    sensor === SENSORS[index % SENSORS.length] &&
    at === FIRST_AT + index * 250 &&
    value === valueAt(index) &&
    ok === (index % 3 !== 0)
  )
}

const small: Payload = { bytes: 72, make: reading, is: isReading }

// --- mixed objects: four kinds, as programs send them, of about 40 to 400 bytes -----------------------------

type Maker = (index: number) => unknown

const WORDS = ['Grüße', 'naïve', 'plain', '東京', 'a somewhat longer piece of text that somebody has typed']
const wordAt = (index: number): string => WORDS[index % WORDS.length] as string

const MIXED: readonly Maker[] = [
  index => ({
    id: `order-${index}`,
    at: new Date(FIRST_AT + index * 1_000),
    customer: { name: wordAt(index), address: { street: wordAt(index + 1), zip: 10_115 + (index % 900) } },
    items: Array.from({ length: 1 + (index % 4) }, (_, n) => ({
      sku: index * 8 + n,
      count: n + 1,
      price: n + 0.99
    })),
    note: index % 2 === 0 ? null : wordAt(index + 2),
    paid: index % 3 === 0
  }),
  index => ({ op: 'set', path: ['users', index % 1_000, 'name'], value: wordAt(index) }),
  index => ({ samples: Array.from({ length: 24 }, (_, n) => valueAt(index + n)), unit: 'ms', from: index }),
  index => ({
    key: `file-${index % 100}`,
    digest: digests[index % KINDS],
    size: index * 4_096,
    tags: [wordAt(index)]
  })
]

/** Plain data, Dates and Buffers alike; written for the values that are made here. */
function alike(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a))
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => alike(item, b[i]))
  if (a instanceof Date) return b instanceof Date && a.getTime() === b.getTime()
  if (Buffer.isBuffer(a)) return Buffer.isBuffer(b) && a.equals(b)
  const keys = Object.keys(a)
  if (keys.length !== Object.keys(b).length) return false
  return keys.every(key => alike(a[key as keyof typeof a], b[key as keyof typeof b]))
}

const mixedAt: Maker = index => (MIXED[index % MIXED.length] as Maker)(index)

const mixed = (): Payload => ({
  bytes: 150,
  make: mixedAt,
  is: (index, message) => alike(mixedAt(index), message)
})

// --- buffers: one of several with contents that differ everywhere ------------------------------------------

const KINDS = 16
const digests = Array.from({ length: KINDS }, (_, kind) => noise(32, kind + 100))

function buffers(bytes: number): Payload {
  const kinds = bytes > 2 ** 20 ? 2 : KINDS
  const all = Array.from({ length: kinds }, (_, kind) => noise(bytes, kind + 1))
  const at = (index: number): Buffer => all[index % kinds] as Buffer
  return { bytes, make: at, is: (index, message) => Buffer.isBuffer(message) && at(index).equals(message) }
}

/** A cipher's keystream, the same in every process. */
function noise(bytes: number, seed: number): Buffer {
  return createCipheriv('aes-128-ctr', Buffer.alloc(16, seed), Buffer.alloc(16)).update(Buffer.alloc(bytes))
}

const MAKERS = {
  small: () => small,
  mixed,
  byte: () => buffers(1),
  '16B': () => buffers(16),
  '256B': () => buffers(256),
  '1KiB': () => buffers(2 ** 10),
  '4KiB': () => buffers(2 ** 12),
  '64KiB': () => buffers(2 ** 16),
  '1MiB': () => buffers(2 ** 20),
  /** The largest message that is taken by default, with its 5 bytes of MessagePack. */
  '16MiB': () => buffers(2 ** 24 - 5)
} as const

export type PayloadName = keyof typeof MAKERS

export const payloadOf = (name: PayloadName): Payload => MAKERS[name]()
