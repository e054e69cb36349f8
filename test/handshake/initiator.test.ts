// The initiator against a responder that does one thing wrong. The puppet makes all else fit: what is noticed is
// the fault, with its code, and nobody is asked before signature and Finished were verified.

import { constants, sign as nodeSign, randomBytes } from 'node:crypto'
import t from 'tap'
import { WANT } from '../../lib/handshake/messages.ts'
import { enframe } from '../../lib/wire/frame.ts'
import { innerOf, integer, message, record, signatureOf, signed, vector } from '../helpers/formulas.ts'
import {
  type End,
  type EndOptions,
  initiatorEnd,
  keyPair,
  responderEnd,
  seeded,
  shakeBytes
} from '../helpers/machines.ts'
import { type Faults, InitiatorPuppet, type PuppetOptions, ResponderPuppet } from '../helpers/puppet.ts'
import { flip, hex } from '../helpers/tamper.ts'

const ed25519 = keyPair('ed25519')
const rsa = keyPair('rsa')
const stranger = keyPair('ed25519')

interface Meeting {
  readonly end: End
  readonly puppet: ResponderPuppet
  readonly m1: Buffer
}

/** A lib initiator that has sent M1, and a puppet to answer it. */
async function meet(
  faults: Faults = {},
  puppet: Partial<PuppetOptions> = {},
  end: EndOptions = {}
): Promise<Meeting> {
  const initiator = initiatorEnd(end)
  const [m1] = (await initiator.start()).map(enframe)
  if (!m1) throw new Error('no M1')
  const options = { random: randomBytes, identity: ed25519, ...puppet, faults }
  return { end: initiator, puppet: new ResponderPuppet(options), m1 }
}

/** Up to M4, which is given back. */
async function untilM4({ end, puppet, m1 }: Meeting): Promise<Buffer> {
  await end.deliver(puppet.m2(m1))
  const [m4] = await end.deliver(puppet.m3())
  if (!m4) throw new Error('no M4')
  puppet.takeM4(m4)
  return m4
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

/** Offsets in M2. */
const [VERSION, RANDOM, SUITE, SHARE, PSK] = [4, 6, 38, 40, 72]
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f'
]

// --- honest --------------------------------------------------------------------------------------------

t.test('an honest puppet makes a session in every mode, with every suite and key', async t => {
  for (const identity of [null, ed25519, rsa]) {
    for (const own of [null, ed25519, rsa]) {
      for (const suite of [1, 2, 3]) {
        const meeting = await meet({}, { identity, suite, app: 'chat' }, { identity: own, app: 'chat' })
        await untilM4(meeting)
        const { end, puppet } = meeting
        await end.deliver(puppet.m5())
        t.same(end.session?.peer, identity?.raw ?? null)
        t.same(end.session?.self, own?.raw ?? null)
        t.same(end.session?.exporter.sessionId, puppet.application?.sessionId)
        t.same(end.asked, [identity?.raw ?? null])
      }
    }
  }
})

// --- M2 ------------------------------------------------------------------------------------------------

const M2_CASES: readonly Case[] = [
  {
    name: 'another version',
    faults: { hello: put(VERSION, hex('0002')) },
    code: 'ERR_STALK_UNEXPECTED',
    message: /the responder chose version 2, which was not offered/
  },
  {
    name: 'a suite that nobody knows',
    faults: { hello: put(SUITE, hex('1234')) },
    code: 'ERR_STALK_UNEXPECTED',
    message: /the responder chose suite 0x1234, which was not offered/
  },
  {
    name: 'a suite that we know and did not offer',
    end: { suites: ['X25519-AES256GCM-SHA256', 'X25519-CHACHA20POLY1305-SHA256'] },
    puppet: { suite: 3 },
    code: 'ERR_STALK_UNEXPECTED',
    message: /chose suite 0x0003, which was not offered/
  },
  {
    name: 'psk without an offer',
    faults: { hello: put(PSK, hex('01')) },
    code: 'ERR_STALK_UNEXPECTED',
    message: /the responder uses a ticket that was not offered/
  },
  {
    name: 'psk 2',
    faults: { hello: put(PSK, hex('02')) },
    code: 'ERR_STALK_DECODE',
    message: /has psk 2/
  },
  {
    name: 'another magic',
    faults: { hello: put(0, hex('53544c4d')) },
    code: 'ERR_STALK_NOT_STALK',
    message: /the peer does not speak stalk/
  },
  {
    name: 'one byte less',
    faults: { hello: body => body.subarray(0, -1) },
    code: 'ERR_STALK_DECODE',
    message: /ends too early/
  },
  {
    name: 'one byte more',
    faults: { hello: body => Buffer.concat([body, hex('00')]) },
    code: 'ERR_STALK_OVERFLOW',
    message: /announces 74 bytes; the limit here is 73/
  },
  ...LOW_ORDER.map(share => ({
    name: `the share ${share.slice(0, 8)}… of small order`,
    faults: { hello: put(SHARE, hex(share)) },
    code: 'ERR_STALK_BAD_KEY',
    message: /small order/
  }))
]

