// Pings: their values, their answers, and what may not follow what.

import t from 'tap'
import { Pings } from '../../lib/connection/pings.ts'
import { Allowance } from '../../lib/pipeline/allowance.ts'

function pinging(): { pings: Pings; sent: Buffer[] } {
  const sent: Buffer[] = []
  return { pings: new Pings(value => void sent.push(value), new Allowance(100, 1_000)), sent }
}

const NOTHING = { code: 'ERR_STALK_UNEXPECTED', message: 'the peer sent a pong that answers nothing' }

t.test('eight bytes, never all zero, each time others', async t => {
  const { pings, sent } = pinging()
  for (let n = 0; n < 50; n++) {
    pings.ping()
    t.equal(pings.unanswered, true)
    pings.hearPong(sent.at(-1) as Buffer)
    t.equal(pings.unanswered, false)
  }
  t.equal(new Set(sent.map(value => value.toString('hex'))).size, 50)
  t.ok(sent.every(value => value.length === 8 && value.some(byte => byte !== 0)))
})

t.test('it says how long the last answer took', async t => {
  const { pings, sent } = pinging()
  t.equal(pings.roundTripMs, null)
  pings.ping()
  await new Promise(resolve => setTimeout(resolve, 20))
  t.equal(pings.roundTripMs, null)
  pings.hearPong(sent[0] as Buffer)
  t.ok((pings.roundTripMs as number) >= 18, `${pings.roundTripMs}`)
})

t.test('a pong answers the ping that is unanswered, once', async t => {
  const { pings, sent } = pinging()
  t.throws(() => pings.hearPong(Buffer.alloc(8, 1)), NOTHING)
  let answered = 0
  pings.ping(() => answered++)
  const value = Buffer.from(sent[0] as Buffer)
  t.throws(() => pings.hearPong(Buffer.alloc(8, 1)), NOTHING)
  t.equal(answered, 0)
  pings.hearPong(value)
  t.equal(answered, 1)
  t.throws(() => pings.hearPong(value), NOTHING)
})

t.test('the peer’s pings come one by one', async t => {
  const { pings } = pinging()
  const second = {
    code: 'ERR_STALK_UNEXPECTED',
    message: 'the peer sent a second ping before the first was answered'
  }
  pings.hearPing()
  t.throws(() => pings.hearPing(), second)
  pings.answered()
  pings.hearPing()
  t.throws(() => pings.hearPing(), second)
})
