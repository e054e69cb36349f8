// The text of a known_peers file: which keys it has for a place, and what it says to a key that is shown there. Knows
// lines, places and successions; knows no disk and lets nobody in.

import type { Identity } from '../identity/identity.ts'
import { Hosts, type Place } from './hosts.ts'
import { firstWord, keyIn, type Line, type ListedKey, linesOf, malformed } from './lines.ts'
import { isSuccession, type Successions, successionsOn } from './successions.ts'

export interface KnownEntry {
  /** From 1 on. */
  readonly line: number
  readonly hosts: Hosts
  readonly key: ListedKey
  /** Not to be trusted at these places, whatever else is said. */
  readonly revoked: boolean
}

/**
 * `successor`: by way of the key of `entry`, which this one succeeds. `retired`: the key of `entry`, which was met there,
 * has succeeded it. `unknown`: nothing is known of the place; `elsewhere` has the key.
 */
export type Verdict =
  | { readonly kind: 'known'; readonly entry: KnownEntry }
  | { readonly kind: 'successor'; readonly entry: KnownEntry }
  | { readonly kind: 'revoked'; readonly entry: KnownEntry }
  | { readonly kind: 'retired'; readonly entry: KnownEntry }
  | { readonly kind: 'changed'; readonly entries: readonly KnownEntry[] }
  | { readonly kind: 'unknown'; readonly elsewhere: readonly KnownEntry[] }

export class KnownFile {
  readonly entries: readonly KnownEntry[]
  readonly successions: Successions

  constructor(entries: readonly KnownEntry[], successions: Successions) {
    this.entries = entries
    this.successions = successions
  }

  /** `text` is read as latin1. Throws ERR_STALK_TRUST_FILE_FORMAT, naming file and line. */
  static read(text: string, path: string): KnownFile {
    const lines = linesOf(text, path)
    const entries = lines.filter(line => !isSuccession(line)).map(entryOn)
    return new KnownFile(entries, successionsOn(lines))
  }

  verdict(place: Place, { fingerprint }: Pick<Identity, 'fingerprint'>): Verdict {
    const here = this.entries.filter(({ hosts }) => hosts.match(place))
    const revoked = here.filter(({ revoked }) => revoked)
    const isRevoked = (key: string): boolean => revoked.some(entry => entry.key.fingerprint === key)
    const refused = revoked.find(({ key }) => key.fingerprint === fingerprint)
    if (refused) return { kind: 'revoked', entry: refused }
    const trusted = here.filter(({ revoked }) => !revoked)
    const leadsTo = (from: string, to: string): boolean =>
      this.successions.chain(from, isRevoked).includes(to)
    const entry = trusted.find(({ key }) => key.fingerprint === fingerprint)
    if (entry) {
      const later = trusted.find(({ key }) => leadsTo(fingerprint, key.fingerprint))
      return later ? { kind: 'retired', entry: later } : { kind: 'known', entry }
    }
    const before = trusted.find(({ key }) => leadsTo(key.fingerprint, fingerprint))
    if (before) return { kind: 'successor', entry: before }
    if (trusted.length > 0) return { kind: 'changed', entries: trusted }
    const elsewhere = this.entries.filter(({ key, revoked }) => !revoked && key.fingerprint === fingerprint)
    return { kind: 'unknown', elsewhere }
  }
}

/** `[@revoked] hosts ssh-ed25519 AAAA… label`. */
function entryOn(line: Line): KnownEntry {
  const [first, afterFirst] = firstWord(line.text)
  const revoked = first === '@revoked'
  if (first.startsWith('@') && !revoked)
    throw malformed(line, `begins with ${first}; there are @revoked and @succession`)
  const [hosts, words] = revoked ? firstWord(afterFirst) : [first, afterFirst]
  return { line: line.number, hosts: Hosts.read(hosts, line), key: keyIn(words, line), revoked }
}
