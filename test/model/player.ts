// A player: one end of a schedule. Does what it is told to its connection, and keeps what it has said, what it has
// read, and what was promised to it. Knows one connection; judges only what can be judged at once.

import { isDeepStrictEqual } from 'node:util'
import type { Connection, StalkError } from '../../lib/index.ts'
import { turns } from '../helpers/pair.ts'
import { type EndSetup, MAX_MESSAGE, type Size } from './schedule.ts'

/** What may become of a message: `null` while nothing is known, otherwise what its caller was told. */
export interface Said {
  readonly message: unknown
  readonly fit: boolean
  fate: 'taken' | Error | null
  /** Its sender gave it up in time. */
  withdrawn: boolean
}

interface Promised {
  readonly what: string
  settled: number
}

const fitting = (n: number, size: number): unknown => ({
  n,
  text: 'é'.repeat(size % 7),
  bytes: Buffer.alloc(size, n)
})

const UNFIT: Record<Exclude<Size, number>, (n: number) => unknown> = {
  unfit: n => ({ n, deep: [Symbol.iterator] }),
  null: () => null,
  'too large': () => Buffer.alloc(MAX_MESSAGE + 1)
}

const REFUSED = new Set(['ERR_STALK_VALUE_UNSUPPORTED', 'ERR_STALK_MESSAGE_TOO_LARGE'])

export class Player {
  readonly name: string
  readonly connection: Connection
  readonly said: Said[] = []
  readonly got: unknown[] = []
  readonly events: string[] = []
  readonly errors: Error[] = []
  readonly promised: Promised[] = []
  readonly complaints: string[] = []
  peer: Player = this
  /** Whether it has destroyed its connection: of an error that came before, only the outcome tells it. */
  destroyer = false
  /** Whether what it reads from now on is kept by nobody. */
  careless = false
  readonly #setup: EndSetup
  #paused = false
  #released = false
  #goOn: () => void = () => {}

