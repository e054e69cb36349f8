// Both halves against each other: every mode, key and suite agrees on the same session, and what crosses shows
// nothing of who it is. And the machine that runs a half: it does what it is asked, once, or nothing any more.

import t, { type Test } from 'tap'
import { FLIGHT_INNER_BYTES, KIND, TYPE } from '../../lib/constants.ts'
import { SUITES } from '../../lib/crypto/suites.ts'
import { ALERT } from '../../lib/errors.ts'
import type { Next, Session } from '../../lib/handshake/handshake.ts'
import { WANT } from '../../lib/handshake/messages.ts'
import { enframe, type Frame } from '../../lib/wire/frame.ts'
import {
  ALL_SUITES,
  type End,
  type EndOptions,
  initiatorEnd,
  type KeyPair,
  keyPair,
  responderEnd,
  seeded,
  shake,
  shakeBytes
} from '../helpers/machines.ts'
import { chunks } from '../helpers/tamper.ts'

const KEYS = {
  ed25519: [keyPair('ed25519'), keyPair('ed25519')],
  rsa: [keyPair('rsa'), keyPair('rsa')],
  mixed: [keyPair('ed25519'), keyPair('rsa', 4096)]
} as const satisfies Record<string, readonly [KeyPair, KeyPair]>

const { ed25519, rsa } = KEYS

/** Which ends have an identity. */
const MODES = {
  mutual: [true, true],
  'responder-only': [false, true],
  'initiator-only': [true, false],
  anonymous: [false, false]
} as const

interface Case {
  readonly name: string
  readonly initiator: KeyPair | null
  readonly responder: KeyPair | null
}

const CASES: readonly Case[] = Object.entries(KEYS).flatMap(([kind, [i, r]]) =>
  Object.entries(MODES)
    .filter(([mode]) => mode !== 'anonymous' || kind === 'ed25519')
    .map(([mode, [named, answers]]) => ({
      name: mode === 'anonymous' ? mode : `${mode}, ${kind}`,
      initiator: named ? i : null,
      responder: answers ? r : null
    }))
)

async function agreed(a: End, b: End): Promise<[Session, Session, Frame[]]> {
  const frames = await shake(a, b)
  if (!a.session || !b.session) throw new Error('no session')
  return [a.session, b.session, frames]
}

/** Seals at one end and opens at the other. */
function carry(from: End, to: End, body: Buffer): Buffer | undefined {
  const frame = from.sealer?.seal({ type: KIND.messages, body })
  return frame && to.openers[0]?.open(frame).body
}

// --- honest runs ---------------------------------------------------------------------------------------

for (const { name, initiator, responder } of CASES) {
  t.test(`${name}: both ends agree on one session, under every suite`, async t => {
    for (const suite of ALL_SUITES) {
      const a = initiatorEnd({ identity: initiator, suites: [suite], app: 'chat', maxMessageBytes: 1000 })
      const b = responderEnd({ identity: responder, suites: [suite], app: 'chat', maxMessageBytes: 2000 })
      const [ours, theirs, frames] = await agreed(a, b)
      t.same(
        frames.map(frame => frame.type),
        [0xe1, 0xe2, 0xe5, 0xe5, 0xe4]
      )
      t.equal(ours.suite, SUITES[suite])
      t.equal(theirs.suite, SUITES[suite])
      t.match(ours, { role: 'initiator', version: 1, peerMaxMessageBytes: 2000 })
      t.match(theirs, { role: 'responder', version: 1, peerMaxMessageBytes: 1000 })
      t.same([ours.self, ours.peer], [initiator?.raw ?? null, responder?.raw ?? null])
      t.same([theirs.self, theirs.peer], [responder?.raw ?? null, initiator?.raw ?? null])
      t.same([ours.proof.peer, theirs.proof.peer], [ours.peer, theirs.peer])
      t.same([a.asked, b.asked], [[ours.peer], [theirs.peer]], 'each policy is asked once')
      checkSameKeys(t, a, b)
    }
  })
}

