// A ticket store as a handshake may ask it: whatever the store does, there is an answer, soon, and one that makes a full
// handshake where the store has failed. Knows stores and time; knows no session.

import { MAX_TICKET_BYTES, MAX_TICKET_LIFETIME_S, TICKET_STORE_TIMEOUT_MS } from '../constants.ts'
import type { FoundTicket, IssuedTicket, ToIssue } from '../handshake/handshake.ts'
import type { Ticketing } from '../pipeline/ticketing.ts'
import type { TicketStore } from './ticket-store.ts'

export const ticketingOf = (store: TicketStore, timeoutMs = TICKET_STORE_TIMEOUT_MS): Ticketing => {
  const ask = <T>(question: () => unknown, read: (answer: unknown) => T, otherwise: T): Promise<T> =>
    answered(store, question, read, otherwise, timeoutMs)
  return {
    find: ticket => ask(() => store.find(Buffer.from(ticket)), readFound, null),
    consume: ticket =>
      ask(
        () => store.consume(Buffer.from(ticket)),
        answer => answer === true,
        false
      ),
    issue: ({ state, expires }: ToIssue) => ask(() => store.issue(state, expires), readIssued, null)
  }
}

async function answered<T>(
  store: TicketStore,
  question: () => unknown,
  read: (answer: unknown) => T,
  otherwise: T,
  timeoutMs: number
): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    const late = (reject: (error: Error) => void): void => {
      timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs)
    }
    const answer = question()
    return read(isPromise(answer) ? await Promise.race([answer, new Promise((_, no) => late(no))]) : answer)
  } catch (error) {
    warn(store, error)
    return otherwise
  } finally {
    clearTimeout(timer)
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function'

function readFound(answer: unknown): FoundTicket | null {
  if (answer === null || answer === undefined) return null
  const { state, expires } = answer as Partial<FoundTicket>
  if (!(state instanceof Uint8Array) || typeof expires !== 'number')
    throw new Error('what it found is no state')
  return { state: Buffer.from(state), expires }
}

function readIssued(answer: unknown): IssuedTicket | null {
  if (answer === null || answer === undefined) return null
  const { ticket, lifetimeMs } = answer as { ticket?: unknown; lifetimeMs?: unknown }
  const fits = ticket instanceof Uint8Array && ticket.length >= 1 && ticket.length <= MAX_TICKET_BYTES
  if (!fits || typeof lifetimeMs !== 'number') throw new Error('what it issued is no ticket')
  const lifetimeS = Math.min(Math.floor(lifetimeMs / 1_000), MAX_TICKET_LIFETIME_S)
  return lifetimeS >= 1 ? { ticket: Buffer.from(ticket), lifetimeS } : null
}

const reported = new WeakSet<TicketStore>()

/** Resumption is a convenience: that it fails ends no connection, but somebody should know. Once a store. */
function warn(store: TicketStore, error: unknown): void {
  if (reported.has(store)) return
  reported.add(store)
  const reason = error instanceof Error ? error.message : String(error)
  process.emitWarning(`the ticket store has failed: ${reason}`, {
    code: 'STALK_TICKET_STORE',
    detail: 'handshakes are full ones while it fails'
  })
}
