// The lock of a trust file: FILE.lock, made exclusively, with its owner in it, so that a lock whose owner is dead is
// told from one that is held. Knows processes; knows nothing of what is locked.
//
//   PID HOST START TOKEN \n        HOST: name of the machine / namespace of its PIDs; START: boot and tick, or -

import { randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { open, readFile, stat, unlink } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { TRUST_LOCK_TIMEOUT_MS, UNSIGNED_LOCK_MS } from '../constants.ts'
import { codeOf, fileFailure, messageOf } from './failures.ts'

const OWNER = /^(\d+) (\S+) (\S+) ([0-9a-f]{32})\n$/

/** Between two looks at a lock that another holds, in ms: a little at random, so that none is always late. */
const pause = (): Promise<void> => sleep(5 + Math.random() * 20)

export class FileLock {
  readonly #path: string
  readonly #owner: string

  private constructor(path: string, owner: string) {
    this.#path = path
    this.#owner = owner
  }

  /**
   * Waits for its turn. Throws ERR_STALK_TRUST_FILE_LOCKED if that does not come in time, and _IO if no lock can be
   * made there.
   */
  static async take(file: string, timeoutMs = TRUST_LOCK_TIMEOUT_MS): Promise<FileLock> {
    const path = `${file}.lock`
    const lock = new FileLock(path, ownerLine())
    const until = Date.now() + timeoutMs
    while (!(await lock.#create(file))) {
      if (await breakIfDead(path)) continue
      if (Date.now() >= until) throw locked(file, path, await contentOf(path))
      await pause()
    }
    return lock
  }

  /** Whether the lock is still ours: asked once more before what it protects is changed. */
  async isHeld(): Promise<boolean> {
    return (await contentOf(this.#path)) === this.#owner
  }

  /** Throws ERR_STALK_TRUST_FILE_IO if it can't be removed. */
  async release(): Promise<void> {
    try {
      if (await this.isHeld()) await unlink(this.#path)
    } catch (error) {
      throw fileFailure('IO', `cannot remove ${this.#path}: ${messageOf(error)}`, error)
    }
  }

  async #create(file: string): Promise<boolean> {
    try {
      const handle = await open(this.#path, 'wx', 0o600)
      try {
        await handle.writeFile(this.#owner)
      } catch (error) {
        await unlink(this.#path).catch(() => {}) // the error to report is the first one
        throw error
      } finally {
        await handle.close()
      }
      return true
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false
      throw fileFailure('IO', `cannot lock ${file}: ${messageOf(error)}`, error)
    }
  }
}

/**
 * Removes the lock of somebody who is dead. Two who find it so must not both remove one: the second would remove the
 * first one's new lock. So a guard is taken for the moment, and under it one looks again. Whether it was removed.
 */
async function breakIfDead(path: string): Promise<boolean> {
  const seen = await lookAt(path)
  if (seen === null || !seen.isDead) return false
  const guard = `${path}.break`
  try {
    await (await open(guard, 'wx', 0o600)).close()
  } catch {
    return false // another is at it; if it is left behind, the lock stays, and the error names it
  }
  try {
    const again = await lookAt(path)
    if (!again?.isDead || again.mark !== seen.mark) return false
    await unlink(path)
    return true
  } catch {
    return false // it stays, and the error names it
  } finally {
    await unlink(guard).catch(() => {})
  }
}

async function lookAt(path: string): Promise<{ mark: string; isDead: boolean } | null> {
  try {
    const [content, { ino, mtimeMs }] = [await readFile(path, 'latin1'), await stat(path)]
    const mark = `${ino} ${mtimeMs} ${content}`
    const owner = OWNER.exec(content)
    if (owner === null) return { mark, isDead: Date.now() - mtimeMs > UNSIGNED_LOCK_MS }
    const [, pid = '', host = '', start = ''] = owner
    return { mark, isDead: host === hereName() && !isAlive(Number(pid), start) }
  } catch {
    return null // it is gone
  }
}

/** Of a process of this machine. Its number may be another's by now, who then began at another time. */
function isAlive(pid: number, start: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false
  }
  const now = startOf(pid)
  return now === '-' || start === '-' || now === start
}

const contentOf = (path: string): Promise<string | null> => readFile(path, 'latin1').catch(() => null)

const ownerLine = (): string =>
  `${process.pid} ${hereName()} ${startOf(process.pid)} ${randomBytes(16).toString('hex')}\n`

/** A PID means something within its namespace only: two containers may have the same host name. */
function hereName(): string {
  const name = encodeURIComponent(hostname()) || '-'
  return `${name}/${attempt(() => readlinkSync('/proc/self/ns/pid').replace(/\D/g, ''))}`
}

/** When a process began, in a form that only compares; `-` where the system does not say. */
const startOf = (pid: number): string =>
  attempt(() => {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ')
    return `${boot}.${fields[19]}`
  })

function attempt(look: () => string): string {
  try {
    return look()
  } catch {
    return '-'
  }
}

function locked(file: string, path: string, content: string | null): Error {
  const [, pid, host] = OWNER.exec(content ?? '') ?? []
  const holder = pid === undefined ? 'somebody' : `process ${pid} of ${host?.split('/')[0]}`
  const text = `${file} is being changed by ${holder}; if nobody is at it, remove ${path} and ${path}.break`
  return fileFailure('LOCKED', text)
}
