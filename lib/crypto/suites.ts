// Cipher suites: how one record's plaintext is sealed and opened under given keys and a given sequence number.
// Knows AES-256-GCM, ChaCha20-Poly1305 and AES-256-OFB with HMAC-SHA256; knows no record type, role or schedule.
//
//   GCM, ChaCha   sealed = ciphertext ‖ tag[16]   nonce = iv[12] XOR (0⁴ ‖ sequence u64)   (RFC 8446, section 5.3)
//   OFB           sealed = ciphertext ‖ tag[32]   tag = HMAC-SHA256(mac, sequence u64 ‖ aad ‖ ciphertext)
//                 one running keystream per key, encrypt-then-MAC (RFC 7366's order)

import {
  type CipherChaCha20Poly1305Types,
  type CipherGCMTypes,
  createCipheriv,
  createDecipheriv
} from 'node:crypto'
import { u64 } from '../bytes.ts'
import { equal, hmac } from './primitives.ts'

/** What seals or opens the records of one direction. `mac` is empty but in the OFB suite. */
export interface TrafficKeys {
  readonly key: Buffer
  readonly iv: Buffer
  readonly mac: Buffer
}

/**
 * Seals the parts, joined, under a sequence number and additional data that are authenticated but not sealed.
 * The record is what comes out, joined.
 */
export type Seal = (sequence: number, aad: Buffer, ...parts: Buffer[]) => Buffer[]

/** The plaintext, or null if the record does not open. Nothing of it is released before the tag was verified. */
export type Open = (sequence: number, aad: Buffer, sealed: Buffer) => Buffer | null

export interface Suite {
  /** As in the hello messages. */
  readonly id: number
  readonly name: SuiteName
  readonly ivBytes: number
  /** 0 where the cipher authenticates by itself. */
  readonly macBytes: number
  readonly tagBytes: number
  sealing(keys: TrafficKeys): Seal
  opening(keys: TrafficKeys): Open
}

export type SuiteName =
  | 'X25519-AES256GCM-SHA256'
  | 'X25519-CHACHA20POLY1305-SHA256'
  | 'X25519-AES256OFB-HMACSHA256'

/** Length of every suite's cipher and MAC keys, in bytes. */
export const KEY_BYTES = 32

const AEAD_IV_BYTES = 12
const AEAD_TAG_BYTES = 16
const OFB_IV_BYTES = 16
const OFB_TAG_BYTES = 32

/** By halves of the sequence, a safe integer: a u64 is a BigInt, and this is done for every record. */
function nonceFor(iv: Buffer, sequence: number): Buffer {
  const nonce = Buffer.allocUnsafe(AEAD_IV_BYTES)
  nonce.writeUInt32BE(iv.readUInt32BE(0), 0)
  nonce.writeUInt32BE((iv.readUInt32BE(4) ^ Math.floor(sequence / 2 ** 32)) >>> 0, 4)
  nonce.writeUInt32BE((iv.readUInt32BE(8) ^ sequence) >>> 0, 8)
  return nonce
}

function aead(id: number, name: SuiteName, algorithm: CipherGCMTypes | CipherChaCha20Poly1305Types): Suite {
  // Without authTagLength GCM would accept tags of 4 bytes.
  const options = { authTagLength: AEAD_TAG_BYTES }
  // The two algorithms' overloads differ in type only; both take these options.
  const cipher = algorithm as CipherGCMTypes
  const seal =
    ({ key, iv }: TrafficKeys): Seal =>
    (sequence, aad, ...parts) => {
      const sealing = createCipheriv(cipher, key, nonceFor(iv, sequence), options)
      sealing.setAAD(aad)
      const sealed = parts.map(part => sealing.update(part))
      sealing.final() // nothing: neither has blocks to fill
      sealed.push(sealing.getAuthTag())
      return sealed
    }
  const open =
    ({ key, iv }: TrafficKeys): Open =>
    (sequence, aad, sealed) => {
      const end = sealed.length - AEAD_TAG_BYTES
      if (end < 0) return null
      const opening = createDecipheriv(cipher, key, nonceFor(iv, sequence), options)
      opening.setAAD(aad).setAuthTag(sealed.subarray(end))
      const plaintext = opening.update(sealed.subarray(0, end)) // not released before final() agrees
      try {
        opening.final()
      } catch {
        return null
      }
      return plaintext
    }
  return {
    id,
    name,
    ivBytes: AEAD_IV_BYTES,
    macBytes: 0,
    tagBytes: AEAD_TAG_BYTES,
    sealing: seal,
    opening: open
  }
}

const ofb: Suite = {
  id: 0x0003,
  name: 'X25519-AES256OFB-HMACSHA256',
  ivBytes: OFB_IV_BYTES,
  macBytes: KEY_BYTES,
  tagBytes: OFB_TAG_BYTES,
  sealing({ key, iv, mac }) {
    const keystream = createCipheriv('aes-256-ofb', key, iv)
    return (sequence, aad, ...parts) => {
      const ciphertext = parts.map(part => keystream.update(part))
      return [...ciphertext, hmac(mac, u64(sequence), aad, ...ciphertext)]
    }
  },
  opening({ key, iv, mac }) {
    const keystream = createDecipheriv('aes-256-ofb', key, iv)
    return (sequence, aad, sealed) => {
      const end = sealed.length - OFB_TAG_BYTES
      if (end < 0) return null
      const ciphertext = sealed.subarray(0, end)
      // Before decryption: a record that is not genuine must not advance the keystream.
      if (!equal(hmac(mac, u64(sequence), aad, ciphertext), sealed.subarray(end))) return null
      return keystream.update(ciphertext)
    }
  }
}

/** All suites, by their name. */
export const SUITES: Readonly<Record<SuiteName, Suite>> = {
  'X25519-AES256GCM-SHA256': aead(0x0001, 'X25519-AES256GCM-SHA256', 'aes-256-gcm'),
  'X25519-CHACHA20POLY1305-SHA256': aead(0x0002, 'X25519-CHACHA20POLY1305-SHA256', 'chacha20-poly1305'),
  'X25519-AES256OFB-HMACSHA256': ofb
}

/** Offered where the options name no suites; the OFB suite has to be asked for. */
export const DEFAULT_SUITES: readonly SuiteName[] = [
  'X25519-AES256GCM-SHA256',
  'X25519-CHACHA20POLY1305-SHA256'
]
