// The initiator's half of the handshake: M1 out, M2 and M3 in, the verdict, M4 out, Accept in.
// Order of checks at M3: shape, signature (also when nothing is pinned) or the ticket's identity, Finished, trust
// policy; only then M4.

import { wipe } from '../bytes.ts'
import { FLIGHT_INNER_BYTES, KIND, MAX_HELLO_BYTES, TYPE } from '../constants.ts'
import { Ephemeral, HASH_BYTES, type Random } from '../crypto/primitives.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import type { Suite } from '../crypto/suites.ts'
import { enframe, type Frame } from '../wire/frame.ts'
import { Opener, Sealer } from '../wire/record.ts'
import { completeFlight, decodeFlight, signatureInput, Verified } from './flight.ts'
import {
  ask,
  checkAccepted,
  checkReflection,
  failure,
  type Half,
  type HandshakeConfig,
  presentable,
  type Received,
  receive,
  sign,
  throwAlert
} from './handshake.ts'
import {
  decodeInitiatorHello,
  decodeMessages,
  decodeResponderHello,
  decodeResponderIdentity,
  encodeInitiatorHello,
  encodeInitiatorIdentity,
  greaseFrom,
  type InitiatorHello,
  MESSAGE,
  RANDOM_BYTES,
  RESPONDER_HELLO_BYTES,
  type ResponderHello,
  type ResponderIdentity,
  VERSION,
  WANT
} from './messages.ts'
import { bind, type HeldTicket, mayOffer, type Resumable } from './resumption.ts'
import { HandshakeSecrets, trafficKeys } from './schedule.ts'
import { Traffic } from './traffic.ts'
import { prologueOf, Transcript } from './transcript.ts'

const MAY_GREET = {
  [TYPE.responderHello]: RESPONDER_HELLO_BYTES,
  [TYPE.plainAlert]: 1,
  [TYPE.initiatorHello]: MAX_HELLO_BYTES // never right, but the caller is told why
}

export interface InitiatorConfig extends HandshakeConfig {
  /** Gives away, for good, a ticket for a session that `mayOffer`, or null if there is none. */
  takeTicket?(mayOffer: (session: Resumable) => boolean): HeldTicket | null
}

export function* initiator(config: InitiatorConfig): Half {
  // M1
  const prologue = prologueOf(config.app)
  const ephemeral = new Ephemeral(config.random)
  const held = config.takeTicket?.(session => mayOffer(session, config)) ?? null
  const ours = ourHello(config, ephemeral.share, held)
  const m1 = helloOf(ours, prologue, held)

  // M2
  const m2 = yield* receive({ send: [{ clear: m1 }] }, 'the ResponderHello', MAY_GREET)
  const theirs = readHello(m2, ours)
  const suite = agreedSuite(theirs, config.suites)
  const resumed = resumedWith(theirs, held)
  const transcript = new Transcript(prologue).add(enframe(m1), enframe(m2.inner))
  const secrets = new HandshakeSecrets(prologue, ephemeral.agree(theirs.share), transcript.hash, resumed?.psk)
  if (held) wipe(held.session.psk)
  config.disclose?.('handshake', ours.random, secrets.traffic)
  const alertOpener = handshakeOpener(suite, secrets.traffic.responder)
  const sealer = new Sealer(TYPE.sealedHandshake, suite, trafficKeys(secrets.traffic.initiator, suite))

  // M3
  const m3 = yield* receive({ send: [{ key: sealer }], openers: [alertOpener] }, "the responder's flight", {})
  if (m3.inner.type === KIND.alert) throwAlert(m3.inner.body, false)
  const flight = decodeFlight('responder', m3.inner)
  const responder = decodeResponderIdentity(flight.identity.body)
  checkAccepted(responder.identity, config.keyTypes)
  const proof = Verified.flight(
    'responder',
    flight,
    responder.identity,
    transcript,
    secrets.traffic.responder,
    config.verify,
    resumed?.responder
  )
  yield* ask(proof.peer)

  // M4
  const self = identityFor(responder, config.identity, resumed !== null)
  const identity = encodeInitiatorIdentity({ identity: self, maxMessageBytes: config.maxMessageBytes })
  transcript.add(identity)
  const signature = self && !resumed ? yield* sign(signatureInput('initiator', transcript.hash)) : null
  const m4 = completeFlight('initiator', identity, signature, transcript, secrets.traffic.initiator)
  const { traffic, exporter, resumption } = secrets.application(transcript.hash, proof)
  config.disclose?.('application', ours.random, traffic)
  if (!config.takeTicket) resumption.wipe() // nobody keeps sessions
  const inbound = new Traffic(suite, traffic.responder)
  const outbound = new Traffic(suite, traffic.initiator)
  const opener = inbound.opener()

  // M5; until it comes, an alert may come instead, still under the handshake's keys
  const actions = {
    send: [m4, { key: outbound.sealer() }],
    openers: [alertOpener, opener],
    writable: { maxMessageBytes: responder.maxMessageBytes }
  }
  readAccept(yield* receive(actions, 'Accept', {}))
  const peerMaxMessageBytes = responder.maxMessageBytes
  return {
    openers: [opener],
    next: {
      agreed: {
        role: 'initiator',
        version: VERSION,
        suite,
        peer: proof.peer,
        self,
        peerMaxMessageBytes,
        exporter,
        resumed: resumed !== null,
        resumption,
        traffic: { inbound, outbound },
        proof
      }
    }
  }
}

