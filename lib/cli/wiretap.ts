// A relay between two ends of a TCP connection that looks at the bytes which pass, and can cut it. Knows the four
// bytes before each record, as everybody on the way does; knows no key, and nothing of what a record holds.
//
//   type u8 │ length u24, big-endian │ body

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'

const HEADER_BYTES = 4
/** The type of a record under application keys: the first one from the caller carries its first message. */
const SEALED = 0xe4

export interface WireOptions {
  /** The port on 127.0.0.1 to pass everything on to. */
  readonly port: number
  /** Cuts the connection when so many bytes have come from the caller. Default: never. */
  readonly cutAfterBytes?: number | undefined
}

/** What the relay has seen. */
export interface WireSeen {
  readonly bytesToListener: number
  readonly bytesToConnector: number
  /** The first sealed record with application data from the caller, header included; null if there was none. */
  readonly firstRecord: Buffer | null
  readonly cut: boolean
}

/** Listens on a free port of 127.0.0.1. */
export async function tapWire(options: WireOptions): Promise<Wiretap> {
  const tap = new Wiretap(options)
  await tap.listening
  return tap
}

export class Wiretap {
  readonly listening: Promise<unknown>
  readonly #options: WireOptions
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  readonly #finder = new RecordFinder()
  #toListener = 0
  #toConnector = 0
  #cut = false

  constructor(options: WireOptions) {
    this.#options = options
    this.#server = net.createServer({ allowHalfOpen: true, noDelay: true }, caller => this.#relay(caller))
    this.#server.listen(0, '127.0.0.1')
    this.listening = once(this.#server, 'listening')
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get seen(): WireSeen {
    return {
      bytesToListener: this.#toListener,
      bytesToConnector: this.#toConnector,
      firstRecord: this.#finder.record,
      cut: this.#cut
    }
  }

  close(): void {
    this.#server.close()
    this.#hangUp()
  }

  #relay(caller: net.Socket): void {
    const host = '127.0.0.1'
    const onward = net.connect({ host, port: this.#options.port, allowHalfOpen: true, noDelay: true })
    for (const socket of [caller, onward]) this.#keep(socket)
    caller.on('data', chunk => this.#onCallerData(chunk))
    onward.on('data', chunk => {
      this.#toConnector += chunk.length
    })
    caller.pipe(onward).pipe(caller)
  }

  /** When one side is gone, so is the other. */
  #keep(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.on('error', () => {}) // `close` follows
    socket.on('close', hadError => {
      this.#sockets.delete(socket)
      if (hadError) this.#hangUp()
    })
  }

  #onCallerData(chunk: Buffer): void {
    this.#toListener += chunk.length
    this.#finder.push(chunk)
    if (this.#toListener < (this.#options.cutAfterBytes ?? Number.POSITIVE_INFINITY)) return
    this.#cut = true
    this.#hangUp()
  }

  #hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** Finds the first sealed record in a stream of bytes, however it was chunked. */
export class RecordFinder {
  record: Buffer | null = null
  #bytes = Buffer.alloc(0)

  push(chunk: Buffer): void {
    if (this.record) return
    this.#bytes = Buffer.concat([this.#bytes, chunk])
    while (!this.record && this.#bytes.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#bytes.readUIntBE(1, 3)
      if (this.#bytes.length < end) return
      if (this.#bytes[0] === SEALED) this.record = this.#bytes.subarray(0, end)
      this.#bytes = this.#bytes.subarray(end)
    }
  }
}
