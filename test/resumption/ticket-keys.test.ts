// Tickets that are sealed: any process with the key takes them, until they expire or the key does; nothing about them
// can be changed, and a clock that is set back prolongs none.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { forwardClock } from '../../lib/resumption/clock.ts'
import { TicketKeys } from '../../lib/resumption/ticket-keys.ts'

const STATE = Buffer.alloc(135, 7)
const HOUR = 3_600_000
const SECRET = Buffer.alloc(32, 1)
const START = 500_000 * HOUR

const time = { now: START }
t.beforeEach(() => {
  time.now = START
})

const now = (): number => time.now
const shared = (lifetime = HOUR): TicketKeys => new TicketKeys({ secret: SECRET, lifetime }, now)
const issued = (keys: TicketKeys, notAfter: number | null = null): Buffer => {
  const { ticket } = keys.issue(STATE, notAfter) ?? {}
  if (!ticket) throw new Error('no ticket')
  return ticket
}

t.test('a ticket is found by every process with the same secret, as often as it is offered', async t => {
  const ticket = issued(shared())
  for (const keys of [shared(), shared()]) {
    t.same(keys.find(ticket), { state: STATE, expires: START + HOUR })
    t.same([keys.consume(), keys.consume()], [true, true])
    t.same(keys.find(ticket)?.state, STATE)
  }
})

t.test('no two tickets are the same, and none shows what it stands for', async t => {
  const keys = shared()
  const tickets = new Set(Array.from({ length: 1_000 }, () => issued(keys).toString('hex')))
  t.equal(tickets.size, 1_000)
  for (const ticket of tickets) if (ticket.includes('07070707')) t.fail('readable')
  t.same(new Set([...tickets].map(ticket => ticket.length / 2)), new Set([187]))
})

t.test('a flipped bit anywhere, or a byte more or less: not found, and nothing is thrown', async t => {
  const keys = shared()
  const ticket = issued(keys)
  for (let bit = 0; bit < ticket.length * 8; bit++) {
    const flipped = Buffer.from(ticket)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    if (keys.find(flipped)) t.fail(`bit ${bit}`)
  }
  for (let length = 0; length < ticket.length; length++) {
    if (keys.find(ticket.subarray(0, length))) t.fail(`${length} bytes`)
  }
  t.equal(keys.find(Buffer.concat([ticket, Buffer.alloc(1)])), null)
  t.equal(keys.find(Buffer.concat([ticket.subarray(0, 8), Buffer.alloc(504)])), null)
  t.equal(keys.find(Buffer.alloc(512)), null)
  t.ok(keys.find(ticket))
})

t.test('another secret, or another lifetime, knows none of them', async t => {
  const ticket = issued(shared())
  t.equal(new TicketKeys({ secret: randomBytes(32), lifetime: HOUR }, now).find(ticket), null)
  t.equal(shared(2 * HOUR).find(ticket), null)
})

t.test('it expires, at the very ms', async t => {
  const keys = shared()
  const ticket = issued(keys)
  time.now += HOUR - 1
  t.ok(keys.find(ticket))
  time.now += 1
  t.equal(keys.find(ticket), null)
})

t.test(
  'keys from a secret change every lifetime; the one before is accepted, and none that is older',
  async t => {
    const keys = shared()
    time.now = START + HOUR - 1_000 // the end of a period
    const [old, early] = [issued(keys), issued(keys, START + 10 * HOUR)]
    time.now += 2_000
    const young = issued(keys)
    t.ok(keys.find(old), 'under the key before')
    t.notOk(old.subarray(0, 8).equals(young.subarray(0, 8)), 'the key is another one')
    t.ok(shared().find(old), 'also in a process that has begun since')
    time.now += HOUR
    t.equal(keys.find(early), null, 'two periods later it would be accepted by nobody')
    t.equal(shared().find(old), null)
  }
)

