// Key sets: which objects of a direction have the same keys in the same order, and which of them are worth a shape.
// A tree of keys, bounded however many there are. Knows keys; sees no value and writes no byte.
//
//   root ─ id ─ at        { id, at } 20 times: due
//        └ x ─ y ─ z      { x, y, z } 3 times, { x, y } never

import {
  FORGET_KEY_SETS_AFTER,
  MAX_KEY_BRANCHES,
  MAX_KEY_SETS,
  MAX_SHAPE_NAMES,
  SHAPE_AFTER
} from '../constants.ts'
import { Refusal } from './refusal.ts'
import { isName, type Shape } from './shapes.ts'
import { stringBytes } from './sizes.ts'

/** A key's bytes in MessagePack. Throws a Refusal for one that can't be carried. */
export function keyBytes(key: string): number {
  if (key === '__proto__') throw new Refusal('a key named __proto__', 'rename it')
  return stringBytes(key)
}

/** The keys of an object as far as they were read, in their order. */
export class KeySet {
  /** The key that came next when this set was first gone on from, and the set with it. */
  key: string | null = null
  next: KeySet = this
  /** Bytes of all keys in MessagePack. */
  readonly bytes: number
  readonly size: number
  /** Whether the objects that have these keys, and no more, are written as a shape. */
  shaped = false

  readonly #name: string
  readonly #before: KeySet | null
  readonly #regular: boolean
  #others: Map<string, KeySet> | null = null
  #met = 0

  /** Throws a Refusal for a key that can't be carried. */
  constructor(before: KeySet | null = null, name = '') {
    this.#before = before
    this.#name = name
    this.#regular = before === null || (before.#regular && isName(name))
    this.bytes = before === null ? 0 : before.bytes + keyBytes(name)
    this.size = before === null ? 0 : before.size + 1
  }

  /** The set with one more key, if it is kept in mind. */
  known(key: string): KeySet | undefined {
    return this.key === key ? this.next : this.#others?.get(key)
  }

  /** How many sets with one more key are kept in mind. */
  get branches(): number {
    return (this.key === null ? 0 : 1) + (this.#others?.size ?? 0)
  }

  /** Keeps the set with this key in mind. */
  branch(key: string): KeySet {
    const longer = new KeySet(this, key)
    if (this.key === null) {
      this.key = key
      this.next = longer
    } else {
      this.#others ??= new Map()
      this.#others.set(key, longer)
    }
    return longer
  }

  /** An object has exactly these keys. Whether that was the time to announce them. */
  meet(): boolean {
    if (this.shaped || !this.#regular || this.size === 0) return false
    this.#met += 1
    return this.#met === SHAPE_AFTER
  }

  /** The keys. */
  get names(): Shape {
    const names: string[] = []
    for (let set: KeySet = this; set.#before; set = set.#before) names.push(set.#name)
    return names.reverse()
  }
}

/** What an object has whose keys are too many, or too many different ones, to be kept in mind. */
export const STRAY = new KeySet()

/** The key sets of one direction. */
export class KeySets {
  #root = new KeySet()
  #count = 0
  #strays = 0
  readonly #shaped: KeySet[] = []
  #due: KeySet[] = []

  get root(): KeySet {
    return this.#root
  }

  /** Key sets that were met often enough since `take`. */
  get due(): boolean {
    return this.#due.length > 0
  }

  /** The set with one more key; STRAY where it is not kept in mind. Throws a Refusal for a key that can't be carried. */
  step(set: KeySet, key: string): KeySet {
    if (set === STRAY) return STRAY
    const known = set.known(key)
    if (known) return known
    const full =
      this.#count >= MAX_KEY_SETS || set.branches >= MAX_KEY_BRANCHES || set.size >= MAX_SHAPE_NAMES
    if (full) return STRAY
    this.#count += 1
    return set.branch(key)
  }

  /** An object has exactly these keys. */
  meet(set: KeySet): void {
    if (set === STRAY) this.#stray()
    else if (set.meet()) this.#due.push(set)
  }

  /** The first `room` of those that are due, which are written as shapes from now on. */
  take(room: number): Shape[] {
    const taken = this.#due.slice(0, room)
    this.#due = []
    for (const set of taken) set.shaped = true
    this.#shaped.push(...taken)
    return taken.map(set => set.names)
  }

  #stray(): void {
    this.#strays += 1
    if (this.#strays < FORGET_KEY_SETS_AFTER) return
    this.#strays = 0
    this.#count = 0
    this.#due = []
    this.#root = new KeySet()
    for (const [index, set] of this.#shaped.entries()) {
      let kept = this.#root
      for (const name of set.names) kept = this.step(kept, name)
      kept.shaped = true
      this.#shaped[index] = kept
    }
  }
}
