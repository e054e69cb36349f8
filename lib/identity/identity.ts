// Identities: a key pair of ours, or the public key of somebody. Knows how they are made, loaded, saved,
// shown and compared; knows neither the text of key files (pem) nor the disk (files), nor whom to trust
// (trust/).

import { createPublicKey, generateKeyPair, type KeyObject } from 'node:crypto'
import { join, resolve } from 'node:path'
import { type InspectOptions, inspect, promisify } from 'node:util'
import { fromRaw, type KeyType, type RawPublicKey, RSA_EXPONENT, toRaw } from '../crypto/public-key.ts'
import { type ErrorCode, StalkError } from '../errors.ts'
import {
  createKeyFiles,
  defaultHome,
  isThere,
  type KeyFile,
  PRIVATE_FILE_NAME,
  PRIVATE_MODE,
  PUBLIC_FILE_NAME,
  PUBLIC_MODE,
  readKeyFile,
  requirePrivate
} from './files.ts'
import { fingerprintOf } from './fingerprint.ts'
import { parsePem, toPrivatePem, toPublicPem } from './pem.ts'

export interface GenerateOptions {
  /** Default `rsa`. */
  type?: KeyType
  /** The size of an RSA modulus. Default 2048. Not for Ed25519. */
  bits?: 2048 | 3072 | 4096
}

/** Two files that hold one identity. */
export interface PairFiles {
  publicFile: string
  privateFile: string
}

export interface SaveFiles {
  privateFile: string
  publicFile?: string
}

/** What may be shown of an identity. */
export interface IdentitySummary {
  readonly type: KeyType
  readonly keysize: number
  readonly fingerprint: string
  /** Whether the private key is there. */
  readonly private: boolean
}

const RSA_SIZES: readonly unknown[] = [2048, 3072, 4096]
const DEFAULT_RSA_SIZE = 2048

/** Node's name of the method by which `util.inspect` and `console.log` show an object. */
const custom: typeof inspect.custom = inspect.custom

/**
 * An RSA or Ed25519 key pair, or a public key alone. Immutable. The keys are in private fields: JSON,
 * `inspect` and `structuredClone` meet the type, the size and the fingerprint, never a key.
 */
export class Identity {
  readonly #pubkey: KeyObject
  readonly #privkey: KeyObject | null
  readonly #raw: RawPublicKey
  #fingerprint: string | null = null

  /**
   * From a private KeyObject, whose public half is derived, or a public one. Throws
   * ERR_STALK_KEY_UNSUPPORTED.
   */
  private constructor(key: KeyObject) {
    this.#raw = toRaw(key)
    this.#privkey = key.type === 'private' ? key : null
    this.#pubkey = key.type === 'private' ? createPublicKey(key) : key
    Object.freeze(this)
  }

  /**
   * Makes a new key pair: RSA with 2048 bits unless the options say otherwise. Runs beside the event loop;
   * RSA-4096 may take seconds. Rejects with ERR_STALK_INVALID_OPTION.
   */
  static async generate(options: GenerateOptions = {}): Promise<Identity> {
    requireOptions('Identity.generate', options, ['type', 'bits'])
    const { type = 'rsa', bits } = options
    if (type === 'ed25519') return Identity.#generateEd25519(bits)
    if (type === 'rsa') return Identity.#generateRsa(bits)
    throw invalid(`type is "rsa" or "ed25519", not ${inspect(type)}`)
  }

