// The canary: one value of every kind, packed and unpacked and compared with what PROTOCOL.md says. msgpackr's
// `addExtension` is global to the process, so any other package may have changed what a Date, a Set or a plain
// object becomes, or what an extension that we allow is decoded to. Then no codec is made, from a tenth of a second
// later at the latest.

import { isDeepStrictEqual } from 'node:util'
import { StalkError } from '../errors.ts'
import { pack, unpack } from './packer.ts'
import { arrayHeader } from './tokens.ts'

// Bytes → value, or what is sent and what arrives. Elements of typed arrays are little-endian, which msgpackr
// leaves to the machine.
const KINDS: readonly (readonly [hex: string, sent: unknown, received?: unknown])[] = [
  ['c0', null],
  ['d40000', undefined],
  ['cbbff8000000000000', -1.5],
  ['d84200000000000000010000000000000000', 2n ** 64n],
  ['a2c3a9', 'é'],
  ['c40101', Buffer.of(1)],
  ['c702740001', Int8Array.of(1)],
  ['c702740101', Uint8Array.of(1)],
  ['c702740201', Uint8ClampedArray.of(1)],
  ['c70374030201', Int16Array.of(258)],
  ['c70374040201', Uint16Array.of(258)],
  ['c705740502010000', Int32Array.of(258)],
  ['c705740602010000', Uint32Array.of(258)],
  ['c70574070000803f', Float32Array.of(1)],
  ['c7097408000000000000f03f', Float64Array.of(1)],
  ['c70974090100000000000000', BigInt64Array.of(1n)],
  ['c709740a0100000000000000', BigUint64Array.of(1n)],
  ['c702741000', new ArrayBuffer(1)],
  ['c702741100', new DataView(new ArrayBuffer(1))],
  ['d6ff00000000', new Date(0)],
  ['d7ff003d090000000000', new Date(1)],
  ['c70cff3b8b87c0ffffffffffffffff', new Date(-1)],
  ['d4ffff', new Date(Number.NaN)],
  ['d473009101', new Set([1])],
  ['9181a16101', [{ a: 1 }]],
  // Objects that msgpackr does not know by their constructor, so that it asks every extension's class.
  ['81ab636f6e7374727563746f7201', { constructor: 1 }],
  ['81a16101', Object.assign(Object.create(null), { a: 1 }), { a: 1 }]
]

const SENT = KINDS.map(([, sent]) => sent)
const RECEIVED = KINDS.map(([, sent, received]) => comparable(received ?? sent))
const BYTES = Buffer.concat([arrayHeader(KINDS.length), ...KINDS.map(([hex]) => Buffer.from(hex, 'hex'))])

/** Node 20 holds that no invalid date equals another; NaN does equal itself. */
function comparable(value: unknown): unknown {
  return value instanceof Date && Object.getPrototypeOf(value) === Date.prototype ? value.getTime() : value
}

const unpacked = (): unknown[] => (unpack(BYTES) as unknown[]).map(comparable)

/** For so long a check that went well is not made again, in ms: with every connection both would be 8 % of its making. */
const HOLDS_MS = 100

/** Throws `ERR_STALK_INTERNAL` if msgpackr did not pack as it does by itself when that was last looked at. */
export const assertPacksUnchanged = nowAndThen(() => assertUnchanged(() => pack(SENT).equals(BYTES)))

/** Throws `ERR_STALK_INTERNAL` if msgpackr did not unpack as it does by itself when that was last looked at. */
export const assertUnpacksUnchanged = nowAndThen(() =>
  assertUnchanged(() => isDeepStrictEqual(unpacked(), RECEIVED))
)

function nowAndThen(check: () => void): () => void {
  let passed = Number.NEGATIVE_INFINITY
  return () => {
    const now = performance.now()
    if (now - passed < HOLDS_MS) return
    check()
    passed = now
  }
}

function assertUnchanged(isSo: () => boolean): void {
  let cause: unknown
  try {
    if (isSo()) return
  } catch (error) {
    cause = error
  }
  throw new StalkError(
    'ERR_STALK_INTERNAL',
    'msgpackr does not encode values as it does by itself: another package of this process has changed it with ' +
      'addExtension, or the machine is big-endian',
    { cause }
  )
}
