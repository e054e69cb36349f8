// Writes handshake.json and negative.json: `npx tsx test/vectors/make.ts`. Made with the puppets and formulas
// of test/helpers alone, none of lib's code, so that the vectors check lib. A second run changes nothing: what
// is random (RSA keys and RSA-PSS signatures) is taken over from the files as they are.

import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
  privateEncrypt
} from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  binderKey,
  binderOf,
  Direction,
  exported,
  H,
  HMAC,
  handshakeSecrets,
  innerOf,
  integer,
  isOfb,
  keysOf,
  list,
  message,
  prologueFor,
  record,
  shareOf,
  signatureOf,
  signed,
  text,
  ticketContent,
  ticketPsk,
  vector
} from '../helpers/formulas.ts'
import type { KeyPair } from '../helpers/machines.ts'
import {
  type Faults,
  type HashName,
  InitiatorPuppet,
  type Puppet,
  type PuppetOptions,
  ResponderPuppet
} from '../helpers/puppet.ts'
import type {
  HandshakeFile,
  HandshakeVector,
  KeyVector,
  NegativeFile,
  NegativeVector,
  NextVector,
  OfferVector,
  RecordVector,
  SideVector,
  TicketVector,
  TrafficVector
} from './format.ts'
import {
  ANNOUNCEMENTS,
  BEHIND_UPDATE,
  BOTH_ANNOUNCE,
  CUT,
  GOOD,
  INITIATOR_ANNOUNCES,
  LATER,
  RESPONDER_ANNOUNCES,
  THE_33RD,
  USES
} from './shapes.ts'

const HANDSHAKE = new URL('handshake.json', import.meta.url)
const NEGATIVE = new URL('negative.json', import.meta.url)

const read = <T>(file: URL): T | undefined =>
  existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as T) : undefined

const old = read<HandshakeFile>(HANDSHAKE)

const hex = (bytes: Buffer): string => bytes.toString('hex')
const bytes = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex')
const NONE = Buffer.alloc(0)

/** Deterministic bytes: block n of a name is H(name ‖ " " ‖ n). */
function seeded(name: string): (length: number) => Buffer {
  let counter = 0
  return length => H(text(`${name} ${counter++}`)).subarray(0, length)
}

// --- keys ------------------------------------------------------------------------------------------------

interface NamedKey extends KeyPair {
  readonly name: string
}

const ED25519_PREFIX = bytes('302e020100300506032b657004220420')

function ed25519Key(name: string): NamedKey {
  const der = Buffer.concat([ED25519_PREFIX, H(text(`stalk vectors, ${name}`))])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { name, ...asPair('ed25519', privateKey) }
}

