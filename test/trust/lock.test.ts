// The lock of a trust file: one at a time, and what happens to locks of the dead, of strangers and of nobody.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { FileLock } from '../../lib/trust/lock.ts'

const SOON = 200

/** The number of a process that has just ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await once(child, 'exit')
  return child.pid as number
}

/** A lock's content, with something in it changed. */
async function signedBy(path: string, change: (content: string) => string): Promise<void> {
  const lock = await FileLock.take(path)
  const content = readFileSync(`${path}.lock`, 'latin1')
  await lock.release()
  writeFileSync(`${path}.lock`, change(content))
}

const locked = (path: string) => ({
  code: 'ERR_STALK_TRUST_FILE_LOCKED',
  retry: true,
  message: new RegExp(
    `^${path} is being changed by .+; if nobody is at it, remove ${path}.lock and ${path}.lock.break$`
  )
})

t.test('one holds it at a time, and the next one when it is released', async t => {
  const path = join(t.testdir(), 'peers')
  const first = await FileLock.take(path)
  t.equal(await first.isHeld(), true)
  await t.rejects(FileLock.take(path, SOON), locked(path))
  const second = FileLock.take(path)
  await first.release()
  t.equal(await first.isHeld(), false)
  t.equal(await (await second).isHeld(), true)
  await first.release()
  t.equal(await (await second).isHeld(), true, 'a lock that is not ours any more is not removed')
  await (await second).release()
  t.notOk(existsSync(`${path}.lock`))
})

t.test('the lock of a dead process is broken, by one of many who find it', async t => {
  const path = join(t.testdir(), 'peers')
  const pid = await deadPid()
  await signedBy(path, content => content.replace(/^\d+/, String(pid)))
  let holders = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 12 }, async () => {
      const lock = await FileLock.take(path)
      most = Math.max(most, ++holders)
      await new Promise(resolve => setTimeout(resolve, 5))
      holders--
      await lock.release()
    })
  )
  t.equal(most, 1)
  t.notOk(existsSync(`${path}.lock`))
  t.notOk(existsSync(`${path}.lock.break`))
})

t.test(
  'a number that is another process by now is no living owner',
  { skip: process.platform !== 'linux' },
  async t => {
    const path = join(t.testdir(), 'peers')
    await signedBy(path, content => content.replace(/^(\d+ \S+) \S+/, '$1 of-an-earlier-boot.17'))
    await (await FileLock.take(path, SOON)).release()
  }
)

t.test('the lock of another machine, or of another namespace, is waited for and never broken', async t => {
  for (const host of ['elsewhere/1', 'x']) {
    const path = join(t.testdir(), 'peers')
    const pid = await deadPid()
    await signedBy(path, content => content.replace(/^\d+ \S+/, `${pid} ${host}`))
    await t.rejects(FileLock.take(path, SOON), locked(path))
    t.ok(existsSync(`${path}.lock`))
  }
})

t.test('a lock without an owner is broken when it is old, not when it is new', async t => {
  const path = join(t.testdir(), 'peers')
  for (const content of ['', 'what is this\n', '1 2 3']) {
    writeFileSync(`${path}.lock`, content)
    await t.rejects(FileLock.take(path, SOON), locked(path))
    utimesSync(`${path}.lock`, new Date(), new Date(Date.now() - 10_000))
    await (await FileLock.take(path, SOON)).release()
  }
})

t.test('where somebody is breaking it just now, or has died over that, it stays', async t => {
  const path = join(t.testdir(), 'peers')
  const pid = await deadPid()
  await signedBy(path, content => content.replace(/^\d+/, String(pid)))
  writeFileSync(`${path}.lock.break`, '')
  await t.rejects(FileLock.take(path, SOON), locked(path))
  t.ok(existsSync(`${path}.lock`))
})

t.test('where no lock can be made, it is said', async t => {
  const path = join(t.testdir(), 'none', 'peers')
  await t.rejects(FileLock.take(path), {
    code: 'ERR_STALK_TRUST_FILE_IO',
    message: new RegExp(`^cannot lock ${path}: ENOENT`)
  })
})
