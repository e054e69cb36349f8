// A pair of duplexes with somebody on the wire between them, who may change, cut or hold what passes, and two
// connections over such a pair. Bytes are counted from the start of each direction.

import { Duplex } from 'node:stream'
import { type Connection, Identity, type StalkOptions, stalk } from '../../lib/index.ts'

/** An orderly end of the transport, or a failure of it. */
export type Ending = 'cut' | 'reset'

/** What becomes of a chunk that begins at offset `at`: what is passed on in its place, and how the wire ends then. */
export type Tamper = (
  chunk: Buffer,
  at: number
) => Buffer | { readonly last: Buffer; readonly ending: Ending }

export const asItIs: Tamper = chunk => chunk

/** Flips one bit of the byte at `offset`. */
export const flip =
  (offset: number): Tamper =>
  (chunk, at) => {
    if (offset < at || offset >= at + chunk.length) return chunk
    const changed = Buffer.from(chunk)
    changed.writeUInt8(changed.readUInt8(offset - at) ^ (1 << (offset % 8)), offset - at)
    return changed
  }

/** Lets so many bytes through and then ends the wire. */
export const cutAt =
  (offset: number, ending: Ending = 'cut'): Tamper =>
  (chunk, at) =>
    at + chunk.length < offset ? chunk : { last: chunk.subarray(0, offset - at), ending }

class End extends Duplex {
  other: End | null = null
  #at = 0
  readonly #tamper: Tamper
  #waiting: (() => void) | null = null
  #cut = false

  constructor(tamper: Tamper) {
    super()
    this.#tamper = tamper
  }

  override _read(): void {
    this.other?.goOn()
  }

  goOn(): void {
    const waiting = this.#waiting
    this.#waiting = null
    waiting?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (this.#cut) return done()
    const passed = this.#tamper(chunk, this.#at)
    this.#at += chunk.length
    if (!Buffer.isBuffer(passed)) return this.#end(passed.last, passed.ending, done)
    if (this.other?.push(passed)) done()
    else this.#waiting = done
  }

  #end(last: Buffer, ending: Ending, done: () => void): void {
    this.#cut = true
    if (last.length > 0) this.other?.push(last)
    if (ending === 'cut') {
      this.other?.push(null)
      return done()
    }
    const error = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })
    this.other?.destroy(error)
    this.destroy(error)
  }

  override _final(done: () => void): void {
    if (!this.#cut) this.other?.push(null)
    done()
  }

  // As with a socket, whose other end sees that it is gone.
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const { other } = this
    setImmediate(() => {
      if (other && !other.readableEnded && !other.destroyed && !this.#cut) other.push(null)
    })
    done(error)
  }
}

/** Two joined duplexes; the first tamper sees what the first writes. */
export function wire(there: Tamper = asItIs, back: Tamper = asItIs): [Duplex, Duplex] {
  const a = new End(there)
  const b = new End(back)
  a.other = b
  b.other = a
  return [a, b]
}

export interface Two {
  readonly initiator: Connection
  readonly responder: Connection
}

export const ed25519 = {
  initiator: await Identity.generate({ type: 'ed25519' }),
  responder: await Identity.generate({ type: 'ed25519' })
}

/** Two connections that trust each other, unless their options say otherwise. Their errors are in `errored`. */
export function two(
  options: { initiator?: StalkOptions; responder?: StalkOptions; there?: Tamper; back?: Tamper } = {}
): Two {
  const [a, b] = wire(options.there, options.back)
  const initiator = stalk(a, {
    role: 'initiator',
    identity: ed25519.initiator,
    peer: ed25519.responder,
    ...options.initiator
  })
  const responder = stalk(b, {
    role: 'responder',
    identity: ed25519.responder,
    authorize: peer => peer?.equals(ed25519.initiator) === true,
    ...options.responder
  })
  for (const connection of [initiator, responder]) connection.on('error', () => {})
  return { initiator, responder }
}

/** All messages until the end or an error. */
export function collect(connection: Connection): unknown[] {
  const messages: unknown[] = []
  connection.on('data', message => messages.push(message))
  return messages
}
