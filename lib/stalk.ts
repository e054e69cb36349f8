// stalk(duplex, options) and stalk.wrap(options): from options to a Config, from a Config to a Connection. The
// one place where identities and trust meet the handshake.

import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { Connection, type Plan } from './connection/connection.ts'
import type { Secured } from './connection/secure-stream.ts'
import type { RawPublicKey } from './crypto/public-key.ts'
import { sign, verify } from './crypto/signatures.ts'
import { StalkError } from './errors.ts'
import { Handshake, type HandshakeConfig, type Session } from './handshake/handshake.ts'
import { initiator } from './handshake/initiator.ts'
import { WANT } from './handshake/messages.ts'
import { responder } from './handshake/responder.ts'
import { adopted, type Identity, rawOf } from './identity/identity.ts'
import { disclosing, warnOfKeyLog } from './key-log.ts'
import { checkNames } from './option-checks.ts'
import { type Config, configOf, OPTION_NAMES, type StalkOptions } from './options.ts'
import { SessionKeeping } from './resumption/session-keeping.ts'
import { ticketingOf } from './resumption/ticketing.ts'
import type { Schema, Validated } from './schema.ts'
import { securityOf } from './security.ts'
import { Wrapped } from './wrapped.ts'

/**
 * An object-mode Duplex over any duplex of bytes: what is written at one end is read at the other, whole, in
 * order, once, from a peer that has proved its key. The handshake begins by itself.
 *
 * Throws ERR_STALK_INVALID_OPTION and ERR_STALK_ROLE_REQUIRED; everything else is an `error` of the connection.
 */
function open<S extends Schema, Out = unknown>(
  duplex: Duplex,
  options: StalkOptions & { schema: S }
): Connection<Validated<S>, Out>
function open<In = unknown, Out = unknown>(duplex: Duplex, options?: StalkOptions): Connection<In, Out>
function open<In, Out>(duplex: Duplex, options: StalkOptions = {}): Connection<In, Out> {
  checkDuplex(duplex)
  return new Connection<In, Out>(duplex, planOf(configOf(duplex, options)))
}

/** What `wrap` takes: as `stalk`, and the transport, where nothing is piped in. */
export interface WrapOptions extends StalkOptions {
  /** The duplex that the answers go to, and whose bytes are piped in, if by way of something else. Default: whatever is piped in. */
  transport?: Duplex
}

/**
 * A stage for pipelines: `socket.pipe(stalk.wrap(options)).pipe(app)`. What is piped in is the wire, and it is
 * answered; out come messages. Messages for the peer go into `outbound`, or `send`.
 *
 * Throws ERR_STALK_INVALID_OPTION. Misuse, ERR_STALK_NO_SOURCE and ERR_STALK_SECOND_SOURCE, is an `error`.
 */
function wrap<S extends Schema, Out = unknown>(
  options: WrapOptions & { schema: S }
): Wrapped<Validated<S>, Out>
function wrap<In = unknown, Out = unknown>(options?: WrapOptions): Wrapped<In, Out>
function wrap<In, Out>(given: WrapOptions = {}): Wrapped<In, Out> {
  checkNames(given, WRAP_NAMES)
  const { transport, ...options } = given
  const { allowHalfOpen, closeTimeoutMs } = configOf({} as Duplex, {
    ...options,
    role: options.role ?? (options.requireIdentity || options.tickets ? 'responder' : 'initiator')
  })
  if (transport) checkDuplex(transport)
  return new Wrapped<In, Out>(
    (shuttle, source) => {
      checkDuplex(source)
      const config = configOf(source, options)
      return new Connection<In, Out>(shuttle, planOf({ ...config, allowHalfOpen: true }))
    },
    { allowHalfOpen, closeTimeoutMs, transport }
  )
}

const WRAP_NAMES = new Set([...OPTION_NAMES, 'transport'])

export const stalk = Object.assign(open, { wrap })

function checkDuplex(duplex: Duplex): void {
  // A Writable has a pipe method too.
  const isDuplex = ['pipe', 'read', 'write'].every(
    method =>
      typeof (duplex as unknown as Record<string, unknown> | null | undefined)?.[method] === 'function'
  )
  if (!isDuplex)
    throw invalid('stalk() takes a duplex stream: a socket, or anything that can be read and written')
  if (duplex.destroyed || duplex.readableEnded || duplex.writableEnded) {
    throw invalid('this duplex has ended already, or was destroyed')
  }
  if (duplex.readableEncoding)
    throw invalid('this duplex decodes its bytes to text; use it without setEncoding()')
}

const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })

function planOf(config: Config): Plan {
  warnIfUnpinned(config)
  if (config.keyLog) warnOfKeyLog()
  const peers = new Peers()
  const resumption = new SessionKeeping(config)
  let name: string | null = null
  return {
    ...config,
    handshake: new Handshake(halfOf(config, resumption)),
    sign: input => signAs(config.identity, input),
    decide: async raw => {
      name = (await config.policy.decide(peers.identity(raw))).name
    },
    ticketing: config.tickets && ticketingOf(config.tickets),
    secured: session => ({
      ...securedOf(session, peers.identity(session.peer), config, name),
      keepTicket: session.role === 'initiator' ? keeperOf(config, resumption, session) : null
    })
  }
}

type Keeper = NonNullable<Secured['keepTicket']>

const keeperOf = ({ sessions }: Config, resumption: SessionKeeping, session: Session): Keeper =>
  sessions ? ticket => resumption.keep(ticket, session) : dropped

/** One for all: a function made beside what it does not need would keep that as long as the connection. */
const dropped: Keeper = () => {}

/** The identity of the one peer of a connection, made once. */
class Peers {
  #identity: Identity | null | undefined

  identity(raw: RawPublicKey | null): Identity | null {
    this.#identity ??= raw && adopted(raw)
    return this.#identity
  }
}

function halfOf(config: Config, resumption: SessionKeeping): ReturnType<typeof initiator> {
  const shared: HandshakeConfig = {
    app: config.app,
    suites: config.suites,
    identity: config.identity && rawOf(config.identity),
    keyTypes: ['ed25519', 'rsa'],
    maxMessageBytes: config.maxMessageBytes,
    random: randomBytes,
    verify,
    ...(config.keyLog && { disclose: disclosing(config.keyLog) })
  }
  if (config.role === 'initiator') return initiator({ ...shared, ...resumption.source })
  const want = config.requireIdentity ? WANT.required : WANT.welcome
  return responder({ ...shared, want, tickets: config.tickets !== null })
}

function signAs(identity: Identity | null, input: Buffer): Promise<Buffer> {
  if (identity?.privkey) return sign(identity.type, identity.privkey, input)
  throw new StalkError('ERR_STALK_INTERNAL', 'there is no identity to sign with', { phase: 'handshake' })
}

function securedOf(
  session: Session,
  peer: Identity | null,
  config: Config,
  name: string | null
): Omit<Secured, 'keepTicket'> {
  return {
    security: securityOf(session, peer, config.policy.verifies, name),
    identity: session.self && config.identity,
    claimedPeerIdentity: peer
  }
}

let warned = false

/** An initiator that has not said whom it wants to talk to may be talking to anyone: said once a process. */
function warnIfUnpinned({ role, policy }: Config): void {
  if (warned || role !== 'initiator' || policy.said) return
  warned = true
  process.emitWarning('the peer is not verified: pass peer, an identity or a fingerprint', {
    code: 'STALK_UNVERIFIED_PEER',
    detail: "peer: 'anyone' says that it is meant, and silences this warning"
  })
}
