// What becomes of messages on their way out: when write says enough, when send and flush are fulfilled, how messages
// gather in records, and what cannot be carried.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import type { Connection, StalkError } from '../../lib/index.ts'
import { type Fault, records } from '../../lib/testing/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { run } from '../helpers/child.ts'
import { bothClosed, collect, ends, open, pair, tcpPair, turns, until, within } from '../helpers/pair.ts'

const APPLICATION = 0xe4

/** A pair, and the lengths of the application's records that the first end writes. */
function counted(): { joined: [Duplex, Duplex]; lengths: number[] } {
  const lengths: number[] = []
  const count: Fault = records((record, _index, wire) => {
    if (record[0] === APPLICATION) lengths.push(record.length)
    wire.pass(record)
  })
  return { joined: meddledPair(count), lengths }
}

async function finish(both: { initiator: Connection; responder: Connection }): Promise<void> {
  both.initiator.end()
  both.initiator.resume()
  both.responder.resume()
  await bothClosed(both)
}

t.test('a hundred writes in a tick are one or two records, early or not', async t => {
  for (const early of [true, false]) {
    const { joined, lengths } = counted()
    const both = ends(joined)
    if (!early) await within(both.initiator.ready, 'ready')
    const got = collect(both.responder)
    for (let n = 0; n < 100; n++) both.initiator.write({ n })
    await within(both.initiator.flush(), 'flush')
    t.ok(lengths.length >= 1 && lengths.length <= 2, `${lengths.length} records, early: ${early}`)
    await until(() => got.length === 100, 'all messages')
    t.same(
      got,
      Array.from({ length: 100 }, (_, n) => ({ n }))
    )
    await finish(both)
  }
})

t.test('messages of different ticks do not wait for each other', async t => {
  const { joined, lengths } = counted()
  const both = await open({}, joined)
  for (let n = 0; n < 5; n++) {
    both.initiator.write(n)
    await turns(3)
  }
  t.equal(lengths.length, 5)
  await finish(both)
})

t.test('a thousand sends in a tick are few records, and each is fulfilled in its turn', async t => {
  const { joined, lengths } = counted()
  const both = await open({ initiator: { writableHighWaterMark: 10 } }, joined)
  both.responder.resume()
  const order: number[] = []
  await within(
    Promise.all(Array.from({ length: 1000 }, (_, n) => both.initiator.send(n).then(() => order.push(n)))),
    'sends'
  )
  t.ok(lengths.length <= 4, `${lengths.length} records`)
  t.same(
    order,
    [...order].sort((a, b) => a - b)
  )
  await finish(both)
})

t.test('corked messages leave together when they are uncorked, in one record', async t => {
  const { joined, lengths } = counted()
  const both = await open({}, joined)
  const got = collect(both.responder)
  both.initiator.cork()
  for (const n of [1, 2, 3]) {
    both.initiator.write(n)
    await turns(3)
  }
  t.same([lengths, got], [[], []])
  both.initiator.uncork()
  await until(() => got.length === 3, 'the messages')
  t.equal(lengths.length, 1)
  t.same(got, [1, 2, 3])
  await finish(both)
})

t.test('write says enough at the high-water mark, and drain follows, before secure and after', async t => {
  for (const early of [true, false]) {
    const both = ends(meddledPair(), { initiator: { writableHighWaterMark: 3 } })
    if (!early) await within(both.initiator.ready, 'ready')
    const got = collect(both.responder)
    const answers = [1, 2, 3, 4].map(n => both.initiator.write(n))
    t.same(answers, [true, true, false, false])
    t.equal(both.initiator.writableNeedDrain, true)
    if (early) t.same(got, [])
    await within(once(both.initiator, 'drain'), 'drain')
    t.equal(both.initiator.write(5), true)
    await finish(both)
    t.same(got, [1, 2, 3, 4, 5])
  }
})

t.test('nothing is sealed before the peer is verified, and nothing delivered before it accepts', async t => {
  let accept: (verdict: boolean) => void = () => {}
  const verdict = new Promise<boolean>(resolve => {
    accept = resolve
  })
  const { joined, lengths } = counted()
  const both = ends(joined, { responder: { peer: () => verdict }, initiator: { peer: () => verdict } })
  const got = collect(both.responder)
  let sent = false
  const sending = both.initiator.send('early').then(() => {
    sent = true
  })
  const flushing = both.initiator.flush()
  await turns()
  t.same([sent, lengths, got], [false, [], []])
  accept(true)
  await within(Promise.all([sending, flushing]), 'send and flush')
  await until(() => got.length === 1, 'the message')
  await finish(both)
})

