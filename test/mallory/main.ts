// Mallory as a program: one fault, against whoever is there. It exits with 0 if the peer did on the wire what
// is to be expected of it.
//
//   node --import=tsx test/mallory/main.ts --fault finished-flip --connect 127.0.0.1:4000
//   node --import=tsx test/mallory/main.ts --fault replay-m3 --listen 4000
//   node --import=tsx test/mallory/main.ts --list

import { on, once } from 'node:events'
import net from 'node:net'
import { parseArgs } from 'node:util'
import { AREAS, faultNamed } from './catalogue.ts'
import { type Fault, type Role, stepsOf } from './fault.ts'
import { alertHeard, complaintsOf } from './judge.ts'
import { malloryIdentity } from './keys.ts'
import { Memory } from './memory.ts'
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

/** Connects there, as often as is asked for. */
async function* connected(text: string): AsyncGenerator<net.Socket> {
  for (;;) {
    const socket = await dial(addressOf(text))
    if (!socket) throw new Error(`nobody listens at ${text}`)
    yield socket
  }
}

/** Takes connections there, one after the other. */
async function* accepted(text: string): AsyncGenerator<net.Socket> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(addressOf(text))
  await once(server, 'listening')
  console.log(`listening on port ${(server.address() as net.AddressInfo).port}`)
  try {
    for await (const [socket] of on(server, 'connection')) yield socket
  } finally {
    server.close()
  }
}

function announce({ name, does, target = {} }: Fault): void {
  console.log(`${name}: Mallory ${does}`)
  const settings = Object.keys(target).length > 0 ? JSON.stringify(target) : 'none'
  console.log(`its key: ${malloryIdentity.fingerprint}; settings that the peer needs: ${settings}`)
}

async function meet(fault: Fault, role: Role, sockets: AsyncGenerator<net.Socket>): Promise<void> {
  const memory = new Memory()
  for (const step of stepsOf(fault)) {
    const { value: socket } = await sockets.next()
    await talk(step, new Peer(socket, role, step.acts, memory))
  }
  await sockets.return(undefined)
}

async function talk(fault: Fault, peer: Peer): Promise<void> {
  const heard = await peer.run()
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
  if (values.connect !== undefined) await meet(fault, 'initiator', connected(values.connect))
  else await meet(fault, 'responder', accepted(values.listen ?? '0'))
}

await main().catch(error => {
  console.error((error as Error).message)
  process.exitCode = 2
})
