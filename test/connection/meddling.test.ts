// Somebody on the wire, in every mode and suite, against a conversation of questions and answers. Whatever is done,
// what arrives is a prefix of what was sent; a cut is no end; nothing hangs; every end says how it ended.

import t from 'tap'
import { Identity } from '../../lib/index.ts'
import {
  cut,
  drop,
  type Fault,
  flip,
  type LinkOptions,
  records,
  repeat,
  swap
} from '../../lib/testing/index.ts'
import { honest, meddledPair } from '../helpers/adversary.ts'
import {
  type Case,
  type Check,
  type Conversation,
  complaintsOf,
  converse,
  edgesOf,
  everywhere,
  type Measured,
  MODES,
  measure,
  notClean,
  QUESTIONS,
  RSA,
  run,
  type Side,
  suites,
  watch,
  withSuite
} from '../helpers/conversation.ts'
import { alice, bob, type EndsOptions, end, ends, within } from '../helpers/pair.ts'

// --- who says how it ended -------------------------------------------------------------------------------

t.test('without a meddler the events of both ends are those of a good day', async t => {
  for (const suite of suites) {
    for (const [mode, options] of [...Object.entries(MODES), ['RSA', RSA] as const]) {
      const done = await converse(meddledPair(), withSuite(suite, options))
      t.same(complaintsOf(done), [], `${mode}, ${suite}`)
      for (const side of [done.initiator, done.responder]) {
        t.same(side.events, ['secure', 'data', 'data', 'end', 'close'])
        const counts = { sent: 2, acknowledged: 2, received: 2, unsent: 0 }
        t.match(side.outcome, { kind: 'clean', reason: 'both ends said goodbye', ...counts })
      }
    }
  }
})

t.test('however the bytes are chunked, the same arrives', async t => {
  const chunkings: Record<string, LinkOptions> = {
    'a byte a chunk': { chunk: 1 },
    'a turn a chunk': { chunk: 'turn' }
  }
  const cases = suites.flatMap(suite =>
    Object.entries({ ...MODES, RSA }).flatMap(([mode, options]) =>
      Object.entries(chunkings).map(([name, chunking]) => ({
        name: `${mode}, ${suite}, ${name}`,
        options: withSuite(suite, options),
        joined: () => meddledPair(chunking, chunking),
        check: function* ({ initiator, responder }: Conversation) {
          if (initiator.outcome.kind !== 'clean') yield `initiator: ${initiator.outcome.reason}`
          if (responder.outcome.kind !== 'clean') yield `responder: ${responder.outcome.reason}`
        }
      }))
    )
  )
  t.same(await run(cases), [])
})

t.test('a peer that falls silent anywhere is no end, and during the handshake no wait for good', async t => {
  for (const mode of ['mutual', 'anonymous']) {
    const options = withSuite('X25519-AES256OFB-HMACSHA256', MODES[mode] as EndsOptions)
    const measured = await measure(options)
    const handshake = {
      there: edgesOf(measured.there)[2] as number,
      back: edgesOf(measured.back)[3] as number
    }
    const check = (offset: number, direction: 'there' | 'back'): Check =>
      function* (conversation) {
        yield* notClean(measured)(offset, direction)(conversation)
        if (offset >= handshake[direction]) return
        const kinds = [conversation.initiator.outcome.kind, conversation.responder.outcome.kind]
        if (!kinds.includes('timeout')) yield `nobody timed out: ${kinds}`
      }
    const cases = everywhere(options, measured, 997, n => cut(n, 'silence'), check)
    t.same(await run(cases, { timeoutMs: 200, giveUpMs: 1500 }, 300), [], mode)
  }
})

t.test('at a cut between records the reader gets all that came, then an error, and no end', async t => {
  const measured = await measure({})
  const edges = edgesOf(measured.there)
  const expected: [number, ErrorKind][] = [
    [2, ['handshake', 0]],
    [3, ['open', 1]],
    [4, ['open', 2]]
  ]
  for (const [record, [phase, messages]] of expected) {
    const end = edges[record] as number
    const { responder } = await converse(meddledPair(cut(end, 'end')), {})
    t.same(responder.got, QUESTIONS.slice(0, messages))
    t.match(responder.outcome, { kind: 'truncated', code: 'ERR_STALK_TRUNCATED', received: messages })
    t.match(responder.errors, [
      { code: 'ERR_STALK_TRUNCATED', message: /^the transport ended without a goodbye/ }
    ])
    t.notOk(responder.events.includes('end'), `${phase}`)
    t.same(responder.events.slice(-2), ['error', 'close'])
  }
})

