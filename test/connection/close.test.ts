// How a connection ends: in what order, with which words and numbers, in halves and at once, over every transport.

import { once } from 'node:events'
import { Transform } from 'node:stream'
import t from 'tap'
import type { Connection, Outcome, StalkError } from '../../lib/index.ts'
import { pair } from '../../lib/testing/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import {
  bothClosed,
  collect,
  type Ends,
  type EndsOptions,
  ends,
  note,
  open,
  transports,
  turns,
  until,
  within
} from '../helpers/pair.ts'

const EVENTS = ['secure', 'data', 'end', 'finish', 'error', 'close']

const clean = (sent: number, received: number): Outcome => ({
  kind: 'clean',
  reason: 'both ends said goodbye',
  sent,
  acknowledged: sent,
  received,
  unsent: 0
})

for (const [name, joined] of Object.entries(transports)) {
  t.test(`${name}: secure, data, end, finish, close, closed, and exact numbers`, async t => {
    const { initiator, responder } = ends(await joined())
    const [calling, called] = [note(initiator, EVENTS), note(responder, EVENTS)]
    responder.on('data', message => responder.write({ re: message }))
    for (const n of [1, 2, 3]) initiator.write(n)
    initiator.end()
    const [a, b] = await bothClosed({ initiator, responder })
    await turns()
    t.same(a, clean(3, 3))
    t.same(b, clean(3, 3))
    const data = ['data', 'data', 'data']
    t.same(called, ['secure', ...data, 'end', 'finish', 'close', 'closed'])
    t.same(
      calling.filter(event => event !== 'finish'),
      ['secure', ...data, 'end', 'close', 'closed']
    )
    t.ok(initiator.socket.destroyed && responder.socket.destroyed)
  })

  t.test(`${name}: destroy tells the peer, which is reset, and here it is aborted`, async t => {
    const both = ends(await joined())
    await within(Promise.all([both.initiator.ready, both.responder.ready]), 'ready')
    const [calling, called] = [note(both.initiator, EVENTS), note(both.responder, EVENTS)]
    await both.initiator.send('first')
    await both.initiator.flush()
    both.initiator.destroy()
    const [a, b] = await bothClosed(both)
    await turns()
    t.match(a, { kind: 'aborted', code: 'ERR_STALK_ABORTED', sent: 1, acknowledged: null, unsent: 0 })
    t.equal(a.reason, 'the connection was destroyed before both ends said goodbye')
    t.match(b, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED', received: 1, sent: 0, unsent: 0 })
    t.equal(b.reason, 'the peer ended the connection: aborted or internal error (alert 8)')
    t.same(calling, ['close', 'closed'])
    t.same(called, ['data', 'error', 'close', 'closed'])
  })

  t.test(`${name}: a transport that fails is a reset, one that ends is truncation`, async t => {
    const gone = ends(await joined())
    await within(Promise.all([gone.initiator.ready, gone.responder.ready]), 'ready')
    gone.initiator.socket.end()
    gone.responder.resume()
    const truncated = await within(gone.responder.outcome, 'closed')
    t.match(truncated, { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' })
    t.match(
      truncated.reason,
      /^the transport ended without a goodbye: what the peer still had to say is lost$/
    )
    gone.initiator.destroy()
    await bothClosed(gone)
    const failed = ends(await joined())
    await within(Promise.all([failed.initiator.ready, failed.responder.ready]), 'ready')
    failed.initiator.socket.destroy(new Error('the cable was cut'))
    const reset = await within(failed.initiator.outcome, 'closed')
    t.match(reset, {
      kind: 'reset',
      code: 'ERR_STALK_RESET',
      reason: 'the transport failed: the cable was cut'
    })
    t.match(failed.initiator.errored, { cause: { message: 'the cable was cut' }, phase: 'open' })
    failed.responder.destroy()
    await bothClosed(failed)
  })

  t.test(`${name}: half-close in both orders, answers behind the peer's end included`, async t => {
    for (const first of ['initiator', 'responder'] as const) {
      const second = first === 'initiator' ? 'responder' : 'initiator'
      const both = ends(await joined(), { [second]: { allowHalfOpen: true } })
      const got = collect(both[first])
      both[second].resume()
      both[first].end('last question')
      await within(once(both[second], 'end'), 'end')
      t.equal(both[first].writable, false)
      t.equal(both[second].writable, true)
      await both[second].send('late')
      both[second].end('later')
      t.same(Object.fromEntries(Object.entries(await closedOf(both))), {
        [first]: clean(1, 2),
        [second]: clean(2, 1)
      })
      t.same(got, ['late', 'later'])
    }
  })
}

const closedOf = async (both: Ends): Promise<Record<keyof Ends, Outcome>> => {
  const [initiator, responder] = await bothClosed(both)
  return { initiator, responder }
}

t.test('both may say goodbye at the same time', async t => {
  const both = await open()
  const [a, b] = [collect(both.initiator), collect(both.responder)]
  both.initiator.end('from the initiator')
  both.responder.end('from the responder')
  t.same(await closedOf(both), { initiator: clean(1, 1), responder: clean(1, 1) })
  t.same([a, b], [['from the responder'], ['from the initiator']])
})

t.test('an end without a message, at once, is clean', async t => {
  const both = ends(meddledPair())
  both.initiator.end()
  both.responder.resume()
  both.initiator.resume()
  t.same(await closedOf(both), { initiator: clean(0, 0), responder: clean(0, 0) })
})

t.test('who never reads ends all the same, as there is nothing to read', async t => {
  const both = ends(meddledPair())
  both.initiator.end()
  t.same(await closedOf(both), { initiator: clean(0, 0), responder: clean(0, 0) })
})

// --- answers ---------------------------------------------------------------------------------------------

const serving: Record<string, (connection: Connection) => unknown> = {
  'pipe through a slow transform': connection =>
    connection
      .pipe(
        new Transform({
          objectMode: true,
          transform: (message, _encoding, done) => void setTimeout(() => done(null, { re: message }), 3)
        })
      )
      .pipe(connection),
  'a loop that awaits each answer': async connection => {
    for await (const message of connection) {
      await new Promise(resolve => setTimeout(resolve, 3))
      await connection.send({ re: message })
    }
  },
  'a handler that writes': connection => connection.on('data', message => connection.write({ re: message })),
  'reading with read() while readable': connection =>
    connection.on('readable', () => {
      for (let message = connection.read(); message !== null; message = connection.read()) {
        connection.write({ re: message })
      }
    }),
  'a handler that stops while the writer is full': connection => {
    connection.on('drain', () => connection.resume())
    connection.on('data', message => {
      if (!connection.write({ re: message })) connection.pause()
    })
  }
}

for (const [name, serve] of Object.entries(serving)) {
  t.test(`answers are not lost, and the end follows by itself: ${name}`, async t => {
    const both = await open()
    serve(both.responder)
    const got = collect(both.initiator)
    for (const n of [1, 2, 3]) both.initiator.write(n)
    both.initiator.end()
    const outcome = await within(both.initiator.outcome, 'closed')
    t.same(got, [{ re: 1 }, { re: 2 }, { re: 3 }])
    t.same(outcome, clean(3, 3))
    await bothClosed(both)
  })
}

t.test('the last word said in a handler of end arrives', async t => {
  const both = await open()
  const got = collect(both.initiator)
  both.responder.resume().on('end', () => both.responder.write('bye'))
  both.initiator.end()
  t.same(await closedOf(both), { initiator: clean(0, 1), responder: clean(1, 0) })
  t.same(got, ['bye'])
})

t.test('a peer that says no goodbye is let go in the end, with its code', async t => {
  const both = await open({ initiator: { closeTimeout: 50 }, responder: { allowHalfOpen: true } })
  both.responder.resume()
  both.initiator.end('anybody?')
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'timeout', code: 'ERR_STALK_CLOSE_TIMEOUT', sent: 1, acknowledged: null })
  t.equal(a.reason, 'the peer did not say goodbye within 50 ms of ours')
  t.match(b, { kind: 'timeout', code: 'ERR_STALK_PEER_TIMEOUT', received: 1 })
  t.match(b.reason, /timed out \(alert 10\)/)
})

t.test('messages that the peer goes on sending keep the goodbye waiting', async t => {
  const both = await open({ initiator: { closeTimeout: 1500 }, responder: { allowHalfOpen: true } })
  both.responder.resume()
  const got = collect(both.initiator)
  both.initiator.end()
  await within(once(both.responder, 'end'), 'end')
  for (let n = 0; n < 8; n++) {
    await both.responder.send(n)
    await new Promise(resolve => setTimeout(resolve, 250))
  }
  both.responder.end()
  t.equal((await closedOf(both)).initiator.kind, 'clean')
  t.equal(got.length, 8)
})

// --- destroy ---------------------------------------------------------------------------------------------

t.test(
  'destroyed in the first tick: ready is rejected, no error is emitted, closed says aborted',
  async t => {
    for (const role of ['initiator', 'responder'] as const) {
      const both = ends(meddledPair(), {
        initiator: { handshakeTimeout: 300 },
        responder: { handshakeTimeout: 300 }
      })
      const events = note(both[role], EVENTS)
      both[role].write('never')
      const sending = both[role].send('never either').catch((error: StalkError) => error.code)
      both[role].destroy()
      both[role].destroy()
      await t.rejects(both[role].ready, { code: 'ERR_STALK_ABORTED', phase: 'handshake' })
      t.equal(await sending, 'ERR_STALK_ABORTED')
      const outcome = (await closedOf(both))[role]
      t.match(outcome, { kind: 'aborted', code: 'ERR_STALK_ABORTED', sent: 0, received: 0 })
      t.equal(outcome.unsent, 2)
      await turns()
      t.same(events, ['close', 'closed'])
    }
  }
)

t.test('destroyed with an error: it is emitted once, and is the reason', async t => {
  const both = await open()
  const errors: Error[] = []
  both.initiator.on('error', error => errors.push(error))
  const reason = new Error('no more of this')
  both.initiator.destroy(reason)
  both.initiator.destroy(new Error('too late'))
  const [a, b] = await bothClosed(both)
  t.same(errors, [reason])
  t.match(a, { kind: 'aborted', reason: 'no more of this' })
  t.notOk('code' in a)
  t.match(b, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
})

t.test('destroyed inside each handler, with and without an error, at either end', async t => {
  for (const event of ['secure', 'data', 'end', 'finish'] as const) {
    for (const role of ['initiator', 'responder'] as const) {
      for (const reason of [undefined, new Error('in the handler')]) {
        const both = ends(meddledPair(), { responder: { allowHalfOpen: role === 'responder' } })
        both[role].once(event, () => both[role].destroy(reason))
        both.responder.on('data', message => both.responder.write(message))
        both.initiator.resume()
        both.initiator.write('message')
        both.initiator.end()
        if (event !== 'end' || role === 'initiator') both.responder.once('end', () => both.responder.end())
        const outcome = (await closedOf(both))[role]
        const name = `${event} at the ${role}${reason ? ' with an error' : ''}`
        // At the second of end and finish the connection is over already.
        const over = outcome.kind === 'clean' && (event === 'end' || event === 'finish')
        if (!over)
          t.match(outcome, { kind: 'aborted', reason: reason?.message ?? /was destroyed before/ }, name)
        t.equal(both[role].destroyed, true)
      }
    }
  }
})

t.test("destroyed between its goodbye and the peer's it is aborted", async t => {
  const both = await open({ responder: { allowHalfOpen: true } })
  both.responder.resume()
  both.initiator.end('all')
  await within(once(both.initiator, 'finish'), 'finish')
  both.initiator.destroy()
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'aborted', code: 'ERR_STALK_ABORTED', sent: 1 })
  t.not(b.kind, 'clean')
})

