// The limit for whatever encrypts with node:crypto and gives each buffer memory of its own: AES-256-GCM written by hand,
// with as little around it as there can be. What is written in a tick shares a record, up to 64 KiB. No streams,
// no handshake (the key is a constant), no checks, no limits, no goodbye: nobody's protocol.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pack, unpack } from 'msgpackr'
import type { Channel, Transport } from '../subject.ts'
import { lengthOf, Reassembly, tcpTransport } from './tcp.ts'

const KEY = Buffer.alloc(32, 7)
const TAG_BYTES = 16
const LENGTH_BYTES = 4
const OPTIONS = { authTagLength: TAG_BYTES }

/** A record holds so much, in bytes, or one message. */
const FULL_BYTES = 65_536

/** What is longer is a Buffer, and sent as it is. */
const LARGEST_OBJECT = 512

function nonceOf(sequence: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(sequence, 8)
  return nonce
}

/** Records in, messages out. */
class Opening {
  readonly #each: (message: unknown) => void
  #sequence = 0

  constructor(each: (message: unknown) => void) {
    this.#each = each
  }

  open(record: Buffer): void {
    const opening = createDecipheriv('aes-256-gcm', KEY, nonceOf(this.#sequence++), OPTIONS)
    opening.setAuthTag(record.subarray(-TAG_BYTES))
    const plaintext = opening.update(record.subarray(0, -TAG_BYTES))
    opening.final()
    for (let at = 0; at < plaintext.length; ) {
      const from = at + LENGTH_BYTES
      at = from + plaintext.readUInt32BE(at)
      this.#each(messageIn(plaintext, from, at))
    }
  }
}

function messageIn(plaintext: Buffer, from: number, to: number): unknown {
  const bytes = plaintext.subarray(from, to)
  if (bytes.length <= LARGEST_OBJECT) return unpack(bytes)
  return bytes.length > plaintext.length / 2 ? bytes : Uint8Array.prototype.slice.call(bytes)
}

/** Messages in, records to the socket. */
class Sealing {
  readonly #socket: Socket | Duplex
  #sequence = 0
  #parts: Buffer[] = []
  #bytes = 0
  #waiting = false

  constructor(socket: Socket | Duplex) {
    this.#socket = socket
  }

  write(message: unknown): boolean {
    const body = Buffer.isBuffer(message) ? message : pack(message)
    this.#parts.push(lengthOf(body.length), body)
    this.#bytes += LENGTH_BYTES + body.length
    if (this.#bytes + body.length > FULL_BYTES) return this.#flush()
    if (!this.#waiting) process.nextTick(() => this.#flush())
    this.#waiting = true
    return true
  }

  #flush(): boolean {
    this.#waiting = false
    if (this.#bytes === 0) return true
    // Long messages are encrypted where they are, short ones together.
    const parts = this.#parts.length > 2 ? [Buffer.concat(this.#parts, this.#bytes)] : this.#parts
    const sealing = createCipheriv('aes-256-gcm', KEY, nonceOf(this.#sequence++), OPTIONS)
    this.#socket.cork()
    this.#socket.write(lengthOf(this.#bytes + TAG_BYTES))
    for (const part of parts) this.#socket.write(sealing.update(part))
    sealing.final()
    const more = this.#socket.write(sealing.getAuthTag())
    this.#socket.uncork()
    this.#parts = []
    this.#bytes = 0
    return more
  }
}

function byHand(socket: Socket | Duplex): Channel {
  const sealing = new Sealing(socket)
  const outbound = {
    write: (message: unknown) => sealing.write(message),
    end: () => socket.end(),
    once: (event: 'drain', listener: () => void) => socket.once(event, listener)
  }
  const inbound = new EventEmitter()
  const opening = new Opening(message => inbound.emit('data', message))
  const reassembly = new Reassembly(record => opening.open(record))
  socket.on('data', (chunk: Buffer) => reassembly.take(chunk)).on('end', () => inbound.emit('end'))
  return { outbound, inbound, destroy: () => socket.destroy() }
}

export const gcmByHand: Transport = tcpTransport(byHand)
