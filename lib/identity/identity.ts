// Identities: a key pair of ours, or the public key of somebody. Knows how they are made, loaded, saved,
// shown and compared; knows neither the text of key files (key-text, key-write) nor the disk (files), nor whom
// to trust (trust/).

import { createPublicKey, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { type InspectOptions, inspect } from 'node:util'
import { kept, wipe } from '../bytes.ts'
import { checkRaw, fromRaw, type KeyType, type RawPublicKey, toRaw } from '../crypto/public-key.ts'
import { type ErrorCode, StalkError } from '../errors.ts'
import {
  createKeyFiles,
  defaultHome,
  isThere,
  PRIVATE_FILE_NAME,
  PRIVATE_MODE,
  PUBLIC_FILE_NAME,
  PUBLIC_MODE,
  readKeyFile,
  requireFree,
  requirePrivate
} from './files.ts'
import { fingerprintOf } from './fingerprint.ts'
import { generateKey } from './generate.ts'
import { type KeyText, type OpenText, readKey, readOpenKey } from './key-text.ts'
import { privateText, publicText, toPrivatePem, toPublicPem } from './key-write.ts'
import {
  type GenerateOptions,
  invalid,
  type LoadOptions,
  type PairFiles,
  requireLoadOptions,
  requirePairFiles,
  requirePath,
  type SaveFiles,
  saveOptions
} from './options.ts'
import { askFor, newPassphrase } from './passphrase.ts'
import { writeSshLine } from './ssh-public.ts'

/** What may be shown of an identity. */
export interface IdentitySummary {
  readonly type: KeyType
  readonly keysize: number
  readonly fingerprint: string
  /** Whether the private key is there. */
  readonly private: boolean
}

/** Node's name of the method by which `util.inspect` and `console.log` show an object. */
const custom: typeof inspect.custom = inspect.custom

/** The public key of an identity: its own, not a copy. For those who change nothing in it. */
export let rawOf: (identity: Identity) => RawPublicKey

/** As `Identity.fromRaw`, of a key that is nobody else's to change: it is not copied. Throws ERR_STALK_BAD_KEY. */
export let adopted: (raw: RawPublicKey) => Identity

/**
 * An RSA or Ed25519 key pair, or a public key alone. Immutable. The keys are in private fields: JSON,
 * `inspect` and `structuredClone` meet the type, the size and the fingerprint, never a key.
 */
export class Identity {
  /** Null until it is asked for, which of most peers it never is. */
  #pubkey: KeyObject | null
  readonly #privkey: KeyObject | null
  readonly #raw: RawPublicKey
  readonly #comment: string
  #fingerprint: string | null = null

  /** `raw` is its own from here on; `key` is a KeyObject of it, private or public, where there is one. */
  private constructor(raw: RawPublicKey, key: KeyObject | null, comment = '') {
    this.#comment = comment
    this.#raw = raw
    this.#privkey = key?.type === 'private' ? key : null
    this.#pubkey = key?.type === 'public' ? key : null
    Object.freeze(this)
  }

  /** Throws ERR_STALK_KEY_UNSUPPORTED. */
  static #from(key: KeyObject, comment?: string): Identity {
    return new Identity(toRaw(key), key, comment)
  }

  /**
   * Makes a new key pair: RSA with 2048 bits unless the options say otherwise. Runs beside the event loop;
   * RSA-4096 may take seconds. Rejects with ERR_STALK_INVALID_OPTION.
   */
  static async generate(options: GenerateOptions = {}): Promise<Identity> {
    return Identity.#from(await generateKey(options))
  }

  /**
   * From the text of a key file in clear, private or public: PEM (PKCS#8, PKCS#1, SPKI) or OpenSSH's forms. Throws
   * ERR_STALK_KEY_FILE_FORMAT, whose text says what was found and what to do, ERR_STALK_KEY_UNSUPPORTED, or
   * ERR_STALK_PASSPHRASE_REQUIRED: `parse` takes a passphrase.
   */
  static fromPem(text: string | Buffer): Identity {
    return Identity.#of(readOpenKey(textOf(text), 'the PEM text'))
  }

  /**
   * From the text of a key file, encrypted or not. Rejects as `fromPem` throws, and with
   * ERR_STALK_PASSPHRASE_WRONG.
   */
  static async parse(text: string | Buffer, options: LoadOptions = {}): Promise<Identity> {
    requireLoadOptions('Identity.parse', options)
    return Identity.#opened(readKey(textOf(text), 'the text'), 'the text', options)
  }

  /** From a raw public key, which may come from anyone. Throws ERR_STALK_BAD_KEY. */
  static fromRaw(raw: RawPublicKey): Identity {
    return adopted({ type: raw.type, bytes: kept(raw.bytes) })
  }

  static {
    rawOf = identity => identity.#raw
    adopted = raw => {
      checkRaw(raw)
      return new Identity(raw, null)
    }
  }

  /**
   * From a key file, private or public. Rejects with ERR_STALK_KEY_FILE_MISSING, _IO, _MODE (a private key that
   * group or others can get at) or _FORMAT, with ERR_STALK_KEY_UNSUPPORTED, with ERR_STALK_PASSPHRASE_REQUIRED or
   * _WRONG, or with what the passphrase function throws.
   */
  static async load(path: string, options: LoadOptions = {}): Promise<Identity> {
    requirePath('path', path)
    requireLoadOptions('Identity.load', options)
    return Identity.#opened(await readFile(path), path, options)
  }

  /**
   * The public half of a key file, as `load`. Of an encrypted private key of OpenSSH's it is the public key that
   * stands beside it: no passphrase is needed, and nothing shows that it belongs there.
   */
  static async loadPublic(path: string, options: LoadOptions = {}): Promise<Identity> {
    requirePath('path', path)
    requireLoadOptions('Identity.loadPublic', options)
    const text = await readFile(path)
    if (text.locked && text.publicKey) return Identity.#from(text.publicKey)
    const { pubkey, comment } = await Identity.#opened(text, path, options)
    return Identity.#from(pubkey, comment)
  }

  /**
   * From a public and a private file, which must belong together: ERR_STALK_KEY_FILE_MISMATCH. A file with
   * the wrong half is ERR_STALK_KEY_FILE_FORMAT; else as `load`.
   */
  static async loadPair(files: PairFiles): Promise<Identity> {
    requirePairFiles(files)
    const { publicFile, privateFile, passphrase } = files
    const theirs = await Identity.load(publicFile)
    if (theirs.#privkey !== null) throw format(`${publicFile} holds a private key; a public one is needed`)
    const ours = await Identity.load(privateFile, passphrase === undefined ? {} : { passphrase })
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
  static async default(home: string = defaultHome(), options: LoadOptions = {}): Promise<Identity | null> {
    requirePath('home', home)
    requireLoadOptions('Identity.default', options)
    const publicFile = join(home, PUBLIC_FILE_NAME)
    const privateFile = join(home, PRIVATE_FILE_NAME)
    const [publicThere, privateThere] = await Promise.all([isThere(publicFile), isThere(privateFile)])
    if (!publicThere && !privateThere) return null
    return Identity.loadPair({ publicFile, privateFile, ...options })
  }

  static #of({ key, comment }: OpenText): Identity {
    return Identity.#from(key, comment)
  }

  static async #opened(text: KeyText, name: string, { passphrase }: LoadOptions): Promise<Identity> {
    if (!text.locked) return Identity.#of(text)
    const answer = await askFor(passphrase, name)
    try {
      return Identity.#of(await text.open(answer))
    } finally {
      wipe(answer)
    }
  }

  /**
   * Saves the key pair: the private file with mode 0600, the public one, if named, with 0644. Neither may
   * exist: ERR_STALK_KEY_FILE_EXISTS. Missing folders are made with mode 0700. If anything fails, no file is
   * left behind.
   */
  async save(files: SaveFiles): Promise<void> {
    const { privateFile, publicFile, passphrase, format, comment } = saveOptions(files, this.#comment)
    const key = this.#requirePrivate()
    if (passphrase !== undefined)
      await requireFree(publicFile === undefined ? [privateFile] : [privateFile, publicFile])
    const answer = await newPassphrase(passphrase, privateFile)
    const text = await privateText(key, format, comment, answer).finally(() => answer && wipe(answer))
    const created = [{ path: privateFile, text, mode: PRIVATE_MODE }]
    if (publicFile !== undefined) {
      created.push({ path: publicFile, text: publicText(this.pubkey, format, comment), mode: PUBLIC_MODE })
    }
    await createKeyFiles(created)
  }

  #requirePrivate(): KeyObject {
    if (this.#privkey) return this.#privkey
    throw invalid('this identity is a public key alone; it has no private key')
  }

  get type(): KeyType {
    return this.#raw.type
  }

  /** In bits: the RSA modulus, or 256 for Ed25519. */
  get keysize(): number {
    return this.#raw.bytes.length * 8
  }

  get pubkey(): KeyObject {
    this.#pubkey ??= this.#privkey ? createPublicKey(this.#privkey) : fromRaw(this.#raw)
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
    return { type: this.#raw.type, bytes: kept(this.#raw.bytes) }
  }

  /** What the owner calls the key, out of a file of OpenSSH's; else empty. Nobody vouches for it. */
  get comment(): string {
    return this.#comment
  }

  /** The public key as a line of OpenSSH's: `ssh-ed25519 AAAA… comment`. */
  get publicLine(): string {
    return writeSshLine(this.#raw, this.#comment)
  }

  /** The public key as an SPKI `PUBLIC KEY` block. */
  get publicPem(): string {
    return toPublicPem(this.pubkey)
  }

  /**
   * The private key, in clear, as a PKCS#8 `PRIVATE KEY` block. Throws ERR_STALK_INVALID_OPTION if there is
   * none.
   */
  privatePem(): string {
    return toPrivatePem(this.#requirePrivate())
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

/** Who can get at a private key is looked at before anybody is asked for its passphrase. */
async function readFile(path: string): Promise<KeyText> {
  const file = await readKeyFile(path)
  const text = readKey(file.text, path)
  if (text.locked || text.key.type === 'private') requirePrivate(file)
  return text
}

/** Latin-1 keeps the bytes of a file as they are; so a string is taken as its UTF-8. */
function textOf(text: string | Buffer): string {
  if (typeof text === 'string') return Buffer.from(text).toString('latin1')
  if (Buffer.isBuffer(text)) return text.toString('latin1')
  throw invalid(`a PEM text is a string or a Buffer, not ${typeof text}`)
}

const failure = (code: ErrorCode, text: string): StalkError => new StalkError(code, text, { phase: 'setup' })

const format = (text: string): StalkError => failure('ERR_STALK_KEY_FILE_FORMAT', text)