t.test('a goodbye that the transport never took is no clean end', async t => {
  const [calling, called] = meddledPair()
  const both = await open({ responder: { allowHalfOpen: true } }, [calling, called])
  both.responder.end()
  both.initiator.resume()
  calling._write = () => {} // full for good
  both.initiator.write('never leaves')
  both.initiator.end()
  await within(once(both.initiator, 'end'), 'end')
  await turns()
  both.initiator.destroy()
  const [a, b] = await bothClosed(both)
  t.match(b, { kind: 'truncated', received: 0 })
  t.match(a, { sent: 1 })
  t.equal(a.kind, 'aborted')
})

// --- numbers ---------------------------------------------------------------------------------------------

t.test('every message that was written is sent, unsent or refused, whenever it ends', async t => {
  const moments: Record<string, (connection: Connection) => unknown> = {
    'in the same tick': () => {},
    'in the next tick': () => new Promise(resolve => process.nextTick(resolve)),
    'a microtask later': () => Promise.resolve(),
    'a turn later': () => turns(1),
    'some turns later': () => turns(4),
    'when flushed': connection => connection.flush().catch(() => {})
  }
  for (const [when, wait] of Object.entries(moments)) {
    for (const early of [true, false]) {
      for (const count of [1, 2, 5, 300, 1000]) {
        const both = early ? ends(meddledPair()) : await open()
        both.responder.resume()
        for (let n = 0; n < count; n++) {
          if (n % 7 === 3) void both.initiator.flush().catch(() => {})
          both.initiator.write(n % 5 === 4 ? () => {} : { n })
        }
        both.initiator.on('messageError', () => {
          refused += 1
        })
        let refused = 0
        await wait(both.initiator)
        both.initiator.destroy()
        const [a, b] = await bothClosed(both)
        await turns(2)
        const found = { accounted: a.sent + a.unsent + refused, more: b.received > a.sent }
        t.same(
          found,
          { accounted: count, more: false },
          `${when}, ${early ? 'early' : 'open'}, ${count} messages`
        )
      }
    }
  }
})

