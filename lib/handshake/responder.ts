// The responder's half of the handshake: M1 in, M2 and M3 out, M4 in, the verdict, Accept out.
// Order of checks at M4: open, shape, signature (or the ticket's identity), Finished, then the trust policy: asked
// earlier, it would tell anyone which keys are welcome. Nothing but M2 and M3 is said before the verdict.

import { FLIGHT_INNER_BYTES, KIND, MAX_HELLO_BYTES, TICKET_NONCE_BYTES, TYPE } from '../constants.ts'
import { Ephemeral } from '../crypto/primitives.ts'
import type { RawPublicKey } from '../crypto/public-key.ts'
import type { Suite } from '../crypto/suites.ts'
import { ticketRecord } from '../wire/control.ts'
import { enframe } from '../wire/frame.ts'
import { type Inner, Opener, Sealer } from '../wire/record.ts'
import { completeFlight, decodeFlight, signatureInput, Verified } from './flight.ts'
import {
  type Actions,
  ask,
  checkAccepted,
  checkReflection,
  failure,
  type Half,
  type HandshakeConfig,
  issue,
  presentable,
  receive,
  type Session,
  sign,
  throwAlert,
  type Waiting
} from './handshake.ts'
import {
  decodeInitiatorHello,
  decodeInitiatorIdentity,
  encodeMessage,
  encodeResponderHello,
  encodeResponderIdentity,
  type InitiatorHello,
  MESSAGE,
  RANDOM_BYTES,
  VERSION,
  WANT,
  type Want
} from './messages.ts'
import { encodeResumable, type Redeemed, redeem, resumableOf } from './resumption.ts'
import { HandshakeSecrets, trafficKeys } from './schedule.ts'
import { Traffic } from './traffic.ts'
import { prologueOf, Transcript } from './transcript.ts'

export interface ResponderConfig extends HandshakeConfig {
  /** Whether the initiator is asked for its identity. */
  readonly want: Want
  /** Whether tickets are issued, and looked for when they are offered. Default false. */
  readonly tickets?: boolean
}

const ACCEPT: Inner = { type: KIND.handshake, body: encodeMessage(MESSAGE.accept, Buffer.alloc(0)) }

export function* responder(config: ResponderConfig): Half {
  // M1
  const m1 = yield* receive({}, 'the InitiatorHello', { [TYPE.initiatorHello]: MAX_HELLO_BYTES })
  const theirs = decodeInitiatorHello(m1.inner)
  const suite = chooseSuite(theirs, config.suites)
  const self = presentable(config.identity, theirs.keyTypes)
  const prologue = prologueOf(config.app)
  const settled = { ...config, prologue, suite, self }
  const resumed = config.tickets ? yield* redeem(m1.inner, theirs, settled) : null

  // M2
  const ephemeral = new Ephemeral(config.random)
  const ours = {
    version: VERSION,
    random: config.random(RANDOM_BYTES),
    suite: suite.id,
    share: ephemeral.share,
    psk: resumed !== null
  }
  checkReflection(ours, theirs)
  const m2 = encodeResponderHello(ours)
  const transcript = new Transcript(prologue).add(enframe(m1.inner), enframe(m2))
  const secrets = new HandshakeSecrets(
    prologue,
    ephemeral.agree(theirs.share),
    transcript.hash,
    resumed?.session.psk
  )
  config.disclose?.('handshake', theirs.random, secrets.traffic)
  const key = new Sealer(TYPE.sealedHandshake, suite, trafficKeys(secrets.traffic.responder, suite))

  // M3
  const { want, keyTypes, maxMessageBytes } = config
  const identity = encodeResponderIdentity({ want, keyTypes, identity: self, maxMessageBytes })
  transcript.add(identity)
  const signature = self && !resumed ? yield* sign(signatureInput('responder', transcript.hash)) : null
  const m3 = completeFlight('responder', identity, signature, transcript, secrets.traffic.responder)
  const handshakeKeys = trafficKeys(secrets.traffic.initiator, suite)
  const flightOpener = new Opener(TYPE.sealedHandshake, suite, handshakeKeys, FLIGHT_INNER_BYTES)

  // M4
  const actions = { send: [{ clear: m2 }, { key }, m3], openers: [flightOpener] }
  const m4 = yield* receive(actions, "the initiator's flight", { [TYPE.plainAlert]: 1 })
  if (m4.inner.type === KIND.alert || m4.type === TYPE.plainAlert) {
    throwAlert(m4.inner.body, m4.type === TYPE.plainAlert)
  }
  const flight = decodeFlight('initiator', m4.inner)
  const initiator = decodeInitiatorIdentity(flight.identity.body)
  checkAccepted(initiator.identity, keyTypes)
  const proof = Verified.flight(
    'initiator',
    flight,
    initiator.identity,
    transcript,
    secrets.traffic.initiator,
    config.verify,
    resumed?.session.initiator
  )
  checkWanted(want, proof.peer)
  yield* ask(proof.peer)

  // M5
  const { traffic, exporter, resumption } = secrets.application(transcript.hash, proof)
  config.disclose?.('application', theirs.random, traffic)
  const inbound = new Traffic(suite, traffic.initiator)
  const outbound = new Traffic(suite, traffic.responder)
  const peerMaxMessageBytes = initiator.maxMessageBytes
  const session: Session = {
    role: 'responder',
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
  const accept = { send: [{ key: outbound.sealer() }, ACCEPT], openers: [inbound.opener()] }
  const last = config.tickets ? yield* sendTicket(config, session, resumed, accept) : accept
  resumption.wipe()
  return { ...last, writable: { maxMessageBytes: peerMaxMessageBytes }, next: { agreed: session } }
}

/** Right behind `accept`, a ticket for this session, good for no longer than the one that it was resumed with. */
function* sendTicket(
  { app, random }: ResponderConfig,
  session: Session,
  resumed: Redeemed | null,
  accept: Actions
): Waiting<Actions> {
  const nonce = random(TICKET_NONCE_BYTES)
  const state = encodeResumable(resumableOf(session, app, nonce))
  const issued = yield* issue({ state, expires: resumed?.expires ?? null }, accept)
  return { send: issued ? [ticketRecord({ ...issued, nonce })] : [] }
}

/** The initiator's first suite that we have too; the only version there is. */
function chooseSuite({ versions, suites }: InitiatorHello, ours: readonly Suite[]): Suite {
  if (!versions.includes(VERSION)) {
    throw failure(
      'ERR_STALK_NOTHING_IN_COMMON',
      `the initiator offers versions ${versions}; we speak ${VERSION}`
    )
  }
  for (const offered of suites) {
    const suite = ours.find(({ id }) => id === offered)
    if (suite) return suite
  }
  throw failure('ERR_STALK_NOTHING_IN_COMMON', 'the initiator offers no cipher suite that we accept')
}

function checkWanted(want: Want, peer: RawPublicKey | null): void {
  if (want === WANT.required && peer === null) {
    throw failure('ERR_STALK_IDENTITY_REQUIRED', 'the initiator is anonymous and an identity is required')
  }
  if (want === WANT.none && peer !== null) {
    throw failure('ERR_STALK_UNEXPECTED', 'the initiator shows an identity that was not asked for')
  }
}
