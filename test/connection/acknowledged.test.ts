// flush({ acked: true }): fulfilled when the peer has said that all of it has reached it, and not before; rejected with
// what ended the connection where it never says so.

import { once } from 'node:events'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { ALERT } from '../../lib/errors.ts'
import type { Connection, StalkError } from '../../lib/index.ts'
import { cut, type Fault } from '../../lib/testing/index.ts'
import { closeRecord, finalPong, pongRecord } from '../../lib/wire/control.ts'
import { MessageDecoder } from '../../lib/wire/message.ts'
import { honest, meddledPair } from '../helpers/adversary.ts'
import { bothClosed, collect, ends, open, pair, tcpPair, turns, until, within } from '../helpers/pair.ts'
import { against, answer, inner, messages } from '../helpers/rogue.ts'

const acked = { acked: true } as const

/** What a promise has come to so far. */
function fateOf(promise: Promise<unknown>): { fate: string } {
  const seen = { fate: 'open' }
  promise.then(
    () => {
      seen.fate = 'fulfilled'
    },
    (error: StalkError) => {
      seen.fate = error.code
    }
  )
  return seen
}

for (const [name, joined] of Object.entries({ memory: pair, TCP: tcpPair })) {
  for (const role of ['initiator', 'responder'] as const) {
    t.test(`the ${role}, over ${name}: all that was written has arrived by then`, async t => {
      const both = await open({}, await joined())
      const [here, there] = [both[role], both[role === 'initiator' ? 'responder' : 'initiator']]
      collect(there)
      for (let n = 1; n <= 5; n++) {
        for (let m = 0; m < 20; m++) here.write(m)
        await within(here.flush(acked), 'flush')
        t.equal(there.counters.inbound.messages, 20 * n)
        t.equal(here.counters.acknowledged, 20 * n)
      }
      here.resume().end()
      for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
    })
  }
}

t.test(
  'a reader that is behind by no more than 256 KiB holds nothing up; one that is further behind does',
  async t => {
    const both = await open({ responder: { readableHighWaterMark: 1 } }, await tcpPair())
    for (let n = 0; n < 4; n++) both.initiator.write(Buffer.alloc(60_000, n))
    await within(both.initiator.flush(acked), 'flush')
    t.equal(both.responder.readableLength > 0, true, 'nobody has read')
    for (let n = 4; n < 20; n++) both.initiator.write(Buffer.alloc(60_000, n))
    await within(both.initiator.flush(), 'flush, not acknowledged')
    await t.rejects(both.initiator.flush({ ...acked, timeout: 100 }), {
      code: 'ERR_STALK_WAIT_TIMEOUT',
      message: 'flush took longer than 100 ms'
    })
    const late = within(both.initiator.flush(acked), 'flush')
    const got = collect(both.responder)
    await late
    t.equal(both.responder.counters.inbound.messages, 20)
    await until(() => got.length === 20, 'all messages')
    t.equal(both.initiator.errored, null)
    both.initiator.resume().end()
    for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
  }
)

t.test('with nothing to say it is fulfilled without asking', async t => {
  const { connection, heard } = await against('initiator')
  await within(connection.flush(acked), 'flush')
  await turns()
  t.same(heard, [])
  connection.destroy()
  await connection.outcome
})

t.test('a message that was refused is not waited for', async t => {
  const both = await open()
  collect(both.responder)
  both.initiator.on('messageError', () => {})
  both.initiator.write(() => {})
  await within(both.initiator.flush(acked), 'flush')
  both.initiator.write(1)
  both.initiator.write(Symbol('no'))
  await within(both.initiator.flush(acked), 'flush')
  t.equal(both.initiator.counters.acknowledged, 1)
  both.initiator.destroy()
  await bothClosed(both)
})

t.test('many at once share their pings', async t => {
  let pings = 0
  let received = 0
  const decoder = new MessageDecoder()
  const { connection } = await against(
    'responder',
    {},
    {
      hear: (record, rogue) => {
        if (record.type === KIND.messages) received += decoder.decode(record).length
        if (record.type !== KIND.ping) return
        pings += 1
        rogue.seal(pongRecord(record.body, received))
      }
    }
  )
  const all: Promise<void>[] = []
  for (let n = 0; n < 200; n++) {
    connection.write(n)
    all.push(connection.flush(acked))
  }
  await within(Promise.all(all), 'all of them')
  t.equal(received, 200)
  t.ok(pings <= 2, `${pings} pings`)
  connection.destroy()
  await connection.outcome
})

