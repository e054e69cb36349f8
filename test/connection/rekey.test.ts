// New keys while a connection lives: in order, at any time, whoever asks, and however much is under way; nothing is
// lost, no key seals two records with one sequence, and what is not the keys' stays as it is.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { KIND } from '../../lib/constants.ts'
import { SUITES, type Suite, type SuiteName, type TrafficKeys } from '../../lib/crypto/suites.ts'
import type { Connection, StalkOptions } from '../../lib/index.ts'
import { records } from '../../lib/testing/index.ts'
import { honest, meddledPair } from '../helpers/adversary.ts'
import {
  bothClosed,
  collect,
  type Ends,
  type EndsOptions,
  open,
  tcpPair,
  turns,
  until,
  within
} from '../helpers/pair.ts'
import { against, answer, messages } from '../helpers/rogue.ts'

/** Of each key, the sequences that it has sealed with. */
const used = new Map<string, number[]>()
/** Called while a record of this kind is sealed. */
let onSeal: (kind: number) => void = () => {}
/** The kinds of what was sealed, in order. */
let kinds: number[] = []

for (const suite of Object.values(SUITES) as { sealing: Suite['sealing'] }[]) {
  const sealing = suite.sealing
  suite.sealing = (keys: TrafficKeys) => {
    const key = Buffer.concat([keys.key, keys.iv]).toString('hex')
    const sequences = used.get(key) ?? []
    used.set(key, sequences)
    const seal = sealing(keys)
    return (sequence, aad, ...parts) => {
      sequences.push(sequence)
      kinds.push(parts.at(-1)?.at(-1) ?? 0) // nothing is padded here
      onSeal(kinds.at(-1) as number)
      return seal(sequence, aad, ...parts)
    }
  }
}

const both = (options: StalkOptions): EndsOptions => ({ initiator: options, responder: options })
const epochs = ({ counters }: Connection): [number, number] => [
  counters.inbound.epoch,
  counters.outbound.epoch
]

/** What does not depend on which keys are in use. */
const fixed = (connection: Connection): unknown => [
  connection.security?.sessionId,
  connection.exportKeyingMaterial('test', 'rekey', 32)
]

/** Both say goodbye, and it was in order. */
async function parted(t: Test, ends: Ends): Promise<void> {
  for (const connection of [ends.initiator, ends.responder]) connection.end()
  for (const connection of [ends.initiator, ends.responder]) connection.resume()
  for (const { kind, reason } of await bothClosed(ends)) t.equal(kind, 'clean', reason)
}

for (const name of Object.keys(SUITES) as SuiteName[]) {
  for (const role of ['initiator', 'responder'] as const) {
    t.test(`${name}: the ${role} asks, and all that was sent arrives in order`, async t => {
      const ends = await open(both({ suites: [name] }))
      const [asking, asked] =
        role === 'initiator' ? [ends.initiator, ends.responder] : [ends.responder, ends.initiator]
      const [here, there] = [collect(asking), collect(asked)]
      const before = [asking, asked].map(fixed)
      for (let n = 0; n < 4; n++) {
        asking.write(`a${n}`)
        asked.write(`b${n}`)
        await within(asking.rekey(), 'rekey')
        t.same([epochs(asking), epochs(asked)], Array(2).fill([n + 1, n + 1]))
      }
      await until(() => here.length === 4 && there.length === 4, 'the messages')
      t.same(
        [here, there],
        [0, 1].map(end => [0, 1, 2, 3].map(n => `${end ? 'a' : 'b'}${n}`))
      )
      t.same([asking, asked].map(fixed), before)
      await parted(t, ends)
    })
  }
}

t.test('two that ask at once change both keys twice', async t => {
  const ends = await open()
  const got = collect(ends.responder)
  ends.initiator.write(1)
  await within(Promise.all([ends.initiator.rekey(), ends.responder.rekey()]), 'rekey')
  ends.initiator.write(2)
  await until(() => got.length === 2, 'the messages')
  await until(() => epochs(ends.responder)[0] === 2 && epochs(ends.initiator)[0] === 2, 'four changes')
  t.same(
    [epochs(ends.initiator), epochs(ends.responder)],
    [
      [2, 2],
      [2, 2]
    ]
  )
  await parted(t, ends)
})

