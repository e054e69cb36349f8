// Resumed handshakes between machines: what makes a session rest on an earlier one, what makes it a full one quietly,
// and what is fatal; against the formulas of PROTOCOL.md, with every mode, suite and kind of key.

import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { SUITES, type SuiteName } from '../../lib/crypto/suites.ts'
import { WANT } from '../../lib/handshake/messages.ts'
import { decodeResumable, encodeResumable, type HeldTicket, shown } from '../../lib/handshake/resumption.ts'
import { TicketKeys } from '../../lib/resumption/ticket-keys.ts'
import { MemoryTicketStore } from '../../lib/resumption/ticket-store.ts'
import { ticketPsk } from '../helpers/formulas.ts'
import {
  ALL_SUITES,
  type ByteMiddle,
  type End,
  type EndOptions,
  frameOf,
  initiatorEnd,
  type KeyPair,
  keyPair,
  responderEnd,
  shakeBytes
} from '../helpers/machines.ts'
import { InitiatorPuppet, type PuppetOptions, ResponderPuppet } from '../helpers/puppet.ts'
import { flip, hex, thrownBy } from '../helpers/tamper.ts'

const ed25519 = keyPair('ed25519')
const rsa = keyPair('rsa')
const other = keyPair('ed25519')
const server = keyPair('ed25519')

interface Both {
  readonly a: End
  readonly b: End
  readonly records: readonly Buffer[]
}

async function meet(a: EndOptions, b: EndOptions, middle?: ByteMiddle): Promise<Both> {
  const [initiator, responder] = [initiatorEnd(a), responderEnd(b)]
  const records = await shakeBytes(initiator, responder, middle)
  return { a: initiator, b: responder, records }
}

/** A first session, and the ticket of it. */
async function ticketOf(a: EndOptions, b: EndOptions): Promise<HeldTicket> {
  const { a: end } = await meet(a, b)
  if (!end.held) throw new Error('there was no ticket')
  return end.held
}

/** A ticket may be offered once, and its key is wiped then: tests that offer it again need a copy. */
const copyOf = ({ ticket, session }: HeldTicket): HeldTicket => ({
  ticket,
  session: { ...session, psk: Buffer.from(session.psk) }
})

const stores = {
  'in memory': () => new MemoryTicketStore(),
  sealed: () => new TicketKeys({ secret: randomBytes(32) })
}

// --- what comes of it ------------------------------------------------------------------------------------

for (const [kind, makeStore] of Object.entries(stores)) {
  t.test(`tickets ${kind}: every mode, key and suite is resumed, and again from there`, async t => {
    for (const identity of [null, ed25519, rsa]) {
      for (const own of [null, ed25519, rsa]) {
        for (const suite of ALL_SUITES) await resumeTwice(t, makeStore(), identity, own, suite)
      }
    }
  })
}

async function resumeTwice(
  t: Test,
  store: MemoryTicketStore | TicketKeys,
  identity: KeyPair | null,
  own: KeyPair | null,
  suite: SuiteName
): Promise<void> {
  const [initiator, responder] = [
    { identity, suites: [suite] },
    { identity: own, store }
  ]
  const first = await meet(initiator, responder)
  t.same([first.a.session?.resumed, first.b.session?.resumed], [false, false])
  const ids = new Set([first.a.session?.exporter.sessionId.toString('hex')])
  let { held } = first.a
  for (const _ of [1, 2]) {
    const { a, b, records } = await meet({ ...initiator, held }, responder)
    t.same([a.session?.resumed, b.session?.resumed], [true, true])
    t.same([a.signed, b.signed], [0, 0], 'nobody signs')
    t.same([a.session?.peer, b.session?.peer], [own?.raw ?? null, identity?.raw ?? null])
    t.same([a.session?.self, b.session?.self], [identity?.raw ?? null, own?.raw ?? null])
    t.same([a.asked, b.asked], [[own?.raw ?? null], [identity?.raw ?? null]], 'both policies are asked again')
    t.same([a.session?.suite.name, b.session?.suite.name], [suite, suite])
    t.same(a.session?.exporter.sessionId, b.session?.exporter.sessionId)
    const secret = (end: End) => end.session?.exporter.export(Buffer.from('x'), Buffer.alloc(0), 32)
    t.same(secret(a), secret(b))
    ids.add(a.session?.exporter.sessionId.toString('hex'))
    t.equal(records.length, 6, 'M1 to M5, and a ticket')
    held = a.held
  }
  t.equal(ids.size, 3, 'each session is another one')
}

