// Somebody on the wire: whole sessions of every suite, cut at every byte and with a bit flipped at every byte.
// Whatever happens, what arrived is a prefix of what was sent, nothing is mistaken for an end, and nothing hangs.

import t from 'tap'
import { type Outcome, type StalkOptions, SUITES, type SuiteName } from '../../lib/index.ts'
import { asItIs, cutAt, flip, type Tamper, two } from '../helpers/wire.ts'

const suites = Object.keys(SUITES) as SuiteName[]
const SENT = ['one', { two: 2 }, Buffer.from('three')]
const ANSWER = 'answer'

interface Result {
  readonly asked: unknown[]
  readonly answered: unknown[]
  readonly ended: { readonly initiator: boolean; readonly responder: boolean }
  readonly initiator: Outcome
  readonly responder: Outcome
}

/** Three messages there, an answer to each back, and both goodbyes, if nobody interferes. */
async function session(options: StalkOptions, there: Tamper, back: Tamper): Promise<Result> {
  const short = { ...options, handshakeTimeout: 500, closeTimeout: 500 }
  const ends = two({ initiator: short, responder: short, there, back })
  const result = { asked: [] as unknown[], answered: [] as unknown[] }
  const ended = { initiator: false, responder: false }
  ends.initiator.on('end', () => {
    ended.initiator = true
  })
  ends.responder.on('end', () => {
    ended.responder = true
  })
  ends.responder.on('data', message => {
    result.asked.push(message)
    ends.responder.write(ANSWER)
  })
  ends.initiator.on('data', message => result.answered.push(message))
  for (const message of SENT) ends.initiator.write(message)
  ends.initiator.end()
  // A peer that is cut off is silent for good; nobody tells this one but its application.
  ends.initiator.closed.then(() => setTimeout(() => ends.responder.destroy(), 100).unref())
  ends.responder.closed.then(() => setTimeout(() => ends.initiator.destroy(), 100).unref())
  const [initiator, responder] = await Promise.all([ends.initiator.closed, ends.responder.closed])
  return { ...result, ended, initiator, responder }
}

/** How long each direction is, in bytes, when nobody interferes. */
async function measure(options: StalkOptions): Promise<[number, number]> {
  const bytes: [number, number] = [0, 0]
  const count =
    (direction: 0 | 1): Tamper =>
    chunk => {
      bytes[direction] += chunk.length
      return chunk
    }
  const { initiator, responder } = await session(options, count(0), count(1))
  if (initiator.kind !== 'clean' || responder.kind !== 'clean') throw new Error('the session is not clean')
  return bytes
}

/** What no interference may ever bring about. */
function complaint({ asked, answered, ended, initiator, responder }: Result): string | null {
  if (JSON.stringify(asked) !== JSON.stringify(SENT.slice(0, asked.length))) return 'a changed message'
  if (answered.some(answer => answer !== ANSWER)) return 'a changed answer'
  if (ended.responder && asked.length < SENT.length) return 'an end before the end'
  if (ended.initiator && answered.length < SENT.length) return 'an end before the end of the answers'
  if (responder.kind === 'clean' && asked.length < SENT.length) return 'clean, but not everything was read'
  if (initiator.kind === 'clean' && answered.length < SENT.length)
    return 'clean, but not every answer was read'
  if ((initiator.acknowledged ?? 0) > asked.length) return 'more acknowledged than arrived'
  if (asked.length !== responder.received) return 'a count that is not true'
  return null
}

/** Runs a session for every offset, some at a time. */
async function everywhere(
  offsets: number[],
  run: (offset: number) => Promise<Result>
): Promise<Map<string, number[]>> {
  const found = new Map<string, number[]>()
  const queue = [...offsets]
  const worker = async (): Promise<void> => {
    for (let offset = queue.shift(); offset !== undefined; offset = queue.shift()) {
      const wrong = complaint(await run(offset))
      if (wrong) found.set(wrong, [...(found.get(wrong) ?? []), offset])
    }
  }
  await Promise.all(Array.from({ length: 64 }, worker))
  return found
}

// M3 and M4 are 2 KiB each and every byte of them is under one tag: there every 61st byte has to do.
const offsetsOf = (bytes: number): number[] =>
  Array.from({ length: bytes }, (_, offset) => offset).filter(
    offset => offset < 160 || offset > 2000 || offset % 61 === 0
  )

for (const suite of suites) {
  t.test(`${suite}: a bit flipped anywhere never delivers a changed message`, async t => {
    const [there, back] = await measure({ suites: [suite] })
    const a = await everywhere(offsetsOf(there), n => session({ suites: [suite] }, flip(n), asItIs))
    const b = await everywhere(offsetsOf(back), n => session({ suites: [suite] }, asItIs, flip(n)))
    t.same([...a, ...b], [])
  })

  for (const how of ['cut', 'reset'] as const) {
    t.test(`${suite}: a ${how} anywhere is never taken for an end`, async t => {
      const [there, back] = await measure({ suites: [suite] })
      const a = await everywhere(offsetsOf(there), n => session({ suites: [suite] }, cutAt(n, how), asItIs))
      const b = await everywhere(offsetsOf(back), n => session({ suites: [suite] }, asItIs, cutAt(n, how)))
      t.same([...a, ...b], [])
    })
  }
}

t.test('a cut between two records, after the messages, is truncation all the same', async t => {
  const ends = two()
  const got: unknown[] = []
  ends.responder.on('data', message => got.push(message))
  let ended = false
  ends.responder.on('end', () => {
    ended = true
  })
  await ends.initiator.send('all that I have to say')
  await ends.initiator.flush()
  ends.initiator.socket.end()
  t.match(await ends.responder.closed, { kind: 'truncated', code: 'ERR_STALK_TRUNCATED', received: 1 })
  t.match(ends.responder.errored, { message: /ended without a goodbye/ })
  t.same(got, ['all that I have to say'])
  t.notOk(ended)
})

t.test('records that are repeated, left out or swapped do not open', async t => {
  const tampers: Record<string, (records: Buffer[]) => Buffer[]> = {
    repeated: ([first, second]) => [first, first, second] as Buffer[],
    'left out': ([, second]) => [second] as Buffer[],
    swapped: ([first, second]) => [second, first] as Buffer[]
  }
  for (const [name, change] of Object.entries(tampers)) {
    let held: Buffer[] | null = null
    const tamper: Tamper = chunk => {
      if (chunk[0] !== 0xe4 || !held) return chunk
      held.push(chunk)
      return held.length === 2 ? Buffer.concat(change(held)) : Buffer.alloc(0)
    }
    const ends = two({ there: tamper })
    const got: unknown[] = []
    ends.responder.on('data', message => got.push(message))
    await ends.initiator.ready
    held = []
    await ends.initiator.send('first')
    await ends.initiator.flush()
    ends.initiator.send('second').catch(() => {}) // the first may have ended it
    t.match(await ends.responder.closed, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD' }, name)
    t.match(ends.responder.errored, { message: 'a record does not open' }, name)
    t.same(got, name === 'repeated' ? ['first'] : [], name)
    await ends.initiator.closed
  }
})
