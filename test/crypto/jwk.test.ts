// The numbers of a key: the same whoever made the key, and without the standstill of node 20 (see lib/crypto/jwk.ts).

import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { jwkOf } from '../../lib/crypto/jwk.ts'
import { run } from '../helpers/child.ts'

t.test('both halves of both kinds of key', async t => {
  const pairs = [generateKeyPairSync('rsa', { modulusLength: 2048 }), generateKeyPairSync('ed25519')]
  for (const key of pairs.flatMap(({ publicKey, privateKey }) => [publicKey, privateKey])) {
    t.same(jwkOf(key), key.export({ format: 'jwk' }), `${key.asymmetricKeyType}, ${key.type}`)
  }
})

t.test('a process that asks while the garbage of making the key is collected goes on', async t => {
  // With export({ format: 'jwk' }) in place of jwkOf this stands still on node 20, nine times out of ten.
  const script = `
    import { generateKeyPairSync } from 'node:crypto'
    import { jwkOf } from './lib/crypto/jwk.ts'
    for (let pair = 0; pair < 40; pair++) {
      const { publicKey } = generateKeyPairSync('ed25519')
      for (let time = 0; time < 300; time++) jwkOf(publicKey)
    }
    console.log('done')`
  const { code, out, err } = await run(script, { NODE_OPTIONS: '--max-semi-space-size=1' })
  t.same([code, out, err], [0, 'done\n', ''])
})
