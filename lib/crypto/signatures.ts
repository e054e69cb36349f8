// Signatures: Ed25519 (RFC 8032) and RSA-PSS with SHA-256, MGF1-SHA-256 and a salt of exactly 32 bytes
// (RFC 8017, section 8.1). Private-key operations run in the thread pool, a bounded number at a time.
// Knows keys and bytes; knows no label, role or transcript.

import { constants, type KeyObject, sign as nodeSign, verify as nodeVerify } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { MAX_QUEUED_SIGNATURES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { fromRaw, type KeyType, type RawPublicKey } from './public-key.ts'

const ED25519_SIGNATURE_BYTES = 64

// Without saltLength, verification would take a salt of any length.
const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }

const digestFor = (type: KeyType): string | null => (type === 'rsa' ? 'sha256' : null)

/**
 * Whether `signature` over `input` was made by the private half of `key`.
 * Throws ERR_STALK_BAD_KEY where the key itself is not acceptable.
 */
export function verify(key: RawPublicKey, input: Buffer, signature: Buffer): boolean {
  const expectedBytes = key.type === 'rsa' ? key.bytes.length : ED25519_SIGNATURE_BYTES
  const publicKey = fromRaw(key)
  if (signature.length !== expectedBytes) return false
  const options = key.type === 'rsa' ? { key: publicKey, ...PSS } : publicKey
  return nodeVerify(digestFor(key.type), input, options, signature)
}

/** Runs private-key operations, so many at a time; a few more wait, others are refused. */
export class SigningQueue {
  readonly #maxRunning: number
  readonly #maxWaiting: number
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(maxRunning: number, maxWaiting: number) {
    this.#maxRunning = maxRunning
    this.#maxWaiting = maxWaiting
  }

  /** Rejects with ERR_STALK_BUSY where too many wait already, otherwise as the operation does. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    await this.#turn()
    try {
      return await operation()
    } finally {
      this.#release()
    }
  }

  async #turn(): Promise<void> {
    if (this.#running < this.#maxRunning) {
      this.#running += 1
      return
    }
    if (this.#waiting.length >= this.#maxWaiting) {
      throw new StalkError('ERR_STALK_BUSY', 'too many handshakes wait for a signature', {
        phase: 'handshake'
      })
    }
    await new Promise<void>(resolve => this.#waiting.push(resolve))
  }

  /** Hands the place on to who waits longest. */
  #release(): void {
    const next = this.#waiting.shift()
    if (next) next()
    else this.#running -= 1
  }
}

const queue = new SigningQueue(2 * availableParallelism(), MAX_QUEUED_SIGNATURES)

/**
 * Signs with a private RSA or Ed25519 key, off the main thread. Rejects with ERR_STALK_BUSY where too many
 * signatures are under way in this process.
 */
export const sign = (type: KeyType, privateKey: KeyObject, input: Buffer): Promise<Buffer> =>
  queue.run(() => signNow(type, privateKey, input))

function signNow(type: KeyType, privateKey: KeyObject, input: Buffer): Promise<Buffer> {
  const options = type === 'rsa' ? { key: privateKey, ...PSS } : privateKey
  return new Promise((resolve, reject) => {
    nodeSign(digestFor(type), input, options as { key: KeyObject }, (error, signature) => {
      if (error) reject(error)
      else resolve(signature)
    })
  })
}
