// The listener of the demo, a program of its own: takes one connection, from the peer that it was told, counts
// and digests what arrives, and answers with that. Reports to the demo (demo-reports.ts) how it went.

import { once } from 'node:events'
import { type Connection, Identity, type Listener, listener, type StalkError } from '../index.ts'
import { Parent } from './demo-child.ts'
import { APP, HOST, type ListenerTask, securedOf } from './demo-reports.ts'
import { Tally } from './tally.ts'

await Parent.serve(listenOnce)

async function listenOnce({ privateFile, peer }: ListenerTask, parent: Parent): Promise<void> {
  const identity = await Identity.load(privateFile)
  const listening = listener({ host: HOST, port: 0, identity, peer, app: APP, allowHalfOpen: true })
  const taken = new Promise<void>((resolve, reject) => {
    listening.once('connection', (connection: Connection) => {
      receiveAll(connection, parent).then(resolve, reject)
    })
    listening.once('clientError', (error: StalkError) => {
      parent.report({ name: 'refused', code: error.code, text: error.message }).then(resolve, reject)
    })
  })
  await tellPort(listening, parent)
  await taken
  listening.close()
}

async function tellPort(listening: Listener, parent: Parent): Promise<void> {
  if (!listening.listening) await once(listening, 'listening')
  const address = listening.address()
  if (address === null || typeof address === 'string') throw new Error('the listener has no port')
  await parent.report({ name: 'listening', port: address.port })
}

async function receiveAll(connection: Connection, parent: Parent): Promise<void> {
  connection.on('error', () => {}) // `outcome` says the same
  void parent.report({ name: 'secure', ...securedOf(connection) })
  const tally = new Tally()
  try {
    for await (const message of connection) {
      tally.add(message)
      parent.progress(tally.messages)
    }
    await connection.send({ received: tally.total })
    connection.end()
  } catch {
    // It was cut: what was counted so far stands, and `outcome` says why there is no more.
  }
  await parent.report({ name: 'ended', outcome: await connection.outcome, total: tally.total })
}