t.test('a ticket comes right behind Accept, one at a time, and all have the same length', async t => {
  for (const makeStore of Object.values(stores)) {
    const store = makeStore()
    const lengths = new Set<number>()
    for (const [a, b, app] of [
      [null, null, ''],
      [rsa, ed25519, 'x'.repeat(64)],
      [ed25519, rsa, 'y']
    ] as const) {
      const { records } = await meet({ identity: a, app }, { identity: b, app, store })
      t.same(
        records.map(record => record[0]),
        [0xe1, 0xe2, 0xe5, 0xe5, 0xe4, 0xe4]
      )
      lengths.add(records[5]?.length ?? 0)
    }
    t.equal(lengths.size, 1)
  }
})

t.test('a responder without a store issues nothing and knows no ticket', async t => {
  const held = await ticketOf({}, { store: new MemoryTicketStore() })
  const { a, b, records } = await meet({ held }, {})
  t.same([a.session?.resumed, b.session?.resumed, a.held, records.length], [false, false, undefined, 5])
})

// --- a full handshake, quietly ---------------------------------------------------------------------------

const everyone: EndOptions = { identity: ed25519, app: 'chat' }
const host: EndOptions = { identity: server, app: 'chat' }

/** Resumes with other options than the ticket was issued for; both ends go on, as if there had been none. */
async function quietly(t: Test, name: string, b: EndOptions): Promise<void> {
  const store = new MemoryTicketStore()
  const held = await ticketOf(everyone, { ...host, store })
  const both = await meet({ ...everyone, held: copyOf(held) }, { ...host, store, ...b })
  t.same([both.a.session?.resumed, both.b.session?.resumed], [false, false], name)
  t.ok(both.records[0]?.includes(held.ticket), `${name}: it was offered`)
  t.ok(store.find(held.ticket) || b.store, `${name}: and the ticket is still there`)
}

t.test('what the responder would not resume makes a full handshake', async t => {
  await quietly(t, 'unknown', { store: new MemoryTicketStore() })
  await quietly(t, 'another identity of its own', { identity: other })
  await quietly(t, 'no identity of its own', { identity: null })
  await quietly(t, 'another suite of its own', { suites: ['X25519-CHACHA20POLY1305-SHA256'] })
})

t.test('an anonymous ticket gets nobody past want 2', async t => {
  const store = new MemoryTicketStore()
  const held = await ticketOf({ app: 'chat' }, { ...host, store })
  let psk: number | undefined
  const watch: ByteMiddle = (bytes, index) => {
    if (index === 1) psk = bytes.at(-1)
    return [bytes]
  }
  await t.rejects(meet({ app: 'chat', held }, { ...host, store, want: WANT.required }, watch), {
    code: 'ERR_STALK_IDENTITY_REQUIRED'
  })
  t.equal(psk, 0)
  t.ok(store.find(held.ticket))
})

t.test('a ticket of an initiator whose identity would not be let in now is no ticket', async t => {
  const changes: EndOptions[] = [{ keyTypes: ['rsa'] }, { want: WANT.none }]
  for (const change of changes) {
    const store = new MemoryTicketStore()
    const held = await ticketOf(everyone, { ...host, store })
    const [m1] = await initiatorEnd({ ...everyone, held: copyOf(held) }).start()
    const end = responderEnd({ ...host, store, ...change })
    await end.start()
    const [m2] = await end.receive(m1 as never)
    t.equal(m2?.body.at(-1), 0, Object.keys(change).join())
    t.ok(store.find(held.ticket))
  }
})

t.test('the suite that a responder would choose now has to be the one of the ticket', async t => {
  const store = new MemoryTicketStore()
  const [gcm, chacha] = ['X25519-AES256GCM-SHA256', 'X25519-CHACHA20POLY1305-SHA256'] as const
  const held = await ticketOf({ ...everyone, suites: [chacha] }, { ...host, store })
  const { a } = await meet({ ...everyone, suites: [gcm, chacha], held }, { ...host, store })
  t.match(a.session, { resumed: false, suite: { name: gcm } })
})