t.test('asked for while a key update is sealed, the next one stands behind the key of that', async t => {
  const ends = await open()
  const got = collect(ends.responder)
  let asked: Promise<void> | null = null
  let updates = 0
  onSeal = kind => {
    if (kind !== KIND.keyUpdate) return
    updates += 1
    if (updates === 2) asked = ends.responder.rekey() // while it answers
  }
  await within(ends.initiator.rekey(), 'rekey')
  await within(asked ?? Promise.reject(new Error('not asked')), 'the one in between')
  onSeal = () => {}
  for (const side of [ends.initiator, ends.responder]) await side.send('behind')
  await until(() => got.length === 1, 'the message')
  await parted(t, ends)
})

t.test('asked many times at once, two changes are enough for all', async t => {
  const ends = await open()
  await within(Promise.all(Array.from({ length: 100 }, () => ends.initiator.rekey())), 'rekey')
  t.same(epochs(ends.initiator), [2, 2], 'the first asks, the others ask together behind it')
  await parted(t, ends)
})

t.test('at every record boundary', async t => {
  for (let boundary = 0; boundary <= 6; boundary++) {
    const ends = await open()
    const got = collect(ends.responder)
    for (let n = 0; n < 6; n++) {
      if (n === boundary) void ends.initiator.rekey()
      await ends.initiator.send(n)
    }
    if (boundary === 6) void ends.initiator.rekey()
    await within(ends.initiator.flush({ acked: true }), 'flush')
    t.same(got, [0, 1, 2, 3, 4, 5])
    await until(() => epochs(ends.initiator)[0] === 1, 'the answer')
    await parted(t, ends)
  }
})

t.test('between the fragments of a message', async t => {
  const ends = await open(both({}), await tcpPair())
  const got = collect(ends.responder)
  const large = Buffer.alloc(16_000_000, 7)
  kinds = []
  ends.initiator.write(large)
  await until(() => kinds.includes(KIND.fragment), 'a fragment')
  await within(ends.initiator.rekey(), 'rekey')
  await within(ends.responder.rekey(), 'rekey')
  await until(() => got.length === 1, 'the message')
  t.ok(large.equals(got[0] as Buffer))
  t.ok(kinds.indexOf(KIND.keyUpdate) < kinds.indexOf(KIND.lastFragment), 'it was in between')
  await parted(t, ends)
})

t.test('what was sealed under an old key does not open any more', async t => {
  const kept: Buffer[] = []
  const wire = records((record, _index, wire) => {
    kept.push(record)
    wire.pass(record)
  })
  const [a, b] = meddledPair(wire, honest)
  const ends = await open({}, [a, b])
  const got = collect(ends.responder)
  await ends.initiator.send('once')
  await until(() => got.length === 1, 'the message')
  const old = kept.at(-1) as Buffer
  await within(ends.initiator.rekey(), 'rekey')
  b.push(old)
  t.match(await within(ends.responder.outcome, 'closed'), {
    kind: 'protocol',
    code: 'ERR_STALK_BAD_RECORD',
    reason: 'a record does not open'
  })
  t.same(got, ['once'])
})

