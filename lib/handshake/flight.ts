// Flights: M3 of the responder, M4 of the initiator. Each says who its sender is, proves it with a signature
// over the transcript (unless it is anonymous, or a ticket says it), and ends with a Finished MAC over all before
// it. Knows labels and order within a flight; knows no sockets, no policy and no private key.
//
//   M3 = ResponderIdentity ‖ [ResponderProof] ‖ ResponderFinished      M4 likewise
//   signed:    0x20⁶⁴ ‖ "stalk/1 responder auth" ‖ 0x00 ‖ T(… identity)    (RFC 8446, section 4.4.3)
//   Finished:  HMAC(EL(traffic secret, "finished"), T(… proof))            (RFC 8446, section 4.4.4)

import { Reader, u16 } from '../bytes.ts'
import { FLIGHT_INNER_BYTES, KIND, MAX_RSA_BITS } from '../constants.ts'
import { equal } from '../crypto/primitives.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import type { Inner } from '../wire/record.ts'
import { decodeMessages, encodeMessage, MESSAGE, type Message } from './messages.ts'
import { shown } from './resumption.ts'
import { finishedMac } from './schedule.ts'
import type { Transcript } from './transcript.ts'

export type Role = 'initiator' | 'responder'

/** Whether a signature over `input` was made by the private half of `key`. Throws ERR_STALK_BAD_KEY for no key at all. */
export type Verify = (key: RawPublicKey, input: Buffer, signature: Buffer) => boolean

const MAX_SIGNATURE_BYTES = MAX_RSA_BITS / 8

const TYPES = {
  initiator: [MESSAGE.initiatorIdentity, MESSAGE.initiatorProof, MESSAGE.initiatorFinished],
  responder: [MESSAGE.responderIdentity, MESSAGE.responderProof, MESSAGE.responderFinished]
} as const

/** What the owner of an identity signs: `transcript` is the hash up to and with its identity message. */
export const signatureInput = (role: Role, transcript: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(64, 0x20), Buffer.from(`stalk/1 ${role} auth\0`), transcript])

/**
 * Our flight, complete. The transcript has our identity message already, and has all of the flight afterwards.
 * `signature` is null if and only if we are anonymous or the session is resumed.
 */
export function completeFlight(
  role: Role,
  identity: Buffer,
  signature: Buffer | null,
  transcript: Transcript,
  trafficSecret: Buffer
): Inner {
  const [, proofType, finishedType] = TYPES[role]
  const proof =
    signature === null
      ? Buffer.alloc(0)
      : encodeMessage(proofType, Buffer.concat([u16(signature.length), signature]))
  transcript.add(proof)
  const finished = encodeMessage(finishedType, finishedMac(trafficSecret, transcript.hash))
  transcript.add(finished)
  const body = Buffer.concat([identity, proof, finished])
  return { type: KIND.handshake, body, innerBytes: FLIGHT_INNER_BYTES }
}

/** A peer's flight, its messages in their places, nothing verified. */
export interface Flight {
  readonly identity: Message
  readonly proof: Message | null
  readonly finished: Message
}

/** Throws ERR_STALK_UNEXPECTED or ERR_STALK_DECODE for anything but one whole flight of `role`. */
export function decodeFlight(role: Role, inner: Inner): Flight {
  if (inner.type !== KIND.handshake) throw unexpected(`a record of kind ${inner.type} instead of a flight`)
  if (inner.innerBytes !== FLIGHT_INNER_BYTES) {
    throw unexpected(`a flight of ${inner.innerBytes} bytes instead of ${FLIGHT_INNER_BYTES}`)
  }
  const messages = decodeMessages(inner.body)
  const types: readonly number[] = TYPES[role]
  const expected = messages.length === 2 ? [types[0], types[2]] : types
  const [identity, ...rest] = messages
  const finished = rest.pop()
  if (!identity || !finished || String(messages.map(message => message.type)) !== String(expected)) {
    throw unexpected(
      `a flight with messages ${messages.map(message => message.type).join(', ') || 'missing'}`
    )
  }
  return { identity, proof: rest[0] ?? null, finished }
}

const unexpected = (what: string): StalkError =>
  new StalkError('ERR_STALK_UNEXPECTED', `the peer sent ${what}`, { phase: 'handshake' })

/**
 * Proof that a peer's flight was verified, its signature and then its Finished. Only `verifyFlight` makes one,
 * and without one there are no application keys.
 */
export class Verified {
  /** Who the peer proved to be; null if it is anonymous. */
  readonly peer: RawPublicKey | null

  private constructor(peer: RawPublicKey | null) {
    this.peer = peer
  }

  /**
   * Verifies a flight and adds it to the transcript, which ends before it. `known`: in a resumed session, whose keys
   * prove it, what there is of the peer's identity in place of a signature.
   * Throws ERR_STALK_BAD_SIGNATURE, ERR_STALK_BAD_TICKET, ERR_STALK_BAD_FINISHED, ERR_STALK_BAD_KEY,
   * ERR_STALK_UNEXPECTED.
   */
  static flight(
    role: Role,
    flight: Flight,
    peer: RawPublicKey | null,
    transcript: Transcript,
    trafficSecret: Buffer,
    verify: Verify,
    known: Buffer | null = null
  ): Verified {
    transcript.add(flight.identity.encoded)
    if (known) checkKnown(role, flight.proof, peer, known)
    else verifyProof(role, flight.proof, peer, transcript.hash, verify)
    if (flight.proof) transcript.add(flight.proof.encoded)
    if (!equal(flight.finished.body, finishedMac(trafficSecret, transcript.hash))) {
      throw new StalkError('ERR_STALK_BAD_FINISHED', `the ${role}'s Finished does not match`, {
        phase: 'handshake'
      })
    }
    transcript.add(flight.finished.encoded)
    return new Verified(peer)
  }
}

function checkKnown(role: Role, proof: Message | null, peer: RawPublicKey | null, known: Buffer): void {
  if (proof !== null) throw unexpected('a signature in a resumed session')
  if (equal(shown(peer), known)) return
  throw new StalkError('ERR_STALK_BAD_TICKET', `the ${role} shows another identity than its ticket is for`, {
    phase: 'handshake'
  })
}

function verifyProof(
  role: Role,
  proof: Message | null,
  peer: RawPublicKey | null,
  transcript: Buffer,
  verify: Verify
): void {
  if (peer === null && proof === null) return
  if (peer === null || proof === null) {
    throw unexpected(peer === null ? 'a signature without an identity' : 'an identity without a signature')
  }
  const reader = new Reader(proof.body, `the ${role}'s proof`)
  const signature = reader.vector(MAX_SIGNATURE_BYTES)
  reader.end()
  if (!verify(peer, signatureInput(role, transcript), signature)) {
    throw new StalkError('ERR_STALK_BAD_SIGNATURE', `the ${role}'s signature is not valid`, {
      phase: 'handshake'
    })
  }
}
