// The entries of a capture as lines for a person: who sent it, where it begins, how long it is, what it says. Knows
// entries and words; reads no files.

import type { CaptureEntry } from '../index.ts'
import { writeLine } from './ndjson.ts'
import { grouped, type Terminal } from './terminal.ts'

type Named<Name extends CaptureEntry['name']> = Extract<CaptureEntry, { readonly name: Name }>

/** So that the lines of a large capture stay below each other. */
const COLUMN = 9
/** The most of one message that is shown, in characters. */
const MAX_MESSAGE = 2_000
const RANDOM_DIGITS = 16
const INDENT = ' '.repeat(1 + 2 * COLUMN + 2)

/** A record is a line, and a message more than one to a record a line of its own. */
export function linesOf(entry: CaptureEntry, terminal: Terminal): string[] {
  const initiator = entry.from === 'initiator'
  const arrow = terminal.paint(initiator ? 'green' : 'bold', initiator ? '→' : '←')
  const places = [entry.at, entry.bytes].map(place => grouped(place).padStart(COLUMN)).join('')
  const wrong = entry.name === 'problem' || faultIn(entry) !== null
  const padded = 'padding' in entry && entry.padding > 0
  const padding = padded ? terminal.paint('dim', `  padding ${grouped(entry.padding)}`) : ''
  const [first = '', ...more] = textsOf(entry)
  const lines = [
    `${arrow}${terminal.paint('dim', places)}  ${wrong ? terminal.paint('red', first) : first}`,
    ...more.map(line => INDENT + line)
  ]
  return [...lines.slice(0, -1), `${lines.at(-1)}${padding}`]
}

/** What is wrong with a flight; null if nothing is, or it can't be said. */
export const faultIn = (entry: CaptureEntry): string | null =>
  entry.name === 'flight' ? (entry.fault ?? null) : null

// Each word takes the entries of its own name; that they are looked up by it, the types can't tell.
const textsOf = (entry: CaptureEntry): string[] =>
  (WORDS[entry.name] as (entry: CaptureEntry) => string[])(entry)

const list = (words: readonly string[]): string => words.join(', ') || 'none'

const WORDS: { readonly [Name in CaptureEntry['name']]: (entry: Named<Name>) => string[] } = {
  initiatorHello: ({ versions, random, suites, keyTypes }) => [
    `InitiatorHello  random ${random.slice(0, RANDOM_DIGITS)}…  ${list(versions.map(version => `stalk/${version}`))}`,
    `suites ${list(suites)}`,
    `takes signatures ${list(keyTypes)}`
  ],
  responderHello: ({ version, suite, resumed }) => [
    `ResponderHello  stalk/${version}  ${suite}${resumed ? '  resumed' : ''}`
  ],
  sealed: ({ stage }) => [`sealed, ${stage} keys`],
  flight: entry => [flight(entry), `takes messages up to ${grouped(entry.maxMessage)} bytes${asks(entry)}`],
  accept: () => ['Accept'],
  messages,
  shapes: ({ first, shapes }) => shapes.map((names, index) => `shape ${first + index}: ${names.join(', ')}`),
  fragment: ({ contentBytes, soFar }) => [
    `part of a message: ${grouped(contentBytes)} bytes, ${grouped(soFar)} so far`
  ],
  ping: ({ value }) => [`ping ${value}`],
  pong: ({ value, received }) => [`pong ${value}, ${counted(received)} received`],
  finalPong: ({ received }) => [`final pong, ${counted(received)} received`],
  keyUpdate: ({ asks, epoch }) => [
    `new keys from here on: ${epoch + 1}${asks ? ', and asks for the same' : ', as asked'}`
  ],
  ticket: ({ lifetime, ticketBytes }) => [`ticket of ${ticketBytes} bytes, for ${grouped(lifetime)} s`],
  alert: ({ code, text, plain }) => [`alert ${code}${plain ? ', in clear' : ''}: ${text}`],
  close: ({ received }) => [`goodbye, ${counted(received)} received`],
  problem: ({ text, code }) => [`${text} (${code})`]
}

const counted = (messages: number): string =>
  `${grouped(messages)} ${messages === 1 ? 'message' : 'messages'}`

function flight({ identity, proof, fault }: Named<'flight'>): string {
  const who = identity
    ? `${identity.fingerprint} (${identity.type.toUpperCase()} ${identity.keysize})`
    : 'nobody (anonymous)'
  if (fault === undefined) return `${who}: not verified`
  if (fault !== null)
    return `${who}: ${proof ? 'signature or Finished does' : 'Finished does'} not match (${fault})`
  return `${who}: ${proof ? 'signature and Finished match' : 'Finished matches'}`
}

function asks({ want, keyTypes }: Named<'flight'>): string {
  if (want === undefined) return ''
  if (want === 'none') return ', asks for no identity'
  const how = want === 'required' ? 'requires an identity' : 'asks for an identity'
  return `, ${how}, takes signatures ${list(keyTypes ?? [])}`
}

function messages({ first, messages, fragments }: Named<'messages'>): string[] {
  const parts = fragments === undefined ? '' : `, in ${fragments} parts`
  return messages.map(
    (message, index) => `message ${first + index}${parts}  ${shortened(writeLine(message))}`
  )
}

const shortened = (text: string): string =>
  text.length > MAX_MESSAGE ? `${text.slice(0, MAX_MESSAGE)}… ${grouped(text.length)} characters` : text
