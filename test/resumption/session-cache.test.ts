// What an initiator keeps to resume: by place, given away once, for a time, and bounded.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import type { HeldTicket } from '../../lib/handshake/resumption.ts'
import { SessionCache } from '../../lib/resumption/session-cache.ts'

const time = { now: 0 }
const cacheOf = (max?: number): SessionCache => {
  time.now = 1_000_000
  return new SessionCache(max === undefined ? {} : { max }, () => time.now)
}

let made = 0
const held = (): HeldTicket => ({
  ticket: Buffer.of(made++ & 255),
  session: {
    version: 1,
    suite: 1,
    app: Buffer.alloc(32),
    initiator: Buffer.alloc(33),
    responder: Buffer.alloc(33),
    psk: randomBytes(32)
  }
})

const any = (): boolean => true
const none = (): boolean => false
const FOREVER = Number.POSITIVE_INFINITY

t.test('a session is given away once, the newest first, at its place only', async t => {
  const cache = cacheOf()
  const [one, two] = [held(), held()]
  cache.keep('here', one, 1_000, FOREVER)
  cache.keep('here', two, 1_000, FOREVER)
  t.equal(cache.take('there', any), null)
  t.equal(cache.take('here', none), null)
  t.equal(cache.size, 2)
  t.same(cache.take('here', any)?.ticket, two.ticket)
  t.same(cache.take('here', any)?.ticket, one.ticket)
  t.same([cache.take('here', any), cache.size], [null, 0])
})

t.test('one that does not fit stays, for who it fits', async t => {
  const cache = cacheOf()
  const [one, two] = [held(), held()]
  cache.keep('here', one, 1_000, FOREVER)
  cache.keep('here', two, 1_000, FOREVER)
  t.same(cache.take('here', session => session === one.session)?.ticket, one.ticket)
  t.same(cache.take('here', any)?.ticket, two.ticket)
})

t.test('it expires, at the earlier of its lifetime and what it was resumed with', async t => {
  const cache = cacheOf()
  cache.keep('here', held(), 1_000, FOREVER)
  cache.keep('here', held(), 5_000, time.now + 2_000)
  time.now += 999
  t.equal(cache.size, 2)
  time.now += 1
  t.equal(cache.take('here', none), null)
  t.equal(cache.size, 1)
  t.equal(cache.take('here', any)?.expires, 1_002_000)
  cache.keep('here', held(), 5_000, time.now + 2_000)
  time.now += 2_000
  t.same([cache.take('here', any), cache.size], [null, 0])
})

t.test('eight of a place are kept, and what goes is wiped', async t => {
  const cache = cacheOf()
  const all = Array.from({ length: 10 }, held)
  for (const one of all) cache.keep('here', one, 1_000, FOREVER)
  t.equal(cache.size, 8)
  t.same(
    all.map(({ session }) => session.psk.equals(Buffer.alloc(32))),
    [true, true, ...Array(8).fill(false)]
  )
  cache.clear()
  t.equal(cache.size, 0)
  t.ok(all.every(({ session }) => session.psk.equals(Buffer.alloc(32))))
})

t.test('of more than it may keep, those of the place used least recently go first', async t => {
  const cache = cacheOf(4)
  cache.keep('a', held(), 1_000, FOREVER)
  cache.keep('b', held(), 1_000, FOREVER)
  cache.keep('b', held(), 1_000, FOREVER)
  cache.keep('a', held(), 1_000, FOREVER)
  cache.keep('c', held(), 1_000, FOREVER)
  t.equal(cache.size, 4)
  const left = (place: string): number => {
    for (let count = 0; ; count++) if (!cache.take(place, any)) return count
  }
  t.same([left('a'), left('b'), left('c'), cache.size], [2, 1, 1, 0])
})

t.test('ten thousand places leave as many sessions as it may keep', async t => {
  const cache = cacheOf()
  for (let place = 0; place < 10_000; place++) cache.keep(String(place), held(), 1_000, FOREVER)
  t.equal(cache.size, 256)
})

t.test('options and names that do not fit are refused', async t => {
  const bad = { code: 'ERR_STALK_INVALID_OPTION' }
  for (const options of [{ max: 0 }, { max: 1.5 }, { size: 3 }])
    t.throws(() => new SessionCache(options as never), bad)
  for (const name of ['', 7, undefined]) t.throws(() => new SessionCache().at(name as never), bad)
})