t.test('unsent is what was written and never sealed, exactly', async t => {
  const options: EndsOptions = { responder: { authorize: () => false } }
  const both = ends(meddledPair(), options)
  const callbacks: (Error | null | undefined)[] = []
  for (let n = 0; n < 10; n++) both.responder.write(n, error => callbacks.push(error))
  const [, b] = await bothClosed(both)
  t.match(b, { kind: 'rejected', code: 'ERR_STALK_UNAUTHORIZED', sent: 0, acknowledged: 0, unsent: 10 })
  t.equal(callbacks.length, 10)
  t.ok(callbacks.every(error => error instanceof Error))
})

t.test('what the initiator wrote before a refusal counts, and none of it as acknowledged', async t => {
  const both = ends(meddledPair(), { responder: { authorize: () => turns(10).then(() => false) } })
  for (let n = 0; n < 10; n++) both.initiator.write(n)
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'rejected', code: 'ERR_STALK_REJECTED', acknowledged: 0, received: 0 })
  t.equal(a.sent + a.unsent, 10)
  t.match(b, { received: 0, kind: 'rejected' })
})

t.test('acknowledged is what the peer had received when it said goodbye, not what we sent since', async t => {
  const both = await open({ initiator: { allowHalfOpen: true } })
  both.initiator.resume()
  const got = collect(both.responder)
  await both.initiator.send(1)
  await until(() => got.length === 1, 'the first message')
  both.responder.end()
  await within(once(both.initiator, 'end'), 'end')
  for (const n of [2, 3]) await both.initiator.send(n)
  await both.initiator.flush()
  await until(() => got.length === 3, 'the others')
  both.initiator.destroy()
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'aborted', sent: 3, acknowledged: 1 })
  t.match(b, { received: 3 })
})

