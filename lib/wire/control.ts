// Control records: what one end's stalk says to the other's between messages. Knows their bytes; what they mean
// for a connection is the connection's.
//
//   05 alert   code u8, for close (0) also: messages received u64
//   09 pong    8 zero bytes ‖ messages received u64         the last word of whoever closed first

import { u64 } from '../bytes.ts'
import { KIND } from '../constants.ts'
import { ALERT, type AlertCode, StalkError } from '../errors.ts'
import type { Frame } from './frame.ts'
import type { Inner } from './record.ts'

export type Control =
  | { readonly name: 'close'; readonly received: number }
  | { readonly name: 'alert'; readonly code: number }
  | { readonly name: 'pong'; readonly received: number }

const COUNT_BYTES = 8
const NO_PING = Buffer.alloc(8)

/** An error, which ends both directions. */
export const alertRecord = (code: AlertCode): Inner => ({ type: KIND.alert, body: Buffer.of(code) })

/** The goodbye of one direction. `received`: how many messages of the peer's were queued for the application. */
export const closeRecord = (received: number): Inner => ({
  type: KIND.alert,
  body: Buffer.concat([Uint8Array.of(ALERT.close), u64(received)])
})

/** Acknowledges what came before the peer's goodbye. */
export const finalPong = (received: number): Inner => ({
  type: KIND.pong,
  body: Buffer.concat([NO_PING, u64(received)])
})

/** Throws ERR_STALK_DECODE for a malformed one, ERR_STALK_UNEXPECTED for a kind that has no place here. */
export function decodeControl({ type, body }: Frame): Control {
  if (type === KIND.alert) return decodeAlert(body)
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

function decodePong(body: Buffer): Control {
  if (body.length !== NO_PING.length + COUNT_BYTES) throw malformed(`a pong of ${body.length} bytes`)
  if (body.compare(NO_PING, 0, NO_PING.length, 0, NO_PING.length) === 0) {
    return { name: 'pong', received: count(body, NO_PING.length) }
  }
  throw new StalkError('ERR_STALK_UNEXPECTED', 'a pong that answers no ping')
}

function count(body: Buffer, offset: number): number {
  const value = body.readBigUInt64BE(offset)
  if (value > Number.MAX_SAFE_INTEGER) throw malformed(`a count of ${value} messages`)
  return Number(value)
}

const malformed = (what: string): StalkError => new StalkError('ERR_STALK_DECODE', `the peer sent ${what}`)
