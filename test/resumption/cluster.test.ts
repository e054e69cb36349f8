// Two workers of a cluster share a ticket key, and one of them is killed while all its clients write. Each of those is
// told that it was cut, connects again, to the other, is resumed there, and was never told that a lost message arrived.

import cluster, { type Worker } from 'node:cluster'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { type Connection, connect, type Outcome, SessionCache, type StalkError } from '../../lib/index.ts'
import { alice, bob, until, within } from '../helpers/pair.ts'

const DEADLINE_MS = 60_000
const CLIENTS = 8

const folder = mkdtempSync(join(tmpdir(), 'stalk-cluster-'))
const keyFile = join(folder, 'id_priv')
await bob.save({ privateFile: keyFile })
const log = (name: string): string => join(folder, `${name}.log`)
const secret = randomBytes(32).toString('hex')

/** A worker, and the port that all of them share. */
async function fork(name: string): Promise<{ worker: Worker; port: number }> {
  cluster.setupPrimary({
    exec: join(import.meta.dirname, 'worker.ts'),
    execArgv: ['--import=tsx'],
    args: [keyFile, secret, log(name), name]
  })
  const worker = cluster.fork()
  const [{ port }] = await within(once(worker, 'listening'), `${name} listening`, DEADLINE_MS)
  return { worker, port }
}

/** What a worker has noted, also one that was killed. */
const noted = (name: string): Set<string> =>
  new Set(
    readFileSync(log(name), 'utf8')
      .split('\n')
      .filter(line => line.startsWith(`${name} `))
      .map(line => line.slice(name.length + 1))
  )

/** One client: writes a message at a time, and believes that it arrived when it is told so. */
class Client {
  readonly sessions = new SessionCache()
  readonly told: string[] = []
  readonly resumed: boolean[] = []
  readonly outcomes: Outcome[] = []
  readonly errors: StalkError[] = []
  /** The workers that it has talked to. */
  readonly workers: string[] = []
  readonly #name: string
  readonly #port: number
  #number = 0
  #connection: Connection | null = null
  stopped = false

  constructor(name: string, port: number) {
    this.#name = name
    this.#port = port
  }

  /** Connects, and learns who is there. */
  async connect(): Promise<void> {
    const options = { identity: alice, peer: bob, sessions: this.sessions, handshakeTimeout: DEADLINE_MS }
    const connection = await connect<[string, boolean], string>('127.0.0.1', this.#port, options)
    connection.on('error', error => this.errors.push(error as StalkError))
    this.#connection = connection as Connection
    const hello = once(connection, 'data')
    await this.#write()
    const [[worker]] = await within(hello, 'an answer', DEADLINE_MS)
    connection.resume()
    this.workers.push(worker)
    this.resumed.push(connection.security?.resumed === true)
    connection.outcome.then(outcome => this.outcomes.push(outcome))
  }

  async #write(): Promise<void> {
    const message = `${this.#name}.${this.#number++}`
    this.#connection?.write(message)
    await this.#connection?.flush({ acked: true })
    this.told.push(message)
  }

  /** Until it is stopped, or cut. */
  async writeOn(): Promise<void> {
    try {
      while (!this.stopped) await this.#write()
    } catch (error) {
      this.errors.push(error as StalkError)
    }
  }

  /** Many at once, so that some are on their way. */
  burst(): void {
    for (let n = 0; n < 200; n++) this.#connection?.write(`${this.#name}.${this.#number++}`)
  }

  async close(): Promise<Outcome> {
    this.#connection?.end()
    return within((this.#connection as Connection).outcome, 'the end', DEADLINE_MS)
  }
}

t.test('a worker is killed under load', { timeout: 120_000 }, async t => {
  const [one, two] = [await fork('one'), await fork('two')]
  t.teardown(() => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  })
  t.equal(one.port, two.port)
  const clients = Array.from({ length: CLIENTS }, (_, n) => new Client(`client ${n}`, one.port))
  for (const client of clients) await client.connect()
  t.same(new Set(clients.flatMap(({ resumed }) => resumed)), new Set([false]))
  const victims = clients.filter(({ workers }) => workers[0] === 'one')
  t.ok(victims.length > 0 && victims.length < CLIENTS, `${victims.length} of ${CLIENTS} are at the first`)

  const writing = clients.map(client => client.writeOn())
  await until(() => clients.every(({ told }) => told.length > 20), 'everybody writes', DEADLINE_MS)
  for (const client of victims) client.burst()
  const died = once(one.worker, 'exit')
  one.worker.process.kill('SIGKILL')
  await within(died, 'the death of a worker', DEADLINE_MS)
  await until(() => victims.every(({ outcomes }) => outcomes.length === 1), 'outcomes', DEADLINE_MS)

  for (const { outcomes, errors, told } of victims) {
    t.match(outcomes, [{ kind: /^(truncated|reset)$/, code: /^ERR_STALK_(TRUNCATED|RESET)$/ }])
    t.ok(errors.length > 0 && errors.every(({ code }) => /TRUNCATED|RESET|UNACKNOWLEDGED/.test(code)))
    t.ok((outcomes[0]?.acknowledged ?? 0) >= told.length, 'what it was told is in the outcome')
  }
  const arrived = noted('one')
  const countOf = (n: number): number => [...arrived].filter(line => line.startsWith(`client ${n}.`)).length
  for (const [n, client] of clients.entries()) {
    if (!victims.includes(client)) continue
    t.ok(
      (client.outcomes[0]?.acknowledged ?? 0) <= countOf(n),
      'nothing was acknowledged that did not arrive'
    )
    t.same(
      client.told.filter(message => !arrived.has(message)),
      [],
      'nor was the client told so'
    )
  }

  for (const client of victims) {
    t.ok(client.sessions.size > 0)
    await client.connect()
  }
  writing.push(...victims.map(client => client.writeOn()))
  await until(() => clients.every(({ told }) => told.length > 60), 'everybody goes on', DEADLINE_MS)
  for (const client of clients) client.stopped = true
  await within(Promise.all(writing), 'the last messages', DEADLINE_MS)
  for (const client of clients) {
    const victim = victims.includes(client)
    t.same(client.workers, victim ? ['one', 'two'] : ['two'])
    t.same(client.resumed, victim ? [false, true] : [false], 'the other worker takes the ticket')
    t.match(await client.close(), { kind: 'clean' })
  }
  const all = new Set([...noted('one'), ...noted('two')])
  t.same(
    clients.flatMap(({ told }) => told).filter(message => !all.has(message)),
    [],
    'all that was said to have arrived has arrived'
  )
})
