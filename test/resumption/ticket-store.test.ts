// Tickets in memory: good once, for a time, and bounded.

import t from 'tap'
import { MemoryTicketStore } from '../../lib/resumption/ticket-store.ts'

const STATE = Buffer.alloc(135, 7)

/** A clock that a test moves, in ms. */
const time = { now: 0 }

function storeAt(options: { lifetime?: number; max?: number } = {}): MemoryTicketStore {
  time.now = 1_000_000
  return new MemoryTicketStore(options, () => time.now)
}

const issued = (store: MemoryTicketStore, notAfter: number | null = null): Buffer => {
  const { ticket } = store.issue(STATE, notAfter) ?? {}
  if (!ticket) throw new Error('no ticket')
  return ticket
}

t.test('a ticket is 32 random bytes, and is found until it is consumed, which works once', async t => {
  const store = storeAt()
  const [one, two] = [issued(store), issued(store)]
  t.same([one.length, one.equals(two), store.size], [32, false, 2])
  t.same(store.find(one), { state: STATE, expires: 1_000_000 + 7_200_000 })
  t.same(store.find(one)?.state, STATE, 'finding it changes nothing')
  t.same([store.consume(one), store.consume(one), store.find(one), store.size], [true, false, null, 1])
  t.same(store.find(two)?.state, STATE)
})

t.test('what it keeps is its own: nobody else can change it, and consuming wipes no copy', async t => {
  const store = storeAt()
  const given = Buffer.from(STATE)
  const { ticket = Buffer.alloc(0) } = store.issue(given, null) ?? {}
  given.fill(0)
  const found = store.find(ticket)
  t.same(found?.state, STATE)
  store.consume(ticket)
  t.same(found?.state, STATE)
})

t.test('it is found until its lifetime is over, and not at that very moment', async t => {
  const store = storeAt({ lifetime: 5_000 })
  const ticket = issued(store)
  time.now += 4_999
  t.ok(store.find(ticket))
  time.now += 1
  t.same([store.find(ticket), store.size, store.consume(ticket)], [null, 0, false])
  const another = issued(store)
  time.now += 5_000
  t.equal(store.consume(another), false, 'an expired one can not be consumed either')
})

t.test('a ticket is good for no longer than what it was resumed with', async t => {
  const store = storeAt({ lifetime: 5_000 })
  const { expires = 0 } = store.find(issued(store)) ?? {}
  time.now += 2_000
  t.match(store.issue(STATE, expires), { lifetimeMs: 3_000 })
  t.same(store.find(issued(store, expires))?.expires, expires)
  time.now += 3_000
  t.equal(store.issue(STATE, expires), null)
})

t.test('of more than it may keep the oldest go first, and expired ones before', async t => {
  const store = storeAt({ max: 3 })
  const tickets = [1, 2, 3, 4, 5].map(() => issued(store))
  t.same(
    tickets.map(ticket => store.find(ticket) !== null),
    [false, false, true, true, true]
  )
  t.equal(store.size, 3)
  time.now += 7_200_000
  issued(store)
  t.equal(store.size, 1)
})

t.test('a hundred thousand tickets leave as many as it may keep', async t => {
  const store = storeAt()
  for (let n = 0; n < 100_000; n++) store.issue(STATE, null)
  t.equal(store.size, 10_000)
})

t.test('what is no ticket of its own is not found', async t => {
  const store = storeAt()
  const ticket = issued(store)
  for (const length of [0, 1, 31, 33, 512]) t.equal(store.find(Buffer.alloc(length, 1)), null)
  for (let bit = 0; bit < 256; bit++) {
    const flipped = Buffer.from(ticket)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (store.find(flipped) || store.consume(flipped)) t.fail(`bit ${bit}`)
  }
  t.ok(store.find(ticket))
})

t.test('cleared, it knows none', async t => {
  const store = storeAt()
  const ticket = issued(store)
  store.clear()
  t.same([store.size, store.find(ticket)], [0, null])
})

t.test('options that do not fit are refused', async t => {
  const bad = { code: 'ERR_STALK_INVALID_OPTION' }
  const cases: object[] = [
    { lifetime: 0 },
    { lifetime: 999 },
    { lifetime: 86_400_001 },
    { max: 0 },
    { max: 2 ** 24 + 1 },
    { most: 1 }
  ]
  for (const options of cases) t.throws(() => new MemoryTicketStore(options), bad, JSON.stringify(options))
  t.doesNotThrow(() => new MemoryTicketStore({ lifetime: 86_400_000, max: 1 }))
})