t.test('an initiator does not offer what it would not show, or take, any more', async t => {
  const store = new MemoryTicketStore()
  const held = await ticketOf(everyone, { ...host, store })
  const changes: EndOptions[] = [
    { identity: other },
    { identity: null },
    { suites: ['X25519-CHACHA20POLY1305-SHA256'] },
    { keyTypes: ['rsa'] },
    { app: 'talk' }
  ]
  for (const change of changes) {
    const end = initiatorEnd({ ...everyone, ...change, held: copyOf(held) })
    const [m1] = await end.start()
    t.equal(m1?.body.at(-1), 0, `psk 0 with ${Object.keys(change)}`)
    t.notOk(m1?.body.includes(held.ticket))
  }
  const [m1] = await initiatorEnd({ ...everyone, held: copyOf(held) }).start()
  t.ok(m1?.body.includes(held.ticket), 'otherwise it does')
})

t.test('one that was anonymous because nobody asked does not offer what would keep it so', async t => {
  const store = new MemoryTicketStore()
  const { a } = await meet(everyone, { ...host, store, want: WANT.none })
  t.equal(a.session?.self, null)
  const [m1] = await initiatorEnd({ ...everyone, held: a.held }).start()
  t.equal(m1?.body.at(-1), 0)
})

t.test('of handshakes with one ticket the first is resumed, and the others are not', async t => {
  const store = new MemoryTicketStore()
  const held = await ticketOf(everyone, { ...host, store })
  const resumed = []
  for (const _ of [1, 2, 3]) {
    const { b } = await meet({ ...everyone, held: copyOf(held) }, { ...host, store })
    resumed.push(b.session?.resumed)
  }
  t.same(resumed, [true, false, false])
  const ends = [1, 2, 3].map(() => responderEnd({ ...host, store }))
  const again = await ticketOf(everyone, { ...host, store })
  const [m1] = await initiatorEnd({ ...everyone, held: again }).start()
  const answers = await Promise.all(
    ends.map(async end => {
      await end.start()
      return end.receive(m1 as never)
    })
  )
  t.same(answers.map(([m2]) => m2?.body.at(-1)).sort(), [0, 0, 1], 'also at the same time')
})

t.test('a whole M1 that is replayed does not get past M4', async t => {
  const store = new TicketKeys({ secret: randomBytes(32) })
  const held = await ticketOf(everyone, { ...host, store })
  const { records } = await meet({ ...everyone, held }, { ...host, store })
  const end = responderEnd({ ...host, store })
  await end.start()
  const [m2] = await end.deliver(records[0] as Buffer)
  t.equal(m2?.at(-1), 1, 'sealed tickets are good more than once')
  await t.rejects(end.deliver(records[3] as Buffer), { code: 'ERR_STALK_BAD_RECORD' })
  t.same([end.session, end.asked], [undefined, []])
})

t.test('what a store has found and nobody here has made is not resumed', async t => {
  for (const state of [Buffer.alloc(0), Buffer.alloc(135), Buffer.alloc(135, 1), Buffer.alloc(134, 1)]) {
    const store = new MemoryTicketStore()
    store.find = () => ({ state, expires: 1 })
    const held = await ticketOf(everyone, { ...host, store })
    const { b } = await meet({ ...everyone, held }, { ...host, store })
    t.equal(b.session?.resumed, false)
  }
})

t.test('what is kept of a session is what was encoded, in 135 bytes', async t => {
  const { session } = await ticketOf(everyone, { ...host, store: new MemoryTicketStore() })
  const state = encodeResumable(session)
  t.equal(state.length, 135)
  t.same(decodeResumable(state), session)
  t.same(session.initiator, shown(ed25519.raw))
  t.same([shown(null), shown(null).length], [Buffer.alloc(33), 33])
  for (const bad of [state.subarray(1), Buffer.concat([state, hex('00')]), flip(state, 0)]) {
    t.equal(decodeResumable(bad), null)
  }
})

