// Changes of a known_peers file, from text to text: lines are added and taken out, all others stay to the byte. Knows
// what must not be written; knows no disk.

import type { RawPublicKey } from '../crypto/public-key.ts'
import { fingerprintOf } from '../identity/fingerprint.ts'
import type { Identity } from '../identity/identity.ts'
import { writeSshLine } from '../identity/ssh-public.ts'
import { invalid, refusal, succession as refusedSuccession } from './failures.ts'
import { type Hosts, hostsBetween, type Place } from './hosts.ts'
import { type KnownEntry, KnownFile } from './known-file.ts'
import { withLine } from './lines.ts'
import type { Succession } from './succession.ts'

/** `[host]:port ssh-ed25519 AAAA… label` */
export const knownLine = (hosts: string, raw: RawPublicKey, label: string, revoked = false): string =>
  [...(revoked ? ['@revoked'] : []), hosts, writeSshLine(raw, label).trimEnd()].join(' ')

/** The same text if it says so already. Throws ERR_STALK_PEER_REVOKED. */
export function withKnown(
  text: string,
  path: string,
  hosts: Hosts,
  identity: Identity,
  label: string
): string {
  const same = KnownFile.read(text, path).entries.filter(
    ({ key }) => key.fingerprint === identity.fingerprint
  )
  const revoked = same.find(entry => entry.revoked)
  if (revoked)
    throw refusal(
      'ERR_STALK_PEER_REVOKED',
      `${identity.fingerprint} is revoked in ${path}, line ${revoked.line}`
    )
  if (same.some(entry => entry.hosts.text === hosts.text)) return text
  return withLine(text, knownLine(hosts.text, identity.raw, label))
}

/** By the key, or by its fingerprint if the file has it: ERR_STALK_INVALID_OPTION. */
export function withRevoked(
  text: string,
  path: string,
  hosts: Hosts,
  key: RawPublicKey | string,
  label: string
): string {
  const { entries } = KnownFile.read(text, path)
  const fingerprint = typeof key === 'string' ? key : fingerprintOf(key)
  const same = entries.filter(entry => entry.key.fingerprint === fingerprint)
  const raw = typeof key === 'string' ? same[0]?.key.raw : key
  if (raw === undefined)
    throw invalid(`${path} does not have ${fingerprint}; the key itself is needed to revoke it`)
  if (same.some(entry => entry.revoked && entry.hosts.text === hosts.text)) return text
  return withLine(text, knownLine(hosts.text, raw, label, true))
}

/** Without a place in any line, or without the lines of a key; what is revoked stays so. `gone` is given what is taken out. */
export function withoutKnown(
  text: string,
  path: string,
  what: Place | string,
  gone: (entry: KnownEntry) => void
): string {
  const lines = text.split('\n')
  for (const entry of [...KnownFile.read(text, path).entries].reverse()) {
    if (entry.revoked) continue
    const left = leftOf(entry, what)
    if (left?.text === entry.hosts.text) continue
    gone({ ...entry, hosts: hostsBetween(entry.hosts, left) })
    const line = lines[entry.line - 1] ?? ''
    if (left) lines[entry.line - 1] = line.replace(entry.hosts.text, () => left.text)
    else lines.splice(entry.line - 1, 1)
  }
  return lines.join('\n')
}

const leftOf = ({ hosts, key }: KnownEntry, what: Place | string): Hosts | null => {
  if (typeof what === 'string') return key.fingerprint === what ? null : hosts
  return hosts.without(what)
}

/**
 * With a statement whose predecessor is in the file, be it at the end of a chain. Throws ERR_STALK_SUCCESSION where it
 * is not to be followed.
 */
export function withKnownSuccession(text: string, path: string, statement: Succession): string {
  const { entries, successions } = KnownFile.read(text, path)
  const { predecessor, successor } = statement
  for (const { fingerprint } of [predecessor, successor]) {
    const revoked = entries.find(entry => entry.revoked && entry.key.fingerprint === fingerprint)
    if (revoked)
      throw refusedSuccession(
        `the succession is not followed: ${fingerprint} is revoked in ${path}, line ${revoked.line}`
      )
  }
  const known = entries.flatMap(({ key, revoked }) =>
    revoked ? [] : [key.fingerprint, ...successions.chain(key.fingerprint)]
  )
  if (!known.includes(predecessor.fingerprint))
    throw refusedSuccession(
      `the succession is not followed: ${path} does not know ${predecessor.fingerprint}`
    )
  successions.with({ succession: statement, line: 0 })
  const isThere = successions.all.some(one => one.succession.predecessor.equals(predecessor))
  return isThere ? text : withLine(text, statement.line)
}