function rsaKey(name: string): NamedKey {
  const recorded = old?.keys.find(key => key.name === name)
  const privateKey = recorded
    ? createPrivateKey({ key: bytes(recorded.pkcs8), format: 'der', type: 'pkcs8' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  return { name, ...asPair('rsa', privateKey) }
}

function asPair(type: 'rsa' | 'ed25519', privateKey: KeyObject): KeyPair {
  const jwk = privateKey.export({ format: 'jwk' })
  const raw = { type, bytes: Buffer.from((type === 'rsa' ? jwk.n : jwk.x) ?? '', 'base64url') }
  return { type, privateKey, raw }
}

const ALICE = ed25519Key('ed25519, initiator')
const BOB = ed25519Key('ed25519, responder')
const MALLORY = ed25519Key('ed25519, attacker')
const RSA_ALICE = rsaKey('rsa, initiator')
const RSA_BOB = rsaKey('rsa, responder')
const KEYS = [ALICE, BOB, MALLORY, RSA_ALICE, RSA_BOB]

const keyVector = ({ name, type, raw, privateKey }: NamedKey): KeyVector => ({
  name,
  alg: type === 'rsa' ? 2 : 1,
  public: hex(raw.bytes),
  pkcs8: hex(privateKey.export({ format: 'der', type: 'pkcs8' }))
})

// --- signatures ------------------------------------------------------------------------------------------

function rsaVerifies(privateKey: KeyObject, input: Buffer, signature: Buffer): boolean {
  const key = createPublicKey(privateKey)
  const options = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  return nodeVerify('sha256', input, options, signature)
}

const known = [...(old?.vectors ?? []).flatMap(vector => [vector.initiator, vector.responder])]
  .map(side => side.signature)
  .filter(signature => signature !== null)
  .map(bytes)

/** Ed25519 signs the same each time; of RSA-PSS the signature that is in the file already is taken, if it fits. */
function stableSignature(key: KeyPair, input: Buffer): Buffer {
  if (key.type === 'ed25519') return signatureOf(key.privateKey, input)
  const fits = (signature: Buffer): boolean =>
    signature.length === 256 && rsaVerifies(key.privateKey, input, signature)
  const fitting = known.find(fits) ?? signatureOf(key.privateKey, input)
  if (!known.includes(fitting)) known.push(fitting)
  return fitting
}

// --- handshakes ------------------------------------------------------------------------------------------

interface Setup {
  readonly name: string
  readonly app: string
  readonly suite: number
  readonly initiator: NamedKey | null
  readonly responder: NamedKey | null
  readonly want: number
  /** The first ticket of the session of that name is offered, and taken or not. */
  readonly offer?: { readonly of: string; readonly taken: boolean }
}

const SUITES = [
  [1, 'GCM'],
  [2, 'ChaCha'],
  [3, 'OFB']
] as const

const MODES = [
  ['mutual', ALICE, BOB, 2],
  ['responder-only', null, BOB, 0],
  ['initiator-only', ALICE, null, 1],
  ['anonymous', null, null, 1]
] as const

const FULL: readonly Setup[] = [
  ...SUITES.flatMap(([suite, short]) =>
    MODES.map(([mode, initiator, responder, want]) => {
      return { name: `${mode}, Ed25519, ${short}`, app: 'chat', suite, initiator, responder, want }
    })
  ),
  { name: 'mutual, RSA, GCM', app: '', suite: 1, initiator: RSA_ALICE, responder: RSA_BOB, want: 1 },
  {
    name: 'mutual, Ed25519 and RSA, ChaCha',
    app: '',
    suite: 2,
    initiator: ALICE,
    responder: RSA_BOB,
    want: 2
  },
  { name: 'mutual, RSA and Ed25519, OFB', app: 'ü', suite: 3, initiator: RSA_ALICE, responder: BOB, want: 1 }
]

/** Sessions that end with tickets, or begin with one: behind those above, whose places stay as they are. */
const SETUPS: readonly Setup[] = [
  ...FULL,
  ...FULL.filter(isMutual).map(setup => ({ ...setup, name: `${setup.name}, tickets` })),
  ...FULL.filter(({ name }) => name.includes(', Ed25519, ') || name === 'mutual, RSA, GCM').map(setup =>
    offering(setup, 'resumed', isMutual(setup) ? `${setup.name}, tickets` : setup.name)
  ),
  ...FULL.filter(isMutual)
    .slice(0, 1)
    .flatMap(setup => [
      offering(setup, 'resumed again', `${setup.name}, resumed`),
      offering(setup, 'not resumed', `${setup.name}, tickets`, false)
    ])
]

function isMutual({ name }: Setup): boolean {
  return name.startsWith('mutual, Ed25519, ')
}

function offering(setup: Setup, what: string, of: string, taken = true): Setup {
  return { ...setup, name: `${setup.name}, ${what}`, offer: { of, taken } }
}

/** What M1 offers: the suite first, the others behind it, grease somewhere. */
function offer(setup: Setup): number[] {
  const [byte = 0, place = 0] = seeded(`${setup.name}, grease`)(2)
  const suites = [setup.suite, ...[1, 2, 3].filter(id => id !== setup.suite)]
  suites.splice(place % 4, 0, ((byte & 0xf0) << 8) | 0x0a0a | ((byte & 0x0f) << 4))
  return suites
}

/** The n-th ticket of a session, as its responder chooses it. */
function issued(name: string, n: number, bytes = 32): { nonce: Buffer; value: Buffer } {
  const value = Array.from({ length: Math.ceil(bytes / 32) }, (_, i) => H(text(`${name}, ticket ${n}, ${i}`)))
  return {
    nonce: H(text(`${name}, nonce ${n}`)).subarray(0, 16),
    value: Buffer.concat(value).subarray(0, bytes)
  }
}

/** What a session offers, and what is kept for it at both ends. */
function ticketOf({ offer }: Setup): { value: Buffer; nonce: Buffer; psk: Buffer } | null {
  if (!offer) return null
  const { nonce, value } = issued(offer.of, 0)
  const { application } = run(named(offer.of)).initiator
  return { value, nonce, psk: ticketPsk(there(application).res, nonce) }
}

const isResumed = ({ offer }: Setup): boolean => offer?.taken ?? false

const stable = (identity: NamedKey | null): Faults =>
  identity ? { signature: input => stableSignature(identity, input) } : {}

const common = (setup: Setup) => ({ app: setup.app, suite: setup.suite, suites: offer(setup) })

const initiatorOf = (setup: Setup, faults: Faults = {}, more: Partial<PuppetOptions> = {}): InitiatorPuppet =>
  new InitiatorPuppet({
    ...common(setup),
    identity: setup.initiator,
    maxMessage: 1_000_000,
    ticket: ticketOf(setup),
    random: seeded(`${setup.name}, initiator`),
    ...more,
    faults: { ...(isResumed(setup) ? {} : stable(setup.initiator)), ...faults }
  })

const responderOf = (setup: Setup, faults: Faults = {}, more: Partial<PuppetOptions> = {}): ResponderPuppet =>
  new ResponderPuppet({
    ...common(setup),
    identity: setup.responder,
    maxMessage: 16_777_216,
    want: setup.want,
    ticket: isResumed(setup) ? ticketOf(setup) : null,
    random: seeded(`${setup.name}, responder`),
    ...more,
    faults: { ...(isResumed(setup) ? {} : stable(setup.responder)), ...faults }
  })

interface Run {
  readonly initiator: InitiatorPuppet
  readonly responder: ResponderPuppet
  readonly records: { M1: Buffer; M2: Buffer; M3: Buffer; M4: Buffer; M5: Buffer }
}

/** An honest handshake of two puppets. */
function run(setup: Setup): Run {
  const [initiator, responder] = [initiatorOf(setup), responderOf(setup)]
  const M1 = initiator.m1()
  const M2 = responder.m2(M1)
  const M3 = responder.m3()
  initiator.takeM2(M2)
  initiator.takeM3(M3)
  const M4 = initiator.m4()
  responder.takeM4(M4)
  const M5 = responder.m5()
  initiator.open.inbound.open(M5)
  if (JSON.stringify(initiator.hashes) !== JSON.stringify(responder.hashes))
    throw new Error('two transcripts')
  return { initiator, responder, records: { M1, M2, M3, M4, M5 } }
}

// --- what is sent once the session is there ----------------------------------------------------------------

const count = (received: number): Buffer => integer(8, received)
const MESSAGES = bytes('92 c3 a26869') // true and "hi"
const CLOSE = Buffer.concat([bytes('00'), count(2)])
const FINAL = Buffer.alloc(8)
const PINGS = [bytes('70696e6720 000001'), bytes('00000000 000000ff')] as const
const pongOf = (value: Buffer, received: number): Buffer => Buffer.concat([value, count(received)])
const STRING = Buffer.concat([bytes('da044c'), Buffer.alloc(1100, 0x78)]) // 1,100 times "x"

type Role = 'initiator' | 'responder'

interface Line extends Pick<RecordVector, 'what' | 'kind' | 'unread' | 'messages'> {
  readonly from: Role
  readonly content: Buffer
  readonly ticket?: { readonly lifetime: number; readonly nonce: Buffer; readonly value: Buffer }
}

const I = 'initiator'
const R = 'responder'

const line = (from: Role, what: string, kind: number, content: Buffer, unread = 0): Line => {
  return { from, what, kind, content, unread }
}

const messages = (from: Role, unread?: number): Line =>
  line(from, 'two messages: true and "hi"', 2, MESSAGES, unread)

const ping = (from: Role, n: 0 | 1): Line => line(from, 'ping', 8, PINGS[n])

const pong = (from: Role, n: 0 | 1, received: number, unread?: number): Line =>
  line(from, `pong, ${received} received`, 9, pongOf(PINGS[n], received), unread)

const request = (from: Role, unread?: number): Line =>
  line(from, 'key update, a request', 6, bytes('01'), unread)

const answer = (from: Role, unread?: number): Line =>
  line(from, 'key update, the answer', 6, bytes('00'), unread)

const close = (from: Role, received: number, unread?: number): Line =>
  line(from, `close, ${received} received`, 5, Buffer.concat([bytes('00'), count(received)]), unread)

const finalPong = (from: Role, received: number, unread?: number): Line =>
  line(from, `final pong, ${received} received`, 9, pongOf(FINAL, received), unread)

const PLAIN = [messages(I), messages(R), close(I, 2), close(R, 2), finalPong(I, 2)]

/** The initiator asks, and the responder still sends under its old key before it reads that. */
const INITIATOR_ASKS = [
  ...[messages(I), messages(R), ping(I, 0), pong(R, 0, 2)],
  ...[request(I), messages(I), messages(R, 2), answer(R, 1), messages(R)],
  ...[ping(I, 1), pong(R, 1, 4), close(I, 6), close(R, 4), finalPong(I, 6)]
]

/** The responder asks, within a message of the initiator's and behind its close. */
const RESPONDER_ASKS = [
  ...[messages(I), messages(R)],
  line(I, 'first fragment of 1,100 "x"', 3, STRING.subarray(0, 1024)),
  ...[request(R), ping(R, 0), answer(I, 1), pong(I, 0, 2)],
  line(I, 'last fragment of 1,100 "x"', 4, STRING.subarray(1024)),
  ...[close(I, 2), ping(R, 1), pong(I, 1, 2), request(R), answer(I)],
  ...[messages(R), close(R, 3), finalPong(I, 4)]
]

/** Both ask at the same time, and later both close at the same time. */
const BOTH_ASK = [
  ...[messages(I), messages(R), ping(I, 0), pong(R, 0, 2)],
  ...[request(I), request(R, 1), messages(I, 1), messages(R, 2), answer(I, 1), answer(R, 2)],
  ...[messages(I), messages(R), ping(I, 1), close(I, 6), close(R, 6, 2), finalPong(I, 6)],
  ...[pong(R, 1, 6, 2), finalPong(R, 6, 1)]
]

function ticketLine(name: string, n: number, lifetime: number, bytes?: number): Line {
  const { nonce, value } = issued(name, n, bytes)
  const what = `a ticket of ${value.length} bytes for ${lifetime} s`
  return {
    ...line(R, what, 7, ticketContent(lifetime, nonce, value)),
    ticket: { lifetime, nonce, value }
  }
}

/** Tickets behind Accept, behind a message in fragments and behind a key update, which is asked for twice. */
const givesTickets = (name: string): readonly Line[] => [
  ...[ticketLine(name, 0, 86_400), messages(I), messages(R)],
  line(R, 'first fragment of 1,100 "x"', 3, STRING.subarray(0, 1024)),
  line(R, 'last fragment of 1,100 "x"', 4, STRING.subarray(1024)),
  ...[ticketLine(name, 1, 1, 512), request(I), answer(R), ticketLine(name, 2, 3_600, 1), close(R, 2)],
  ...[request(I), answer(R), close(I, 3), finalPong(R, 2)]
]

const LINES: Readonly<Record<string, readonly Line[]>> = {
  'mutual, Ed25519, GCM': INITIATOR_ASKS,
  'mutual, Ed25519, ChaCha': RESPONDER_ASKS,
  'mutual, Ed25519, OFB': BOTH_ASK,
  'responder-only, Ed25519, GCM': [
    ...INITIATOR_ANNOUNCES,
    ...[messages(R), request(I), answer(R)],
    ...BEHIND_UPDATE,
    ...[close(I, 2), close(R, 5), finalPong(I, 2)]
  ],
  'initiator-only, Ed25519, ChaCha': [
    messages(I),
    ...RESPONDER_ANNOUNCES,
    ...[close(I, 4), close(R, 2), finalPong(I, 4)]
  ],
  'anonymous, Ed25519, OFB': [...BOTH_ANNOUNCE, close(I, 4), close(R, 4), finalPong(I, 4)]
}

function linesOf({ name }: Setup): readonly Line[] {
  if (name.endsWith(', tickets')) return givesTickets(name)
  if (name.endsWith(', resumed') && isMutual(named(name))) return [ticketLine(name, 0, 3_600), ...PLAIN]
  return LINES[name] ?? PLAIN
}

/** Seals what is sent after M5, all of it or so many records; a key update changes its sender's direction. */
function afterwards(setup: Setup, made: Run, records?: number): RecordVector[] {
  return linesOf(setup)
    .slice(0, records)
    .map(({ from, what, kind, content, unread, ticket, messages }) => {
      const { open } = made[from]
      const innerBytes = content.length + 1 + (kind === 5 || kind === 6 ? 22 : 0) // to show padding too
      const sealed = hex(open.outbound.seal(innerOf(kind, content, innerBytes)))
      if (kind === 6) open.outbound = open.outbound.next()
      return {
        from,
        what,
        ...(unread ? { unread } : {}),
        kind,
        content: hex(content),
        innerBytes,
        record: sealed,
        ...(kind === 6 ? { next: nextOf(open.outbound) } : {}),
        ...(ticket ? { ticket: givenIn(made, ticket) } : {}),
        ...(messages ? { messages } : {})
      }
    })
}

function givenIn({ initiator }: Run, { lifetime, nonce, value }: NonNullable<Line['ticket']>): TicketVector {
  const psk = ticketPsk(there(initiator.application).res, nonce)
  return { lifetime, nonce: hex(nonce), ticket: hex(value), psk: hex(psk) }
}

const nextOf = ({ secret, suite }: Direction): NextVector => ({
  secret: hex(secret),
  ...traffic(secret, suite)
})

function traffic(secret: Buffer, suite: number): TrafficVector {
  const { key, iv, mac } = keysOf(secret, suite)
  return { key: hex(key), iv: hex(iv), ...(isOfb(suite) ? { mac: hex(mac) } : {}) }
}

const there = <T>(value: T | undefined): T => {
  if (value === undefined) throw new Error('not there yet')
  return value
}

function sideOf(puppet: Puppet, identity: NamedKey | null, maxMessage: number): SideVector {
  const [signedHash, finishedHash] =
    puppet.role === 'initiator'
      ? [puppet.hashes.th5, puppet.hashes.th6]
      : [puppet.hashes.th2, puppet.hashes.th3]
  const finishedKey = puppet.role === 'initiator' ? puppet.secrets?.fin_i : puppet.secrets?.fin_r
  return {
    identity: identity?.name ?? null,
    x25519Private: hex(puppet.privateKey),
    random: hex(puppet.random),
    share: hex(shareOf(puppet.privateKey)),
    sigs: [1, 2],
    maxMessage,
    signed: identity && !puppet.psk ? hex(signed(puppet.role, there(signedHash))) : null,
    signature: puppet.signature && hex(puppet.signature),
    finished: hex(HMAC(there(finishedKey), there(finishedHash)))
  }
}

const hexAll = <K extends string>(
  values: Readonly<Record<K, Buffer>>,
  names: readonly K[]
): Record<K, string> => Object.fromEntries(names.map(name => [name, hex(values[name])])) as Record<K, string>

const EXPORTS = [
  { label: '', context: '', length: 32 },
  { label: 'EXPORTER-example', context: 'a context', length: 16 }
]

function offerVector(setup: Setup, m1: Buffer): { offer?: OfferVector } {
  const ticket = ticketOf(setup)
  if (!ticket || !setup.offer) return {}
  return {
    offer: {
      of: setup.offer.of,
      nonce: hex(ticket.nonce),
      ticket: hex(ticket.value),
      psk: hex(ticket.psk),
      fin_b: hex(binderKey(prologueFor(setup.app), ticket.psk)),
      binder: hex(m1.subarray(-32))
    }
  }
}

function handshakeVector(setup: Setup): HandshakeVector {
  const made = run(setup)
  const { initiator, responder, records } = made
  const { shared } = initiator
  if (!shared.equals(responder.shared)) throw new Error('two results of X25519')
  const after = afterwards(setup, made)
  const secrets = { ...there(initiator.secrets), ...there(initiator.application) }
  const { i_hs, r_hs, i_ap, r_ap, exp, sessionId } = secrets
  return {
    name: setup.name,
    app: setup.app,
    prologue: hex(prologueFor(setup.app)),
    suite: setup.suite,
    suites: offer(setup),
    want: setup.want,
    ...offerVector(setup, records.M1),
    psk: isResumed(setup) ? 1 : 0,
    initiator: sideOf(initiator, setup.initiator, 1_000_000),
    responder: sideOf(responder, setup.responder, 16_777_216),
    shared: hex(shared),
    records: hexAll(records, ['M1', 'M2', 'M3', 'M4', 'M5']),
    flights: hexAll({ M3: responder.sent, M4: initiator.sent }, ['M3', 'M4']),
    transcript: hexAll(initiator.hashes as Record<HashName, Buffer>, [
      'th1',
      'th2',
      'th3',
      'th5',
      'th6',
      'th7'
    ]),
    secrets: hexAll(secrets, [
      'salt',
      'es',
      'hs',
      'i_hs',
      'r_hs',
      'fin_i',
      'fin_r',
      'ms',
      'i_ap',
      'r_ap',
      'exp',
      'res'
    ]),
    keys: {
      i_hs: traffic(i_hs, setup.suite),
      r_hs: traffic(r_hs, setup.suite),
      i_ap: traffic(i_ap, setup.suite),
      r_ap: traffic(r_ap, setup.suite)
    },
    sessionId: hex(sessionId),
    exports: EXPORTS.map(({ label, context, length }) => {
      const out = exported(exp, Buffer.from(label), Buffer.from(context), length)
      return { label, context, length, out: hex(out) }
    }),
    after
  }
}

export const handshakeFile = (): HandshakeFile => ({
  about: 'stalk/1 handshakes, keys and records. See README.md. The private keys are for tests only.',
  keys: KEYS.map(keyVector),
  vectors: SETUPS.map(handshakeVector)
})

// --- what has to be refused ------------------------------------------------------------------------------

/** Code → alert, as PROTOCOL.md has them. */
const ALERTS = {
  ERR_STALK_NOT_STALK: null,
  ERR_STALK_UNEXPECTED: 1,
  ERR_STALK_REFLECTED: 1,
  ERR_STALK_SAME_ROLE: 1,
  ERR_STALK_BAD_RECORD: 2,
  ERR_STALK_OVERFLOW: 3,
  ERR_STALK_DECODE: 4,
  ERR_STALK_NOTHING_IN_COMMON: 5,
  ERR_STALK_BAD_KEY: 6,
  ERR_STALK_BAD_SIGNATURE: 6,
  ERR_STALK_BAD_FINISHED: 6,
  ERR_STALK_BAD_TICKET: 6,
  ERR_STALK_IDENTITY_REQUIRED: 7,
  ERR_STALK_REJECTED: null,
  ERR_STALK_PEER_ALERT: null,
  ERR_STALK_PEER_BUSY: null,
  ERR_STALK_BAD_MESSAGE: 11
} as const

type Code = keyof typeof ALERTS
type Short = Code extends `ERR_STALK_${infer Rest}` ? Rest : never

type Negative = Omit<NegativeVector, 'handshake' | 'to' | 'code' | 'alert' | 'asked'>

/** What is refused without the policy having been asked. */
const refused = (
  setup: Setup,
  to: 'initiator' | 'responder',
  short: Short,
  { name, place, record: sent }: Negative
): NegativeVector => {
  const code: Code = `ERR_STALK_${short}`
  const asked = to === 'initiator' ? place === 'M5' || typeof place === 'number' : typeof place === 'number'
  return { name, handshake: setup.name, to, place, record: sent, code, alert: ALERTS[code], asked }
}

const named = (name: string): Setup => there(SETUPS.find(setup => setup.name === name))

const MUTUAL = named('mutual, Ed25519, GCM')
const RESPONDER_ONLY = named('responder-only, Ed25519, GCM')
const ANONYMOUS = named('anonymous, Ed25519, GCM')
const RSA = named('mutual, RSA, GCM')

const put =
  (at: number, inserted: Buffer) =>
  (body: Buffer): Buffer =>
    Buffer.concat([body.subarray(0, at), inserted, body.subarray(at + inserted.length)])

function flipped(whole: Buffer, bit: number): Buffer {
  const copy = Buffer.from(whole)
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (0x80 >> (bit & 7)), bit >> 3)
  return copy
}

const more = (body: Buffer): Buffer => Buffer.concat([body, bytes('00')])
const less = (body: Buffer): Buffer => body.subarray(0, -1)
const flipFirst = (body: Buffer): Buffer => flipped(body, 0)

interface Fields {
  readonly versions?: readonly number[]
  readonly suites?: readonly number[]
  readonly sigs?: readonly number[]
  readonly end?: Buffer
}

/** M1's body with other lists or another end. */
const m1With =
  ({ versions = [1], suites = [1, 0x5a6a], sigs = [1, 2], end = bytes('00') }: Fields) =>
  (body: Buffer): Buffer =>
    Buffer.concat([
      text('STLK'),
      list(2, versions),
      body.subarray(7, 39), // random
      list(2, suites),
      list(1, sigs),
      body.subarray(-33, -1), // share
      end
    ])

const ticket = (length: number): Buffer =>
  Buffer.concat([bytes('01'), vector(Buffer.alloc(length, 0xdd)), Buffer.alloc(32, 0xcc)])

// Points of order 1, 2, 4 and 8, and encodings that are not canonical.
const LOW_ORDER = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '00000000000000000000000000000000000000000000000000000000000000' + '80'
]