function ourHello(
  { random, suites, keyTypes }: HandshakeConfig,
  share: Buffer,
  held: HeldTicket | null
): InitiatorHello {
  return {
    versions: [VERSION],
    random: random(RANDOM_BYTES),
    suites: withGrease(suites, random),
    keyTypes,
    share,
    offer: held && { ticket: held.ticket, binder: Buffer.alloc(HASH_BYTES) }
  }
}

function helloOf(hello: InitiatorHello, prologue: Buffer, held: HeldTicket | null): Frame {
  const m1 = encodeInitiatorHello(hello)
  return held ? bind(m1, prologue, held.session.psk) : m1
}

/** One id that means nothing, anywhere in the list, so that responders never come to rely on a fixed one. */
function withGrease(suites: readonly Suite[], random: Random): number[] {
  const ids = suites.map(suite => suite.id)
  ids.splice(random(1).readUInt8(0) % (ids.length + 1), 0, greaseFrom(random(1).readUInt8(0)))
  return ids
}

function readHello({ type, inner }: Received, ours: InitiatorHello): ResponderHello {
  if (type === TYPE.plainAlert) throwAlert(inner.body, true)
  if (type === TYPE.initiatorHello) refuseInitiator(inner, ours)
  const theirs = decodeResponderHello(inner)
  checkReflection(ours, theirs)
  if (theirs.version !== VERSION) {
    throw failure(
      'ERR_STALK_UNEXPECTED',
      `the responder chose version ${theirs.version}, which was not offered`
    )
  }
  if (theirs.psk && !ours.offer)
    throw failure('ERR_STALK_UNEXPECTED', 'the responder uses a ticket that was not offered')
  return theirs
}

function refuseInitiator(frame: Frame, ours: InitiatorHello): never {
  checkReflection(ours, decodeInitiatorHello(frame))
  throw failure(
    'ERR_STALK_SAME_ROLE',
    "both ends are initiators; one of them has to be given role: 'responder'"
  )
}

/** Offered and implemented: the grease id that we offered is no suite. */
function agreedSuite({ suite }: ResponderHello, offered: readonly Suite[]): Suite {
  const agreed = offered.find(({ id }) => id === suite)
  if (agreed) return agreed
  throw failure(
    'ERR_STALK_UNEXPECTED',
    `the responder chose suite 0x${suite.toString(16).padStart(4, '0')}, which was not offered`
  )
}

/** What the responder resumes, if it does: under the suite that it had, and no other. */
function resumedWith({ psk, suite }: ResponderHello, held: HeldTicket | null): Resumable | null {
  if (!psk || !held) return null
  if (suite === held.session.suite) return held.session
  throw failure('ERR_STALK_UNEXPECTED', "the responder chose another suite than its ticket's")
}

const handshakeOpener = (suite: Suite, secret: Buffer): Opener =>
  new Opener(TYPE.sealedHandshake, suite, trafficKeys(secret, suite), FLIGHT_INNER_BYTES)

function identityFor(
  { want, keyTypes }: ResponderIdentity,
  identity: RawPublicKey | null,
  resumed: boolean
): RawPublicKey | null {
  if (want === WANT.required && identity === null) {
    throw failure(
      'ERR_STALK_IDENTITY_REQUIRED',
      'the responder requires an identity and we have none to show'
    )
  }
  if (resumed && want === WANT.none && identity !== null) {
    throw failure(
      'ERR_STALK_UNEXPECTED',
      'the responder resumes a session without the identity that was in it'
    )
  }
  return want === WANT.none ? null : presentable(identity, keyTypes)
}

function readAccept({ type, inner }: Received): void {
  if (type === TYPE.sealedHandshake && inner.type === KIND.alert) throwAlert(inner.body, false)
  const [accept, ...more] = inner.type === KIND.handshake ? decodeMessages(inner.body) : []
  const isAccept = accept?.type === MESSAGE.accept && accept.body.length === 0 && more.length === 0
  if (type !== TYPE.sealedApplication || !isAccept) {
    throw failure('ERR_STALK_UNEXPECTED', `a record of kind ${inner.type} came in place of Accept`)
  }
}
