// The text of a key file, whatever its form: which form it is, the key in it, or what is needed to open it. Knows
// the forms by name; what is in each, they know. Knows no disk and asks nobody.

import type { KeyObject } from 'node:crypto'
import { wipe } from '../bytes.ts'
import { found, otherForm } from './foreign.ts'
import { type Container, readContainer } from './openssh.ts'
import { required } from './passphrase.ts'
import { readEncrypted } from './pbes2.ts'
import { type Block, onlyBlock } from './pem.ts'
import { type ClearLabel, keyInDer } from './pkcs.ts'
import { hasSshLine, readSshLine } from './ssh-public.ts'

/** A key that can be read. */
export interface OpenText {
  readonly locked: false
  readonly key: KeyObject
  /** What its owner calls it; empty where the form has no place for it. */
  readonly comment: string
}

/** A private key that is encrypted. */
export interface LockedText {
  readonly locked: true
  /** Where it stands beside the private one, vouched for by nobody. */
  readonly publicKey: KeyObject | null
  /** Throws ERR_STALK_PASSPHRASE_WRONG, ERR_STALK_KEY_FILE_FORMAT and ERR_STALK_KEY_UNSUPPORTED. */
  open(passphrase: Buffer): Promise<OpenText>
}

export type KeyText = OpenText | LockedText

/**
 * What is in a key file: PEM (PKCS#8, encrypted or not, PKCS#1, SPKI), OpenSSH's private keys and lines of public
 * ones. Exactly one key, in one reading. `name` begins the error texts: a path, or "the text".
 *
 * Throws ERR_STALK_KEY_FILE_FORMAT, saying what was found and what to do about it, and ERR_STALK_KEY_UNSUPPORTED
 * for well-formed keys that stalk doesn't take (other kinds, RSA sizes, exponents).
 */
export function readKey(text: string, name: string): KeyText {
  const block = onlyBlock(text, name)
  if (hasSshLine(text)) {
    if (block) throw found(name, `a block \`${block.label}\` and a public key of OpenSSH; keep one in a file`)
    return { locked: false, ...readSshLine(text, name) }
  }
  if (!block) throw found(name, otherForm(text))
  if (block.label === 'ENCRYPTED PRIVATE KEY') return lockedPkcs8(block.bytes, name)
  return block.label === 'OPENSSH PRIVATE KEY' ? fromContainer(block, name) : fromDer(block, name)
}

/** As `readKey`, for texts in clear. Throws ERR_STALK_PASSPHRASE_REQUIRED for others. */
export function readOpenKey(text: string, name: string): OpenText {
  const read = readKey(text, name)
  if (read.locked) throw required(name)
  return read
}

function fromDer({ label, bytes }: Block, name: string): OpenText {
  try {
    return { locked: false, key: keyInDer(bytes, label as ClearLabel, name), comment: '' }
  } finally {
    wipe(bytes)
  }
}

function lockedPkcs8(bytes: Buffer, name: string): LockedText {
  const encrypted = readEncrypted(bytes, name)
  return {
    locked: true,
    publicKey: null,
    open: async passphrase => fromDer({ label: 'PRIVATE KEY', bytes: await encrypted.open(passphrase) }, name)
  }
}

function fromContainer({ bytes }: Block, name: string): KeyText {
  const container = readContainer(bytes, name)
  return container.encrypted ? lockedContainer(container) : opened(container, bytes)
}

const lockedContainer = ({ publicKey, open }: Container): LockedText => ({
  locked: true,
  publicKey,
  open: async passphrase => ({ locked: false, ...(await open(passphrase)) })
})

function opened(container: Container, bytes: Buffer): OpenText {
  try {
    return { locked: false, ...container.read() }
  } finally {
    wipe(bytes)
  }
}
