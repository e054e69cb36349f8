// An attacker on the way: flips, drops, repeats, swaps, splices and replays what honest ends send. Whatever it
// does, the two ends never both end up with a session unless every byte arrived as it was sent.

import t, { type Test } from 'tap'
import { StalkError } from '../../lib/errors.ts'
import {
  ALL_SUITES,
  type ByteMiddle,
  type End,
  type EndOptions,
  initiatorEnd,
  keyPair,
  responderEnd,
  shakeBytes
} from '../helpers/machines.ts'
import { flip } from '../helpers/tamper.ts'

const [INITIATOR, RESPONDER] = [keyPair('ed25519'), keyPair('ed25519')]

interface Outcome {
  readonly a: End
  readonly b: End
  /** The code of what the first end to fail threw; 'silence' where both wait for ever, 'session' for success. */
  readonly result: string
}

async function attack(middle: ByteMiddle, options: EndOptions = {}, named = false): Promise<Outcome> {
  const a = initiatorEnd({ identity: named ? INITIATOR : null, ...options })
  const b = responderEnd({ identity: named ? RESPONDER : null, ...options })
  const error: unknown = await shakeBytes(a, b, middle).then(
    () => undefined,
    (thrown: unknown) => thrown
  )
  if (error !== undefined && !(error instanceof StalkError)) throw error
  return { a, b, result: error?.code ?? (a.session && b.session ? 'session' : 'silence') }
}

/** What has to hold where frame `at` of M1 to M5 did not arrive as it was sent. */
function checkNoSession(t: Test, at: number, { a, b, result }: Outcome, what: string): void {
  if (result === 'session') t.fail(`a session in spite of ${what}`)
  if (a.session) t.fail(`the initiator has a session in spite of ${what}`)
  if (at < 4 && b.session) t.fail(`the responder has a session in spite of ${what}`)
  if (at < 3 && b.asked.length > 0) t.fail(`the responder asked its policy in spite of ${what}`)
  if (at < 3 && a.asked.length > 0) t.fail(`the initiator asked its policy in spite of ${what}`)
}

const NAMES = ['M1', 'M2', 'M3', 'M4', 'M5']

const flipping =
  (at: number, bit: number): ByteMiddle =>
  (bytes, index) => [index === at ? flip(bytes, bit) : bytes]

async function lengths(options: EndOptions = {}): Promise<number[]> {
  const crossed = await shakeBytes(initiatorEnd(options), responderEnd(options))
  return crossed.map(bytes => bytes.length)
}

/** Flips bits of one frame, `stride` apart; counts the results. */
async function flipThrough(
  t: Test,
  at: number,
  stride: number,
  options: EndOptions,
  named: boolean
): Promise<void> {
  const bits = ((await lengths(options))[at] ?? 0) * 8
  const results = new Set<string>()
  for (let bit = 0; bit < bits; bit += stride) {
    const outcome = await attack(flipping(at, bit), options, named)
    checkNoSession(t, at, outcome, `bit ${bit} of ${NAMES[at]} flipped`)
    results.add(outcome.result)
  }
  t.notOk(results.has('session'), `${NAMES[at]}, ${options.suites}: ${[...results].sort().join(', ')}`)
}

// --- flips ---------------------------------------------------------------------------------------------

t.test('every flipped bit of M1, M2 and M5 keeps at least one end from a session', async t => {
  const suites = ['X25519-AES256GCM-SHA256'] as const
  for (const at of [0, 1, 4]) await flipThrough(t, at, 1, { suites }, false)
})

t.test('the same under the other suites, every seventh bit', async t => {
  for (const suite of ALL_SUITES.slice(1)) {
    for (const at of [0, 1, 4]) await flipThrough(t, at, 7, { suites: [suite] }, false)
  }
})

