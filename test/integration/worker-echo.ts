// The worker of worker.test.ts: echoes over the MessagePort that it is given.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { Identity, stalk } from '../../lib/index.ts'
import { PortDuplex } from './port-duplex.ts'

const { port, role, keyFile, peer } = workerData as {
  port: MessagePort
  role: 'initiator' | 'responder'
  keyFile: string
  peer: string
}
const identity = await Identity.load(keyFile)
const connection = stalk(new PortDuplex(port), { role, identity, peer, handshakeTimeout: 30_000 })

connection.on('error', () => {}) // it is in the outcome
connection.pipe(connection)
parentPort?.postMessage(await connection.outcome)