  constructor(name: string, connection: Connection, setup: EndSetup) {
    this.name = name
    this.connection = connection
    this.#setup = setup
    for (const event of ['secure', 'end', 'error', 'close']) {
      connection.on(event, () => this.events.push(event))
    }
    connection.on('error', error => this.errors.push(error))
    connection.on('messageError', error => this.#onMessageError(error))
    this.promise('ready', connection.ready)
    this.promise('outcome', connection.outcome)
    if (setup.reading === 'data') connection.on('data', message => this.#take(message))
    else if (setup.reading !== 'read') this.promise('the loop', this.#loop())
  }

  complain(text: string): void {
    this.complaints.push(`${this.name}: ${text}`)
  }

  /** Keeps a promise in mind, and tells when it was fulfilled. */
  promise<T>(what: string, promise: Promise<T>, fulfilled: (value: T) => void = () => {}): Promise<void> {
    const promised = { what, settled: 0 }
    this.promised.push(promised)
    return promise.then(
      value => {
        promised.settled += 1
        fulfilled(value)
      },
      () => {
        promised.settled += 1
      }
    )
  }

  // --- reading -------------------------------------------------------------------------------------------

  #take(message: unknown): void {
    if (!this.events.includes('secure')) this.complain('a message before secure')
    if (this.events.includes('end') || this.events.includes('close'))
      this.complain('a message behind the end')
    this.got.push(message)
  }

  async #loop(): Promise<void> {
    for await (const message of this.connection) {
      this.#take(message)
      if (this.#paused) await new Promise<void>(resolve => (this.#goOn = resolve))
      if (this.#setup.reading === 'slow loop' && !this.#released) await turns(2)
    }
  }

  read(count: number): void {
    if (this.#setup.reading !== 'read' || this.#released) return
    for (let n = 0; n < count; n++) {
      const message = this.connection.read()
      if (message === null) return
      this.#take(message)
    }
  }

  pause(): void {
    this.#paused = true
    if (this.#setup.reading === 'data') this.connection.pause()
  }

  resume(): void {
    this.#paused = false
    if (this.#setup.reading === 'data') this.connection.resume()
    this.#goOn()
  }

  /** From now on everything is read and nothing held back. */
  release(): void {
    this.#released = true
    this.resume()
    if (this.#setup.reading === 'read') this.connection.on('data', message => this.#take(message))
    while (this.connection.writableCorked > 0) this.connection.uncork()
  }

  // --- saying --------------------------------------------------------------------------------------------

  #make(size: Size): Said {
    const n = this.said.length
    const message = typeof size === 'number' ? fitting(n, size) : UNFIT[size](n)
    const said = { message, fit: typeof size === 'number', fate: null, withdrawn: false }
    this.said.push(said)
    return said
  }

  write(size: Size): void {
    if (!this.connection.writable || size === 'null') return // that is thrown, as by every stream
    const said = this.#make(size)
    const promised = { what: `the callback of message ${this.said.length - 1}`, settled: 0 }
    this.promised.push(promised)
    this.connection.write(said.message, error => {
      promised.settled += 1
      this.#told(said, error ?? null)
    })
  }

  send(size: Size, signal?: AbortSignal): Promise<void> {
    if (!this.connection.writable) return this.promise('a late send', this.#late())
    const said = this.#make(size)
    const sending = this.connection.send(said.message, signal ? { signal } : {})
    sending.then(
      () => this.#told(said, null),
      error => {
        said.withdrawn = signal !== undefined && error.cause === signal.reason && signal.aborted
        this.#told(said, error)
      }
    )
    return this.promise('a send', sending)
  }

  async #late(): Promise<void> {
    const code = await this.connection.send('too late').then(
      () => 'none',
      (error: StalkError) => error.code
    )
    if (code !== 'ERR_STALK_NOT_WRITABLE') this.complain(`a late send is told ${code}`)
  }

  #told(said: Said, error: Error | null): void {
    said.fate = error ?? 'taken'
    if (!error && !said.fit) this.complain('a message that cannot be carried was taken')
    if (said.fit && REFUSED.has((error as StalkError | null)?.code ?? ''))
      this.complain('a good message was refused')
  }

  #onMessageError(error: StalkError): void {
    if (!REFUSED.has(error.code)) this.complain(`messageError with ${error.code}`)
  }

  // --- asking --------------------------------------------------------------------------------------------

  /** How many of the first messages are to arrive, as far as is known. */
  #owed(count: number): number {
    return this.said.slice(0, count).filter(({ fit, withdrawn }) => fit && !withdrawn).length
  }

  flush(acked: boolean): Promise<void> {
    const count = this.said.length
    return this.promise('a flush', this.connection.flush({ acked }), () => {
      const counted = acked ? this.peer.connection.counters.inbound : this.connection.counters.outbound
      if (counted.messages < this.#owed(count))
        this.complain(`a flush (acked: ${acked}) before everything was where it should be`)
    })
  }

  rekey(): void {
    const { inbound, outbound } = this.connection.counters
    void this.promise('a rekey', this.connection.rekey(), () => {
      const now = this.connection.counters
      if (now.inbound.epoch <= inbound.epoch || now.outbound.epoch <= outbound.epoch)
        this.complain('a rekey without new keys')
    })
  }

  rtt(): void {
    void this.promise('an rtt', this.connection.rtt(), ms => {
      if (!(ms >= 0)) this.complain(`a round trip of ${ms} ms`)
    })
  }

  destroy(error?: Error): void {
    this.destroyer = true
    this.connection.destroy(error)
  }

  dispose(): void {
    this.careless = this.#setup.reading !== 'data'
    this.#released = true
    void this.promise('a disposal', this.connection[Symbol.asyncDispose]())
  }

  /** Whether what was read is the beginning of what the peer has said. */
  get isPrefix(): boolean {
    const good = this.peer.said.filter(({ fit, withdrawn }) => fit && !withdrawn)
    return this.got.every((message, index) => isDeepStrictEqual(message, good[index]?.message))
  }
}
