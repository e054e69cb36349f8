// What the calls of Identity take, and the checks of it: a name written wrong is a mistake to hear of, not a default
// to get. Knows names and types; does nothing.

import { resolve } from 'node:path'
import { inspect } from 'node:util'
import type { KeyType } from '../crypto/public-key.ts'
import { StalkError } from '../errors.ts'
import { type KeyFormat, requireFormat } from './key-write.ts'
import { type Passphrase, requirePassphrase } from './passphrase.ts'
import { requireComment } from './ssh-public.ts'

export interface GenerateOptions {
  /** Default `rsa`. */
  type?: KeyType
  /** The size of an RSA modulus. Default 2048. Not for Ed25519. */
  bits?: 2048 | 3072 | 4096
}

export interface LoadOptions {
  /** Of an encrypted private key: the passphrase, or a function that is asked for it when it is needed. */
  passphrase?: Passphrase
}

/** Two files that hold one identity. */
export interface PairFiles extends LoadOptions {
  publicFile: string
  privateFile: string
}

export interface SaveFiles {
  privateFile: string
  publicFile?: string
  /** `pkcs8`, the default, is PEM: PKCS#8 and SPKI. `openssh` is what ssh-keygen makes. */
  format?: KeyFormat
  /** Encrypts the private file. Without it, it is in clear. */
  passphrase?: Passphrase
  /** For `openssh`; default: the one that the key was loaded with. */
  comment?: string
}

// Each throws ERR_STALK_INVALID_OPTION.

export function requireOptions(place: string, options: object, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) throw invalid(`${place} takes an object of options`)
  const unknown = Object.keys(options).find(name => !names.includes(name))
  if (unknown !== undefined) {
    throw invalid(`${place} has no option ${inspect(unknown)}; its options are ${names.join(', ')}`)
  }
}

export function requirePath(name: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw invalid(`${name} is a path, not ${inspect(value)}`)
}

export function requireLoadOptions(place: string, options: LoadOptions): void {
  requireOptions(place, options, ['passphrase'])
  requirePassphrase(options.passphrase)
}

export function requirePairFiles(files: PairFiles): void {
  requireOptions('Identity.loadPair', files, ['publicFile', 'privateFile', 'passphrase'])
  requirePath('publicFile', files.publicFile)
  requirePath('privateFile', files.privateFile)
  requirePassphrase(files.passphrase)
}

/** With the defaults. `comment` is that of the key. */
export function saveOptions(
  files: SaveFiles,
  comment: string
): SaveFiles & { format: KeyFormat; comment: string } {
  requireOptions('save', files, ['privateFile', 'publicFile', 'format', 'passphrase', 'comment'])
  const all = { ...files, format: files.format ?? 'pkcs8', comment: files.comment ?? comment }
  requirePath('privateFile', all.privateFile)
  requireFormat(all.format)
  requireComment(all.comment)
  requirePassphrase(all.passphrase)
  if (all.publicFile !== undefined) requireOther(all.publicFile, all.privateFile)
  return all
}

function requireOther(publicFile: string, privateFile: string): void {
  requirePath('publicFile', publicFile)
  if (resolve(publicFile) === resolve(privateFile)) throw invalid('both files have the same path')
}

export const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })
