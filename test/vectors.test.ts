// lib against test/vectors: every value of a handshake, every record that has to be refused, and the files
// themselves against their generator.

import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { KIND, TYPE } from '../lib/constants.ts'
import { toRaw } from '../lib/crypto/public-key.ts'
import { verify } from '../lib/crypto/signatures.ts'
import { SUITES, type Suite } from '../lib/crypto/suites.ts'
import { alertFor, StalkError } from '../lib/errors.ts'
import { decodeFlight, signatureInput, Verified } from '../lib/handshake/flight.ts'
import { decodeMessages, type Want } from '../lib/handshake/messages.ts'
import {
  expandLabel,
  finishedMac,
  HandshakeSecrets,
  nextTrafficSecret,
  trafficKeys
} from '../lib/handshake/schedule.ts'
import { prologueOf, Transcript } from '../lib/handshake/transcript.ts'
import { MemoryTicketStore } from '../lib/resumption/ticket-store.ts'
import { ticketingOf } from '../lib/resumption/ticketing.ts'
import { carriesMessages } from '../lib/wire/contents.ts'
import { enframe } from '../lib/wire/frame.ts'
import { MessageDecoder } from '../lib/wire/message.ts'
import { Opener, Sealer } from '../lib/wire/record.ts'
import { decodeShapes, Shapes } from '../lib/wire/shapes.ts'
import { canFollow, follow, owedBy, type Start, saidOn, sayingOf, wordOf } from './helpers/follower.ts'
import { signatureOf } from './helpers/formulas.ts'
import {
  type End,
  type EndOptions,
  frameOf,
  initiatorEnd,
  type KeyPair,
  responderEnd
} from './helpers/machines.ts'
import { within } from './helpers/pair.ts'
import {
  binderOf,
  finding,
  isOfTickets,
  type KeptTicket,
  offering,
  resumedSecrets,
  verifiedByTicket
} from './helpers/resumption.ts'
import { hex } from './helpers/tamper.ts'
import { describe } from './interop/notation.ts'
import type {
  HandshakeFile,
  HandshakeVector,
  NegativeFile,
  NegativeVector,
  RecordName,
  SideVector
} from './vectors/format.ts'
import { asText, handshakeFile, negativeFile } from './vectors/make.ts'

const read = (name: string): string => readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8')

const handshakes: HandshakeFile = JSON.parse(read('handshake'))
const negatives: NegativeFile = JSON.parse(read('negative'))

t.test('the files are what their generator makes', async t => {
  t.ok(
    asText(handshakeFile()) === read('handshake'),
    'handshake.json; to renew it: npx tsx test/vectors/make.ts'
  )
  t.ok(asText(negativeFile()) === read('negative'), 'negative.json')
})

// --- a vector's ends -----------------------------------------------------------------------------------

type Role = 'initiator' | 'responder'

function vectorNamed(name: string): HandshakeVector {
  const found = handshakes.vectors.find(vector => vector.name === name)
  if (!found) throw new Error(`no handshake ${name}`)
  return found
}

const suiteOf = ({ suite }: HandshakeVector): Suite => {
  const found = Object.values(SUITES).find(({ id }) => id === suite)
  if (!found) throw new Error(`no suite ${suite}`)
  return found
}

function keyNamed(name: string | null): KeyPair | null {
  if (name === null) return null
  const key = handshakes.keys.find(known => known.name === name)
  if (!key) throw new Error(`no key ${name}`)
  const privateKey = createPrivateKey({ key: hex(key.pkcs8), format: 'der', type: 'pkcs8' })
  return { type: key.alg === 2 ? 'rsa' : 'ed25519', privateKey, raw: toRaw(privateKey) }
}

/** Hands out, in turn, what lib asks for. */
function queue(...values: Buffer[]): (bytes: number) => Buffer {
  return bytes => {
    const value = values.shift()
    if (value?.length !== bytes) throw new Error(`${bytes} bytes of randomness that the vector does not have`)
    return Buffer.from(value)
  }
}

/** The two bytes of which lib makes the place of the grease id and the id itself. */
function greaseBytes({ suites }: HandshakeVector): Buffer[] {
  const place = suites.findIndex(id => (id & 0x0f0f) === 0x0a0a)
  const id = suites[place] ?? 0
  return [Buffer.of(place), Buffer.of(((id >> 8) & 0xf0) | ((id >> 4) & 0x0f))]
}

const withoutGrease = ({ suites }: HandshakeVector): number[] => suites.filter(id => (id & 0x0f0f) !== 0x0a0a)

/** Of the ticket that a responder would issue behind a resumed session, if its store had one. */
const UNSENT_NONCE = Buffer.alloc(16)

function endOf(vector: HandshakeVector, role: Role): End {
  const side = vector[role]
  const identity = keyNamed(side.identity)
  const secrets = [hex(side.x25519Private), hex(side.random)]
  const offered = withoutGrease(vector).map(id => suiteOf({ ...vector, suite: id }).name)
  const options: EndOptions = {
    app: vector.app,
    suites: offered,
    identity,
    maxMessageBytes: side.maxMessage,
    want: vector.want as Want,
    random:
      role === 'initiator' ? queue(...secrets, ...greaseBytes(vector)) : queue(...secrets, UNSENT_NONCE),
    ...ticketOptions(vector, role)
  }
  // RSA-PSS is random, so the recorded signature is used; that it is valid is checked where it arrives.
  const recorded = identity?.type === 'rsa' ? { signWith: () => hex(side.signature ?? '') } : {}
  return role === 'initiator'
    ? initiatorEnd({ ...options, ...recorded })
    : responderEnd({ ...options, ...recorded })
}

/** The ticket that M1 offers; whether it can be found is told by M2. */
function keptOf({ offer, suite, app, initiator, responder }: HandshakeVector): KeptTicket | null {
  return offer
    ? {
        ticket: hex(offer.ticket),
        psk: hex(offer.psk),
        suite,
        app,
        initiator: keyNamed(initiator.identity)?.raw ?? null,
        responder: keyNamed(responder.identity)?.raw ?? null
      }
    : null
}

function ticketOptions(vector: HandshakeVector, role: Role): Partial<EndOptions> {
  const kept = keptOf(vector)
  if (!kept) return {}
  if (role === 'initiator') return offering(kept)
  return finding(vector.psk === 1 ? kept : null)
}

/** What arrives at each end, in order. */
const ARRIVING = { initiator: ['M2', 'M3', 'M5'], responder: ['M1', 'M4'] } as const

// --- handshake.json ------------------------------------------------------------------------------------

t.test('there are vectors of tickets, and others', async t => {
  t.equal(handshakes.vectors.filter(isOfTickets).length, 18)
  t.equal(handshakes.vectors.filter(vector => !isOfTickets(vector)).length, 15)
})

for (const vector of handshakes.vectors) {
  t.test(`${vector.name}: lib says and derives what the vector says`, async t => {
    const ends = { initiator: endOf(vector, 'initiator'), responder: endOf(vector, 'responder') }
    const said = { initiator: [] as string[], responder: [] as string[] }
    for (const role of ['initiator', 'responder'] as const) {
      said[role].push(...(await ends[role].start()).map(frame => enframe(frame).toString('hex')))
      for (const name of ARRIVING[role]) {
        const answers = await ends[role].deliver(hex(vector.records[name]))
        said[role].push(...answers.map(bytes => bytes.toString('hex')))
      }
    }
    t.same(said.initiator, [vector.records.M1, vector.records.M4])
    t.same(said.responder, [vector.records.M2, vector.records.M3, vector.records.M5])
    checkSession(t, vector, ends)
    checkAfter(t, vector, ends)
  })

  t.test(`${vector.name}: each step by itself`, async t => {
    checkTranscript(t, vector)
    checkSignatures(t, vector)
    checkSchedule(t, vector)
    checkBinder(t, vector)
  })
}

function checkBinder(t: Test, { prologue, offer, records }: HandshakeVector): void {
  if (!offer) return
  const binder = binderOf(hex(prologue), hex(offer.psk), hex(records.M1))
  t.equal(binder.toString('hex'), offer.binder)
}

function checkSession(t: Test, vector: HandshakeVector, { initiator, responder }: Record<Role, End>): void {
  const [i, r] = [
    keyNamed(vector.initiator.identity)?.raw ?? null,
    keyNamed(vector.responder.identity)?.raw ?? null
  ]
  t.match(initiator.session, { self: i, peer: r, peerMaxMessageBytes: vector.responder.maxMessage })
  t.match(responder.session, { self: r, peer: i, peerMaxMessageBytes: vector.initiator.maxMessage })
  for (const { session } of [initiator, responder]) {
    t.equal(session?.suite.id, vector.suite)
    if (session && isOfTickets(vector)) t.equal(session.resumed, vector.psk === 1)
    t.equal(session?.exporter.sessionId.toString('hex'), vector.sessionId)
    for (const { label, context, length, out } of vector.exports) {
      const key = session?.exporter.export(Buffer.from(label), Buffer.from(context), length)
      t.equal(key?.toString('hex'), out)
    }
  }
}

const other = (role: Role): Role => (role === 'initiator' ? 'responder' : 'initiator')

/** The traffic secret behind a key update. */
const nextSecret = nextTrafficSecret

const secretOf = (role: Role, { secrets }: HandshakeVector): Buffer =>
  hex(role === 'initiator' ? secrets.i_ap : secrets.r_ap)

const apply = (secret: Buffer, vector: HandshakeVector): ConstructorParameters<typeof Opener> => [
  TYPE.sealedApplication,
  suiteOf(vector),
  trafficKeys(secret, suiteOf(vector))
]

function checkAfter(t: Test, vector: HandshakeVector, ends: Record<Role, End>): void {
  const secrets = { initiator: secretOf('initiator', vector), responder: secretOf('responder', vector) }
  const sealers = { initiator: ends.initiator.sealer, responder: ends.responder.sealer }
  const openers = { initiator: ends.responder.openers[0], responder: ends.initiator.openers[0] }
  for (const { from, what, kind, content, innerBytes, record, next, ticket } of vector.after) {
    const sealed = sealers[from]?.seal({
      type: kind,
      body: hex(content),
      innerBytes,
      own: true
    })
    t.equal(sealed && enframe(sealed).toString('hex'), record, `${from}: ${what}`)
    t.same(openers[from]?.open(frameOf(hex(record))), {
      type: kind,
      body: hex(content),
      innerBytes,
      own: true
    })
    if (ticket) {
      const psk = ends.initiator.session?.resumption.psk(hex(ticket.nonce)) // the other end has wiped it
      t.equal(psk?.toString('hex'), ticket.psk, `${from}: psk`)
    }
    if (!next) continue
    secrets[from] = nextSecret(secrets[from])
    const [type, suite, keys] = apply(secrets[from], vector)
    const { key, iv, mac } = keys
    const derived = { secret: secrets[from], key, iv, mac }
    for (const name of ['secret', 'key', 'iv', 'mac'] as const) {
      if (next[name] !== undefined) t.equal(derived[name].toString('hex'), next[name], `${from}: ${name}`)
    }
    sealers[from] = new Sealer(type, suite, keys)
    openers[from] = new Opener(type, suite, keys)
  }
}

/** The messages of both flights as the transcript takes them: RI, RP or nothing, RF, II, IP or nothing, IF. */
function spoken({ flights }: HandshakeVector): readonly Buffer[] {
  return [flights.M3, flights.M4].flatMap(flight => {
    const messages = decodeMessages(hex(flight)).map(message => message.encoded)
    const [identity, ...rest] = messages
    const finished = rest.pop()
    return [identity, rest[0], finished].map(bytes => bytes ?? Buffer.alloc(0))
  })
}

function checkTranscript(t: Test, vector: HandshakeVector): void {
  const prologue = prologueOf(Buffer.from(vector.app))
  t.equal(prologue.toString('hex'), vector.prologue)
  const transcript = new Transcript(prologue).add(hex(vector.records.M1), hex(vector.records.M2))
  const hashes = [transcript.hash, ...spoken(vector).map(bytes => transcript.add(bytes).hash)]
  const [th1, th2, th3, , th5, th6, th7] = hashes.map(hash => hash.toString('hex'))
  t.same({ th1, th2, th3, th5, th6, th7 }, vector.transcript)
}

function checkSignatures(t: Test, { initiator, responder, transcript, psk }: HandshakeVector): void {
  const sides: [Role, SideVector, string][] = [
    ['responder', responder, transcript.th2],
    ['initiator', initiator, transcript.th5]
  ]
  for (const [role, { identity, signed, signature }, hash] of sides) {
    const key = psk === 1 ? null : keyNamed(identity)
    if (!key || signed === null || signature === null) {
      t.same([key, signed, signature], [null, null, null])
      continue
    }
    t.equal(signatureInput(role, hex(hash)).toString('hex'), signed)
    t.ok(verify(key.raw, hex(signed), hex(signature)), `the ${role}'s signature is valid`)
  }
}

