// Our own implementation as a target behind a command, which shows what such a command has to do: listen or
// connect, once, and send every message back.
//
//   node --import=tsx test/mallory/echo.ts <role> <host> <port> <settings as JSON>

import net from 'node:net'
import type { Role, Settings } from './fault.ts'
import { echoing } from './own-target.ts'

const [role = '', host = '', port = '', given = '{}'] = process.argv.slice(2)
const settings: Settings = JSON.parse(given)

const talk = (socket: net.Socket): void => {
  const { connection } = echoing(socket, role as Role, settings)
  connection.on('error', error => console.error(`${role}: ${error.message}`))
}

if (role === 'responder') {
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    server.close()
    talk(socket)
  })
  server.listen(Number(port), host)
} else {
  const socket = net.connect({ host, port: Number(port), allowHalfOpen: true }, () => talk(socket))
}
