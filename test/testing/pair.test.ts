// The pair of duplexes: what arrives, when, in which pieces, how it ends, and what stays behind.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import { cut, drop, type LinkOptions, type PairOptions, pair, repeat } from '../../lib/testing/index.ts'
import { turns, until, within } from '../helpers/pair.ts'

/** The chunks that an end gives, as text. */
function chunksOf(end: Duplex): string[] {
  const chunks: string[] = []
  end.on('data', chunk => chunks.push(chunk.toString()))
  return chunks
}

/** In which chunks the text arrives. */
async function arrived(options: LinkOptions, writes: string[], seed?: number): Promise<string[]> {
  const { ends } = pair({ there: options, seed })
  const chunks = chunksOf(ends[1])
  for (const text of writes) ends[0].write(text)
  ends[0].end()
  await within(once(ends[1], 'end'), 'the end')
  return chunks
}

t.test('what one end writes the other one reads, both ways, until both have ended', async t => {
  const { ends, there, back } = pair()
  const [a, b] = [chunksOf(ends[0]), chunksOf(ends[1])]
  const closed = Promise.all(ends.map(end => once(end, 'close')))
  ends[0].end('there')
  await within(once(ends[1], 'end'), 'the end of one direction')
  ends[1].end('and back')
  await within(closed, 'both closed')
  t.same([a, b], [['and back'], ['there']])
  t.match(there, { written: 5, delivered: 5 })
  t.match(back, { written: 8, delivered: 8 })
})

t.test(
  'chunks: as they were written, of a size, of random sizes that the seed repeats, of a turn',
  async t => {
    const writes = ['abcde', 'fghij', 'klm']
    t.same(await arrived({}, writes), writes)
    t.same(await arrived({ chunk: 1 }, writes), [...'abcdefghijklm'])
    t.same(await arrived({ chunk: 4 }, writes), ['abcd', 'e', 'fghi', 'j', 'klm'])
    t.same(await arrived({ chunk: 'turn' }, writes), ['abcdefghijklm'])
    const random = await arrived({ chunk: { most: 3 } }, ['x'.repeat(200)], 7)
    t.same(new Set(random.map(chunk => chunk.length)), new Set([1, 2, 3]))
    t.same(await arrived({ chunk: { most: 3 } }, ['x'.repeat(200)], 7), random)
    t.notSame(await arrived({ chunk: { most: 3 } }, ['x'.repeat(200)], 8), random)
  }
)

t.test('a delay holds up everything, the end too, and keeps the order', async t => {
  const { ends, there } = pair({ there: { delay: 30 } })
  const chunks = chunksOf(ends[1])
  const started = performance.now()
  ends[0].write('one')
  there.delay(0)
  ends[0].end('two')
  await turns()
  t.same(chunks, [])
  await within(once(ends[1], 'end'), 'the end')
  t.same(chunks, ['one', 'two'])
  t.ok(performance.now() - started >= 28)
})

t.test('a stall lets writes fill the capacity and then wait, until it is over', async t => {
  const { ends, there } = pair({ there: { capacity: 100 } })
  const chunks = chunksOf(ends[1])
  there.stall()
  let taken = 0
  for (let n = 0; n < 5; n++) ends[0].write('x'.repeat(50), () => taken++)
  await turns()
  t.same([chunks, taken], [[], 2])
  t.match(there, { written: 150, delivered: 0 })
  there.resume()
  await until(() => taken === 5, 'the writes')
  t.equal(chunks.join('').length, 250)
})

t.test('a reader that reads nothing stops the writer', async t => {
  const { ends, there } = pair()
  let written = 0
  while (ends[0].write(Buffer.alloc(1_000)) && written < 1_000) written++
  await turns()
  t.ok(there.written < 100_000, `${there.written}`)
  const before = there.written
  ends[1].resume()
  await within(once(ends[0], 'drain'), 'drain')
  t.ok(there.written >= before)
})

t.test('a cut ends the reader, and what is written then is lost; the way back is open', async t => {
  const { ends, there } = pair({ there: cut(3) })
  const [a, b] = [chunksOf(ends[0]), chunksOf(ends[1])]
  ends[0].write('ab')
  ends[0].write('cd')
  await within(once(ends[1], 'end'), 'the end')
  await new Promise(resolve => ends[0].write('ef', resolve))
  ends[1].write('back')
  await until(() => a.length > 0, 'the way back')
  t.same([a, b], [['back'], ['ab', 'c']])
  t.match(there, { written: 6, delivered: 3 })
})

t.test('a reset fails both ends, with an error as a socket has or with another', async t => {
  const given = new Error('pulled out')
  for (const error of [undefined, given]) {
    const { ends } = pair({ there: cut(3, 'reset', error) })
    const failed = Promise.all(ends.map(end => once(end, 'error')))
    ends[1].resume()
    ends[0].write('abcd')
    for (const [seen] of await within(failed, 'both errors')) {
      if (error) t.equal(seen, given)
      else t.match(seen, { code: 'ECONNRESET', message: 'read ECONNRESET', syscall: 'read' })
    }
  }
})

