// The values that all subjects carry: the n-th is made anew at the sender and recognised at the receiver, in
// order and whole. Knows nothing of who carries them.

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

// --- buffers: one of several with contents that differ everywhere ------------------------------------------

const KINDS = 16

function buffers(bytes: number): Payload {
  const all = Array.from({ length: KINDS }, (_, kind) => noise(bytes, kind + 1))
  const at = (index: number): Buffer => all[index % KINDS] as Buffer
  return { bytes, make: at, is: (index, message) => Buffer.isBuffer(message) && at(index).equals(message) }
}

/** A linear congruential generator's bytes, the same in every process. */
function noise(bytes: number, seed: number): Buffer {
  let state = seed
  return Buffer.from(
    Array.from({ length: bytes }, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return state >>> 24
    })
  )
}

const MAKERS = {
  small: () => small,
  '64KiB': () => buffers(65_536)
} as const

export type PayloadName = keyof typeof MAKERS

export const payloadOf = (name: PayloadName): Payload => MAKERS[name]()
