// bcrypt's key derivation, which OpenSSH's key files are encrypted with: the hash is bcrypt-pbkdf's, the rounds
// are taken one at a time, so that a file never holds up the process. Knows no files, no ciphers.

import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { u32, wipe } from '../bytes.ts'

/** What the hash gives, in bytes. */
const HASH_BYTES = 32

type Hash = (passwordDigest: Uint8Array, saltDigest: Uint8Array, out: Uint8Array) => void

/**
 * `length` bytes (at most 1,024) from a passphrase and a salt, neither empty: OpenBSD's bcrypt_pbkdf(3). Lets the
 * event loop turn after each hash, of which there are `length / 32` a round and which takes about 10 ms.
 */
export async function bcryptPbkdf(
  passphrase: Buffer,
  salt: Buffer,
  rounds: number,
  length: number
): Promise<Buffer> {
  const hash = await loadHash()
  const password = sha512(passphrase)
  const key = Buffer.alloc(length)
  const blocks = Math.ceil(length / HASH_BYTES)
  for (let block = 0; block < blocks; block++) {
    const bytes = await blockOf(hash, password, Buffer.concat([salt, u32(block + 1)]), rounds)
    // The bytes of the blocks take turns in the key.
    for (let at = block; at < length; at += blocks) key[at] = bytes[(at - block) / blocks] ?? 0
    wipe(bytes)
  }
  wipe(password)
  return key
}

/** The exclusive or of the hashes of all rounds, each salted with the one before. */
async function blockOf(hash: Hash, password: Buffer, salt: Buffer, rounds: number): Promise<Buffer> {
  const sum = Buffer.alloc(HASH_BYTES)
  let last = salt
  for (let round = 0; round < rounds; round++) {
    const out = Buffer.alloc(HASH_BYTES)
    hash(password, sha512(last), out)
    for (let i = 0; i < HASH_BYTES; i++) sum[i] = (sum[i] ?? 0) ^ (out[i] ?? 0)
    last = out
    await nextTurn()
  }
  wipe(last)
  return sum
}

const sha512 = (bytes: Buffer): Buffer => createHash('sha512').update(bytes).digest()

/** Loaded when a file asks for it: few do, and what it brings along takes some time. */
async function loadHash(): Promise<Hash> {
  // @ts-expect-error No types.
  const { default: bcrypt } = (await import('bcrypt-pbkdf')) as { default: { hash: Hash } }
  return bcrypt.hash
}
