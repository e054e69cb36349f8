// ws over TLS 1.3 with certificates at both ends, a WebSocket message for each of ours, packed by msgpackr with record
// structures. ws leaves backpressure to its user: here up to 256 KiB may wait.

import { once } from 'node:events'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { Readable, Writable } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { Packr, Unpackr } from 'msgpackr'
import { WebSocket, WebSocketServer } from 'ws'
import type { Channel, Transport } from '../subject.ts'
import { mutual, mutualCertificates, verified } from '../subjects/tls.ts'

const MAX_WAITING_BYTES = 256 * 1024
const MAX_PAYLOAD_BYTES = 2 ** 25

export const transport: Transport = {
  credentials: mutualCertificates,

  async listen(own, accepted) {
    const server = https.createServer(mutual(own))
    const sockets = new WebSocketServer({ server, maxPayload: MAX_PAYLOAD_BYTES })
    sockets.on('connection', (socket, request) => {
      verified(request.socket as TLSSocket)
      accepted(channelOf(socket))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  },

  async connect(port, { key, cert, ca }) {
    const socket = new WebSocket(`wss://127.0.0.1:${port}`, {
      key,
      cert,
      ca,
      minVersion: 'TLSv1.3',
      perMessageDeflate: false,
      maxPayload: MAX_PAYLOAD_BYTES
    })
    await once(socket, 'open')
    return channelOf(socket)
  }
}

const channelOf = (socket: WebSocket): Channel => ({
  outbound: writerTo(socket),
  inbound: readerOf(socket),
  destroy: () => socket.terminate()
})

function writerTo(socket: WebSocket): Writable {
  const packr = new Packr({ sequential: true })
  return new Writable({
    objectMode: true,
    highWaterMark: 256,
    write(message, _encoding, done) {
      const waits = socket.bufferedAmount > MAX_WAITING_BYTES
      socket.send(packr.pack(message), error => {
        if (error || waits) done(error)
      })
      if (!waits) done()
    },
    final(done) {
      socket.close()
      done()
    }
  })
}

function readerOf(socket: WebSocket): Readable {
  const unpackr = new Unpackr({ sequential: true })
  const inbound = new Readable({ objectMode: true, highWaterMark: 256, read: () => socket.resume() })
  socket.on('message', data => {
    if (!inbound.push(unpackr.unpack(data as Buffer))) socket.pause()
  })
  socket.on('close', () => inbound.push(null))
  return inbound
}
