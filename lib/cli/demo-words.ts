// Every word that the demo shows to a person. Knows the evidence and the claims; decides nothing, and leaves it to
// terminal.ts whether there are colours.

import buffer from 'node:buffer'
import { inspect } from 'node:util'
import type { Claim } from './demo-claims.ts'
import type { Cast, Evidence, Person, Side } from './demo-scenes.ts'
import type { Input } from './input.ts'
import { grouped, harmless, hexdump, seconds, sized, type Terminal, wrapped } from './terminal.ts'

export const USAGE = `npm start                      sends the packages of package-lock.json
npm start -- messages.ndjson   sends a file with one JSON value a line
… | npm start                  sends what is piped in, one JSON value a line

Exit code: 0 if every check passed, 1 if not, 2 if the input can't be used.`

const WIDTH = 78
const SHOWN_LINES = 14
const SHOWN_BYTES = 64
/** Fewer messages say nothing about speed. */
const WORTH_A_RATE = 1_000

buffer.INSPECT_MAX_BYTES = 10 // more of a Buffer than that tells a person nothing

export function showTitle(terminal: Terminal): void {
  terminal.line(terminal.paint('bold', 'stalk: encrypted, authenticated messages between two programs'))
  paragraph(
    terminal,
    'A listener and a connector, two processes on this machine, talk over TCP. A relay between them shows what passes on the wire. Nothing is staged: every line marked ok was checked.'
  )
}

export function showCast(terminal: Terminal, { listener, connector }: Cast, folder: string): void {
  heading(terminal, 'Who talks to whom')
  for (const [name, person] of Object.entries({ listener, connector })) showPerson(terminal, name, person)
  paragraph(
    terminal,
    `Both keys are new. They lie in ${folder}, the private ones with mode 0600, and are removed at the end. As with SSH, each side was given the other's fingerprint, and talks to nobody else.`
  )
}

export function showTransfer(terminal: Terminal, evidence: Evidence, first: unknown): void {
  const { connector, listener, wire } = evidence
  terminal.line('  The first one, as the connector writes it:')
  for (const line of inspected(first)) terminal.line(`    ${line}`)
  if (wire.firstRecord) showRecord(terminal, wire.firstRecord)
  terminal.line()
  if (connector.secured) {
    row(terminal, 'mode', `${connector.secured.mode}: both ends have proved their keys`)
    row(terminal, 'cipher', connector.secured.suite)
  }
  showTraffic(terminal, evidence)
  showEnd(terminal, 'connector', connector)
  showEnd(terminal, 'listener', listener)
}

export function showTransferHeading(terminal: Terminal, { notice, about }: Input): void {
  heading(terminal, '1. Messages go through')
  if (notice) paragraph(terminal, notice)
  paragraph(terminal, `The connector sends ${about}.`)
}

export function showStrangerHeading(terminal: Terminal): void {
  heading(terminal, '2. The wrong key answers')
  paragraph(
    terminal,
    'Now the connector expects another key than the listener has, as if somebody else had taken its place.'
  )
}

export function showStranger(terminal: Terminal, { listener, connector }: Evidence): void {
  if (connector.refused) {
    row(terminal, 'connector', connector.refused.code)
    for (const part of connector.refused.text.split('; ')) terminal.line(`    ${harmless(part)}`)
  }
  if (listener.refused) row(terminal, 'listener', `clientError ${listener.refused.code}`)
  for (const line of wrapped(listener.refused?.text ?? '', WIDTH - 13)) row(terminal, '', line)
}

export function showCutHeading(terminal: Terminal, bytes: number): void {
  heading(terminal, '3. The wire is cut')
  paragraph(
    terminal,
    `The connector sends the same again, over and over. After ${sized(bytes)} the relay cuts the connection, without a word to either.`
  )
}

export function showCut(terminal: Terminal, { listener, connector }: Evidence): void {
  showEnd(terminal, 'connector', connector)
  showEnd(terminal, 'listener', listener)
}

