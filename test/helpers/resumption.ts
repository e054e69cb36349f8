// What the tests of resumption need of lib, in one place: which vectors need it, and how lib is told. As long as
// LIB_RESUMES is false, lib is not held to those vectors, and what it has to be told is missing here.

import type { StalkOptions } from '../../lib/index.ts'

export const LIB_RESUMES: boolean = false

/** Options of an initiator that keeps the tickets it is given and offers them: all with one memory. */
export const keepsTickets = (): Partial<StalkOptions> => toBeFilledIn()

/** Options of a responder that gives a ticket out behind Accept, for single use, and takes it back: one memory. */
export const issuesTickets = (): Partial<StalkOptions> => toBeFilledIn()

function toBeFilledIn(): never {
  throw new Error('lib cannot resume a session')
}
