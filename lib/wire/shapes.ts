// Shapes: the key sets that a direction has announced, so that its objects need not repeat their keys (PROTOCOL.md,
// section 21.5). Knows names, ids and limits, and how an announcement is written; decides on none, sees no object.
//
//   ├ first id ─┼ n ─┼ names ─┼ length ─┼ bytes … ─┼ length ─┼ bytes … ─┼ names ─┼ …

import { MAX_NAME_BYTES, MAX_SHAPE_NAMES, MAX_SHAPES } from '../constants.ts'
import { StalkError } from '../errors.ts'

/** The keys of an object, in their order. */
export type Shape = readonly string[]

/** How many names each shape has, by its id; 0 for those that were not announced. 64 places, one for each token. */
export type ShapeSizes = Uint8Array

const NAME = new RegExp(`^[A-Za-z_$][A-Za-z0-9_$]{0,${MAX_NAME_BYTES - 1}}$`)

/** Whether a shape may have such a name. */
export const isName = (text: string): boolean => NAME.test(text) && text !== '__proto__'

/** What has been announced in one direction. Append-only. */
export class Shapes {
  readonly #all: Shape[] = []
  #sizes: ShapeSizes | null = null

  get all(): readonly Shape[] {
    return this.#all
  }

  /** Null as long as there are none: then the tokens of shapes are numbers. */
  get sizes(): ShapeSizes | null {
    return this.#sizes
  }

  /** How many more may be announced. */
  get room(): number {
    return MAX_SHAPES - this.#all.length
  }

  /** Announces these, of which each keeps the rules; returns the content that says so. */
  announce(shapes: readonly Shape[]): Buffer {
    const parts = [Buffer.of(this.#all.length, shapes.length)]
    for (const shape of shapes) {
      parts.push(Buffer.of(shape.length))
      for (const name of shape) parts.push(Buffer.of(name.length), Buffer.from(name, 'latin1'))
    }
    this.#append(shapes)
    return Buffer.concat(parts)
  }

  /** Takes an announcement. Throws ERR_STALK_BAD_MESSAGE, having taken nothing of it, if it breaks a rule. */
  hear(content: Buffer): void {
    const { first, shapes } = decodeShapes(content)
    const next = this.#all.length
    if (first !== next) throw bad(`shapes from ${first} on, where ${next} is the next`)
    if (shapes.length > this.room) throw bad(`${shapes.length} shapes, where there may be ${this.room} more`)
    this.#append(shapes)
  }

  #append(shapes: readonly Shape[]): void {
    const sizes = this.#sizes ?? new Uint8Array(64)
    for (const shape of shapes) {
      sizes[this.#all.length] = shape.length
      this.#all.push(shape)
    }
    this.#sizes = sizes
  }
}

/** An announcement. */
export interface Announced {
  /** The id of the first of them. */
  readonly first: number
  readonly shapes: readonly Shape[]
}

/** What a content announces. Throws ERR_STALK_BAD_MESSAGE for one that can't be. */
export function decodeShapes(content: Buffer): Announced {
  const reader = new Reader(content)
  const first = reader.byte()
  const count = reader.byte()
  if (count === 0 || count > MAX_SHAPES) throw bad(`${count} shapes at once`)
  const shapes = Array.from({ length: count }, () => reader.shape())
  if (!reader.done) throw bad('shapes with bytes behind the last')
  return { first, shapes }
}

class Reader {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  byte(): number {
    const byte = this.#bytes[this.#at++]
    if (byte === undefined) throw bad('shapes that are cut off')
    return byte
  }

  shape(): Shape {
    const length = this.byte()
    if (length === 0 || length > MAX_SHAPE_NAMES) throw bad(`a shape of ${length} names`)
    const names = new Set<string>()
    for (let i = 0; i < length; i++) {
      const name = this.#name()
      if (names.has(name)) throw bad(`a shape with the name ${name} twice`)
      names.add(name)
    }
    return [...names]
  }

  #name(): string {
    const end = this.byte() + this.#at
    if (end > this.#bytes.length) throw bad('shapes that are cut off')
    const name = this.#bytes.toString('latin1', this.#at, end)
    if (!isName(name)) throw bad('a shape with a name that it may not have')
    this.#at = end
    return name
  }
}

const bad = (what: string): StalkError =>
  new StalkError('ERR_STALK_BAD_MESSAGE', `the peer announced ${what}`)
