// Plain TCP, no security at all: bare; with four bytes of length before each buffer, the limit for buffers; and with
// msgpackr's streams, the same framing and encoding as the TLS rival.

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { type Duplex, Transform } from 'node:stream'
import { PackrStream, UnpackrStream } from 'msgpackr'
import type { Channel, Transport } from '../subject.ts'

export function tcpTransport(channelOf: (socket: Socket) => Channel): Transport {
  return {
    async credentials() {
      return { listener: {}, connector: {} }
    },

    async listen(_own, accepted) {
      const server = net.createServer(socket => accepted(channelOf(socket)))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      return (server.address() as AddressInfo).port
    },

    async connect(port) {
      const socket = net.connect({ host: '127.0.0.1', port })
      await once(socket, 'connect')
      return channelOf(socket)
    }
  }
}

/** Bytes as they are. */
export const bare = (socket: Duplex): Channel => ({
  outbound: socket,
  inbound: socket,
  destroy: () => socket.destroy()
})

/** msgpackr's streams with their defaults, record structures included: what a Node user would write. */
export function withMsgpackr(socket: Duplex): Channel {
  const outbound = new PackrStream()
  outbound.pipe(socket)
  return { outbound, inbound: socket.pipe(new UnpackrStream()), destroy: () => socket.destroy() }
}

const LENGTH_BYTES = 4

export function lengthOf(bytes: number): Buffer {
  const length = Buffer.allocUnsafe(LENGTH_BYTES)
  length.writeUInt32BE(bytes)
  return length
}

/** Takes bytes as they come, and hands over the buffers that were sent, each copied once. */
export class Reassembly {
  readonly #each: (body: Buffer) => void
  readonly #length = Buffer.alloc(LENGTH_BYTES)
  #lengthFill = 0
  #body: Buffer | null = null
  #fill = 0

  constructor(each: (body: Buffer) => void) {
    this.#each = each
  }

  take(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) at += this.#body ? this.#takeBody(chunk, at) : this.#takeLength(chunk, at)
  }

  #takeLength(chunk: Buffer, at: number): number {
    const taken = chunk.copy(this.#length, this.#lengthFill, at)
    this.#lengthFill += taken
    if (this.#lengthFill === LENGTH_BYTES) this.#body = Buffer.allocUnsafe(this.#length.readUInt32BE())
    return taken
  }

  #takeBody(chunk: Buffer, at: number): number {
    const body = this.#body as Buffer
    const taken = chunk.copy(body, this.#fill, at)
    this.#fill += taken
    if (this.#fill === body.length) {
      this.#body = null
      this.#fill = this.#lengthFill = 0
      this.#each(body)
    }
    return taken
  }
}

function reassembler(): Transform {
  const reassembly = new Reassembly(body => stream.push(body))
  const stream = new Transform({
    readableObjectMode: true,
    transform(chunk: Buffer, _encoding, done) {
      reassembly.take(chunk)
      done()
    }
  })
  return stream
}

function withLengths(socket: Socket): Channel {
  const outbound = {
    write(message: unknown) {
      const body = message as Buffer
      socket.cork()
      socket.write(lengthOf(body.length))
      const more = socket.write(body)
      socket.uncork()
      return more
    },
    end: () => socket.end(),
    once: (event: 'drain', listener: () => void) => socket.once(event, listener)
  }
  return { outbound, inbound: socket.pipe(reassembler()), destroy: () => socket.destroy() }
}

export const bareTcp: Transport = tcpTransport(bare)
export const tcpWithLengths: Transport = tcpTransport(withLengths)
export const tcpWithMsgpackr: Transport = tcpTransport(withMsgpackr)