// 17 is prime to 8, so that every bit of a byte has its turn; every bit of a flight's plaintext is flipped in
// flight.test.ts, every bit of a record in record.test.ts.
t.test('flipped bits of M3 and M4 keep both ends from a session, under every suite', async t => {
  for (const suite of ALL_SUITES) {
    for (const at of [2, 3]) await flipThrough(t, at, 17, { suites: [suite] }, false)
  }
})

t.test('the same between ends with identities, every 61st bit', async t => {
  const suites = ['X25519-AES256GCM-SHA256'] as const
  for (const at of [0, 1, 2, 3, 4]) await flipThrough(t, at, at === 4 ? 1 : 61, { suites }, true)
})

t.test('two flipped bits that leave a header well formed are noticed too', async t => {
  for (const at of [0, 1, 2, 3, 4]) {
    for (const bit of [8, 15, 16, 23, 24, 30, 31]) {
      const twice: ByteMiddle = (bytes, index) => [index === at ? flip(flip(bytes, bit), 7) : bytes]
      checkNoSession(t, at, await attack(twice), `the header of ${NAMES[at]} flipped`)
    }
  }
  t.pass('no session')
})

// --- cuts, drops, repetitions, swaps ---------------------------------------------------------------------

t.test('cut at any byte, the handshake waits and has no session', async t => {
  const total = await lengths()
  for (const at of [0, 1, 2, 3, 4]) {
    const whole = total[at] ?? 0
    const step = at === 2 || at === 3 ? 41 : 1
    for (let end = 0; end < whole; end += step) {
      let cut = false
      const outcome = await attack((bytes, index) => {
        if (cut) return []
        cut = index === at
        return [cut ? bytes.subarray(0, end) : bytes]
      })
      checkNoSession(t, at, outcome, `${NAMES[at]} cut at ${end}`)
      if (outcome.result !== 'silence') t.fail(`${outcome.result} after a cut of ${NAMES[at]} at ${end}`)
    }
  }
  t.pass('silence')
})

t.test('a dropped frame keeps both ends waiting, or is noticed with the next', async t => {
  const expected = ['silence', 'ERR_STALK_NOT_STALK', 'silence', 'silence', 'silence']
  for (const at of [0, 1, 2, 3, 4]) {
    const outcome = await attack((bytes, index) => (index === at ? [] : [bytes]), {}, true)
    checkNoSession(t, at, outcome, `${NAMES[at]} dropped`)
    t.equal(outcome.result, expected[at], NAMES[at] ?? '')
  }
})

t.test('a repeated frame is noticed', async t => {
  const expected = [
    'ERR_STALK_UNEXPECTED', // M1 where M4 is due
    'ERR_STALK_UNEXPECTED', // M2 where M3 is due
    'ERR_STALK_BAD_RECORD', // M3 where Accept is due, under its keys at another sequence
    'ERR_STALK_UNEXPECTED', // M4 after the responder's end of the handshake
    'ERR_STALK_BAD_RECORD' // M5 at another sequence
  ]
  for (const at of [0, 1, 2, 3, 4]) {
    const twice: ByteMiddle = (bytes, index) => (index === at ? [bytes, Buffer.from(bytes)] : [bytes])
    const outcome = await attack(twice, {}, true)
    t.equal(outcome.result, expected[at], NAMES[at] ?? '')
  }
})

t.test('M2 and M3 swapped are no stalk', async t => {
  let held: Buffer | undefined
  const { a, b, result } = await attack((bytes, index) => {
    if (index === 1) {
      held = bytes
      return []
    }
    return index === 2 && held ? [bytes, held] : [bytes]
  })
  t.equal(result, 'ERR_STALK_NOT_STALK')
  t.same([a.session, b.session], [undefined, undefined])
})

t.test('bytes put in between are noticed', async t => {
  for (const at of [0, 1, 2, 3, 4]) {
    for (const extra of [Buffer.alloc(1), Buffer.alloc(4), Buffer.of(0xe5), Buffer.from('STLK')]) {
      const before = await attack((bytes, index) => [index === at ? Buffer.concat([extra, bytes]) : bytes])
      checkNoSession(t, at, before, `${extra.length} bytes before ${NAMES[at]}`)
    }
  }
  t.pass('no session')
})