t.test('before there are keys it waits, at both ends, and may give up', async t => {
  let accept: (verdict: boolean) => void = () => {}
  const asked = new Promise<boolean>(resolve => {
    accept = resolve
  })
  const both = ends(meddledPair(), { responder: { peer: undefined, authorize: () => asked } } as never)
  const sides = [both.initiator, both.responder]
  for (const side of sides) side.write('early')
  const flushes = sides.map(side => side.flush(acked))
  const fates = flushes.map(fateOf)
  const controller = new AbortController()
  const given = [
    both.responder.flush({ ...acked, timeout: 30 }),
    both.responder.flush({ ...acked, signal: controller.signal })
  ].map(fateOf)
  setTimeout(() => controller.abort(), 10)
  await until(() => given.every(({ fate }) => fate !== 'open'), 'those that give up')
  t.same(
    given.map(({ fate }) => fate),
    ['ERR_STALK_WAIT_TIMEOUT', 'ERR_STALK_ABORTED']
  )
  t.same(
    fates.map(({ fate }) => fate),
    ['open', 'open']
  )
  accept(true)
  await within(Promise.all(flushes), 'flush')
  for (const side of sides) t.equal(side.counters.acknowledged, 1)
  for (const side of sides) side.resume().end()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('early data that is refused was not received', async t => {
  const both = ends(meddledPair(), {
    responder: { peer: undefined, authorize: () => turns(50).then(() => false) }
  } as never)
  both.initiator.write('early')
  await t.rejects(within(both.initiator.flush(acked), 'flush'), { code: 'ERR_STALK_REJECTED' })
  t.match((await bothClosed(both))[0], { kind: 'rejected', acknowledged: 0 })
})

t.test('after end() it waits for the peer’s goodbye, which has the count', async t => {
  const both = await open({ responder: { allowHalfOpen: true } })
  both.responder.resume()
  for (let n = 0; n < 10; n++) both.initiator.write(n)
  both.initiator.resume().end()
  const all = Array.from({ length: 50 }, () => both.initiator.flush(acked))
  const { fate } = fateOf(all[0] as Promise<void>)
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  await within(once(both.responder, 'end'), 'end')
  await turns()
  t.equal(fate, 'open')
  both.responder.end()
  await within(Promise.all(all), 'flush')
  await bothClosed(both)
  await within(both.initiator.flush(acked), 'flush, after all')
  await within(both.initiator.flush(), 'flush, after all')
  process.off('warning', warn)
  t.same(warnings, [])
})

t.test('closes that cross: the last words have the counts', async t => {
  for (let n = 0; n < 10; n++) {
    const both = await open({}, n % 2 ? await tcpPair() : meddledPair())
    const sides = [both.initiator, both.responder]
    for (const side of sides) {
      collect(side)
      for (let m = 0; m < 5; m++) side.write(m)
      side.end()
    }
    await within(Promise.all(sides.map(side => side.flush(acked))), 'flush')
    for (const outcome of await bothClosed(both))
      t.match(outcome, { kind: 'clean', sent: 5, acknowledged: 5 })
  }
})

t.test('a cut: whoever waits gets what ended it', async t => {
  for (const [how, code] of [
    ['end', 'ERR_STALK_TRUNCATED'],
    ['reset', 'ERR_STALK_RESET']
  ] as const) {
    let fault: Fault = honest
    const both = await open(
      {},
      meddledPair((bytes, at, wire) => fault(bytes, at, wire))
    )
    both.responder.resume()
    fault = cut(0, how)
    both.initiator.resume().write('lost')
    const error = await within(
      both.initiator.flush(acked).then(
        () => null,
        (reason: StalkError) => reason
      ),
      'flush'
    )
    t.match(error, { code })
    const outcome = await within(both.initiator.outcome, 'closed')
    t.match(outcome, { code, sent: 1 })
    t.notOk(outcome.acknowledged)
    await bothClosed(both)
    await t.rejects(both.initiator.flush(acked), { code: 'ERR_STALK_NOT_WRITABLE', message: /^cannot flush/ })
  }
})

t.test('destroyed by us: what we gave, or that we did', async t => {
  const both = await hungAfterHandshake()
  const reason = new Error('enough')
  const flush = both.flush(acked)
  both.destroy(reason)
  await t.rejects(within(flush, 'flush'), reason)
})

/** Ours, against a peer that says nothing any more. */
async function hungAfterHandshake(): Promise<Connection> {
  const { connection } = await against('initiator')
  connection.write(1)
  return connection
}

t.test('the peer says goodbye without having got all, and no last word: nobody knows', async t => {
  const { connection, seal, wire } = await against('initiator', { allowHalfOpen: true })
  connection.write('one')
  connection.end()
  const flush = connection.flush(acked)
  const { fate } = fateOf(flush)
  await turns()
  seal(closeRecord(0))
  await turns()
  t.equal(fate, 'open')
  wire.end()
  await t.rejects(within(flush, 'flush'), {
    code: 'ERR_STALK_UNACKNOWLEDGED',
    message: 'the connection ended before the peer said that it got everything',
    phase: 'closing'
  })
  t.match(await within(connection.outcome, 'closed'), { kind: 'clean', sent: 1, acknowledged: 0 })
  await t.rejects(connection.flush(acked), { code: 'ERR_STALK_UNACKNOWLEDGED' }, 'also later')
})

t.test('with the last word it is fulfilled, also once all is closed', async t => {
  const { connection, seal, wire } = await against('initiator', { allowHalfOpen: true })
  connection.write('one')
  connection.end()
  const flush = connection.flush(acked)
  await turns()
  seal(closeRecord(0), finalPong(1))
  wire.end()
  await within(flush, 'flush')
  t.match(await within(connection.outcome, 'closed'), { kind: 'clean', sent: 1, acknowledged: 1 })
  await within(connection.flush(acked), 'flush')
})

t.test('a peer that ends the transport behind its goodbye', async t => {
  const { connection, seal, wire } = await against('responder', { allowHalfOpen: true })
  connection.write('one')
  const flush = connection.flush(acked)
  await turns()
  seal(closeRecord(0))
  wire.end()
  await t.rejects(within(flush, 'flush'), { code: 'ERR_STALK_TRUNCATED' })
  t.match(await within(connection.outcome, 'closed'), { kind: 'truncated', sent: 1, acknowledged: 0 })
})

t.test('an honest answer with a count that is too low acknowledges no more than it says', async t => {
  const { connection, seal } = await against('initiator', {}, { hear: answer })
  connection.write('one')
  const flush = connection.flush(acked)
  const seen = fateOf(flush)
  await within(connection.rtt(), 'rtt')
  await turns()
  t.equal(seen.fate, 'open', 'the count was 0')
  t.equal(connection.counters.acknowledged, 0)
  seal(...messages('x'), closeRecord(1))
  await within(flush, 'flush')
  t.match(await within(connection.outcome, 'closed'), { acknowledged: 1 })
})

t.test(
  'both goodbyes are said and taken: a reset behind them harms nobody, even if much is unread',
  async t => {
    for (const role of ['initiator', 'responder'] as const) {
      const { connection, heard, seal } = await against(role, {}, { unread: true })
      connection.end('ours')
      await until(() => heard.length === 2, 'our goodbye')
      seal(...messages(1, 2, 3), closeRecord(1))
      await until(() => heard.length === 3, 'our last word')
      connection.socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
      await turns()
      t.same([connection.errored, connection.readableLength], [null, 3])
      const got = collect(connection)
      t.match(await within(connection.outcome, 'closed'), { kind: 'clean', received: 3, acknowledged: 1 })
      t.same(got, [1, 2, 3])
    }
  }
)

t.test('but not one behind theirs alone', async t => {
  const { connection, seal } = await against('initiator', { allowHalfOpen: true })
  seal(closeRecord(0))
  await within(once(connection, 'end'), 'end')
  connection.write(1)
  connection.socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }))
  t.match(await within(connection.outcome, 'closed'), { kind: 'reset', code: 'ERR_STALK_RESET' })
})

t.test('an alert behind both is no matter of the transport, whatever it says', async t => {
  const { connection, heard, seal, wire } = await against('responder')
  connection.end()
  await until(() => heard.length === 1, 'our goodbye')
  seal(closeRecord(0), inner(KIND.alert, '0a'))
  wire.on('end', () => wire.end())
  t.match(await within(connection.outcome, 'closed'), { kind: 'timeout', code: 'ERR_STALK_PEER_TIMEOUT' })
  t.equal(heard.filter(({ body }) => body[0] === ALERT.timeout).length, 0)
})
