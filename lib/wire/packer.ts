// msgpackr, held to what values promise: its options, and the two things that it gets wrong. Packs what the
// check has passed, unpacks what the scan has passed.

import { Packr } from 'msgpackr/pack'
import { Unpackr } from 'msgpackr/unpack'
import { MAX_SHAPES } from '../constants.ts'
import { hasMark } from './scan.ts'
import type { Shape } from './shapes.ts'
import { FORM, FORMS, HEADERS, lengthAt, nextToken, TOKEN } from './tokens.ts'

const OPTIONS = { moreTypes: true, variableMapSize: true, useToJSON: false }

const packr = new Packr({ ...OPTIONS, useRecords: false })
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: true, copyBuffers: true })

/**
 * A value in MessagePack. The bytes are the caller's own: msgpackr's lie in a buffer that the whole process
 * shares, where another package's `useBuffer` could overwrite them, and that may be far larger than they are.
 */
export const pack = (value: unknown): Buffer => Buffer.from(packr.pack(value))

/** One value that uses all bytes. What it holds is a copy: no buffer in it shares memory with anything. */
export const unpack = (bytes: Buffer): unknown => unpackr.unpack(bytes)

// --- shapes, msgpackr's shared structures ----------------------------------------------------------------
//
// One Packr and one Unpackr for all connections, which are handed the shapes of each: what V8 has learnt of one with
// functions of its own is lost for the next, and a connection is over before it is learnt again.

/** Shapes as msgpackr keeps them: it hangs what it derives from them on the array and on its elements. */
type Structures = string[][] & { sharedLength?: number }

/** The list that is handed to msgpackr; it takes elements beyond `sharedLength` for its own. */
const structuresOf = (shapes: readonly Shape[]): Structures =>
  Object.assign(shapes.map(interned), { sharedLength: shapes.length })

const INTERNED = new Map<string, string[]>()
const MAX_INTERNED = 1_024

/** The same array for the same names, whoever announces them: what makes their objects is compiled once. */
function interned(names: Shape): string[] {
  const text = names.join()
  const known = INTERNED.get(text)
  if (known) return known
  const [oldest] = INTERNED.keys()
  if (INTERNED.size >= MAX_INTERNED && oldest !== undefined) INTERNED.delete(oldest)
  const added = [...names]
  INTERNED.set(text, added)
  return added
}

/** What the Packr is at just now: whether each object has the keys of a shape, in the order in which they are met. */
let turn: { readonly shaped: readonly boolean[]; next: number } = { shaped: [], next: 0 }
let busy = false

/** msgpackr learns no structure by itself: one that nobody has announced would be read as a number. */
const shapePackr = (): Packr =>
  new Packr({
    ...OPTIONS,
    structures: [],
    maxSharedStructures: MAX_SHAPES,
    maxOwnStructures: 0,
    shouldShareStructure: () => false,
    useRecords: () => turn.shaped[turn.next++] === true
  })

const sharedPackr = shapePackr()
const sharedUnpackr = new Unpackr({
  structures: [],
  maxSharedStructures: MAX_SHAPES,
  mapsAsObjects: true,
  copyBuffers: true
})

/** Packs objects as the shapes that were announced. */
export class ShapePacker {
  readonly #structures: Structures

  constructor(shapes: readonly Shape[]) {
    this.#structures = structuresOf(shapes)
  }

  /**
   * As `pack`. `shaped` says of each object, in the order in which they are met, from `first` on, whether it has the
   * keys of a shape. Where that is not so it is written with its keys; the order is msgpackr's own.
   */
  pack(value: unknown, shaped: readonly boolean[], first: number): Buffer {
    const before = { turn, busy }
    const own = busy ? shapePackr() : sharedPackr // a getter may pack something else meanwhile
    turn = { shaped, next: first }
    busy = true
    own.structures = this.#structures
    try {
      return Buffer.from(own.pack(value))
    } finally {
      ;({ turn, busy } = before)
    }
  }
}

