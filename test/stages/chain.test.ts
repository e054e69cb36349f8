// The stages joined as a connection joins them: the change of keys is a barrier for everything behind it, a reader
// that stops stops them all after a few items and bytes, and what was opened before a fault still arrives.

import { randomBytes } from 'node:crypto'
import { type PassThrough, Readable, Writable } from 'node:stream'
import t from 'tap'
import { KIND, TYPE } from '../../lib/constants.ts'
import { SUITES, type SuiteName, type TrafficKeys } from '../../lib/crypto/suites.ts'
import type { StalkError } from '../../lib/errors.ts'
import { opener, sealer } from '../../lib/stages/cipher.ts'
import { deframer, framer } from '../../lib/stages/framer.ts'
import { gate } from '../../lib/stages/gate.ts'
import { Marker } from '../../lib/stages/pace.ts'
import type { Stage } from '../../lib/stages/paced.ts'
import { type Batch, batchDecoder, batchEncoder, decoder, encoder } from '../../lib/stages/serializer.ts'
import { closeRecord } from '../../lib/wire/control.ts'
import { enframe, type Frame } from '../../lib/wire/frame.ts'
import { Arrived, MessageDecoder, MessageEncoder } from '../../lib/wire/message.ts'
import { Opener, Sealer } from '../../lib/wire/record.ts'
import { turns, until } from '../helpers/pair.ts'

const suites = Object.keys(SUITES) as SuiteName[]
const suite = SUITES[suites[0] as SuiteName]

const freshKeys = (): TrafficKeys => ({ key: randomBytes(32), iv: randomBytes(12), mac: randomBytes(32) })
const sealing = (keys: TrafficKeys): Sealer => new Sealer(TYPE.sealedApplication, suite, keys)
const opening = (keys: TrafficKeys): Opener => new Opener(TYPE.sealedApplication, suite, keys)

function collect(stage: { on(event: 'data', listener: (item: unknown) => void): unknown }): unknown[] {
  const items: unknown[] = []
  stage.on('data', item => items.push(item))
  return items
}

const bytesOfFrames = (count: number, body = 'x'): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, n) => enframe({ type: n & 0xff, body: Buffer.from(body) })))

const frame = (text: string, type: number = KIND.handshake): Frame => ({ type, body: Buffer.from(text) })

t.test('while a handover is pending no further frame is opened, or even parsed', async t => {
  const admitted: number[] = []
  const handed: number[] = []
  let release: () => void = () => {}
  const frames = deframer(type => {
    admitted.push(type)
    return 10
  })
  const records = opener(
    () => undefined,
    ({ type }) => {
      handed.push(type)
      return type === 2
        ? new Promise<void>(resolve => {
            release = resolve
          })
        : null
    }
  )
  const got = collect(frames.pipe(records))
  frames.write(bytesOfFrames(6))
  await turns()
  t.same(handed, [0, 1, 2])
  t.ok(admitted.length <= 4, `of the frames behind it ${admitted.length - 3} were parsed`)
  frames.write(Buffer.of(0xee, 0xff, 0xff, 0xff)) // would be a fault, if anybody looked
  await turns()
  t.ok(admitted.length <= 4)
  t.equal(frames.destroyed, false)
  frames.on('error', () => {})
  release()
  await turns()
  t.same(handed, [0, 1, 2, 3, 4, 5])
  t.same(
    got.map(item => (item as Frame).type),
    [0, 1, 3, 4, 5],
    'what was handed over does not go on'
  )
})

t.test('a record behind the change of keys is opened with the new key only', async t => {
  const [first, second] = [freshKeys(), freshKeys()]
  const [one, two] = [sealing(first), sealing(second)]
  const wire = [one.seal(frame('switch')), two.seal(frame('new', 2)), two.seal(frame('newer', 2))]
  let current = opening(first)
  const records = opener(
    () => current,
    (_type, inner) => {
      if (inner.body.toString() !== 'switch') return null
      return turns(5).then(() => {
        current = opening(second)
      })
    }
  )
  const got = collect(records)
  for (const record of wire) records.write(record)
  await until(() => got.length === 2, 'both records')
  t.same(
    got.map(item => (item as Frame).body.toString()),
    ['new', 'newer']
  )
})

