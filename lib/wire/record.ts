// Records: one suite, one set of keys, one sequence. A Sealer owns its keys and its counter together, so that
// they can only be replaced together; it knows a record type byte and the kind inside, not whose key it is.
//
//   header[4]  ‖  sealed( inner )        inner = content ‖ kind u8 ‖ zeros*        (RFC 8446, section 5.2)
//   └─ additional data ─┘

import { wipe } from '../bytes.ts'
import { HARD_LIMIT_BYTES, HARD_LIMIT_RECORDS, HEADER_BYTES, MAX_INNER_BYTES } from '../constants.ts'
import type { Open, Seal, Suite, TrafficKeys } from '../crypto/suites.ts'
import { StalkError } from '../errors.ts'
import { type Frame, gathered, header, joined } from './frame.ts'

/** A frame as it is inside a record: its type is the kind. */
export interface Inner extends Frame {
  /** The beginning of the content, where it is not in one piece with the rest, which is the body then. */
  readonly prefix?: Buffer
  /** The length of the plaintext, kind and padding included, in bytes. Sealing pads to it; at least body + 1. */
  readonly innerBytes?: number
  /** How many messages end in it, where its maker says so. */
  readonly messages?: number
}

/** How long a content is, in bytes. */
export const contentBytes = ({ prefix, body }: Inner): number => (prefix?.length ?? 0) + body.length

/** How much was done under a key. */
export interface Used {
  readonly records: number
  readonly bytes: number
}

const FRESH: Used = { records: 0, bytes: 0 }

/** Counts records and bytes under one key, and refuses at the hard limit. */
class Budget {
  #records: number
  #bytes: number

  constructor(used: Used) {
    this.#records = used.records
    this.#bytes = used.bytes
  }

  get used(): Used {
    return { records: this.#records, bytes: this.#bytes }
  }

  /** The sequence number of the next record. Throws ERR_STALK_KEY_EXHAUSTED where the key must not be used again. */
  sequence(bytes: number): number {
    if (this.#records >= HARD_LIMIT_RECORDS || this.#bytes + bytes > HARD_LIMIT_BYTES) {
      throw new StalkError('ERR_STALK_KEY_EXHAUSTED', 'a key has reached its limit of records or bytes')
    }
    return this.#records
  }

  spend(bytes: number): void {
    this.#records += 1
    this.#bytes += bytes
  }
}

export class Sealer {
  readonly type: number
  readonly #keys: TrafficKeys
  #seal: Seal
  readonly #tagBytes: number
  readonly #budget: Budget

  /** Seals records of one type under one set of keys, which are its own from here on, from sequence 0 on. */
  constructor(type: number, suite: Suite, keys: TrafficKeys, used: Used = FRESH) {
    this.type = type
    this.#keys = keys
    this.#seal = suite.sealing(keys)
    this.#tagBytes = suite.tagBytes
    this.#budget = new Budget(used)
  }

  /** How much was sealed under these keys. */
  get used(): Used {
    return this.#budget.used
  }

  /** Wipes the keys: nothing is sealed any more. */
  retire(): void {
    this.#seal = retired
    wipe(this.#keys.key, this.#keys.iv, this.#keys.mac)
  }

  /** Throws ERR_STALK_INTERNAL for a content that is too long, ERR_STALK_KEY_EXHAUSTED at the hard limit. */
  seal(inner: Inner): Frame {
    const least = contentBytes(inner)
    const { type: kind, prefix, body, innerBytes = least + 1 } = inner
    if (innerBytes <= least || innerBytes > MAX_INNER_BYTES) {
      throw new StalkError('ERR_STALK_INTERNAL', `a record cannot hold ${least} bytes in ${innerBytes}`)
    }
    const sequence = this.#budget.sequence(innerBytes)
    const tail = Buffer.alloc(innerBytes - least) // the kind and its padding
    tail.writeUInt8(kind)
    const aad = header(this.type, innerBytes + this.#tagBytes)
    const plain = gathered(prefix ? [prefix, body, tail] : [body, tail])
    const wire = gathered([aad, ...this.#seal(sequence, aad, ...plain)])
    this.#budget.spend(innerBytes)
    return new Sealed(this.type, wire)
  }
}

class Sealed implements Frame {
  readonly type: number
  readonly wire: readonly Buffer[]

  constructor(type: number, wire: readonly Buffer[]) {
    this.type = type
    this.wire = wire
  }

  /** Joined anew each time: nobody asks who goes by `wire`. */
  get body(): Buffer {
    return joined(this.wire).subarray(HEADER_BYTES)
  }
}

export class Opener {
  readonly type: number
  /** The longest sealed body, in bytes. */
  readonly maxBodyBytes: number
  readonly #keys: TrafficKeys
  #open: Open
  readonly #tagBytes: number
  readonly #budget: Budget

  /** Opens records of one type under one set of keys, which are its own from here on, from sequence 0 on. */
  constructor(
    type: number,
    suite: Suite,
    keys: TrafficKeys,
    maxInnerBytes = MAX_INNER_BYTES,
    used: Used = FRESH
  ) {
    this.type = type
    this.maxBodyBytes = maxInnerBytes + suite.tagBytes
    this.#keys = keys
    this.#open = suite.opening(keys)
    this.#tagBytes = suite.tagBytes
    this.#budget = new Budget(used)
  }

  /** Wipes the keys: nothing is opened any more. */
  retire(): void {
    this.#open = retired
    wipe(this.#keys.key, this.#keys.iv, this.#keys.mac)
  }

  /**
   * What is in a record. Throws ERR_STALK_BAD_RECORD, with one text for every reason, if it does not open. A record
   * that is not genuine has changed nothing then.
   */
  open({ type, body }: Frame): Inner & { readonly innerBytes: number } {
    const innerBytes = body.length - this.#tagBytes
    const sequence = this.#budget.sequence(Math.max(innerBytes, 0))
    const inner = type === this.type ? this.#open(sequence, header(type, body.length), body) : null
    const end = inner === null ? -1 : lastNonZero(inner)
    if (inner === null || end < 0) throw new StalkError('ERR_STALK_BAD_RECORD', 'a record does not open')
    this.#budget.spend(innerBytes)
    return { type: inner.readUInt8(end), body: inner.subarray(0, end), innerBytes, own: true }
  }
}

function retired(): never {
  throw new StalkError('ERR_STALK_INTERNAL', 'a key that was replaced was used again')
}

/** Where the kind stands: the last byte that is no padding; −1 if all is padding. */
function lastNonZero(inner: Buffer): number {
  let end = inner.length - 1
  while (end >= 0 && inner[end] === 0) end -= 1
  return end
}

/**
 * What travels towards the wire, in order: contents to be sealed, frames that go in clear (hellos and plain
 * alerts), and new keys, each exactly behind the last record under the old one.
 */
export type Outbound = Inner | { readonly clear: Frame } | { readonly key: Sealer }
