// The succession statements that one file, or one pin, has: chains from key to key. Knows fingerprints; knows not whom
// the first key of a chain is trusted for.

import { MAX_SUCCESSIONS } from '../constants.ts'
import { succession } from './failures.ts'
import { atLine, type Line } from './lines.ts'
import { Succession } from './succession.ts'

export interface Recorded {
  readonly succession: Succession
  /** Where it stands; 0: in no file. */
  readonly line: number
}

/** A key has one successor at most, and no chain is a circle: so each has an end. Immutable. */
export class Successions {
  readonly #byPredecessor = new Map<string, Recorded>()

  /** Throws ERR_STALK_SUCCESSION for two successors of one key, a circle, and too many. */
  constructor(all: readonly Recorded[] = []) {
    for (const one of all) this.#add(one)
  }

  #add(one: Recorded): void {
    const { predecessor, successor, line } = one.succession
    const other = this.#byPredecessor.get(predecessor.fingerprint)
    if (other?.succession.line === line) return
    if (other && other.succession.successor.fingerprint !== successor.fingerprint)
      throw succession(
        `${predecessor.fingerprint} has two successors${where(other)}: ${other.succession.successor.fingerprint} and ${successor.fingerprint}; one of them may be somebody else's`
      )
    if (other) return
    if (this.#byPredecessor.size >= MAX_SUCCESSIONS)
      throw succession(`there are more than ${MAX_SUCCESSIONS} successions`)
    if (this.chain(successor.fingerprint).includes(predecessor.fingerprint))
      throw succession(`${predecessor.fingerprint} would succeed itself, in a circle`)
    this.#byPredecessor.set(predecessor.fingerprint, one)
  }

  get all(): readonly Recorded[] {
    return [...this.#byPredecessor.values()]
  }

  /** The keys that take a key's place, one after the other, as far as none of those that pass on is revoked. */
  chain(fingerprint: string, isRevoked: (fingerprint: string) => boolean = () => false): string[] {
    const found: string[] = []
    for (let at = fingerprint; !isRevoked(at); ) {
      const next = this.#byPredecessor.get(at)?.succession.successor.fingerprint
      if (next === undefined || found.length > MAX_SUCCESSIONS) break
      found.push(next)
      at = next
    }
    return found
  }

  /** With one more. Throws as the constructor. */
  with(one: Recorded): Successions {
    return new Successions([...this.all, one])
  }
}

const where = ({ line }: Recorded): string => (line > 0 ? ` (line ${line})` : '')

export const isSuccession = ({ text }: Line): boolean => /^@succession([ \t]|$)/.test(text)

/** Those on the lines of a file. Throws ERR_STALK_TRUST_FILE_FORMAT. */
export function successionsOn(lines: readonly Line[]): Successions {
  let all = new Successions()
  for (const line of lines.filter(isSuccession)) {
    all = atLine(line, () =>
      all.with({ succession: Succession.read(line.text, line.place), line: line.number })
    )
  }
  return all
}
