// The responder against an initiator that does one thing wrong. The puppet makes all else fit: what is noticed
// is the fault, with its code, and nobody is asked before signature and Finished were verified.

import { constants, sign as nodeSign, randomBytes } from 'node:crypto'
import t from 'tap'
import { WANT } from '../../lib/handshake/messages.ts'
import { enframe } from '../../lib/wire/frame.ts'
import { innerOf, integer, list, message, record, signatureOf, signed, vector } from '../helpers/formulas.ts'
import {
  type End,
  type EndOptions,
  initiatorEnd,
  keyPair,
  responderEnd,
  seeded
} from '../helpers/machines.ts'
import { type Faults, InitiatorPuppet, type PuppetOptions, ResponderPuppet } from '../helpers/puppet.ts'
import { flip, hex } from '../helpers/tamper.ts'

const ed25519 = keyPair('ed25519')
const rsa = keyPair('rsa')
const stranger = keyPair('ed25519')

interface Meeting {
  readonly end: End
  readonly puppet: InitiatorPuppet
}

/** A lib responder that waits for M1, and a puppet to send it. */
async function meet(
  faults: Faults = {},
  puppet: Partial<PuppetOptions> = {},
  end: EndOptions = {}
): Promise<Meeting> {
  const responder = responderEnd({ identity: stranger, ...end })
  await responder.start()
  return {
    end: responder,
    puppet: new InitiatorPuppet({ random: randomBytes, identity: ed25519, ...puppet, faults })
  }
}

/** Up to where M4 is due. */
async function untilM3({ end, puppet }: Meeting): Promise<void> {
  const [m2, m3, ...more] = await end.deliver(puppet.m1())
  if (!m2 || !m3 || more.length > 0) throw new Error('not M2 and M3')
  puppet.takeM2(m2)
  puppet.takeM3(m3)
}

interface Case {
  readonly name: string
  readonly faults?: Faults
  readonly puppet?: Partial<PuppetOptions>
  readonly end?: EndOptions
  readonly code: string
  readonly message: RegExp
}

const put =
  (at: number, bytes: Buffer) =>
  (body: Buffer): Buffer =>
    Buffer.concat([body.subarray(0, at), bytes, body.subarray(at + bytes.length)])

/** M1's body with other lists, or another end. */
function m1Body(fields: { versions?: number[]; suites?: number[]; sigs?: number[]; end?: Buffer }): Faults {
  const { versions = [1], suites = [1, 2, 0x5a6a], sigs = [1, 2], end = hex('00') } = fields
  return {
    hello: body =>
      Buffer.concat([
        Buffer.from('STLK'),
        list(2, versions),
        body.subarray(7, 39),
        list(2, suites),
        list(1, sigs),
        body.subarray(-33, -1),
        end
      ])
  }
}

/** An offered ticket of so many bytes. */
const ticket = (bytes: number): Buffer =>
  Buffer.concat([hex('01'), vector(Buffer.alloc(bytes, 0xdd)), Buffer.alloc(32, 0xcc)])

