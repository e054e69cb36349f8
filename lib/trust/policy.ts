// Trust: whether a peer may talk to us. Knows fingerprints and verdicts; knows no signature (a peer that gets
// here has proved that it holds its key), no handshake and no file.

import { StalkError } from '../errors.ts'
import { isFingerprint } from '../identity/fingerprint.ts'
import { Identity } from '../identity/identity.ts'

/** Decides on a peer, null if it is anonymous. Only `true` lets it in; a rejection or a throw does not. */
export type Authorize = (peer: Identity | null) => boolean | Promise<boolean>

/** An identity, a fingerprint (`SHA256:…`), several of them, a function, or `'anyone'`. */
export type Peer = Identity | string | readonly (Identity | string)[] | Authorize

/** What `peer` and `authorize` come to. */
export interface Policy {
  /** Whether it tells one key from another, so that a peer it accepts is authenticated and not only claimed. */
  readonly verifies: boolean
  /** The fingerprints of which the peer has to be one; null where none are named. */
  readonly pins: readonly string[] | null
  /** Whether anyone is meant to be let in, or nobody has said. */
  readonly said: boolean
  /**
   * Fulfilled if the peer may talk to us. Rejects with ERR_STALK_PEER_MISMATCH, ERR_STALK_PEER_ANONYMOUS or
   * ERR_STALK_UNAUTHORIZED.
   */
  decide(peer: Identity | null): Promise<void>
}

/** Throws ERR_STALK_INVALID_OPTION for what is none of the ways to name a peer. */
export function policyOf(peer: Peer | undefined, authorize: Authorize | undefined): Policy {
  const pins = pinsOf(peer)
  const checks = [checkFor(peer, pins), authorize === undefined ? null : ask(authorize)].filter(
    check => check !== null
  )
  return {
    verifies: checks.length > 0,
    pins,
    said: peer !== undefined || authorize !== undefined,
    async decide(candidate) {
      for (const check of checks) await check(candidate)
    }
  }
}

type Check = (peer: Identity | null) => void | Promise<void>

function checkFor(peer: Peer | undefined, pins: readonly string[] | null): Check | null {
  if (pins) return candidate => checkPin(pins, candidate)
  return typeof peer === 'function' ? ask(peer) : null
}

function pinsOf(peer: Peer | undefined): readonly string[] | null {
  if (peer === undefined || peer === 'anyone' || typeof peer === 'function') return null
  const pins = (Array.isArray(peer) ? peer : [peer]).map(fingerprintOfPin)
  if (pins.length === 0) throw invalid('an empty list of peers lets nobody in')
  return pins
}

function fingerprintOfPin(pin: unknown): string {
  if (pin instanceof Identity) return pin.fingerprint
  if (isFingerprint(pin)) return pin
  throw invalid(
    `${typeof pin === 'string' ? JSON.stringify(pin) : typeof pin} is no identity, no SHA256:… fingerprint and no function`
  )
}

const invalid = (problem: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', `option peer: ${problem}`, { phase: 'setup' })

function checkPin(pins: readonly string[], peer: Identity | null): void {
  const expected = pins.join(' or ')
  if (peer === null)
    throw refusal('ERR_STALK_PEER_ANONYMOUS', `expected ${expected}; the peer has shown no key`)
  if (pins.includes(peer.fingerprint)) return
  throw refusal('ERR_STALK_PEER_MISMATCH', `expected ${expected}; the peer has shown ${peer.fingerprint}`)
}

const ask =
  (authorize: Authorize): Check =>
  async peer => {
    const name = peer === null ? 'an anonymous peer' : peer.fingerprint
    if ((await verdict(authorize, peer, name)) === true) return
    throw refusal('ERR_STALK_UNAUTHORIZED', `${name} is not authorized`)
  }

async function verdict(authorize: Authorize, peer: Identity | null, name: string): Promise<unknown> {
  try {
    return await authorize(peer)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw refusal(
      'ERR_STALK_UNAUTHORIZED',
      `${name} is not authorized: deciding on it failed: ${reason}`,
      cause
    )
  }
}

const refusal = (
  code: 'ERR_STALK_PEER_ANONYMOUS' | 'ERR_STALK_PEER_MISMATCH' | 'ERR_STALK_UNAUTHORIZED',
  text: string,
  cause?: unknown
): StalkError => new StalkError(code, text, { phase: 'handshake', cause })
