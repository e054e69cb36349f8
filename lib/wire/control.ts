// Control records: what one end's stalk says to the other's between messages. Knows their bytes; what they mean
// for a connection is the connection's.
//
//   05 alert       code u8, for close (0) also: messages received u64
//   06 key update  request u8: 1 asks the peer to do the same, 0 answers
//   07 ticket      lifetime u32 s ‖ nonce[16] ‖ u16 length ‖ ticket, 1 to 512 bytes
//   08 ping        8 bytes, not all zero
//   09 pong        the ping's 8 bytes ‖ messages received u64; 8 zero bytes in the last word of whoever closed first

import { u16, u32, u64 } from '../bytes.ts'
import { KIND, MAX_TICKET_BYTES, MAX_TICKET_LIFETIME_S, TICKET_NONCE_BYTES } from '../constants.ts'
import { ALERT, type AlertCode, StalkError } from '../errors.ts'
import type { Frame } from './frame.ts'
import type { Inner } from './record.ts'

export type Control =
  | { readonly name: 'close'; readonly received: number }
  | { readonly name: 'alert'; readonly code: number }
  | { readonly name: 'keyUpdate'; readonly asks: boolean }
  | ({ readonly name: 'ticket' } & Ticket)
  | { readonly name: 'ping'; readonly value: Buffer }
  | { readonly name: 'pong'; readonly value: Buffer; readonly received: number }
  | { readonly name: 'finalPong'; readonly received: number }

/** What a session may be resumed with. */
export interface Ticket {
  /** For how long from now on, in seconds, 1 to 86,400. */
  readonly lifetimeS: number
  /** 16 bytes that make its key another one than any other ticket's. */
  readonly nonce: Buffer
  /** 1 to 512 bytes that say something to the responder alone. */
  readonly ticket: Buffer
}

/** Length of what a ping carries and its pong gives back, in bytes. */
export const PING_BYTES = 8

const COUNT_BYTES = 8
const NO_PING = Buffer.alloc(PING_BYTES)

/** An error, which ends both directions. */
export const alertRecord = (code: AlertCode): Inner => ({ type: KIND.alert, body: Buffer.of(code) })

/** The goodbye of one direction. `received`: how many messages of the peer's were queued for the application. */
export const closeRecord = (received: number): Inner => ({
  type: KIND.alert,
  body: Buffer.concat([Uint8Array.of(ALERT.close), u64(received)])
})

/** The last record under its sender's key. `asks`: whether the peer is to change its own too, or this answers it. */
export const keyUpdateRecord = (asks: boolean): Inner => ({
  type: KIND.keyUpdate,
  body: Buffer.of(asks ? 1 : 0)
})

export const ticketRecord = ({ lifetimeS, nonce, ticket }: Ticket): Inner => ({
  type: KIND.ticket,
  body: Buffer.concat([u32(lifetimeS), nonce, u16(ticket.length), ticket])
})

/** `value`: PING_BYTES bytes, not all zero. */
export const pingRecord = (value: Buffer): Inner => ({ type: KIND.ping, body: value })

/** Answers a ping, and acknowledges what came before it. */
export const pongRecord = (value: Buffer, received: number): Inner => ({
  type: KIND.pong,
  body: Buffer.concat([value, u64(received)])
})

/** Acknowledges what came before the peer's goodbye. */
export const finalPong = (received: number): Inner => pongRecord(NO_PING, received)

/** Throws ERR_STALK_DECODE for a malformed one, ERR_STALK_UNEXPECTED for a kind that has no place here. */
export function decodeControl({ type, body }: Frame): Control {
  if (type === KIND.alert) return decodeAlert(body)
  if (type === KIND.keyUpdate) return decodeKeyUpdate(body)
  if (type === KIND.ticket) return decodeTicket(body)
  if (type === KIND.ping) return decodePing(body)
  if (type === KIND.pong) return decodePong(body)
  throw new StalkError('ERR_STALK_UNEXPECTED', `a record of kind ${type} has no place here`)
}

function decodeAlert(body: Buffer): Control {
  const code = body[0]
  if (code === ALERT.close && body.length === 1 + COUNT_BYTES)
    return { name: 'close', received: count(body, 1) }
  if (code !== undefined && code !== ALERT.close && body.length === 1) return { name: 'alert', code }
  throw malformed(`an alert of ${body.length} bytes`)
}

function decodeKeyUpdate(body: Buffer): Control {
  const request = body[0]
  if (body.length !== 1) throw malformed(`a key update of ${body.length} bytes`)
  if (request !== 0 && request !== 1) throw malformed(`a key update with request ${request}`)
  return { name: 'keyUpdate', asks: request === 1 }
}

const TICKET_HEADER_BYTES = 4 + TICKET_NONCE_BYTES + 2

function decodeTicket(body: Buffer): Control {
  const bytes = body.length - TICKET_HEADER_BYTES
  if (bytes < 1 || bytes > MAX_TICKET_BYTES || body.readUInt16BE(TICKET_HEADER_BYTES - 2) !== bytes)
    throw malformed(`a ticket record of ${body.length} bytes`)
  const lifetimeS = body.readUInt32BE(0)
  if (lifetimeS < 1 || lifetimeS > MAX_TICKET_LIFETIME_S) throw malformed(`a ticket for ${lifetimeS} s`)
  const [nonce, ticket] = [body.subarray(4, 4 + TICKET_NONCE_BYTES), body.subarray(TICKET_HEADER_BYTES)]
  return { name: 'ticket', lifetimeS, nonce: Buffer.from(nonce), ticket: Buffer.from(ticket) }
}

function decodePing(body: Buffer): Control {
  if (body.length !== PING_BYTES) throw malformed(`a ping of ${body.length} bytes`)
  if (body.equals(NO_PING)) throw malformed('a ping of zero bytes, which mark a final pong')
  return { name: 'ping', value: Buffer.from(body) }
}

function decodePong(body: Buffer): Control {
  if (body.length !== PING_BYTES + COUNT_BYTES) throw malformed(`a pong of ${body.length} bytes`)
  const value = body.subarray(0, PING_BYTES)
  const received = count(body, PING_BYTES)
  if (value.equals(NO_PING)) return { name: 'finalPong', received }
  return { name: 'pong', value: Buffer.from(value), received }
}

function count(body: Buffer, offset: number): number {
  const value = body.readBigUInt64BE(offset)
  if (value > Number.MAX_SAFE_INTEGER) throw malformed(`a count of ${value} messages`)
  return Number(value)
}

const malformed = (what: string): StalkError => new StalkError('ERR_STALK_DECODE', `the peer sent ${what}`)