function negativeM1(): NegativeVector[] {
  const share = (low: string) => (body: Buffer) => put(body.length - 33, bytes(low))(body)
  const cases: [Short, string, (body: Buffer) => Buffer][] = [
    ['NOT_STALK', 'another magic', put(0, text('STLL'))],
    ['DECODE', 'one byte less', less],
    ['DECODE', 'one byte more', more],
    ['DECODE', 'no versions', m1With({ versions: [] })],
    ['DECODE', 'no suites', m1With({ suites: [] })],
    ['DECODE', 'no signature algorithms', m1With({ sigs: [] })],
    ['DECODE', 'a version twice', m1With({ versions: [1, 1] })],
    ['DECODE', 'a suite twice', m1With({ suites: [1, 2, 1] })],
    ['DECODE', 'a grease id twice', m1With({ suites: [1, 0x0a0a, 0x0a0a] })],
    ['DECODE', 'an unknown algorithm twice', m1With({ sigs: [1, 9, 9] })],
    ['DECODE', 'psk 2', m1With({ end: bytes('02') })],
    ['DECODE', 'psk 1 without a ticket', m1With({ end: bytes('01') })],
    ['DECODE', 'an empty ticket', m1With({ end: ticket(0) })],
    ['DECODE', 'a ticket of 513 bytes', m1With({ end: ticket(513) })],
    ['DECODE', 'a ticket without its binder', m1With({ end: less(ticket(8)) })],
    ['OVERFLOW', '1,025 bytes', body => Buffer.concat([body, Buffer.alloc(1025 - body.length)])],
    ['NOTHING_IN_COMMON', 'unknown versions', m1With({ versions: [2, 3] })],
    ['NOTHING_IN_COMMON', 'unknown suites', m1With({ suites: [9, 0x5a6a] })],
    ['NOTHING_IN_COMMON', 'grease alone', m1With({ suites: [0x5a6a] })],
    ['NOTHING_IN_COMMON', "no algorithm for the responder's key", m1With({ sigs: [2] })],
    ...LOW_ORDER.map((low): [Short, string, (body: Buffer) => Buffer] => [
      'BAD_KEY',
      `a share of small order, ${low.slice(0, 4)}…${low.slice(-2)}`,
      share(low)
    ])
  ]
  const { responder } = run(MUTUAL)
  const reflected = [
    ['REFLECTED', "the responder's own random", put(7, responder.random)],
    [
      'REFLECTED',
      "the responder's own share",
      (body: Buffer) => share(hex(shareOf(responder.privateKey)))(body)
    ]
  ] as const
  const bodies = [...cases, ...reflected].map(([short, name, hello]) =>
    refused(MUTUAL, 'responder', short, {
      name,
      place: 'M1',
      record: hex(initiatorOf(MUTUAL, { hello }).m1())
    })
  )
  const whole = (name: string, short: Short, sent: Buffer): NegativeVector =>
    refused(MUTUAL, 'responder', short, { name, place: 'M1', record: hex(sent) })
  return [
    ...bodies,
    whole('an M2', 'NOT_STALK', run(MUTUAL).records.M2),
    whole('an alert in clear', 'NOT_STALK', record(0xe3, bytes('06'))),
    whole('a line of HTTP', 'NOT_STALK', text('GET / HTTP/1.1\r\n'))
  ]
}