t.test(
  'keys that are given rotate when they are told to, and the one before is good for one lifetime',
  async t => {
    const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)]
    const keys = new TicketKeys({ key: first, lifetime: HOUR }, now)
    const old = issued(keys)
    time.now += HOUR / 2
    keys.rotate(second)
    const middle = issued(keys)
    t.ok(keys.find(old))
    keys.rotate(second)
    t.ok(keys.find(old), 'the same key again is no rotation')
    keys.rotate(third)
    t.equal(keys.find(old), null, 'two rotations later it is gone')
    t.ok(keys.find(middle))
    const other = new TicketKeys({ key: second, lifetime: HOUR }, now)
    t.ok(other.find(middle), 'another process with that key')
    other.rotate(third)
    const late = issued(new TicketKeys({ key: second, lifetime: 24 * HOUR }, now))
    t.ok(other.find(late))
    time.now += HOUR
    t.equal(other.find(late), null, 'the key before is wiped after a lifetime')
    t.same(first.length, 32, 'what was given is left as it is')
    t.notSame(first, Buffer.alloc(32))
  }
)

t.test('a resumed session inherits the expiry', async t => {
  const keys = shared()
  const { expires = 0 } = keys.find(issued(keys)) ?? {}
  time.now += HOUR / 4
  t.match(keys.issue(STATE, expires), { lifetimeMs: (3 * HOUR) / 4 })
  t.same(keys.find(issued(keys, expires))?.expires, expires)
  time.now += HOUR
  t.equal(keys.issue(STATE, expires), null)
})

t.test('a ticket from the future is refused, but for what clocks may differ', async t => {
  for (const options of [{ secret: SECRET }, { key: SECRET }]) {
    time.now = START
    const keys = (): TicketKeys => new TicketKeys({ ...options, lifetime: HOUR }, now)
    const ticket = issued(keys())
    time.now -= 10_000
    t.ok(keys().find(ticket))
    time.now -= 1
    t.equal(keys().find(ticket), null, 'its clock has been set back since, and nobody knows by how much')
  }
})

t.test(
  'a clock that is set back does not prolong a ticket, and one that jumps ahead ends it early',
  async t => {
    const wall = { now: START, steady: 0 }
    const pass = (ms: number, jump = 0): void => {
      wall.now += ms + jump
      wall.steady += ms
    }
    const clock = forwardClock(
      () => wall.now,
      () => wall.steady
    )
    const keys = new TicketKeys({ secret: SECRET, lifetime: HOUR }, clock)
    const ticket = issued(keys)
    pass(HOUR / 2, -HOUR / 2)
    t.ok(keys.find(ticket), 'half its time has gone by')
    pass(HOUR / 2 - 1, -10 * HOUR)
    t.ok(keys.find(ticket))
    pass(1, -10 * HOUR)
    t.equal(keys.find(ticket), null, 'and now all of it')
    const another = issued(keys)
    pass(0, 30 * HOUR)
    t.equal(keys.find(another), null)
  }
)

t.test('a clock that is set back is followed by none: it goes on at the pace of the steady one', async t => {
  const clocks = { wall: 1_000, steady: 0 }
  const clock = forwardClock(
    () => clocks.wall,
    () => clocks.steady
  )
  t.equal(clock(), 1_000)
  Object.assign(clocks, { wall: 0, steady: 10 })
  t.equal(clock(), 1_010)
  Object.assign(clocks, { wall: 500, steady: 20 })
  t.equal(clock(), 1_020)
  Object.assign(clocks, { wall: 5_000, steady: 30 })
  t.equal(clock(), 5_000)
  const real = forwardClock()
  t.ok(Math.abs(real() - Date.now()) < 1_000)
})

t.test('options that do not fit are refused, and secrets that are too short', async t => {
  const cases: object[] = [
    {},
    { secret: SECRET, key: SECRET },
    { secret: Buffer.alloc(31) },
    { secret: 'x'.repeat(64) },
    { key: Buffer.alloc(33) },
    { key: Buffer.alloc(16) },
    { secret: SECRET, lifetime: 86_400_001 },
    { secret: SECRET, rotate: 1 }
  ]
  for (const options of cases) {
    t.throws(() => new TicketKeys(options), { code: 'ERR_STALK_INVALID_OPTION' }, Object.keys(options).join())
  }
  t.throws(() => shared().rotate(randomBytes(32)), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: /beside a secret/
  })
  const keys = new TicketKeys({ key: SECRET })
  t.throws(() => keys.rotate(Buffer.alloc(31)), { code: 'ERR_STALK_INVALID_OPTION' })
  t.same(SECRET, Buffer.alloc(32, 1), 'what was given is left as it is')
})
