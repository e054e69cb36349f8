// Peers that hang, peers that are only quiet, readers of ours that are slow, transports that take nothing: who is given
// up, when, and who is not.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { ALERT } from '../../lib/errors.ts'
import type { Connection } from '../../lib/index.ts'
import type { Fault } from '../../lib/testing/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { run } from '../helpers/child.ts'
import {
  bothClosed,
  collect,
  type EndsOptions,
  ends,
  open,
  tcpPair,
  turns,
  until,
  within
} from '../helpers/pair.ts'
import { against, answer, inner, messages } from '../helpers/rogue.ts'

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** A pair over which nothing passes any more, either way, as soon as it is told. */
function hanging(): { joined: [Duplex, Duplex]; hang(): void } {
  let hung = false
  const meddler: Fault = (bytes, _at, wire) => {
    if (!hung) wire.pass(bytes)
  }
  return {
    joined: meddledPair(meddler, meddler),
    hang: () => {
      hung = true
    }
  }
}

/** Both ends over a wire that hangs once both are secure. */
async function hung(options: EndsOptions): Promise<{ initiator: Connection; responder: Connection }> {
  const { joined, hang } = hanging()
  const both = await open(options, joined)
  await within(both.initiator.flush({ acked: true }), 'flush')
  hang()
  return both
}

const silent = (ms: number): object => ({
  kind: 'timeout',
  code: 'ERR_STALK_PEER_SILENT',
  reason: `nothing has come from the peer for ${2 * ms} ms, not even the answer to a ping`
})

t.test('keepAlive: a peer that hangs is given up in twice the time, by either end', async t => {
  for (const role of ['initiator', 'responder'] as const) {
    const both = await hung({ [role]: { keepAlive: 60 } })
    const started = performance.now()
    const outcome = await within(both[role].outcome, 'closed')
    t.match(outcome, silent(60))
    t.ok(performance.now() - started >= 60, 'not before')
    t.match(both[role].errored, { code: 'ERR_STALK_PEER_SILENT', phase: 'open', fault: 'transport' })
    const other = both[role === 'initiator' ? 'responder' : 'initiator']
    await within(other.outcome, 'closed')
  }
})

t.test(
  'keepAlive: a peer that says nothing but answers stays, for longer than a burst of pings lasts',
  async t => {
    let pings = 0
    const { connection } = await against(
      'initiator',
      { keepAlive: 40 },
      {
        hear: (record, rogue) => {
          if (record.type === KIND.ping) pings += 1
          answer(record, rogue)
        }
      }
    )
    await sleep(1_800)
    t.equal(connection.destroyed, false, String(connection.errored))
    t.ok(pings >= 3, `${pings} pings`)
    t.ok(pings <= 17, `${pings} pings: no more than half of what a peer takes`)
    connection.destroy()
    await connection.outcome
  }
)