function checkSameKeys(t: Test, a: End, b: End): void {
  const [label, context] = [Buffer.from('label'), Buffer.from('context')]
  t.same(a.session?.exporter.sessionId, b.session?.exporter.sessionId)
  t.same(a.session?.exporter.export(label, context, 99), b.session?.exporter.export(label, context, 99))
  for (const text of ['one', 'two']) {
    t.same(carry(a, b, Buffer.from(text)), Buffer.from(text))
    t.same(carry(b, a, Buffer.from(text)), Buffer.from(text))
  }
}

t.test('M1 and M2 are in clear and short, M3 and M4 as long in every mode with every key', async t => {
  for (const suite of ALL_SUITES) {
    const lengths = new Set<string>()
    for (const { initiator, responder } of CASES) {
      const ends = [{ identity: initiator }, { identity: responder }].map(end => ({
        ...end,
        suites: [suite]
      }))
      const frames = await shake(initiatorEnd(ends[0]), responderEnd(ends[1]))
      lengths.add(frames.map(frame => frame.body.length).join())
    }
    const { tagBytes } = SUITES[suite]
    const flight = FLIGHT_INNER_BYTES + tagBytes
    t.same([...lengths], [`80,73,${flight},${flight},${4 + tagBytes}`], suite)
  }
})

t.test('no identity crosses in clear', async t => {
  for (const { name, initiator, responder } of CASES) {
    const wire = Buffer.concat(
      await shakeBytes(initiatorEnd({ identity: initiator }), responderEnd({ identity: responder }))
    )
    for (const key of [initiator, responder]) {
      if (key) t.notOk(wire.includes(key.raw.bytes.subarray(0, 16)), name)
    }
  }
})

t.test('the same identity at both ends is legal', async t => {
  const identity = ed25519[0]
  const [ours, theirs] = await agreed(initiatorEnd({ identity }), responderEnd({ identity }))
  t.same(ours.peer, identity.raw)
  t.same(theirs.peer, identity.raw)
})

t.test('two sessions between the same identities share no key, exporter or byte of randomness', async t => {
  const [i, r] = ed25519
  const first = await agreed(initiatorEnd({ identity: i }), responderEnd({ identity: r }))
  const second = await agreed(initiatorEnd({ identity: i }), responderEnd({ identity: r }))
  t.notSame(first[0].exporter.sessionId, second[0].exporter.sessionId)
  for (const at of [0, 1, 2, 3, 4]) t.notSame(first[2][at]?.body, second[2][at]?.body)
})

t.test('the same randomness gives the same bytes', async t => {
  const run = () => {
    const [i, r] = ed25519
    const a = initiatorEnd({ identity: i, random: seeded('initiator') })
    return shakeBytes(a, responderEnd({ identity: r, random: seeded('responder') }))
  }
  t.same(await run(), await run())
})

t.test('any chunking is the same handshake', async t => {
  for (const step of [1, 3, 100, 5000]) {
    const a = initiatorEnd({ identity: ed25519[0] })
    const b = responderEnd({ identity: rsa[0] })
    await shakeBytes(a, b, bytes => [...chunks(bytes, step)])
    checkSameKeys(t, a, b)
  }
})

t.test('M2 and M3 may come in one piece', async t => {
  const [a, b] = [initiatorEnd(), responderEnd()]
  const [m1] = await a.start()
  await b.start()
  const answers = m1 ? await b.deliver(enframe(m1)) : []
  const [m4] = await a.deliver(Buffer.concat(answers))
  const m5 = m4 ? await b.deliver(m4) : []
  await a.deliver(Buffer.concat(m5))
  checkSameKeys(t, a, b)
})