function checkSchedule(t: Test, vector: HandshakeVector): void {
  const { transcript, secrets, keys, initiator, responder } = vector
  const suite = suiteOf(vector)
  const early = secretsBehindHellos(vector)
  t.equal(early.traffic.initiator.toString('hex'), secrets.i_hs)
  t.equal(early.traffic.responder.toString('hex'), secrets.r_hs)
  t.equal(finishedMac(early.traffic.responder, hex(transcript.th3)).toString('hex'), responder.finished)
  t.equal(finishedMac(early.traffic.initiator, hex(transcript.th6)).toString('hex'), initiator.finished)
  t.equal(expandLabel(hex(secrets.r_hs), 'finished', Buffer.alloc(0)).toString('hex'), secrets.fin_r)
  const { traffic } = early.application(hex(transcript.th7), verifiedBy(vector))
  t.equal(traffic.initiator.toString('hex'), secrets.i_ap)
  t.equal(traffic.responder.toString('hex'), secrets.r_ap)
  for (const name of ['i_hs', 'r_hs', 'i_ap', 'r_ap'] as const) {
    const { key, iv, mac } = trafficKeys(hex(secrets[name]), suite)
    t.match({ key: key.toString('hex'), iv: iv.toString('hex'), mac: mac.toString('hex') }, keys[name])
  }
}

function secretsBehindHellos({
  prologue,
  shared,
  transcript,
  offer,
  psk
}: HandshakeVector): HandshakeSecrets {
  const inputs = [hex(prologue), hex(shared), hex(transcript.th1)] as const
  return offer && psk === 1 ? resumedSecrets(...inputs, hex(offer.psk)) : new HandshakeSecrets(...inputs)
}

/** What application keys are made with: the responder's flight, verified. */
function verifiedBy({ flights, records, prologue, secrets, responder, psk }: HandshakeVector): Verified {
  const transcript = new Transcript(hex(prologue)).add(hex(records.M1), hex(records.M2))
  const flight = decodeFlight('responder', { type: 1, body: hex(flights.M3), innerBytes: 2048 })
  const peer = keyNamed(responder.identity)?.raw ?? null
  const inputs = ['responder', flight, peer, transcript, hex(secrets.r_hs)] as const
  return psk === 1 ? verifiedByTicket(...inputs) : Verified.flight(...inputs, verify)
}

t.test('the keys open what is sealed in M3, M4 and M5, and seal the same again', async t => {
  for (const vector of handshakes.vectors) {
    const suite = suiteOf(vector)
    const sealed = [
      ['M3', TYPE.sealedHandshake, vector.keys.r_hs, hex(vector.flights.M3), 2048],
      ['M4', TYPE.sealedHandshake, vector.keys.i_hs, hex(vector.flights.M4), 2048],
      ['M5', TYPE.sealedApplication, vector.keys.r_ap, hex('070000'), 4]
    ] as const
    for (const [name, type, { key, iv, mac = '' }, body, innerBytes] of sealed) {
      const keys = { key: hex(key), iv: hex(iv), mac: hex(mac) }
      const record = hex(vector.records[name])
      t.same(new Opener(type, suite, keys).open(frameOf(record)), { type: 1, body, innerBytes, own: true })
      const again = new Sealer(type, suite, keys).seal({ type: 1, body, innerBytes })
      t.ok(enframe(again).equals(record), `${vector.name}: ${name}`)
    }
  }
})

t.test('messages and shapes behind the handshake are read as told, and announced the same', async t => {
  let told = 0
  for (const { name, after } of handshakes.vectors) {
    const decoders = { initiator: new MessageDecoder(), responder: new MessageDecoder() }
    const announced = { initiator: new Shapes(), responder: new Shapes() }
    for (const { from, what, kind, content, messages } of after.filter(({ kind }) => isOfMessages(kind))) {
      const read = decoders[from].decode({ type: kind, body: hex(content) })
      if (messages) t.same(read.map(describe), messages, `${name}, ${from}: ${what}`)
      told += messages ? 1 : 0
      if (kind !== KIND.shapes) continue
      const { shapes } = decodeShapes(hex(content))
      t.equal(announced[from].announce(shapes).toString('hex'), content, `${name}, ${from}: ${what}`)
    }
  }
  t.ok(told > 8, `${told} records`)
})

