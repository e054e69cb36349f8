// Failures: an input with which a property of a target does not hold. Knows how to tell two findings apart.

import { described } from './target.ts'

export interface Failure {
  readonly input: Buffer
  /** What happened, for a person: the text and the stack, if there is one. */
  readonly text: string
  /** The same for all inputs that find the same thing. */
  readonly finding: string
}

export function failureOf(input: Buffer, error: unknown): Failure {
  const stack = error instanceof Error ? `\n${error.stack ?? ''}${causes(error)}` : ''
  return { input, text: described(error) + stack, finding: findingOf(described(error)) }
}

export const failed = (input: Buffer, text: string): Failure => ({ input, text, finding: findingOf(text) })

/** Numbers, hexadecimal and quotations differ from input to input. */
const findingOf = (text: string): string =>
  text
    .split('\n', 1)
    .join()
    .replace(/(["'`]).*\1/g, '…')
    .replace(/\b(0x)?[0-9a-f]*\d[0-9a-f]*\b/gi, 'N')
    .slice(0, 120)

const causes = (error: Error): string =>
  error.cause instanceof Error ? `\ncaused by ${error.cause.stack}${causes(error.cause)}` : ''