t.test('the initiator may write after M4, and what it wrote opens after the verdict', async t => {
  const [a, b] = [initiatorEnd(), responderEnd()]
  const [m1] = await a.start()
  await b.start()
  t.equal(a.writable, false)
  const [m4] = await a.deliver(Buffer.concat(m1 ? await b.deliver(enframe(m1)) : []))
  t.equal(a.writable, true)
  t.equal(a.session, undefined, 'but there is no session before Accept')
  const early = a.sealer?.seal({ type: KIND.messages, body: Buffer.from('early') })
  t.equal(b.writable, false)
  if (m4) await b.deliver(m4)
  t.equal(b.writable, true)
  t.same(early && b.openers[0]?.open(early).body, Buffer.from('early'))
})

// --- choices -------------------------------------------------------------------------------------------

t.test("the initiator's first suite that the responder has is chosen", async t => {
  const [gcm, chacha, ofb] = ALL_SUITES as [
    (typeof ALL_SUITES)[0],
    (typeof ALL_SUITES)[0],
    (typeof ALL_SUITES)[0]
  ]
  const cases = [
    [[chacha, gcm], [gcm, chacha], chacha],
    [[ofb, gcm], [gcm, chacha], gcm],
    [[gcm, chacha, ofb], [ofb], ofb]
  ] as const
  for (const [offered, accepted, chosen] of cases) {
    const [ours] = await agreed(initiatorEnd({ suites: offered }), responderEnd({ suites: accepted }))
    t.equal(ours.suite.name, chosen)
  }
})

t.test('M1 offers one grease id, at a random place', async t => {
  const seen = new Set<string>()
  for (let run = 0; run < 64; run++) {
    const [m1] = await initiatorEnd({ random: seeded(`run ${run}`) }).start()
    const ids = [0, 1, 2, 3].map(i => m1?.body.readUInt16BE(4 + 3 + 32 + 1 + 2 * i) ?? 0)
    const grease = ids.filter(id => (id & 0x0f0f) === 0x0a0a)
    t.equal(grease.length, 1)
    t.same(
      ids.filter(id => !grease.includes(id)),
      [1, 2, 3]
    )
    seen.add(`${ids.indexOf(grease[0] ?? 0)}`)
  }
  t.same([...seen].sort(), ['0', '1', '2', '3'])
})

interface Failing {
  readonly name: string
  readonly a?: EndOptions
  readonly b?: EndOptions
  readonly code: string
  readonly message: RegExp
}

const FAILING: readonly Failing[] = [
  {
    name: 'no suite in common',
    a: { suites: ['X25519-AES256GCM-SHA256'] },
    b: { suites: ['X25519-CHACHA20POLY1305-SHA256'] },
    code: 'ERR_STALK_NOTHING_IN_COMMON',
    message: /no cipher suite that we accept/
  },
  {
    name: "the initiator does not take the responder's kind of key",
    a: { keyTypes: ['ed25519'] },
    b: { identity: rsa[0] },
    code: 'ERR_STALK_NOTHING_IN_COMMON',
    message: /does not accept the signatures of an rsa key/
  },
  {
    name: "the responder does not take the initiator's kind of key",
    a: { identity: ed25519[0] },
    b: { keyTypes: ['rsa'] },
    code: 'ERR_STALK_NOTHING_IN_COMMON',
    message: /does not accept the signatures of an ed25519 key/
  },
  {
    name: 'another application',
    a: { app: 'chat' },
    b: { app: 'chat2' },
    code: 'ERR_STALK_BAD_RECORD',
    message: /does not open/
  },
  {
    name: 'an application at one end only',
    a: { app: '' },
    b: { app: 'chat' },
    code: 'ERR_STALK_BAD_RECORD',
    message: /does not open/
  },
  {
    name: 'an identity is required and there is none',
    b: { want: WANT.required },
    code: 'ERR_STALK_IDENTITY_REQUIRED',
    message: /the responder requires an identity and we have none/
  }
]

for (const { name, a = {}, b = {}, code, message } of FAILING) {
  t.test(`${name}: there is no session`, async t => {
    const [one, two] = [initiatorEnd(a), responderEnd(b)]
    await t.rejects(shake(one, two), {
      code,
      message,
      phase: code === 'ERR_STALK_BAD_RECORD' ? /./ : 'handshake'
    })
    t.same([one.session, two.session], [undefined, undefined])
    t.same(two.asked, [], 'the responder asks nobody')
  })
}

