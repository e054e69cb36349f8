// Key files on the disk: where they are, who may read them, that none is overwritten and none half-written.
// Knows paths, modes and errors of the file system; knows nothing of what the text in them means.

import { constants } from 'node:fs'
import { type FileHandle, lstat, mkdir, open, stat, unlink } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { wipe } from '../bytes.ts'
import { MAX_KEY_FILE_BYTES } from '../constants.ts'
import { type ErrorCode, StalkError } from '../errors.ts'

/** The folder of the default identity, in the user's home, and its two files. The seed program's names. */
export const DEFAULT_FOLDER = '.spack'
export const PUBLIC_FILE_NAME = 'id_pub'
export const PRIVATE_FILE_NAME = 'id_priv'

/** Modes of what we create. */
export const PRIVATE_MODE = 0o600
export const PUBLIC_MODE = 0o644
const FOLDER_MODE = 0o700

/** Every permission of group and others. */
const OTHERS = 0o077

/** A key file as it was read. */
export interface KeyFile {
  readonly path: string
  readonly text: string
  /** The permission bits of the opened file. */
  readonly mode: number
}

/** A key file to be created. */
export interface NewKeyFile {
  readonly path: string
  readonly text: string
  readonly mode: number
}

/** `~/.spack`. Throws ERR_STALK_KEY_FILE_IO if the system knows no home folder. */
export function defaultHome(): string {
  try {
    return join(homedir(), DEFAULT_FOLDER)
  } catch (cause) {
    throw failure(
      'ERR_STALK_KEY_FILE_IO',
      'there is no home folder to look for the default identity in',
      cause
    )
  }
}

/**
 * Reads a key file, at most MAX_KEY_FILE_BYTES of it. Throws ERR_STALK_KEY_FILE_MISSING,
 * ERR_STALK_KEY_FILE_IO (a folder, a pipe, no permission, …) or, for a larger one, ERR_STALK_KEY_FILE_FORMAT.
 */
export async function readKeyFile(path: string): Promise<KeyFile> {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer, for ever.
  const flags = constants.O_RDONLY | constants.O_NONBLOCK
  const handle = await open(path, flags).catch(error => {
    throw systemError(`cannot open ${path}`, error)
  })
  try {
    return await readOpened(handle, path)
  } catch (error) {
    throw error instanceof StalkError ? error : systemError(`cannot read ${path}`, error)
  } finally {
    await handle.close()
  }
}

/** The mode is that of the open file: a second look at the path could meet another file. */
async function readOpened(handle: FileHandle, path: string): Promise<KeyFile> {
  const stat = await handle.stat()
  if (!stat.isFile()) {
    const what = stat.isDirectory() ? 'a folder' : 'not a regular file'
    throw failure('ERR_STALK_KEY_FILE_IO', `${path} is ${what}; a key file is needed`)
  }
  const bytes = await readUpTo(handle, MAX_KEY_FILE_BYTES + 1)
  if (bytes.length > MAX_KEY_FILE_BYTES) {
    throw failure(
      'ERR_STALK_KEY_FILE_FORMAT',
      `${path} is no key file: larger than ${MAX_KEY_FILE_BYTES} bytes`
    )
  }
  const text = bytes.toString('latin1')
  wipe(bytes)
  return { path, text, mode: stat.mode & 0o777 }
}

async function readUpTo(handle: FileHandle, most: number): Promise<Buffer> {
  const buffer = Buffer.alloc(most)
  let length = 0
  for (;;) {
    const { bytesRead } = await handle.read(buffer, length, most - length, null)
    length += bytesRead
    if (bytesRead === 0) return buffer.subarray(0, length)
  }
}

/**
 * Refuses a private key file that others may get at, as OpenSSH does: what others could read is no secret,
 * and what they could write may be their key. Throws ERR_STALK_KEY_FILE_MODE. Windows has no such modes.
 */
export function requirePrivate({ path, mode }: KeyFile, platform: string = process.platform): void {
  if (platform === 'win32' || (mode & OTHERS) === 0) return
  throw failure(
    'ERR_STALK_KEY_FILE_MODE',
    `${path} holds a private key, but its mode ${octal(mode)} lets others at it: chmod 600 ${path}`
  )
}

/** Whether the path is taken, be it by a link that leads nowhere. Throws ERR_STALK_KEY_FILE_IO if unknown. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path)
    return true
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false
    throw systemError(`cannot look for ${path}`, error)
  }
}

/** What `createKeyFiles` throws for paths that are taken, before somebody is asked for a passphrase. */
export async function requireFree(paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    if (!(await isThere(path))) continue
    const cause = Object.assign(new Error('EEXIST: file already exists'), { code: 'EEXIST', path })
    throw systemError(`cannot create ${path}`, cause)
  }
}

/**
 * Creates all of the files or none, with missing folders above them (mode 0700). Never overwrites. Throws
 * ERR_STALK_KEY_FILE_EXISTS or ERR_STALK_KEY_FILE_IO; the files made until then are removed again.
 */
export async function createKeyFiles(files: readonly NewKeyFile[]): Promise<void> {
  const created: string[] = []
  try {
    for (const file of files) await createKeyFile(file, created)
  } catch (error) {
    // The error to report is the first one, whether tidying up works or not.
    await Promise.allSettled(created.map(path => unlink(path)))
    throw error
  }
}

async function createKeyFile({ path, text, mode }: NewKeyFile, created: string[]): Promise<void> {
  await createFolder(dirname(path))
  try {
    const handle = await open(path, 'wx', mode)
    created.push(path)
    await writeAndClose(handle, text)
  } catch (error) {
    throw systemError(`cannot create ${path}`, error)
  }
}

/** With all that is missing above it, for us alone. Throws ERR_STALK_KEY_FILE_IO. */
export async function createFolder(path: string): Promise<void> {
  try {
    await makeFolders(path)
  } catch (cause) {
    throw failure('ERR_STALK_KEY_FILE_IO', `cannot create the folder ${path}: ${messageOf(cause)}`, cause)
  }
}

// Not with `recursive`, which never comes back from where no folder can be made, as in /proc.
async function makeFolders(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: FOLDER_MODE })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && (await stat(path)).isDirectory()) return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeFolders(dirname(path))
    await mkdir(path, { mode: FOLDER_MODE })
  }
}

async function writeAndClose(handle: FileHandle, text: string): Promise<void> {
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const SYSTEM_CODES: Record<string, ErrorCode> = {
  ENOENT: 'ERR_STALK_KEY_FILE_MISSING',
  EEXIST: 'ERR_STALK_KEY_FILE_EXISTS'
}

function systemError(text: string, cause: unknown): StalkError {
  const code = SYSTEM_CODES[codeOf(cause)] ?? 'ERR_STALK_KEY_FILE_IO'
  return failure(code, `${text}: ${messageOf(cause)}`, cause)
}

const failure = (code: ErrorCode, text: string, cause?: unknown): StalkError =>
  new StalkError(code, text, { phase: 'setup', cause })

const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code)

const messageOf = (error: unknown): string => (error as Error).message

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')