// --- fatal: against puppets ------------------------------------------------------------------------------

interface Found {
  readonly end: End
  readonly puppet: InitiatorPuppet
  readonly store: MemoryTicketStore
  readonly held: HeldTicket
}

/** A lib responder, and a puppet that holds a ticket of its. */
async function visited(options: Partial<PuppetOptions> = {}, b: EndOptions = {}): Promise<Found> {
  const store = new MemoryTicketStore()
  const held = await ticketOf({ identity: ed25519 }, { identity: server, store })
  const ticket = { value: held.ticket, psk: held.session.psk }
  const end = responderEnd({ identity: server, store, ...b })
  await end.start()
  const puppet = new InitiatorPuppet({ random: randomBytes, identity: ed25519, ticket, ...options })
  return { end, puppet, store, held }
}

async function untilM3({ end, puppet }: Found): Promise<void> {
  const [m2 = hex(''), m3 = hex('')] = await end.deliver(puppet.m1())
  if (m2.at(-1) !== 1) throw new Error('not resumed')
  puppet.takeM2(m2)
  puppet.takeM3(m3)
}

t.test('a puppet made of the formulas resumes a session with lib, which gives it a ticket', async t => {
  const found = await visited({ app: '' })
  await untilM3(found)
  const { end, puppet } = found
  const [m5 = hex(''), ticket = hex('')] = await end.deliver(puppet.m4())
  t.same(puppet.open.inbound.open(m5), { kind: 1, content: hex('070000') })
  t.same(end.session?.exporter.sessionId, puppet.application?.sessionId)
  const { kind, content } = puppet.open.inbound.open(ticket)
  t.equal(kind, 7)
  t.equal(content.readUInt32BE(0), 7_199, 'no longer than the first one: some of its time has gone by')
  const psk = ticketPsk(puppet.application?.res ?? hex(''), content.subarray(4, 20))
  t.same(decodeResumable(found.store.find(content.subarray(22))?.state ?? hex(''))?.psk, psk)
})

t.test('a binder that does not match is fatal, and uses nothing up', async t => {
  for (let bit = 0; bit < 256; bit += 15) {
    const { end, puppet, store, held } = await visited({ faults: { binder: binder => flip(binder, bit) } })
    await t.rejects(end.deliver(puppet.m1()), {
      code: 'ERR_STALK_BAD_TICKET',
      message: "the ticket's binder does not match"
    })
    t.ok(store.find(held.ticket))
  }
  const { end, held, store } = await visited()
  const ticket = { value: held.ticket, psk: randomBytes(32) }
  const thief = new InitiatorPuppet({ random: randomBytes, identity: ed25519, ticket })
  await t.rejects(end.deliver(thief.m1()), { code: 'ERR_STALK_BAD_TICKET' })
  t.ok(store.find(held.ticket))
})

t.test('the binder counts the whole record, its header too, and the app', async t => {
  const { end, held, store } = await visited({}, { app: 'other' })
  const ticket = { value: held.ticket, psk: held.session.psk }
  const puppet = new InitiatorPuppet({ random: randomBytes, identity: ed25519, ticket, app: 'other' })
  const [m2] = await end.deliver(puppet.m1())
  t.equal(m2?.at(-1), 0, 'another app is another ticket')
  t.ok(store.find(held.ticket))
})

const proof = (input: Buffer): Buffer => input.subarray(0, 64)

const wrongM4: Record<string, [Partial<PuppetOptions>, string, RegExp]> = {
  'another identity': [
    { identity: other },
    'ERR_STALK_BAD_TICKET',
    /^the initiator shows another identity than its ticket is for$/
  ],
  'no identity': [{ identity: null }, 'ERR_STALK_BAD_TICKET', /another identity/],
  'an identity of another kind': [{ identity: rsa }, 'ERR_STALK_BAD_TICKET', /another identity/],
  'a signature all the same': [
    { faults: { signature: proof } },
    'ERR_STALK_UNEXPECTED',
    /^the peer sent a signature in a resumed session$/
  ],
  'another Finished': [{ faults: { finished: mac => flip(mac, 9) } }, 'ERR_STALK_BAD_FINISHED', /Finished/]
}

