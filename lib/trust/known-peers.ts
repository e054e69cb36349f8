// Known peers: the file that says which key is whose, as SSH's known_hosts, and what is done with peers that it does
// not have. Knows the file and the ways to deal with it; what happens at one place is placed-peers.ts's.

import { join } from 'node:path'
import { inspect } from 'node:util'
import type { KeyType } from '../crypto/public-key.ts'
import { defaultHome } from '../identity/files.ts'
import { isFingerprint } from '../identity/fingerprint.ts'
import { Identity } from '../identity/identity.ts'
import { checkNames, flag } from '../option-checks.ts'
import { invalid, succession as refusedSuccession } from './failures.ts'
import { Hosts, placeOf } from './hosts.ts'
import { withKnown, withKnownSuccession, withoutKnown, withRevoked } from './known-edits.ts'
import { type KnownEntry, KnownFile } from './known-file.ts'
import { flawOfLabel } from './lines.ts'
import { type Ask, PlacedPeers, type Trust } from './placed-peers.ts'
import { Succession } from './succession.ts'
import { TrustStore } from './trust-store.ts'

export const KNOWN_PEERS_FILE_NAME = 'known_peers'

export interface KnownPeersOptions {
  /** With `ask`: is asked about a peer at a place of which nothing is known. Only `true` accepts it. */
  ask?: Ask
  /** Whether the file's folder, if it is missing, is made (mode 0700) for the first peer. Default: for the default file only. */
  makeFolder?: boolean
}

/** A line of the file. */
export interface KnownPeer {
  readonly line: number
  /** As it stands there: `[host]:port`, patterns, several with commas. */
  readonly hosts: string
  readonly fingerprint: string
  readonly type: KeyType
  readonly keysize: number
  /** What the file calls the peer; else empty. */
  readonly label: string
  readonly revoked: boolean
}

/** What several lines have in common is that the key is the same, or that it follows from it. */
export interface KnownSuccession {
  readonly line: number
  readonly predecessor: string
  readonly successor: string
  readonly time: Date
}

const TRUSTS: readonly unknown[] = ['strict', 'ask', 'accept-new', 'off'] satisfies Trust[]

/** The peers in a file. It is read anew for each decision; every change is whole, and leaves what others wrote. */
export class KnownPeers {
  readonly trust: Trust
  readonly #store: TrustStore
  readonly #ask: Ask | null

  constructor(store: TrustStore, trust: Trust, ask: Ask | null) {
    this.#store = store
    this.trust = trust
    this.#ask = ask
    Object.freeze(this)
  }

  get path(): string {
    return this.#store.path
  }

