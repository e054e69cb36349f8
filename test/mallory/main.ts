// Mallory as a program: one fault, against whoever is there. It exits with 0 if the peer did on the wire what
// is to be expected of it.
//
//   node --import=tsx test/mallory/main.ts --fault finished-flip --connect 127.0.0.1:4000
//   node --import=tsx test/mallory/main.ts --fault replay-m3 --listen 4000
//   node --import=tsx test/mallory/main.ts --list

import { once } from 'node:events'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { AREAS, faultNamed } from './catalogue.ts'
import type { Fault, Role } from './fault.ts'
import { alertHeard, complaintsOf } from './judge.ts'
import { malloryIdentity } from './keys.ts'
import { Peer } from './peer.ts'
import { dial } from './targets.ts'

const HOST = '127.0.0.1'

function list(): void {
  for (const [area, faults] of Object.entries(AREAS)) {
    console.log(`${area}: ${faults.length}`)
    for (const { name, does, against } of faults) {
      console.log(`  ${name.padEnd(30)} Mallory ${does}; to ${against.join(' and ')}`)
    }
  }
}

/** Host and port, or a port of this machine. */
function addressOf(text: string): { host: string; port: number } {
  const at = text.lastIndexOf(':')
  return { host: at < 0 ? HOST : text.slice(0, at), port: Number(text.slice(at + 1)) }
}

async function connected(text: string): Promise<net.Socket> {
  const socket = await dial(addressOf(text))
  if (socket) return socket
  throw new Error(`nobody listens at ${text}`)
}

async function accepted(text: string): Promise<net.Socket> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(addressOf(text))
  await once(server, 'listening')
  console.log(`listening on port ${(server.address() as net.AddressInfo).port}`)
  const [socket] = await once(server, 'connection')
  server.close()
  return socket
}

function announce({ name, does, target = {} }: Fault): void {
  console.log(`${name}: Mallory ${does}`)
  const settings = Object.keys(target).length > 0 ? JSON.stringify(target) : 'none'
  console.log(`its key: ${malloryIdentity.fingerprint}; settings that the peer needs: ${settings}`)
}

async function meet(fault: Fault, role: Role, socket: net.Socket): Promise<void> {
  const heard = await new Peer(socket, role, fault.acts).run()
  const complaints = complaintsOf(fault, heard)
  console.log(`expected: alert ${fault.expected.alerts.join(' or ')}; seen: alert ${alertHeard(heard)}`)
  for (const complaint of complaints) console.log(`FAIL: ${complaint}`)
  if (complaints.length > 0) process.exitCode = 1
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      fault: { type: 'string', default: 'control-honest' },
      connect: { type: 'string' },
      listen: { type: 'string' },
      list: { type: 'boolean' }
    }
  })
  if (values.list) return list()
  const fault = faultNamed(values.fault)
  const target: Role = values.connect === undefined ? 'initiator' : 'responder'
  if (!fault.against.includes(target))
    throw new Error(`${fault.name} is of no use to a peer that is ${target}`)
  announce(fault)
  if (values.connect !== undefined) await meet(fault, 'initiator', await connected(values.connect))
  else await meet(fault, 'responder', await accepted(values.listen ?? '0'))
}

await main().catch(error => {
  console.error((error as Error).message)
  process.exitCode = 2
})