t.test('send: fulfilled when encoded, and what the caller changes afterwards does not arrive', async t => {
  const both = await open()
  const got = collect(both.responder)
  const message = { state: 'as sent' }
  await both.initiator.send(message)
  message.state = 'changed'
  await finish(both)
  t.same(got, [{ state: 'as sent' }])
})

t.test('a flush waits for the transport, and not for the peer', async t => {
  const [calling, called] = meddledPair()
  const both = await open({}, [calling, called])
  const { _write } = calling
  let blocked: (() => void) | null = null
  calling._write = (chunk, encoding, done) => {
    blocked = () => _write.call(calling, chunk, encoding, done)
  }
  both.initiator.write('one')
  let flushed = false
  const flushing = both.initiator.flush().then(() => {
    flushed = true
  })
  await turns()
  t.equal(flushed, false)
  calling._write = _write
  ;(blocked as (() => void) | null)?.()
  await within(flushing, 'flush')
  t.equal(flushed, true)
  await finish(both)
})

t.test(
  'flushes with nothing to flush, many at once, between messages, after end, after the close',
  async t => {
    const { joined, lengths } = counted()
    const both = await open({}, joined)
    const got = collect(both.responder)
    await within(both.initiator.flush(), 'an idle flush')
    t.same(lengths, [])
    const flushes = Promise.all([both.initiator.flush(), both.initiator.flush(), both.initiator.flush()])
    both.initiator.write(1)
    const between = both.initiator.flush()
    both.initiator.write(2)
    await within(Promise.all([flushes, between]), 'flushes')
    both.initiator.end(3)
    await within(both.initiator.flush(), 'a flush behind the end')
    both.initiator.resume()
    const [a] = await bothClosed(both)
    t.match(a, { kind: 'clean', sent: 3, unsent: 0 })
    t.same(got, [1, 2, 3])
    await within(both.initiator.flush(), 'a flush after the close')
  }
)

t.test('a flush that cannot be is rejected with what ended the connection', async t => {
  const both = await open()
  both.initiator.destroy()
  await t.rejects(both.initiator.flush(), {
    code: 'ERR_STALK_NOT_WRITABLE',
    message: 'cannot flush: the connection is closed'
  })
  await t.rejects(both.initiator.send(1), {
    code: 'ERR_STALK_NOT_WRITABLE',
    message: 'cannot send: the connection is closed'
  })
  await bothClosed(both)
})

t.test(
  'null is no message: write throws as in any object stream, send is refused, both harm nothing',
  async t => {
    const both = await open()
    const got = collect(both.responder)
    t.throws(() => both.initiator.write(null), { code: 'ERR_STREAM_NULL_VALUES' })
    await t.rejects(both.initiator.send(null), {
      code: 'ERR_STALK_VALUE_UNSUPPORTED',
      message: 'null is not a message; wrap it, as in { value: null }'
    })
    await t.rejects(both.initiator.send(undefined), { message: /^undefined is not a message/ })
    await both.initiator.send({ value: null })
    await finish(both)
    t.same(got, [{ value: null }])
  }
)

t.test(
  'what cannot be carried is dropped alone: messageError with the message, the others arrive',
  async t => {
    const both = await open()
    const got = collect(both.responder)
    const refused: [string, string, unknown][] = []
    both.initiator.on('messageError', (error, message) => refused.push([error.code, error.message, message]))
    const odd = { deep: [Symbol.iterator] }
    let written: Error | null | undefined = new Error('not called')
    both.initiator.write('before')
    both.initiator.write(odd, error => {
      written = error
    })
    both.initiator.write('behind')
    await both.initiator.flush()
    await turns()
    t.same(refused, [
      ['ERR_STALK_VALUE_UNSUPPORTED', 'cannot carry a symbol at .deep[0]; send its description', odd]
    ])
    t.match(
      written,
      { code: 'ERR_STALK_VALUE_UNSUPPORTED' },
      'the callback knows too, and the stream lives on'
    )
    t.equal(both.initiator.writable, true)
    both.initiator.end('last')
    both.initiator.resume()
    const [a] = await bothClosed(both)
    t.match(a, { kind: 'clean', sent: 3, acknowledged: 3, unsent: 0 })
    t.same(got, ['before', 'behind', 'last'])
  }
)

