// The sink: what it tells of its progress, when it waits, and what is never reached.

import { Duplex } from 'node:stream'
import t from 'tap'
import { MAX_UNWRITTEN_BYTES } from '../../lib/constants.ts'
import { Sink } from '../../lib/pipeline/sink.ts'
import { Marker } from '../../lib/stages/pace.ts'
import type { Frame } from '../../lib/wire/frame.ts'
import { turns } from '../helpers/pair.ts'

/** A frame that has so many bytes on the wire, in parts. */
const frameOf = (...bytes: number[]): Frame => ({
  type: 1,
  body: NONE,
  wire: bytes.map(count => Buffer.alloc(count))
})

const NONE = Buffer.alloc(0)

/** A transport that takes one write each time it is told to. */
function slow(): { transport: Duplex; take(error?: Error): Promise<void>; took: Buffer[] } {
  const took: Buffer[] = []
  let pending: ((error?: Error) => void) | null = null
  const transport = new Duplex({
    read() {},
    write(chunk, _encoding, done) {
      took.push(chunk)
      pending = done
    }
  })
  transport.on('error', () => {})
  const take = async (error?: Error): Promise<void> => {
    const done = pending
    pending = null
    done?.(error)
    await turns(2)
  }
  return { transport, take, took }
}

t.test('it tells of each write, and of each that is done, and how many are not', async t => {
  const { transport, take } = slow()
  const progress: number[][] = []
  const sink = new Sink(transport, (bytes, waiting) => progress.push([bytes, waiting]))
  for (const bytes of [10, 20]) sink.write(frameOf(bytes))
  t.same(progress, [
    [10, 1],
    [20, 2]
  ])
  await take()
  await take()
  t.same(progress.slice(2), [
    [0, 1],
    [0, 0]
  ])
})

t.test('a frame in parts is one write', async t => {
  const { transport, took } = slow()
  const calls: string[] = []
  for (const name of ['cork', 'uncork'] as const) {
    const plain = transport[name].bind(transport)
    transport[name] = () => {
      calls.push(name)
      plain()
    }
  }
  const progress: number[][] = []
  const sink = new Sink(transport, (bytes, waiting) => progress.push([bytes, waiting]))
  sink.write(frameOf(4, 100, 16))
  t.same(calls, ['cork', 'uncork'])
  t.same(progress, [[120, 1]])
  t.equal(took.length, 1, 'the first of them; a transport with writev would have all')
  t.equal(transport.writableLength, 120)
})

t.test('a marker is reached when all in front of it was taken', async t => {
  const { transport, take } = slow()
  const sink = new Sink(transport)
  const reached: string[] = []
  sink.write(new Marker(() => reached.push('first')))
  sink.write(frameOf(1))
  sink.write(new Marker(() => reached.push('second')))
  sink.write(frameOf(1))
  sink.write(new Marker(() => reached.push('third')))
  t.same(reached, ['first'])
  await take()
  t.same(reached, ['first', 'second'])
  await take()
  t.same(reached, ['first', 'second', 'third'])
})

t.test('it waits as soon as the transport holds 256 KiB, and goes on when that has drained', async t => {
  const { transport, take, took } = slow()
  const sink = new Sink(transport)
  const piece = MAX_UNWRITTEN_BYTES / 4
  for (let n = 0; n < 12; n++) sink.write({ ...frameOf(), wire: [Buffer.alloc(piece, n)] })
  await turns(2)
  t.equal(transport.writableLength, MAX_UNWRITTEN_BYTES)
  while (took.length < 12) await take()
  await take()
  t.same(
    took.map(chunk => chunk[0]),
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]
  )
})

t.test('behind what was not taken nothing is reached', async t => {
  const failing = slow()
  const sink = new Sink(failing.transport)
  let reached = 0
  sink.write(frameOf(1))
  sink.write(new Marker(() => reached++))
  await failing.take(new Error('gone'))
  sink.write(new Marker(() => reached++))
  await turns(2)
  t.equal(reached, 0)
  const closed = slow()
  closed.transport.destroy()
  const dropping = new Sink(closed.transport)
  dropping.write(frameOf(1))
  dropping.write(new Marker(() => reached++))
  await turns(2)
  t.equal(reached, 0)
})