  static async #generateEd25519(bits: unknown): Promise<Identity> {
    if (bits !== undefined) throw invalid('bits is for RSA keys; every Ed25519 key has 256')
    const { privateKey } = await promisify(generateKeyPair)('ed25519')
    return new Identity(privateKey)
  }

  static async #generateRsa(bits: number = DEFAULT_RSA_SIZE): Promise<Identity> {
    if (!RSA_SIZES.includes(bits)) {
      throw invalid(`bits is one of ${RSA_SIZES.join(', ')}, not ${inspect(bits)}`)
    }
    const options = { modulusLength: bits, publicExponent: RSA_EXPONENT }
    const { privateKey } = await promisify(generateKeyPair)('rsa', options)
    return new Identity(privateKey)
  }

  /**
   * From one PEM block: a private key (PKCS#8, `PRIVATE KEY`, not encrypted) or a public one (SPKI, `PUBLIC
   * KEY`). Throws ERR_STALK_KEY_FILE_FORMAT, whose text says what was found and what to do, or
   * ERR_STALK_KEY_UNSUPPORTED.
   */
  static fromPem(text: string | Buffer): Identity {
    if (typeof text === 'string') return new Identity(parsePem(text, 'the PEM text'))
    if (Buffer.isBuffer(text)) return new Identity(parsePem(text.toString('latin1'), 'the PEM text'))
    throw invalid(`a PEM text is a string or a Buffer, not ${typeof text}`)
  }

  /** From a raw public key, which may come from anyone. Throws ERR_STALK_BAD_KEY. */
  static fromRaw(raw: RawPublicKey): Identity {
    return new Identity(fromRaw(raw))
  }

  /**
   * From a PEM file, private or public. Rejects with ERR_STALK_KEY_FILE_MISSING, _IO, _MODE (a private key
   * that group or others can get at) or _FORMAT, or with ERR_STALK_KEY_UNSUPPORTED.
   */
  static async load(path: string): Promise<Identity> {
    requirePath('path', path)
    return Identity.#fromFile(await readKeyFile(path))
  }

  /**
   * From a public and a private file, which must belong together: ERR_STALK_KEY_FILE_MISMATCH. A file with
   * the wrong half is ERR_STALK_KEY_FILE_FORMAT; else as `load`.
   */
  static async loadPair(files: PairFiles): Promise<Identity> {
    requireOptions('Identity.loadPair', files, ['publicFile', 'privateFile'])
    const { publicFile, privateFile } = files
    requirePath('publicFile', publicFile)
    requirePath('privateFile', privateFile)
    const theirs = await Identity.load(publicFile)
    if (theirs.#privkey !== null) throw format(`${publicFile} holds a private key; a public one is needed`)
    const ours = await Identity.load(privateFile)
    if (ours.#privkey === null) {
      throw format(`${privateFile} holds a public key alone; a private one is needed`)
    }
    if (ours.equals(theirs)) return ours
    throw failure(
      'ERR_STALK_KEY_FILE_MISMATCH',
      `${publicFile} (${theirs.fingerprint}) is not the public key of ${privateFile} (${ours.fingerprint})`
    )
  }

  /**
   * The identity that is used where none is named: `id_pub` and `id_priv` in `home` (default `~/.spack`).
   * Null if neither file is there. Rejects as `loadPair` if one is missing or they are unfit: nobody silently
   * becomes anonymous.
   */
  static async default(home: string = defaultHome()): Promise<Identity | null> {
    requirePath('home', home)
    const publicFile = join(home, PUBLIC_FILE_NAME)
    const privateFile = join(home, PRIVATE_FILE_NAME)
    const [publicThere, privateThere] = await Promise.all([isThere(publicFile), isThere(privateFile)])
    if (!publicThere && !privateThere) return null
    return Identity.loadPair({ publicFile, privateFile })
  }

  static #fromFile(file: KeyFile): Identity {
    const identity = new Identity(parsePem(file.text, file.path))
    if (identity.#privkey !== null) requirePrivate(file)
    return identity
  }

  /**
   * Saves the key pair: the private file with mode 0600, the public one, if named, with 0644. Neither may
   * exist: ERR_STALK_KEY_FILE_EXISTS. Missing folders are made with mode 0700. If anything fails, no file is
   * left behind.
   */
  async save(files: SaveFiles): Promise<void> {
    requireOptions('save', files, ['privateFile', 'publicFile'])
    const { privateFile, publicFile } = files
    requirePath('privateFile', privateFile)
    const created = [{ path: privateFile, text: this.privatePem(), mode: PRIVATE_MODE }]
    if (publicFile !== undefined) {
      requirePath('publicFile', publicFile)
      if (resolve(publicFile) === resolve(privateFile)) throw invalid('both files have the same path')
      created.push({ path: publicFile, text: this.publicPem, mode: PUBLIC_MODE })
    }
    await createKeyFiles(created)
  }

  get type(): KeyType {
    return this.#raw.type
  }

  /** In bits: the RSA modulus, or 256 for Ed25519. */
  get keysize(): number {
    return this.#raw.bytes.length * 8
  }

  get pubkey(): KeyObject {
    return this.#pubkey
  }

  get privkey(): KeyObject | null {
    return this.#privkey
  }

  /** `SHA256:` and 43 characters, as `ssh-keygen -l -E sha256` prints it for the same key. */
  get fingerprint(): string {
    this.#fingerprint ??= fingerprintOf(this.#raw)
    return this.#fingerprint
  }

  /** The public key as it goes over the wire. A copy each time, the caller's own. */
  get raw(): RawPublicKey {
    return { type: this.#raw.type, bytes: Buffer.from(this.#raw.bytes) }
  }

  /** The public key as an SPKI `PUBLIC KEY` block. */
  get publicPem(): string {
    return toPublicPem(this.#pubkey)
  }

  /**
   * The private key, in clear, as a PKCS#8 `PRIVATE KEY` block. Throws ERR_STALK_INVALID_OPTION if there is
   * none.
   */
  privatePem(): string {
    if (this.#privkey === null) throw invalid('this identity is a public key alone; it has no private key')
    return toPrivatePem(this.#privkey)
  }

  /** Whether both are the same public key, with or without the private one. */
  equals(other: Identity): boolean {
    if (!(other instanceof Identity)) return false
    return other.type === this.type && this.#raw.bytes.equals(other.#raw.bytes)
  }

  toJSON(): IdentitySummary {
    return {
      type: this.type,
      keysize: this.keysize,
      fingerprint: this.fingerprint,
      private: this.#privkey !== null
    }
  }

  [custom](_depth: number, options: InspectOptions): string {
    return `Identity ${inspect(this.toJSON(), options)}`
  }
}

/** A name written wrong is a mistake to hear of, not a default to get. */
function requireOptions(place: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw invalid(`${place} takes an object of options`)
  const unknown = Object.keys(options).find(name => !names.includes(name))
  if (unknown !== undefined) {
    throw invalid(`${place} has no option ${inspect(unknown)}; its options are ${names.join(', ')}`)
  }
}

function requirePath(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalid(`${name} is a path, not ${inspect(value)}`)
}

const failure = (code: ErrorCode, text: string): StalkError => new StalkError(code, text, { phase: 'setup' })

const invalid = (text: string): StalkError => failure('ERR_STALK_INVALID_OPTION', text)

const format = (text: string): StalkError => failure('ERR_STALK_KEY_FILE_FORMAT', text)
