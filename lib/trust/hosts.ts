// Where a peer is, and patterns of such places, as in OpenSSH's known_hosts: `host`, `[host]:port`, `*`, `?`, `!host`,
// several with commas. Knows names; looks none up.

import { MAX_HOST_BYTES } from '../constants.ts'
import { invalid } from './failures.ts'
import { type Line, malformed } from './lines.ts'
import { fits, listFits } from './wildcards.ts'

/** Where a peer is: what one has called to reach it. */
export interface Place {
  readonly host: string
  /** Missing for what has none, such as a Unix socket, whose host is `unix:/its/path`. */
  readonly port: number | undefined
}

/** What is a host and no pattern. */
const HOST = /^[!-~]+$/
const PATTERN_CHARS = /[,*?![\]|@#"]/

/** Throws ERR_STALK_INVALID_OPTION. */
export function placeOf(host: unknown, port: unknown): Place {
  if (
    typeof host !== 'string' ||
    !HOST.test(host) ||
    PATTERN_CHARS.test(host) ||
    host.length > MAX_HOST_BYTES
  )
    throw invalid(`${JSON.stringify(host)} is no name of a host that known peers can be kept under`)
  if (port === undefined) return { host: normal(host), port }
  if (typeof port === 'number' && Number.isInteger(port) && port > 0 && port <= 65_535)
    return { host: normal(host), port }
  throw invalid('the port of a known peer must be a whole number from 1 to 65,535')
}

/** Names of hosts have no case; paths of sockets do. */
const normal = (host: string): string => (host.startsWith('unix:') ? host : host.toLowerCase())

/** `[host]:port`, as it stands in the file. */
export const placeText = ({ host, port }: Place): string => (port === undefined ? host : `[${host}]:${port}`)

interface Pattern {
  readonly host: string
  /** Null: any, or none. */
  readonly port: string | null
}

/** Null for what is no pattern. */
function patternOf(item: string): Pattern | null {
  const bracketed = /^\[([^[\]!|@"#]+)\]:(\d{1,5}|\*)$/.exec(item)
  if (bracketed) return { host: normal(bracketed[1] as string), port: bracketed[2] as string }
  return /^[^[\]!|@"#]+$/.test(item) ? { host: normal(item), port: null } : null
}

const covers = (item: string, { host, port }: Place): boolean => {
  const pattern = patternOf(item)
  if (pattern === null || !fits(pattern.host, host)) return false
  return pattern.port === null || (port !== undefined && fits(pattern.port, String(port)))
}

/** The first word of a line of known peers. */
export class Hosts {
  readonly #items: readonly string[]

  private constructor(items: readonly string[]) {
    this.#items = items
  }

  /** Throws ERR_STALK_TRUST_FILE_FORMAT. */
  static read(text: string, line: Pick<Line, 'place'>): Hosts {
    const items = text.split(',')
    if (text.startsWith('|')) throw malformed(line, 'has a hashed host name; stalk takes names as they are')
    const wrong = items.find(item => !isItem(item))
    if (wrong === undefined) return new Hosts(items)
    throw malformed(line, `has ${JSON.stringify(wrong)} where a host, or [host]:port, is needed`)
  }

  /** Of a list that somebody gives. Throws ERR_STALK_INVALID_OPTION. */
  static of(text: unknown): Hosts {
    if (typeof text === 'string' && text.split(',').every(isItem)) return new Hosts(text.split(','))
    throw invalid(`${JSON.stringify(text)} is no list of hosts: host or [host]:port, with commas between`)
  }

  get text(): string {
    return this.#items.join(',')
  }

  match(place: Place): boolean {
    return listFits(this.#items, item => covers(item, place))
  }

  /** What is left without a host, at one port or, if that is undefined, at all; null for nothing. Patterns stay. */
  without({ host, port }: Place): Hosts | null {
    const left = this.#items.filter(item => {
      const pattern = patternOf(item)
      return pattern?.host !== host || (port !== undefined && pattern.port !== String(port))
    })
    return left.some(item => !item.startsWith('!')) ? new Hosts(left) : null
  }
}

/** What of a list is not in another. */
export const hostsBetween = (all: Hosts, left: Hosts | null): Hosts => {
  const kept = left?.text.split(',') ?? []
  return left
    ? Hosts.of(
        all.text
          .split(',')
          .filter(item => !kept.includes(item))
          .join(',')
      )
    : all
}

const isItem = (item: string): boolean =>
  /^[!-~]{1,1100}$/.test(item) && patternOf(item.replace(/^!/, '')) !== null