/** Unpacks objects of the shapes that were announced. */
export class ShapeUnpacker {
  #structures: Structures | null = null

  /** All that were announced by now. */
  announce(shapes: readonly Shape[]): void {
    this.#structures = structuresOf(shapes)
  }

  /** As `unpack`. */
  unpack(bytes: Buffer): unknown {
    if (this.#structures === null) return unpack(bytes)
    sharedUnpackr.structures = this.#structures
    return sharedUnpackr.unpack(bytes)
  }
}

// --- -0, which msgpackr writes as 0 ----------------------------------------------------------------------

/** A copy of a message with a placeholder for every -0, one that msgpackr writes as a float64. */
export interface Substitute {
  readonly value: unknown
  readonly placeholder: number
}

/** Draws until the placeholder is a number that the message does not hold itself. */
export function withoutNegativeZeros(message: unknown): Substitute {
  for (;;) {
    const placeholder = (1 + Math.random()) * 2 ** 900
    const value = substitute(message, placeholder)
    if (value !== TAKEN) return { value, placeholder }
  }
}

const TAKEN = Symbol('the placeholder is in the message')

function substitute(value: unknown, placeholder: number): unknown {
  if (typeof value === 'number')
    return Object.is(value, -0) ? placeholder : value === placeholder ? TAKEN : value
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return substituteAll(value, placeholder)
  if (value instanceof Set) {
    const elements = substituteAll([...value], placeholder)
    return elements === TAKEN ? TAKEN : new Set(elements as unknown[])
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return value
  const values = substituteAll(Object.values(value), placeholder)
  if (values === TAKEN) return TAKEN
  return Object.fromEntries(Object.keys(value).map((key, index) => [key, (values as unknown[])[index]]))
}

function substituteAll(values: readonly unknown[], placeholder: number): unknown {
  const copies = values.map(value => substitute(value, placeholder))
  return copies.includes(TAKEN) ? TAKEN : copies
}

/** Writes -0 over every placeholder in the packed bytes from `start` to `end`. */
export function restoreNegativeZeros(bytes: Buffer, start: number, end: number, placeholder: number): void {
  const wanted = Buffer.allocUnsafe(8)
  wanted.writeDoubleBE(placeholder)
  for (let at = start; at < end; at = nextToken(bytes, at)) {
    if (bytes[at] === TOKEN.float64 && bytes.compare(wanted, 0, 8, at + 1, at + 9) === 0)
      bytes.writeDoubleBE(-0, at + 1)
  }
}

// --- the byte order mark, which msgpackr drops from strings of more than 64 bytes ----------------------------

/** The same value with those marks doubled if msgpackr drops one, so that one is left. */
export function keepMarks(bytes: Buffer): Buffer {
  if (!dropsMarks()) return bytes
  const parts: Buffer[] = []
  let done = 0
  for (let at = 0; at < bytes.length; at = nextToken(bytes, at)) {
    const token = bytes[at] as number
    const text = at + (HEADERS[token] as number)
    const length = FORMS[token] === FORM.string ? lengthAt(bytes, at) : 0
    if (length <= MARK_DROPPED_ABOVE || !hasMark(bytes, text)) continue
    parts.push(bytes.subarray(done, at), markedHeader(length))
    done = text
  }
  return Buffer.concat([...parts, bytes.subarray(done)])
}

const MARK_DROPPED_ABOVE = 64
const MARKED = Buffer.from(`\xd9\x44\xef\xbb\xbf${'-'.repeat(65)}`, 'latin1')

/** Asked each time: whether it does depends on its version, and on whether someone loaded its native part. */
const dropsMarks = (): boolean => unpack(MARKED) === '-'.repeat(65)

/** A str 32 for the string with one more mark, and that mark. */
function markedHeader(length: number): Buffer {
  const header = Buffer.from([TOKEN.string32, 0, 0, 0, 0, 0xef, 0xbb, 0xbf])
  header.writeUInt32BE(length + 3, 1)
  return header
}
