// Peers that say too much between messages, or at the wrong time: pings, requests for new keys, answers to nothing. Each
// is one coded error with its alert; what an honest peer may do just short of it is not.

import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { ALERT } from '../../lib/errors.ts'
import type { ErrorCode } from '../../lib/index.ts'
import { closeRecord, finalPong, keyUpdateRecord, pingRecord, pongRecord } from '../../lib/wire/control.ts'
import type { Inner } from '../../lib/wire/record.ts'
import { turns, until, within } from '../helpers/pair.ts'
import { against, answer, inner, messages, type Rogue } from '../helpers/rogue.ts'

const roles = ['initiator', 'responder'] as const

const ping = (n: number): Inner => pingRecord(Buffer.from(n.toString(16).padStart(16, '1'), 'hex'))
const ofKind = (rogue: Rogue, kind: number): Inner[] => rogue.heard.filter(({ type }) => type === kind)

/** Ours has failed with this, once, and said so. */
async function failed(
  t: { match: typeof import('tap').t.match; same: typeof import('tap').t.same },
  rogue: Rogue,
  { code, reason, alert }: { code: ErrorCode; reason: RegExp | string; alert: number }
): Promise<void> {
  const errors: Error[] = []
  rogue.connection.on('error', error => errors.push(error))
  rogue.wire.on('end', () => rogue.wire.end())
  t.match(await within(rogue.connection.outcome, 'closed'), { kind: 'protocol', code, reason })
  t.match(errors, [{ code, message: reason }])
  await until(() => rogue.wire.destroyed || ofKind(rogue, KIND.alert).length > 0, 'an alert')
  t.same(
    ofKind(rogue, KIND.alert).map(({ body }) => [...body]),
    [[alert]]
  )
}

const FLOODED = {
  code: 'ERR_STALK_FLOODED',
  reason: 'the peer sends too many pings, tickets or requests for new keys',
  alert: ALERT.limit
} as const
const unexpected = (reason: RegExp | string) =>
  ({ code: 'ERR_STALK_UNEXPECTED', reason, alert: ALERT.unexpected }) as const

