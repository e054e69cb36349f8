// Key updates: who may ask and answer when, and under which keys goes what comes behind.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { SUITES } from '../../lib/crypto/suites.ts'
import { Traffic } from '../../lib/handshake/traffic.ts'
import { KeyUpdates } from '../../lib/pipeline/key-updates.ts'
import type { Opener, Outbound, Sealer } from '../../lib/wire/record.ts'

const suite = SUITES['X25519-AES256GCM-SHA256']
const LIMITS = { records: 10, bytes: 1_000 }

interface Side {
  readonly updates: KeyUpdates
  sealer: Sealer
  opener: Opener
}

/** Both ends of one connection. */
function sides(): [Side, Side] {
  const [there, back] = [randomBytes(32), randomBytes(32)]
  const traffic = (secret: Buffer): Traffic => new Traffic(suite, Buffer.from(secret))
  const side = (inbound: Traffic, outbound: Traffic): Side => ({
    updates: new KeyUpdates({ inbound, outbound }, LIMITS),
    sealer: outbound.sealer(),
    opener: inbound.opener()
  })
  return [side(traffic(back), traffic(there)), side(traffic(there), traffic(back))]
}

/** Seals what is handed over, and lets the other end open it: what it asks for. */
function cross(items: readonly Outbound[], from: Side, to: Side): boolean[] {
  const asked: boolean[] = []
  for (const item of items) {
    if ('key' in item) from.sealer = item.key
    else if ('type' in item) {
      const { type, body } = to.opener.open(from.sealer.seal(item))
      if (type === KIND.keyUpdate) asked.push(body[0] === 1)
    }
  }
  return asked
}

const unexpected = (message: string) => ({ code: 'ERR_STALK_UNEXPECTED', message })

t.test('asked and answered, both directions have a new key', async t => {
  const [a, b] = sides()
  t.same(cross(a.updates.ask(), a, b), [true])
  t.equal(a.updates.asked, true)
  const change = b.updates.hear(true)
  b.opener = change.opener
  t.same(cross(change.answer, b, a), [false])
  a.opener = a.updates.hear(false).opener
  t.equal(a.updates.asked, false)
  cross([{ type: KIND.messages, body: Buffer.from('91c3', 'hex') }], a, b)
  cross([{ type: KIND.messages, body: Buffer.from('91c3', 'hex') }], b, a)
  t.same(
    [a.updates.epochs, b.updates.epochs],
    [
      { inbound: 1, outbound: 1 },
      { inbound: 1, outbound: 1 }
    ]
  )
})

t.test('an answer to nothing changes nothing', async t => {
  const [a] = sides()
  t.throws(
    () => a.updates.hear(false),
    unexpected('the peer answered a request for new keys that was not made')
  )
  t.same(a.updates.epochs, { inbound: 0, outbound: 0 })
  a.updates.ask()
  a.updates.hear(false)
  t.throws(
    () => a.updates.hear(false),
    unexpected('the peer answered a request for new keys that was not made')
  )
})

t.test('a second request before our answer to the first was sealed', async t => {
  const [a] = sides()
  a.updates.hear(true)
  t.throws(() => a.updates.hear(true), unexpected('the peer asked for new keys twice, without an answer'))
  t.same(a.updates.epochs, { inbound: 1, outbound: 1 })
  a.updates.answered()
  a.updates.hear(true)
  t.same(a.updates.epochs, { inbound: 2, outbound: 2 })
})

t.test('after its goodbye the peer may answer, not ask', async t => {
  const [a] = sides()
  a.updates.ask()
  a.updates.peerClosed()
  t.throws(() => a.updates.hear(true), unexpected('the peer asked for new keys after its goodbye'))
  a.updates.hear(false)
  t.same(a.updates.epochs, { inbound: 1, outbound: 1 })
})

t.test('due from either limit on, unless it was asked for already', async t => {
  const [a] = sides()
  t.equal(a.updates.isDue({ records: 9, bytes: 999 }), false)
  t.equal(a.updates.isDue({ records: 10, bytes: 0 }), true)
  t.equal(a.updates.isDue({ records: 0, bytes: 1_000 }), true)
  a.updates.ask()
  t.equal(a.updates.isDue({ records: 10, bytes: 1_000 }), false)
  a.updates.hear(false)
  t.equal(a.updates.isDue({ records: 10, bytes: 1_000 }), true)
})