t.test('want 0: the initiator keeps its identity to itself, of whatever kind it is', async t => {
  for (const keyTypes of [['ed25519'], ['rsa']] as const) {
    const a = initiatorEnd({ identity: ed25519[0] })
    const [ours, theirs] = await agreed(a, responderEnd({ want: WANT.none, keyTypes }))
    t.same([ours.self, theirs.peer], [null, null])
  }
})

t.test('want 1 and 2: the initiator shows its identity', async t => {
  for (const want of [WANT.welcome, WANT.required]) {
    const [ours, theirs] = await agreed(initiatorEnd({ identity: ed25519[0] }), responderEnd({ want }))
    t.same([ours.self, theirs.peer], [ed25519[0].raw, ed25519[0].raw])
  }
  const [ours, theirs] = await agreed(initiatorEnd(), responderEnd({ want: WANT.welcome }))
  t.same([ours.self, theirs.peer], [null, null], 'welcome is not required')
})

t.test('two initiators fail at both ends, and each is told why', async t => {
  const [a, b] = [initiatorEnd(), initiatorEnd()]
  const [fromA, fromB] = [await a.start(), await b.start()].map(frames => frames.map(enframe))
  const sameRole = { code: 'ERR_STALK_SAME_ROLE', message: /both ends are initiators/, fault: 'caller' }
  await t.rejects(a.deliver(Buffer.concat(fromB ?? [])), sameRole)
  await t.rejects(b.deliver(Buffer.concat(fromA ?? [])), sameRole)
})

t.test('two responders wait for each other', async t => {
  const [a, b] = [responderEnd(), responderEnd()]
  t.same([await a.start(), await b.start()], [[], []])
})

// --- the machine ---------------------------------------------------------------------------------------

const misused = { code: 'ERR_STALK_INTERNAL', message: 'the handshake was given what it did not ask for' }

t.test('an answer that was not asked for ends the machine', async t => {
  const anything = { type: TYPE.initiatorHello, inner: { type: TYPE.initiatorHello, body: Buffer.alloc(1) } }
  for (const make of [initiatorEnd, responderEnd]) {
    const { machine } = make()
    machine.start()
    t.throws(() => machine.accepted(), misused)
    t.throws(() => machine.receive(anything), misused)
    const other = make().machine
    other.start()
    t.throws(() => other.signed(Buffer.alloc(64)), misused)
    t.throws(() => other.accepted(), misused)
  }
})

t.test('a machine is asked for a signature and for a verdict, and takes nothing else then', async t => {
  const other = { type: TYPE.sealedHandshake, inner: { type: KIND.alert, body: Buffer.of(ALERT.internal) } }
  const [m1] = await initiatorEnd().start()
  for (const wrong of ['receive', 'accepted'] as const) {
    const { machine } = responderEnd({ identity: ed25519[0] })
    machine.start()
    const { next } = machine.receive({
      type: TYPE.initiatorHello,
      inner: m1 ?? { type: 0, body: Buffer.alloc(0) }
    })
    t.ok('sign' in next)
    t.throws(() => (wrong === 'receive' ? machine.receive(other) : machine.accepted()), misused)
    t.throws(() => machine.signed(Buffer.alloc(64)), misused, 'too late now')
  }
})

t.test('while the policy decides, no record is admitted and none taken', async t => {
  const next = await initiatorAtVerdict()
  t.ok('ask' in next.step)
  t.throws(() => next.end.machine.admit(TYPE.plainAlert), {
    code: 'ERR_STALK_UNEXPECTED',
    message: /a record of type 0xe3 came in place of nothing/
  })
  const alert = { type: TYPE.sealedHandshake, inner: { type: KIND.alert, body: Buffer.of(ALERT.internal) } }
  t.throws(() => next.end.machine.receive(alert), misused)
  t.throws(() => next.end.machine.accepted(), misused)
})

