// Our own implementation as a target behind a command, which shows what such a command has to do: listen or
// connect, once or as often as the setting `resumes` says, and send every message back.
//
//   node --import=tsx test/mallory/echo.ts <role> <host> <port> <settings as JSON>

import { once } from 'node:events'
import net from 'node:net'
import type { Role, Settings } from './fault.ts'
import { echoing, optionsOf } from './own-target.ts'

const [role = '', host = '', port = '', given = '{}'] = process.argv.slice(2)
const settings: Settings = JSON.parse(given)

const options = optionsOf(role as Role, settings)

async function talk(socket: net.Socket): Promise<void> {
  const { connection } = echoing(socket, options, settings)
  connection.on('error', error => console.error(`${role}: ${error.message}`))
  await connection.outcome
}

let left = settings.resumes ?? 1

if (role === 'responder') {
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    if (--left === 0) server.close()
    void talk(socket)
  })
  server.listen(Number(port), host)
} else {
  for (; left > 0; left--) {
    const socket = net.connect({ host, port: Number(port), allowHalfOpen: true })
    await once(socket, 'connect')
    await talk(socket)
  }
}
