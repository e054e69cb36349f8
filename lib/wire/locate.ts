// The place in a message at which a check failed, in words: `.user.callbacks[3]`. Knows how arrays, sets and
// objects hold values; knows nothing of why the check failed.

import { MAX_VALUES } from '../constants.ts'

export interface Place {
  /** Empty where the message itself is meant. */
  readonly path: string
  /** Whether the value there holds itself. */
  readonly cyclic: boolean
  /** What the check threw there. */
  readonly error: unknown
}

type Visit = (value: unknown, depth: number) => void

/** Walks down to the innermost value that `visit` throws for; it threw `error` for the whole. */
export function locate(message: unknown, error: unknown, visit: Visit): Place {
  const ancestors: unknown[] = []
  let place: Failure = { step: '', value: message, error }
  let path = ''
  for (;;) {
    path += place.step
    if (ancestors.includes(place.value)) return { path: shorten(path), cyclic: true, error: place.error }
    ancestors.push(place.value)
    const inner = failingChild(place.value, ancestors.length, visit)
    if (inner === null) return { path: shorten(path), cyclic: false, error: place.error }
    place = inner
  }
}

interface Failure {
  readonly step: string
  /** Undefined where reading it threw. */
  readonly value: unknown
  readonly error: unknown
}

function failingChild(parent: unknown, depth: number, visit: Visit): Failure | null {
  if (typeof parent !== 'object' || parent === null) return null
  for (const [step, read] of children(parent)) {
    let value: unknown
    try {
      value = read()
      visit(value, depth)
    } catch (error) {
      return { step, value, error }
    }
  }
  return null
}

type Child = readonly [step: string, read: () => unknown]

/** Only as far as the check itself goes: nobody wants the insides of a Map or a Promise. */
function children(parent: object): Child[] {
  if (parent instanceof Set) return [...parent].map((value, index) => [`{${index}}`, () => value])
  if (Array.isArray(parent)) {
    // A longer one is refused for that, and may be nothing but holes.
    return parent.length > MAX_VALUES ? [] : Array.from(parent, (value, index) => [`[${index}]`, () => value])
  }
  const prototype = Object.getPrototypeOf(parent)
  if (prototype !== null && prototype !== Object.prototype) return []
  return Object.keys(parent).map(key => [stepOf(key), () => (parent as Record<string, unknown>)[key]])
}

const stepOf = (key: string): string =>
  /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`

const MAX_PATH = 200

/** A key may be a megabyte long. */
function shorten(path: string): string {
  return path.length <= MAX_PATH ? path : `${path.slice(0, MAX_PATH / 2)} … ${path.slice(-MAX_PATH / 2)}`
}
