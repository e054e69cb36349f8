// Parting: a transport is let go when both sides have ended, and in bounded time and bytes whatever the peer does.

import type { Duplex } from 'node:stream'
import t from 'tap'
import { AFTER_ERROR, AFTER_GOODBYE, type Linger, partFrom } from '../../lib/connection/parting.ts'
import { LINGER_BYTES } from '../../lib/constants.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { pair, transports, turns, within } from '../helpers/pair.ts'

const atOnce = (done: () => void): void => done()

/** Somebody else keeps reading a transport that is parted from. */
function part(transport: Duplex, linger: Linger = AFTER_GOODBYE): Promise<void> {
  transport.resume()
  return within(partFrom(transport, linger, atOnce), 'parting')
}

const listeners = (transport: Duplex): number[] =>
  ['data', 'finish', 'close'].map(name => transport.listenerCount(name))

for (const [name, joined] of Object.entries(transports)) {
  t.test(`${name}: when both part, both are closed, and no listener is left`, async t => {
    const ends = await joined()
    const before = ends.map(listeners)
    await Promise.all(ends.map(end => part(end)))
    t.ok(ends.every(end => end.destroyed))
    t.same(ends.map(listeners), before)
  })
}

t.test('it ends its side at once and waits for the other, so that nothing is lost', async t => {
  const [a, b] = pair()
  const got: Buffer[] = []
  b.on('data', chunk => got.push(chunk))
  a.write('the last word')
  let parted = false
  const parting = part(a).then(() => {
    parted = true
  })
  await turns()
  t.equal(Buffer.concat(got).toString(), 'the last word')
  t.equal(parted, false)
  b.end()
  await parting
})

t.test('it does not end before what was written is flushed', async t => {
  const [a] = pair()
  let flushed: () => void = () => {}
  a.resume()
  const parting = partFrom(a, { bytes: 10, ms: 5000 }, done => {
    flushed = done
  })
  await turns()
  t.equal(a.writableEnded, false)
  flushed()
  t.equal(a.writableEnded, true)
  a.destroy()
  await within(parting, 'parting')
})

t.test('a peer that does not end is let go after a while', async t => {
  const [a] = pair()
  await part(a, { bytes: 100, ms: 30 })
  t.ok(a.destroyed)
})

t.test('a peer that goes on sending is let go after so many bytes', async t => {
  const [a, b] = meddledPair()
  b.on('error', () => {})
  const parting = part(a, { bytes: 1000, ms: 60_000 })
  b.write(Buffer.alloc(1000))
  await turns()
  t.equal(a.destroyed, false, 'so many are taken')
  b.write(Buffer.alloc(1))
  await parting
  t.ok(a.destroyed)
})

t.test('a transport that is closed, that fails, and one that nobody can write to', async t => {
  const [closed] = pair()
  closed.destroy()
  await turns()
  await part(closed)
  const [failing] = meddledPair()
  failing.on('error', () => {})
  const parting = part(failing)
  failing.destroy(new Error('gone'))
  await parting
  const [ended, other] = pair()
  other.resume()
  ended.end()
  other.end()
  await part(ended)
  t.pass('all are over')
})

t.test('after an error the bounds are those of the protocol; after a goodbye only time', async t => {
  t.same(AFTER_ERROR, { bytes: LINGER_BYTES, ms: 1000 })
  t.equal(LINGER_BYTES, 65_536)
  t.same(AFTER_GOODBYE, { bytes: Number.POSITIVE_INFINITY, ms: 1000 })
})
