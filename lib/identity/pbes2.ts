// Encrypted PKCS#8 (RFC 5958, section 3), in the scheme PBES2 (RFC 8018, section 6.2): what a file asks for, held
// against limits, and the other way round. Key derivation and ciphers are node:crypto's. Knows no key inside.
//
//   SEQUENCE { SEQUENCE { PBES2, SEQUENCE { SEQUENCE { PBKDF2 | scrypt, … }, SEQUENCE { cipher, iv } } }, OCTET STRING }

import { createCipheriv, createDecipheriv, pbkdf2, randomBytes, scrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { wipe } from '../bytes.ts'
import {
  MAX_PBKDF2_ROUNDS,
  MAX_SALT_BYTES,
  MAX_SCRYPT_BYTES,
  MAX_SCRYPT_PARTS,
  PBKDF2_ROUNDS
} from '../constants.ts'
import { found, wrongPassphrase } from './foreign.ts'
import {
  type Der,
  derNull,
  integer,
  octets,
  oid,
  oidIn,
  readDer,
  sequence,
  wipeDer,
  writeDer
} from './pem.ts'
import { isPkcs8 } from './pkcs.ts'

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const SCRYPT = '1.3.6.1.4.1.11591.4.11'
const HMAC_SHA256 = '1.2.840.113549.2.9'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'

/** The digests of PBKDF2 (RFC 8018, appendix B.1). */
const DIGESTS: Record<string, string> = {
  '1.2.840.113549.2.7': 'sha1',
  '1.2.840.113549.2.8': 'sha224',
  [HMAC_SHA256]: 'sha256',
  '1.2.840.113549.2.10': 'sha384',
  '1.2.840.113549.2.11': 'sha512'
}

interface Cipher {
  readonly name: string
  readonly keyBytes: number
  readonly ivBytes: number
}

/** RFC 8018, appendix B.2. */
const CIPHERS: Record<string, Cipher> = {
  '2.16.840.1.101.3.4.1.2': { name: 'aes-128-cbc', keyBytes: 16, ivBytes: 16 },
  '2.16.840.1.101.3.4.1.22': { name: 'aes-192-cbc', keyBytes: 24, ivBytes: 16 },
  [AES_256_CBC]: { name: 'aes-256-cbc', keyBytes: 32, ivBytes: 16 },
  '1.2.840.113549.3.7': { name: 'des-ede3-cbc', keyBytes: 24, ivBytes: 8 }
}

const REWRITE = '`openssl pkcs8 -topk8 -v2 aes-256-cbc -in OLD -out NEW` encrypts it anew'

type Derive = (passphrase: Buffer, keyBytes: number) => Promise<Buffer>

/** An encrypted private key whose wishes are within the limits. */
export interface Encrypted {
  /** The PKCS#8 inside, the caller's to wipe. Throws ERR_STALK_PASSPHRASE_WRONG. */
  open(passphrase: Buffer): Promise<Buffer>
}

// --- reading -------------------------------------------------------------------------------------------

/** Throws ERR_STALK_KEY_FILE_FORMAT for every other scheme, and for one that asks for too much. */
export function readEncrypted(der: Buffer, name: string): Encrypted {
  const root = readDer(der, name)
  const [algorithm, data] = fields(root, 2, name)
  if (!writeDer(root).equals(der) || data.kind !== 'OCTET STRING') throw malformed(name)
  const [scheme, parameters] = fields(algorithm, 2, name)
  if (oidIn(scheme) !== PBES2) throw found(name, `a private key in another encryption than PBES2; ${REWRITE}`)
  const [kdf, encryption] = fields(parameters, 2, name)
  const { cipher, iv } = readCipher(encryption, name)
  const derive = readKdf(kdf, cipher, name)
  return { open: passphrase => decrypt(derive, passphrase, cipher, iv, data.bytes, name) }
}

function readCipher(node: Der, name: string): { cipher: Cipher; iv: Buffer } {
  const [id, iv] = fields(node, 2, name)
  const cipher = CIPHERS[oidIn(id)]
  if (!cipher) throw found(name, `a private key in the cipher ${oidIn(id)}; ${REWRITE}`)
  if (iv.kind !== 'OCTET STRING' || iv.bytes.length !== cipher.ivBytes) throw malformed(name)
  return { cipher, iv: iv.bytes }
}

function readKdf(node: Der, cipher: Cipher, name: string): Derive {
  const [id, parameters] = fields(node, 2, name)
  if (oidIn(id) === PBKDF2) return readPbkdf2(parameters, cipher, name)
  if (oidIn(id) === SCRYPT) return readScrypt(parameters, cipher, name)
  throw found(name, `a private key in the key derivation ${oidIn(id)}; ${REWRITE}`)
}

/** SEQUENCE { salt, rounds, length OPTIONAL, digest DEFAULT HMAC-SHA-1 } (RFC 8018, appendix A.2). */
function readPbkdf2({ children }: Der, cipher: Cipher, name: string): Derive {
  const [salt, rounds, ...more] = children
  const saltBytes = readSalt(salt, name)
  const count = numberIn(rounds, name)
  if (count < 1 || count > MAX_PBKDF2_ROUNDS) {
    throw found(name, `a private key with ${count} rounds of PBKDF2; stalk takes 1 to ${MAX_PBKDF2_ROUNDS}`)
  }
  if (more[0]?.kind === 'INTEGER') requireLength(more.shift(), cipher, name)
  const digest = readDigest(more, name)
  return (passphrase, keyBytes) => promisify(pbkdf2)(passphrase, saltBytes, count, keyBytes, digest)
}

function readDigest([node, ...more]: readonly Der[], name: string): string {
  if (node === undefined) return 'sha1'
  const digest = DIGESTS[oidIn(node.children[0])]
  if (digest && more.length === 0) return digest
  throw found(name, `a private key in PBKDF2 with ${oidIn(node.children[0])}; ${REWRITE}`)
}

/** SEQUENCE { salt, cost, block size, parallel parts, length OPTIONAL } (RFC 7914, section 7.1). */
function readScrypt({ children }: Der, cipher: Cipher, name: string): Derive {
  const [salt, cost, blockSize, parts, length, ...more] = children
  const saltBytes = readSalt(salt, name)
  const [N, r, p] = [cost, blockSize, parts].map(node => numberIn(node, name)) as [number, number, number]
  if (length) requireLength(length, cipher, name)
  if (more.length > 0) throw malformed(name)
  const bytes = 128 * N * r
  if (N < 2 || (N & (N - 1)) !== 0 || r < 1 || p < 1 || p > MAX_SCRYPT_PARTS || bytes > MAX_SCRYPT_BYTES) {
    throw found(
      name,
      `a private key in scrypt with N ${N}, r ${r}, p ${p}; stalk takes ${MAX_SCRYPT_BYTES} bytes at most (128 N r), and p up to ${MAX_SCRYPT_PARTS}`
    )
  }
  const options = { N, r, p, maxmem: 2 * MAX_SCRYPT_BYTES }
  return (passphrase, keyBytes) =>
    new Promise((resolve, reject) => {
      scrypt(passphrase, saltBytes, keyBytes, options, (error, key) => (error ? reject(error) : resolve(key)))
    })
}

/** CBC hides nothing of whether the passphrase was right: padding, then the outline of a PKCS#8. */
async function decrypt(
  derive: Derive,
  passphrase: Buffer,
  cipher: Cipher,
  iv: Buffer,
  data: Buffer,
  name: string
): Promise<Buffer> {
  const key = await derive(passphrase, cipher.keyBytes)
  let opened: Buffer = Buffer.alloc(0)
  try {
    const decipher = createDecipheriv(cipher.name, key, iv)
    opened = joined(decipher.update(data), decipher.final())
    const root = readDer(opened, name)
    const fits = isPkcs8(root)
    wipeDer(root)
    if (fits) return opened
  } catch (cause) {
    wipe(opened)
    throw wrongPassphrase(name, cause)
  } finally {
    wipe(key)
  }
  wipe(opened)
  throw wrongPassphrase(name)
}

function joined(first: Buffer, last: Buffer): Buffer {
  const all = Buffer.concat([first, last])
  wipe(first, last)
  return all
}

function readSalt(node: Der | undefined, name: string): Buffer {
  if (node?.kind !== 'OCTET STRING' || node.bytes.length > MAX_SALT_BYTES) throw malformed(name)
  return node.bytes
}

function requireLength(node: Der | undefined, { keyBytes }: Cipher, name: string): void {
  if (numberIn(node, name) !== keyBytes) throw malformed(name)
}

/** A whole number of at most 48 bits; more is refused, as a number that is too large is. */
function numberIn(node: Der | undefined, name: string): number {
  const bytes = node?.bytes
  if (node?.kind !== 'INTEGER' || !bytes?.length || bytes.length > 6) throw malformed(name)
  return bytes.readIntBE(0, bytes.length)
}

function fields(node: Der, count: 2, name: string): [Der, Der] {
  if (node.kind !== 'SEQUENCE' || node.children.length !== count) throw malformed(name)
  return node.children as unknown as [Der, Der]
}

const malformed = (name: string): Error =>
  found(name, `an encrypted private key that is not in the exact form of RFC 8018; ${REWRITE}`)

// --- writing -------------------------------------------------------------------------------------------

/** PBKDF2-HMAC-SHA-256 and AES-256-CBC, as openssl writes it, with more rounds. Wipes nothing of the caller's. */
export async function encryptPkcs8(pkcs8: Buffer, passphrase: Buffer): Promise<Buffer> {
  const salt = randomBytes(16)
  const iv = randomBytes(16)
  const key = await promisify(pbkdf2)(passphrase, salt, PBKDF2_ROUNDS, 32, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', key, iv)
  const data = Buffer.concat([cipher.update(pkcs8), cipher.final()])
  wipe(key)
  const kdf = sequence(octets(salt), integer(PBKDF2_ROUNDS), sequence(oid(HMAC_SHA256), derNull))
  const scheme = sequence(sequence(oid(PBKDF2), kdf), sequence(oid(AES_256_CBC), octets(iv)))
  return writeDer(sequence(sequence(oid(PBES2), scheme), octets(data)))
}