for (const role of roles) {
  t.test(`our ${role} answers 32 pings, and no 34th`, async t => {
    const rogue = await against(role)
    for (let n = 1; n <= 32; n++) {
      rogue.seal(ping(n))
      await until(() => ofKind(rogue, KIND.pong).length === n, 'a pong')
    }
    t.equal(rogue.connection.errored, null)
    const failing = failed(t, rogue, FLOODED)
    // One more is gained in every second that all of this takes.
    for (let n = 33; n < 100 && !rogue.connection.destroyed; n++) {
      rogue.seal(ping(n))
      await turns(3)
    }
    await failing
    t.ok(ofKind(rogue, KIND.pong).length < 50)
  })

  t.test(`our ${role} answers 32 requests for new keys, and no 34th`, async t => {
    const rogue = await against(role)
    for (let n = 1; n <= 32; n++) {
      rogue.updateKey(true)
      await until(() => ofKind(rogue, KIND.keyUpdate).length === n, 'an answer')
    }
    t.equal(rogue.connection.counters.inbound.epoch, 32)
    const failing = failed(t, rogue, FLOODED)
    for (let n = 33; n < 100 && !rogue.connection.destroyed; n++) {
      rogue.updateKey(true)
      await turns(3)
    }
    await failing
  })

  t.test(`at our ${role} both draw on one bucket, and a message fills it again`, async t => {
    const rogue = await against(role)
    for (let round = 0; round < 4; round++) {
      for (let n = 1; n <= 16; n++) {
        const [pongs, updates] = [ofKind(rogue, KIND.pong).length, ofKind(rogue, KIND.keyUpdate).length]
        rogue.seal(ping(n))
        rogue.updateKey(true)
        await until(
          () => ofKind(rogue, KIND.pong).length > pongs && ofKind(rogue, KIND.keyUpdate).length > updates,
          'both answers'
        )
      }
      rogue.seal(...messages('more'))
    }
    await until(() => rogue.got.length === 4, 'the messages')
    t.equal(rogue.connection.errored, null)
    rogue.connection.destroy()
    await rogue.connection.outcome
  })

  t.test(`a second ping before our ${role} can have answered the first`, async t => {
    const rogue = await against(role, {}, { unread: true })
    // It is not answered as long as nothing that ours seals is taken.
    rogue.wire.pause()
    for (let n = 0; n < 100; n++) rogue.connection.write(Buffer.alloc(60_000))
    await turns()
    rogue.seal(ping(1))
    await turns()
    t.equal(rogue.connection.errored, null)
    const failing = failed(t, rogue, unexpected('the peer sent a second ping before the first was answered'))
    rogue.seal(ping(2))
    await turns()
    rogue.wire.resume()
    await failing
  })

  t.test(`a second request before our ${role} can have answered the first`, async t => {
    const rogue = await against(role)
    rogue.wire.pause()
    for (let n = 0; n < 100; n++) rogue.connection.write(Buffer.alloc(60_000))
    await turns()
    const failing = failed(t, rogue, unexpected('the peer asked for new keys twice, without an answer'))
    rogue.updateKey(true)
    rogue.updateKey(true)
    await turns()
    rogue.wire.resume()
    await failing
  })

  t.test(`answers to nothing, at our ${role}`, async t => {
    const pong = await against(role)
    pong.seal(pongRecord(Buffer.from('0102030405060708', 'hex'), 0))
    await failed(t, pong, unexpected('the peer sent a pong that answers nothing'))
    const key = await against(role)
    key.updateKey(false)
    await failed(t, key, unexpected('the peer answered a request for new keys that was not made'))
    const last = await against(role)
    last.seal(finalPong(0))
    await failed(t, last, unexpected('the peer sent a pong that answers nothing'))
  })

  t.test(`answers that come twice, at our ${role}`, async t => {
    const pong = await against(
      role,
      {},
      {
        hear: (record, rogue) => {
          if (record.type === KIND.ping) rogue.seal(pongRecord(record.body, 0), pongRecord(record.body, 0))
        }
      }
    )
    pong.connection.rtt().catch(() => {})
    await failed(t, pong, unexpected('the peer sent a pong that answers nothing'))
    const key = await against(
      role,
      {},
      {
        hear: (record, rogue) => {
          if (record.type !== KIND.keyUpdate) return
          rogue.updateKey(false)
          rogue.updateKey(false)
        }
      }
    )
    key.connection.rekey().catch(() => {})
    await failed(t, key, unexpected('the peer answered a request for new keys that was not made'))
  })

  t.test(`a pong of another value, and one with too many messages, at our ${role}`, async t => {
    const other = await against(
      role,
      {},
      {
        hear: (record, rogue) => {
          if (record.type === KIND.ping) rogue.seal(pongRecord(Buffer.alloc(8, 1), 0))
        }
      }
    )
    const asked = other.connection.rtt()
    asked.catch(() => {})
    await failed(t, other, unexpected('the peer sent a pong that answers nothing'))
    await t.rejects(asked, { code: 'ERR_STALK_UNEXPECTED' })
    const many = await against(
      role,
      {},
      {
        hear: (record, rogue) => {
          if (record.type === KIND.ping) rogue.seal(pongRecord(record.body, 2))
        }
      }
    )
    many.connection.write(1)
    many.connection.flush({ acked: true }).catch(() => {})
    await failed(t, many, unexpected('the peer claims to have received 2 messages of 1 sent'))
  })

  t.test(`a count that goes down, at our ${role}`, async t => {
    let count = 2
    const rogue = await against(
      role,
      {},
      {
        hear: (record, rogue) => {
          if (record.type === KIND.ping) rogue.seal(pongRecord(record.body, count--))
        }
      }
    )
    for (const n of [1, 2]) rogue.connection.write(n)
    await within(rogue.connection.flush({ acked: true }), 'flush')
    rogue.connection.rtt().catch(() => {})
    await failed(t, rogue, unexpected('the peer claims to have received 1 messages of 2 sent'))
  })

  t.test(`what still answers may come behind the goodbye, at our ${role}, and nothing else`, async t => {
    const rogue = await against(role, { allowHalfOpen: true })
    const asked = [rogue.connection.rtt(), rogue.connection.rekey()]
    await until(() => rogue.heard.length === 2, 'both questions')
    rogue.seal(closeRecord(0))
    for (const record of rogue.heard) answer(record, rogue)
    await within(Promise.all(asked), 'both answers')
    t.equal(rogue.connection.errored, null)
    const failing = failed(t, rogue, unexpected('the peer sent a ping after its goodbye'))
    rogue.seal(ping(1))
    await failing
  })
}

