// One end of a measurement, in a process of its own. Does what run.ts asks over IPC, one request at a time, and
// answers with times and counts. Whatever goes wrong ends the process.

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'
import { type Payload, type PayloadName, payloadOf } from './payloads.ts'
import type { Channel, Codec, Credentials, Transport } from './subject.ts'
import { loadSubject, type SubjectName } from './subjects/index.ts'

export type Role = 'listener' | 'connector' | 'alone'

/**
 * `expect`: be ready for so many messages; only when the receiver has answered may the sender begin. `run`: send
 * them, or encode and decode them. `usage`: what it took; the receiver answers when it has all. `finish`: say
 * goodbye, or wait for the other's.
 */
export type Request =
  | { readonly open: Opening }
  | { readonly expect: number }
  | { readonly run: number }
  | { readonly usage: true }
  | { readonly finish: true }

export interface Opening {
  readonly role: Role
  readonly subject: SubjectName
  readonly payload: PayloadName
  readonly own: Credentials
  readonly port: number
  /** The file for a CPU profile, from here to the end; null for none. */
  readonly profile: string | null
}

export interface Reply {
  /** Where the listener listens. */
  readonly port?: number
  /** When it began, or had all, on the clock that all processes share, in ns. */
  readonly at?: number
  /** CPU time of this process since the run began, in µs. */
  readonly cpu?: number
  /** Messages received, in all. */
  readonly total?: number
}

type End = (request: Request) => Promise<Reply>

const now = (): number => Number(process.hrtime.bigint())

/** CPU time since the last `start`, of all threads. */
class Meter {
  #from = process.cpuUsage()

  start(): void {
    this.#from = process.cpuUsage()
  }

  read(): number {
    const { user, system } = process.cpuUsage(this.#from)
    return user + system
  }
}

// --- sender ------------------------------------------------------------------------------------------------

async function connector(transport: Transport, payload: Payload, { port, own }: Opening): Promise<End> {
  const { outbound, inbound } = await transport.connect(port, own)
  inbound.on('data', () => fail('an answer, where none was expected'))
  const meter = new Meter()
  let sent = 0
  return async request => {
    if ('usage' in request) return { cpu: meter.read() }
    if (!('run' in request)) {
      outbound.end()
      return {}
    }
    meter.start()
    const at = now()
    await send(outbound, payload, sent, sent + request.run)
    sent += request.run
    return { at }
  }
}

function send(outbound: Channel['outbound'], payload: Payload, from: number, to: number): Promise<void> {
  return new Promise(resolve => {
    let index = from
    const pump = (): void => {
      while (index < to) {
        if (!outbound.write(payload.make(index++))) return void outbound.once('drain', pump)
      }
      resolve()
    }
    pump()
  })
}

// --- receiver ----------------------------------------------------------------------------------------------

/** Checks every message against the one that should be there. */
class Receiver {
  readonly ended: Promise<void>
  readonly #payload: Payload
  readonly #meter = new Meter()
  #total = 0
  #awaited = 0
  #complete: Promise<Reply> = Promise.resolve({})
  #done: (reply: Reply) => void = () => {}

  constructor({ inbound }: Channel, payload: Payload) {
    this.#payload = payload
    inbound.on('data', message => this.#onMessage(message))
    this.ended = new Promise(resolve => inbound.on('end', resolve))
  }

  get total(): number {
    return this.#total
  }

  /** From here on the clock of the CPU runs. */
  expect(count: number): void {
    this.#complete = new Promise(resolve => {
      this.#done = resolve
    })
    this.#awaited = this.#total + count
    this.#meter.start()
  }

  /** Fulfilled when all have come. */
  get complete(): Promise<Reply> {
    return this.#complete
  }

  #onMessage(message: unknown): void {
    if (this.#total === this.#awaited) fail('a message that was not asked for')
    if (!this.#payload.is(this.#total, message)) fail(`message ${this.#total} is not what was sent`)
    this.#total += 1
    if (this.#total === this.#awaited) this.#done({ at: now(), cpu: this.#meter.read() })
  }
}

async function listener(transport: Transport, payload: Payload, { own }: Opening): Promise<[End, Reply]> {
  const { port, accepted } = await transport.listen(own)
  const receiver = accepted.then(channel => new Receiver(channel, payload))
  const end: End = async request => {
    const open = await receiver
    if ('usage' in request) return open.complete
    if ('expect' in request) open.expect(request.expect)
    if (!('finish' in request)) return {}
    await open.ended
    return { total: open.total }
  }
  return [end, { port }]
}

// --- both in one -------------------------------------------------------------------------------------------

/** Encoded ahead of decoding: what a connection would have under way. */
const BATCH_BYTES = 1 << 20

function alone(codec: Codec, payload: Payload): End {
  const meter = new Meter()
  const batch = Math.ceil(BATCH_BYTES / payload.bytes)
  let total = 0
  return async request => {
    if (!('run' in request)) return { total }
    meter.start()
    const began = now()
    for (const to = total + request.run; total < to; ) {
      const next = Math.min(total + batch, to)
      passThrough(codec, payload, total, next)
      total = next
    }
    return { at: now() - began, cpu: meter.read() }
  }
}

function passThrough(codec: Codec, payload: Payload, from: number, to: number): void {
  const encoded: Buffer[] = []
  for (let index = from; index < to; index++) encoded.push(codec.encode(payload.make(index)))
  for (let index = from; index < to; index++) {
    const message = codec.decode(encoded[index - from] as Buffer)
    if (!payload.is(index, message)) fail(`message ${index} is not what was encoded`)
  }
}

// --- the process -------------------------------------------------------------------------------------------

function fail(text: string): never {
  console.error(`bench: ${text}`)
  process.exit(1)
}

async function open(opening: Opening): Promise<[End, Reply]> {
  const subject = await loadSubject(opening.subject)
  const payload = payloadOf(opening.payload)
  if ('codec' in subject) return [alone(subject.codec, payload), {}]
  if (opening.role === 'listener') return listener(subject.transport, payload, opening)
  return [await connector(subject.transport, payload, opening), {}]
}

/** Begins to write down where the time goes. */
async function profilerTo(file: string): Promise<{ stop(): Promise<void> }> {
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.start')
  return {
    async stop() {
      const { profile } = await session.post('Profiler.stop')
      writeFileSync(file, JSON.stringify(profile))
    }
  }
}

async function serve(): Promise<void> {
  const [first] = (await once(process, 'message')) as [{ open: Opening }]
  const [end, opened] = await open(first.open)
  const profiler = first.open.profile === null ? null : await profilerTo(first.open.profile)
  process.on('message', async (request: Request) => {
    const reply = await end(request).catch(error => fail(String(error)))
    if ('finish' in request) await profiler?.stop()
    process.send?.(reply)
  })
  process.on('disconnect', () => process.exit(0))
  process.send?.(opened)
}

serve().catch(error => fail(String(error)))
