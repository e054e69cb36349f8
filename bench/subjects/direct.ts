// The limit for the pipeline of stages: the same codecs, called one after the other inside one Duplex, with nothing
// in between and nothing beside: no handshake (the keys are a constant), no acknowledgements, timers or goodbyes.
// As stalk, it takes what is written in a tick together, and waits where the transport does.

import { Duplex } from 'node:stream'
import { pair as duplexPair } from 'stalk/testing'
import {
  Arrived,
  ContentDecoder,
  Deframer,
  MessageDecoder,
  MessageEncoder,
  Opener,
  partsOf,
  Sealer,
  SUITES,
  TYPE,
  trafficKeys
} from '../inside.ts'
import type { Channel, Local, Transport } from '../subject.ts'
import { tcpTransport } from './tcp.ts'

type Done = (error?: Error | null) => void

/** As stalk's sink: what a transport may hold before its drain is awaited, in bytes. */
const MAX_UNWRITTEN_BYTES = 256 * 1024

const suite = SUITES['X25519-AES256GCM-SHA256']
const keys = () => trafficKeys(Buffer.alloc(32, 7), suite)

const refused = (_index: number, error: Error): never => {
  throw error
}

class Direct extends Duplex {
  readonly #transport: Duplex
  readonly #encoder = new MessageEncoder({ views: true })
  readonly #sealer = new Sealer(TYPE.sealedApplication, suite, keys())
  readonly #opener = new Opener(TYPE.sealedApplication, suite, keys())
  readonly #deframer = new Deframer(() => this.#opener.maxBodyBytes)
  readonly #decoder = new ContentDecoder(new MessageDecoder())
  #held: readonly unknown[] = []

  constructor(transport: Duplex) {
    super({ objectMode: true, readableHighWaterMark: 256, writableHighWaterMark: 256 })
    this.#transport = transport
    transport.on('data', (chunk: Buffer) => this.#take(chunk))
    transport.on('end', () => this.push(null))
  }

  override _read(): void {
    this.#transport.resume()
  }

  // The first of a tick waits for its end; those behind it then come together, and it goes with them.
  override _write(message: unknown, _encoding: BufferEncoding, done: Done): void {
    if (this.#held.length > 0) return this.#send([message], done)
    this.#held = [message]
    process.nextTick(() => {
      if (this.writableLength > 1) done()
      else this.#send([], done)
    })
  }

  override _writev(chunks: readonly { chunk: unknown }[], done: Done): void {
    this.#send(
      chunks.map(({ chunk }) => chunk),
      done
    )
  }

  override _final(done: Done): void {
    this.#transport.end(done)
  }

  override _destroy(error: Error | null, done: Done): void {
    this.#transport.destroy()
    done(error)
  }

  #send(messages: readonly unknown[], done: Done): void {
    const all = this.#held.length > 0 ? [...this.#held, ...messages] : messages
    this.#held = []
    let more = true
    for (const content of this.#encoder.encode(all, refused)) {
      this.#transport.cork()
      for (const part of partsOf(this.#sealer.seal(content))) more = this.#transport.write(part)
      this.#transport.uncork()
    }
    if (more || this.#transport.writableLength < MAX_UNWRITTEN_BYTES) process.nextTick(done)
    else this.#transport.once('drain', done)
  }

  #take(chunk: Buffer): void {
    this.#deframer.push(chunk)
    let more = true
    for (let frame = this.#deframer.next(); frame; frame = this.#deframer.next()) {
      const opened = this.#opener.open(frame)
      frame.loan?.giveBack()
      const arrived = this.#decoder.decode(opened)
      if (!(arrived instanceof Arrived)) continue
      for (const message of arrived.messages) more = this.push(message)
    }
    if (!more) this.#transport.pause()
  }
}

function channelOf(transport: Duplex): Channel {
  const direct = new Direct(transport)
  return { outbound: direct, inbound: direct, destroy: () => direct.destroy() }
}

export const local: Local = {
  async pair() {
    const { ends } = duplexPair({ there: { capacity: 2 ** 20 } })
    return [channelOf(ends[0]), channelOf(ends[1])]
  }
}

export const transport: Transport = tcpTransport(channelOf)
