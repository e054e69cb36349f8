// Coverage: which code of lib has run, by V8's precise block coverage. Knows scripts as rows of characters, since
// V8 joins blocks that ran equally often: only the characters tell whether something is new.

import type { Profiler } from 'node:inspector'
import { takeCoverage } from './profiler.ts'

const LIB = new URL('../../lib/', import.meta.url).href

interface Script {
  /** A 1 for each character that has run. */
  ran: Uint8Array
  /** Where blocks begin and end, as far as V8 has told. */
  readonly edges: Set<number>
}

/** Characters, by the address of their script. */
export type Fresh = ReadonlyMap<string, readonly number[]>

export class Coverage {
  readonly #scripts = new Map<string, Script>()
  readonly #watched: (url: string) => boolean
  #now = new Uint8Array(0)

  /** Counts scripts below one of the addresses; lib's if there is none. */
  constructor(...addresses: string[]) {
    const prefixes = addresses.length > 0 ? addresses : [LIB]
    this.#watched = url => prefixes.some(prefix => url.startsWith(prefix))
  }

  /** What ran since the last look is nobody's. */
  skip(): void {
    takeCoverage()
  }

  /** What ran since the last look and had never run before. */
  look(): Fresh {
    return this.#collect((script, character) => {
      if (script.ran[character] === 1) return false
      script.ran[character] = 1
      return true
    })
  }

  /** What of `fresh` ran since the last look. */
  among(fresh: Fresh): Fresh {
    const wanted = new Map([...fresh].map(([url, characters]) => [url, new Set(characters)]))
    return this.#collect((_, character, url) => wanted.get(url)?.has(character) === true)
  }

  #collect(wanted: (script: Script, character: number, url: string) => boolean): Fresh {
    const fresh = new Map<string, number[]>()
    for (const { url, functions } of takeCoverage()) {
      if (!this.#watched(url)) continue
      const size = Math.max(...functions.map(({ ranges }) => ranges[0]?.endOffset ?? 0))
      const script = this.#scriptAt(url, size)
      for (const { ranges } of functions) note(script.edges, ranges)
      const now = this.#paint(functions, size)
      const found: number[] = []
      for (let i = 0; i < size; i++) if (now[i] === 1 && wanted(script, i, url)) found.push(i)
      if (found.length > 0) fresh.set(url, found)
    }
    return fresh
  }

  /** Outer ranges come before inner ones. */
  #paint(functions: readonly Profiler.FunctionCoverage[], size: number): Uint8Array {
    if (this.#now.length < size) this.#now = new Uint8Array(2 * size)
    const now = this.#now.fill(0, 0, size)
    for (const { ranges } of functions) {
      for (const { startOffset, endOffset, count } of ranges)
        now.fill(count > 0 ? 1 : 0, startOffset, endOffset)
    }
    return now
  }

  #scriptAt(url: string, size: number): Script {
    const script = this.#scripts.get(url) ?? { ran: new Uint8Array(size), edges: new Set<number>() }
    this.#scripts.set(url, script)
    if (script.ran.length < size) {
      const ran = new Uint8Array(size)
      ran.set(script.ran)
      script.ran = ran
    }
    return script
  }

  /** How many blocks have run, of those that are known. */
  get blocks(): number {
    let blocks = 0
    for (const { ran, edges } of this.#scripts.values()) for (const edge of edges) blocks += ran[edge] ?? 0
    return blocks
  }
}

function note(edges: Set<number>, ranges: readonly Profiler.CoverageRange[]): void {
  for (const { startOffset, endOffset } of ranges) edges.add(startOffset).add(endOffset)
}
