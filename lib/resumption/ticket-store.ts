// Where tickets are kept at responders (PROTOCOL.md, section 21.4): what any such place has to do, and one in memory
// whose tickets are good once. Knows ids, numbers and lifetimes; what a ticket stands for is bytes to it.

import { randomBytes } from 'node:crypto'
import { wipe } from '../bytes.ts'
import { MAX_KEPT_TICKETS, MAX_TICKET_LIFETIME_S, TICKET_LIFETIME_MS } from '../constants.ts'
import { checkNames, count, invalidOption } from '../option-checks.ts'
import { steadyClock } from './clock.ts'

type Awaitable<T> = T | Promise<T>

/**
 * Issues tickets and finds what they stand for. May be asynchronous, and shared by several processes. What fails, or
 * takes longer than a second, counts as not found, not consumed, not issued: the handshake is a full one then.
 */
export interface TicketStore {
  /**
   * A new ticket, 1 to 512 bytes, for `state`, and for how many ms from now it is good, a day at most; null for none.
   * `state` is a secret: it must not be readable from the ticket, nor anything changed in it. The ticket must not be
   * good for longer than `notAfter`, which is null or one of this store's own `expires`.
   */
  issue(
    state: Buffer,
    notAfter: number | null
  ): Awaitable<{ readonly ticket: Uint8Array; readonly lifetimeMs: number } | null>
  /**
   * The state that a ticket stands for, and when it expires, in ms by a clock of this store's own; null if it is not
   * known, has expired, or was consumed. The ticket is what a stranger sent: nothing about it is verified, and finding
   * it must change nothing.
   */
  find(ticket: Buffer): Awaitable<{ readonly state: Uint8Array; readonly expires: number } | null>
  /**
   * Uses a ticket up. True for one caller only, in one step with finding it still there; or always, where tickets are
   * good more than once.
   */
  consume(ticket: Buffer): Awaitable<boolean>
}

export interface TicketLifetime {
  /** For how long a ticket is good, in ms, from a second to a day. Default two hours. */
  lifetime?: number
}

export interface MemoryTicketStoreOptions extends TicketLifetime {
  /** How many tickets are kept; the oldest ones go first. Default 10,000. */
  max?: number
}

/** Throws ERR_STALK_INVALID_OPTION. */
export function lifetimeOf(lifetime: unknown): number {
  const ms = count('lifetime', lifetime, TICKET_LIFETIME_MS, MAX_TICKET_LIFETIME_S * 1_000)
  if (ms < 1_000) throw invalidOption('lifetime', 'must be 1,000 ms or more: peers are told whole seconds')
  return ms
}

const ID_BYTES = 32

/**
 * Tickets in this process's memory: random ids, good once, for as long as `lifetime` by a clock that nobody can set.
 * Where they are stolen later they are of no use. For several processes see `TicketKeys`.
 */
export class MemoryTicketStore implements TicketStore {
  readonly #lifetimeMs: number
  readonly #max: number
  readonly #now: () => number
  readonly #kept = new Map<string, { readonly state: Buffer; readonly expires: number }>() // oldest first

  /** Throws ERR_STALK_INVALID_OPTION. `now` in ms, and never back. */
  constructor(options: MemoryTicketStoreOptions = {}, now: () => number = steadyClock) {
    checkNames(options, new Set(['lifetime', 'max']))
    this.#lifetimeMs = lifetimeOf(options.lifetime)
    this.#max = count('max', options.max, MAX_KEPT_TICKETS, 2 ** 24)
    this.#now = now
  }

  /** How many tickets are kept, expired ones among them that nobody has asked for. */
  get size(): number {
    return this.#kept.size
  }

  issue(state: Buffer, notAfter: number | null): { ticket: Buffer; lifetimeMs: number } | null {
    this.#makeRoom()
    const now = this.#now()
    const expires = Math.min(now + this.#lifetimeMs, notAfter ?? Number.POSITIVE_INFINITY)
    if (expires <= now) return null
    const ticket = randomBytes(ID_BYTES)
    this.#kept.set(nameOf(ticket), { state: Buffer.from(state), expires })
    return { ticket, lifetimeMs: expires - now }
  }

  find(ticket: Buffer): { state: Buffer; expires: number } | null {
    const name = nameOf(ticket)
    const kept = this.#kept.get(name)
    if (!kept) return null
    if (kept.expires > this.#now()) return { state: Buffer.from(kept.state), expires: kept.expires }
    this.#drop(name)
    return null
  }

  consume(ticket: Buffer): boolean {
    const good = this.find(ticket) !== null
    if (good) this.#drop(nameOf(ticket))
    return good
  }

  /** Forgets all tickets: every peer makes a full handshake then. */
  clear(): void {
    for (const name of this.#kept.keys()) this.#drop(name)
  }

  #drop(name: string): void {
    wipe(this.#kept.get(name)?.state ?? new Uint8Array())
    this.#kept.delete(name)
  }

  #makeRoom(): void {
    for (const [name, { expires }] of this.#kept) {
      if (this.#kept.size < this.#max && expires > this.#now()) return
      this.#drop(name)
    }
  }
}

/** What is no id of ours is not even looked for at its full length. */
const nameOf = (ticket: Buffer): string => (ticket.length === ID_BYTES ? ticket.toString('latin1') : '')
