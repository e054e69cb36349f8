// A trust file changed: under its lock, from what is there now, whole or not at all. Knows files; knows nothing of what
// the lines in them mean.

import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MAX_REWRITES, MAX_TRUST_FILE_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { fileFailure, messageOf } from './failures.ts'
import { FileLock } from './lock.ts'
import { readTrustFile, versionOf } from './trust-file.ts'

/** From the text that is there, '' if there is no file, to the text that is to be there. Latin1, both. */
export type Edit = (text: string) => string

/**
 * Changes a trust file. What others have written stays: they are waited for, and one who takes no lock, as an editor,
 * is noticed. Until the new text is safely on the disk the old one stands. The file has mode 0600 then.
 *
 * Throws what `edit` throws, and ERR_STALK_TRUST_FILE_MISSING, _MODE, _FORMAT, _IO and _LOCKED; then nothing was changed.
 */
export async function rewriteTrustFile(path: string, edit: Edit): Promise<void> {
  await versionOf(path) // what is wrong with the folder or the file is said before a lock is left there
  const lock = await FileLock.take(path)
  try {
    for (let tries = 1; tries <= MAX_REWRITES; tries++) if (await rewriteOnce(path, edit, lock)) return
    throw fileFailure('LOCKED', `${path} is changed by somebody again and again; nothing was written`)
  } finally {
    await lock.release()
  }
}

/** False if somebody else has changed it meanwhile. */
async function rewriteOnce(path: string, edit: Edit, lock: FileLock): Promise<boolean> {
  const file = await readTrustFile(path)
  const before = file?.text ?? ''
  const after = edit(before)
  if (after === before) return true
  if (after.length > MAX_TRUST_FILE_BYTES)
    throw fileFailure('FORMAT', `${path} would be larger than ${MAX_TRUST_FILE_BYTES} bytes`)
  const fresh = `${path}.new`
  try {
    await rm(fresh, { force: true }) // of somebody who died over it
    await writeSafely(fresh, after)
    if ((await versionOf(path)) !== (file?.version ?? null)) return false
    if (!(await lock.isHeld()))
      throw fileFailure('LOCKED', `the lock of ${path} was taken away; nothing was written`)
    await rename(fresh, path)
  } catch (error) {
    if (error instanceof StalkError) throw error
    throw fileFailure('IO', `cannot save ${path}: ${messageOf(error)}; it is as it was`, error)
  } finally {
    await rm(fresh, { force: true }).catch(() => {}) // it is in nobody's way
  }
  await syncFolder(path)
  return true
}

async function writeSafely(path: string, text: string): Promise<void> {
  const handle = await open(path, 'wx', 0o600)
  try {
    await handle.writeFile(text, 'latin1')
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** So that the new name outlives a power cut too. Windows can't. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dirname(path), 'r')
  await folder.sync().finally(() => folder.close())
}