t.test('silence: nothing passes any more, either way, and nobody is told', async t => {
  const { ends } = pair({ there: cut(3, 'silence') })
  const [a, b] = [chunksOf(ends[0]), chunksOf(ends[1])]
  ends[0].end('abcd')
  ends[1].end('back')
  await turns()
  t.same([a, b], [[], ['abc']])
  t.same(
    ends.map(({ readableEnded, destroyed }) => readableEnded || destroyed),
    [false, false]
  )
})

t.test('a handle cuts at once, also where everything is held up', async t => {
  for (const how of ['end', 'reset', 'silence'] as const) {
    const { ends, there } = pair({ there: { delay: 10_000 } })
    const b = chunksOf(ends[1])
    const events: string[] = []
    for (const event of ['end', 'error']) ends[1].on(event, () => events.push(event))
    ends[0].on('error', () => {})
    ends[0].write('on the way')
    there.stall()
    there.cut(how)
    there.cut('reset')
    there.resume()
    await turns()
    t.same([b, events], [[], { end: ['end'], reset: ['error'], silence: [] }[how]], how)
    for (const end of ends) end.destroy()
  }
})

t.test('faults stand one behind the other, and more can be put in from some byte on', async t => {
  const { ends, there } = pair({
    there: { faults: [drop({ from: 0, to: 2 }), repeat({ from: 0, to: 1 })] }
  })
  const b = chunksOf(ends[1])
  ends[0].write('abcd')
  await until(() => b.join('') === 'ccd', 'both faults')
  there.meddle(cut(there.written + 2))
  ends[0].write('efgh')
  await within(once(ends[1], 'end'), 'the cut')
  t.equal(b.join(''), 'ccdef')
})

t.test('who is destroyed is seen by the other end as an end, and blocks nobody', async () => {
  const { ends } = pair()
  while (ends[0].write(Buffer.alloc(10_000)));
  ends[1].destroy()
  ends[0].resume()
  await within(once(ends[0], 'end'), 'the end')
  await within(
    new Promise<void>(resolve => ends[0].end('lost', () => resolve())),
    'a write that nobody reads'
  )
})

t.test('much goes through unchanged, however it is chunked and held up', async t => {
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, n) => (n * 7919) % 251))
  const ways: LinkOptions[] = [
    {},
    { chunk: { most: 5_000 } },
    { chunk: 'turn' },
    { delay: 1 },
    { capacity: 1 }
  ]
  for (const there of ways) {
    const { ends } = pair({ there })
    const got: Buffer[] = []
    const reading = pipeline(ends[1], async chunks => {
      for await (const chunk of chunks) got.push(chunk)
    })
    for (let at = 0; at < bytes.length; at += 10_000) {
      if (!ends[0].write(bytes.subarray(at, at + 10_000))) await within(once(ends[0], 'drain'), 'drain')
    }
    ends[0].end()
    ends[1].end()
    await within(reading, 'the end')
    t.ok(Buffer.concat(got).equals(bytes), JSON.stringify(there))
  }
})

t.test('nothing stays behind: no timer, once both ends are destroyed', async t => {
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const { ends } = pair({ there: { delay: 10_000 }, back: { delay: 10_000 } })
  for (const end of ends) end.write('on the way')
  t.equal(timers(), before + 2)
  for (const end of ends) end.destroy()
  await turns()
  t.equal(timers(), before)
})

t.test('options that do not exist or do not fit are refused', async t => {
  const wrong: [unknown, RegExp][] = [
    [{ seeds: 1 }, /^option seeds does not exist; there are there, back, seed$/],
    [{ there: { latency: 1 } }, /^option latency does not exist; there are faults, chunk, delay, capacity$/],
    [{ there: { chunk: 0 } }, /^option chunk must be a whole number/],
    [{ back: { chunk: {} } }, /a chunk needs to know the most/],
    [{ back: { delay: -1 } }, /^option delay must be/],
    [{ back: { capacity: 0 } }, /^option capacity must be/],
    [{ back: { faults: [1] } }, /faults are functions/],
    [{ there: 5 }, /^there and back are a fault, or an object$/],
    [{ seed: 'x' }, /^option seed must be a whole number$/]
  ]
  for (const [options, message] of wrong) {
    t.throws(() => pair(options as PairOptions), { code: 'ERR_STALK_INVALID_OPTION', message })
  }
  t.doesNotThrow(() => pair({ there: { delay: 0 } }))
  const { there } = pair()
  const calls: [() => void, RegExp][] = [
    [() => there.meddle(5 as never), /^faults are functions$/],
    [() => there.delay('x' as never), /^option delay must be/],
    [() => there.cut('rst' as never), /^a cut is/]
  ]
  for (const [call, message] of calls) t.throws(call, { code: 'ERR_STALK_INVALID_OPTION', message })
  t.doesNotThrow(() => there.delay(0))
})
