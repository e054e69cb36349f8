// Trust: whether a peer may talk to us. Knows fingerprints and verdicts; knows no signature (a peer that gets
// here has proved that it holds its key), no handshake, and no file but by name.

import { StalkError } from '../errors.ts'
import { isFingerprint } from '../identity/fingerprint.ts'
import { Identity } from '../identity/identity.ts'
import { AuthorizedPeers } from './authorized-peers.ts'
import { messageOf, refusal } from './failures.ts'
import { KnownPeers } from './known-peers.ts'
import { type Accepted, PlacedPeers } from './placed-peers.ts'
import { Succession } from './succession.ts'
import { Successions } from './successions.ts'

/** Decides on a peer, null if it is anonymous. Only `true` lets it in; a rejection or a throw does not. */
export type Authorize = (peer: Identity | null) => boolean | Promise<boolean>

/** A key that is named, by itself or its fingerprint, with the statements by which others have taken its place. */
export interface SucceededPin {
  readonly pin: Identity | string
  /** Those that lead on from the pin are followed; each key on the way is accepted. */
  readonly successions: readonly Succession[]
}

/**
 * An identity, a fingerprint (`SHA256:…`), either with its successions, several of these, known peers (for `connect` as
 * they are, for `stalk` with a place, `.at(host, port)`), a function, or `'anyone'`.
 */
export type Peer =
  | Identity
  | string
  | SucceededPin
  | readonly (Identity | string | SucceededPin)[]
  | KnownPeers
  | PlacedPeers
  | Authorize

/** What `peer` and `authorize` come to. */
export interface Policy {
  /** Whether it tells one key from another, so that a peer it accepts is authenticated and not only claimed. */
  readonly verifies: boolean
  /** The fingerprints of which the peer has to be one; null where none are named. */
  readonly pins: readonly string[] | null
  /** Whether anyone is meant to be let in, or nobody has said. */
  readonly said: boolean
  /**
   * Fulfilled if the peer may talk to us, with what our own list calls it. Rejects with ERR_STALK_PEER_MISMATCH,
   * ERR_STALK_PEER_ANONYMOUS or ERR_STALK_UNAUTHORIZED, and as `PlacedPeers.decide` and `AuthorizedPeers.decide`.
   */
  decide(peer: Identity | null): Promise<{ readonly name: string | null }>
}

/**
 * `addressOf` gives the address that the peer comes from, if there is one. Throws ERR_STALK_INVALID_OPTION for what is none
 * of the ways to name a peer.
 */
export function policyOf(
  peer: Peer | undefined,
  authorize: Authorize | AuthorizedPeers | undefined,
  addressOf: () => string | undefined = () => undefined
): Policy {
  const pins = pinsOf(peer)
  const checks = [
    checkFor(peer, pins),
    authorize === undefined ? null : authorizing(authorize, addressOf)
  ].filter(check => check !== null)
  const comparing = peer instanceof PlacedPeers && !peer.verifies ? checks.slice(1) : checks
  return {
    verifies: comparing.length > 0,
    pins,
    said: peer !== undefined || authorize !== undefined,
    async decide(candidate) {
      const verdicts: (Accepted | null)[] = []
      for (const check of checks) verdicts.push((await check(candidate)) ?? null)
      // What is remembered of a peer is so once all have accepted it.
      for (const verdict of verdicts) await verdict?.commit?.()
      return { name: verdicts.find(verdict => verdict?.name)?.name ?? null }
    }
  }
}

type Check = (peer: Identity | null) => Promise<Accepted | undefined>

function checkFor(peer: Peer | undefined, pins: readonly string[] | null): Check | null {
  if (pins) return async candidate => checkPin(pins, candidate)
  if (peer instanceof PlacedPeers) return candidate => peer.decide(candidate)
  return typeof peer === 'function' ? ask(peer) : null
}

const authorizing = (authorize: Authorize | AuthorizedPeers, addressOf: () => string | undefined): Check =>
  authorize instanceof AuthorizedPeers ? peer => authorize.decide(peer, addressOf()) : ask(authorize)

function pinsOf(peer: Peer | undefined): readonly string[] | null {
  if (peer === undefined || peer === 'anyone' || typeof peer === 'function') return null
  if (peer instanceof PlacedPeers) return requireNoQuestion(peer)
  if (peer instanceof KnownPeers)
    throw invalid(
      'known peers need to know where the peer is: knownPeers(…).at(host, port); connect says it itself'
    )
  const pins = (Array.isArray(peer) ? peer : [peer]).flatMap(fingerprintsOfPin)
  if (pins.length === 0) throw invalid('an empty list of peers lets nobody in')
  return pins
}

/** A person's answer is not to run against the peer's deadline: the attempt ends first, and there has to be another. */
function requireNoQuestion(peer: PlacedPeers): null {
  if (!peer.asks) return null
  throw invalid("known peers that 'ask' are for connect, which ends the attempt, asks, and connects again")
}

/** The pin and those that have taken its place. */
function fingerprintsOfPin(given: unknown): string[] {
  const isOne = given instanceof Identity || typeof given !== 'object' || given === null
  if (isOne || !('pin' in given)) return [fingerprintOfPin(given)]
  const { pin, successions, ...more } = given as SucceededPin
  const [unknown] = Object.keys(more)
  if (unknown !== undefined)
    throw invalid(`a pin has no ${JSON.stringify(unknown)}; there are pin, successions`)
  if (!Array.isArray(successions) || !successions.every(one => one instanceof Succession))
    throw invalid('successions are a list of what Succession.load and parse give')
  const fingerprint = fingerprintOfPin(pin)
  const all = new Successions(successions.map(succession => ({ succession, line: 0 })))
  return [fingerprint, ...all.chain(fingerprint)]
}

function fingerprintOfPin(pin: unknown): string {
  if (pin instanceof AuthorizedPeers) throw invalid('authorized peers belong into the option authorize')
  if (pin instanceof Identity) return pin.fingerprint
  if (isFingerprint(pin)) return pin
  throw invalid(
    `${typeof pin === 'string' ? JSON.stringify(pin) : typeof pin} is no identity, no SHA256:… fingerprint and no function`
  )
}

const invalid = (problem: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', `option peer: ${problem}`, { phase: 'setup' })

function checkPin(pins: readonly string[], peer: Identity | null): undefined {
  const expected = pins.join(' or ')
  if (peer === null)
    throw refusal('ERR_STALK_PEER_ANONYMOUS', `expected ${expected}; the peer has shown no key`)
  if (pins.includes(peer.fingerprint)) return undefined
  throw refusal('ERR_STALK_PEER_MISMATCH', `expected ${expected}; the peer has shown ${peer.fingerprint}`)
}

const ask =
  (authorize: Authorize): Check =>
  async peer => {
    const name = peer === null ? 'an anonymous peer' : peer.fingerprint
    if ((await verdict(authorize, peer, name)) === true) return undefined
    throw refusal('ERR_STALK_UNAUTHORIZED', `${name} is not authorized`)
  }

async function verdict(authorize: Authorize, peer: Identity | null, name: string): Promise<unknown> {
  try {
    return await authorize(peer)
  } catch (cause) {
    const text = `${name} is not authorized: deciding on it failed: ${messageOf(cause)}`
    throw refusal('ERR_STALK_UNAUTHORIZED', text, cause)
  }
}