function negativeM2(): NegativeVector[] {
  const { initiator, records } = run(MUTUAL)
  const grease = there(offer(MUTUAL).find(id => (id & 0x0f0f) === 0x0a0a))
  const cases: [Short, string, (body: Buffer) => Buffer][] = [
    ['NOT_STALK', 'another magic', put(0, text('stlk'))],
    ['DECODE', 'one byte less', less],
    ['OVERFLOW', 'one byte more', more],
    ['UNEXPECTED', 'a version that was not offered', put(4, integer(2, 2))],
    ['UNEXPECTED', 'an unknown suite', put(38, integer(2, 0x1234))],
    ['UNEXPECTED', 'the grease id that was offered', put(38, integer(2, grease))],
    ['UNEXPECTED', 'psk 1 without an offer', put(72, integer(1, 1))],
    ['DECODE', 'psk 2', put(72, integer(1, 2))],
    ['REFLECTED', "the initiator's own random", put(6, initiator.random)],
    ['REFLECTED', "the initiator's own share", put(40, shareOf(initiator.privateKey))],
    ...LOW_ORDER.map((low): [Short, string, (body: Buffer) => Buffer] => [
      'BAD_KEY',
      `a share of small order, ${low.slice(0, 4)}…${low.slice(-2)}`,
      put(40, bytes(low))
    ])
  ]
  const bodies = cases.map(([short, name, hello]) => {
    const sent = responderOf(MUTUAL, { hello }).m2(records.M1)
    return refused(MUTUAL, 'initiator', short, { name, place: 'M2', record: hex(sent) })
  })
  const whole = (name: string, short: Short, sent: Buffer): NegativeVector =>
    refused(MUTUAL, 'initiator', short, { name, place: 'M2', record: hex(sent) })
  const other = initiatorOf(RSA).m1()
  return [
    ...bodies,
    whole("the initiator's own M1", 'REFLECTED', records.M1),
    whole("another initiator's M1", 'SAME_ROLE', other),
    whole('an alert in clear: authentication failed', 'REJECTED', record(0xe3, bytes('06'))),
    whole('an alert in clear: nothing in common', 'PEER_ALERT', record(0xe3, bytes('05'))),
    whole('an alert in clear that is unknown', 'DECODE', record(0xe3, bytes('c8'))),
    whole('an alert in clear without a code', 'DECODE', record(0xe3, NONE)),
    whole('a close in clear', 'DECODE', record(0xe3, bytes('00'))),
    whole('an alert in clear of two bytes', 'OVERFLOW', record(0xe3, bytes('0606'))),
    whole('M3 at once', 'NOT_STALK', records.M3)
  ]
}

// A group order of Ed25519's base point (RFC 8032, section 5.1).
const L = 2n ** 252n + 27742317777372353535851937790883648493n
const littleEndian = (value: bigint): Buffer => integer(32, value).reverse()

/** S + L in the place of S: the equation still holds. */
function malleated(signature: Buffer): Buffer {
  const s = BigInt(`0x${hex(Buffer.from(signature.subarray(32)).reverse())}`)
  return Buffer.concat([signature.subarray(0, 32), littleEndian(s + L)])
}

interface PssFault {
  readonly saltBytes?: number
  readonly hash?: string
  readonly mgfHash?: string
}

/** RSASSA-PSS (RFC 8017, section 9.1.1) with a salt that is no secret, so that the same comes out in each run. */
function pss(
  input: Buffer,
  key: KeyPair,
  { saltBytes = 32, hash = 'sha256', mgfHash = hash }: PssFault
): Buffer {
  const salt = Buffer.alloc(saltBytes, 0x5a)
  const digest = (...parts: Uint8Array[]): Buffer => createHash(hash).update(Buffer.concat(parts)).digest()
  const h = digest(Buffer.alloc(8), digest(input), salt)
  const db = Buffer.alloc(256 - h.length - 1)
  db[db.length - salt.length - 1] = 1
  salt.copy(db, db.length - salt.length)
  const mask = mgf1(h, db.length, mgfHash)
  const masked = db.map((byte, index) => byte ^ (mask[index] as number))
  masked[0] = (masked[0] as number) & 0x7f // the message is a bit shorter than the modulus
  const encoded = Buffer.concat([masked, h, bytes('bc')])
  return privateEncrypt({ key: key.privateKey, padding: constants.RSA_NO_PADDING }, encoded)
}

/** RFC 8017, appendix B.2.1. */
function mgf1(seed: Buffer, length: number, hash: string): Buffer {
  const blocks = Array.from({ length: Math.ceil(length / 20) }, (_, counter) =>
    createHash(hash).update(seed).update(integer(4, counter)).digest()
  )
  return Buffer.concat(blocks).subarray(0, length)
}

