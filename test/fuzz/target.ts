// What a target is: a parser, the properties that must hold for every input, and what its inputs are made of.
// Knows nothing of how inputs are made or kept.

import { StalkError } from '../../lib/errors.ts'
import type { ErrorCode } from '../../lib/index.ts'

export interface Target {
  readonly name: string
  /** What must hold for every input, a sentence each. */
  readonly properties: readonly string[]
  /** The longest input, in bytes. */
  readonly maxBytes: number
  /** Tokens that its inputs are made of. */
  readonly dictionary: readonly Buffer[]
  /** How many inputs between two looks at the coverage. */
  readonly batch?: number
  /** Inputs to begin with, from the vectors and from the formulas. The corpus has the others. */
  seeds(): readonly Buffer[]
  /**
   * Runs one input and says in a word what happened: an input with which something new happens is kept. Throws a
   * Violation where a property does not hold; whatever else it throws is a failure too.
   */
  run(input: Buffer): string
  /** What another implementation says to the inputs that were just run. */
  judge?(inputs: readonly Buffer[]): Promise<Verdict[]>
  /** Ends the other implementation's process. */
  stop?(): Promise<void>
}

export interface Verdict {
  /** Null, or how the two disagree. */
  readonly disagreement: string | null
  /** What happened, where only the judge knows. */
  readonly trait?: string
}

/** A property does not hold. Texts that differ in numbers alone are the same finding. */
export class Violation extends Error {
  override get name(): string {
    return 'Violation'
  }
}

export function require(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Violation(otherwise)
}

/** What a call gave, or the code of the StalkError that it threw. */
export type Tried<T> =
  | { readonly value: T; readonly code: null }
  | { readonly value: null; readonly code: ErrorCode }

/** Throws a Violation for every error that is no StalkError with one of the codes. */
export function attempt<T>(codes: readonly ErrorCode[], call: () => T): Tried<T> {
  try {
    return { value: call(), code: null }
  } catch (error) {
    return { value: null, code: codeOf(error, codes) }
  }
}

export function codeOf(error: unknown, codes: readonly ErrorCode[]): ErrorCode {
  if (error instanceof StalkError && codes.includes(error.code)) return error.code
  throw new Violation(`threw ${described(error)}`, { cause: error })
}

/** An error in one line. */
export function described(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = error as NodeJS.ErrnoException
  return `${error.name}${code ? ` ${code}` : ''}: ${error.message}`
}

/** The magnitude of a number, so that traits stay few: 0, 1, 2, 4, 8 … */
export const magnitude = (value: number): number => (value <= 0 ? 0 : 2 ** Math.floor(Math.log2(value)))

export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

export const texts = (...words: string[]): Buffer[] => words.map(word => Buffer.from(word))
