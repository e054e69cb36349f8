// How the handshake's questions about tickets are answered. Knows which question gets which answer; knows no ticket
// and no store.

import type { FoundTicket, Handshake, IssuedTicket, Step, ToIssue } from '../handshake/handshake.ts'

/** What becomes of tickets at a responder. None of these is ever rejected, or takes for ever. */
export interface Ticketing {
  find(ticket: Buffer): Promise<FoundTicket | null>
  consume(ticket: Buffer): Promise<boolean>
  issue(toIssue: ToIssue): Promise<IssuedTicket | null>
}

export type TicketQuestion = Extract<
  Step['next'],
  { find: Buffer } | { consume: Buffer } | { issue: ToIssue }
>

export const asksForTicket = (next: Step['next']): next is TicketQuestion =>
  'find' in next || 'consume' in next || 'issue' in next

/** The answer, to be given to the machine. */
export async function answerFor(
  question: TicketQuestion,
  ticketing: Ticketing | null
): Promise<(handshake: Handshake) => Step> {
  if ('find' in question) {
    const found = (await ticketing?.find(question.find)) ?? null
    return handshake => handshake.found(found)
  }
  if ('consume' in question) {
    const consumed = (await ticketing?.consume(question.consume)) ?? false
    return handshake => handshake.consumed(consumed)
  }
  const issued = (await ticketing?.issue(question.issue)) ?? null
  return handshake => handshake.issued(issued)
}