  /** For `stalk`, which can't tell where its duplex leads to. `connect` does it by itself. Throws ERR_STALK_INVALID_OPTION. */
  at(host: string, port?: number): PlacedPeers {
    return new PlacedPeers({
      ...{ store: this.#store, trust: this.trust, ask: this.#ask },
      place: placeOf(host, port)
    })
  }

  /** All lines with keys. Rejects with ERR_STALK_TRUST_FILE_MISSING (no folder), _MODE, _FORMAT and _IO. */
  async list(): Promise<readonly KnownPeer[]> {
    return (await this.#read()).entries.map(shownEntry)
  }

  /** The succession statements in the file. Rejects as `list`. */
  async successions(): Promise<readonly KnownSuccession[]> {
    const { all } = (await this.#read()).successions
    return all.map(({ line, succession: { predecessor, successor, time } }) => ({
      ...{ line, time },
      predecessor: predecessor.fingerprint,
      successor: successor.fingerprint
    }))
  }

  /**
   * Adds a key for hosts (`host`, `[host]:port`, patterns, several with commas); false if it is there. Rejects with
   * ERR_STALK_INVALID_OPTION, ERR_STALK_PEER_REVOKED, and ERR_STALK_TRUST_FILE_MISSING, _MODE, _FORMAT, _IO and
   * _LOCKED: then nothing was changed.
   */
  async add(hosts: string, identity: Identity, { label = '' }: { label?: string } = {}): Promise<boolean> {
    const [list, peer] = [Hosts.of(hosts), requireIdentity(identity)]
    requireLabel(label)
    return this.#store.change(text => withKnown(text, this.path, list, peer, label))
  }

  /**
   * Takes out a host, at one port or all, or the key with a fingerprint. Patterns go with their key only, and what is
   * revoked stays so. Resolves to what was taken out. Rejects as `add`.
   */
  async forget(what: string, port?: number): Promise<readonly KnownPeer[]> {
    const target = isFingerprint(what) ? what : placeOf(what, port)
    let gone: KnownPeer[] = []
    await this.#store.change(text => {
      gone = []
      return withoutKnown(text, this.path, target, entry => gone.unshift(shownEntry(entry)))
    })
    return gone
  }

  /**
   * Has a key refused, everywhere or at hosts, whatever else the file says; by its fingerprint, if the file has it. False
   * if it was so. Rejects as `add`.
   */
  async revoke(
    peer: Identity | string,
    { hosts = '*', label = '' }: { hosts?: string; label?: string } = {}
  ): Promise<boolean> {
    const list = Hosts.of(hosts)
    const key = isFingerprint(peer) ? peer : requireIdentity(peer).raw
    requireLabel(label)
    return this.#store.change(text => withRevoked(text, this.path, list, key, label))
  }

  /**
   * Records that a key that the file has is succeeded by another, which is accepted from then on wherever the old one
   * was. False if that was so. Rejects with ERR_STALK_SUCCESSION if the old key is unknown, has another successor, or if
   * one of both is revoked, and as `add`.
   */
  async succeed(succession: Succession): Promise<boolean> {
    if (!(succession instanceof Succession)) throw refusedSuccession('a Succession is needed')
    return this.#store.change(text => withKnownSuccession(text, this.path, succession))
  }

  async #read(): Promise<KnownFile> {
    return KnownFile.read((await this.#store.read()) ?? '', this.path)
  }
}

/**
 * The peers that a file knows, for the option `peer`. `path`: default `~/.spack/known_peers`. `trust`, of a peer at a place
 * of which nothing is known: `strict` (the default) refuses it; `ask` asks `options.ask` (with `connect` only);
 * `accept-new` takes it and remembers it; `off` compares no keys, and refuses but what is revoked. A key that is another
 * than the file has for the place is refused, but for `off`.
 *
 * Throws ERR_STALK_INVALID_OPTION, and ERR_STALK_KEY_FILE_IO where there is no home folder.
 */
export function knownPeers(
  path?: string,
  trust: Trust = 'strict',
  options: KnownPeersOptions = {}
): KnownPeers {
  checkNames(options, new Set(['ask', 'makeFolder']))
  const makesFolder = flag('makeFolder', options.makeFolder, path === undefined)
  const file = path ?? join(defaultHome(), KNOWN_PEERS_FILE_NAME)
  if (typeof file !== 'string' || file === '') throw invalid('knownPeers takes the path of a file')
  if (!TRUSTS.includes(trust)) throw invalid(`trust is one of ${TRUSTS.join(', ')}, not ${inspect(trust)}`)
  return new KnownPeers(new TrustStore(file, makesFolder), trust, askOf(trust, options.ask))
}

function askOf(trust: Trust, ask: Ask | undefined): Ask | null {
  if (trust === 'ask' && typeof ask !== 'function')
    throw invalid("knownPeers(path, 'ask') needs somebody to ask: { ask: async question => … }")
  if (trust !== 'ask' && ask !== undefined)
    throw invalid(`with ${trust} nobody is asked; ask goes with 'ask'`)
  return ask ?? null
}

const shownEntry = ({ line, hosts, key, revoked }: KnownEntry): KnownPeer =>
  Object.freeze({
    ...{ line, revoked, fingerprint: key.fingerprint, type: key.raw.type, label: key.comment },
    hosts: hosts.text,
    keysize: key.raw.bytes.length * 8
  })

function requireIdentity(identity: unknown): Identity {
  if (identity instanceof Identity) return identity
  throw invalid('a known peer is an Identity: a fingerprint alone does not say the key')
}

function requireLabel(label: unknown): void {
  const flaw = typeof label === 'string' ? flawOfLabel(label) : 'is no text'
  if (flaw !== null) throw invalid(`the label ${flaw}`)
}
