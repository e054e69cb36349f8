// Plain TCP with msgpackr's streams: the same framing and encoding as the TLS rival, no security at all. A
// reference, for what security costs.

import { once } from 'node:events'
import net, { type AddressInfo, type Socket } from 'node:net'
import { PackrStream, UnpackrStream } from 'msgpackr'
import type { Channel, Transport } from '../subject.ts'

export const transport: Transport = {
  async credentials() {
    return { listener: {}, connector: {} }
  },

  async listen() {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const accepted = once(server, 'connection').then(([socket]) => channelOf(socket as Socket))
    accepted.finally(() => server.close())
    return { port: (server.address() as AddressInfo).port, accepted }
  },

  async connect(port) {
    const socket = net.connect({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    return channelOf(socket)
  }
}

function channelOf(socket: Socket): Channel {
  const outbound = new PackrStream()
  outbound.pipe(socket)
  return { outbound, inbound: socket.pipe(new UnpackrStream()) }
}