t.test('keepAlive: both ends keep each other, and messages do it too', async t => {
  const both = await open({ initiator: { keepAlive: 60 }, responder: { keepAlive: 60 } })
  const got = collect(both.responder)
  for (let n = 0; n < 10; n++) {
    await both.initiator.send(n)
    await sleep(50)
  }
  t.same(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  both.initiator.resume().end()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('keepAlive: a reader of ours that is slow is not blamed on the peer', async t => {
  const both = await open({ initiator: { keepAlive: 100 } }, await tcpPair())
  for (let n = 0; n < 40; n++) both.responder.write(Buffer.alloc(60_000, n))
  await sleep(500)
  t.equal(both.initiator.destroyed, false, 'it holds up what comes by itself')
  const got = collect(both.initiator)
  await until(() => got.length === 40, 'all messages')
  both.initiator.end()
  both.responder.resume()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('keepAlive: nor is a schema that takes its time', async t => {
  let held: (() => void) | null = null
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        new Promise<{ value: unknown }>(resolve => {
          held = () => resolve({ value })
        })
    }
  }
  const both = await open({ initiator: { keepAlive: 100, schema, messageTimeout: 100 } })
  const got = collect(both.initiator)
  both.responder.write('slow')
  both.responder.write(Buffer.alloc(200_000))
  await sleep(400)
  t.equal(both.initiator.destroyed, false)
  for (let n = 0; n < 2; n++) {
    await until(() => held !== null, 'the schema')
    const go = held as unknown as () => void
    held = null
    go()
    await until(() => got.length === n + 1, 'a message')
  }
  both.initiator.end()
  both.responder.resume()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('keepAlive: also when the peer has said goodbye, and it answers', async t => {
  const both = await open({ initiator: { keepAlive: 60, allowHalfOpen: true } })
  both.responder.resume().end('last')
  both.initiator.resume()
  await within(once(both.initiator, 'end'), 'end')
  await sleep(200)
  t.same([both.initiator.destroyed, both.responder.destroyed], [false, false])
  t.ok(both.initiator.counters.roundTrip !== null)
  both.initiator.end()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('keepAlive: one that hangs then is given up too', async t => {
  const { joined, hang } = hanging()
  const both = await open({ initiator: { keepAlive: 40, allowHalfOpen: true } }, joined)
  both.responder.resume().end('last')
  both.initiator.resume()
  await within(once(both.initiator, 'end'), 'end')
  hang()
  t.match(await within(both.initiator.outcome, 'closed'), silent(40))
  t.match(both.initiator.errored, { phase: 'closing' })
  both.responder.destroy()
  await both.responder.outcome
})

t.test('the peer is told that it was given up for its silence', async t => {
  const { connection, heard, wire } = await against('responder', { keepAlive: 30 })
  wire.on('end', () => wire.end())
  t.match(await within(connection.outcome, 'closed'), silent(30))
  await until(() => heard.some(({ type }) => type === KIND.alert), 'an alert')
  t.same(
    heard.map(({ type, body }) => (type === KIND.ping ? [type] : [type, ...body])),
    [[KIND.ping], [KIND.alert, ALERT.timeout]]
  )
})

t.test('idleTimeout: pings are no messages', async t => {
  const both = await open({ initiator: { idleTimeout: 150, keepAlive: 60 } })
  const started = performance.now()
  t.match(await within(both.initiator.outcome, 'closed'), {
    kind: 'timeout',
    code: 'ERR_STALK_IDLE_TIMEOUT',
    reason: 'no message was sent or received for 150 ms'
  })
  t.ok(performance.now() - started >= 140)
  t.match(await within(both.responder.outcome, 'closed'), { code: 'ERR_STALK_PEER_TIMEOUT' })
})

t.test(
  'idleTimeout: messages of either direction count, and those that wait for a reader or a transport',
  async t => {
    const both = await open({ initiator: { idleTimeout: 150 } })
    both.responder.resume()
    for (let n = 0; n < 15; n++) {
      if (n % 2 === 0) both.initiator.write(n)
      else both.responder.write(n)
      if (n > 8) both.initiator.read()
      await sleep(30)
    }
    t.equal(both.initiator.destroyed, false)
    await sleep(300)
    t.equal(both.initiator.destroyed, false, 'some are still unread')
    both.initiator.resume()
    t.match(await within(both.initiator.outcome, 'closed'), { code: 'ERR_STALK_IDLE_TIMEOUT' })
  }
)

t.test('idleTimeout: not while more waits to be sent than the transport takes', async t => {
  const both = await open({ initiator: { idleTimeout: 80 } }, await tcpPair())
  for (let n = 0; n < 1_000; n++) both.initiator.write(Buffer.alloc(60_000))
  await sleep(300)
  t.equal(both.initiator.destroyed, false, String(both.initiator.errored))
  both.responder.resume()
  t.match(await within(both.initiator.outcome, 'closed'), { code: 'ERR_STALK_IDLE_TIMEOUT', unsent: 0 })
})

t.test('idleTimeout: not while a large message is coming slowly', async t => {
  const { connection, seal, got } = await against('initiator', { idleTimeout: 100 })
  const [first, ...rest] = messages(Buffer.alloc(400_000))
  seal(first as never)
  for (const part of rest) {
    await sleep(60)
    seal(part)
  }
  await until(() => got.length === 1, 'the message')
  t.equal(connection.destroyed, false)
  t.match(await within(connection.outcome, 'closed'), { code: 'ERR_STALK_IDLE_TIMEOUT' })
})

t.test('writeTimeout: a peer that never reads', async t => {
  const [ours, theirs] = await tcpPair()
  const both = ends([ours, theirs], { initiator: { writeTimeout: 150 } })
  await within(both.initiator.flush({ acked: true }), 'flush')
  await within(both.responder.ready, 'ready')
  for (let n = 0; n < 400; n++) both.initiator.write(Buffer.alloc(60_000))
  const outcome = await within(both.initiator.outcome, 'closed')
  t.match(outcome, {
    kind: 'timeout',
    code: 'ERR_STALK_WRITE_TIMEOUT',
    reason: 'the transport has taken nothing for 150 ms: the peer does not read'
  })
  t.ok(outcome.unsent > 0)
  t.equal(outcome.sent + outcome.unsent, 400)
  both.responder.destroy()
  await both.responder.outcome
})

t.test('writeTimeout: a peer that reads slowly stays', async t => {
  const both = await open({ initiator: { writeTimeout: 400 } }, await tcpPair())
  for (let n = 0; n < 200; n++) both.initiator.write(Buffer.alloc(60_000))
  both.initiator.end()
  both.initiator.resume()
  let got = 0
  for await (const _ of both.responder) {
    got += 1
    if (got % 10 === 0) await sleep(40)
  }
  t.equal(got, 200)
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

t.test('messageTimeout: the next part of a message has so long, however long all of it takes', async t => {
  const { connection, seal, got, heard, wire } = await against('responder', { messageTimeout: 150 })
  wire.on('end', () => wire.end())
  for (const part of messages(Buffer.alloc(500_000))) {
    seal(part)
    await sleep(30)
  }
  await until(() => got.length === 1, 'the message')
  await sleep(200)
  t.equal(connection.destroyed, false, 'nothing is to come')
  seal(inner(KIND.fragment, 'c6'.padEnd(4_000, '0')))
  for (let n = 0; n < 5; n++) {
    await sleep(20)
    seal(inner(KIND.ping, `010203040506070${n}`)) // what is no part does not count as one
  }
  t.match(await within(connection.outcome, 'closed'), {
    kind: 'timeout',
    code: 'ERR_STALK_MESSAGE_TIMEOUT',
    reason: 'the next part of a message did not come within 150 ms',
    received: 1
  })
  await until(() => heard.some(({ type }) => type === KIND.alert), 'an alert')
  t.same([...(heard.at(-1)?.body ?? [])], [ALERT.timeout])
})

t.test('messageTimeout: not while our reader leaves too much unread', async t => {
  const both = await open({ responder: { messageTimeout: 200 } }, await tcpPair())
  for (let n = 0; n < 6; n++) both.initiator.write(Buffer.alloc(150_000, n))
  for (let n = 6; n < 9; n++) both.initiator.write(Buffer.alloc(2_000_000, n))
  await sleep(500)
  t.equal(both.responder.destroyed, false, String(both.responder.errored))
  const got = collect(both.responder)
  await until(() => got.length === 9, 'all messages')
  both.initiator.resume().end()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})

const QUIET = {
  keepAlive: 60_000,
  idleTimeout: 60_000,
  writeTimeout: 60_000,
  messageTimeout: 60_000,
  handshakeTimeout: 60_000,
  closeTimeout: 60_000,
  rekeyAfter: { time: 60_000 }
}

t.test('no timer is left behind, however it ends', async t => {
  // Timers that hold no process are not among the active resources: those that are made are counted instead.
  const running = new Set<NodeJS.Timeout>()
  const [set, clear] = [globalThis.setTimeout, globalThis.clearTimeout]
  t.teardown(() => Object.assign(globalThis, { setTimeout: set, clearTimeout: clear }))
  const counting = (
    action: (...args: unknown[]) => void,
    ms?: number,
    ...args: unknown[]
  ): NodeJS.Timeout => {
    const timer = set(() => {
      running.delete(timer)
      action(...args)
    }, ms)
    running.add(timer)
    return timer
  }
  Object.assign(globalThis, {
    setTimeout: counting,
    clearTimeout: (timer?: NodeJS.Timeout) => {
      if (timer) running.delete(timer)
      clear(timer)
    }
  })
  type Way = (both: Awaited<ReturnType<typeof open>>) => unknown
  const ways: Record<string, Way> = {
    clean: ({ initiator, responder }) => {
      initiator.resume().end('x')
      responder.resume()
    },
    'clean, with a ping and a request under way': ({ initiator, responder }) => {
      void initiator.rtt()
      void responder.rekey()
      initiator.resume().end('x')
      responder.resume().end('y')
    },
    destroyed: ({ initiator, responder }) => {
      responder.resume()
      initiator.write(Buffer.alloc(300_000))
      initiator.destroy()
    },
    cut: ({ initiator }) => void initiator.socket.destroy(),
    'waits that are given up': ({ initiator, responder }) => {
      const signal = AbortSignal.abort()
      initiator.rtt({ signal }).catch(() => {})
      for (let n = 0; n < 40; n++) initiator.rtt({ timeout: 60_000 }).catch(() => {})
      responder.resume()
      setImmediate(() => initiator.destroy())
    }
  }
  for (const [name, way] of Object.entries(ways)) {
    const both = await open({ initiator: QUIET, responder: QUIET })
    way(both)
    await bothClosed(both)
    await turns()
    t.equal(running.size, 0, name)
    running.clear()
  }
})

t.test('the timers of a connection that nobody waits for hold no process', async t => {
  const { code, out, err } = await run(`
    import { open, within } from './test/helpers/pair.ts'
    import { meddledPair } from './test/helpers/adversary.ts'
    const quiet = { keepAlive: 5_000, idleTimeout: 60_000, writeTimeout: 60_000, rekeyAfter: { time: 50_000 } }
    const both = await open({ initiator: quiet, responder: quiet }, meddledPair())
    await both.initiator.send('x')
    await both.initiator.rekey()
    console.log('open', await both.initiator.rtt() >= 0)
  `)
  t.same([code, out], [0, 'open true\n'], err)
})

t.test('a clock that jumps changes nothing', async t => {
  const now = Date.now
  t.teardown(() => {
    Date.now = now
  })
  const both = await open({
    initiator: { keepAlive: 300, idleTimeout: 5_000 },
    responder: { keepAlive: 300 }
  })
  collect(both.responder)
  for (const day of [1, -1, 30]) {
    Date.now = () => now() + day * 86_400_000
    await both.initiator.send(day)
    await both.initiator.flush({ acked: true, timeout: 5_000 })
    const ms = await both.initiator.rtt({ timeout: 5_000 })
    t.ok(ms >= 0 && ms < 5_000, `${ms} ms`)
    await both.initiator.rekey({ timeout: 5_000 })
  }
  Date.now = now
  t.same([both.initiator.errored, both.responder.errored], [null, null])
  both.initiator.resume().end()
  for (const { kind, reason } of await bothClosed(both)) t.equal(kind, 'clean', reason)
})