for (const [transport, joined] of Object.entries({ memory: meddledPair, TCP: tcpPair })) {
  t.test(`thousands of times under load in both directions, over ${transport}`, async t => {
    const COUNT = 1_500
    const ends = await open(both({ rekeyAfter: { records: 3 } }), await joined())
    const talk = async (connection: Connection, name: string): Promise<unknown[]> => {
      const got = collect(connection)
      const ended = once(connection, 'end')
      for (let n = 0; n < COUNT; n++) {
        await connection.send(n % 500 === 7 ? name.repeat(100_000) : `${name}${n}`)
        if (n % 10 === 0) await turns(1) // so that sockets can be read
      }
      connection.end()
      await ended
      return got
    }
    const [fromB, fromA] = await within(
      Promise.all([talk(ends.initiator, 'a'), talk(ends.responder, 'b')]),
      'all messages'
    )
    const expected = (name: string): string[] =>
      Array.from({ length: COUNT }, (_, n) => (n % 500 === 7 ? name.repeat(100_000) : `${name}${n}`))
    t.strictSame(fromA, expected('a'))
    t.strictSame(fromB, expected('b'))
    for (const outcome of await bothClosed(ends)) {
      t.match(outcome, { kind: 'clean', sent: COUNT, acknowledged: COUNT, received: COUNT, unsent: 0 })
    }
    for (const connection of [ends.initiator, ends.responder]) {
      t.ok(connection.counters.outbound.epoch > 100, `${connection.counters.outbound.epoch} changes`)
    }
  })
}

t.test('while neither reads, and both have more to say than fits', async t => {
  const ends = await open(both({ rekeyAfter: { records: 2 } }), await tcpPair())
  const sides = [ends.initiator, ends.responder]
  for (const side of sides) for (let n = 0; n < 60; n++) side.write(Buffer.alloc(100_000, n))
  await turns(50)
  const asked = Promise.all(sides.map(side => side.rekey()))
  await turns(50)
  const got = sides.map(collect)
  await within(asked, 'rekey')
  await until(() => got.every(({ length }) => length === 60), 'all messages')
  for (const all of got) t.ok(all.every((bytes, n) => Buffer.alloc(100_000, n).equals(bytes as Buffer)))
  await parted(t, ends)
})

t.test('as often as the time says, and not only once', async t => {
  const ends = await open({ initiator: { rekeyAfter: { time: 10 } } })
  const holding = setTimeout(() => {}, 10_000) // the timers of keys hold no process
  await until(() => epochs(ends.initiator)[1] >= 4, 'four changes')
  clearTimeout(holding)
  t.ok(epochs(ends.responder)[0] >= 3)
  await parted(t, ends)
})

t.test('by bytes, whatever the messages', async t => {
  const ends = await open({ responder: { rekeyAfter: { bytes: 10_000 } } })
  collect(ends.initiator)
  await ends.responder.send(Buffer.alloc(9_000))
  await within(ends.responder.flush({ acked: true }), 'flush')
  t.same(epochs(ends.responder), [0, 0], 'not before')
  await ends.responder.send(Buffer.alloc(1_000))
  await until(() => epochs(ends.responder)[0] === 1, 'new keys')
  await turns(50)
  t.same(epochs(ends.responder), [1, 1])
  await parted(t, ends)
})

t.test('the least limit there is makes no end of changes of an exchange that is over', async t => {
  const ends = await open(both({ rekeyAfter: { records: 1 } }))
  const got = collect(ends.responder)
  await ends.initiator.send('hello')
  await until(() => got.length === 1 && epochs(ends.initiator)[0] > 0, 'the message and new keys')
  await turns(100)
  const now = epochs(ends.initiator)
  t.ok(now[0] <= 2 && now[1] <= 2, `${now}`)
  await parted(t, ends)
})

t.test('a peer that never answers: one request, messages go on, and whoever waits can give up', async t => {
  const { connection, heard } = await against('initiator', { rekeyAfter: { records: 3 } })
  for (let n = 0; n < 50; n++) await connection.send(n)
  await until(() => heard.filter(({ type }) => type === KIND.messages).length === 50, 'the messages')
  t.equal(heard.filter(({ type }) => type === KIND.keyUpdate).length, 1)
  t.same(epochs(connection), [0, 1])
  await t.rejects(connection.rekey({ timeout: 20 }), {
    code: 'ERR_STALK_WAIT_TIMEOUT',
    message: 'rekey took longer than 20 ms'
  })
  connection.destroy()
  await within(connection.outcome, 'closed')
})