for (const [name, [options, code, message]] of Object.entries(wrongM4)) {
  t.test(`M4 of a resumed session with ${name} is fatal, and nobody is asked`, async t => {
    const found = await visited(options)
    await untilM3(found)
    await t.rejects(found.end.deliver(found.puppet.m4()), { code, message })
    t.same([found.end.session, found.end.asked], [undefined, []])
  })
}

/** A lib initiator that holds a ticket, and a puppet that answers M1. */
async function visiting(
  options: Partial<PuppetOptions>,
  a: EndOptions = {}
): Promise<[End, ResponderPuppet]> {
  const mine = { identity: ed25519, ...a }
  const held = await ticketOf(mine, { identity: server, store: new MemoryTicketStore() })
  const end = initiatorEnd({ ...mine, held })
  const ticket = { value: held.ticket, psk: Buffer.from(held.session.psk) }
  return [end, new ResponderPuppet({ random: randomBytes, identity: server, ticket, ...options })]
}

async function answer([end, puppet]: [End, ResponderPuppet]): Promise<Buffer[]> {
  const [m1] = await end.start()
  const record = Buffer.concat([hex('e1'), Buffer.alloc(3), m1?.body ?? hex('')])
  record.writeUIntBE(m1?.body.length ?? 0, 1, 3)
  await end.deliver(puppet.m2(record))
  return end.deliver(puppet.m3())
}

t.test('lib resumes a session with a puppet made of the formulas', async t => {
  for (const suite of [1, 2, 3]) {
    const suites = [ALL_SUITES.find(name => SUITES[name].id === suite) as SuiteName]
    const [end, puppet] = await visiting({ suite }, { suites })
    const [m4 = hex('')] = await answer([end, puppet])
    puppet.takeM4(m4)
    await end.deliver(puppet.m5())
    t.match(end.session, { resumed: true, peer: server.raw, self: ed25519.raw })
    t.same(end.session?.exporter.sessionId, puppet.application?.sessionId)
    const nonce = randomBytes(16)
    t.same(end.session?.resumption.psk(nonce), ticketPsk(puppet.application?.res ?? hex(''), nonce))
  }
})

const wrongM3: Record<string, [Partial<PuppetOptions>, string, RegExp]> = {
  'another identity': [
    { identity: other },
    'ERR_STALK_BAD_TICKET',
    /^the responder shows another identity than its ticket is for$/
  ],
  'no identity': [{ identity: null }, 'ERR_STALK_BAD_TICKET', /another identity/],
  'a signature all the same': [{ faults: { signature: proof } }, 'ERR_STALK_UNEXPECTED', /a signature in/],
  'another Finished': [{ faults: { finished: mac => flip(mac, 9) } }, 'ERR_STALK_BAD_FINISHED', /Finished/],
  'another psk': [
    { ticket: { value: hex('00'), psk: randomBytes(32) } },
    'ERR_STALK_BAD_RECORD',
    /does not open/
  ],
  'no wish for the identity': [{ want: 0 }, 'ERR_STALK_UNEXPECTED', /without the identity that was in it/],
  'no signatures of its kind': [{ sigs: [2] }, 'ERR_STALK_NOTHING_IN_COMMON', /./]
}

for (const [name, [options, code, message]] of Object.entries(wrongM3)) {
  t.test(`M3 of a resumed session with ${name} is fatal`, async t => {
    const [end, puppet] = await visiting(options)
    await t.rejects(answer([end, puppet]), { code, message })
    t.equal(end.session, undefined)
    if (!/WANT|IN_COMMON|UNEXPECTED/.test(code)) t.same(end.asked, [])
  })
}

t.test('want 2 where the ticket is anonymous: the initiator has nothing to show', async t => {
  const [end, puppet] = await visiting({ want: 2 }, { identity: null })
  await t.rejects(answer([end, puppet]), { code: 'ERR_STALK_IDENTITY_REQUIRED' })
})

t.test("a resumed session under another suite than its ticket's is fatal", async t => {
  const [end, puppet] = await visiting({ suite: 3 })
  await t.rejects(answer([end, puppet]), {
    code: 'ERR_STALK_UNEXPECTED',
    message: "the responder chose another suite than its ticket's"
  })
})