const PSS_FAULTS: Readonly<Record<string, PssFault>> = {
  'PSS without a salt': { saltBytes: 0 },
  'PSS with a salt of 31 bytes': { saltBytes: 31 },
  'PSS with a salt of 33 bytes': { saltBytes: 33 },
  'PSS with SHA-384 and a salt of 32 bytes': { hash: 'sha384' },
  'PSS whose mask is made with SHA-1': { mgfHash: 'sha1' }
}

/** Only what is wrong with them makes them wrong. */
function faultsOfPss(key: KeyPair): typeof PSS_FAULTS {
  const options = {
    key: createPublicKey(key.privateKey),
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: 32
  }
  if (!nodeVerify('sha256', NONE, options, pss(NONE, key, {})))
    throw new Error('a good PSS signature is not one')
  return PSS_FAULTS
}

type FlightCase = readonly [
  short: Short,
  name: string,
  faults: Faults,
  setup?: Setup,
  more?: Partial<PuppetOptions>
]

/** What both flights have in common. `role` is the sender's. */
function flightCases(role: 'initiator' | 'responder', owner: NamedKey, rsaOwner: NamedKey): FlightCase[] {
  const other = role === 'initiator' ? 'responder' : 'initiator'
  const lead = role === 'responder' ? bytes('01 01 01') : NONE // want and sigs
  const identity = (alg: number, key: Buffer) => (): Buffer =>
    Buffer.concat([lead, integer(1, alg), vector(key), integer(4, 65_536)])
  const key = owner.raw.bytes
  const modulus = rsaOwner.raw.bytes
  const sign = (input: Buffer): Buffer => signatureOf(owner.privateKey, input)
  const join = (all: readonly Buffer[]): Buffer => Buffer.concat(all)
  return [
    ['UNEXPECTED', 'kind 02', { inner: () => innerOf(2, MESSAGES, 2048) }],
    ['UNEXPECTED', 'kind 42', { inner: () => innerOf(0x42, NONE, 2048) }],
    ['UNEXPECTED', 'an inner of 2,047 bytes', { inner: less }],
    ['OVERFLOW', 'an inner of 2,049 bytes', { inner: more }],
    ['UNEXPECTED', 'an inner without padding', { inner: inner => innerOf(1, inner.subarray(0, 200)) }],
    ['BAD_RECORD', 'an inner of zeros', { inner: () => Buffer.alloc(2048) }],
    ['UNEXPECTED', 'no messages', { content: () => NONE }],
    ['UNEXPECTED', 'no identity', { content: all => join(all.slice(1)) }],
    ['UNEXPECTED', 'no Finished', { content: all => join(all.slice(0, -1)) }],
    ['UNEXPECTED', 'its messages reversed', { content: all => join([...all].reverse()) }],
    ['UNEXPECTED', 'its messages twice', { content: all => join([...all, ...all]) }],
    ['UNEXPECTED', 'an Accept behind it', { content: all => join([...all, message(7, NONE)]) }],
    ['DECODE', 'one byte behind it', { content: all => more(join(all)) }],
    ['DECODE', 'an unknown algorithm for its key', { identity: identity(3, key) }],
    ['DECODE', 'a key without an algorithm', { identity: identity(0, key) }],
    ['DECODE', 'a key of 513 bytes', { identity: identity(2, Buffer.alloc(513, 0x81)) }],
    ['DECODE', 'a byte behind the identity', { identity: more }],
    ['BAD_KEY', 'an RSA modulus said to be Ed25519', { identity: identity(1, modulus) }],
    ['BAD_KEY', 'an Ed25519 key said to be RSA', { identity: identity(2, key) }],
    [
      'BAD_KEY',
      'an Ed25519 key of small order',
      { identity: identity(1, put(0, bytes('01'))(Buffer.alloc(32))) }
    ],
    ['BAD_KEY', 'an Ed25519 key with y = p', { identity: identity(1, bytes(`ed${'ff'.repeat(30)}7f`)) }],
    ['BAD_KEY', 'an even modulus', { identity: identity(2, Buffer.concat([less(modulus), bytes('02')])) }],
    [
      'BAD_KEY',
      'a modulus with a leading zero',
      { identity: identity(2, Buffer.concat([bytes('00'), modulus])) }
    ],
    ['BAD_KEY', 'a modulus of 255 bytes', { identity: identity(2, modulus.subarray(1)) }],
    ['BAD_KEY', 'a modulus of 2,047 bits', { identity: identity(2, put(0, bytes('7f'))(modulus)) }],
    ['UNEXPECTED', 'an identity without a proof', { signature: () => null }],
    ['UNEXPECTED', 'a proof without an identity', { signature: () => Buffer.alloc(64) }, ANONYMOUS],
    ['BAD_SIGNATURE', 'an empty signature', { signature: () => NONE }],
    ['BAD_SIGNATURE', 'a flipped bit of the signature', { signature: input => flipped(sign(input), 9) }],
    ['BAD_SIGNATURE', 'S + L in the signature', { signature: input => malleated(sign(input)) }],
    ['BAD_SIGNATURE', 'a byte behind the signature', { signature: input => more(sign(input)) }],
    ['BAD_SIGNATURE', "another's signature", { signature: input => signatureOf(MALLORY.privateKey, input) }],
    [
      'BAD_SIGNATURE',
      "a signature in the other role's context",
      { signature: input => sign(signed(other, input.subarray(-32))) }
    ],
    [
      'BAD_SIGNATURE',
      'a signature of another transcript',
      { signature: input => sign(flipped(input, 8 * 90)) }
    ],
    ...Object.entries(faultsOfPss(rsaOwner)).map(
      ([name, fault]): FlightCase => [
        'BAD_SIGNATURE',
        name,
        { signature: input => pss(input, rsaOwner, fault) },
        RSA
      ]
    ),
    [
      'BAD_SIGNATURE',
      'PKCS#1 v1.5',
      { signature: input => nodeSign('sha256', input, rsaOwner.privateKey) },
      RSA
    ],
    ['DECODE', 'a signature of 513 bytes', { proof: () => vector(Buffer.alloc(513)) }],
    ['DECODE', 'a byte behind the proof', { proof: more }],
    ['BAD_FINISHED', 'a flipped bit of Finished', { finished: flipFirst }],
    ['BAD_FINISHED', 'a flipped bit of Finished, anonymous', { finished: flipFirst }, ANONYMOUS],
    ['BAD_FINISHED', 'a Finished of 31 bytes', { finished: less }],
    ['BAD_FINISHED', 'a Finished of 33 bytes', { finished: more }],
    [
      'BAD_SIGNATURE',
      'a bad signature and a bad Finished',
      { signature: () => Buffer.alloc(64), finished: less }
    ]
  ]
}

function negativeM3(): NegativeVector[] {
  const own: FlightCase[] = [
    ['DECODE', 'want 3', { identity: put(0, bytes('03')) }],
    [
      'DECODE',
      'no signature algorithms',
      { identity: body => Buffer.concat([bytes('01 00'), body.subarray(4)]) }
    ],
    [
      'DECODE',
      'an algorithm twice',
      { identity: body => Buffer.concat([bytes('01 02 01 01'), body.subarray(4)]) }
    ],
    ['NOTHING_IN_COMMON', "no algorithm for the initiator's key", {}, MUTUAL, { sigs: [2] }],
    ['IDENTITY_REQUIRED', 'want 2, to an anonymous initiator', {}, RESPONDER_ONLY, { want: 2 }]
  ]
  const forged = [...flightCases('responder', BOB, RSA_BOB), ...own].map(
    ([short, name, faults, setup = MUTUAL, options]) => {
      const responder = responderOf(setup, faults, options)
      responder.m2(run(setup).records.M1)
      const vector = refused(setup, 'initiator', short, { name, place: 'M3', record: hex(responder.m3()) })
      // These two are found after the trust policy was asked.
      return { ...vector, asked: short === 'NOTHING_IN_COMMON' || short === 'IDENTITY_REQUIRED' }
    }
  )
  const { responder, records } = run(MUTUAL)
  const fresh = responderOf(MUTUAL)
  fresh.m2(records.M1)
  const whole = (name: string, short: Short, sent: Buffer): NegativeVector =>
    refused(MUTUAL, 'initiator', short, { name, place: 'M3', record: hex(sent) })
  return [
    ...forged,
    whole('M2 again', 'UNEXPECTED', records.M2),
    whole('an alert in clear', 'UNEXPECTED', record(0xe3, bytes('06'))),
    whole('an application record', 'UNEXPECTED', responder.m5()),
    whole('a sealed alert: authentication failed', 'REJECTED', fresh.alert(6)),
    whole("another handshake's M3", 'BAD_RECORD', run(ANONYMOUS).records.M3)
  ]
}

