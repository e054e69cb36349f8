// A process of its own that remembers keys in a file of known peers: `node --import=tsx writer.ts FILE NAME COUNT`.

import { readFileSync } from 'node:fs'
import { Identity, knownPeers } from '../../lib/index.ts'

const [file = '', name = '', count = '1', pem = ''] = process.argv.slice(2)
const identity = Identity.fromPem(readFileSync(pem))
const peers = knownPeers(file)
try {
  for (let n = 0; n < Number(count); n++) await peers.add(`[${name}-${n}.example.org]:4000`, identity)
  console.log('done')
} catch (error) {
  console.log(`${(error as { code: string }).code} ${(error as Error).message}`)
}
