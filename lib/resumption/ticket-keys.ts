// Tickets that are kept by whoever holds them: what they stand for is in them, sealed under a key that several
// processes share (RFC 5077, section 4). Knows AES-GCM, keys and their rotation; what is sealed is bytes to it.
//
//   ticket = key id[8] ‖ nonce[12] ‖ AES-256-GCM(issued u64 ms ‖ expires u64 ms ‖ state) ‖ tag[16]

import { type CipherGCM, createCipheriv, createDecipheriv, type DecipherGCM, randomBytes } from 'node:crypto'
import { Reader, u64, wipe } from '../bytes.ts'
import { MAX_CLOCK_SKEW_MS, MAX_TICKET_BYTES, MAX_TICKETS_PER_KEY } from '../constants.ts'
import { expand, extract } from '../crypto/primitives.ts'
import { checkNames, invalidOption } from '../option-checks.ts'
import { forwardClock } from './clock.ts'
import { lifetimeOf, type TicketLifetime, type TicketStore } from './ticket-store.ts'

export interface TicketKeysOptions extends TicketLifetime {
  /** 32 random bytes or more that the processes share: a key is derived from them for every period of `lifetime`. */
  secret?: Uint8Array
  /** Or the key that the first period begins with, 32 random bytes; `rotate` gives the next ones. */
  key?: Uint8Array
}

const CIPHER = 'aes-256-gcm'
const KEY_BYTES = 32
const ID_BYTES = 8
const NONCE_BYTES = 12
const TAG_BYTES = 16
const PURPOSE = Buffer.from('stalk/1 ticket key')
const AAD = Buffer.from('stalk/1 ticket')

/**
 * Tickets that say themselves, sealed, what they stand for. Any process with the same secret or key takes them, as often
 * as they are offered until they expire: they are not for single use. A key serves for one `lifetime`, and is still
 * accepted for another. Times are the wall clock's, which may be set back without prolonging a ticket while the process
 * runs; the clocks of the processes should agree within seconds.
 *
 * Who learns a key, or the secret, can until its tickets have expired play any peer that he sees offer one, to either
 * end; what was recorded stays closed to him.
 */
export class TicketKeys implements TicketStore {
  readonly #lifetimeMs: number
  readonly #now: () => number
  readonly #ring: Ring

  /** Throws ERR_STALK_INVALID_OPTION. `now`: the wall clock in ms, never back. */
  constructor(options: TicketKeysOptions, now: () => number = forwardClock()) {
    checkNames(options, new Set(['secret', 'key', 'lifetime']))
    this.#lifetimeMs = lifetimeOf(options.lifetime)
    this.#now = now
    this.#ring = ringOf(options, this.#lifetimeMs)
  }