t.test('the outcome is frozen and says the same to everyone who asks', async t => {
  const both = await open()
  both.responder.resume()
  both.initiator.end()
  const [a, again] = await Promise.all([both.initiator.outcome, both.initiator.outcome])
  t.equal(a, again)
  t.ok(Object.isFrozen(a))
  await bothClosed(both)
})

t.test('nobody has to listen: ready and closed leave no unhandled rejection', async t => {
  const unhandled: unknown[] = []
  const note = (reason: unknown): unknown => unhandled.push(reason)
  process.on('unhandledRejection', note)
  const both = ends(meddledPair(), { responder: { authorize: () => false } })
  await bothClosed(both)
  await turns()
  process.off('unhandledRejection', note)
  t.same(unhandled, [])
})

t.test('a goodbye that the transport does not take is given up, whoever closed first', async t => {
  for (const first of [true, false]) {
    const both = await open({ initiator: { closeTimeout: 60, allowHalfOpen: true } })
    both.initiator.resume()
    if (!first) {
      both.responder.end()
      await within(once(both.initiator, 'end'), 'the goodbye')
    }
    both.initiator.socket._write = () => {} // full for good
    both.initiator.end('held')
    t.match(await within(both.initiator.outcome, 'outcome'), {
      kind: 'timeout',
      code: 'ERR_STALK_CLOSE_TIMEOUT',
      reason: 'our goodbye could not be delivered: for 60 ms the transport took nothing and brought nothing'
    })
    both.responder.destroy()
    await both.responder.outcome
  }
})

t.test('a flush is not fulfilled by a transport that failed', async t => {
  const both = await open({ initiator: { readableHighWaterMark: 1 } })
  // Not read, so that the connection does not come to see its transport's end.
  for (let n = 0; n < 4; n++) await both.responder.send(n)
  await both.responder.flush()
  await until(() => both.initiator.readableLength > 0, 'messages')
  await turns()
  both.initiator.socket.destroy()
  await turns()
  both.initiator.write('into the void')
  const flushed = await Promise.race([
    both.initiator.flush().then(
      () => 'flushed',
      () => 'rejected'
    ),
    turns(40).then(() => 'waiting')
  ])
  t.not(flushed, 'flushed')
  both.initiator.destroy()
  both.responder.destroy()
  await bothClosed(both)
})