t.test('an initiator that is answered with psk 0 demands a signature', async t => {
  const [end, puppet] = await visiting({ ticket: null, faults: { signature: () => null } })
  await t.rejects(answer([end, puppet]), { code: 'ERR_STALK_UNEXPECTED', message: /without a signature/ })
})

// --- tampering -------------------------------------------------------------------------------------------

interface Attacked extends Both {
  readonly code: string
}

async function attack(held: HeldTicket, store: TicketKeys, middle: ByteMiddle): Promise<Attacked> {
  const a = initiatorEnd({ ...everyone, held: copyOf(held) })
  const b = responderEnd({ ...host, store })
  const error = await shakeBytes(a, b, middle).then(
    () => undefined,
    (thrown: { code?: string }) => thrown
  )
  if (error && !error.code?.startsWith('ERR_STALK_')) throw error
  return { a, b, records: [], code: error?.code ?? 'none' }
}

const flipping =
  (at: number, bit: number): ByteMiddle =>
  (bytes, index) => [index === at ? flip(bytes, bit) : bytes]

t.test(
  'any flipped bit of M1 to M4 of a resumed handshake leaves at least one end without a session',
  async t => {
    const store = new TicketKeys({ secret: randomBytes(32) })
    const held = await ticketOf(everyone, { ...host, store })
    const { records } = await meet({ ...everyone, held: copyOf(held) }, { ...host, store })
    for (const at of [0, 1, 2, 3]) {
      const codes = new Set<string>()
      const bytes = at < 2 ? (records[at]?.length ?? 0) : 4 // the sealed bodies have their turn in the next test
      for (let bit = 0; bit < bytes * 8; bit++) {
        const { a, b, code } = await attack(held, store, flipping(at, bit))
        codes.add(code)
        if (a.session || b.session) t.fail(`a session in spite of bit ${bit} of M${at + 1}`)
        if (b.asked.length > 0 || (at < 3 && a.asked.length > 0)) t.fail(`asked in spite of bit ${bit}`)
      }
      t.comment(`M${at + 1}: ${[...codes].sort().join(', ')}`)
      t.ok(codes.size > 0)
    }
  }
)

t.test(
  'a flipped bit anywhere in M3 or M4 of a resumed handshake: it does not open, and without, it does',
  async t => {
    for (const suite of ALL_SUITES) {
      const store = new TicketKeys({ secret: randomBytes(32) })
      const held = await ticketOf({ ...everyone, suites: [suite] }, { ...host, store })
      const [a, b] = [initiatorEnd({ ...everyone, suites: [suite], held }), responderEnd({ ...host, store })]
      let opened = 0
      await shakeBytes(a, b, (bytes, index, direction) => {
        const [opener] = direction === 'initiator → responder' ? b.openers : a.openers
        for (let bit = 0; (index === 2 || index === 3) && bit < (bytes.length - 4) * 8; bit++) {
          if (thrownBy(() => opener?.open(frameOf(flip(bytes, 32 + bit)))) === undefined) opened += 1
        }
        return [bytes]
      })
      t.same([opened, a.session?.resumed, b.session?.resumed], [0, true, true], suite)
    }
  }
)

t.test('a flipped bit of a ticket on its way makes a full handshake of it, which then notices', async t => {
  const store = new TicketKeys({ secret: randomBytes(32) })
  const held = await ticketOf(everyone, { ...host, store })
  const [m1] = await initiatorEnd({ ...everyone, held: copyOf(held) }).start()
  const start = 4 + (m1?.body.indexOf(held.ticket) ?? 0)
  for (let bit = start * 8; bit < (start + held.ticket.length) * 8; bit += 7) {
    const { code } = await attack(held, store, flipping(0, bit))
    if (code !== 'ERR_STALK_BAD_RECORD') t.fail(`${code} after bit ${bit}`)
  }
  t.pass('M3 does not open, since M1 was another one')
})