t.test('where nobody listens for messageError the process is warned', async t => {
  const warned = once(process, 'warning')
  const both = await open()
  both.initiator.write(() => {})
  const [warning] = await within(warned, 'a warning')
  t.match(warning, {
    code: 'ERR_STALK_VALUE_UNSUPPORTED',
    message: /^a message was not sent: cannot carry a function/,
    detail: /listen for 'messageError'/
  })
  await finish(both)
})

t.test(
  'a message larger than the peer takes is refused here, with both sizes, and goes no further',
  async t => {
    const both = await open({ initiator: { maxMessage: 2000 }, responder: { maxMessage: 500 } })
    const [asked, answered] = [collect(both.responder), collect(both.initiator)]
    const expected = {
      code: 'ERR_STALK_MESSAGE_TOO_LARGE',
      message: 'a message of 603 bytes; the peer takes at most 500'
    }
    await t.rejects(both.initiator.send('x'.repeat(600)), expected)
    const refused = once(both.initiator, 'messageError')
    both.initiator.write('x'.repeat(600))
    t.match((await within(refused, 'messageError'))[0] as StalkError, expected)
    await both.initiator.send('x'.repeat(497))
    await both.responder.send('x'.repeat(1997))
    await t.rejects(both.responder.send('x'.repeat(1998)), { message: /at most 2000/ })
    await finish(both)
    t.same([asked.length, answered.length], [1, 1])
  }
)

t.test('early messages that turn out to be too large are refused once the limit is known', async t => {
  const both = ends(meddledPair(), { responder: { maxMessage: 100 } })
  const got = collect(both.responder)
  await Promise.all([
    t.rejects(both.initiator.send('x'.repeat(200)), { code: 'ERR_STALK_MESSAGE_TOO_LARGE' }),
    both.initiator.send('fits')
  ])
  await finish(both)
  t.same(got, ['fits'])
})

t.test('five MiB go in fragments, between small messages, there and back, over memory and TCP', async t => {
  for (const joined of [meddledPair(), await tcpPair()]) {
    const both = await open({}, joined)
    const big = { bytes: Buffer.alloc(5 * 1024 * 1024, 'stalk'), text: 'é'.repeat(100_000) }
    const got = collect(both.responder)
    const back = collect(both.initiator)
    both.responder.on('data', message => both.responder.write(message))
    both.initiator.write('before')
    both.initiator.write(big)
    both.initiator.end('behind')
    const [a, b] = await bothClosed(both)
    t.match(
      [a, b],
      [
        { kind: 'clean', sent: 3, received: 3 },
        { kind: 'clean', sent: 3 }
      ]
    )
    for (const messages of [got, back]) {
      t.same([messages[0], messages[2], messages.length], ['before', 'behind', 3])
      t.ok(big.bytes.equals((messages[1] as typeof big).bytes))
      t.equal((messages[1] as typeof big).text, big.text)
    }
  }
})

t.test('records hold 64 KiB at most, however large the message', async t => {
  const { joined, lengths } = counted()
  const both = await open({}, joined)
  both.responder.resume()
  await both.initiator.send(Buffer.alloc(200_000))
  await both.initiator.flush()
  t.equal(lengths.length, 4)
  t.ok(lengths.every(length => length <= 4 + 65_600 + 16))
  await finish(both)
})

t.test('a message that is sent while another is being encoded, by a getter, is not lost', async t => {
  const both = await open()
  const got = collect(both.responder)
  let inner = true
  const message = {
    get value() {
      if (inner) {
        inner = false
        both.initiator.write('from the getter')
      }
      return 1
    }
  }
  both.initiator.write(message)
  await both.initiator.flush()
  await finish(both)
  t.same(new Set(got.map(item => JSON.stringify(item))), new Set(['{"value":1}', '"from the getter"']))
})

