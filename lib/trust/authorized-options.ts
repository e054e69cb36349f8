// What stands in front of a key in authorized peers: name="…", from="…", expiry-time="…", with commas between, as in
// OpenSSH's authorized_keys. Knows texts, addresses and times; knows no key.

import { BlockList, isIP } from 'node:net'
import { flawOfLabel, type Line, malformed } from './lines.ts'
import { fits, listFits } from './wildcards.ts'

export interface KeyOptions {
  /** What the peer is called; null: by the comment behind its key. */
  readonly name: string | null
  /** Whether it may come from an address; undefined is one that nobody knows. */
  allows(address: string | undefined): boolean
  /** When it ends, in ms since 1970; infinite for never. */
  readonly expires: number
}

interface Parts {
  readonly options: KeyOptions
  /** Behind them: the key. */
  readonly words: string
}

const OPTION = /^([A-Za-z][A-Za-z-]*)(?:="((?:[^"\\]|\\.)*)")?/

/** Throws ERR_STALK_TRUST_FILE_FORMAT. */
export function optionsOn(line: Line): Parts {
  if (/^(ssh|ecdsa|sk)-\S+([ \t]|$)/.test(line.text))
    return { options: optionsOf(new Map(), line), words: line.text }
  const found = new Map<string, string>()
  for (let rest = line.text; ; rest = rest.slice(1)) {
    const [whole = '', name = '', value] = OPTION.exec(rest) ?? []
    const key = name.toLowerCase()
    if (!NAMES.includes(key))
      throw malformed(
        line,
        `has ${JSON.stringify(name || rest.slice(0, 20))} where an option or a key is needed; options are ${NAMES.join(', ')}`
      )
    if (value === undefined) throw malformed(line, `has ${name} without its value: ${name}="…"`)
    if (found.has(key)) throw malformed(line, `says ${name} twice`)
    found.set(key, value.replace(/\\(.)/g, '$1'))
    rest = rest.slice(whole.length)
    if (/^[ \t]/.test(rest)) return { options: optionsOf(found, line), words: rest.replace(/^[ \t]+/, '') }
    if (!rest.startsWith(','))
      throw malformed(line, 'has no key behind its options, or no comma between them')
  }
}

const NAMES = ['name', 'from', 'expiry-time']

function optionsOf(found: ReadonlyMap<string, string>, line: Line): KeyOptions {
  const [name, from, expiry] = NAMES.map(name => found.get(name))
  return {
    name: name === undefined ? null : nameIn(name, line),
    allows: from === undefined ? () => true : sourcesIn(from, line),
    expires: expiry === undefined ? Number.POSITIVE_INFINITY : timeIn(expiry, line)
  }
}

function nameIn(text: string, line: Line): string {
  const name = Buffer.from(text, 'latin1').toString('utf8')
  const flaw = name === '' ? 'is empty' : flawOfLabel(name)
  if (flaw === null) return name
  throw malformed(line, `has a name that ${flaw}`)
}

// --- from ----------------------------------------------------------------------------------------------

/** Addresses, blocks of them (10.0.0.0/8), and patterns of addresses with * and ?; not where one with ! fits. */
function sourcesIn(text: string, line: Line): KeyOptions['allows'] {
  const items = text.split(',')
  const sources = new Map(
    items.map(item => {
      const bare = item.replace(/^!/, '')
      return [bare, sourceIn(bare, line)] as const
    })
  )
  return address => {
    if (address === undefined) return false
    const plain = plainly(address)
    return listFits(items, item => sources.get(item)?.(plain) === true)
  }
}

function sourceIn(item: string, line: Line): (address: string) => boolean {
  const [address = '', bits, ...more] = item.split('/')
  const family = isIP(address)
  if (family > 0 && more.length === 0) {
    const most = family === 4 ? 32 : 128
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
    if (length <= most && !address.includes('%'))
      return blockOf(address, length, family === 4 ? 'ipv4' : 'ipv6')
  }
  // A name would have to be looked up, and whoever answers for it would let in whom he likes.
  if (/^[0-9a-fA-F.:*?]+$/.test(item) && /[*?]/.test(item))
    return address => fits(item.toLowerCase(), address)
  throw malformed(line, `has ${JSON.stringify(item)} in from, which takes addresses, 10.0.0.0/8 and 10.0.*`)
}

function blockOf(address: string, length: number, family: 'ipv4' | 'ipv6'): (address: string) => boolean {
  const block = new BlockList()
  block.addSubnet(address, length, family)
  return other => isIP(other) > 0 && block.check(other, isIP(other) === 4 ? 'ipv4' : 'ipv6')
}

/** A socket for both families shows IPv4 as ::ffff:1.2.3.4. A zone (%eth0) is no part of an address. */
const plainly = (address: string): string =>
  address
    .toLowerCase()
    .replace(/%.*$/, '')
    .replace(/^::ffff:(?=\d+\.)/, '')

// --- expiry-time ---------------------------------------------------------------------------------------

const TIME = /^(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)?)?(Z?)$/

/** YYYYMMDD[HHMM[SS]], in local time or, with a Z behind it, UTC. */
function timeIn(text: string, line: Line): number {
  const match = TIME.exec(text)
  const [year = 0, month = 0, ...rest] = (match?.slice(1, 7) ?? []).map(digits => Number(digits ?? 0))
  const [day = 0, hour = 0, minute = 0, second = 0] = rest
  const numbers = [year, month - 1, day, hour, minute, second] as const
  const isUtc = match?.[7] === 'Z'
  const time = isUtc ? new Date(Date.UTC(...numbers)) : new Date(...numbers)
  const back = isUtc
    ? [time.getUTCFullYear(), time.getUTCMonth(), time.getUTCDate()]
    : [time.getFullYear(), time.getMonth(), time.getDate()]
  const isReal = hour < 24 && minute < 60 && second < 60 && back.every((number, at) => number === numbers[at])
  if (match && isReal) return time.getTime()
  throw malformed(
    line,
    `has ${JSON.stringify(text)} as expiry-time, which is YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, with Z for UTC`
  )
}
