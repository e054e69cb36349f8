// Sessions that an initiator may resume, by where it connects to: what is kept, for how long, and that each is given
// away once. Knows places, bounds and a clock; what may be offered to whom is judged by who asks.

import { wipe } from '../bytes.ts'
import { MAX_KEPT_SESSIONS, MAX_SESSIONS_OF_A_PLACE } from '../constants.ts'
import type { HeldTicket, Resumable } from '../handshake/resumption.ts'
import { checkNames, count, invalidOption } from '../option-checks.ts'
import { steadyClock } from './clock.ts'

export interface SessionCacheOptions {
  /** How many sessions are kept; those of the place that was used least recently go first. Default 256. */
  max?: number
}

/** A session that may be resumed until `expires`, by the clock of its cache. */
export interface KeptSession extends HeldTicket {
  readonly expires: number
}

/**
 * What `connect` can resume, in memory. Kept apart by where one connects to, and by `identity`, `app`, `suites` and
 * `peer`: what was agreed on with less is never used where more is asked for. Each session is offered once at most.
 */
export class SessionCache {
  readonly #max: number
  readonly #now: () => number
  readonly #places = new Map<string, KeptSession[]>() // the one used least recently first
  #size = 0

  /** Throws ERR_STALK_INVALID_OPTION. `now` in ms, and never back. */
  constructor(options: SessionCacheOptions = {}, now: () => number = steadyClock) {
    checkNames(options, new Set(['max']))
    this.#max = count('max', options.max, MAX_KEPT_SESSIONS, 2 ** 20)
    this.#now = now
  }

  /** How many sessions are kept, expired ones among them that nobody has asked for. */
  get size(): number {
    return this.#size
  }

  /**
   * The sessions with the peer that `name` stands for: what `stalk` takes as `sessions`, since a duplex does not tell
   * where it leads to. Throws ERR_STALK_INVALID_OPTION.
   */
  at(name: string): NamedSessions {
    return new NamedSessions(this, name)
  }

  /** Forgets all of them. */
  clear(): void {
    for (const [place, kept] of this.#places) this.#drop(place, kept)
  }

  /** Takes out the newest one that fits, for good; null if there is none. */
  take(place: string, fits: (session: Resumable) => boolean): KeptSession | null {
    const kept = this.#places.get(place) ?? []
    const now = this.#now()
    this.#drop(
      place,
      kept.filter(({ expires }) => expires <= now)
    )
    const found = kept.findLast(({ expires, session }) => expires > now && fits(session))
    if (found) this.#remove(place, [found])
    return found ?? null
  }

  /** Keeps one for so many ms, but not beyond `notAfter` by this cache's clock. */
  keep(place: string, held: HeldTicket, lifetimeMs: number, notAfter: number): void {
    const expires = Math.min(this.#now() + lifetimeMs, notAfter)
    const kept = [...(this.#places.get(place) ?? []), { ...held, expires }]
    this.#places.delete(place)
    this.#places.set(place, kept)
    this.#size += 1
    this.#drop(place, kept.slice(0, -MAX_SESSIONS_OF_A_PLACE))
    this.#makeRoom()
  }

  #makeRoom(): void {
    for (const [place, kept] of this.#places) {
      if (this.#size <= this.#max) return
      this.#drop(place, kept.slice(0, this.#size - this.#max))
    }
  }

  #drop(place: string, sessions: readonly KeptSession[]): void {
    for (const { session } of sessions) wipe(session.psk)
    this.#remove(place, sessions)
  }

  #remove(place: string, sessions: readonly KeptSession[]): void {
    const left = (this.#places.get(place) ?? []).filter(session => !sessions.includes(session))
    this.#size -= sessions.length
    if (left.length === 0) this.#places.delete(place)
    else this.#places.set(place, left)
  }
}

/** The sessions of a cache with one peer. Made by `SessionCache.at`. */
export class NamedSessions {
  readonly cache: SessionCache
  readonly name: string

  constructor(cache: SessionCache, name: string) {
    if (typeof name !== 'string' || name === '')
      throw invalidOption('name', 'must be a text that is not empty')
    this.cache = cache
    this.name = name
  }
}
