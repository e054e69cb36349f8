// The stages, each alone and with other streams around them: one item at a time, only as far as they are asked,
// and nothing lost before a fault.

import { randomBytes } from 'node:crypto'
import { PassThrough, Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { createGunzip, createGzip } from 'node:zlib'
import t from 'tap'
import { objectTransform } from 'through2'
import {
  decoder,
  defragmenter,
  deframer,
  encoder,
  fragmenter,
  framer,
  gate,
  opener,
  SUITES,
  type SuiteName,
  sealer
} from '../../lib/index.ts'
import { Marker } from '../../lib/stages/pace.ts'
import { paced, type Stage } from '../../lib/stages/paced.ts'

const messages = Array.from({ length: 50 }, (_, n) => ({ n, text: 'x'.repeat(n * 7) }))

async function through(input: Iterable<unknown>, ...stages: unknown[]): Promise<unknown[]> {
  const out: unknown[] = []
  await pipeline([
    Readable.from(input),
    ...stages,
    async (source: AsyncIterable<unknown>) => {
      for await (const item of source) out.push(item)
    }
  ] as never)
  return out
}

const bytesOf = (out: unknown[]): Buffer => Buffer.concat(out as Buffer[])

/** Chunks of 1 to 7 bytes, as a serial line gives them. */
const serial = (): Transform =>
  new Transform({
    transform(chunk: Buffer, _encoding, done) {
      for (let at = 0, n = 1; at < chunk.length; at += n, n = (n % 7) + 1)
        this.push(chunk.subarray(at, at + n))
      done()
    }
  })

t.test('the serializer works around gzip', async t => {
  const out = await through(
    messages,
    encoder(),
    framer(),
    createGzip(),
    createGunzip(),
    deframer(),
    decoder()
  )
  t.same(out, messages)
})

t.test('the framer works over a line that gives a few bytes at a time', async t => {
  t.same(await through(messages, encoder(), framer(), serial(), deframer(), decoder()), messages)
})

t.test("streams of node's and of through2 fit in between", async t => {
  const double = objectTransform(
    (message: { n: number }, _encoding: string, done: (e: null, m: unknown) => void) =>
      done(null, { ...message, n: message.n * 2 })
  )
  const pass = new PassThrough({ objectMode: true })
  const out = await through(
    messages,
    double,
    encoder(),
    pass,
    framer(),
    new PassThrough(),
    deframer(),
    decoder()
  )
  t.same(
    out,
    messages.map(message => ({ ...message, n: message.n * 2 }))
  )
})

for (const suite of Object.keys(SUITES) as SuiteName[]) {
  t.test(`${suite}: the cipher stages alone carry bytes, and see whatever was done to them`, async t => {
    const secret = randomBytes(32)
    const bytes = randomBytes(200_000)
    const sealed = bytesOf(await through([bytes], fragmenter(), sealer(secret, { suite }), framer()))
    const open = (input: Buffer, key = secret): Promise<unknown[]> =>
      through([input], deframer(), opener(key, { suite }), defragmenter())
    t.ok(bytesOf(await open(sealed)).equals(bytes))
    const flipped = Buffer.from(sealed)
    flipped.writeUInt8(flipped.readUInt8(100_000) ^ 1, 100_000)
    await t.rejects(open(flipped), { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' })
    await t.rejects(open(sealed, randomBytes(32)), { code: 'ERR_STALK_BAD_RECORD' })
    await t.rejects(open(sealed.subarray(0, -1)), { code: 'ERR_STALK_TRUNCATED', message: /inside a record/ })
    const lastRecord = 4 + 1 + SUITES[suite].tagBytes
    await t.rejects(open(sealed.subarray(0, -lastRecord)), {
      code: 'ERR_STALK_TRUNCATED',
      message: /before the last/
    })
  })
}

t.test('a secret that is too short, and a suite that does not exist, are refused', async t => {
  t.throws(() => sealer(Buffer.alloc(31)), { code: 'ERR_STALK_INVALID_OPTION', message: /secret must be/ })
  t.throws(() => opener(Buffer.alloc(32), { suite: 'none' as SuiteName }), {
    message: /suite must be one of/
  })
})

t.test('bytes that are no frames end with a coded error', async t => {
  await t.rejects(through([Buffer.from('ffffffff', 'hex')], deframer()), {
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 16777215 bytes/
  })
  await t.rejects(through([{ type: 2, body: Buffer.from('c1', 'hex') }], decoder()), {
    code: 'ERR_STALK_BAD_MESSAGE'
  })
  await t.rejects(through([() => {}], encoder()), {
    code: 'ERR_STALK_VALUE_UNSUPPORTED',
    message: /function/
  })
})

t.test('a gate holds everything until it is opened', async t => {
  const held = gate()
  const got: unknown[] = []
  held.on('data', item => got.push(item))
  for (const item of [1, 2, 3]) held.write(item)
  held.end()
  await sleep(20)
  t.same(got, [])
  held.open()
  held.open()
  await new Promise(resolve => held.once('end', resolve))
  t.same(got, [1, 2, 3])
})

/** A stage that makes ten items of each, and counts them. */
function tenfold(): { stage: Stage; made: () => number } {
  let made = 0
  const stage = paced<number, number>(function* (item) {
    for (let n = 0; n < 10; n++) {
      made += 1
      yield item * 10 + n
    }
  })
  return { stage, made: () => made }
}

t.test('a stage makes no item before the last one is taken', async t => {
  const { stage, made } = tenfold()
  stage.write(1)
  stage.write(2)
  await sleep(20)
  t.ok(made() <= 1, `${made()} items were made that nobody asked for`)
  const slow = new Transform({ objectMode: true, highWaterMark: 1, transform: () => {} })
  stage.pipe(slow)
  await sleep(20)
  t.ok(made() <= 4, `${made()} items were made for a reader that took one`)
})

t.test('a fault comes when everything made before it was taken, however slow the reader', async t => {
  const failing = (): Stage =>
    paced<number, number>(function* (item) {
      if (item === 3) throw new Error('the third')
      yield item
      yield item
    })
  const got: unknown[] = []
  const loop = async (): Promise<void> => {
    for await (const item of Readable.from([1, 2, 3, 4]).pipe(failing() as unknown as PassThrough)) {
      await sleep(5)
      got.push(item)
    }
  }
  await t.rejects(loop(), { message: 'the third' })
  t.same(got, [1, 1, 2, 2])
  const piped: unknown[] = []
  const stage = failing()
  const failed = new Promise<Error>(resolve => stage.once('error', resolve))
  const slow = new Transform({
    objectMode: true,
    highWaterMark: 1,
    transform: (item, _encoding, done) => {
      piped.push(item)
      setTimeout(done, 5)
    }
  })
  stage.pipe(slow)
  for (const item of [1, 2, 3]) stage.write(item)
  t.match(await failed, { message: 'the third' })
  await sleep(20)
  t.same(piped, [1, 1, 2, 2])
})

t.test('work that promises is a barrier for all behind it', async t => {
  let go: () => void = () => {}
  const started: number[] = []
  const stage = paced<number, number>(item => {
    started.push(item)
    return item === 1
      ? new Promise(resolve => {
          go = () => resolve([item])
        })
      : [item]
  })
  const got: unknown[] = []
  stage.on('data', item => got.push(item))
  for (const item of [1, 2]) stage.write(item)
  await sleep(20)
  t.same([started, got], [[1], []])
  go()
  await sleep(20)
  t.same(
    [started, got],
    [
      [1, 2],
      [1, 2]
    ]
  )
})

t.test('a promise that is rejected is a fault of the stage', async t => {
  const stage = paced<number, number>(() => Promise.reject(new Error('no')))
  const failed = new Promise<Error>(resolve => stage.once('error', resolve))
  stage.resume()
  stage.write(1)
  t.match(await failed, { message: 'no' })
})

t.test('a marker passes every stage in its place, untouched', async t => {
  const { stage } = tenfold()
  const got: unknown[] = []
  stage.on('data', item => got.push(item))
  const marker = new Marker(() => {})
  stage.write(1)
  stage.write(marker)
  stage.write(2)
  await sleep(20)
  t.equal(got.indexOf(marker), 10)
  t.equal(got.length, 21)
})

t.test("what a reader's own handler throws is not taken for a fault of the stage", async t => {
  const stage = paced<number, number>(item => [item])
  stage.on('error', () => t.fail('the stage has no fault'))
  stage.on('data', () => {
    throw new Error("the reader's own")
  })
  await sleep(5)
  t.throws(() => stage.write(1), { message: "the reader's own" })
})