function negativeM4(): NegativeVector[] {
  const own: FlightCase[] = [
    ['UNEXPECTED', 'an identity that was not asked for', {}, RESPONDER_ONLY, { identity: ALICE }],
    [
      'BAD_SIGNATURE',
      'an identity that was not asked for, with a bad signature',
      { signature: () => Buffer.alloc(64) },
      RESPONDER_ONLY,
      { identity: ALICE }
    ],
    [
      'IDENTITY_REQUIRED',
      'no identity where one is required',
      { signature: () => null },
      MUTUAL,
      { identity: null }
    ],
    [
      'BAD_FINISHED',
      'no identity where one is required, with a bad Finished',
      { signature: () => null, finished: flipFirst },
      MUTUAL,
      { identity: null }
    ]
  ]
  const forged = [...flightCases('initiator', ALICE, RSA_ALICE), ...own].map(
    ([short, name, faults, setup = MUTUAL, options]) => {
      const { M2, M3 } = run(setup).records
      const signing = options?.identity ? stable(ALICE) : {}
      const initiator = initiatorOf(setup, { ...signing, ...faults }, options)
      initiator.m1()
      initiator.takeM2(M2)
      initiator.takeM3(M3)
      return refused(setup, 'responder', short, { name, place: 'M4', record: hex(initiator.m4()) })
    }
  )
  const { initiator, records } = run(MUTUAL)
  const fresh = initiatorOf(MUTUAL)
  fresh.m1()
  fresh.takeM2(records.M2)
  const whole = (name: string, short: Short, sent: Buffer): NegativeVector =>
    refused(MUTUAL, 'responder', short, { name, place: 'M4', record: hex(sent) })
  return [
    ...forged,
    whole('M1 again', 'UNEXPECTED', records.M1),
    whole("the responder's own M3", 'BAD_RECORD', records.M3),
    whole('early data', 'UNEXPECTED', initiator.open.outbound.seal(innerOf(2, MESSAGES))),
    whole('an alert in clear: unexpected', 'PEER_ALERT', record(0xe3, bytes('01'))),
    whole('a sealed alert: an identity is required', 'REJECTED', fresh.alert(7)),
    whole("another handshake's M4", 'BAD_RECORD', run(ANONYMOUS).records.M4)
  ]
}

function negativeM5(): NegativeVector[] {
  const accept = innerOf(1, message(7, NONE))
  const cases: [Short, string, (responder: ResponderPuppet) => Buffer][] = [
    ['UNEXPECTED', 'an Accept with a body', it => it.m5(innerOf(1, message(7, bytes('00'))))],
    ['UNEXPECTED', 'two Accepts', it => it.m5(innerOf(1, bytes('070000 070000')))],
    ['UNEXPECTED', 'a flight without messages', it => it.m5(innerOf(1, NONE))],
    ['UNEXPECTED', 'another message', it => it.m5(innerOf(1, message(3, Buffer.alloc(32))))],
    ['UNEXPECTED', 'messages', it => it.m5(innerOf(2, MESSAGES))],
    ['UNEXPECTED', 'a close', it => it.m5(innerOf(5, CLOSE))],
    ['UNEXPECTED', 'an alert under application keys', it => it.m5(innerOf(5, bytes('06')))],
    ['DECODE', 'an Accept that is cut', it => it.m5(innerOf(1, bytes('0700')))],
    ['BAD_RECORD', 'an inner of zeros', it => it.m5(Buffer.alloc(4))],
    ['UNEXPECTED', "an Accept under the handshake's keys", it => it.handshake.outbound.seal(accept)],
    ['BAD_RECORD', "an Accept under the initiator's keys", it => it.open.inbound.seal(accept)],
    ['BAD_RECORD', 'an Accept at sequence 1', it => [it.m5(), it.m5()][1] as Buffer],
    ['REJECTED', 'a sealed alert: authentication failed', it => it.alert(6)],
    ['REJECTED', 'a sealed alert: an identity is required', it => it.alert(7)],
    ['PEER_BUSY', 'a sealed alert: a limit', it => it.alert(9)],
    ['DECODE', 'a sealed alert of two bytes', it => it.alert(6, 6)],
    ['DECODE', 'a sealed close of one byte', it => it.alert(0)],
    ['DECODE', 'a sealed close', it => it.alert(...CLOSE)],
    ['DECODE', 'a sealed alert that is unknown', it => it.alert(200)],
    ['UNEXPECTED', 'an alert in clear', () => record(0xe3, bytes('06'))]
  ]
  return cases.map(([short, name, make]) => {
    const { M1, M4 } = run(MUTUAL).records
    const responder = responderOf(MUTUAL)
    responder.m2(M1)
    responder.m3()
    responder.takeM4(M4)
    return refused(MUTUAL, 'initiator', short, { name, place: 'M5', record: hex(make(responder)) })
  })
}

/** Flips in sealed records, and records that are genuine and come at the wrong time; under every suite. */
function negativeRecords(): NegativeVector[] {
  return SUITES.flatMap(([, short]) => {
    const setup = named(`mutual, Ed25519, ${short}`)
    const made = run(setup)
    const after = afterwards(setup, made)
    const whole = [
      ['M3', 'initiator', made.records.M3],
      ['M4', 'responder', made.records.M4],
      ['M5', 'initiator', made.records.M5],
      [0, 'responder', bytes(after[0]?.record ?? '')],
      [1, 'initiator', bytes(after[1]?.record ?? '')]
    ] as const
    const flips = whole.flatMap(([place, to, genuine]) =>
      [
        ['first bit of the ciphertext', 32],
        ['last bit of the tag', genuine.length * 8 - 1]
      ].map(([name, bit]) => {
        const sent = hex(flipped(genuine, Number(bit)))
        return refused(setup, to, 'BAD_RECORD', { name: `the ${name} flipped`, place, record: sent })
      })
    )
    const again = (
      to: 'initiator' | 'responder',
      place: number,
      sent: string,
      name: string
    ): NegativeVector => refused(setup, to, 'BAD_RECORD', { name, place, record: sent })
    return [
      ...flips,
      again('responder', 2, after[0]?.record ?? '', 'a record again'),
      again('responder', 0, after[2]?.record ?? '', 'a record too early'),
      again('responder', 0, after[1]?.record ?? '', "the responder's own record"),
      again('initiator', 1, hex(made.records.M5), 'Accept again')
    ]
  })
}

/** A record of a kind, in the place of that one of `after`, under the keys that its sender has by then. */
function instead(
  setup: Setup,
  place: number,
  short: Short,
  name: string,
  seal: (outbound: Direction) => Buffer
): NegativeVector {
  const made = run(setup)
  afterwards(setup, made, place)
  const { from } = there(linesOf(setup)[place])
  const to = from === 'initiator' ? 'responder' : 'initiator'
  return refused(setup, to, short, { name, place, record: hex(seal(made[from].open.outbound)) })
}

type ControlCase = readonly [short: Short, name: string, kind: number, content: Buffer]

/** What may not come as the first record of either side: nobody has asked for anything. */
const UNASKED: readonly ControlCase[] = [
  ['DECODE', 'an empty ping', 8, NONE],
  ['DECODE', 'a ping of 7 bytes', 8, less(PINGS[0])],
  ['DECODE', 'a ping of 9 bytes', 8, more(PINGS[0])],
  ['DECODE', 'a ping of zero bytes', 8, FINAL],
  ['UNEXPECTED', 'a pong that nobody asked for', 9, pongOf(PINGS[0], 0)],
  ['UNEXPECTED', 'a final pong before the closes', 9, pongOf(FINAL, 0)],
  ['DECODE', 'an empty key update', 6, NONE],
  ['DECODE', 'a key update of two bytes', 6, bytes('0100')],
  ['DECODE', 'a key update of value 2', 6, bytes('02')],
  ['DECODE', 'a key update of value 255', 6, bytes('ff')],
  ['UNEXPECTED', 'an answer to a key update that nobody asked for', 6, bytes('00')],
  ...ANNOUNCEMENTS.map(([name, content]): ControlCase => ['BAD_MESSAGE', name, 10, content]),
  ['UNEXPECTED', 'an unknown kind', 11, NONE]
]

const ASKS = named('mutual, Ed25519, GCM')
const IS_ASKED = named('mutual, Ed25519, ChaCha')
const IS_ANNOUNCED = named('responder-only, Ed25519, GCM')
const IS_ANNOUNCED_MOST = named('initiator-only, Ed25519, ChaCha')