t.test(
  'a handover that is refused fails the stage with the reason, and nothing behind it is opened',
  async t => {
    const handed: number[] = []
    const reason = new Error('not you')
    const records = opener(
      () => undefined,
      ({ type }) => {
        handed.push(type)
        return type === 1 ? Promise.reject(reason) : null
      }
    )
    const failed = new Promise(resolve => records.once('error', resolve))
    records.resume()
    for (const type of [0, 1, 2]) records.write({ type, body: Buffer.alloc(1) })
    t.equal(await failed, reason)
    t.same(handed, [0, 1])
  }
)

t.test('outbound a new key stands behind the last record under the old one', async t => {
  const [first, second] = [freshKeys(), freshKeys()]
  const theirs = { ...first, key: Buffer.from(first.key), iv: Buffer.from(first.iv) } // ours are wiped
  const told: string[] = []
  const stage = sealer(sealing(first), inner => told.push(inner.body.toString()))
  const got = collect(stage) as Frame[]
  const reached: number[] = []
  for (const item of [
    frame('a'),
    frame('b'),
    { key: sealing(second) },
    { clear: frame('in clear', 0xe3) },
    frame('c')
  ])
    stage.write(item)
  stage.write(new Marker(() => reached.push(got.length)))
  await turns()
  const marker = got.pop() as unknown as Marker
  t.ok(marker instanceof Marker)
  const [one, two] = [opening(theirs), opening(second)]
  t.same(
    got.map(record => record.type),
    [0xe4, 0xe4, 0xe3, 0xe4]
  )
  t.equal(one.open(got[0] as Frame).body.toString(), 'a')
  t.equal(one.open(got[1] as Frame).body.toString(), 'b')
  t.equal(two.open(got[3] as Frame).body.toString(), 'c')
  t.same(told, ['a', 'b', 'c'])
  t.same(reached, [], 'a marker is for whoever is at the end')
})

t.test('what was to be sealed before there was a key is an internal error, and goes nowhere', async t => {
  const stage = sealer()
  const failed = new Promise(resolve => stage.once('error', resolve))
  const got = collect(stage)
  stage.write(frame('in clear?'))
  t.match(await failed, {
    code: 'ERR_STALK_INTERNAL',
    message: 'a record was to be sealed before there was a key'
  })
  t.same(got, [])
})

for (const name of suites) {
  t.test(
    `${name}: a changed record ends the stage; those before it are opened, those behind are not`,
    async t => {
      const keys = { key: randomBytes(32), iv: randomBytes(SUITES[name].ivBytes), mac: randomBytes(32) }
      const from = new Sealer(TYPE.sealedApplication, SUITES[name], keys)
      const wire = ['one', 'two', 'three', 'four'].map(text => from.seal(frame(text, 2)))
      const spoilt = wire.map((record, index) => {
        if (index !== 2) return record
        const body = Buffer.from(record.body)
        body.writeUInt8(body.readUInt8(0) ^ 1, 0)
        return { type: record.type, body }
      })
      const got: string[] = []
      const stage = opener(new Opener(TYPE.sealedApplication, SUITES[name], keys))
      const loop = async (): Promise<void> => {
        for await (const inner of Readable.from(spoilt).pipe(stage as unknown as PassThrough)) {
          await turns(2)
          got.push((inner as Frame).body.toString())
        }
      }
      await t.rejects(loop(), { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' })
      t.same(got, ['one', 'two'])
    }
  )
}

// --- bounds ----------------------------------------------------------------------------------------------

/** Takes so many items and then never asks again. */
function stoppingAfter(count: number): { sink: Writable; taken: unknown[] } {
  const taken: unknown[] = []
  const sink = new Writable({
    objectMode: true,
    highWaterMark: 1,
    write(item, _encoding, done) {
      taken.push(item)
      if (taken.length < count) done()
    }
  })
  return { sink, taken }
}

t.test('a reader that stops stops a whole chain, after a few items', async t => {
  let produced = 0
  const source = new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      produced += 1
      this.push({ n: produced, filler: 'x'.repeat(1000) })
    }
  })
  const keys = freshKeys()
  const { sink, taken } = stoppingAfter(5)
  const stages: Stage[] = [
    encoder(),
    sealer(sealing(keys)),
    framer(),
    deframer(),
    opener(opening(keys)),
    decoder()
  ]
  let end: Stage = source.pipe(stages[0] as unknown as Writable) as unknown as Stage
  for (const stage of stages.slice(1)) end = end.pipe(stage)
  end.pipe(sink)
  await turns(100)
  t.equal(taken.length, 5)
  t.ok(produced < 5 + 4 * stages.length, `${produced} messages were taken in for 5`)
  source.destroy()
})

