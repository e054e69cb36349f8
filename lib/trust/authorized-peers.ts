// Authorized peers: the file that says whose key may come in, as SSH's authorized_keys, read anew when it has changed.
// Knows the file and what it says; knows no connection.

import type { Identity } from '../identity/identity.ts'
import { AuthorizedFile } from './authorized-file.ts'
import { fileFailure, invalid, refusal, succession as refusedSuccession } from './failures.ts'
import type { Accepted } from './placed-peers.ts'
import { rewriteTrustFile } from './rewrite.ts'
import { Succession } from './succession.ts'
import { readTrustFile, versionOf } from './trust-file.ts'

/** The keys in a file. A file that can't be used lets nobody in, whatever it said before. */
export class AuthorizedPeers {
  readonly path: string
  #kept: { readonly version: string; readonly file: AuthorizedFile } | null = null

  constructor(path: string) {
    this.path = path
  }

  /**
   * By what the file says now. `address`: where the peer comes from; undefined if nobody knows. Rejects with
   * ERR_STALK_PEER_ANONYMOUS, ERR_STALK_PEER_REVOKED and ERR_STALK_UNAUTHORIZED, and with what makes the file unusable,
   * ERR_STALK_TRUST_FILE_….
   */
  async decide(peer: Identity | null, address: string | undefined): Promise<Accepted> {
    const file = await this.#read()
    if (peer === null) throw refusal('ERR_STALK_PEER_ANONYMOUS', `${this.path} lets in nobody without a key`)
    const { key, options } = file.admit(peer, address, Date.now())
    return { name: options.name ?? (key.comment || null) }
  }

  /** Rejects with what makes the file unusable, ERR_STALK_TRUST_FILE_…. */
  async check(): Promise<void> {
    await this.#read()
  }

  /**
   * Records that a key in the file is succeeded by another, which comes in by the same entry from then on. False if that
   * was so. Rejects with ERR_STALK_SUCCESSION, and with ERR_STALK_TRUST_FILE_…: then nothing was changed.
   */
  async succeed(succession: Succession): Promise<boolean> {
    if (!(succession instanceof Succession)) throw refusedSuccession('a Succession is needed')
    let changed = false
    await rewriteTrustFile(this.path, before => {
      const after = AuthorizedFile.read(before, this.path).withSuccession(before, succession)
      changed = after !== before
      return after
    })
    return changed
  }

  /** What was read is kept as long as the file is the same, by its number, size and times. */
  async #read(): Promise<AuthorizedFile> {
    const version = await versionOf(this.path)
    if (this.#kept && this.#kept.version === version) return this.#kept.file
    this.#kept = null
    const found = await readTrustFile(this.path)
    if (found === null) throw fileFailure('MISSING', `there is no file ${this.path}: nobody is authorized`)
    const file = AuthorizedFile.read(found.text, this.path)
    this.#kept = { version: found.version, file }
    return file
  }
}

/**
 * The peers whose keys are in a file, for the option `authorize`. The file is looked at for each peer. Throws
 * ERR_STALK_INVALID_OPTION.
 */
export function authorizedPeers(path: string): AuthorizedPeers {
  if (typeof path === 'string' && path !== '') return new AuthorizedPeers(path)
  throw invalid('authorizedPeers takes the path of a file')
}
