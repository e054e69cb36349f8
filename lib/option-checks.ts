// What makes an option acceptable, whatever it is for. Knows types and ranges; knows no option.

import { StalkError } from './errors.ts'

/** The longest that a timer of node's can wait, in ms. */
export const MAX_MS = 2 ** 31 - 1

const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })

export const invalidOption = (name: string, problem: string): StalkError =>
  invalid(`option ${name} ${problem}`)

/**
 * Throws ERR_STALK_INVALID_OPTION for what is no object, and for a name that is not in `known`. `within`: the option
 * that it is the value of.
 */
export function checkNames(options: unknown, known: ReadonlySet<string>, within?: string): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw within === undefined
      ? invalid('the options must be an object')
      : invalidOption(within, 'must be an object')
  }
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue
    const place = within === undefined ? name : `${within}.${name}`
    throw invalidOption(
      place,
      `does not exist; there ${known.size > 1 ? 'are' : 'is'} ${[...known].join(', ')}`
    )
  }
}

export function flag(name: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback
  if (typeof value !== 'boolean') throw invalidOption(name, 'must be true or false')
  return value
}

/** A positive whole number; 0 never means unlimited. */
export function count<T>(name: string, value: unknown, fallback: T, most: number): number | T {
  if (value === undefined) return fallback
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= most) return value
  throw invalidOption(name, `must be a whole number from 1 to ${most}`)
}

/** A time in ms, of which there need be none. */
export const milliseconds = (name: string, value: unknown): number | null => count(name, value, null, MAX_MS)

export function signalOf(signal: unknown): AbortSignal | undefined {
  if (signal === undefined || signal instanceof AbortSignal) return signal
  throw invalidOption('signal', 'must be an AbortSignal')
}

/** What a wait or an attempt comes to that its caller has given up. */
export const givenUp = (signal: AbortSignal): StalkError =>
  new StalkError('ERR_STALK_ABORTED', 'given up by the signal of its caller', { cause: signal.reason })