/** An initiator whose policy is being asked. */
async function initiatorAtVerdict(): Promise<{ end: End; step: Next }> {
  const [a, b] = [initiatorEnd(), responderEnd()]
  const [m1] = a.machine.start().send ?? []
  await b.start()
  const [m2, m3] = m1 && 'clear' in m1 ? await b.receive(m1.clear) : []
  if (!m2 || !m3) throw new Error('no answer')
  const [opener] = a.machine.receive({ type: m2.type, inner: m2 }).openers ?? []
  if (!opener) throw new Error('no opener')
  return { end: a, step: a.machine.receive({ type: m3.type, inner: opener.open(m3) }).next }
}

t.test('after the end of a handshake its machine does nothing any more', async t => {
  const [a, b] = [initiatorEnd(), responderEnd()]
  const [, , frames] = await agreed(a, b)
  for (const { machine } of [a, b]) {
    t.throws(() => machine.accepted(), misused)
    t.throws(() => machine.start(), misused)
    for (const type of [0xe1, 0xe2, 0xe3, 0xe5]) {
      t.throws(() => machine.admit(type), {
        code: 'ERR_STALK_UNEXPECTED',
        message: /came in place of nothing/
      })
    }
  }
  for (const frame of frames.slice(0, 4)) {
    for (const end of [a, b]) {
      await t.rejects(end.receive(frame), {
        code: 'ERR_STALK_UNEXPECTED',
        message: /came in place of nothing/
      })
    }
  }
  checkSameKeys(t, a, b)
})

t.test('a failure is for good: the genuine record does not help any more', async t => {
  const [a, b] = [initiatorEnd(), responderEnd()]
  const [m1] = await a.start()
  await b.start()
  const [m2, m3] = m1 ? await b.deliver(enframe(m1)) : []
  if (!m2 || !m3) throw new Error('no answer')
  const spoiled = Buffer.from(m2)
  spoiled.writeUInt8(9, spoiled.length - 1) // psk
  await t.rejects(a.deliver(spoiled), { code: 'ERR_STALK_DECODE', message: /has psk 9/ })
  await t.rejects(a.deliver(m2), misused)
  await t.rejects(a.deliver(m3), { code: /^ERR_STALK_/, message: /./ })
  t.throws(() => a.machine.accepted(), misused)
  t.same([a.session, a.asked, a.writable], [undefined, [], false])
})

t.test('before it was started a machine admits nothing', async t => {
  for (const { machine } of [initiatorEnd(), responderEnd()]) {
    t.throws(() => machine.admit(TYPE.initiatorHello), {
      code: 'ERR_STALK_UNEXPECTED',
      message: /came in place of Start/
    })
  }
})

t.test('starting twice, or not at all, is misuse', async t => {
  const { machine } = initiatorEnd()
  machine.start()
  t.throws(() => machine.start(), misused)
  for (const end of [initiatorEnd(), responderEnd()]) {
    t.throws(() => end.machine.accepted(), misused)
  }
})

t.test('what each state admits in clear, and how much of it', async t => {
  const [a, b] = [initiatorEnd(), responderEnd()]
  await a.start()
  await b.start()
  t.same(
    [0xe1, 0xe2, 0xe3].map(type => a.machine.admit(type)),
    [1024, 73, 1]
  )
  t.equal(b.machine.admit(0xe1), 1024)
  const notStalk = { code: 'ERR_STALK_NOT_STALK', message: 'the peer does not speak stalk' }
  for (const type of [0x00, 0x16, 0x47, 0xe0, 0xe4, 0xe5, 0xe6, 0xff]) {
    t.throws(() => a.machine.admit(type), notStalk)
    t.throws(() => b.machine.admit(type), notStalk)
  }
  for (const type of [0xe2, 0xe3]) t.throws(() => b.machine.admit(type), notStalk)
})