t.test('the peer that has said goodbye answers still, and the other way round nobody may ask', async t => {
  for (const first of ['initiator', 'responder'] as const) {
    const ends = await open(both({ allowHalfOpen: true }))
    const [closed, still] =
      first === 'initiator' ? [ends.initiator, ends.responder] : [ends.responder, ends.initiator]
    const got = collect(closed)
    still.resume()
    closed.end('last')
    await within(once(still, 'end'), 'end')
    await still.send(1)
    await within(still.rekey(), 'rekey')
    await still.send(2)
    await within(still.rekey(), 'rekey')
    await t.rejects(closed.rekey(), {
      code: 'ERR_STALK_NOT_WRITABLE',
      message: 'cannot rekey: the connection was ended'
    })
    t.same(
      [epochs(still), epochs(closed)],
      [
        [2, 2],
        [2, 2]
      ]
    )
    still.end(3)
    const outcomes = await bothClosed(ends)
    t.match(
      outcomes.map(({ kind }) => kind),
      ['clean', 'clean']
    )
    t.match(await still.outcome, { sent: 3, acknowledged: 3, received: 1 })
    t.same(got, [1, 2, 3])
  }
})

t.test('asked, then ended at once: the answer comes behind our goodbye', async t => {
  for (let n = 0; n < 20; n++) {
    const ends = await open()
    for (const connection of [ends.initiator, ends.responder]) connection.resume()
    const asked = [ends.initiator.rekey(), ends.responder.rekey()]
    ends.initiator.end('bye')
    if (n % 2 === 0) ends.responder.end('bye')
    for (const { kind, acknowledged } of await bothClosed(ends))
      t.same([kind, acknowledged], ['clean', n % 2 ? acknowledged : 1])
    await Promise.all(asked)
  }
})

t.test('a request that our goodbye has overtaken was not made', async t => {
  const { connection } = await against('responder', { allowHalfOpen: true })
  const first = connection.rekey()
  const second = connection.rekey() // waits for the first
  first.catch(() => {})
  connection.end()
  await t.rejects(within(second, 'the second'), {
    code: 'ERR_STALK_NOT_WRITABLE',
    message: 'cannot rekey: the connection was ended'
  })
  connection.destroy()
  await t.rejects(first, { code: 'ERR_STALK_ABORTED' })
})

t.test('before there are keys, and after the end, none are to be had', async t => {
  const ends = await open()
  await parted(t, ends)
  await t.rejects(ends.initiator.rekey(), { code: 'ERR_STALK_NOT_WRITABLE', message: /^cannot rekey/ })
})

t.test('a peer’s request is answered before anything that it asked for behind it', async t => {
  const { connection, heard, updateKey, seal, got } = await against('initiator')
  for (let n = 0; n < 20; n++) {
    updateKey(true)
    seal(...messages(n))
    await until(() => heard.filter(({ type }) => type === KIND.keyUpdate).length === n + 1, 'an answer')
  }
  await until(() => got.length === 20, 'the messages')
  t.same(epochs(connection), [20, 20])
  connection.destroy()
  await connection.outcome
})

t.test('a loop of rekey keeps to half of what a peer takes', async t => {
  let requests = 0
  const { connection } = await against(
    'initiator',
    {},
    {
      hear: (inner, rogue) => {
        if (inner.type === KIND.keyUpdate) requests += 1
        answer(inner, rogue)
      }
    }
  )
  for (let n = 0; n < 16; n++) await within(connection.rekey(), 'rekey')
  t.equal(requests, 16)
  await t.rejects(connection.rekey({ timeout: 300 }), { code: 'ERR_STALK_WAIT_TIMEOUT' })
  t.equal(requests, 16, 'the seventeenth waits')
  await connection.send('more')
  await within(connection.rekey(), 'rekey')
  t.equal(requests, 17)
  connection.destroy()
  await connection.outcome
})

t.test('in all of this no key has sealed two records with one sequence', async t => {
  t.ok(used.size > 1_000, `${used.size} keys`)
  const wrong = [...used.values()].filter(sequences => sequences.some((sequence, n) => sequence !== n))
  t.same(wrong, [], 'each begins at 0 and goes up by one')
})
