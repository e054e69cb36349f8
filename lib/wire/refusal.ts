// Refusals: why a value can't be carried and what to send instead, in words. Knows the kinds of values that
// people try; the place in the message is added elsewhere.

/** Why a value can't be carried: `what` completes "cannot carry …". Becomes a StalkError once the place is known. */
export class Refusal extends Error {
  readonly hint: string

  constructor(what: string, hint = '') {
    super(what)
    this.hint = hint
  }
}

// What to do instead. The first that fits: an Error is also an Object.
const HINTS: readonly (readonly [Constructor, string])[] = [
  [Map, 'send [...map]'],
  [Error, 'send { name, message, stack }'],
  [RegExp, 'send its source and flags'],
  [Promise, 'await it first'],
  [Boolean, 'send the primitive, as valueOf() gives it'],
  [Number, 'send the primitive, as valueOf() gives it'],
  [String, 'send the primitive, as valueOf() gives it'],
  [BigInt, 'send the primitive, as valueOf() gives it'],
  [Symbol, 'send its description'],
  [URL, 'send its href'],
  [SharedArrayBuffer, 'send a Buffer with a copy']
]

const KNOWN: readonly Constructor[] = [...HINTS.map(([known]) => known), Date, Set, Array, WeakMap, WeakSet]

interface Constructor {
  readonly name: string
  [Symbol.hasInstance](value: unknown): boolean
}

/** For an object that is none of those that are carried. */
export function refusal(value: object): Refusal {
  const hint = HINTS.find(([type]) => value instanceof type)?.[1]
  return new Refusal(nameOf(value), hint ?? 'send a plain object, an array or a Buffer made from it')
}

/** "a Map", "an Error", "an instance of Point". */
export function nameOf(value: object): string {
  const made = value.constructor as Constructor | undefined
  if (typeof made !== 'function' || made.name === '') return 'an instance of an unnamed class'
  const { name } = made
  if (!KNOWN.includes(made)) return `an instance of ${name}`
  return /^[AEIO]/.test(name) ? `an ${name}` : `a ${name}`
}