export function showClaims(terminal: Terminal, claims: readonly Claim[]): void {
  terminal.line()
  for (const claim of claims) {
    const mark = claim.holds ? terminal.paint('green', 'ok') : terminal.paint('red', 'FAILED')
    const [start = '', ...rest] = wrapped(claim.text, WIDTH - (claim.holds ? 6 : 10))
    terminal.line(`  ${mark}  ${start}`)
    for (const line of rest) terminal.line(`      ${line}`)
    if (!claim.holds) terminal.line(`      seen: ${harmless(claim.seen)}`)
  }
}

export function showVerdict(terminal: Terminal, claims: readonly Claim[], ms: number): void {
  const failed = claims.filter(claim => !claim.holds)
  terminal.line()
  if (failed.length === 0) {
    terminal.line(terminal.paint('green', `All ${claims.length} checks passed, in ${seconds(ms)}.`))
    return
  }
  terminal.line(terminal.paint('red', `${failed.length} of ${claims.length} checks FAILED:`))
  for (const { text } of failed) terminal.line(`  ${text}`)
}

export function progressText(count: { connector: number; listener: number }, total: number): string {
  const all = Number.isFinite(total) ? ` of ${grouped(total)}` : ''
  return `  sent ${grouped(count.connector)}${all}, received ${grouped(count.listener)}`
}

function heading(terminal: Terminal, text: string): void {
  terminal.line()
  terminal.line(terminal.paint('bold', text))
}

function paragraph(terminal: Terminal, text: string): void {
  for (const line of wrapped(harmless(text), WIDTH - 2)) terminal.line(`  ${line}`)
}

const row = (terminal: Terminal, name: string, text: string): void =>
  terminal.line(`  ${name.padEnd(9)}  ${harmless(text)}`)

const showPerson = (terminal: Terminal, name: string, { key, fingerprint }: Person): void =>
  row(terminal, name, `${key}  ${fingerprint}`)

function showRecord(terminal: Terminal, record: Buffer): void {
  const shown = Math.min(SHOWN_BYTES, record.length)
  terminal.line(`  The same on the wire (the first ${shown} of ${grouped(record.length)} bytes):`)
  for (const line of hexdump(record.subarray(0, shown))) terminal.line(`    ${line}`)
  const length = record.toString('hex', 1, 4)
  terminal.line(`    Its type, e4, and its length, ${length}, are in clear. The rest is sealed.`)
}

function showTraffic(terminal: Terminal, { connector, wire }: Evidence): void {
  row(terminal, 'bytes', `${sized(wire.bytesToListener)} there, ${sized(wire.bytesToConnector)} back`)
  if (!connector.ended) return
  const { ms, total } = connector.ended
  row(terminal, 'digest', `SHA-256 over all messages, in order: ${total.digest.slice(0, 16)}…`)
  if (!ms) return
  const rate =
    total.messages < WORTH_A_RATE ? '' : `, ${grouped((total.messages * 1_000) / ms)} messages a second`
  row(terminal, 'time', `${seconds(ms)}${rate}`)
}

function showEnd(terminal: Terminal, name: string, { ended }: Side): void {
  if (!ended) return
  const { kind, code, sent, acknowledged, received, reason } = ended.outcome
  row(terminal, name, code ? `${kind}, ${code}` : `${kind}: ${reason}`)
  if (code) for (const line of wrapped(reason, WIDTH - 13)) row(terminal, '', line)
  const known = acknowledged === null ? 'unknown' : grouped(acknowledged)
  row(terminal, '', `sent ${grouped(sent)}, acknowledged ${known}, received ${grouped(received)}`)
}

function inspected(message: unknown): string[] {
  const text = inspect(message, {
    breakLength: WIDTH - 6,
    depth: 4,
    maxArrayLength: 8,
    maxStringLength: 36,
    compact: 3
  })
  const lines = text
    .split('\n')
    .map(line => (line.length > WIDTH - 4 ? `${line.slice(0, WIDTH - 6)} …` : line))
  return lines.length > SHOWN_LINES ? [...lines.slice(0, SHOWN_LINES), '…'] : lines
}
