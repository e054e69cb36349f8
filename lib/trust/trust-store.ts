// A trust file by its path: read, and changed. Knows whether its folder is to be made where it is missing; what is in
// the file, and how it is written, others know.

import { dirname } from 'node:path'
import { StalkError } from '../errors.ts'
import { createFolder } from '../identity/files.ts'
import { fileFailure, messageOf } from './failures.ts'
import { type Edit, rewriteTrustFile } from './rewrite.ts'
import { readTrustFile } from './trust-file.ts'

export class TrustStore {
  readonly path: string
  readonly #makesFolder: boolean

  constructor(path: string, makesFolder: boolean) {
    this.path = path
    this.#makesFolder = makesFolder
    Object.freeze(this)
  }

  /** The text, as latin1; null if there is no file. Throws as `readTrustFile`; no folder may be no file. */
  async read(): Promise<string | null> {
    try {
      return (await readTrustFile(this.path))?.text ?? null
    } catch (error) {
      const isMissing = error instanceof StalkError && error.code === 'ERR_STALK_TRUST_FILE_MISSING'
      if (this.#makesFolder && isMissing) return null
      throw error
    }
  }

  /** Whether it was changed. Throws as `rewriteTrustFile`. */
  async change(edit: Edit): Promise<boolean> {
    if (this.#makesFolder) await this.#makeFolder()
    let changed = false
    await rewriteTrustFile(this.path, before => {
      const after = edit(before)
      changed = after !== before
      return after
    })
    return changed
  }

  async #makeFolder(): Promise<void> {
    try {
      await createFolder(dirname(this.path))
    } catch (cause) {
      throw fileFailure('IO', messageOf(cause), cause)
    }
  }
}
