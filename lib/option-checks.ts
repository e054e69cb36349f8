// What makes an option acceptable, whatever it is for. Knows types and ranges; knows no option.

import { StalkError } from './errors.ts'

/** The longest that a timer of node's can wait, in ms. */
export const MAX_MS = 2 ** 31 - 1

export const invalidOption = (name: string, problem: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', `option ${name} ${problem}`, { phase: 'setup' })

/** Throws ERR_STALK_INVALID_OPTION for what is no object, and for a name that is not in `known`. */
export function checkNames(options: unknown, known: ReadonlySet<string>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw invalidOption('options', 'must be an object')
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw invalidOption(name, `does not exist; there are ${[...known].join(', ')}`)
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
