// What the two ends of a tunnel say to each other beside the bytes they carry: the near end opens a connection, the far
// end may refuse it. Knows these messages; knows no stream.
//
//   near → far   { open: 1 }, then bytes       far → near   bytes, or { refused: why } and nothing else
//
// A connection that ends without having been opened only wanted to know whether somebody is there.

import { Broken } from './carrier.ts'

/** The name of this protocol: nothing but a tunnel talks to a tunnel. */
export const APP = 'stalk-tunnel/1'

export const OPENING = { open: 1 }

export const isOpening = (message: unknown): boolean => (message as { open?: unknown } | null)?.open === 1

/** Why the far end does not carry a connection, and how that is said at both ends. */
const REFUSALS = {
  refused: 'nobody listens on the target: connection refused',
  missing: 'the target does not exist',
  unreachable: 'the target cannot be reached',
  timeout: 'the target did not answer in time',
  full: 'the far end carries as many connections as it may',
  ending: 'the far end is about to end'
} as const

export type Refusal = keyof typeof REFUSALS

export const refusalText = (why: Refusal): string => REFUSALS[why]

export const refusal = (why: Refusal): { readonly refused: Refusal } => ({ refused: why })

/** What came from the far end that is no bytes. */
export function refusalIn(message: unknown): Broken {
  const why = (message as { refused?: unknown } | null)?.refused
  if (typeof why === 'string' && Object.hasOwn(REFUSALS, why)) return new Refused(why as Refusal)
  return notOurs()
}

export class Refused extends Broken {
  readonly why: Refusal

  constructor(why: Refusal) {
    super('there', REFUSALS[why])
    this.why = why
  }
}

export const notOurs = (): Broken => new Broken('between', 'the other end sent what has no place in a tunnel')