/** Wrong answers to the initiator, and what the initiator may not send behind its close: places of `after`. */
const ASKED: readonly (readonly [setup: Setup, place: number, ...ControlCase])[] = [
  [
    ASKS,
    0,
    'UNEXPECTED',
    'a ticket',
    7,
    Buffer.concat([integer(4, 60), Buffer.alloc(16), vector(bytes('dd'))])
  ],
  [ASKS, 3, 'UNEXPECTED', 'a pong of another value', 9, pongOf(PINGS[1], 2)],
  [ASKS, 3, 'UNEXPECTED', 'a final pong in the place of a pong', 9, pongOf(FINAL, 2)],
  [ASKS, 3, 'DECODE', 'a pong without a count', 9, PINGS[0]],
  [ASKS, 3, 'DECODE', 'a pong of 15 bytes', 9, less(pongOf(PINGS[0], 2))],
  [ASKS, 3, 'DECODE', 'a pong of 17 bytes', 9, more(pongOf(PINGS[0], 2))],
  [ASKS, 3, 'UNEXPECTED', 'a pong that counts more than was sent', 9, pongOf(PINGS[0], 3)],
  [ASKS, 3, 'UNEXPECTED', 'an answer to a key update in the place of a pong', 6, bytes('00')],
  [ASKS, 6, 'UNEXPECTED', 'a pong again', 9, pongOf(PINGS[0], 2)],
  [ASKS, 8, 'UNEXPECTED', 'an answer to a key update again', 6, bytes('00')],
  [ASKS, 10, 'UNEXPECTED', 'the pong of an earlier ping', 9, pongOf(PINGS[0], 4)],
  [ASKS, 10, 'UNEXPECTED', 'a pong that counts less than an earlier one', 9, pongOf(PINGS[1], 1)],
  [IS_ASKED, 6, 'UNEXPECTED', 'a close within a message', 5, CLOSE],
  [IS_ASKED, 6, 'UNEXPECTED', 'shapes within a message', 10, GOOD],
  [IS_ASKED, 10, 'UNEXPECTED', 'shapes behind the close', 10, GOOD],
  [IS_ASKED, 10, 'UNEXPECTED', 'a ping behind the close', 8, PINGS[0]],
  [IS_ASKED, 10, 'UNEXPECTED', 'a request for a key update behind the close', 6, bytes('01')],
  [IS_ASKED, 10, 'UNEXPECTED', 'messages behind the close', 2, MESSAGES],
  [IS_ASKED, 10, 'UNEXPECTED', 'a close again', 5, CLOSE],
  [IS_ASKED, 10, 'UNEXPECTED', 'a pong of another value behind the close', 9, pongOf(PINGS[0], 2)],
  [IS_ASKED, 10, 'UNEXPECTED', "a final pong before the responder's close", 9, pongOf(FINAL, 2)],
  [IS_ASKED, 12, 'UNEXPECTED', 'a request in the place of an answer, behind the close', 6, bytes('01')]
]

/** Behind shapes, or with some. */
const SHAPED: typeof ASKED = [
  ...USES.map(([name, content]) => [IS_ANNOUNCED, 1, 'BAD_MESSAGE', name, 2, content] as const),
  ...LATER.map(([name, content]) => [IS_ANNOUNCED, 1, 'BAD_MESSAGE', name, 10, content] as const),
  [IS_ANNOUNCED, 5, 'BAD_MESSAGE', 'the number 65 as 41, behind a key update', 2, bytes('91 41')],
  [IS_ANNOUNCED, 5, 'BAD_MESSAGE', 'shape 0 again behind a key update', 10, GOOD],
  [IS_ANNOUNCED, 8, 'UNEXPECTED', 'shapes between fragments', 10, bytes('03 01 01 01 61')],
  [IS_ANNOUNCED, 8, 'BAD_MESSAGE', 'an object of a shape without its last value, in fragments', 4, CUT],
  [IS_ANNOUNCED_MOST, 5, 'BAD_MESSAGE', 'a 33rd shape', 10, THE_33RD]
]

function negativeControls(): NegativeVector[] {
  const sealing = (kind: number, content: Buffer) => (outbound: Direction) =>
    outbound.seal(innerOf(kind, content))
  return [
    ...UNASKED.flatMap(([short, name, kind, content]) =>
      [0, 1].map(place => instead(ASKS, place, short, name, sealing(kind, content)))
    ),
    ...[...ASKED, ...SHAPED].map(([setup, place, short, name, kind, content]) =>
      instead(setup, place, short, name, sealing(kind, content))
    )
  ]
}

/** Records under a key that is over, or not yet to be used; under every suite, to both sides. */
function negativeKeys(): NegativeVector[] {
  const sealed = innerOf(2, MESSAGES)
  return SUITES.flatMap(([, short]) => {
    const setup = named(`mutual, Ed25519, ${short}`)
    const lines = linesOf(setup)
    const bad = (place: number, name: string, seal: (outbound: Direction) => Buffer): NegativeVector =>
      instead(setup, place, 'BAD_RECORD', name, seal)
    return ([I, R] as const).flatMap(role => {
      const update = lines.findIndex(({ from, kind }) => from === role && kind === 6)
      const behind = lines.findIndex(({ from }, index) => from === role && index > update)
      const before = run(setup)
      afterwards(setup, before, update)
      const old = before[role].open.outbound
      old.seal(innerOf(6, NONE, 24)) // where the key update itself was
      return [
        bad(role === I ? 0 : 1, 'a record under the next key without a key update', it =>
          it.next().seal(sealed)
        ),
        bad(behind, 'a record under the old key behind a key update', () => old.seal(sealed)),
        bad(
          behind,
          'a record at sequence 1 right behind a key update',
          it => [it.seal(sealed), it.seal(sealed)][1] as Buffer
        )
      ]
    })
  })
}

// --- resumption: what only a ticket can make wrong -----------------------------------------------------------

const TICKETS = named('mutual, Ed25519, GCM, tickets')
const RESUMED = named('mutual, Ed25519, GCM, resumed')
const NOT_RESUMED = named('mutual, Ed25519, GCM, not resumed')
const RESUMED_RESPONDER_ONLY = named('responder-only, Ed25519, GCM, resumed')
const RESUMED_INITIATOR_ONLY = named('initiator-only, Ed25519, GCM, resumed')
const RESUMED_ANONYMOUS = named('anonymous, Ed25519, GCM, resumed')

function negativeBinders(): NegativeVector[] {
  const { M1 } = run(RESUMED).records
  const { psk } = there(ticketOf(RESUMED) ?? undefined)
  const prologue = prologueFor(RESUMED.app)
  const bound = (binder: Buffer): Buffer => Buffer.concat([M1.subarray(0, -32), binder])
  const over = (...covered: Buffer[]): Buffer => bound(HMAC(binderKey(prologue, psk), H(...covered)))
  const uncounted = record(0xe1, M1.subarray(4, -32))
  const cases: [string, Buffer][] = [
    ['the first bit of the binder flipped', flipped(M1, 8 * (M1.length - 32))],
    ['the last bit of the binder flipped', flipped(M1, 8 * M1.length - 1)],
    ['a bit of random flipped, the binder left as it was', flipped(M1, 8 * 11)],
    ['a binder under 32 zero bytes', bound(binderOf(prologue, Buffer.alloc(32), M1))],
    ['a binder under the psk of another session', bound(binderOf(prologue, H(psk), M1))],
    ['a binder of another app', bound(binderOf(prologueFor('chess'), psk, M1))],
    ['a binder without the prologue', over(M1.subarray(0, -32))],
    ['a binder over an M1 whose length does not count it', over(prologue, uncounted)],
    ['a binder over the body alone', over(prologue, M1.subarray(4, -32))],
    ['a binder over zeros in its own place', over(prologue, bound(Buffer.alloc(32)))]
  ]
  if (!over(prologue, M1.subarray(0, -32)).equals(M1)) throw new Error('a good binder is not one')
  return cases.map(([name, sent]) =>
    refused(RESUMED, 'responder', 'BAD_TICKET', { name, place: 'M1', record: hex(sent) })
  )
}

function negativeChoices(): NegativeVector[] {
  const { M1 } = run(RESUMED).records
  const cases: [Short, string, (body: Buffer) => Buffer][] = [
    ['UNEXPECTED', "psk 1 and a suite that is not the ticket's", put(38, integer(2, 2))],
    ['DECODE', 'psk 2, where a ticket was offered', put(72, integer(1, 2))]
  ]
  return cases.map(([short, name, hello]) => {
    const sent = responderOf(RESUMED, { hello }).m2(M1)
    return refused(RESUMED, 'initiator', short, { name, place: 'M2', record: hex(sent) })
  })
}

