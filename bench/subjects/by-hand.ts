// The limit for whatever encrypts with node:crypto: an AES-256-GCM record a message, written by hand, with as little
// around it as there can be. No handshake (the key is a constant), no checks, no limits, no goodbye: nobody's protocol.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import type { Socket } from 'node:net'
import { type Duplex, Transform, type TransformCallback } from 'node:stream'
import { pack, unpack } from 'msgpackr'
import type { Channel, Transport } from '../subject.ts'
import { Reassembler, tcpTransport } from './tcp.ts'

const KEY = Buffer.alloc(32, 7)
const TAG_BYTES = 16
const OPTIONS = { authTagLength: TAG_BYTES }

function nonceOf(sequence: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(sequence, 8)
  return nonce
}

/** Records in, messages out. */
class Unsealer extends Transform {
  #sequence = 0

  constructor() {
    super({ objectMode: true })
  }

  override _transform(record: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const opening = createDecipheriv('aes-256-gcm', KEY, nonceOf(this.#sequence++), OPTIONS)
    opening.setAuthTag(record.subarray(-TAG_BYTES))
    const plaintext = opening.update(record.subarray(0, -TAG_BYTES))
    opening.final()
    done(null, plaintext.length > LARGEST_OBJECT ? plaintext : unpack(plaintext))
  }
}

/** What is longer is a Buffer, and sent as it is. */
const LARGEST_OBJECT = 512

function byHand(socket: Socket | Duplex): Channel {
  let sequence = 0
  const outbound = {
    write(message: unknown) {
      const plaintext = Buffer.isBuffer(message) ? message : pack(message)
      const sealing = createCipheriv('aes-256-gcm', KEY, nonceOf(sequence++), OPTIONS)
      const length = Buffer.allocUnsafe(4)
      length.writeUInt32BE(plaintext.length + TAG_BYTES)
      socket.cork()
      socket.write(length)
      socket.write(sealing.update(plaintext))
      sealing.final()
      const more = socket.write(sealing.getAuthTag())
      socket.uncork()
      return more
    },
    end: () => socket.end(),
    once: (event: 'drain', listener: () => void) => socket.once(event, listener)
  }
  const inbound = socket.pipe(new Reassembler()).pipe(new Unsealer())
  return { outbound, inbound, destroy: () => socket.destroy() }
}

export const gcmByHand: Transport = tcpTransport(byHand)