for (const { name, faults, puppet, end: options, code, message } of M2_CASES) {
  t.test(`M2 with ${name} is refused`, async t => {
    const { end, puppet: responder, m1 } = await meet(faults, puppet, options)
    await t.rejects(end.deliver(responder.m2(m1)), { code, message })
    t.same([end.session, end.asked, end.sealer], [undefined, [], undefined], 'nothing can be sealed')
  })
}

t.test('the grease id that we offered is not a suite that can be chosen', async t => {
  const { end, puppet, m1 } = await meet()
  const ids = [0, 1, 2, 3].map(i => m1.readUInt16BE(4 + 4 + 3 + 32 + 1 + 2 * i))
  const grease = ids.find(id => (id & 0x0f0f) === 0x0a0a) ?? 0
  const m2 = puppet.m2(m1)
  m2.writeUInt16BE(grease, 4 + SUITE)
  t.equal(grease & 0x0f0f, 0x0a0a)
  await t.rejects(end.deliver(m2), {
    code: 'ERR_STALK_UNEXPECTED',
    message: `the responder chose suite 0x${grease.toString(16).padStart(4, '0')}, which was not offered`
  })
})

t.test('our own random or share coming back is a reflection', async t => {
  const reflected = { code: 'ERR_STALK_REFLECTED', message: /sends our own handshake back at us/ }
  const one = await meet()
  const random = one.m1.subarray(4 + 4 + 3, 4 + 4 + 3 + 32)
  await t.rejects(one.end.deliver(put(4 + RANDOM, random)(one.puppet.m2(one.m1))), reflected)
  const two = await meet()
  await t.rejects(two.end.deliver(put(4 + SHARE, two.m1.subarray(-33, -1))(two.puppet.m2(two.m1))), reflected)
  const three = await meet()
  await t.rejects(three.end.deliver(three.m1), reflected, 'M1 as a whole')
})

t.test('an M1 in place of M2 is another initiator, if it is one', async t => {
  const { end } = await meet()
  const other = new InitiatorPuppet({ random: randomBytes }).m1()
  await t.rejects(end.deliver(other), { code: 'ERR_STALK_SAME_ROLE', message: /both ends are initiators/ })
  const malformed = await meet()
  await t.rejects(malformed.end.deliver(record(0xe1, hex('53544c4b 00'))), {
    code: 'ERR_STALK_DECODE',
    message: /the InitiatorHello has an empty list/
  })
})

t.test('a peer that speaks something else is no stalk', async t => {
  for (const bytes of ['HTTP/1.1 400 Bad Request\r\n', 'SSH-2.0-OpenSSH_9.2\r\n', '\u0016\u0003\u0001']) {
    const { end } = await meet()
    await t.rejects(end.deliver(Buffer.from(bytes, 'latin1')), {
      code: 'ERR_STALK_NOT_STALK',
      message: 'the peer does not speak stalk'
    })
  }
})

t.test('a sealed record in place of M2 is no stalk', async t => {
  for (const type of [0xe4, 0xe5]) {
    const { end } = await meet()
    await t.rejects(end.deliver(record(type, Buffer.alloc(20))), {
      code: 'ERR_STALK_NOT_STALK',
      message: /stalk/
    })
  }
})