/** A puppet that has come so far that its flight is next, and what makes the flight. */
function aboutToSpeak(
  role: Role,
  setup: Setup,
  faults: Faults,
  more: Partial<PuppetOptions>
): [Puppet, () => Buffer] {
  const { M1, M2, M3 } = run(setup).records
  if (role === 'responder') {
    const responder = responderOf(setup, faults, more)
    responder.m2(M1)
    return [responder, () => responder.m3()]
  }
  const initiator = initiatorOf(setup, faults, more)
  initiator.m1()
  initiator.takeM2(M2)
  initiator.takeM3(M3)
  return [initiator, () => initiator.m4()]
}

/** Keys of the handshake as they would be with another psk. */
function otherSecrets(setup: Setup, role: Role, psk: Buffer): { traffic: Buffer; finished: Buffer } {
  const { initiator } = run(setup)
  const secrets = handshakeSecrets(prologueFor(setup.app), initiator.shared, there(initiator.hashes.th1), psk)
  return role === 'initiator'
    ? { traffic: secrets.i_hs, finished: secrets.fin_i }
    : { traffic: secrets.r_hs, finished: secrets.fin_r }
}

type ResumedCase = readonly [
  short: Short,
  name: string,
  setup: Setup,
  faults?: Faults,
  more?: Partial<PuppetOptions>
]

function resumedCases(role: Role, owner: NamedKey, other: NamedKey, rsaOwner: NamedKey): ResumedCase[] {
  const sign = (input: Buffer): Buffer => signatureOf(owner.privateKey, input)
  const unnamed = role === 'responder' ? RESUMED_INITIATOR_ONLY : RESUMED_RESPONDER_ONLY
  return [
    ['BAD_TICKET', "an identity that is not the ticket's", RESUMED, {}, { identity: MALLORY }],
    ['BAD_TICKET', "the peer's own identity", RESUMED, {}, { identity: other }],
    ['BAD_TICKET', "an identity of another algorithm than the ticket's", RESUMED, {}, { identity: rsaOwner }],
    ['BAD_TICKET', 'no identity, where the ticket has one', RESUMED, {}, { identity: null }],
    ['BAD_TICKET', 'an identity, where the ticket has none', unnamed, {}, { identity: owner }],
    [
      'BAD_TICKET',
      'an identity, where the ticket has none at all',
      RESUMED_ANONYMOUS,
      {},
      { identity: owner }
    ],
    [
      'BAD_TICKET',
      "an identity that is not the ticket's, and a bad Finished",
      RESUMED,
      { finished: flipFirst },
      { identity: MALLORY }
    ],
    ['UNEXPECTED', 'a proof where psk is 1', RESUMED, { signature: sign }],
    [
      'UNEXPECTED',
      'a proof where psk is 1 and nobody has an identity',
      RESUMED_ANONYMOUS,
      { signature: sign }
    ],
    [
      'UNEXPECTED',
      'no proof where a ticket was offered and psk is 0',
      NOT_RESUMED,
      { signature: () => null }
    ],
    ['BAD_FINISHED', 'a flipped bit of Finished where psk is 1', RESUMED, { finished: flipFirst }]
  ]
}

/** Flights that are made with the other psk than M2 says: the ticket's where it is 0, zeros where it is 1. */
function otherPskCases(role: Role): [Short, string, Setup, Buffer][] {
  return [RESUMED, NOT_RESUMED].flatMap((setup): [Short, string, Setup, Buffer][] => {
    const psk = isResumed(setup) ? Buffer.alloc(32) : there(ticketOf(setup) ?? undefined).psk
    const what = isResumed(setup) ? 'psk 0, where it is 1' : 'psk 1, where it is 0'
    const { traffic: secret, finished } = otherSecrets(setup, role, psk)
    const mac = (): Buffer =>
      HMAC(finished, there(role === 'initiator' ? puppet.hashes.th6 : puppet.hashes.th3))
    const [puppet, speak] = aboutToSpeak(role, setup, { finished: mac }, {})
    const direction = new Direction(0xe5, setup.suite, secret)
    return [
      ['BAD_FINISHED', `a Finished of ${what}`, setup, speak()],
      [
        'BAD_RECORD',
        `a flight under the keys of ${what}`,
        setup,
        direction.seal(innerOf(1, puppet.sent, 2048))
      ]
    ]
  })
}

function negativeResumed(): NegativeVector[] {
  const asking: ResumedCase[] = [
    ['UNEXPECTED', 'want 0, where the ticket has an identity', RESUMED, {}, { want: 0 }],
    ['NOTHING_IN_COMMON', "no algorithm for the ticket's initiator", RESUMED, {}, { sigs: [2] }],
    ['IDENTITY_REQUIRED', 'want 2, where the ticket has none', RESUMED_ANONYMOUS, {}, { want: 2 }]
  ]
  const flight = (role: Role, [short, name, setup, faults = {}, more = {}]: ResumedCase): NegativeVector => {
    const [, speak] = aboutToSpeak(role, setup, faults, more)
    return sentBy(role, short, name, setup, speak())
  }
  const sentBy = (role: Role, short: Short, name: string, setup: Setup, sent: Buffer): NegativeVector =>
    role === 'responder'
      ? refused(setup, I, short, { name, place: 'M3', record: hex(sent) })
      : refused(setup, R, short, { name, place: 'M4', record: hex(sent) })
  return [
    ...negativeBinders(),
    ...negativeChoices(),
    ...resumedCases(R, BOB, ALICE, RSA_BOB).map(each => flight(R, each)),
    ...otherPskCases(R).map(each => sentBy(R, ...each)),
    ...asking.map(each => ({ ...flight(R, each), asked: true })),
    ...resumedCases(I, ALICE, BOB, RSA_ALICE).map(each => flight(I, each)),
    ...otherPskCases(I).map(each => sentBy(I, ...each))
  ]
}

/** Tickets that are not well formed, or come where none may: places of `after`. */
function negativeTickets(): NegativeVector[] {
  const nonce = Buffer.alloc(16, 0xab)
  const good = ticketContent(60, nonce, bytes('dd'))
  const cases: readonly (readonly [place: number, short: Short, name: string, content: Buffer])[] = [
    [0, 'DECODE', 'an empty ticket record', NONE],
    [0, 'DECODE', 'a ticket record that ends with its nonce', good.subarray(0, 20)],
    [0, 'DECODE', 'an empty ticket', ticketContent(60, nonce, NONE)],
    [0, 'DECODE', 'a ticket of 513 bytes', ticketContent(60, nonce, Buffer.alloc(513, 0xdd))],
    [0, 'DECODE', 'a ticket that is cut', less(ticketContent(60, nonce, bytes('dddd')))],
    [0, 'DECODE', 'a byte behind the ticket', more(good)],
    [0, 'DECODE', 'a lifetime of 0', ticketContent(0, nonce, bytes('dd'))],
    [0, 'DECODE', 'a lifetime of 86,401 s', ticketContent(86_401, nonce, bytes('dd'))],
    [0, 'DECODE', 'a lifetime of 2^32 - 1 s', ticketContent(2 ** 32 - 1, nonce, bytes('dd'))],
    [1, 'UNEXPECTED', 'a ticket from the initiator', good],
    [4, 'UNEXPECTED', 'a ticket between fragments', good],
    [11, 'UNEXPECTED', 'a ticket behind the close', good],
    [12, 'UNEXPECTED', 'a ticket from the initiator, behind the close of the responder', good]
  ]
  return cases.map(([place, short, name, content]) =>
    instead(TICKETS, place, short, name, outbound => outbound.seal(innerOf(7, content)))
  )
}

export const negativeFile = (): NegativeFile => ({
  about:
    'Records that have to be refused, each in the place of one of a handshake of handshake.json. See README.md.',
  vectors: [
    ...negativeM1(),
    ...negativeM2(),
    ...negativeM3(),
    ...negativeM4(),
    ...negativeM5(),
    ...negativeRecords(),
    ...negativeControls(),
    ...negativeKeys(),
    ...negativeResumed(),
    ...negativeTickets()
  ]
})

/** The files' text. */
export const asText = (file: HandshakeFile | NegativeFile): string => `${JSON.stringify(file, null, 1)}\n`

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(HANDSHAKE, asText(handshakeFile()))
  writeFileSync(NEGATIVE, asText(negativeFile()))
}
