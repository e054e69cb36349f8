// Values: what a message may carry, checked before it is encoded. What goes in comes out, or is refused with
// the place and the reason; msgpackr would flatten or drop some of it without a word. Knows how long each
// value is in MessagePack; encodes nothing.

import { BINARY_VALUES, MAX_BIGINT_BYTES, MAX_DEPTH, MAX_VALUES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { KeySets, keyBytes, STRAY } from './key-sets.ts'
import { locate } from './locate.ts'
import { nameOf, Refusal, refusal } from './refusal.ts'
import { containerBytes, numberBytes, stringBytes } from './sizes.ts'

/**
 * Throws `ERR_STALK_VALUE_UNSUPPORTED` for a message that can't be carried, naming path and reason. Returns its
 * encoded size in bytes: exact, but a lower bound if bigints beyond 64 bits are in it.
 */
export const check = (message: unknown): number => new Check(new KeySets(), false).examine(message)

const unsupported = (text: string, cause?: unknown): StalkError =>
  new StalkError('ERR_STALK_VALUE_UNSUPPORTED', text, { cause })

/** Finds the place of a refusal by walking once more; nothing is spent on paths while all is well. */
function explain(message: unknown, error: unknown): StalkError {
  const {
    path,
    cyclic,
    error: innermost
  } = locate(message, error, (value, depth) => {
    new Check(new KeySets(), false).visit(value, depth)
  })
  const at = path === '' ? '' : ` at ${path}`
  if (cyclic)
    return unsupported(`cannot carry a cycle${at}; send a tree, with ids in place of references back`)
  if (!(innermost instanceof Refusal)) {
    const reason = innermost instanceof Error ? innermost.message : String(innermost)
    return unsupported(`cannot read the value${at}: ${reason}`, innermost)
  }
  return unsupported(`cannot carry ${innermost.message}${at}${innermost.hint && `; ${innermost.hint}`}`)
}

// Two's complement in at most MAX_BIGINT_BYTES.
const BIGINT_END = 1n << BigInt(MAX_BIGINT_BYTES * 8 - 1)

/**
 * The check of messages that go together. An object, not a module's variables: a getter may send another message
 * meanwhile.
 */
export class Check {
  readonly #keySets: KeySets
  readonly #shapes: boolean
  /** Whether each object without a class is written as a shape, in the order in which they are met, of all messages. */
  readonly shaped: boolean[] = []
  /** Whether a -0 is in the last message, which msgpackr would write as 0. */
  negativeZero = false
  /** The place in `shaped` of the last message's first object. */
  first = 0
  /** The size of what was checked last, in bytes: exact, but a lower bound if bigints beyond 64 bits are in it. */
  bytes = 0
  #values = 0

  /** `shapes`: whether there are any, since numbers are written otherwise then. */
  constructor(keySets: KeySets, shapes: boolean) {
    this.#keySets = keySets
    this.#shapes = shapes
  }

  /**
   * Throws `ERR_STALK_VALUE_UNSUPPORTED` for a message that can't be carried, naming path and reason. Returns its
   * encoded size in bytes: exact, but a lower bound if bigints beyond 64 bits are in it.
   */
  examine(message: unknown): number {
    if (message === null || message === undefined) {
      throw unsupported(`${message} is not a message; wrap it, as in { value: ${message} }`)
    }
    this.first = this.shaped.length
    this.negativeZero = false
    this.bytes = 0
    this.#values = 0
    try {
      this.visit(message, 0)
    } catch (error) {
      this.withdraw()
      throw explain(message, error)
    }
    return this.bytes
  }

  /** The last message is not sent. */
  withdraw(): void {
    this.shaped.length = this.first
  }

  visit(value: unknown, depth: number): void {
    this.#count(1)
    if (typeof value === 'string') this.bytes += stringBytes(value)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'object') this.#object(value, depth)
    else if (typeof value === 'boolean') this.bytes += 1
    else if (typeof value === 'undefined') this.bytes += 3
    else if (typeof value === 'bigint') this.#bigint(value)
    else if (typeof value === 'symbol') throw new Refusal('a symbol', 'send its description')
    else throw new Refusal('a function', 'leave it out')
  }

  #count(values: number): void {
    this.#values += values
    if (this.#values > MAX_VALUES) throw new Refusal(`more than ${MAX_VALUES} values`, 'send it in parts')
  }

  #number(value: number): void {
    if (value === 0 && 1 / value < 0) {
      this.negativeZero = true
      this.bytes += 9
    } else {
      this.bytes +=
        numberBytes(value) + (this.#shapes && value >= 64 && value < 128 && value % 1 === 0 ? 1 : 0)
    }
  }

  #bigint(value: bigint): void {
    if (BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value) {
      this.bytes += 9
      return
    }
    if (value >= BIGINT_END || value < -BIGINT_END) {
      throw new Refusal(`a bigint of more than ${MAX_BIGINT_BYTES} bytes`, 'send its bytes or its digits')
    }
    this.bytes += 18
  }

  #object(value: object | null, depth: number): void {
    if (value === null) {
      this.bytes += 1
      return
    }
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) this.#plain(value as Plain, enter(depth))
    else if (prototype === Array.prototype) this.#array(value as unknown[], enter(depth))
    else if (prototype === Set.prototype) this.#set(value as Set<unknown>, enter(depth))
    else if (prototype === Date.prototype) this.#date(value as Date)
    else this.#binary(value, prototype)
  }

  #plain(value: Plain, depth: number): void {
    const place = this.shaped.push(false) - 1
    let keys = this.#keySets.root
    let strayBytes = 0
    let length = 0
    // Faster than Object.keys, which makes an array, and the lookups by name that would follow.
    for (const key in value) {
      if (!hasOwn.call(value, key)) continue
      length++
      const longer = keys.key === key ? keys.next : this.#keySets.step(keys, key)
      if (longer === STRAY) strayBytes = (keys === STRAY ? strayBytes : keys.bytes) + keyBytes(key)
      keys = longer
      this.visit(value[key], depth)
    }
    if (keys.shaped) {
      this.shaped[place] = true
      this.bytes += 1
    } else {
      this.#keySets.meet(keys)
      this.bytes += containerBytes(length) + (keys === STRAY ? strayBytes : keys.bytes)
    }
    if (hasSymbolKeys(value)) throw new Refusal('an object with symbol keys', 'use strings as keys')
  }

  #array(value: unknown[], depth: number): void {
    const { length } = value
    // Before the keys are listed: a hundred million holes cost nothing to make.
    if (length > MAX_VALUES) throw new Refusal(`more than ${MAX_VALUES} values`, 'send it in parts')
    refuseOddArray(value)
    this.bytes += containerBytes(length)
    for (let i = 0; i < length; i++) {
      const element = value[i]
      // As many properties beside the elements as there are holes would not show in the count of keys.
      if (element === undefined && !hasOwn.call(value, i)) throw hole()
      this.visit(element, depth)
    }
  }

  #set(value: Set<unknown>, depth: number): void {
    refuseOwnProperties(value, Set)
    this.bytes += 3 + containerBytes(value.size)
    for (const element of value) this.visit(element, depth)
  }

  #date(value: Date): void {
    refuseOwnProperties(value, Date)
    const ms = value.getTime()
    if (Number.isNaN(ms)) this.bytes += 3
    else if (ms < 0 || ms >= 2 ** 32 * 1000) this.bytes += 15
    else this.bytes += ms % 1000 === 0 ? 6 : 10
  }

  #binary(value: object, prototype: object): void {
    const type = BINARY.get(prototype)
    if (type === undefined) throw refusal(value)
    if (value.constructor !== type) throw new Refusal('binary data with a constructor of its own')
    this.#count(BINARY_VALUES - 1)
    const { byteLength } = value as ArrayBufferView
    // An extension has a type byte, and a code for the kind of array in its data.
    const code = type === Buffer ? 0 : 1
    const data = byteLength + code
    this.bytes += (data < 256 ? 2 : data < 65_536 ? 3 : 5) + code + data
  }
}

