// The child of child.test.ts: echoes over its stdin and stdout, and says on stderr how it ended.
// Arguments: role, private key file, fingerprint of the peer.

import { Duplex } from 'node:stream'
import { Identity, stalk } from '../../lib/index.ts'

const [role, keyFile, peer] = process.argv.slice(2) as ['initiator' | 'responder', string, string]
const duplex = Duplex.from({ readable: process.stdin, writable: process.stdout })
const identity = await Identity.load(keyFile)
const connection = stalk(duplex, { role, identity, peer, handshakeTimeout: 30_000 })

connection.on('error', () => {}) // it is in the outcome
connection.pipe(connection)
console.error(JSON.stringify(await connection.outcome))