const nothingInCommon = (text: RegExp) => ({ code: 'ERR_STALK_NOTHING_IN_COMMON', message: text })
const unexpected = (text: RegExp) => ({ code: 'ERR_STALK_UNEXPECTED', message: text })
const malformed = (text: RegExp) => ({ code: 'ERR_STALK_DECODE', message: text })
const badKey = (text: RegExp) => ({ code: 'ERR_STALK_BAD_KEY', message: text })
const badSignature = { code: 'ERR_STALK_BAD_SIGNATURE', message: /the initiator's signature is not valid/ }
const badFinished = { code: 'ERR_STALK_BAD_FINISHED', message: /the initiator's Finished does not match/ }
const doesNotOpen = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }

// --- honest --------------------------------------------------------------------------------------------

t.test('an honest puppet makes a session in every mode, with every suite and key', async t => {
  for (const identity of [null, ed25519, rsa]) {
    for (const own of [null, ed25519, rsa]) {
      for (const suite of [1, 2, 3]) {
        const meeting = await meet(
          {},
          { identity, suites: [suite, 0x0a0a], app: 'x' },
          { identity: own, app: 'x' }
        )
        await untilM3(meeting)
        const { end, puppet } = meeting
        t.same(end.asked, [])
        const [m5 = hex('')] = await end.deliver(puppet.m4())
        t.same(end.session?.peer, identity?.raw ?? null)
        t.same(end.session?.self, own?.raw ?? null)
        t.same(puppet.open.inbound.open(m5), { kind: 1, content: hex('070000') })
        t.same(end.session?.exporter.sessionId, puppet.application?.sessionId)
        t.same(end.asked, [identity?.raw ?? null])
      }
    }
  }
})

t.test('a ticket that nobody issued is a full handshake, quietly', async t => {
  for (const bytes of [1, 100, 512]) {
    const meeting = await meet(m1Body({ end: ticket(bytes) }))
    // The puppet has to know its own share; lib answers with psk 0.
    const [m2 = hex(''), m3 = hex('')] = await meeting.end.deliver(meeting.puppet.m1())
    t.equal(m2.at(-1), 0)
    meeting.puppet.takeM2(m2)
    meeting.puppet.takeM3(m3)
    await meeting.end.deliver(meeting.puppet.m4())
    t.ok(meeting.end.session)
  }
})

t.test('an M1 of 1,024 bytes is taken, with all that nobody knows', async t => {
  const suites = [1, ...Array.from({ length: 196 }, (_, i) => 0x2000 + i)]
  const faults = m1Body({ suites, sigs: [1, 2, 3], end: ticket(512) })
  const probe = new InitiatorPuppet({ random: randomBytes, faults }).m1()
  const spare = 4 + 1024 - probe.length
  const full = m1Body({
    suites,
    sigs: [1, 2, ...Array.from({ length: 1 + spare }, (_, i) => 3 + i)],
    end: ticket(512)
  })
  const meeting = await meet(full)
  t.equal(meeting.puppet.m1().length, 4 + 1024)
  const [m2] = await meeting.end.deliver(meeting.puppet.m1())
  t.ok(m2)
})

// --- M1 ------------------------------------------------------------------------------------------------

const M1_CASES: readonly Case[] = [
  {
    name: 'no version of ours',
    faults: m1Body({ versions: [2, 3] }),
    ...nothingInCommon(/offers versions 2,3; we/)
  },
  {
    name: 'no suite of ours',
    faults: m1Body({ suites: [9, 0x5a6a] }),
    ...nothingInCommon(/no cipher suite that we/)
  },
  {
    name: 'grease alone',
    faults: m1Body({ suites: [0x0a0a, 0x1a1a] }),
    ...nothingInCommon(/no cipher suite/)
  },
  {
    name: 'a suite that we do not accept here',
    faults: m1Body({ suites: [3] }),
    end: { suites: ['X25519-AES256GCM-SHA256'] },
    ...nothingInCommon(/no cipher suite/)
  },
  {
    name: 'no algorithm for our key',
    faults: m1Body({ sigs: [2] }),
    ...nothingInCommon(/signatures of an ed25519 key/)
  },
  {
    name: 'unknown algorithms alone',
    faults: m1Body({ sigs: [7, 8] }),
    ...nothingInCommon(/signatures of an ed25519/)
  },
  { name: 'no versions', faults: m1Body({ versions: [] }), ...malformed(/has an empty list/) },
  { name: 'no suites', faults: m1Body({ suites: [] }), ...malformed(/has an empty list/) },
  { name: 'a suite twice', faults: m1Body({ suites: [1, 1] }), ...malformed(/names an item twice/) },
  { name: 'no algorithms', faults: m1Body({ sigs: [] }), ...malformed(/has an empty list/) },
  { name: 'psk 2', faults: m1Body({ end: hex('02') }), ...malformed(/has psk 2/) },
  { name: 'an empty ticket', faults: m1Body({ end: ticket(0) }), ...malformed(/offers an empty ticket/) },
  {
    name: 'a ticket of 513 bytes',
    faults: m1Body({ end: ticket(513) }),
    ...malformed(/513 bytes; the limit is 512/)
  },
  { name: 'bytes behind it', faults: m1Body({ end: hex('0000') }), ...malformed(/1 bytes too many/) },
  { name: 'bytes missing', faults: m1Body({ end: hex('') }), ...malformed(/ends too early/) },
  {
    name: '1,025 bytes',
    faults: { hello: body => Buffer.concat([body, Buffer.alloc(1025 - body.length)]) },
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 1025 bytes; the limit here is 1024/
  },
  {
    name: 'another magic',
    faults: { hello: put(3, hex('4c')) },
    code: 'ERR_STALK_NOT_STALK',
    message: /the peer does not speak stalk/
  },
  ...['00', '01'].map(first => ({
    name: `a share of small order, ${first}…`,
    faults: { hello: (body: Buffer) => put(body.length - 33, hex(first + '00'.repeat(31)))(body) },
    ...badKey(/small order/)
  }))
]

for (const { name, faults, puppet, end: options, code, message: text } of M1_CASES) {
  t.test(`M1 with ${name} is refused before anything is answered`, async t => {
    const { end, puppet: initiator } = await meet(faults, puppet, options)
    await t.rejects(end.deliver(initiator.m1()), { code, message: text })
    t.same([end.session, end.asked, end.sealer], [undefined, [], undefined])
  })
}

t.test('an anonymous responder does not mind which signatures the initiator takes', async t => {
  const meeting = await meet(m1Body({ sigs: [7] }), {}, { identity: null })
  await untilM3(meeting)
  await meeting.end.deliver(meeting.puppet.m4())
  t.ok(meeting.end.session)
})

t.test('our own randomness coming back is a reflection', async t => {
  const reflected = { code: 'ERR_STALK_REFLECTED', message: /sends our own handshake back at us/ }
  const mine = await meet({}, { random: seeded('same') }, { random: seeded('same') })
  await t.rejects(mine.end.deliver(mine.puppet.m1()), reflected, 'share and random')
  for (const same of [0, 1]) {
    const [ours, theirs] = [seeded('ours'), seeded('theirs')]
    let call = 0
    const random = (bytes: number): Buffer => {
      const [one, other] = [ours(bytes), theirs(bytes)]
      return call++ === same ? one : other
    }
    const meeting = await meet({}, { random }, { random: seeded('ours') })
    await t.rejects(
      meeting.end.deliver(meeting.puppet.m1()),
      reflected,
      same === 0 ? 'share alone' : 'random alone'
    )
  }
})

t.test('a peer that speaks something else is no stalk, from its first byte on', async t => {
  for (const text of ['GET / HTTP/1.1\r\n', 'SSH-2.0-x\r\n', '\u0016\u0003\u0001', '\u0000']) {
    const { end } = await meet()
    await t.rejects(end.deliver(Buffer.from(text, 'latin1').subarray(0, 1)), {
      code: 'ERR_STALK_NOT_STALK',
      message: 'the peer does not speak stalk'
    })
  }
  for (const type of [0xe2, 0xe3, 0xe4, 0xe5]) {
    const { end } = await meet()
    await t.rejects(end.deliver(integer(1, type)), {
      code: 'ERR_STALK_NOT_STALK',
      message: /does not speak stalk/
    })
  }
})

// --- M4 ------------------------------------------------------------------------------------------------

const flipFirst = (body: Buffer): Buffer => flip(body, 0)
const identity = (text: string) => (): Buffer => hex(text)
const KEY = ed25519.raw.bytes.toString('hex')
const MODULUS = rsa.raw.bytes.toString('hex')

const pss =
  (saltLength: number) =>
  (input: Buffer): Buffer =>
    nodeSign('sha256', input, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

const M4_CASES: readonly Case[] = [
  // what is in the record
  {
    name: 'kind 02',
    faults: { inner: () => innerOf(2, hex('91c3'), 2048) },
    ...unexpected(/kind 2 instead of a fl/)
  },
  {
    name: '2,047 bytes',
    faults: { inner: inner => inner.subarray(0, -1) },
    ...unexpected(/2047 bytes instead of 2048/)
  },
  {
    name: 'no padding',
    faults: { inner: inner => innerOf(1, inner.subarray(0, 100)) },
    ...unexpected(/101 bytes inst/)
  },
  {
    name: '2,049 bytes',
    faults: { inner: inner => Buffer.concat([inner, hex('00')]) },
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 2065 bytes; the limit here is 2064/
  },
  {
    name: 'zeros alone',
    faults: { inner: () => Buffer.alloc(2048) },
    code: 'ERR_STALK_BAD_RECORD',
    message: /open/
  },
  // which messages
  { name: 'nothing', faults: { content: () => hex('') }, ...unexpected(/a flight with messages missing/) },
  {
    name: 'no identity',
    faults: { content: ([, ...rest]) => Buffer.concat(rest) },
    ...unexpected(/messages 5, 6/)
  },
  {
    name: 'no Finished',
    faults: { content: all => Buffer.concat(all.slice(0, -1)) },
    ...unexpected(/messages 4, 5/)
  },
  {
    name: 'reversed order',
    faults: { content: all => Buffer.concat([...all].reverse()) },
    ...unexpected(/6, 5, 4/)
  },
  {
    name: 'all twice',
    faults: { content: all => Buffer.concat([...all, ...all]) },
    ...unexpected(/4, 5, 6, 4, 5, 6/)
  },
  {
    name: "a responder's messages",
    faults: { content: all => Buffer.concat(all.map((m, n) => put(0, integer(1, 1 + n))(m))) },
    ...unexpected(/messages 1, 2, 3/)
  },
  {
    name: 'one byte more',
    faults: { content: all => Buffer.concat([...all, hex('06')]) },
    ...malformed(/too early/)
  },
  // the identity
  {
    name: 'an unknown algorithm',
    faults: { identity: identity(`03 0020 ${KEY} 00000001`) },
    ...malformed(/algorithm 3/)
  },
  {
    name: 'a key and no algorithm',
    faults: { identity: identity(`00 0020 ${KEY} 00000001`) },
    ...malformed(/and has a/)
  },
  {
    name: 'bytes behind it',
    faults: { identity: body => Buffer.concat([body, hex('00')]) },
    ...malformed(/too many/)
  },
  {
    name: 'a kind of key that we do not accept',
    puppet: { identity: rsa },
    end: { keyTypes: ['ed25519'] },
    ...unexpected(/shows an rsa key, which we did not say we accept/)
  },
  {
    name: 'RSA said to be Ed25519',
    faults: { identity: identity(`01 0100 ${MODULUS} 00000001`) },
    ...badKey(/256 bytes/)
  },
  {
    name: 'Ed25519 said to be RSA',
    faults: { identity: identity(`02 0020 ${KEY} 00000001`) },
    ...badKey(/32 bytes/)
  },
  {
    name: 'a key of small order',
    faults: { identity: identity(`01 0020 ${'00'.repeat(32)} 00000001`) },
    ...badKey(/small order/)
  },
  // the signature
  { name: 'no proof', faults: { signature: () => null }, ...unexpected(/an identity without a signature/) },
  {
    name: 'a proof of nobody',
    puppet: { identity: null },
    faults: { signature: () => Buffer.alloc(64) },
    ...unexpected(/a signature without an identity/)
  },
  {
    name: "a stranger's signature",
    faults: { signature: input => signatureOf(stranger.privateKey, input) },
    ...badSignature
  },
  {
    name: "a signature in the responder's context",
    faults: { signature: input => signatureOf(ed25519.privateKey, signed('responder', input.subarray(-32))) },
    ...badSignature
  },
  {
    name: 'a signature of another transcript',
    faults: { signature: input => signatureOf(ed25519.privateKey, flip(input, 8 * 118)) },
    ...badSignature
  },
  { name: 'an empty signature', faults: { signature: () => hex('') }, ...badSignature },
  {
    name: 'a signature of 513 bytes',
    faults: { proof: () => vector(Buffer.alloc(513)) },
    ...malformed(/513 bytes/)
  },
  {
    name: 'a byte behind the proof',
    faults: { proof: body => Buffer.concat([body, hex('00')]) },
    ...malformed(/too many/)
  },
  { name: 'PSS with salt 0', puppet: { identity: rsa }, faults: { signature: pss(0) }, ...badSignature },
  { name: 'PSS with salt 64', puppet: { identity: rsa }, faults: { signature: pss(64) }, ...badSignature },
  {
    name: 'PKCS#1 v1.5',
    puppet: { identity: rsa },
    faults: { signature: input => nodeSign('sha256', input, rsa.privateKey) },
    ...badSignature
  },
  // Finished
  { name: 'a flipped Finished', faults: { finished: flipFirst }, ...badFinished },
  {
    name: 'a flipped Finished of nobody',
    puppet: { identity: null },
    faults: { finished: flipFirst },
    ...badFinished
  },
  { name: 'a short Finished', faults: { finished: mac => mac.subarray(1) }, ...badFinished },
  { name: 'a long Finished', faults: { finished: mac => Buffer.concat([mac, hex('00')]) }, ...badFinished },
  { name: 'both bad', faults: { signature: () => Buffer.alloc(64), finished: flipFirst }, ...badSignature },
  // what was wanted: only after all that
  {
    name: 'an identity that was not asked for',
    end: { want: WANT.none },
    ...unexpected(/shows an identity that was not asked for/)
  },
  {
    name: 'no identity where one is required',
    puppet: { identity: null },
    end: { want: WANT.required },
    code: 'ERR_STALK_IDENTITY_REQUIRED',
    message: /the initiator is anonymous and an identity is required/
  },
  {
    name: 'an identity that was not asked for, not proved either',
    end: { want: WANT.none },
    faults: { signature: () => Buffer.alloc(64) },
    ...badSignature
  },
  {
    name: 'no identity where one is required, and a bad Finished',
    puppet: { identity: null },
    end: { want: WANT.required },
    faults: { finished: flipFirst },
    ...badFinished
  }
]

for (const { name, faults, puppet, end: options, code, message: text } of M4_CASES) {
  t.test(`M4 with ${name} is refused, and nobody is asked`, async t => {
    const meeting = await meet(faults, puppet, options)
    await untilM3(meeting)
    await t.rejects(meeting.end.deliver(meeting.puppet.m4()), { code, message: text })
    t.same([meeting.end.session, meeting.end.asked, meeting.end.writable], [undefined, [], false])
  })
}

t.test('M4 under keys of another session, or our own M3 back, does not open', async t => {
  const [one, two] = [await meet(), await meet()]
  await untilM3(one)
  await untilM3(two)
  await t.rejects(one.end.deliver(two.puppet.m4()), doesNotOpen)
  const mirror = await meet()
  const [m2 = hex(''), m3 = hex('')] = await mirror.end.deliver(mirror.puppet.m1())
  mirror.puppet.takeM2(m2)
  await t.rejects(mirror.end.deliver(m3), doesNotOpen)
})

t.test('nothing but M2 and M3 is said before the verdict, and Accept right after it', async t => {
  const meeting = await meet()
  const answers = await meeting.end.deliver(meeting.puppet.m1())
  t.same(
    answers.map(bytes => bytes.readUInt8(0)),
    [0xe2, 0xe5]
  )
  meeting.puppet.takeM2(answers[0] ?? hex(''))
  meeting.puppet.takeM3(answers[1] ?? hex(''))
  const [m5, ...more] = await meeting.end.deliver(meeting.puppet.m4())
  t.equal(m5?.readUInt8(0), 0xe4)
  t.same(more, [])
})

// --- the man in the middle -----------------------------------------------------------------------------

t.test('from the verdict on messages may be written, as large as M4 says and no larger', async t => {
  for (const maxMessage of [0, 1000, 0xffff_ffff]) {
    const meeting = await meet({}, { maxMessage }, { maxMessageBytes: 7 })
    const { end, puppet } = meeting
    await untilM3(meeting)
    t.equal(end.mayWriteBytes, undefined)
    await end.deliver(puppet.m4())
    t.equal(end.mayWriteBytes, maxMessage)
    t.match(end.session, { role: 'responder', version: 1, peerMaxMessageBytes: maxMessage })
  }
})

t.test("a man in the middle cannot pass on an initiator's flight from another session", async t => {
  // An honest initiator that trusts anyone talks to him, so he has its genuine M4 in clear.
  const victim = initiatorEnd({ identity: ed25519 })
  const [m1 = hex('')] = (await victim.start()).map(enframe)
  const trap = new ResponderPuppet({ random: randomBytes, identity: stranger })
  await victim.deliver(trap.m2(m1))
  const [m4 = hex('')] = await victim.deliver(trap.m3())
  const { content } = trap.handshake.inbound.open(m4)

  const whole = await meet({ content: () => content })
  await untilM3(whole)
  await t.rejects(whole.end.deliver(whole.puppet.m4()), badSignature)

  const proof = content.subarray(3 + content.readUInt16BE(1))
  const parts = await meet({ signature: () => proof.subarray(5, 5 + 64) })
  await untilM3(parts)
  await t.rejects(parts.end.deliver(parts.puppet.m4()), badSignature)
  t.same([whole.end.asked, parts.end.asked], [[], []])
})

t.test('with keys of his own the responder is asked about his key', async t => {
  const meeting = await meet({}, { identity: stranger })
  await untilM3(meeting)
  await meeting.end.deliver(meeting.puppet.m4())
  t.same(meeting.end.asked, [stranger.raw])
})

// --- alerts and what has no place ----------------------------------------------------------------------

t.test('an alert in place of M4, in clear or sealed, is what the initiator says', async t => {
  const cases = [
    [6, 'ERR_STALK_REJECTED'],
    [7, 'ERR_STALK_REJECTED'],
    [8, 'ERR_STALK_PEER_ABORTED'],
    [1, 'ERR_STALK_PEER_ALERT'],
    [0, 'ERR_STALK_DECODE'],
    [99, 'ERR_STALK_DECODE']
  ] as const
  for (const [alert, code] of cases) {
    const sealed = await meet()
    await untilM3(sealed)
    await t.rejects(sealed.end.deliver(sealed.puppet.alert(alert)), { code, message: /^the peer/ })
    const plain = await meet()
    await untilM3(plain)
    await t.rejects(plain.end.deliver(record(0xe3, integer(1, alert))), {
      code,
      message: /^an alert in clear/
    })
    t.same([sealed.end.asked, plain.end.asked], [[], []])
  }
  const long = await meet()
  await untilM3(long)
  await t.rejects(long.end.deliver(long.puppet.alert(6, 0)), malformed(/an alert of 2 bytes/))
  const longInClear = await meet()
  await untilM3(longInClear)
  await t.rejects(longInClear.end.deliver(record(0xe3, hex('0600'))), {
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 2 bytes; the limit here is 1/
  })
})

t.test('hellos and application records have no place where M4 is due', async t => {
  for (const type of [0xe1, 0xe2, 0xe4, 0x00]) {
    const meeting = await meet()
    await untilM3(meeting)
    const { end, puppet } = meeting
    const bytes = type === 0xe1 ? puppet.m1() : record(type, Buffer.alloc(40))
    await t.rejects(end.deliver(bytes), unexpected(/came in place of the initiator's flight/))
  }
})

t.test('a second M4 has no place after the first', async t => {
  const meeting = await meet()
  await untilM3(meeting)
  const m4 = meeting.puppet.m4()
  await meeting.end.deliver(m4)
  await t.rejects(meeting.end.deliver(m4), unexpected(/came in place of nothing/))
})

t.test('an Accept of the initiator does not take the place of M4', async t => {
  const meeting = await meet()
  await untilM3(meeting)
  const accept = meeting.puppet.handshake.outbound.seal(innerOf(1, message(7, hex('')), 2048))
  await t.rejects(meeting.end.deliver(accept), unexpected(/a flight with messages 7/))
})