type Plain = Record<string, unknown>

function enter(depth: number): number {
  if (depth >= MAX_DEPTH) throw new Refusal(`nesting deeper than ${MAX_DEPTH}`, 'flatten it')
  return depth + 1
}

const hasOwn = Object.prototype.hasOwnProperty
const isEnumerable = Object.prototype.propertyIsEnumerable

function hasSymbolKeys(value: object): boolean {
  const symbols = Object.getOwnPropertySymbols(value)
  return symbols.length > 0 && symbols.some(symbol => isEnumerable.call(value, symbol))
}

/** Holes would arrive as undefined; properties beside the elements would not arrive. */
function refuseOddArray(value: unknown[]): void {
  if (!Array.isArray(value) || value.constructor !== Array) throw refusal(value)
  const keys = Object.keys(value).length
  if (keys < value.length) throw hole()
  if (keys > value.length || hasSymbolKeys(value)) {
    throw new Refusal('an array with properties beside its elements', 'send Array.from(array)')
  }
}

const hole = (): Refusal => new Refusal('an array with holes', 'fill them, as in Array.from(array)')

function refuseOwnProperties(value: object, type: unknown): void {
  if (value.constructor !== type || Object.keys(value).length > 0 || hasSymbolKeys(value)) {
    throw new Refusal(`${nameOf(value)} with properties of its own`, 'send them beside it')
  }
}

/** Prototype → constructor, the one that msgpackr goes by. */
const BINARY = new Map<object, unknown>(
  [
    Buffer,
    ArrayBuffer,
    DataView,
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
  ].map(type => [type.prototype, type])
)