t.test('records of the first session, put into the resumed one, do not fit', async t => {
  const store = new TicketKeys({ secret: randomBytes(32) })
  const first = await meet(everyone, { ...host, store })
  for (const at of [1, 2, 3, 4]) {
    const splice: ByteMiddle = (bytes, index) => [index === at ? (first.records[at] as Buffer) : bytes]
    const { a, b, code } = await attack(first.a.held as HeldTicket, store, splice)
    t.equal(code, 'ERR_STALK_BAD_RECORD', `M${at + 1}`)
    t.notOk(a.session, `M${at + 1}`)
    if (at < 4) t.notOk(b.session, `M${at + 1}`)
  }
})

t.test('psk turned over in M2 is noticed either way', async t => {
  const store = new TicketKeys({ secret: randomBytes(32) })
  const held = await ticketOf(everyone, { ...host, store })
  const turned: ByteMiddle = (bytes, index) => [index === 1 ? flip(bytes, bytes.length * 8 - 1) : bytes]
  t.equal((await attack(held, store, turned)).code, 'ERR_STALK_BAD_RECORD', '1 to 0')
  const strange = new TicketKeys({ secret: randomBytes(32) })
  t.equal((await attack(held, strange, turned)).code, 'ERR_STALK_BAD_RECORD', '0 to 1')
})

// --- the machine -----------------------------------------------------------------------------------------

const misused = { code: 'ERR_STALK_INTERNAL', message: 'the handshake was given what it did not ask for' }

t.test('a machine that asks about a ticket takes that answer and no other', async t => {
  const store = new MemoryTicketStore()
  const held = await ticketOf(everyone, { ...host, store })
  const [m1] = await initiatorEnd({ ...everyone, held }).start()
  const received = { type: 0xe1, inner: m1 as never }
  const found = store.find(held.ticket)
  const wrong: Record<string, (machine: End['machine']) => unknown> = {
    accepted: machine => machine.accepted(),
    signed: machine => machine.signed(Buffer.alloc(64)),
    consumed: machine => machine.consumed(true),
    issued: machine => machine.issued(null),
    received: machine => machine.receive(received)
  }
  for (const [name, answerWith] of Object.entries(wrong)) {
    const { machine } = responderEnd({ ...host, store })
    machine.start()
    t.match(machine.receive(received).next, { find: held.ticket })
    t.throws(() => answerWith(machine), misused, name)
  }
  const { machine } = responderEnd({ ...host, store })
  machine.start()
  machine.receive(received)
  t.match(machine.found(found).next, { consume: held.ticket })
  t.throws(() => machine.found(found), misused)
  const other = responderEnd({ ...host, store }).machine
  t.throws(() => other.found(null), misused, 'before it began')
})

t.test('while a ticket is looked for, nothing may come in clear, and nothing has been said', async t => {
  const store = new MemoryTicketStore()
  const held = await ticketOf(everyone, { ...host, store })
  const [m1] = await initiatorEnd({ ...everyone, held }).start()
  const { machine } = responderEnd({ ...host, store })
  machine.start()
  const step = machine.receive({ type: 0xe1, inner: m1 as never })
  t.same([step.send, step.openers, step.writable], [undefined, undefined, undefined])
  for (const type of [0xe1, 0xe3, 0xe5]) t.throws(() => machine.admit(type), { code: 'ERR_STALK_UNEXPECTED' })
})

t.test('Accept is sent before a ticket is asked for, and messages only behind it', async t => {
  const [a, b] = [initiatorEnd(everyone), responderEnd({ ...host, store: new MemoryTicketStore() })]
  const [m1] = await a.start()
  await b.start()
  const [m2, m3] = await b.receive(m1 as never)
  await a.receive(m2 as never)
  const [m4] = await a.receive(m3 as never)
  const { machine } = b
  const opened = b.openers[0]?.open(m4 as never)
  t.match(machine.receive({ type: 0xe5, inner: opened as never }).next, { ask: ed25519.raw })
  const asked = machine.accepted()
  t.match(asked, { next: { issue: { expires: null } }, writable: undefined })
  t.equal(asked.send?.length, 2, 'the key, and Accept')
  const last = machine.issued({ ticket: Buffer.of(7), lifetimeS: 60 })
  t.match(last, { send: [{ type: 7 }], writable: { maxMessageBytes: 65_536 }, next: { agreed: {} } })
})