t.test('a chunk that holds very many small frames is not unpacked ahead of its reader', async t => {
  const types: number[] = []
  const frames = deframer(type => {
    types.push(type)
    return 1
  })
  const { sink, taken } = stoppingAfter(3)
  frames.pipe(sink)
  frames.write(bytesOfFrames(50_000))
  await turns(50)
  t.equal(taken.length, 3)
  t.ok(types.length <= 6, `${types.length} of 50,000 frames were parsed`)
})

t.test('a large message is cut only as its fragments are asked for', async t => {
  const refused: unknown[] = []
  let encoded = false
  const stage = batchEncoder(new MessageEncoder())
  const { sink, taken } = stoppingAfter(2)
  stage.pipe(sink)
  const batch: Batch = {
    messages: [Buffer.alloc(10 * 65_536)],
    refused: (index, error) => refused.push([index, error]),
    encoded: () => {
      encoded = true
    }
  }
  stage.write(batch)
  await turns()
  t.equal(taken.length, 2)
  t.equal(encoded, false)
  t.ok(stage.readableLength <= 1)
  t.same(refused, [])
})

t.test(
  'a batch: those that cannot be carried are told of, the rest go in one record, then it is encoded',
  async t => {
    const events: unknown[] = []
    const stage = batchEncoder(new MessageEncoder())
    stage.on('data', (content: Frame & { messages: number }) => events.push(['content', content.messages]))
    stage.write({
      messages: [1, () => {}, 'two', Symbol.iterator],
      refused: (index: number, error: StalkError) => events.push([index, error.code]),
      encoded: () => events.push('encoded')
    })
    await turns()
    t.same(events, [
      [1, 'ERR_STALK_VALUE_UNSUPPORTED'],
      [3, 'ERR_STALK_VALUE_UNSUPPORTED'],
      ['content', 2],
      'encoded'
    ])
  }
)

t.test('a closed gate holds one item and, through the pipe, all behind it', async t => {
  let produced = 0
  const source = new Readable({
    objectMode: true,
    highWaterMark: 1,
    read() {
      produced += 1
      this.push(produced > 100 ? null : produced)
    }
  })
  const held = gate()
  const got = collect(source.pipe(held as unknown as PassThrough))
  await turns()
  t.same(got, [])
  t.ok(produced <= 4, `${produced} items`)
  held.open()
  await until(() => got.length === 100, 'items')
  t.same(got.slice(0, 5), [1, 2, 3, 4, 5])
  source.destroy()
})

t.test('a gate passes objects, buffers and markers alike, in order', async t => {
  const held = gate()
  const got = collect(held)
  const items = [{ a: 1 }, Buffer.from('b'), new Marker(() => {}), 'text', 0, false]
  held.open()
  for (const item of items) held.write(item)
  await turns()
  t.same(got, items)
  t.equal(got[2], items[2])
})

