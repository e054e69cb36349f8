// A worker of the cluster in cluster.test.ts: an echo that notes each message in a file before it counts as received,
// so that the file holds, whenever the worker is killed, all that it can have acknowledged.

import { appendFileSync } from 'node:fs'
import { Identity, listener, TicketKeys } from '../../lib/index.ts'

const [keyFile = '', secret = '', log = '', name = ''] = process.argv.slice(2)

const noting = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => {
      appendFileSync(log, `${name} ${String(value)}\n`)
      return { value }
    }
  }
}

const identity = await Identity.load(keyFile)
const tickets = new TicketKeys({ secret: Buffer.from(secret, 'hex') })
listener({ host: '127.0.0.1', port: 0, identity, tickets, schema: noting }, connection => {
  connection.on('error', () => {}).on('data', () => connection.write([name, connection.security?.resumed]))
})