// --- M3 ------------------------------------------------------------------------------------------------

const flipFirst = (body: Buffer): Buffer => flip(body, 0)
const unexpected = (message: RegExp) => ({ code: 'ERR_STALK_UNEXPECTED', message })
const malformed = (message: RegExp) => ({ code: 'ERR_STALK_DECODE', message })
const badKey = (message: RegExp) => ({ code: 'ERR_STALK_BAD_KEY', message })
const badSignature = { code: 'ERR_STALK_BAD_SIGNATURE', message: /the responder's signature is not valid/ }
const badFinished = { code: 'ERR_STALK_BAD_FINISHED', message: /the responder's Finished does not match/ }

const identity = (text: string) => (): Buffer => hex(text)
const KEY = ed25519.raw.bytes.toString('hex')
const MODULUS = rsa.raw.bytes.toString('hex')

const pss =
  (saltLength: number, digest = 'sha256') =>
  (input: Buffer): Buffer =>
    nodeSign(digest, input, { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength })

const M3_CASES: readonly Case[] = [
  // what is in the record
  {
    name: 'kind 02',
    faults: { inner: () => innerOf(2, Buffer.alloc(5), 2048) },
    ...unexpected(/kind 2 instead/)
  },
  {
    name: 'kind 42',
    faults: { inner: () => innerOf(0x42, Buffer.alloc(5), 2048) },
    ...unexpected(/kind 66 instead/)
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
    ...unexpected(/messages 2, 3/)
  },
  {
    name: 'no Finished',
    faults: { content: all => Buffer.concat(all.slice(0, -1)) },
    ...unexpected(/messages 1, 2/)
  },
  {
    name: 'reversed order',
    faults: { content: all => Buffer.concat([...all].reverse()) },
    ...unexpected(/3, 2, 1/)
  },
  {
    name: 'all twice',
    faults: { content: all => Buffer.concat([...all, ...all]) },
    ...unexpected(/1, 2, 3, 1, 2, 3/)
  },
  {
    name: 'Accept behind it',
    faults: { content: all => Buffer.concat([...all, hex('070000')]) },
    ...unexpected(/3, 7/)
  },
  {
    name: 'one byte more',
    faults: { content: all => Buffer.concat([...all, hex('01')]) },
    ...malformed(/too early/)
  },
  {
    name: "an initiator's messages",
    faults: {
      content: ([i, p, f]) => Buffer.concat([i, p, f].map((m, n) => put(0, integer(1, 4 + n))(m ?? hex(''))))
    },
    ...unexpected(/messages 4, 5, 6/)
  },
  // the identity
  { name: 'want 3', faults: { identity: put(0, hex('03')) }, ...malformed(/has want 3/) },
  {
    name: 'no signature algorithms',
    faults: { identity: identity(`01 00 00 0000 00000001`) },
    ...malformed(/empty list/)
  },
  {
    name: 'one algorithm twice',
    faults: { identity: identity(`01 02 01 01 00 0000 00000001`) },
    ...malformed(/twice/)
  },
  {
    name: 'an unknown algorithm for its key',
    faults: { identity: identity(`01 01 01 03 0020 ${KEY} 00000001`) },
    ...malformed(/unknown signature algorithm 3/)
  },
  {
    name: 'a key and no algorithm',
    faults: { identity: identity(`01 01 01 00 0020 ${KEY} 00000001`) },
    ...malformed(/is anonymous and has a key/)
  },
  {
    name: 'bytes behind the identity',
    faults: { identity: body => Buffer.concat([body, hex('00')]) },
    ...malformed(/1 bytes too many/)
  },
  {
    name: 'a kind of key that we do not accept',
    puppet: { identity: rsa },
    end: { keyTypes: ['ed25519'] },
    ...unexpected(/shows an rsa key, which we did not say we accept/)
  },
  // key and algorithm
  {
    name: 'an RSA modulus said to be Ed25519',
    faults: { identity: identity(`01 01 01 01 0100 ${MODULUS} 00000001`) },
    ...badKey(/Ed25519 key refused: it has 256 bytes, not 32/)
  },
  {
    name: 'an Ed25519 key said to be RSA',
    faults: { identity: identity(`01 01 01 02 0020 ${KEY} 00000001`) },
    ...badKey(/RSA key refused: it has 32 bytes/)
  },
  {
    name: 'an Ed25519 key of small order',
    faults: { identity: identity(`01 01 01 01 0020 01${'00'.repeat(31)} 00000001`) },
    ...badKey(/small order/)
  },
  {
    name: 'an Ed25519 key that is not canonical',
    faults: { identity: identity(`01 01 01 01 0020 f0${'ff'.repeat(30)}7f 00000001`) },
    ...badKey(/not in canonical form/)
  },
  {
    name: 'an even modulus',
    faults: { identity: identity(`01 01 01 02 0100 ${MODULUS.slice(0, -2)}02 00000001`) },
    ...badKey(/RSA key refused: it is even/)
  },
  {
    name: 'a modulus with a leading zero',
    faults: { identity: identity(`01 01 01 02 0101 00${MODULUS} 00000001`) },
    ...badKey(/does not begin with a set bit/)
  },
  {
    name: 'an empty key',
    faults: { identity: identity('01 01 01 01 0000 00000001') },
    ...badKey(/has 0 bytes/)
  },
  // the signature
  { name: 'no proof', faults: { signature: () => null }, ...unexpected(/an identity without a signature/) },
  {
    name: 'a proof of nobody',
    puppet: { identity: null },
    faults: { signature: () => Buffer.alloc(64) },
    ...unexpected(/a signature without an identity/)
  },
  { name: 'an empty signature', faults: { signature: () => hex('') }, ...badSignature },
  { name: 'zeros for a signature', faults: { signature: () => Buffer.alloc(64) }, ...badSignature },
  {
    name: "a stranger's signature",
    faults: { signature: input => signatureOf(stranger.privateKey, input) },
    ...badSignature
  },
  {
    name: "a signature in the initiator's context",
    faults: { signature: input => signatureOf(ed25519.privateKey, signed('initiator', input.subarray(-32))) },
    ...badSignature
  },
  {
    name: 'a signature of the bare transcript',
    faults: { signature: input => signatureOf(ed25519.privateKey, input.subarray(-32)) },
    ...badSignature
  },
  {
    name: 'a signature of another transcript',
    faults: { signature: input => signatureOf(ed25519.privateKey, flip(input, 8 * 87)) },
    ...badSignature
  },
  {
    name: 'a signature with a byte behind it',
    faults: { signature: input => Buffer.concat([signatureOf(ed25519.privateKey, input), hex('00')]) },
    ...badSignature
  },
  {
    name: 'a byte behind the proof',
    faults: { proof: body => Buffer.concat([body, hex('00')]) },
    ...malformed(/too many/)
  },
  {
    name: 'a signature of 513 bytes',
    faults: { proof: () => vector(Buffer.alloc(513)) },
    ...malformed(/513 bytes/)
  },
  { name: 'PSS with salt 0', puppet: { identity: rsa }, faults: { signature: pss(0) }, ...badSignature },
  { name: 'PSS with salt 31', puppet: { identity: rsa }, faults: { signature: pss(31) }, ...badSignature },
  { name: 'PSS with salt 64', puppet: { identity: rsa }, faults: { signature: pss(64) }, ...badSignature },
  {
    name: 'PSS with SHA-512',
    puppet: { identity: rsa },
    faults: { signature: pss(32, 'sha512') },
    ...badSignature
  },
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
  { name: 'a short Finished', faults: { finished: mac => mac.subarray(0, 31) }, ...badFinished },
  { name: 'an empty Finished', faults: { finished: () => hex('') }, ...badFinished },
  { name: 'a long Finished', faults: { finished: mac => Buffer.concat([mac, hex('00')]) }, ...badFinished },
  // both: the signature is what is noticed
  {
    name: 'a bad signature and a bad Finished',
    faults: { signature: () => Buffer.alloc(64), finished: flipFirst },
    ...badSignature
  }
]

for (const { name, faults, puppet, end: options, code, message } of M3_CASES) {
  t.test(`M3 with ${name} is refused, and nobody is asked`, async t => {
    const { end, puppet: responder, m1 } = await meet(faults, puppet, { identity: stranger, ...options })
    await end.deliver(responder.m2(m1))
    await t.rejects(end.deliver(responder.m3()), { code, message })
    t.same([end.session, end.asked, end.writable], [undefined, [], false])
  })
}

t.test('M3 under keys of another session, or of the other direction, does not open', async t => {
  const refused = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }
  const one = await meet()
  const two = await meet()
  await one.end.deliver(one.puppet.m2(one.m1))
  await two.end.deliver(two.puppet.m2(two.m1))
  await t.rejects(one.end.deliver(two.puppet.m3()), refused)
  await t.rejects(
    two.end.deliver(two.puppet.handshake.inbound.seal(innerOf(1, Buffer.alloc(9), 2048))),
    refused
  )
})

t.test('signature, Finished, policy, M4: nothing is said before the verdict', async t => {
  const { end, puppet, m1 } = await meet({}, {}, { identity: rsa })
  t.same(await end.deliver(puppet.m2(m1)), [])
  t.same(end.asked, [])
  const answers = await end.deliver(puppet.m3())
  t.same(end.asked, [ed25519.raw])
  t.equal(answers.length, 1)
})

// --- the man in the middle -----------------------------------------------------------------------------

/** Runs an honest responder against a puppet, to have a genuine M3 of its. */
async function genuineM3(want: 0 | 1 | 2 = WANT.welcome): Promise<{ content: Buffer; messages: Buffer[] }> {
  const honest = responderEnd({ identity: ed25519, want })
  await honest.start()
  const puppet = new InitiatorPuppet({ random: randomBytes })
  const [m2, m3] = await honest.deliver(puppet.m1())
  if (!m2 || !m3) throw new Error('no answer')
  puppet.takeM2(m2)
  const { content } = puppet.handshake.inbound.open(m3)
  const identityEnd = 3 + content.readUInt16BE(1)
  const proofEnd = identityEnd + 3 + content.readUInt16BE(identityEnd + 1)
  const messages = [
    content.subarray(0, identityEnd),
    content.subarray(identityEnd, proofEnd),
    content.subarray(proofEnd)
  ]
  return { content, messages }
}

t.test("a man in the middle cannot pass on a responder's proof from another session", async t => {
  const { messages } = await genuineM3()
  const [genuine = hex(''), proof = hex('')] = messages
  const faults: Faults = {
    identity: () => genuine.subarray(3),
    signature: () => proof.subarray(5)
  }
  const { end, puppet, m1 } = await meet(faults, { identity: null })
  await end.deliver(puppet.m2(m1))
  await t.rejects(end.deliver(puppet.m3()), badSignature)
  t.same(end.asked, [])
})

t.test('nor the whole flight', async t => {
  const { content } = await genuineM3()
  const { end, puppet, m1 } = await meet({ content: () => content })
  await end.deliver(puppet.m2(m1))
  await t.rejects(end.deliver(puppet.m3()), badSignature)
})

t.test('with keys of his own he is asked about by his own key', async t => {
  const meeting = await meet({}, { identity: stranger })
  await untilM4(meeting)
  t.same(meeting.end.asked, [stranger.raw])
})

t.test('one who relays hellos and changes one of them is noticed in M3', async t => {
  for (const at of [0, 1]) {
    const [a, b] = [initiatorEnd(), responderEnd({ identity: ed25519 })]
    const swapped = shakeBytes(a, b, (bytes, index) => [
      index === at ? put(4 + 10, randomBytes(8))(bytes) : bytes
    ])
    await t.rejects(swapped, { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' })
    t.same([a.asked, b.asked], [[], []])
  }
})

// --- what may be written -------------------------------------------------------------------------------

t.test('from M4 on messages may be written, as large as M3 says and no larger', async t => {
  for (const maxMessage of [0, 1000, 0xffff_ffff]) {
    const meeting = await meet({}, { maxMessage }, { maxMessageBytes: 7 })
    const { end, puppet } = meeting
    t.equal(end.mayWriteBytes, undefined)
    await untilM4(meeting)
    t.equal(end.mayWriteBytes, maxMessage)
    await end.deliver(puppet.m5())
    t.equal(end.mayWriteBytes, maxMessage)
    t.match(end.session, { role: 'initiator', version: 1, peerMaxMessageBytes: maxMessage })
  }
})

// --- want and what we show -----------------------------------------------------------------------------

t.test('the initiator shows only what M3 accepts, and does not become anonymous instead', async t => {
  const nothing = {
    code: 'ERR_STALK_NOTHING_IN_COMMON',
    message: /does not accept the signatures of an ed25519 key/
  }
  for (const sigs of [[2], [7], [2, 9]]) {
    for (const want of [1, 2]) {
      const { end, puppet, m1 } = await meet({}, { sigs, want }, { identity: stranger })
      await end.deliver(puppet.m2(m1))
      await t.rejects(end.deliver(puppet.m3()), nothing)
      t.same(end.asked, [ed25519.raw], 'the policy comes first')
      t.equal(end.writable, false)
    }
  }
})

t.test('want 2 and no identity: no M4', async t => {
  const { end, puppet, m1 } = await meet({}, { want: 2 })
  await end.deliver(puppet.m2(m1))
  await t.rejects(end.deliver(puppet.m3()), {
    code: 'ERR_STALK_IDENTITY_REQUIRED',
    message: /the responder requires an identity and we have none to show/
  })
})

t.test("want 0: the identity stays at home, though M3's algorithms do not fit it", async t => {
  const meeting = await meet({}, { want: 0, sigs: [2] }, { identity: stranger })
  await untilM4(meeting)
  await meeting.end.deliver(meeting.puppet.m5())
  t.equal(meeting.end.session?.self, null)
})

// --- alerts --------------------------------------------------------------------------------------------

t.test('a plain alert in place of M2 ends the attempt and says that nobody vouches for it', async t => {
  const cases = [
    [0, 'ERR_STALK_DECODE'],
    [5, 'ERR_STALK_PEER_ALERT'],
    [6, 'ERR_STALK_REJECTED'],
    [8, 'ERR_STALK_PEER_ABORTED'],
    [9, 'ERR_STALK_PEER_BUSY'],
    [12, 'ERR_STALK_DECODE']
  ] as const
  for (const [alert, code] of cases) {
    const { end } = await meet()
    await t.rejects(end.deliver(record(0xe3, integer(1, alert))), {
      code,
      message: /an alert in clear, which nobody/
    })
  }
})

t.test('a plain alert that is no byte, or two, is malformed', async t => {
  const none = await meet()
  await t.rejects(none.end.deliver(record(0xe3, hex(''))), malformed(/an alert of 0 bytes/))
  const two = await meet()
  await t.rejects(two.end.deliver(record(0xe3, hex('0505'))), {
    code: 'ERR_STALK_OVERFLOW',
    message: /the limit here is 1/
  })
})

t.test('records in clear have no place after M2', async t => {
  for (const type of [0xe1, 0xe2, 0xe3]) {
    const { end, puppet, m1 } = await meet()
    await end.deliver(puppet.m2(m1))
    await t.rejects(end.deliver(record(type, hex('06'))), unexpected(/in place of the responder's flight/))
    const later = await meet()
    await untilM4(later)
    await t.rejects(later.end.deliver(record(type, hex('06'))), unexpected(/in place of Accept/))
  }
})

t.test('an application record has no place before M4', async t => {
  const { end, puppet, m1 } = await meet()
  await end.deliver(puppet.m2(m1))
  await t.rejects(
    end.deliver(record(0xe4, Buffer.alloc(40))),
    unexpected(/type 0xe4 came in place of the responder's/)
  )
})

t.test('a sealed alert in place of M3 or of M5 is what the responder says', async t => {
  const cases: [number[], string, RegExp][] = [
    [[6], 'ERR_STALK_REJECTED', /^the peer ended the connection: auth.+\(alert 6\)$/],
    [[7], 'ERR_STALK_REJECTED', /an identity is required \(alert 7\)$/],
    [[8], 'ERR_STALK_PEER_ABORTED', /\(alert 8\)$/],
    [[9], 'ERR_STALK_PEER_BUSY', /limit reached \(alert 9\)$/],
    [[0], 'ERR_STALK_DECODE', /a close, which has no place/],
    [[12], 'ERR_STALK_DECODE', /unknown alert 12/],
    [[], 'ERR_STALK_DECODE', /an alert of 0 bytes/],
    [[6, 6], 'ERR_STALK_DECODE', /an alert of 2 bytes/]
  ]
  for (const [content, code, message] of cases) {
    const early = await meet()
    await early.end.deliver(early.puppet.m2(early.m1))
    await t.rejects(
      early.end.deliver(early.puppet.alert(...content)),
      { code, message },
      `${content} in place of M3`
    )
    const late = await meet()
    await untilM4(late)
    await t.rejects(
      late.end.deliver(late.puppet.alert(...content)),
      { code, message },
      `${content} in place of M5`
    )
    t.equal(late.end.session, undefined)
  }
})

// --- M5 ------------------------------------------------------------------------------------------------

const M5_CASES: readonly [name: string, inner: Buffer, message: RegExp][] = [
  ['another message', innerOf(1, message(6, Buffer.alloc(32))), /kind 1 came in place of Accept/],
  ['a body in it', innerOf(1, message(7, hex('00'))), /kind 1 came in place of Accept/],
  ['a second Accept', innerOf(1, hex('070000 070000')), /kind 1 came in place of Accept/],
  ['nothing', innerOf(1, hex('')), /kind 1 came in place of Accept/],
  ['messages', innerOf(2, hex('91c3')), /kind 2 came in place of Accept/],
  ['a close', innerOf(5, hex('00 0000000000000000')), /kind 5 came in place of Accept/],
  ['an alert under application keys', innerOf(5, hex('06')), /kind 5 came in place of Accept/],
  ['a ticket', innerOf(7, hex('00')), /kind 7 came in place of Accept/]
]

for (const [name, inner, text] of M5_CASES) {
  t.test(`M5 with ${name} is no Accept`, async t => {
    const meeting = await meet()
    await untilM4(meeting)
    await t.rejects(meeting.end.deliver(meeting.puppet.m5(inner)), unexpected(text))
    t.equal(meeting.end.session, undefined)
  })
}

t.test('an Accept that is cut is malformed', async t => {
  const meeting = await meet()
  await untilM4(meeting)
  await t.rejects(meeting.end.deliver(meeting.puppet.m5(innerOf(1, hex('0700')))), malformed(/too early/))
})

t.test('an Accept may be padded', async t => {
  const meeting = await meet()
  await untilM4(meeting)
  await meeting.end.deliver(meeting.puppet.m5(innerOf(1, message(7, hex('')), 999)))
  t.ok(meeting.end.session)
})

t.test(
  "an Accept under the handshake's keys, the other direction's, or at another sequence is none",
  async t => {
    const accept = innerOf(1, message(7, hex('')))
    const underHandshake = await meet()
    await untilM4(underHandshake)
    const { outbound } = underHandshake.puppet.handshake
    await t.rejects(
      underHandshake.end.deliver(outbound.seal(accept)),
      unexpected(/kind 1 came in place of Accept/)
    )
    const refused = { code: 'ERR_STALK_BAD_RECORD', message: 'a record does not open' }
    const otherWay = await meet()
    await untilM4(otherWay)
    await t.rejects(otherWay.end.deliver(otherWay.puppet.open.inbound.seal(accept)), refused)
    const later = await meet()
    await untilM4(later)
    later.puppet.m5()
    await t.rejects(later.end.deliver(later.puppet.m5()), refused)
  }
)

t.test('an Accept of another session is none', async t => {
  const [one, two] = [await meet(), await meet()]
  await untilM4(one)
  await untilM4(two)
  await t.rejects(one.end.deliver(two.puppet.m5()), { code: 'ERR_STALK_BAD_RECORD', message: /open/ })
})

t.test('the initiator asks for randomness in a fixed order: key, random, place and grease', async t => {
  const asked: number[] = []
  const random = seeded('order')
  const end = initiatorEnd({
    random: bytes => {
      asked.push(bytes)
      return random(bytes)
    }
  })
  await end.start()
  t.same(asked, [32, 32, 1, 1])
})