// --- what may follow what --------------------------------------------------------------------------------

async function decode(contents: Frame[]): Promise<{ got: unknown[]; error: StalkError | null }> {
  const stage = batchDecoder(new MessageDecoder())
  const got: unknown[] = []
  let error: StalkError | null = null
  stage.on('error', failure => {
    error = failure as StalkError
  })
  stage.on('data', item => got.push(item instanceof Arrived ? item.messages : `kind ${(item as Frame).type}`))
  for (const content of contents) stage.write(content)
  await turns(10)
  return { got, error }
}

const contentsOf = (...messages: unknown[]): Frame[] => [...new MessageEncoder().encode(messages, () => {})]
const [piece, ...morePieces] = contentsOf('x'.repeat(150_000)) as [Frame, ...Frame[]]
const [small] = contentsOf('small') as [Frame]
const control = (kind: number, body: number[] = []): Frame => ({ type: kind, body: Buffer.from(body) })

t.test('between the fragments of a message an error, a key update, a ping and a pong may stand', async t => {
  for (const interruption of [
    control(KIND.alert, [8]),
    control(KIND.keyUpdate, [0]),
    control(KIND.ping),
    control(KIND.pong)
  ]) {
    const { got, error } = await decode([piece, interruption, ...morePieces])
    t.equal(error, null)
    t.same(got, [`kind ${interruption.type}`, ['x'.repeat(150_000)]])
  }
})

t.test('a goodbye, a ticket, shapes, an unknown kind and other messages may not', async t => {
  const forbidden: [Frame, RegExp][] = [
    [closeRecord(0), /^a record of kind 5 stands inside a message$/],
    [control(KIND.ticket), /^a record of kind 7 stands inside a message$/],
    [control(KIND.shapes), /^a record of kind 10 stands inside a message$/],
    [control(0x7f), /^a record of kind 127 stands inside a message$/],
    [small, /^messages between the fragments of another$/]
  ]
  for (const [interruption, message] of forbidden) {
    const { got, error } = await decode([small, piece, interruption, ...morePieces])
    t.match(error, { code: 'ERR_STALK_UNEXPECTED', message })
    t.same(got, [['small']])
  }
})

t.test('after a goodbye no message may come, but an error and a pong may', async t => {
  const fine = await decode([small, closeRecord(1), control(KIND.pong), control(KIND.alert, [8])])
  t.equal(fine.error, null)
  t.same(fine.got, [['small'], 'kind 5', 'kind 9', 'kind 5'])
  for (const message of [small, piece, ...morePieces]) {
    const { error } = await decode([closeRecord(0), message])
    t.match(error, { code: 'ERR_STALK_UNEXPECTED', message: 'the peer sent a message after its goodbye' })
  }
})

t.test(
  'where the bytes end inside a frame the deframer says so, when the frames before it were taken',
  async t => {
    const frames = deframer()
    const got: unknown[] = []
    const loop = async (): Promise<void> => {
      const source = Readable.from([bytesOfFrames(3), bytesOfFrames(1, 'cut off').subarray(0, -1)])
      for await (const item of source.pipe(frames as unknown as PassThrough)) {
        await turns(2)
        got.push(item)
      }
    }
    await t.rejects(loop(), { code: 'ERR_STALK_TRUNCATED', message: 'the bytes end inside a record' })
    t.equal(got.length, 3)
  }
)

t.test('a frame that is too long is a fault at its fourth byte, whatever comes behind', async t => {
  const frames = deframer(() => 10)
  const failed = new Promise(resolve => frames.once('error', resolve))
  const got = collect(frames)
  frames.write(Buffer.concat([bytesOfFrames(2), Buffer.of(1, 0, 0, 11)]))
  t.match(await failed, {
    code: 'ERR_STALK_OVERFLOW',
    message: 'a record announces 11 bytes; the limit here is 10'
  })
  t.equal(got.length, 2)
})
