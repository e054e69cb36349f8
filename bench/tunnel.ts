// npm run bench:tunnel -- [--quick] [--rounds N]
//
// `stalk tunnel` against stunnel and spiped, both ends of each on this machine, and against no tunnel at all: a stream of
// bytes, round trips, and new connections. Subjects take turns within a round (A B C A B C); who is not there is said to be
// missing. Self-contained: knows the three programs and how they are started.

import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Identity } from '../lib/index.ts'
import { headLine, machineOf, versionsOf } from './machine.ts'

const MAIN = join(import.meta.dirname, '../dist/cli/main.js')
const MIB = 2 ** 20

interface Amounts {
  readonly bytes: number
  readonly roundTrips: number
  readonly connections: number
  readonly rounds: number
}

const QUICK: Amounts = { bytes: 64 * MIB, roundTrips: 1_000, connections: 100, rounds: 2 }
const FULL: Amounts = { bytes: 256 * MIB, roundTrips: 5_000, connections: 400, rounds: 5 }

// --- the service, in this process: tells by the first byte what is wanted ----------------------------------

const STREAM = 1
const ECHO = 2

async function serve(bytes: number): Promise<{ port: number; close(): void }> {
  const chunk = randomBytes(65_536)
  const stream = (socket: net.Socket): void => {
    let left = bytes
    const more = (): void => {
      while (left > 0) {
        left -= chunk.length
        if (!socket.write(chunk)) return
      }
      socket.end()
    }
    socket.on('drain', more)
    more()
  }
  const server = net.createServer({ noDelay: true }, socket => {
    socket.on('error', () => {})
    socket.once('data', first => {
      if (first[0] === STREAM) return stream(socket)
      socket.write(first)
      socket.on('data', data => socket.write(data))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}

// --- the subjects ------------------------------------------------------------------------------------------

interface Subject {
  readonly name: string
  /** Where a program connects to. */
  readonly port: number
}

const children: ChildProcess[] = []

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  children.push(spawn(program, args, { stdio: 'ignore', env }))
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}

const isThere = (program: string): boolean => !spawnSync(program, ['-h'], { stdio: 'ignore' }).error

/** Both ends of a tunnel, or null if there is no such program. */
type Start = (folder: string, target: number, far: number, near: number) => Promise<void> | null

const START: Record<string, Start> = {
  stalk: async (folder, target, far, near) => {
    const [here, there] = [join(folder, 'near'), join(folder, 'far')]
    const keys = await Promise.all([here, there].map(home => identityIn(home)))
    const [nearKey = '', farKey = ''] = keys.map(({ fingerprint }) => fingerprint)
    const farArgs = ['tunnel', '-q', '--serve', `${far}`, '--target', `${target}`, '--authorize', nearKey]
    const nearArgs = ['tunnel', '-q', '--listen', `${near}`, '--to', `${far}`, '--peer', farKey]
    start(process.execPath, [MAIN, ...farArgs], { ...process.env, STALK_HOME: there })
    start(process.execPath, [MAIN, ...nearArgs], { ...process.env, STALK_HOME: here })
  },
  stunnel: (folder, target, far, near) => {
    if (!isThere('stunnel')) return null
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
    const request = ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '2', '-subj', '/CN=bench']
    execFileSync('openssl', [...request, '-keyout', key, '-out', cert], { stdio: 'ignore' })
    const both = `foreground = yes\npid =\ndebug = 0\n[t]\nsslVersionMin = TLSv1.3\ncert = ${cert}\nkey = ${key}\nCAfile = ${cert}\nverifyPeer = yes\nTIMEOUTclose = 0\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n`
    writeFileSync(
      join(folder, 'far.conf'),
      `${both}accept = 127.0.0.1:${far}\nconnect = 127.0.0.1:${target}\n`
    )
    writeFileSync(
      join(folder, 'near.conf'),
      `${both}client = yes\naccept = 127.0.0.1:${near}\nconnect = 127.0.0.1:${far}\n`
    )
    for (const end of ['far', 'near']) start('stunnel', [join(folder, `${end}.conf`)])
    return Promise.resolve()
  },
  spiped: (folder, target, far, near) => {
    if (!isThere('spiped')) return null
    const key = join(folder, 'spiped.key')
    writeFileSync(key, randomBytes(32), { mode: 0o600 })
    const at = (port: number): string => `[127.0.0.1]:${port}`
    start('spiped', ['-d', '-F', '-s', at(far), '-t', at(target), '-k', key])
    start('spiped', ['-e', '-F', '-s', at(near), '-t', at(far), '-k', key])
    return Promise.resolve()
  }
}

async function identityIn(home: string): Promise<Identity> {
  mkdirSync(home)
  const identity = await Identity.generate({ type: 'ed25519' })
  await identity.save({ privateFile: join(home, 'id_priv'), publicFile: join(home, 'id_pub') })
  return identity
}

async function subjects(folder: string, target: number): Promise<{ found: Subject[]; missing: string[] }> {
  const found: Subject[] = [{ name: 'no tunnel', port: target }]
  const missing: string[] = []
  for (const [name, begin] of Object.entries(START)) {
    const [far, near] = [await freePort(), await freePort()]
    const place = join(folder, name)
    mkdirSync(place)
    const begun = begin(place, target, far, near)
    if (begun === null) missing.push(name)
    else found.push({ name, port: near })
    await begun
  }
  for (const { port } of found) await ready(port)
  return { found, missing }
}

/** Fulfilled when it carries a byte. */
async function ready(port: number): Promise<void> {
  for (let tries = 0; tries < 200; tries += 1) {
    const answered = await connectionsOf(port, 1).catch(() => null)
    if (answered !== null) return
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  throw new Error(`nothing answers on port ${port}`)
}

// --- the questions -------------------------------------------------------------------------------------------

async function dial(port: number): Promise<net.Socket> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  return socket
}

/** MB a second. */
async function streamOf(port: number, bytes: number): Promise<number> {
  const socket = await dial(port)
  const began = performance.now()
  let got = 0
  socket.on('data', chunk => {
    got += chunk.length
  })
  socket.write(Buffer.from([STREAM]))
  await once(socket, 'end')
  if (got !== bytes) throw new Error(`${got} of ${bytes} bytes came`)
  return bytes / 1_000 / (performance.now() - began)
}

/** The median round trip of 64 bytes, in µs. */
async function roundTripOf(port: number, count: number): Promise<number> {
  const socket = await dial(port)
  const message = Buffer.alloc(64, ECHO)
  const times: number[] = []
  for (let index = 0; index < count; index += 1) {
    const began = performance.now()
    socket.write(message)
    for (let got = 0; got < message.length; ) got += ((await once(socket, 'data')) as [Buffer])[0].length
    times.push(performance.now() - began)
  }
  socket.destroy()
  return median(times) * 1_000
}

/** Connections a second, eight at a time, each with one byte there and back. */
async function connectionsOf(port: number, count: number): Promise<number> {
  let left = count
  const began = performance.now()
  const worker = async (): Promise<void> => {
    for (; left > 0; ) {
      left -= 1
      const socket = await dial(port)
      socket.write(Buffer.from([ECHO]))
      const closed = once(socket, 'close')
      const got = await Promise.race([once(socket, 'data'), closed.then(() => null)])
      if (got === null) throw new Error('closed')
      socket.end()
      await closed
    }
  }
  await Promise.all(Array.from({ length: Math.min(8, count) }, worker))
  return (count * 1_000) / (performance.now() - began)
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

interface Question {
  readonly name: string
  ask(port: number): Promise<number>
}

const questionsOf = ({ bytes, roundTrips, connections }: Amounts): Question[] => [
  { name: 'one stream, MB/s', ask: port => streamOf(port, bytes) },
  { name: 'round trip of 64 bytes, µs', ask: port => roundTripOf(port, roundTrips) },
  { name: 'new connections a second', ask: port => connectionsOf(port, connections) }
]

// --- the run -------------------------------------------------------------------------------------------------

const { values } = parseArgs({ options: { quick: { type: 'boolean' }, rounds: { type: 'string' } } })
const amounts = values.quick ? QUICK : FULL
const rounds = Number(values.rounds ?? amounts.rounds)
const folder = mkdtempSync(join(tmpdir(), 'stalk-bench-'))
const service = await serve(amounts.bytes)
try {
  console.log(headLine(machineOf(), versionsOf()))
  const { found, missing } = await subjects(folder, service.port)
  for (const name of missing) console.log(`${name} is not installed, and left out`)
  for (const { name, ask } of questionsOf(amounts)) {
    const results = new Map<string, number[]>(found.map(subject => [subject.name, []]))
    // The first round warms up.
    for (let round = 0; round <= rounds; round += 1) {
      for (const subject of found) {
        const result = await ask(subject.port)
        if (round > 0) results.get(subject.name)?.push(result)
      }
    }
    console.log(`\n${name}`)
    const stalk = median(results.get('stalk') ?? [])
    for (const [subject, all] of results) {
      const [low, high] = [Math.min(...all), Math.max(...all)].map(value => value.toFixed(0))
      const times = (median(all) / stalk).toFixed(2)
      console.log(
        `  ${subject.padEnd(10)} ${median(all).toFixed(0).padStart(8)}   ${`${low}–${high}`.padStart(15)}   ${times} × stalk's`
      )
    }
  }
} finally {
  for (const child of children) child.kill('SIGKILL')
  service.close()
  rmSync(folder, { recursive: true, force: true })
}
process.exit()
