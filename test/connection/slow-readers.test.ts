// What was authenticated before a fault reaches the reader, however slow it is and however it reads; then comes the
// error, and never an end. Whoever waits to send is told at once.

import { once } from 'node:events'
import { Transform, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { type Connection, type StalkError, stalk } from '../../lib/index.ts'
import { cut, type Fault } from '../../lib/testing/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { alice, bob, type Ends, open, tcpPair, turns, until, within } from '../helpers/pair.ts'

const COUNT = 1_000
const numbers = Array.from({ length: COUNT }, (_, n) => n)

/** All numbers sent and flushed by the initiator, of which the responder has read none. */
async function unread(both: Ends, count = COUNT): Promise<void> {
  for (const n of numbers.slice(0, count)) both.initiator.write(n)
  await within(both.initiator.flush(), 'flush')
}

type Reading = (connection: Connection, got: unknown[]) => unknown

/** Every way to read slowly. What goes wrong shows in the connection. */
const readers: Record<string, Reading> = {
  'a loop': async (connection, got) => {
    try {
      for await (const message of connection) {
        got.push(message)
        if (got.length % 50 === 0) await turns(3)
      }
    } catch (error) {
      if (error !== connection.errored) throw error
    }
  },
  'data handlers that pause': (connection, got) =>
    connection.on('data', message => {
      got.push(message)
      if (got.length % 100 !== 0) return
      connection.pause()
      turns(5).then(() => connection.resume())
    }),
  'read() when it is readable, a few at a time': (connection, got) => {
    const some = (): void => {
      for (let left = 20; left > 0; left -= 1) {
        const message = connection.read()
        if (message === null) return
        got.push(message)
      }
      turns(2).then(some)
    }
    connection.on('readable', some)
  },
  'a pipe into a slow stream': (connection, got) =>
    connection.pipe(
      new Writable({
        objectMode: true,
        highWaterMark: 4,
        write(message, _encoding, done) {
          got.push(message)
          if (got.length % 20 === 0) turns(1).then(() => done())
          else done()
        }
      })
    ),
  'an echo that waits for drain': async (connection, got) => {
    try {
      for await (const message of connection) {
        got.push(message)
        if (!connection.write(message)) await once(connection, 'drain')
      }
    } catch (error) {
      if (error !== connection.errored) throw error
    }
  },
  'an echo through pipes': (connection, got) => {
    const app = new Transform({
      objectMode: true,
      transform(message, _encoding, done) {
        setImmediate(done, null, message)
      }
    })
    connection.on('data', message => got.push(message))
    connection.pipe(app).pipe(connection)
  }
}

/** How it is cut, and what the reader's end makes of it. */
const faults: Record<string, { bring(both: Ends): void; outcome: object }> = {
  'the peer’s transport ends': {
    bring: ({ initiator }) => void initiator.socket.end(),
    outcome: { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' }
  },
  'the peer aborts': {
    bring: ({ initiator }) => void initiator.destroy(),
    outcome: { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' }
  },
  'our transport fails': {
    bring: ({ responder }) => void responder.socket.destroy(new Error('the cable is out')),
    outcome: { kind: 'reset', code: 'ERR_STALK_RESET' }
  },
  'a byte is changed behind the last message': {
    bring: ({ initiator }) => void initiator.socket.write(Buffer.from('e4000020', 'hex')),
    outcome: { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' }
  }
}

for (const [fault, { bring, outcome }] of Object.entries(faults)) {
  for (const [name, read] of Object.entries(readers)) {
    t.test(`${fault}: ${name} gets all that came, then the error`, async t => {
      const both = await open()
      const { responder } = both
      let ended = false
      responder.on('end', () => {
        ended = true
      })
      await unread(both)
      const got: unknown[] = []
      if (name.startsWith('an echo')) both.initiator.resume()
      bring(both)
      if (fault.startsWith('a byte')) setImmediate(() => both.initiator.socket.end())
      if (fault.startsWith('our')) {
        // What the transport itself still held is lost with it; all that we have taken out of it is not.
        await turns(3)
        const reading = read(responder, got)
        const { received } = await within(responder.outcome, 'outcome')
        await reading
        t.same(got, numbers.slice(0, got.length))
        t.ok(got.length > 0)
        t.equal(received, got.length)
      } else {
        await turns(3)
        const reading = read(responder, got)
        t.match(await within(responder.outcome, 'outcome'), { ...outcome, received: COUNT })
        await reading
        t.same(got, numbers)
      }
      t.match(responder.errored, { code: (outcome as { code: string }).code })
      t.notOk(ended)
      both.initiator.destroy()
      await both.initiator.outcome
    })
  }
}

t.test('over TCP, a reader that begins long after the reset gets what had come', async t => {
  const [calling, called] = await tcpPair()
  const both = await open({}, [calling, called])
  for (const n of numbers.slice(0, 100)) both.initiator.write(n)
  await both.initiator.flush()
  await until(() => both.responder.readableLength === 100, 'the messages')
  ;(calling as import('node:net').Socket).resetAndDestroy()
  await within(new Promise(resolve => called.on('close', resolve)), 'the reset')
  await turns(50)
  t.equal(both.responder.destroyed, false)
  const got: unknown[] = []
  await t.rejects(
    (async () => {
      for await (const message of both.responder) got.push(message)
    })(),
    { code: 'ERR_STALK_RESET' }
  )
  t.same(got, numbers.slice(0, 100))
  t.match(await within(both.responder.outcome, 'outcome'), { kind: 'reset', received: 100 })
})

t.test('whoever waits to send is told at once, and not when all is read', async t => {
  const both = await open()
  const { responder } = both
  await unread(both)
  responder.socket._write = () => {} // full for good
  const errors: unknown[] = []
  const note = (error: unknown): void => void (error && errors.push((error as StalkError).code))
  responder.write({ a: 1 }, note)
  const waiting = [responder.send('sent').catch(note), responder.flush().catch(note)]
  await turns()
  responder.socket.destroy(new Error('the cable is out'))
  await within(Promise.all(waiting), 'the senders')
  t.equal(responder.destroyed, false, 'there is still something to read')
  await t.rejects(responder.send('late'), { code: 'ERR_STALK_RESET' })
  await t.rejects(responder.flush(), { code: 'ERR_STALK_RESET' })
  const late = new Promise(resolve => responder.write('late too', resolve))
  t.match(await within(late, 'a late write'), { code: 'ERR_STALK_RESET' })
  t.ok(errors.length > 0 && errors.every(code => code === 'ERR_STALK_RESET'))
  const got: unknown[] = []
  responder.on('data', message => got.push(message))
  const outcome = await within(responder.outcome, 'outcome')
  t.equal(outcome.received, got.length)
  t.equal(outcome.sent + outcome.unsent, 4)
  both.initiator.destroy()
  await both.initiator.outcome
})

t.test(
  'a reader that never comes is waited for as long as closeTimeout says, and received does not lie',
  async t => {
    for (const fault of ['FIN', 'reset'] as const) {
      const both = await open({
        initiator: { writableHighWaterMark: 1_000 },
        responder: { closeTimeout: 100 }
      })
      await unread(both, fault === 'FIN' ? 100 : COUNT) // an end behind more than is decoded ahead is not seen
      if (fault === 'FIN') both.initiator.socket.end()
      else both.responder.socket.destroy(new Error('the cable is out'))
      const outcome = await within(both.responder.outcome, 'outcome')
      t.match(outcome, { kind: fault === 'FIN' ? 'truncated' : 'reset', received: 0 })
      both.initiator.destroy()
      await both.initiator.outcome
    }
  }
)

t.test('destroyed before all was read, it still says what went wrong first, and what was read', async t => {
  const both = await open()
  await unread(both, 100)
  both.initiator.socket.end()
  await turns(10)
  t.equal(both.responder.read(), 0)
  t.equal(both.responder.read(), 1)
  const errors: Error[] = []
  both.responder.on('error', error => errors.push(error))
  both.responder.destroy()
  t.match(await within(both.responder.outcome, 'outcome'), { kind: 'truncated', received: 2 })
  t.same(errors, [], 'destroy without an error emits none')
  both.initiator.destroy()
  await both.initiator.outcome
})

t.test('a pipeline fails with the fault, and its slow end has got all that came before', async t => {
  const both = await open()
  await unread(both)
  both.initiator.socket.end()
  const got: unknown[] = []
  const slow = async (messages: AsyncIterable<unknown>): Promise<void> => {
    for await (const message of messages) {
      got.push(message)
      if (got.length % 50 === 0) await turns(3)
    }
  }
  await t.rejects(pipeline(both.responder, slow), { code: 'ERR_STALK_TRUNCATED' })
  t.same(got, numbers)
  both.initiator.destroy()
  await both.initiator.outcome
})

t.test(
  'a wire that is cut anywhere takes nothing from a slow reader that its record had brought',
  async t => {
    const sizes: number[] = []
    const measuring: Fault = (bytes, at, wire) => {
      sizes.push(at + bytes.length)
      wire.pass(bytes)
    }
    const say = async (meddler: Fault): Promise<{ got: unknown[]; connection: Connection }> => {
      const [calling, called] = meddledPair(meddler)
      const initiator = stalk(calling, { role: 'initiator', identity: alice, peer: bob })
      const responder = stalk(called, { role: 'responder', identity: bob, peer: alice })
      for (const end of [initiator, responder]) end.on('error', () => {})
      const got: unknown[] = []
      for (let record = 0; record < 5; record += 1) {
        for (let n = 0; n < 200; n += 1) initiator.write(record * 200 + n)
        await Promise.race([initiator.flush().catch(() => {}), responder.outcome])
        await turns(2)
      }
      initiator.end()
      await readers['a loop']?.(responder, got)
      initiator.destroy()
      await Promise.all([initiator.outcome, responder.outcome])
      return { got, connection: responder }
    }
    await say(measuring).then(({ got }) => t.equal(got.length, 1_000))
    const [goodbye, last] = sizes.slice(-2) as [number, number]
    for (const [index, end] of sizes.entries()) {
      const whole = Math.max(index - (sizes.length - 6), 0) // records of messages; the first ones are the handshake's
      for (const offset of [end, end + 1, end + 40].filter(offset => offset < last)) {
        const { got, connection } = await say(cut(offset, 'end'))
        t.ok(got.length >= Math.min(whole, 5) * 200, `cut at ${offset}: ${got.length}`)
        t.same(
          got,
          Array.from({ length: got.length }, (_, n) => n)
        )
        if (offset < goodbye) t.not((await connection.outcome).kind, 'clean')
      }
    }
  }
)
