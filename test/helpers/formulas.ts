// The formulas of stalk/1, written down a second time from PROTOCOL.md with node:crypto alone, as plainly as
// they stand there: prologue, transcript, Expand-Label, key schedule, sealing. The vectors and the puppets are
// made with these, so that they check lib instead of mirroring it. Nothing here comes from lib.

import {
  type CipherGCM,
  constants,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  type DecipherGCM,
  diffieHellman,
  type KeyObject,
  sign as nodeSign
} from 'node:crypto'

export const H = (...parts: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest()

export const HMAC = (key: Uint8Array, ...parts: Uint8Array[]): Buffer =>
  createHmac('sha256', key).update(Buffer.concat(parts)).digest()

/** An unsigned integer, big-endian. */
export function integer(bytes: number, value: number | bigint): Buffer {
  return Buffer.from(
    BigInt(value)
      .toString(16)
      .padStart(bytes * 2, '0'),
    'hex'
  )
}

export const text = (ascii: string): Buffer => Buffer.from(ascii, 'ascii')

/** `u16 length ‖ bytes` */
export const vector = (bytes: Buffer): Buffer => Buffer.concat([integer(2, bytes.length), bytes])

/** `u8 n ‖ n items`, each of so many bytes. */
export const list = (itemBytes: number, items: readonly number[]): Buffer =>
  Buffer.concat([integer(1, items.length), ...items.map(item => integer(itemBytes, item))])

/** A record in clear, or a sealed body with its header. */
export const record = (type: number, body: Buffer): Buffer =>
  Buffer.concat([integer(1, type), integer(3, body.length), body])

/** A message of a flight. */
export const message = (mtype: number, mbody: Buffer): Buffer =>
  Buffer.concat([integer(1, mtype), integer(2, mbody.length), mbody])

export const prologueFor = (app: string): Buffer =>
  Buffer.concat([text('stalk/1\0'), integer(1, Buffer.byteLength(app)), Buffer.from(app)])

/** Expand for at most one block: T(1) = HMAC(secret, info ‖ 01), cut to the length. */
export function EL(secret: Buffer, label: string, context: Buffer, length: number): Buffer {
  const info = Buffer.concat([
    integer(2, length),
    integer(1, 7 + label.length),
    text(`stalk1 ${label}`),
    integer(1, context.length),
    context
  ])
  return HMAC(secret, info, integer(1, 1)).subarray(0, length)
}

const NONE = Buffer.alloc(0)
const ZEROS = Buffer.alloc(32)

export interface HandshakeSecretsOf {
  readonly salt: Buffer
  readonly es: Buffer
  readonly hs: Buffer
  readonly i_hs: Buffer
  readonly r_hs: Buffer
  readonly fin_i: Buffer
  readonly fin_r: Buffer
}

const saltOf = (prologue: Buffer): Buffer => H(text('stalk/1 key schedule'), prologue)

/** `psk` is the ticket's where M2's psk is 1. */
export function handshakeSecrets(
  prologue: Buffer,
  shared: Buffer,
  th1: Buffer,
  psk: Buffer = ZEROS
): HandshakeSecretsOf {
  const salt = saltOf(prologue)
  const es = HMAC(salt, psk) // Extract(salt, ikm) = HMAC(salt, ikm)
  const hs = HMAC(EL(es, 'derived', NONE, 32), shared)
  const i_hs = EL(hs, 'i hs', th1, 32)
  const r_hs = EL(hs, 'r hs', th1, 32)
  const fin_i = EL(i_hs, 'finished', NONE, 32)
  const fin_r = EL(r_hs, 'finished', NONE, 32)
  return { salt, es, hs, i_hs, r_hs, fin_i, fin_r }
}

export interface ApplicationSecretsOf {
  readonly ms: Buffer
  readonly i_ap: Buffer
  readonly r_ap: Buffer
  readonly exp: Buffer
  readonly res: Buffer
  readonly sessionId: Buffer
}

export function applicationSecrets(hs: Buffer, th7: Buffer): ApplicationSecretsOf {
  const ms = HMAC(EL(hs, 'derived', NONE, 32), ZEROS)
  const exp = EL(ms, 'exp', th7, 32)
  return {
    ms,
    i_ap: EL(ms, 'i ap', th7, 32),
    r_ap: EL(ms, 'r ap', th7, 32),
    exp,
    res: EL(ms, 'res', th7, 32),
    sessionId: EL(exp, 'session id', NONE, 32)
  }
}

/** At most 32 bytes, one block. */
export const exported = (exp: Buffer, label: Buffer, context: Buffer, length: number): Buffer =>
  EL(EL(exp, 'exporter', H(label), 32), 'out', H(context), length)

// --- resumption -------------------------------------------------------------------------------------------

/** What both ends keep for a ticket of the session whose `res` it is. */
export const ticketPsk = (res: Buffer, nonce: Buffer): Buffer => EL(res, 'ticket', nonce, 32)

/** fin_b. */
export const binderKey = (prologue: Buffer, psk: Buffer): Buffer =>
  EL(EL(HMAC(saltOf(prologue), psk), 'binder', NONE, 32), 'finished', NONE, 32)

/** M1's record ends with 32 bytes for the binder, whatever they are. */
export const binderOf = (prologue: Buffer, psk: Buffer, m1: Buffer): Buffer =>
  HMAC(binderKey(prologue, psk), H(prologue, m1.subarray(0, -32)))

/** The content of kind 07. */
export const ticketContent = (lifetime: number, nonce: Buffer, ticket: Buffer): Buffer =>
  Buffer.concat([integer(4, lifetime), nonce, vector(ticket)])

/** Of kind 0A, good or bad: key sets, the first of which has this id. */
export const shapesContent = (first: number, ...shapes: readonly (readonly string[])[]): Buffer =>
  Buffer.concat([Buffer.of(first, shapes.length), ...shapes.map(shapeOf)])

function shapeOf(names: readonly string[]): Buffer {
  const sized = names.map(name => Buffer.concat([Buffer.of(Buffer.byteLength(name)), Buffer.from(name)]))
  return Buffer.concat([Buffer.of(names.length), ...sized])
}

/** What an identity signs. */
export const signed = (role: 'initiator' | 'responder', transcript: Buffer): Buffer =>
  Buffer.concat([Buffer.alloc(64, 0x20), text(`stalk/1 ${role} auth`), Buffer.alloc(1), transcript])

export function signatureOf(privateKey: KeyObject, input: Buffer): Buffer {
  if (privateKey.asymmetricKeyType === 'ed25519') return nodeSign(null, input, privateKey)
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return nodeSign('sha256', input, { key: privateKey, padding, saltLength: 32 })
}

// --- X25519, by way of DER --------------------------------------------------------------------------------

const PRIVATE = Buffer.from('302e020100300506032b656e04220420', 'hex')
const PUBLIC = Buffer.from('302a300506032b656e032100', 'hex')

const x25519Key = (bytes: Buffer): KeyObject =>
  createPrivateKey({ key: Buffer.concat([PRIVATE, bytes]), format: 'der', type: 'pkcs8' })

export const shareOf = (privateKey: Buffer): Buffer =>
  createPublicKey(x25519Key(privateKey)).export({ format: 'der', type: 'spki' }).subarray(-32)

export const x25519 = (privateKey: Buffer, share: Buffer): Buffer =>
  diffieHellman({
    privateKey: x25519Key(privateKey),
    publicKey: createPublicKey({ key: Buffer.concat([PUBLIC, share]), format: 'der', type: 'spki' })
  })

// --- suites -----------------------------------------------------------------------------------------------

export interface KeysOf {
  readonly key: Buffer
  readonly iv: Buffer
  readonly mac: Buffer
}

export const isOfb = (suite: number): boolean => suite === 3
export const tagBytesOf = (suite: number): number => (isOfb(suite) ? 32 : 16)

export const keysOf = (secret: Buffer, suite: number): KeysOf => ({
  key: EL(secret, 'key', NONE, 32),
  iv: EL(secret, 'iv', NONE, isOfb(suite) ? 16 : 12),
  mac: EL(secret, 'mac', NONE, 32)
})

/** `content ‖ kind ‖ zeros`, of `bytes` in all where they are given. */
export const innerOf = (kind: number, content: Buffer, bytes = content.length + 1): Buffer =>
  Buffer.concat([content, integer(1, kind), Buffer.alloc(bytes - content.length - 1)])

/** The traffic secret behind a key update. */
export const updated = (secret: Buffer): Buffer => EL(secret, 'upd', NONE, 32)

export interface Opened {
  readonly kind: number
  readonly content: Buffer
}

/** The next sequence, and the bytes of the OFB keystream that are used. */
export interface Used {
  readonly sequence: number
  readonly taken: number
}

/** One direction under one secret: seals the next record, or opens it. Behind a key update it is another one. */
export class Direction {
  readonly type: number
  readonly suite: number
  readonly secret: Buffer
  readonly keys: KeysOf
  #sequence: number
  #taken: number

  constructor(type: number, suite: number, secret: Buffer, used: Used = { sequence: 0, taken: 0 }) {
    this.type = type
    this.suite = suite
    this.secret = secret
    this.keys = keysOf(secret, suite)
    this.#sequence = used.sequence
    this.#taken = used.taken
  }

  get used(): Used {
    return { sequence: this.#sequence, taken: this.#taken }
  }

  /** The same direction behind a key update: the next secret, sequences and keystream from their start. */
  next(): Direction {
    return new Direction(this.type, this.suite, updated(this.secret))
  }

  /** The whole record. */
  seal(inner: Buffer): Buffer {
    const aad = record(this.type, Buffer.alloc(inner.length + tagBytesOf(this.suite))).subarray(0, 4)
    const sequence = integer(8, this.#sequence++)
    if (isOfb(this.suite)) {
      const ciphertext = this.#xorKeystream(inner)
      return Buffer.concat([aad, ciphertext, HMAC(this.keys.mac, sequence, aad, ciphertext)])
    }
    const cipher = createCipheriv(this.#aead(), this.keys.key, this.#nonce(sequence), {
      authTagLength: 16
    }) as CipherGCM
    cipher.setAAD(aad, { plaintextLength: inner.length })
    return Buffer.concat([aad, cipher.update(inner), cipher.final(), cipher.getAuthTag()])
  }

  /** Throws where the record does not open. */
  open(whole: Buffer): Opened {
    const aad = whole.subarray(0, 4)
    const end = whole.length - tagBytesOf(this.suite)
    const [ciphertext, tag] = [whole.subarray(4, end), whole.subarray(end)]
    const sequence = integer(8, this.#sequence++)
    if (!isOfb(this.suite)) return split(this.#decrypt(sequence, aad, ciphertext, tag))
    if (!HMAC(this.keys.mac, sequence, aad, ciphertext).equals(tag)) throw new Error('does not open')
    return split(this.#xorKeystream(ciphertext))
  }

  #decrypt(sequence: Buffer, aad: Buffer, ciphertext: Buffer, tag: Buffer): Buffer {
    const decipher = createDecipheriv(this.#aead(), this.keys.key, this.#nonce(sequence), {
      authTagLength: 16
    }) as DecipherGCM
    decipher.setAAD(aad, { plaintextLength: ciphertext.length }).setAuthTag(tag)
    return Buffer.concat([decipher.update(ciphertext), decipher.final()])
  }

  #aead(): 'aes-256-gcm' {
    return (this.suite === 1 ? 'aes-256-gcm' : 'chacha20-poly1305') as 'aes-256-gcm'
  }

  #nonce(sequence: Buffer): Buffer {
    const padded = Buffer.concat([Buffer.alloc(4), sequence])
    return Buffer.from(this.keys.iv.map((byte, i) => byte ^ (padded[i] ?? 0)))
  }

  /** On(key, iv) = AES(key, On−1), block by block, from the byte on that is next. */
  #xorKeystream(bytes: Buffer): Buffer {
    let block = this.keys.iv
    const keystream: Buffer[] = []
    for (let have = 0; have < this.#taken + bytes.length; have += 16) {
      const aes = createCipheriv('aes-256-ecb', this.keys.key, null).setAutoPadding(false)
      block = aes.update(block)
      keystream.push(block)
    }
    const next = Buffer.concat(keystream).subarray(this.#taken)
    this.#taken += bytes.length
    return Buffer.from(bytes.map((byte, i) => byte ^ (next[i] ?? 0)))
  }
}

function split(inner: Buffer): Opened {
  let end = inner.length - 1
  while (inner[end] === 0) end -= 1
  return { kind: inner.readUInt8(end), content: inner.subarray(0, end) }
}