t.test('a long buffer may be changed when its callback has come, however slow the transport is', async t => {
  const both = await open({}, pair())
  const got: Buffer[] = []
  const all = Array.from({ length: 400 }, (_, n) => Buffer.alloc(66_000 + n, n))
  let changed = 0
  for (const message of all) {
    both.initiator.write(message, () => {
      changed += 1
      message.fill(0xff)
    })
  }
  await turns(20)
  t.ok(changed < all.length, `${changed} were sealed before anything was read`)
  both.responder.on('data', message => got.push(message as Buffer))
  await both.initiator.flush()
  await finish(both)
  t.equal(changed, all.length)
  t.ok(got.every((message, n) => message.equals(Buffer.alloc(66_000 + n, n))))
})

// --- backpressure ----------------------------------------------------------------------------------------

/** Writes until nothing goes any more; gives how many bytes were taken. */
async function fill(connection: Connection, message: Buffer, most: number): Promise<number> {
  let bytes = 0
  while (bytes < most) {
    bytes += message.length
    if (connection.write(message)) continue
    const drained = once(connection, 'drain').then(() => true)
    if (!(await Promise.race([drained, new Promise(resolve => setTimeout(resolve, 150, false))]))) break
  }
  return bytes
}

const MIB = 1024 * 1024

t.test('with a peer that never reads the writer stops after about a megabyte', async t => {
  for (const size of [100, 4096, 100_000]) {
    const both = await open({
      responder: { readableHighWaterMark: 4 },
      initiator: { writableHighWaterMark: 4 }
    })
    both.responder.pause()
    const taken = await fill(both.initiator, Buffer.alloc(size), 20 * MIB)
    t.ok(taken < 2 * MIB, `${taken} bytes in messages of ${size}`)
    t.ok(taken > 4 * size)
    both.responder.resume()
    await within(both.initiator.flush(), 'flush, once it reads')
    await finish(both)
  }
})

t.test('a slow reader slows the writer down, and gets everything in order', async t => {
  for (const joined of [meddledPair(), await tcpPair()]) {
    const both = await open({ responder: { readableHighWaterMark: 2 } }, joined)
    const got: number[] = []
    const reading = (async () => {
      for await (const message of both.responder as Connection<{ n: number }>) {
        got.push(message.n)
        if (got.length % 50 === 0) await turns(1)
      }
    })()
    let waits = 0
    const filler = Buffer.alloc(2000)
    for (let n = 0; n < 2000; n++) {
      if (both.initiator.write({ n, filler })) continue
      waits += 1
      await within(once(both.initiator, 'drain'), 'drain')
    }
    both.initiator.end()
    both.initiator.resume()
    await within(reading, 'reading')
    t.same(
      got,
      Array.from({ length: 2000 }, (_, n) => n)
    )
    t.ok(waits > 1)
    await bothClosed(both)
  }
})

t.test('each way of reading gets every message once: data, readable, read(), pause and resume', async t => {
  const readers: Record<string, (connection: Connection, got: unknown[]) => void> = {
    data: (connection, got) => void connection.on('data', message => got.push(message)),
    readable: (connection, got) =>
      void connection.on('readable', () => {
        for (let m = connection.read(); m !== null; m = connection.read()) got.push(m)
      }),
    'paused after each': (connection, got) =>
      void connection.on('data', message => {
        got.push(message)
        connection.pause()
        setImmediate(() => connection.resume())
      }),
    'paused and resumed at once': (connection, got) =>
      void connection.on('data', message => {
        got.push(message)
        connection.pause()
        connection.resume()
      })
  }
  for (const [name, read] of Object.entries(readers)) {
    const both = await open({ responder: { readableHighWaterMark: 3, allowHalfOpen: true } })
    const got: unknown[] = []
    read(both.responder, got)
    for (let n = 0; n < 200; n++) both.initiator.write(n)
    both.initiator.end()
    both.initiator.resume()
    await within(once(both.responder, 'end'), name)
    t.same(
      got,
      Array.from({ length: 200 }, (_, n) => n),
      name
    )
    both.responder.end()
    await bothClosed(both)
  }
})

t.test("what a reader's own handler throws is its own, and no error of the connection", async t => {
  const { code, out, err } = await run(`
    import { open } from './test/helpers/pair.ts'
    const both = await open()
    process.once('uncaughtException', error => {
      console.log(error.message, both.responder.errored, both.responder.destroyed)
      process.exit(7)
    })
    both.responder.once('data', () => { throw new Error("the reader's own") })
    both.responder.on('error', error => console.log('error', error))
    both.initiator.write('message')
  `)
  t.same({ code, out, err }, { code: 7, out: "the reader's own null false\n", err: '' })
})