t.test('a flush is rejected if the transport fails while it holds what was flushed', async t => {
  const [calling, called] = meddledPair()
  const both = await open({}, [calling, called])
  calling._write = () => {} // full for good
  both.initiator.write('held')
  const flushing = both.initiator.flush().then(
    () => 'flushed',
    (error: StalkError) => error.code
  )
  await turns()
  calling.destroy(new Error('the cable was cut'))
  t.equal(await within(flushing, 'flush'), 'ERR_STALK_RESET')
  t.match(await within(both.initiator.outcome, 'closed'), { kind: 'reset', sent: 1, acknowledged: null })
  both.responder.destroy()
  await bothClosed(both)
})

t.test('what the peer says against us after both goodbyes is no clean end', async t => {
  const schema = {
    '~standard': { version: 1, vendor: 'test', validate: () => ({ issues: [{ message: 'unfit' }] }) }
  } as const
  const both = await open({ initiator: { schema }, responder: { allowHalfOpen: true } })
  const errors: StalkError[] = []
  both.responder.on('error', error => errors.push(error as StalkError))
  both.initiator.resume()
  both.responder.resume()
  both.initiator.end()
  await within(once(both.responder, 'end'), 'the goodbye')
  both.responder.end({ unfit: true }) // its goodbye is said before the peer has seen what is wrong
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'protocol', code: 'ERR_STALK_SCHEMA' })
  t.match(b, { kind: 'protocol', code: 'ERR_STALK_PEER_ALERT', sent: 1, acknowledged: 0 })
  t.match(errors, [{ code: 'ERR_STALK_PEER_ALERT', phase: 'closing' }])
})

t.test(
  'a peer that hangs up behind its goodbye has missed what it did not acknowledge, or nothing',
  async t => {
    for (const missed of [true, false]) {
      const [calling, called] = meddledPair()
      const both = await open({ responder: { allowHalfOpen: true } }, [calling, called])
      const got = collect(both.initiator)
      both.responder.resume()
      await both.responder.send('one')
      await until(() => got.length === 1, 'one')
      both.initiator.end()
      await within(once(both.responder, 'end'), 'the goodbye')
      if (missed) await both.responder.send('two')
      calling.end()
      const outcome = await within(both.responder.outcome, 'outcome')
      const kind = missed ? { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' } : { kind: 'clean' }
      t.match(outcome, { ...kind, sent: missed ? 2 : 1, acknowledged: 1 })
      both.initiator.destroy()
      await both.initiator.outcome
    }
  }
)

t.test('what was not read when a connection is destroyed is given to nobody, and not counted', async t => {
  const { initiator, responder } = await open()
  for (let n = 0; n < 10; n++) initiator.write(n)
  await until(() => responder.readableLength > 0, 'the messages')
  t.equal(responder.read(), 0)
  responder.destroy()
  t.equal(responder.read(), null)
  const late = collect(responder)
  t.match(await within(responder.outcome, 'the end'), { kind: 'aborted', received: 1 })
  t.same(late, [])
  await within(initiator.outcome, "the peer's end")
})

t.test('a transport that was let go has no listener of ours', async t => {
  const ways: Record<string, (both: Ends) => void> = {
    goodbyes: both => both.initiator.end(),
    destroy: both => both.initiator.destroy(),
    'a transport that is destroyed': both => both.initiator.socket.destroy()
  }
  for (const [name, way] of Object.entries(ways)) {
    const joined = meddledPair()
    const listeners = (): number[] =>
      joined.map(end => end.eventNames().reduce((sum, event) => sum + end.listenerCount(event), 0))
    const before = listeners()
    const both = await open({}, joined)
    for (const end of [both.initiator, both.responder]) end.resume()
    way(both)
    await bothClosed(both)
    t.same(listeners(), before, name)
  }
})

t.test('a failure that waits for the reader is an error, also where both have said goodbye', async t => {
  const { ends: joined, back } = pair()
  const { initiator, responder } = await open({}, joined)
  const events = note(initiator, ['finish', 'end', 'error', 'close'])
  back.stall()
  responder.end('last words')
  await turns(3)
  responder.destroy()
  await turns(3)
  initiator.end()
  await until(() => initiator.writableFinished, 'our goodbye')
  back.resume()
  await until(() => initiator.readableLength === 1, 'the message')
  await turns(5)
  initiator.resume()
  const [{ kind, code }] = await bothClosed({ initiator, responder })
  await turns(1)
  t.same([kind, code], ['reset', 'ERR_STALK_PEER_ABORTED'])
  t.same(events, ['finish', 'end', 'error', 'close', 'closed'])
})
