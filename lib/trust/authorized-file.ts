// The text of an authorized_peers file: which keys may come, from where and until when. Knows lines and successions;
// knows no disk.

import type { Identity } from '../identity/identity.ts'
import { type KeyOptions, optionsOn } from './authorized-options.ts'
import { refusal, succession as refusedSuccession } from './failures.ts'
import { firstWord, keyIn, type Line, type ListedKey, linesOf, withLine } from './lines.ts'
import type { Succession } from './succession.ts'
import { isSuccession, type Successions, successionsOn } from './successions.ts'

export interface AuthorizedEntry {
  /** From 1 on. */
  readonly line: number
  readonly key: ListedKey
  readonly options: KeyOptions
}

export class AuthorizedFile {
  readonly entries: readonly AuthorizedEntry[]
  readonly successions: Successions
  readonly #revoked: ReadonlyMap<string, number>
  readonly #path: string

  private constructor(lines: readonly Line[], path: string) {
    const others = lines.filter(line => !isSuccession(line))
    this.entries = others.filter(line => !isRevoked(line)).map(entryOn)
    this.#revoked = new Map(
      others.filter(isRevoked).map(line => [keyIn(firstWord(line.text)[1], line).fingerprint, line.number])
    )
    this.successions = successionsOn(lines)
    this.#path = path
  }

  /** `text` is read as latin1. Throws ERR_STALK_TRUST_FILE_FORMAT, naming file and line. */
  static read(text: string, path: string): AuthorizedFile {
    return new AuthorizedFile(linesOf(text, path), path)
  }

  /**
   * The entry that lets a peer in, by its key or by one that this key succeeds. Throws ERR_STALK_PEER_REVOKED and
   * ERR_STALK_UNAUTHORIZED, which says why not.
   */
  admit(
    { fingerprint }: Pick<Identity, 'fingerprint'>,
    address: string | undefined,
    now: number
  ): AuthorizedEntry {
    const revoked = this.#revoked.get(fingerprint)
    if (revoked !== undefined)
      throw refusal('ERR_STALK_PEER_REVOKED', `${fingerprint} is revoked; ${this.#path}, line ${revoked}`)
    const reasons: string[] = []
    for (const entry of this.#entriesOf(fingerprint)) {
      const reason = reasonAgainst(entry.options, address, now)
      if (reason === null) return entry
      reasons.push(`${this.#path}, line ${entry.line}, ${reason}`)
    }
    const why = reasons.length > 0 ? reasons.join('; ') : `${this.#path} does not have it`
    throw refusal('ERR_STALK_UNAUTHORIZED', `${fingerprint} is not authorized: ${why}`)
  }

  #entriesOf(fingerprint: string): AuthorizedEntry[] {
    const isRevoked = (key: string): boolean => this.#revoked.has(key)
    return this.entries.filter(
      ({ key }) =>
        key.fingerprint === fingerprint ||
        this.successions.chain(key.fingerprint, isRevoked).includes(fingerprint)
    )
  }

  /** The text with a statement whose predecessor it has. Throws ERR_STALK_SUCCESSION where it is not to be followed. */
  withSuccession(text: string, statement: Succession): string {
    const { predecessor, successor } = statement
    for (const { fingerprint } of [predecessor, successor]) {
      const line = this.#revoked.get(fingerprint)
      if (line !== undefined)
        throw refusedSuccession(
          `the succession is not followed: ${fingerprint} is revoked in ${this.#path}, line ${line}`
        )
    }
    if (this.#entriesOf(predecessor.fingerprint).length === 0)
      throw refusedSuccession(
        `the succession is not followed: ${this.#path} does not know ${predecessor.fingerprint}`
      )
    this.successions.with({ succession: statement, line: 0 })
    const isThere = this.successions.all.some(one => one.succession.predecessor.equals(predecessor))
    return isThere ? text : withLine(text, statement.line)
  }
}

const isRevoked = ({ text }: Line): boolean => /^@revoked[ \t]/.test(text)

function entryOn(line: Line): AuthorizedEntry {
  const { options, words } = optionsOn(line)
  return { line: line.number, options, key: keyIn(words, line) }
}

function reasonAgainst(
  { allows, expires }: KeyOptions,
  address: string | undefined,
  now: number
): string | null {
  if (now >= expires) return `ended at ${new Date(expires).toISOString()}`
  if (allows(address)) return null
  return address === undefined
    ? 'takes it from some addresses, and none is known'
    : `does not take it from ${address}`
}
