// Private keys in OpenSSH's own container (openssh-key-v1, PROTOCOL.key of OpenSSH): its frame and its encryption,
// both ways. Knows nothing of the key inside (openssh-key.ts) nor of text (pem.ts).
//
//   "openssh-key-v1\0" ‖ cipher ‖ kdf ‖ kdf options: salt ‖ u32 rounds ‖ u32 1 ‖ public key ‖ private section

import { createCipheriv, createDecipheriv, type KeyObject, randomBytes } from 'node:crypto'
import { u32, wipe } from '../bytes.ts'
import { BCRYPT_ROUNDS, MAX_BCRYPT_ROUNDS, MAX_SALT_BYTES } from '../constants.ts'
import { toRaw } from '../crypto/public-key.ts'
import { bcryptPbkdf } from './bcrypt.ts'
import { sshBlob } from './fingerprint.ts'
import { found, wrongPassphrase } from './foreign.ts'
import { type OpenedKey, readSection, writeSection } from './openssh-key.ts'
import { SshReader, sshString } from './ssh-fields.ts'
import { readSshBlob } from './ssh-public.ts'

const MAGIC = Buffer.from('openssh-key-v1\0')
const CIPHER = 'aes256-ctr'
const KEY_BYTES = 32
const IV_BYTES = 16
const SALT_BYTES = 16

/** Sections are padded to whole blocks, of the cipher or, in clear, of 8 bytes. */
const CLEAR_BLOCK = 8
const CIPHER_BLOCK = 16

const REWRITE = '`ssh-keygen -p -Z aes256-ctr -f COPY` rewrites it'

/** A container: its public key can be read by anyone, its private one after `open`. */
export interface Container {
  readonly publicKey: KeyObject
  readonly encrypted: boolean
  /** Throws ERR_STALK_KEY_FILE_FORMAT. Only for one in clear. */
  read(): OpenedKey
  /** Throws ERR_STALK_PASSPHRASE_WRONG and ERR_STALK_KEY_FILE_FORMAT. Only for one that is encrypted. */
  open(passphrase: Buffer): Promise<OpenedKey>
}

interface Encryption {
  readonly salt: Buffer
  readonly rounds: number
}

// --- reading -------------------------------------------------------------------------------------------

/** Throws ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED. */
export function readContainer(bytes: Buffer, name: string): Container {
  const reader = new SshReader(bytes, name, 'a private key of OpenSSH')
  if (!reader.take(MAGIC.length).equals(MAGIC)) reader.fail('does not begin as one')
  const [cipher, kdf, options] = [reader.word(), reader.word(), reader.string()]
  const encryption = readEncryption(cipher, kdf, options, name)
  const count = reader.u32()
  if (count !== 1) throw found(name, `${count} private keys of OpenSSH; keep one in a file`)
  const blob = reader.string()
  const { key: publicKey } = readSshBlob(blob, name)
  const section = reader.string()
  reader.end()
  const blockBytes = encryption ? CIPHER_BLOCK : CLEAR_BLOCK
  if (section.length === 0 || section.length % blockBytes !== 0) reader.fail('has half a block')
  return {
    publicKey,
    encrypted: encryption !== null,
    read: () => readSection(section, blob, blockBytes, name),
    open: passphrase => open(section, passphrase, encryption as Encryption, blob, name)
  }
}

function readEncryption(cipher: string, kdf: string, options: Buffer, name: string): Encryption | null {
  if (cipher === 'none' && kdf === 'none' && options.length === 0) return null
  if (cipher !== CIPHER) throw found(name, `a private key in the cipher ${cipher}; ${REWRITE}`)
  if (kdf !== 'bcrypt') throw found(name, `a private key in the key derivation ${kdf}; ${REWRITE}`)
  const reader = new SshReader(options, name, 'a private key of OpenSSH')
  const [salt, rounds] = [reader.string(), reader.u32()]
  reader.end()
  if (salt.length < 1 || salt.length > MAX_SALT_BYTES) reader.fail(`has a salt of ${salt.length} bytes`)
  if (rounds >= 1 && rounds <= MAX_BCRYPT_ROUNDS) return { salt, rounds }
  throw found(
    name,
    `a private key with ${rounds} rounds of bcrypt; stalk takes 1 to ${MAX_BCRYPT_ROUNDS}, ` +
      `\`ssh-keygen -p -a ${BCRYPT_ROUNDS} -f COPY\` rewrites it`
  )
}

async function open(
  section: Buffer,
  passphrase: Buffer,
  encryption: Encryption,
  blob: Buffer,
  name: string
): Promise<OpenedKey> {
  const plain = await crypt(createDecipheriv, section, passphrase, encryption)
  try {
    // The two are the same random number: all that tells a right passphrase from a wrong one.
    if (!plain.subarray(0, 4).equals(plain.subarray(4, 8))) throw wrongPassphrase(name)
    return readSection(plain, blob, CIPHER_BLOCK, name)
  } finally {
    wipe(plain)
  }
}

async function crypt(
  cipherWith: typeof createCipheriv | typeof createDecipheriv,
  section: Buffer,
  passphrase: Buffer,
  { salt, rounds }: Encryption
): Promise<Buffer> {
  const secret = await bcryptPbkdf(passphrase, salt, rounds, KEY_BYTES + IV_BYTES)
  const cipher = cipherWith('aes-256-ctr', secret.subarray(0, KEY_BYTES), secret.subarray(KEY_BYTES))
  const result = cipher.update(section)
  cipher.final()
  wipe(secret)
  return result
}

// --- writing -------------------------------------------------------------------------------------------

/** A container of a private key: in clear, or as ssh-keygen encrypts it. */
export async function writeContainer(
  key: KeyObject,
  comment: string,
  passphrase: Buffer | null
): Promise<Buffer> {
  const blockBytes = passphrase ? CIPHER_BLOCK : CLEAR_BLOCK
  const section = writeSection(key, comment, randomBytes(4), blockBytes)
  try {
    return passphrase
      ? await sealed(key, section, passphrase)
      : frame(key, 'none', 'none', Buffer.alloc(0), section)
  } finally {
    wipe(section)
  }
}

async function sealed(key: KeyObject, section: Buffer, passphrase: Buffer): Promise<Buffer> {
  const encryption = { salt: randomBytes(SALT_BYTES), rounds: BCRYPT_ROUNDS }
  const options = Buffer.concat([sshString(encryption.salt), u32(encryption.rounds)])
  return frame(key, CIPHER, 'bcrypt', options, await crypt(createCipheriv, section, passphrase, encryption))
}

const frame = (key: KeyObject, cipher: string, kdf: string, options: Buffer, section: Buffer): Buffer =>
  Buffer.concat([
    MAGIC,
    ...[cipher, kdf, options].map(sshString),
    u32(1),
    ...[sshBlob(toRaw(key)), section].map(sshString)
  ])
