// Faults: what can happen to bytes on their way, each as a function that sees them pass. Knows bytes, and how records
// lie in them; knows no stream, no key, no time.

import { HEADER_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'

/** What a fault can do to its direction. */
export interface Wire {
  /** Sends bytes on. */
  pass(bytes: Buffer): void
  /** An orderly end (FIN), behind all that was passed on. What the writer still says is dropped. */
  end(): void
  /** As a socket that gets RST: both ends fail with `error` (default: ECONNRESET), and nothing passes any more. */
  reset(error?: Error): void
  /** Nothing passes any more, either way, and nobody is told. */
  silence(): void
}

/**
 * Handed each chunk that an end writes, and where it begins, counted in bytes from the first one of this direction.
 * What it does not pass on is lost. Most keep something, so make a new one for each direction.
 */
export type Fault = (bytes: Buffer, at: number, wire: Wire) => void

/** How a direction can be cut: FIN, RST, or without a word. */
export type Ending = 'end' | 'reset' | 'silence'

/** One record, counted from 0 where the fault was put in; or bytes, counted from the direction's first, `to` excluded. */
export type Piece = { readonly record: number } | { readonly from: number; readonly to: number }

/**
 * Lets the first `at` bytes of the direction pass and ends the wire there, whether or not more would come. `error` is
 * what both ends of a `reset` fail with.
 */
export function cut(at: number, how: Ending = 'end', error?: Error): Fault {
  checkPlace('at', at)
  checkEnding(how)
  return (bytes, start, wire) => {
    if (start + bytes.length < at) return wire.pass(bytes)
    wire.pass(bytes.subarray(0, Math.max(at - start, 0)))
    if (how === 'reset') wire.reset(error)
    else wire[how]()
  }
}

/** Turns over one bit of the byte at `at`. `bit`: from 0 to 7; by default another one for each of eight neighbours. */
export function flip(at: number, bit: number = at % 8): Fault {
  checkPlace('at', at)
  if (!Number.isInteger(bit) || bit < 0 || bit > 7) throw invalid('bit must be a whole number from 0 to 7')
  return (bytes, start, wire) => {
    const index = at - start
    if (index < 0 || index >= bytes.length) return wire.pass(bytes)
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(index) ^ (1 << bit), index)
    wire.pass(changed)
  }
}

/** Leaves a piece out. */
export const drop = (piece: Piece): Fault =>
  pieces(piece, (bytes, place, wire) => place !== 0 && wire.pass(bytes))

/** Lets a piece pass twice. */
export const repeat = (piece: Piece): Fault =>
  pieces(piece, (bytes, place, wire) => {
    wire.pass(bytes)
    if (place === 0) wire.pass(bytes)
  })

/** Lets a piece pass behind the record, or behind as many bytes, that follow it. Where nothing follows it is lost. */
export function swap(piece: Piece): Fault {
  let held: Buffer = Buffer.alloc(0)
  return pieces(piece, (bytes, place, wire) => {
    if (place === 0) held = bytes
    else wire.pass(bytes)
    if (place === 1) wire.pass(held)
  })
}

/** Handed each record whole, its header included, and its number, from 0 where this was put in. */
export function records(meddle: (record: Buffer, index: number, wire: Wire) => void): Fault {
  if (typeof meddle !== 'function') throw invalid('records takes a function of each record')
  let held: Buffer = Buffer.alloc(0)
  let index = 0
  return (bytes, _at, wire) => {
    held = Buffer.concat([held, bytes])
    for (let end = recordEnd(held); end <= held.length; end = recordEnd(held)) {
      const record = held.subarray(0, end)
      held = held.subarray(end)
      meddle(record, index++, wire)
    }
  }
}

const recordEnd = (bytes: Buffer): number =>
  bytes.length < HEADER_BYTES
    ? Number.POSITIVE_INFINITY
    : HEADER_BYTES + bytes.readUIntBE(1, HEADER_BYTES - 1)

/** Handed what passes and where it stands: 0 is the piece itself, 1 the one behind it, both whole; null any other. */
type Meddle = (bytes: Buffer, place: 0 | 1 | null, wire: Wire) => void

function pieces(piece: Piece, meddle: Meddle): Fault {
  if (typeof piece !== 'object' || piece === null) throw invalid('a piece is { record } or { from, to }')
  if (!('record' in piece)) return spans(piece.from, piece.to, meddle)
  checkPlace('record', piece.record)
  return records((record, index, wire) => {
    const place = index - piece.record
    meddle(record, place === 0 || place === 1 ? place : null, wire)
  })
}

function spans(from: number, to: number, meddle: Meddle): Fault {
  checkPlace('from', from)
  checkPlace('to', to)
  const length = to - from
  if (length <= 0) throw invalid('to must lie behind from')
  let held: Buffer = Buffer.alloc(0)
  const see = (bytes: Buffer, start: number, wire: Wire): void => {
    const place = start < from ? null : start < to ? 0 : start < to + length ? 1 : null
    if (place === null) return meddle(bytes, null, wire)
    held = Buffer.concat([held, bytes])
    if (held.length < length) return
    const whole = held
    held = Buffer.alloc(0)
    meddle(whole, place, wire)
  }
  return (bytes, at, wire) => {
    let start = 0
    for (const edge of [from, to, to + length, Number.POSITIVE_INFINITY]) {
      const end = Math.min(Math.max(edge - at, 0), bytes.length)
      if (end > start) see(bytes.subarray(start, end), at + start, wire)
      start = Math.max(start, end)
    }
  }
}

function checkPlace(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) throw invalid(`${name} must be a whole number from 0`)
}

/** Throws ERR_STALK_INVALID_OPTION for what is none. */
export function checkEnding(how: Ending): void {
  if (!ENDINGS.has(how)) throw invalid("a cut is 'end', 'reset' or 'silence'")
}

const ENDINGS: ReadonlySet<Ending> = new Set(['end', 'reset', 'silence'])

/** Throws ERR_STALK_INVALID_OPTION for what is none. */
export function checkFault(fault: Fault): void {
  if (typeof fault !== 'function') throw invalid('faults are functions')
}

const invalid = (text: string): StalkError =>
  new StalkError('ERR_STALK_INVALID_OPTION', text, { phase: 'setup' })
