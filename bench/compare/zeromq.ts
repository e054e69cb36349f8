// ZeroMQ with CURVE between two DEALER sockets over TCP, and msgpackr with record structures. The connector checks the
// listener's key; the listener takes any key, since checking would need a ZAP handler.

import { Readable, Writable } from 'node:stream'
import { Packr, Unpackr } from 'msgpackr'
import * as zmq from 'zeromq'
import type { Channel, Transport } from '../subject.ts'

const HELLO = 'hello'
const GOODBYE = 'goodbye'

export const transport: Transport = {
  async credentials() {
    const [ours, theirs] = [zmq.curveKeyPair(), zmq.curveKeyPair()]
    return { listener: { ...ours }, connector: { ...theirs, peer: ours.publicKey } }
  },

  async listen({ publicKey = '', secretKey = '' }, accepted) {
    const curve = { curveServer: true, curvePublicKey: publicKey, curveSecretKey: secretKey }
    const socket = new zmq.Dealer({ ...curve, linger: 0 })
    await socket.bind('tcp://127.0.0.1:*')
    greeted(socket).then(() => accepted(channelOf(socket)))
    return Number(socket.lastEndpoint.split(':').at(-1))
  },

  async connect(port, { publicKey = '', secretKey = '', peer = '' }) {
    const curve = { curvePublicKey: publicKey, curveSecretKey: secretKey, curveServerKey: peer }
    const socket = new zmq.Dealer({ ...curve, linger: 1_000 })
    socket.connect(`tcp://127.0.0.1:${port}`)
    await greeted(socket)
    return channelOf(socket)
  }
}

/** A message each way: both ends are connected then. */
async function greeted(socket: zmq.Dealer): Promise<void> {
  await socket.send(HELLO)
  const [greeting] = await socket.receive()
  if (greeting.toString() !== HELLO) throw new Error('zeromq: no greeting')
}

function channelOf(socket: zmq.Dealer): Channel {
  const packr = new Packr({ sequential: true })
  const outbound = new Writable({
    objectMode: true,
    highWaterMark: 256,
    write: (message, _encoding, done) => void socket.send(packr.pack(message)).then(() => done(), done),
    final: done => void socket.send(GOODBYE).then(() => done(), done)
  })
  return { outbound, inbound: Readable.from(messagesOf(socket)), destroy: () => socket.close() }
}

async function* messagesOf(socket: zmq.Dealer): AsyncGenerator<unknown> {
  const unpackr = new Unpackr({ sequential: true })
  for await (const [bytes] of socket) {
    if (bytes.length === GOODBYE.length && bytes.toString() === GOODBYE) return
    yield unpackr.unpack(bytes)
  }
}
