// WebSockets, of the package ws: createWebSocketStream makes a duplex of one.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createWebSocketStream, WebSocket, WebSocketServer } from 'ws'
import { carries, type Link } from './talk.ts'

async function make(): Promise<Link> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = new WebSocket(`ws://127.0.0.1:${port}`)
  // At once: what comes before somebody listens is lost.
  const called = createWebSocketStream(client)
  const [accepted] = await Promise.all([
    once(server, 'connection').then(([socket]) => createWebSocketStream(socket as WebSocket)),
    once(client, 'open')
  ])
  return { called, accepted, cut: () => client.terminate(), close: () => server.close() }
}

carries({ name: 'a WebSocket', closesBothWays: true, make })
