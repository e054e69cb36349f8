// Traffic: the keys of one direction and the way to the next ones, against the formulas of the protocol.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { SUITES } from '../../lib/crypto/suites.ts'
import { trafficKeys } from '../../lib/handshake/schedule.ts'
import { Traffic } from '../../lib/handshake/traffic.ts'
import { Opener } from '../../lib/wire/record.ts'
import { EL } from '../helpers/formulas.ts'

const BAD = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }
const content = { type: 2, body: Buffer.from('91c3', 'hex') }

for (const suite of Object.values(SUITES)) {
  t.test(`${suite.name}: each secret follows from the one before, and seals from sequence 0 on`, async t => {
    let secret: Buffer = randomBytes(32)
    const traffic = new Traffic(suite, Buffer.from(secret))
    for (let epoch = 0; epoch < 5; epoch++) {
      const sealer = traffic.sealer()
      const opener = new Opener(0xe4, suite, trafficKeys(secret, suite))
      for (let n = 0; n < 3; n++) t.match(opener.open(sealer.seal(content)), content)
      traffic.advance()
      secret = EL(secret, 'upd', Buffer.alloc(0), 32)
    }
  })

  t.test(`${suite.name}: what one secret has sealed opens under no other`, async t => {
    const secret = randomBytes(32)
    const [sealing, opening] = [
      new Traffic(suite, Buffer.from(secret)),
      new Traffic(suite, Buffer.from(secret))
    ]
    const old = sealing.sealer().seal(content)
    opening.advance()
    t.throws(() => opening.opener().open(old), BAD)
    sealing.advance()
    t.match(opening.opener().open(sealing.sealer().seal(content)), content)
    opening.advance()
    t.throws(() => opening.opener().open(sealing.sealer().seal(content)), BAD)
  })
}

t.test('the secret that is left behind is wiped', async t => {
  const secret = randomBytes(32)
  const traffic = new Traffic(SUITES['X25519-AES256GCM-SHA256'], secret)
  traffic.advance()
  t.ok(secret.equals(Buffer.alloc(32)))
})
