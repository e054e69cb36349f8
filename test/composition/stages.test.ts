// The stages among other streams, as their users would put them together: the serializer around gzip, the framer
// over a serial line, through2's and node's transforms in between, the gate before all.

import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createBrotliCompress, createBrotliDecompress, createGunzip, createGzip } from 'node:zlib'
import t from 'tap'
import { transform } from 'through2'
import { decoder, deframer, encoder, framer, gate } from '../../lib/index.ts'
import { turns } from '../helpers/pair.ts'
import { gather, serialLine } from './pipelines.ts'

const messages = [
  { n: 1, at: new Date(0), big: 2n ** 80n, bytes: Buffer.from('bytes') },
  'text',
  [1, [2, [3]]],
  0,
  false,
  new Set(['a', 'b']),
  'x'.repeat(200_000)
]

t.test('messages go through gzip, and others of its kind', async t => {
  for (const [squeeze, unsqueeze] of [
    [createGzip, createGunzip],
    [createBrotliCompress, createBrotliDecompress]
  ] as const) {
    const stages = [encoder(), framer(), squeeze(), unsqueeze(), deframer(), decoder()]
    t.same(await gather(Readable.from(messages), ...stages), messages)
  }
})

t.test('messages go over a serial line that gives 1 to 7 bytes at a time', async t => {
  const stages = [encoder(), framer(), serialLine(), deframer(), decoder()]
  t.same(await gather(Readable.from(messages), ...stages), messages)
})

t.test('a line that is cut is seen, after the messages that came whole', async t => {
  const bytes = Buffer.concat((await gather(Readable.from(messages), encoder(), framer())) as Buffer[])
  const got: unknown[] = []
  const taking = async (source: AsyncIterable<unknown>): Promise<void> => {
    for await (const message of source) got.push(message)
  }
  const cut = Readable.from([bytes.subarray(0, -1)])
  const done = pipeline([cut, serialLine(), deframer(), decoder(), taking] as never)
  await t.rejects(done, { code: 'ERR_STALK_TRUNCATED', message: 'the bytes end inside a record' })
  t.same(got, messages.slice(0, -1))
})

t.test("transforms of node's and of through2 stand between any two stages", async t => {
  const own = (): Transform =>
    new Transform({ objectMode: true, transform: (item, _encoding, done) => setImmediate(done, null, item) })
  const theirs = (): unknown =>
    transform({ objectMode: true }, (item: unknown, _encoding: string, done: (e: null, i: unknown) => void) =>
      done(null, item)
    )
  const bytes = (): PassThrough => new PassThrough({ highWaterMark: 10 })
  const stages = [
    own(),
    encoder(),
    theirs(),
    framer(),
    bytes(),
    serialLine(),
    deframer(),
    own(),
    decoder(),
    theirs()
  ]
  t.same(await gather(Readable.from(messages), ...stages), messages)
})

t.test('async generators stand between any two stages', async t => {
  async function* passing(source: AsyncIterable<unknown>): AsyncGenerator<unknown> {
    for await (const item of source) yield item
  }
  const stages = [passing, encoder(), passing, framer(), passing, deframer(), passing, decoder(), passing]
  t.same(await gather(Readable.from(messages), ...stages), messages)
})

t.test('a gate holds messages back until it is opened, and its source with them', async t => {
  let taken = 0
  const source = Readable.from(
    (function* () {
      for (const message of messages) {
        taken += 1
        yield message
      }
    })(),
    { highWaterMark: 1 }
  )
  const held = gate()
  const got = gather(source, held, encoder(), framer(), deframer(), decoder())
  await turns(50)
  t.ok(taken < messages.length, `${taken} of ${messages.length} were taken`)
  held.open()
  t.same(await got, messages)
})

t.test('a message that cannot be carried ends a pipeline of stages, with its place in the text', async t => {
  const done = gather(Readable.from([{ list: [1, { fn: () => {} }] }]), encoder(), framer())
  await t.rejects(done, { code: 'ERR_STALK_VALUE_UNSUPPORTED', message: /list\S*1\S*fn/ })
})
