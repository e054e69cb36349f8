// The key schedule: from the X25519 result and the transcript to every key of a connection. Knows the labels;
// knows no message and no order but its own. Each stage can be reached from the one before it only, and the
// application's keys only with a proof that the peer's flight was verified (see flight.ts).
//
//   es = Extract(H("stalk/1 key schedule" ‖ prologue), 0³² | psk)      binder key = EL(es, "binder")
//   hs = Extract(EL(es, "derived"), X25519)      i_hs, r_hs = EL(hs, "i hs" | "r hs", th1)
//   ms = Extract(EL(hs, "derived"), 0³²)         i_ap, r_ap, exp, res = EL(ms, "i ap" | …, th7)
//
// The shape is TLS 1.3's (RFC 8446, section 7.1) with labels of its own.

import { u16, wipe } from '../bytes.ts'
import { expand, extract, HASH_BYTES, hmac, sha256 } from '../crypto/primitives.ts'
import { KEY_BYTES, type Suite, type TrafficKeys } from '../crypto/suites.ts'
import type { Verified } from './flight.ts'

const NOTHING = Buffer.alloc(0)
const ZEROS = Buffer.alloc(HASH_BYTES)

/** Expand-Label: HKDF-Expand with the length, the label and a context in its info (RFC 8446, section 7.1). */
export function expandLabel(secret: Buffer, label: string, context: Buffer, length = HASH_BYTES): Buffer {
  const name = Buffer.from(`stalk1 ${label}`)
  const info = [u16(length), Uint8Array.of(name.length), name, Uint8Array.of(context.length), context]
  return expand(secret, Buffer.concat(info), length)
}

/** One value for each direction. */
export interface Directions<T> {
  readonly initiator: T
  readonly responder: T
}

/** The keys that a traffic secret stands for. */
export const trafficKeys = (secret: Buffer, suite: Suite): TrafficKeys => ({
  key: expandLabel(secret, 'key', NOTHING, KEY_BYTES),
  iv: expandLabel(secret, 'iv', NOTHING, suite.ivBytes),
  mac: suite.macBytes > 0 ? expandLabel(secret, 'mac', NOTHING, suite.macBytes) : NOTHING
})

/** The traffic secret after a key update. */
export const nextTrafficSecret = (secret: Buffer): Buffer => expandLabel(secret, 'upd', NOTHING)

/** The MAC of a Finished message over the transcript before it. */
export const finishedMac = (trafficSecret: Buffer, transcript: Buffer): Buffer =>
  hmac(expandLabel(trafficSecret, 'finished', NOTHING), transcript)

/** `psk`: of the session that is resumed; null for a full handshake. */
const earlySecret = (prologue: Buffer, psk: Buffer | null): Buffer =>
  extract(sha256(Buffer.from('stalk/1 key schedule'), prologue), psk ?? ZEROS)

/** The MAC with which M1 proves that its sender has a ticket's key, over M1 before it (RFC 8446, section 4.2.11.2). */
export function binderOf(prologue: Buffer, psk: Buffer, transcript: Buffer): Buffer {
  const early = earlySecret(prologue, psk)
  const key = expandLabel(early, 'binder', NOTHING)
  const binder = finishedMac(key, transcript)
  wipe(early, key)
  return binder
}

/** After the hello messages: keys for the flights. */
export class HandshakeSecrets {
  readonly #secret: Buffer
  readonly traffic: Directions<Buffer>

  /** `th1` is the transcript of both hello messages. The shared secret, and the psk if there is one, are wiped. */
  constructor(prologue: Buffer, shared: Buffer, th1: Buffer, psk: Buffer | null = null) {
    const early = earlySecret(prologue, psk)
    const salt = expandLabel(early, 'derived', NOTHING)
    this.#secret = extract(salt, shared)
    this.traffic = {
      initiator: expandLabel(this.#secret, 'i hs', th1),
      responder: expandLabel(this.#secret, 'r hs', th1)
    }
    wipe(early, salt, shared, psk ?? NOTHING)
  }

  /** `th7` is the transcript with both flights. Everything of this stage is wiped. */
  application(th7: Buffer, _proof: Verified): ApplicationSecrets {
    const salt = expandLabel(this.#secret, 'derived', NOTHING)
    const master = extract(salt, ZEROS)
    const secrets = {
      traffic: { initiator: expandLabel(master, 'i ap', th7), responder: expandLabel(master, 'r ap', th7) },
      exporter: new Exporter(expandLabel(master, 'exp', th7)),
      resumption: new Resumption(expandLabel(master, 'res', th7))
    }
    wipe(salt, master, this.#secret, this.traffic.initiator, this.traffic.responder)
    return secrets
  }
}

/** After both flights: keys for messages, and the exporter. */
export interface ApplicationSecrets {
  readonly traffic: Directions<Buffer>
  readonly exporter: Exporter
  readonly resumption: Resumption
}

/** What later sessions may be resumed with (RFC 8446, section 4.6.1, in our labels). */
export class Resumption {
  readonly #secret: Buffer

  constructor(secret: Buffer) {
    this.#secret = secret
  }

  /** What the ticket with this nonce stands for, at both ends. */
  psk(nonce: Buffer): Buffer {
    return expandLabel(this.#secret, 'ticket', nonce)
  }

  /** There will be no further ticket. */
  wipe(): void {
    wipe(this.#secret)
  }
}

/** Keys for the application's own use, bound to this connection (RFC 8446, section 7.5, in our labels). */
export class Exporter {
  readonly #secret: Buffer

  constructor(secret: Buffer) {
    this.#secret = secret
  }

  /** The same 32 bytes at both ends and at no other connection; no secret. */
  get sessionId(): Buffer {
    return expandLabel(this.#secret, 'session id', NOTHING)
  }

  /** `length` bytes, at most 255 × 32, for a label and a context of any length. */
  export(label: Buffer, context: Buffer, length: number): Buffer {
    const secret = expandLabel(this.#secret, 'exporter', sha256(label))
    return expandLabel(secret, 'out', sha256(context), length)
  }
}