t.test('between the fragments of a message pings and key updates may stand, and not a goodbye', async t => {
  const rogue = await against('responder')
  const [first, ...rest] = messages(Buffer.alloc(200_000, 5))
  rogue.seal(first as Inner, ping(1))
  await until(() => ofKind(rogue, KIND.pong).length === 1, 'a pong')
  rogue.updateKey(true)
  await until(() => ofKind(rogue, KIND.keyUpdate).length === 1, 'an answer')
  rogue.seal(...rest)
  await until(() => rogue.got.length === 1, 'the message')
  t.ok(Buffer.alloc(200_000, 5).equals(rogue.got[0] as Buffer))
  const failing = failed(t, rogue, unexpected('a record of kind 5 stands inside a message'))
  rogue.seal(first as Inner, closeRecord(0))
  await failing
})

t.test('malformed ones are alert 4, before anything is done about them', async t => {
  const malformed: [Inner, RegExp][] = [
    [inner(KIND.ping, '01020304050607'), /^the peer sent a ping of 7 bytes$/],
    [inner(KIND.ping), /^the peer sent a ping of 0 bytes$/],
    [inner(KIND.pong, '0102030405060708'), /^the peer sent a pong of 8 bytes$/],
    [inner(KIND.keyUpdate), /^the peer sent a key update of 0 bytes$/],
    [inner(KIND.keyUpdate, '0100'), /^the peer sent a key update of 2 bytes$/]
  ]
  for (const [record, reason] of malformed) {
    const rogue = await against('responder')
    rogue.seal(record)
    await failed(t, rogue, { code: 'ERR_STALK_DECODE', reason, alert: ALERT.decode })
    t.equal(rogue.connection.counters.inbound.epoch, 0)
  }
})

t.test('what follows a key update under the old key does not open', async t => {
  const rogue = await against('initiator')
  rogue.seal(keyUpdateRecord(true), ...messages('under the old key'))
  await failed(t, rogue, {
    code: 'ERR_STALK_BAD_RECORD',
    reason: 'a record does not open',
    alert: ALERT.badRecord
  })
  t.same(rogue.got, [])
})

t.test('records of padding, and ones of the greatest length, cost no more than they bring', async t => {
  const rogue = await against('responder')
  for (let n = 0; n < 20; n++) rogue.seal(...messages(n).map(content => ({ ...content, innerBytes: 65_600 })))
  await until(() => rogue.got.length === 20, 'the messages')
  rogue.seal(inner(0, '', 65_600))
  await failed(t, rogue, {
    code: 'ERR_STALK_BAD_RECORD',
    reason: 'a record does not open',
    alert: ALERT.badRecord
  })
})

t.test('a peer that asks and never reads our answers makes us keep no more than one of each', async t => {
  const rogue = await against('responder', { padding: { block: 65_600 } })
  rogue.wire.pause()
  for (let n = 0; n < 2_000 && !rogue.connection.destroyed; n++) {
    rogue.seal(...messages(n), ping(n + 1))
    await turns(1)
  }
  t.match(rogue.connection.errored, { code: 'ERR_STALK_UNEXPECTED' })
  t.ok(rogue.got.length < 20, `${rogue.got.length} messages until then`)
  t.ok(rogue.connection.socket.writableLength <= 512 * 1024)
  rogue.wire.destroy()
  await within(rogue.connection.outcome, 'closed')
})

t.test('our own pings keep to half of what a peer takes: 16 at once, and messages make room', async t => {
  let pings = 0
  const { connection } = await against(
    'responder',
    {},
    {
      hear: (record, rogue) => {
        if (record.type === KIND.ping) pings += 1
        answer(record, rogue)
      }
    }
  )
  for (let n = 0; n < 16; n++) await within(connection.rtt(), 'rtt')
  t.equal(pings, 16)
  await t.rejects(connection.rtt({ timeout: 300 }), {
    code: 'ERR_STALK_WAIT_TIMEOUT',
    message: 'rtt took longer than 300 ms'
  })
  t.equal(pings, 16)
  await connection.send('x')
  for (let n = 0; n < 14; n++) await within(connection.rtt(), 'rtt')
  t.ok(pings <= 32, `${pings}`)
  connection.destroy()
  await connection.outcome
})