const isOfMessages = (kind: number): boolean => carriesMessages(kind) || kind === KIND.shapes

// --- negative.json -------------------------------------------------------------------------------------

/** An end to which everything came as it should up to this place of the handshake. */
async function endAt(vector: HandshakeVector, to: Role, place: RecordName): Promise<End> {
  const end = endOf(vector, to)
  await end.start()
  for (const name of ARRIVING[to]) {
    if (name === place) return end
    await end.deliver(hex(vector.records[name]))
  }
  return end
}

/** The opener of what comes behind the handshake, with the records up to this place opened. */
function openerAt(vector: HandshakeVector, to: Role, place: number): Opener {
  let secret = secretOf(other(to), vector)
  let opener = new Opener(...apply(secret, vector))
  const before = vector.after.slice(0, place).filter(({ from }) => from !== to)
  if (to === 'initiator') opener.open(frameOf(hex(vector.records.M5)))
  for (const { record, next } of before) {
    opener.open(frameOf(hex(record)))
    if (!next) continue
    secret = nextSecret(secret)
    opener = new Opener(...apply(secret, vector))
  }
  return opener
}

function isRefused(t: Test, error: unknown, { code, alert }: NegativeVector): void {
  if (!(error instanceof StalkError)) throw error ?? new Error('taken')
  t.equal(error.code, code, error.message)
  t.equal(alertFor(error.code), alert)
}

const thrownBy = (step: () => unknown): unknown => {
  try {
    step()
  } catch (error) {
    return error
  }
  return undefined
}

for (const negative of negatives.vectors) {
  const { name, handshake, to, place, record, code, asked } = negative
  const title = `${handshake}, ${place} to the ${to}: ${name}`
  const vector = vectorNamed(handshake)
  if (typeof place === 'string') {
    t.test(`${title} is refused`, async t => {
      const end = await endAt(vector, to, place)
      const error = await end.deliver(hex(record)).then(
        () => undefined,
        (error: unknown) => error
      )
      isRefused(t, error, negative)
      t.equal(end.asked.length > 0, asked, 'whether the policy was asked')
      t.equal(end.session, undefined)
    })
  } else if (code === 'ERR_STALK_BAD_RECORD') {
    t.test(`${title} does not open`, async t => {
      const opener = openerAt(vector, to, place)
      isRefused(
        t,
        thrownBy(() => opener.open(frameOf(hex(record)))),
        negative
      )
    })
  } else {
    t.test(`${title} opens`, async t => {
      t.ok(openerAt(vector, to, place).open(frameOf(hex(record))).type > 0)
    })
  }
}

// --- lib's connections behind the handshake ------------------------------------------------------------
// As far as lib can be told to do what a vector's side does there: see helpers/follower.ts.

function startOf(vector: HandshakeVector, role: Role): Start {
  const { identity, signature } = vector[role]
  const key = keyNamed(identity)
  return {
    handshake: endOf(vector, role).machine,
    ticketing: ticketingOf(ticketOptions(vector, role).store ?? new MemoryTicketStore()),
    sign: async input => (key?.type === 'ed25519' ? signatureOf(key.privateKey, input) : hex(signature ?? ''))
  }
}

for (const vector of handshakes.vectors) {
  const end = vector.after.length
  for (const role of (['initiator', 'responder'] as const).filter(role => canFollow(vector, role, end))) {
    t.test(`${vector.name}: lib's connection says what the ${role} says behind the handshake`, async t => {
      const { connection, wire } = await follow(vector, role, startOf(vector, role), end)
      t.same(saidOn(wire, vector, role), sayingOf(vector, role, end))
      t.match(await within(connection.outcome, 'the outcome'), { kind: 'clean' })
    })
  }
}

for (const { name, handshake, to, place, record, code, alert } of negatives.vectors) {
  const vector = vectorNamed(handshake)
  if (typeof place === 'string' || !canFollow(vector, to, place)) continue
  t.test(`${handshake}, ${place} to the ${to}: lib's connection refuses ${name}`, async t => {
    const { connection, wire } = await follow(vector, to, startOf(vector, to), place)
    wire.push(hex(record))
    t.match(await within(connection.outcome, 'the outcome'), { kind: 'protocol', code })
    const told = wordOf(5, Buffer.of(alert ?? 0).toString('hex'))
    t.same(saidOn(wire, vector, to), [...sayingOf(vector, to, place), ...owedBy(vector, to, place), told])
  })
}
