// What the two stalks say to each other: what is answered and how, what may follow what, and how much we ask ourselves.

import t from 'tap'
import { Controls } from '../../lib/connection/controls.ts'
import { Goodbyes } from '../../lib/connection/goodbyes.ts'
import { KIND } from '../../lib/constants.ts'
import { closeRecord, finalPong, keyUpdateRecord, pingRecord, pongRecord } from '../../lib/wire/control.ts'
import type { Inner } from '../../lib/wire/record.ts'

interface Told {
  readonly controls: Controls
  /** What was handed over to be sealed. */
  readonly sent: Inner[]
  received: number
  messages: number
}

/** `sealing`: whether what is handed over is sealed at once. */
function controls(sealing = true): Told {
  const sent: Inner[] = []
  const send = (record: Inner): void => {
    sent.push(record)
    if (sealing) made.controls.sealed(record)
  }
  const made: Told = {
    controls: new Controls({
      send,
      updateKeys: () => send(keyUpdateRecord(true)),
      received: () => made.received,
      ticket: () => {},
      sent: () => made.messages
    }),
    sent,
    received: 0,
    messages: 0
  }
  return made
}

const value = Buffer.from('0102030405060708', 'hex')
const unexpected = (message: string) => ({ code: 'ERR_STALK_UNEXPECTED', message })

t.test('a ping is answered with its value and the count of then', async t => {
  const made = controls()
  made.received = 7
  t.match(made.controls.hear(pingRecord(value)), { name: 'ping' })
  t.same(made.sent, [pongRecord(value, 7)])
})

t.test('also behind our goodbye, and not behind theirs', async t => {
  const made = controls()
  made.controls.sayGoodbye()
  made.controls.hear(pingRecord(value))
  t.same(made.sent, [closeRecord(0), pongRecord(value, 0)])
  made.controls.hear(closeRecord(0))
  t.throws(() => made.controls.hear(pingRecord(value)), unexpected('the peer sent a ping after its goodbye'))
})

t.test('a goodbye that comes behind ours has a last word, one before it none', async t => {
  const first = controls()
  first.controls.sayGoodbye()
  first.received = 3
  first.controls.hear(closeRecord(0))
  t.same(first.sent, [closeRecord(0), finalPong(3)])
  const second = controls()
  second.controls.hear(closeRecord(0))
  second.controls.sayGoodbye()
  t.same(second.sent, [closeRecord(0)])
  second.controls.hear(finalPong(0))
  t.throws(() => second.controls.hear(finalPong(0)), unexpected('the peer sent a pong that answers nothing'))
})

t.test('a last word before either goodbye answers nothing', async t => {
  for (const [said, heard] of [
    [false, false],
    [true, false],
    [false, true]
  ]) {
    const goodbyes = new Goodbyes()
    if (said) goodbyes.say()
    if (heard) goodbyes.hear()
    t.same([goodbyes.said, goodbyes.heard], [said, heard])
    t.throws(() => goodbyes.hearLastWord(), unexpected('the peer sent a pong that answers nothing'))
  }
})

t.test('a pong acknowledges, and so does a goodbye', async t => {
  const made = controls()
  made.messages = 5
  made.controls.ping()
  const asked = made.sent[0] as Inner
  made.controls.hear(pongRecord(asked.body, 4))
  t.equal(made.controls.acknowledgements.received, 4)
  made.controls.hear(closeRecord(5))
  t.equal(made.controls.acknowledgements.received, 5)
})

t.test('after our goodbye nothing is asked, and who wanted to is told', async t => {
  const made = controls()
  let declined = 0
  made.controls.ping()
  made.controls.ping(
    () => t.fail('answered'),
    () => declined++
  )
  made.controls.updateKeys()
  made.controls.sayGoodbye()
  t.equal(declined, 1)
  made.controls.updateKeys(
    () => t.fail('answered'),
    () => declined++
  )
  t.equal(declined, 2)
  t.same(
    made.sent.map(({ type }) => type),
    [KIND.ping, KIND.keyUpdate, KIND.alert]
  )
})

t.test('an alert is the error that it stands for', async t => {
  t.throws(() => controls().controls.hear({ type: KIND.alert, body: Buffer.of(8) }), {
    code: 'ERR_STALK_PEER_ABORTED',
    message: /\(alert 8\)$/
  })
})

/** Asks and is answered as often as it may; how often that was. */
function burst({ controls, sent }: Told): number {
  let asked = 0
  for (;;) {
    const before = sent.length
    controls.ping()
    if (sent.length === before) return asked
    asked += 1
    controls.hear(pongRecord(sent.at(-1)?.body as Buffer, 0))
  }
}

t.test('pings and requests together are 16, and again behind a message', async t => {
  const made = controls()
  made.controls.updateKeys()
  made.controls.hear(keyUpdateRecord(false))
  t.equal(burst(made), 15)
  made.controls.close()
  const again = controls()
  t.equal(burst(again), 16)
  again.controls.sealed({ type: KIND.fragment, body: value, messages: 0 })
  t.equal(again.controls.pinging, false, 'part of a message is none')
  again.controls.close()
})

t.test('a message in front of a question that is not sealed yet makes no room for that one', async t => {
  const made = controls(false)
  made.controls.ping() // stands behind messages that the transport has not taken
  made.controls.sealed({ type: KIND.messages, body: value, messages: 1 })
  made.controls.sealed(made.sent[0] as Inner)
  made.controls.hear(pongRecord(made.sent[0]?.body as Buffer, 0))
  const since = 1
  t.equal(since + burst(made), 16)
  made.controls.close()
})
