// Known peers at one place: decides on the peer that answers there, by what the file says at that moment. Knows the
// file and its policy; knows no connection: who is asked about, and when, is net.ts's.

import { StalkError } from '../errors.ts'
import type { Identity } from '../identity/identity.ts'
import { messageOf, refusal } from './failures.ts'
import { type Place, placeText } from './hosts.ts'
import { knownLine } from './known-edits.ts'
import { KnownFile, type Verdict } from './known-file.ts'
import { withLine } from './lines.ts'
import type { TrustStore } from './trust-store.ts'

/** What to do with a peer that is unknown. */
export type Trust = 'strict' | 'ask' | 'accept-new' | 'off'

/** A peer at a place of which nothing is known. */
export interface Question {
  readonly host: string
  /** Missing for a Unix socket, whose host is `unix:/its/path`. */
  readonly port: number | undefined
  /** The key that it has proved to hold. */
  readonly identity: Identity
  readonly fingerprint: string
  /** Why somebody is asked. */
  readonly reason: 'unknown'
  /** Where the file has the same key already: the hosts of its lines. */
  readonly knownAs: readonly string[]
  /** The file that it will be in. */
  readonly path: string
}

/** Only `true` accepts the peer. */
export type Ask = (question: Question) => boolean | Promise<boolean>

/** What was decided: how our own list calls the peer, and what is to be done once all others have agreed. */
export interface Accepted {
  readonly name: string | null
  commit?(): Promise<void>
}

interface Placed {
  readonly store: TrustStore
  readonly trust: Trust
  readonly ask: Ask | null
  readonly place: Place
}

export class PlacedPeers {
  readonly #placed: Placed
  /** Is told of whom is to be asked about, instead of the file's `ask`: `connect` ends the attempt first. */
  readonly #meet: ((peer: Identity) => void) | null

  constructor(placed: Placed, meet: ((peer: Identity) => void) | null = null) {
    this.#placed = placed
    this.#meet = meet
    Object.freeze(this)
  }

  /** Whether a peer may be asked about, which takes another attempt afterwards. */
  get asks(): boolean {
    return this.#placed.trust === 'ask' && this.#meet === null
  }

  /** Whether keys are told from each other. */
  get verifies(): boolean {
    return this.#placed.trust !== 'off'
  }

