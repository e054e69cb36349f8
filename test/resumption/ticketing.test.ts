// Stores that misbehave: whatever they do, the handshake gets an answer, soon, and one that makes it a full one.

import t from 'tap'
import type { TicketStore } from '../../lib/resumption/ticket-store.ts'
import { ticketingOf } from '../../lib/resumption/ticketing.ts'

const TICKET = Buffer.alloc(32, 1)
const STATE = Buffer.alloc(135, 2)
const toIssue = { state: STATE, expires: null }
const never = new Promise<never>(() => {})

const storeOf = (parts: Partial<TicketStore>): TicketStore => ({
  issue: () => ({ ticket: TICKET, lifetimeMs: 5_999 }),
  find: () => ({ state: STATE, expires: 1 }),
  consume: () => true,
  ...parts
})

const warnings: string[] = []
process.on('warning', warning => {
  if ((warning as { code?: string }).code === 'STALK_TICKET_STORE') warnings.push(warning.message)
})

/** All three answers, and what was warned of. */
async function answers(parts: Partial<TicketStore>): Promise<unknown[]> {
  warnings.length = 0
  const ticketing = ticketingOf(storeOf(parts), 20)
  const given = [
    await ticketing.find(TICKET),
    await ticketing.consume(TICKET),
    await ticketing.issue(toIssue)
  ]
  await new Promise(setImmediate)
  return given
}

const GOOD = [{ state: STATE, expires: 1 }, true, { ticket: TICKET, lifetimeS: 5 }]

t.test('a store that answers is taken at its word, at once or later', async t => {
  t.same(await answers({}), GOOD)
  t.same(
    await answers({
      issue: async () => ({ ticket: new Uint8Array(TICKET), lifetimeMs: 5_000 }),
      find: async () => ({ state: new Uint8Array(STATE), expires: 1 }),
      consume: async () => true
    }),
    GOOD
  )
  t.same(warnings, [])
})

t.test('none found, not there any more, and none issued are answers too', async t => {
  t.same(await answers({ issue: () => null, find: () => null, consume: () => false }), [null, false, null])
  t.same(await answers({ find: (() => undefined) as never, issue: (() => undefined) as never }), [
    null,
    true,
    null
  ])
  t.same(warnings, [])
})

const throwing = (): never => {
  throw new Error('out of order')
}

const failures: Record<string, () => unknown> = {
  throws: throwing,
  'throws what is no error': () => {
    throw null
  },
  rejects: () => Promise.reject(new Error('out of order')),
  'never answers': () => never
}

for (const [name, fails] of Object.entries(failures)) {
  t.test(`a store that ${name} is as one that knows nothing, and is warned of once`, async t => {
    const bad = { issue: fails, find: fails, consume: fails } as Partial<TicketStore>
    t.same(await answers(bad), [null, false, null])
    t.equal(warnings.length, 1, 'once a store')
    t.match(warnings[0], /^the ticket store has failed: (out of order|no answer within 20 ms|null)$/)
  })
}

t.test('answers that are none', async t => {
  for (const find of [
    7,
    'x',
    {},
    { state: 'x', expires: 1 },
    { state: STATE },
    { state: STATE, expires: '1' }
  ]) {
    t.same((await answers({ find: (() => find) as never }))[0], null, JSON.stringify(find))
  }
  for (const consume of [1, 'yes', {}, null, undefined]) {
    t.equal((await answers({ consume: (() => consume) as never }))[1], false, String(consume))
  }
  const lifetimeMs = 5_000
  for (const issue of [
    ...[7, {}, { ticket: TICKET }, { ticket: 'x', lifetimeMs }],
    ...[
      { ticket: Buffer.alloc(0), lifetimeMs },
      { ticket: Buffer.alloc(513), lifetimeMs }
    ],
    ...[
      { ticket: TICKET, lifetimeMs: 999 },
      { ticket: TICKET, lifetimeMs: -1 }
    ],
    { ticket: TICKET, lifetimeMs: Number.NaN }
  ]) {
    t.equal((await answers({ issue: (() => issue) as never }))[2], null, JSON.stringify(issue))
  }
})

t.test('a ticket is announced for a day at most, whatever the store says', async t => {
  const issue = () => ({ ticket: Buffer.alloc(512), lifetimeMs: Number.MAX_VALUE })
  t.match((await answers({ issue }))[2], { lifetimeS: 86_400 })
})

t.test('a store can not change what the handshake asks about', async t => {
  const asked = Buffer.from(TICKET)
  const ticketing = ticketingOf(
    storeOf({
      find: ticket => {
        ticket.fill(0)
        return null
      }
    })
  )
  await ticketing.find(asked)
  t.same(asked, TICKET)
})
