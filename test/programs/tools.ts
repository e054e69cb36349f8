// For tests with real programs: finds them, gives each a folder and a port of its own, runs them as nobody where we are
// root, and ends them with the test. On a machine without them tests are skipped; where CI is set that is a failure.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, chownSync, constants, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'

const NOBODY = 65_534

const { CI, PATH = '' } = process.env

/** As whom programs run that refuse to do so as root. */
const unprivileged = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : {}

/** Where Debian has programs that are on nobody's PATH. */
const PLACES = [
  ...PATH.split(':'),
  '/usr/sbin',
  ...versionsIn('/usr/lib/postgresql').map(version => `/usr/lib/postgresql/${version}/bin`)
]

function versionsIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The paths of programs by name, or why they are not there. Throws where they must be. */
export function find<Name extends string>(...names: Name[]): Record<Name, string> | string {
  const found = names.map(name => [name, PLACES.map(place => join(place, name)).find(isProgram)] as const)
  const missing = found.filter(([, path]) => path === undefined).map(([name]) => name)
  if (missing.length === 0) return Object.fromEntries(found) as Record<Name, string>
  const text = `${missing.join(', ')} not found`
  if (CI === 'true') throw new Error(`${text}, and here it must not be skipped`)
  return text
}

/** A folder that also nobody may use, with a short path. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'stalk-'))
  if (unprivileged.uid !== undefined) chownSync(path, NOBODY, NOBODY)
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a program to its end, but for no longer than a minute. */
export async function run(path: string, args: readonly string[], options: SpawnOptions = {}): Promise<Ran> {
  const child = spawn(path, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 })
  const texts = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.setEncoding('utf8').on('data', text => {
      texts[name] += text
    })
  }
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, ...texts }
}

/** As `run`, as nobody where we are root. */
export const runUnprivileged = (path: string, args: readonly string[]): Promise<Ran> =>
  run(path, args, unprivileged)

/** A service, once something listens on `port`. It is killed with the test. */
export async function serve(
  t: Test,
  path: string,
  args: readonly string[],
  port: number
): Promise<ChildProcess> {
  const child = spawn(path, args, { ...unprivileged, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.setEncoding('utf8').on('data', text => {
    said += text
  })
  const gone = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGQUIT') // what postgres and nginx take for "at once"
    const timer = setTimeout(() => child.kill('SIGKILL'), 3_000)
    await gone
    clearTimeout(timer)
  })
  const deadline = Date.now() + 20_000
  while (!(await answers(port))) {
    const over = child.exitCode !== null || child.signalCode !== null
    if (over) await gone // what it has said is read then
    if (over || Date.now() > deadline)
      throw new Error(`${path} does not serve (${child.exitCode ?? child.signalCode}): ${said}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return child
}

async function answers(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
