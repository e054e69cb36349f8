// The source: a transport that is piped into it rests while the first stage is busy, whoever else reads it, and in
// whatever state it was before; and a connection that is made of it.

import { once } from 'node:events'
import net, { type AddressInfo } from 'node:net'
import { PassThrough, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { Schema } from '../../lib/index.ts'
import { Source } from '../../lib/pipeline/source.ts'
import { paced, type Stage } from '../../lib/stages/paced.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { alice, bob, collect, end, ends, open, turns, within } from '../helpers/pair.ts'

/** Work that is done when it is let go, and what it was given by then. */
function slow(): { stage: Stage; begun: unknown[]; letGo(): void } {
  const begun: unknown[] = []
  const waiting: (() => void)[] = []
  const stage = paced<unknown, unknown>(item => {
    begun.push(item)
    return new Promise(resolve => waiting.push(() => resolve([item])))
  })
  return { stage, begun, letGo: () => waiting.shift()?.() }
}

t.test('a transport rests while the first stage is busy, and loses nothing', async t => {
  const transport = new PassThrough({ objectMode: true, highWaterMark: 2 })
  const { stage, begun, letGo } = slow()
  const got: unknown[] = []
  stage.on('data', item => got.push(item))
  const source = transport.pipe(new Source(stage), { end: false })
  for (let n = 0; n < 6; n++) transport.write(n)
  await sleep(5)
  t.same(begun, [0])
  t.equal(transport.isPaused(), true)
  for (let n = 0; n < 4; n++) {
    letGo()
    await sleep(5)
  }
  t.same(
    [begun, got],
    [
      [0, 1, 2, 3, 4],
      [0, 1, 2, 3]
    ]
  )
  transport.unpipe(source)
  letGo()
  await sleep(5)
  t.same(got, [0, 1, 2, 3, 4])
  t.equal(transport.isPaused(), true)
  t.equal(transport.read(), 5, 'what was not handed over is still there')
})

t.test('a stage that keeps up is never a reason to rest', async t => {
  const transport = new PassThrough({ objectMode: true })
  transport.on('pause', () => t.fail('it was paused'))
  const stage = paced<number, number>(n => [n])
  const got: number[] = []
  stage.on('data', n => got.push(n))
  transport.pipe(new Source(stage), { end: false })
  for (let n = 0; n < 10; n++) transport.write(n)
  await sleep(5)
  t.equal(got.length, 10)
})

t.test('nothing is handed to a stage that has failed', async t => {
  const transport = new PassThrough({ objectMode: true })
  const begun: number[] = []
  const stage = paced<number, number>(n => {
    begun.push(n)
    if (n === 1) throw new Error('one')
    return [n]
  })
  const failed = once(stage, 'error')
  stage.resume()
  transport.pipe(new Source(stage), { end: false })
  for (const n of [0, 1, 2, 3]) transport.write(n)
  t.match(await failed, [{ message: 'one' }])
  await sleep(5)
  t.same(begun, [0, 1])
  t.equal(transport.isPaused(), true)
})

t.test('who else reads the transport does not wake it', async t => {
  const transport = new PassThrough({ objectMode: true, highWaterMark: 1 })
  const { stage, begun } = slow()
  stage.resume()
  const copied: unknown[] = []
  const copy = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(item, _encoding, done) {
      copied.push(item)
      setImmediate(done)
    }
  })
  transport.pipe(copy)
  transport.pipe(new Source(stage), { end: false })
  for (let n = 0; n < 20; n++) transport.write(n)
  await sleep(20)
  t.same([begun, copied], [[0], [0]])
})

t.test('a transport that was paused, or piped before, or begins paused, is read all the same', async t => {
  const paused = meddledPair()
  paused[1].pause()
  const piped = meddledPair()
  const before = new PassThrough()
  piped[1].pipe(before)
  piped[1].unpipe(before)
  const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  const [accepted] = await once(server, 'connection')
  server.close()
  for (const pair of [paused, piped, [socket, accepted] as const]) {
    const both = ends([...pair])
    const got = collect(both.responder)
    both.initiator.end('heard')
    await within(once(both.responder, 'end'), 'end')
    t.same(got, ['heard'])
  }
})

t.test(
  'a connection that is destroyed while it is handed a chunk still sees the end of its transport',
  async t => {
    const [calling, called] = meddledPair()
    const schema: Schema = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          responder.destroy()
          return new Promise(() => {})
        }
      }
    }
    const initiator = end('initiator', calling, { identity: alice, peer: bob })
    const responder = end('responder', called, { identity: bob, peer: alice, schema })
    initiator.on('error', () => {}).resume()
    responder.resume()
    await initiator.send('x')
    await within(once(responder, 'close'), 'close')
    t.equal(called.readableEnded, true, 'it was read to the end, and not left to a timer')
  }
)

t.test('what was answered to the messages before one that does not fit is sent', async t => {
  const schema: Schema = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: value => (value === 3 ? { issues: [{ message: 'no' }] } : { value })
    }
  }
  const both = await open({ responder: { schema } })
  const got = collect(both.initiator)
  both.initiator.on('error', () => {})
  both.responder.on('error', () => {})
  both.responder.on('data', message => both.responder.write(`re ${message}`))
  for (let n = 0; n < 6; n++) both.initiator.write(n)
  await both.initiator.outcome
  await turns()
  t.same(got, ['re 0', 're 1', 're 2'])
  t.match(await both.responder.outcome, { code: 'ERR_STALK_SCHEMA', sent: 3, received: 3 })
})
