// Trust files on the disk: read whole, and only where nobody else can have written into them. Knows paths, owners and
// modes; knows nothing of what the lines in them mean.

import { type BigIntStats, constants } from 'node:fs'
import { type FileHandle, open, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { MAX_TRUST_FILE_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import { codeOf, fileFailure, messageOf } from './failures.ts'

export interface TrustFile {
  /** Read as latin1, which keeps every byte. */
  readonly text: string
  /** Tells this version of the file from others, as far as the file system does. */
  readonly version: string
}

/** What lets group or others write, and what on a folder keeps them from replacing what is not theirs. */
const OTHERS_WRITE = 0o022n
const STICKY = 0o1000n

/**
 * Null if the file is not there, though its folder is. Throws ERR_STALK_TRUST_FILE_MISSING (no folder), _MODE (a link,
 * or somebody else can write into the file or its folder), _FORMAT (too large) and _IO.
 */
export async function readTrustFile(path: string): Promise<TrustFile | null> {
  await requireSafeFolder(path)
  const handle = await openTrustFile(path)
  if (handle === null) return null
  try {
    return await readOpened(handle, path)
  } catch (error) {
    throw error instanceof StalkError ? error : cannotRead(path, error)
  } finally {
    await handle.close()
  }
}

/** The version of what is there now; null for nothing. Throws as `readTrustFile`. */
export async function versionOf(path: string): Promise<string | null> {
  await requireSafeFolder(path)
  const handle = await openTrustFile(path)
  if (handle === null) return null
  try {
    const found = await handle.stat({ bigint: true })
    requireSafe(found, path)
    return versionIn(found)
  } finally {
    await handle.close()
  }
}

/** A link is refused by the opening itself; without O_NONBLOCK a named pipe would wait for a writer, for ever. */
async function openTrustFile(path: string): Promise<FileHandle | null> {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants
  try {
    return await open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT') return null
    if (code === 'ELOOP' || code === 'EMLINK')
      throw fileFailure('MODE', `${path} is a symbolic link; whom to trust is read from a file itself`, error)
    throw cannotRead(path, error)
  }
}

async function readOpened(handle: FileHandle, path: string): Promise<TrustFile> {
  const found = await handle.stat({ bigint: true })
  if (!found.isFile()) {
    throw fileFailure('IO', `${path} is ${found.isDirectory() ? 'a folder' : 'not a regular file'}`)
  }
  requireSafe(found, path)
  const buffer = Buffer.alloc(MAX_TRUST_FILE_BYTES + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, buffer.length - length, null)
    length += bytesRead
    if (bytesRead === 0) break
  }
  if (length > MAX_TRUST_FILE_BYTES)
    throw fileFailure('FORMAT', `${path} is larger than ${MAX_TRUST_FILE_BYTES} bytes`)
  return { text: buffer.toString('latin1', 0, length), version: versionIn(found) }
}

const versionIn = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ')

/** Whoever can write into the folder can put another file in its place. */
async function requireSafeFolder(path: string): Promise<void> {
  const folder = dirname(path)
  const found = await stat(folder, { bigint: true }).catch(error => {
    if (codeOf(error) === 'ENOENT')
      throw fileFailure('MISSING', `${path} can't be there: there is no folder ${folder}`, error)
    throw cannotRead(path, error)
  })
  if ((found.mode & STICKY) === 0n) requireSafe(found, folder)
}

function requireSafe({ mode, uid }: BigIntStats, path: string): void {
  if (process.platform === 'win32') return
  if ((mode & OTHERS_WRITE) !== 0n) {
    const octal = (mode & 0o777n).toString(8).padStart(4, '0')
    throw fileFailure(
      'MODE',
      `${path} says whom to trust, but its mode ${octal} lets others write: chmod go-w ${path}`
    )
  }
  const own = process.getuid?.()
  if (own === undefined || uid === 0n || uid === BigInt(own)) return
  throw fileFailure('MODE', `${path} says whom to trust, but it belongs to somebody else (user ${uid})`)
}

const cannotRead = (path: string, cause: unknown): StalkError =>
  fileFailure('IO', `cannot read ${path}: ${messageOf(cause)}`, cause)