  /** For the first attempt: an unknown peer is refused, and `meet` is told of it. */
  meeting(meet: (peer: Identity) => void): PlacedPeers {
    return new PlacedPeers(this.#placed, meet)
  }

  /** For the second one: whoever is not in the file by now is refused. */
  get remembered(): PlacedPeers {
    return new PlacedPeers({ ...this.#placed, trust: 'strict', ask: null })
  }

  /**
   * Rejects with ERR_STALK_PEER_ANONYMOUS, _UNKNOWN, _CHANGED and _REVOKED, and with what makes the file unusable,
   * ERR_STALK_TRUST_FILE_….
   */
  async decide(peer: Identity | null): Promise<Accepted> {
    const { store, trust, place } = this.#placed
    const file = await this.#read()
    if (peer === null) {
      if (trust === 'off') return { name: null }
      throw refusal('ERR_STALK_PEER_ANONYMOUS', `the peer at ${placeText(place)} has shown no key`)
    }
    const verdict = file.verdict(place, peer)
    if (trust === 'off') return this.#unchecked(verdict, peer)
    if (isAccepted(verdict)) return this.#accepted(verdict, peer)
    if (verdict.kind === 'unknown' && trust === 'accept-new')
      return { name: null, commit: () => this.#remember(peer, '') }
    if (verdict.kind === 'unknown') this.#meet?.(peer)
    throw refused(verdict, peer, place, store.path)
  }

  /**
   * Asks about an unknown peer, and remembers it if the answer is true. Rejects with ERR_STALK_PEER_UNKNOWN for any
   * other answer, and as `decide` if the file can't be written, or says something else by now.
   */
  async askAbout(peer: Identity, signal?: AbortSignal): Promise<void> {
    const { store, place, ask } = this.#placed
    const { path } = store
    const verdict = (await this.#read()).verdict(place, peer)
    if (isAccepted(verdict)) return // somebody else was asked meanwhile
    if (verdict.kind !== 'unknown') throw refused(verdict, peer, place, path)
    const question: Question = Object.freeze({
      ...{ host: place.host, port: place.port, identity: peer, fingerprint: peer.fingerprint, path },
      reason: 'unknown',
      knownAs: verdict.elsewhere.map(({ hosts }) => hosts.text)
    })
    const answer = await answerOf(ask as Ask, question, place)
    if (signal?.aborted) return
    if (answer !== true) {
      const text = `${peer.fingerprint} at ${placeText(place)} was not accepted`
      throw refusal('ERR_STALK_PEER_UNKNOWN', text)
    }
    await this.#remember(peer, '')
  }

  async #read(): Promise<KnownFile> {
    const { store } = this.#placed
    return KnownFile.read((await store.read()) ?? '', store.path)
  }

  #unchecked(verdict: Verdict, peer: Identity): Accepted {
    const { place, store } = this.#placed
    if (verdict.kind === 'revoked') throw refused(verdict, peer, place, store.path)
    return { name: verdict.kind === 'known' ? verdict.entry.key.comment || null : null }
  }

  /** Once the new key was met, the old one is none any more there. `strict` writes nothing. */
  #accepted({ kind, entry: { key } }: Good, peer: Identity): Accepted {
    const name = key.comment || null
    if (kind === 'known' || this.#placed.trust === 'strict') return { name }
    return { name, commit: () => this.#remember(peer, key.comment) }
  }

  /** Under the lock the file is asked once more: two who meet two keys at one place must not both be right. */
  async #remember(peer: Identity, label: string): Promise<void> {
    const { store, place } = this.#placed
    const { path } = store
    await store.change(text => {
      const verdict = KnownFile.read(text, path).verdict(place, peer)
      if (verdict.kind === 'known') return text
      if (verdict.kind !== 'unknown' && verdict.kind !== 'successor')
        throw refused(verdict, peer, place, path)
      return withLine(text, knownLine(placeText(place), peer.raw, label))
    })
  }
}

async function answerOf(ask: Ask, question: Question, place: Place): Promise<unknown> {
  try {
    return await ask(question)
  } catch (cause) {
    if (cause instanceof StalkError) throw cause
    const text = `asking about ${question.fingerprint} at ${placeText(place)} failed: ${messageOf(cause)}`
    throw refusal('ERR_STALK_PEER_UNKNOWN', text, cause)
  }
}

type Good = Extract<Verdict, { kind: 'known' | 'successor' }>
type Refused = Exclude<Verdict, Good>

const isAccepted = (verdict: Verdict): verdict is Good =>
  verdict.kind === 'known' || verdict.kind === 'successor'

function refused(verdict: Refused, { fingerprint }: Identity, at: Place, path: string): StalkError {
  const shown = `the peer has shown ${fingerprint}`
  const place = placeText(at)
  switch (verdict.kind) {
    case 'unknown':
      return refusal('ERR_STALK_PEER_UNKNOWN', `${path} has no key of ${place}; ${shown}`)
    case 'revoked':
      return refusal(
        'ERR_STALK_PEER_REVOKED',
        `${shown}, which is revoked; ${path}, line ${verdict.entry.line}`
      )
    case 'retired':
      return refusal(
        'ERR_STALK_PEER_CHANGED',
        `expected ${verdict.entry.key.fingerprint} at ${place} (${path}, line ${verdict.entry.line}); ${shown}, the key that it has succeeded`
      )
    case 'changed': {
      const known = verdict.entries.map(({ key, line }) => `${key.fingerprint} (line ${line})`).join(' or ')
      return refusal('ERR_STALK_PEER_CHANGED', `expected ${known} at ${place}, as in ${path}; ${shown}`)
    }
  }
}