t.test('frames turned back at their sender are noticed', async t => {
  const expected = [
    'ERR_STALK_REFLECTED', // M1 at the initiator
    'ERR_STALK_UNEXPECTED', // M2 at the responder, which waits for M4
    'ERR_STALK_BAD_RECORD', // M3 at the responder, under the other direction's keys
    'ERR_STALK_BAD_RECORD' // M4 at the initiator, likewise
  ]
  for (const [at, code] of expected.entries()) {
    const [a, b] = [initiatorEnd(), responderEnd()]
    const turned: Promise<unknown>[] = []
    await shakeBytes(a, b, (bytes, index, direction) => {
      if (index > at) return []
      if (index < at) return [bytes]
      const sender = direction === 'initiator → responder' ? a : b
      turned.push(sender.deliver(bytes))
      return []
    }).catch(() => undefined)
    await t.rejects(Promise.all(turned), { code, message: /./ }, NAMES[at] ?? '')
    t.same([a.session, b.session], [undefined, undefined])
  }
})

// --- splices ---------------------------------------------------------------------------------------------

/** Every frame of an earlier session between the same identities. */
const earlier = (): Promise<Buffer[]> =>
  shakeBytes(initiatorEnd({ identity: INITIATOR }), responderEnd({ identity: RESPONDER }))

t.test('a frame of an earlier session between the same identities does not fit', async t => {
  const old = await earlier()
  for (const at of [0, 1, 2, 3, 4]) {
    const splice: ByteMiddle = (bytes, index) => [index === at ? (old[at] ?? bytes) : bytes]
    const outcome = await attack(splice, {}, true)
    checkNoSession(t, at, outcome, `${NAMES[at]} of an earlier session`)
    t.equal(outcome.result, 'ERR_STALK_BAD_RECORD', NAMES[at] ?? '')
  }
})

t.test('a whole side of an earlier session does not fit', async t => {
  const old = await earlier()
  const [m1, m2, m3, m4, m5] = old as [Buffer, Buffer, Buffer, Buffer, Buffer]
  const bad = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }
  const a = initiatorEnd({ identity: INITIATOR })
  await a.start()
  await t.rejects(a.deliver(Buffer.concat([m2, m3, m5])), bad)
  t.same([a.session, a.asked], [undefined, []])
  const b = responderEnd({ identity: RESPONDER })
  await b.start()
  await b.deliver(m1)
  await t.rejects(b.deliver(m4), bad)
  t.same([b.session, b.asked], [undefined, []])
})

// --- downgrades ------------------------------------------------------------------------------------------

t.test('an offer that was stripped or reordered on the way is noticed by both ends', async t => {
  // M1: header 4, "STLK" 4, versions 3, random 32, then the list of suites.
  const list = 4 + 4 + 3 + 32
  const strip: ByteMiddle = (bytes, index) => {
    if (index !== 0) return [bytes]
    const kept = bytes.readUInt16BE(list + 1 + 6) // one of four, whichever grease left there
    const copy = Buffer.from(bytes)
    copy.writeUInt16BE(bytes.readUInt16BE(list + 1), list + 1 + 6)
    copy.writeUInt16BE(kept, list + 1)
    return [copy]
  }
  for (let run = 0; run < 10; run++) {
    const { a, b, result } = await attack(strip)
    t.equal(result, 'ERR_STALK_BAD_RECORD')
    t.same([a.session, b.session], [undefined, undefined])
  }
})

t.test("another suite of the initiator's list, put into M2, is noticed", async t => {
  const { a, result } = await attack((bytes, index) => {
    if (index !== 1) return [bytes]
    const copy = Buffer.from(bytes)
    copy.writeUInt16BE(copy.readUInt16BE(42) === 1 ? 2 : 1, 42)
    return [copy]
  })
  t.equal(result, 'ERR_STALK_BAD_RECORD')
  t.equal(a.session, undefined)
})