  /**
   * Issues with `key`, 32 random bytes, from now on; accepts the one before for one more `lifetime`, and none that is
   * older. Throws ERR_STALK_INVALID_OPTION, also where the keys come from a secret, which rotate by themselves.
   */
  rotate(key: Uint8Array): void {
    if (!(this.#ring instanceof GivenKeys)) throw invalidOption('key', 'has no place beside a secret')
    this.#ring.rotate(new TicketKey(checkBytes('key', key, KEY_BYTES)), this.#now())
  }

  issue(state: Buffer, notAfter: number | null): { ticket: Buffer; lifetimeMs: number } | null {
    const now = this.#now()
    const expires = Math.min(now + this.#lifetimeMs, notAfter ?? Number.POSITIVE_INFINITY)
    if (expires <= now) return null
    const ticket = this.#ring
      .current(now)
      .seal(Buffer.concat([u64(Math.floor(now)), u64(Math.floor(expires)), state]))
    return ticket && { ticket, lifetimeMs: expires - now }
  }

  find(ticket: Buffer): { state: Buffer; expires: number } | null {
    const now = this.#now()
    const id = ticket.subarray(0, ID_BYTES)
    const content = this.#ring
      .accepted(now)
      .find(key => key.id.equals(id))
      ?.open(ticket)
    if (!content) return null
    const [issued, expires] = [content.readBigUInt64BE(0), Number(content.readBigUInt64BE(8))]
    // One that comes from the future was issued before our clock was set back: nobody knows its age.
    if (Number(issued) > now + MAX_CLOCK_SKEW_MS || expires <= now) return null
    return { state: content.subarray(16), expires }
  }

  /** Always true: they are not for single use. */
  consume(): boolean {
    return true
  }
}

function ringOf({ secret, key }: TicketKeysOptions, lifetimeMs: number): Ring {
  if ((secret === undefined) === (key === undefined))
    throw invalidOption('secret', 'or key is needed, and not both')
  if (secret !== undefined) return new DerivedKeys(checkBytes('secret', secret), lifetimeMs)
  return new GivenKeys(new TicketKey(checkBytes('key', key, KEY_BYTES)), lifetimeMs)
}

function checkBytes(name: string, bytes: unknown, length?: number): Buffer {
  if (!(bytes instanceof Uint8Array) || bytes.length < KEY_BYTES || bytes.length > (length ?? bytes.length))
    throw invalidOption(name, `must be a Buffer of ${KEY_BYTES} bytes${length ? '' : ' or more'}`)
  return Buffer.from(bytes)
}

// --- keys ----------------------------------------------------------------------------------------------

class TicketKey {
  readonly id: Buffer
  readonly #key: Buffer
  #issued = 0

  /** What is given is wiped. */
  constructor(secret: Buffer) {
    this.id = expand(secret, Buffer.concat([PURPOSE, Buffer.from(' id')]), ID_BYTES)
    this.#key = expand(secret, PURPOSE, KEY_BYTES)
    wipe(secret)
  }

  /** Null once there are so many that two might have the same nonce. */
  seal(content: Buffer): Buffer | null {
    if (this.#issued >= MAX_TICKETS_PER_KEY) return null
    this.#issued += 1
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES }) as CipherGCM
    cipher.setAAD(Buffer.concat([AAD, this.id]))
    const sealed = [cipher.update(content), cipher.final()]
    return Buffer.concat([this.id, nonce, ...sealed, cipher.getAuthTag()])
  }

  /** Null for what this key has not sealed. */
  open(ticket: Buffer): Buffer | null {
    const bytes = ticket.length - ID_BYTES - NONCE_BYTES - TAG_BYTES
    if (bytes < 16 || ticket.length > MAX_TICKET_BYTES) return null
    const reader = new Reader(ticket.subarray(ID_BYTES), 'a ticket')
    const [nonce, sealed, tag] = [reader.take(NONCE_BYTES), reader.take(bytes), reader.take(TAG_BYTES)]
    const decipher = createDecipheriv(CIPHER, this.#key, nonce, { authTagLength: TAG_BYTES }) as DecipherGCM
    decipher.setAAD(Buffer.concat([AAD, this.id])).setAuthTag(tag)
    const opened = decipher.update(sealed)
    try {
      decipher.final()
    } catch {
      wipe(opened) // not authentic: it is nothing
      return null
    }
    return opened
  }

  wipe(): void {
    wipe(this.#key)
  }
}

/** The keys in use at a time. */
interface Ring {
  current(now: number): TicketKey
  accepted(now: number): readonly TicketKey[]
}

/** A key for every period since 1970, all from one secret, so that who has it needs nothing else. */
class DerivedKeys implements Ring {
  readonly #secret: Buffer
  readonly #periodMs: number
  readonly #keys = new Map<number, TicketKey>()

  constructor(secret: Buffer, periodMs: number) {
    this.#secret = extract(PURPOSE, secret)
    this.#periodMs = periodMs
    wipe(secret)
  }

  current(now: number): TicketKey {
    return this.#key(this.#period(now))
  }

  accepted(now: number): readonly TicketKey[] {
    const period = this.#period(now)
    const ahead = Math.floor((now + MAX_CLOCK_SKEW_MS) / this.#periodMs) // where another's clock may be already
    return [...new Set([period, period - 1, ahead])].map(number => this.#key(number))
  }

  #period(now: number): number {
    const period = Math.floor(now / this.#periodMs)
    for (const [old, key] of this.#keys) {
      if (old >= period - 1) continue
      key.wipe()
      this.#keys.delete(old)
    }
    return period
  }

  #key(period: number): TicketKey {
    const info = Buffer.from(`period ${period} of ${this.#periodMs} ms`)
    const key = this.#keys.get(period) ?? new TicketKey(expand(this.#secret, info, KEY_BYTES))
    this.#keys.set(period, key)
    return key
  }
}

/** Keys as they were given, the last one and the one before it. */
class GivenKeys implements Ring {
  readonly #periodMs: number
  #current: TicketKey
  #previous: TicketKey | null = null
  #previousUntil = 0

  constructor(first: TicketKey, periodMs: number) {
    this.#current = first
    this.#periodMs = periodMs
  }

  rotate(next: TicketKey, now: number): void {
    if (next.id.equals(this.#current.id)) return
    this.#previous?.wipe()
    this.#previous = this.#current
    this.#previousUntil = now + this.#periodMs
    this.#current = next
  }

  current(): TicketKey {
    return this.#current
  }

  accepted(now: number): readonly TicketKey[] {
    if (this.#previous && now >= this.#previousUntil) {
      this.#previous.wipe()
      this.#previous = null
    }
    return this.#previous ? [this.#current, this.#previous] : [this.#current]
  }
}