type ErrorKind = [string, number]

t.test('a cut inside a record, a reset and a changed byte say what they are', async t => {
  const measured = await measure({})
  const edges = edgesOf(measured.there)
  const inside = (edges[3] as number) + 7
  const cases: [Fault, { kind: string; code: string }, RegExp][] = [
    [cut(inside, 'end'), { kind: 'truncated', code: 'ERR_STALK_TRUNCATED' }, /end inside a record/],
    [
      cut(inside, 'reset'),
      { kind: 'reset', code: 'ERR_STALK_RESET' },
      /^the transport failed: read ECONNRESET$/
    ],
    [flip(inside), { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD' }, /^a record does not open$/],
    // The length's first byte: 2²² times as long.
    [
      flip((edges[3] as number) + 1, 6),
      { kind: 'protocol', code: 'ERR_STALK_OVERFLOW' },
      /the limit here is 65616/
    ],
    [
      flip(edges[3] as number, 0),
      { kind: 'protocol', code: 'ERR_STALK_UNEXPECTED' },
      /a record of type 0xe5 came/
    ]
  ]
  for (const [meddler, outcome, text] of cases) {
    const { responder } = await converse(meddledPair(meddler), {})
    t.same(responder.got, QUESTIONS.slice(0, 1))
    t.match(responder.outcome, { ...outcome, reason: text, received: 1 })
    t.match(responder.errors, [{ message: text }])
    t.match(responder.errors, [{ phase: 'open' }])
    t.notOk(responder.events.includes('end'))
  }
})

// --- records ---------------------------------------------------------------------------------------------

const tricks: Record<string, (at: number, other: Buffer[]) => Fault> = {
  'left out': record => drop({ record }),
  doubled: record => repeat({ record }),
  'behind the next': record => swap({ record }),
  'said once more at the very end': at => {
    let held: Buffer = Buffer.alloc(0)
    return records((record, index, wire) => {
      if (index === at) held = record
      wire.pass(record)
      if (index > at) wire.pass(held)
    })
  },
  'of another session': (at, other) =>
    records((record, index, wire) => wire.pass(index === at ? (other[index] ?? record) : record)),
  'of another session, and all behind it': (at, other) =>
    records((record, index, wire) => wire.pass(index >= at ? (other[index] ?? record) : record)),
  'with a body that is empty': at =>
    records((record, index, wire) => wire.pass(index === at ? Buffer.of(record[0] ?? 0, 0, 0, 0) : record)),
  'without its last byte': at =>
    records((record, index, wire) => wire.pass(index === at ? shortened(record) : record))
}

function shortened(record: Buffer): Buffer {
  const copy = Buffer.from(record.subarray(0, -1))
  copy.writeUIntBE(record.length - 5, 1, 3)
  return copy
}

for (const suite of suites) {
  t.test(`${suite}: records left out, doubled, swapped, replayed or spliced do not open`, async t => {
    const options = withSuite(suite, {})
    const other = await measure(options)
    const cases: Case[] = Object.entries(tricks).flatMap(([name, trick]) =>
      (['there', 'back'] as const).flatMap(direction =>
        other[direction].map((_, index) => ({
          name: `${direction} record ${index} ${name}`,
          options,
          joined: () => {
            const meddler = trick(index, other[direction])
            return direction === 'there' ? meddledPair(meddler) : meddledPair(honest, meddler)
          },
          check: spoilt(other, direction, index, name)
        }))
      )
    )
    t.same(await run(cases, { giveUpMs: 700 }), [], `${cases.length} tricks`)
  })
}

/** Whoever gets a spoilt record before the peer's goodbye is not clean; and has exactly what came before it. */
const spoilt = ({ there, back }: Measured, direction: 'there' | 'back', index: number, name: string): Check =>
  function* ({ initiator, responder }) {
    const receiver = direction === 'there' ? responder : initiator
    const goodbye = direction === 'there' ? there.length - 2 : back.length - 1
    const early =
      name === 'said once more at the very end'
        ? index < goodbye - 1
        : name === 'doubled'
          ? index < goodbye
          : index <= goodbye
    if (early && receiver.outcome.kind === 'clean') yield `clean: ${name}`
  }

t.test('one whole side of a session, replayed to a new peer, makes no session', async t => {
  const recorded = await measure({})
  const initiatorAgain = await replay('responder', recorded.there)
  t.match(initiatorAgain.outcome, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD', received: 0 })
  t.same(initiatorAgain.events, ['error', 'close'])
  const responderAgain = await replay('initiator', recorded.back)
  t.match(responderAgain.outcome, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD', received: 0 })
  t.same(responderAgain.events, ['error', 'close'])
})

/** What a new end of this role makes of recorded bytes. */
async function replay(role: 'initiator' | 'responder', bytes: Buffer[]): Promise<Side> {
  const [mine, theirs] = meddledPair()
  const connection = end(role, mine)
  const side = watch(connection)
  theirs.resume()
  theirs.end(Buffer.concat(bytes))
  return { ...side, outcome: await within(connection.outcome, 'a replay') }
}

t.test('an end that hears itself says so, or at least opens nothing', async t => {
  for (const role of ['initiator', 'responder'] as const) {
    const [mine, mirror] = meddledPair()
    mirror.pipe(mirror)
    const connection = end(role, mine, { handshakeTimeout: 100 })
    const side = watch(connection)
    const outcome = await within(connection.outcome, 'a mirror')
    t.same(side.events, ['error', 'close'])
    if (role === 'initiator') {
      t.match(outcome, { kind: 'protocol', code: 'ERR_STALK_REFLECTED', received: 0 })
      t.match(side.errors, [{ message: 'the peer sends our own handshake back at us' }])
    } else t.match(outcome, { kind: 'timeout', code: 'ERR_STALK_HANDSHAKE_TIMEOUT' })
  }
})

for (const suite of suites) {
  t.test(`${suite}: what an end sealed for its peer does not open at itself`, async t => {
    const [a, b] = meddledPair(
      records((record, index, wire) => {
        wire.pass(record)
        if (index === 3) a.push(record) // the second question, to who asked it
      })
    )
    const { initiator, responder } = await converse([a, b], withSuite(suite, {}))
    t.match(initiator.outcome, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD', received: 1 })
    t.not(responder.outcome.kind, 'clean')
  })
}

t.test('a man in the middle with keys of his own is met by no pin', async t => {
  const mallory = await Identity.generate({ type: 'ed25519' })
  const [a, b] = meddledPair()
  const front = ends([a, b], { responder: { identity: mallory, peer: 'anyone' } })
  t.match(await within(front.initiator.outcome, 'a pin'), {
    kind: 'rejected',
    code: 'ERR_STALK_PEER_MISMATCH',
    reason: `expected ${bob.fingerprint}; the peer has shown ${mallory.fingerprint}`
  })
  t.match(await front.responder.outcome, { kind: 'rejected', code: 'ERR_STALK_REJECTED' })
  const behind = ends(meddledPair(), { initiator: { identity: mallory, peer: 'anyone' } })
  t.match(await within(behind.responder.outcome, 'a pin'), {
    kind: 'rejected',
    code: 'ERR_STALK_PEER_MISMATCH',
    reason: `expected ${alice.fingerprint}; the peer has shown ${mallory.fingerprint}`
  })
  t.match(await behind.initiator.outcome, { kind: 'rejected', acknowledged: 0 })
})

t.test('a relay between an honest initiator and another honest responder is met by no pin', async t => {
  const carol = await Identity.generate({ type: 'ed25519' })
  const relayed = ends(meddledPair(), { responder: { identity: carol, peer: alice } })
  const [initiator, responder] = await within(
    Promise.all([relayed.initiator.outcome, relayed.responder.outcome]),
    'a relay'
  )
  t.match(initiator, { kind: 'rejected', code: 'ERR_STALK_PEER_MISMATCH', sent: 0 })
  t.match(responder, { kind: 'rejected', received: 0 })
})
