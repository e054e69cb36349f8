// The target controls: alerts, closes, key updates, tickets, pings and pongs.

import { alertError, isAlertCode } from '../../../lib/errors.ts'
import {
  alertRecord,
  type Control,
  closeRecord,
  decodeControl,
  finalPong,
  keyUpdateRecord,
  pingRecord,
  pongRecord,
  ticketRecord
} from '../../../lib/wire/control.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { attempt, hex, require, type Target } from '../target.ts'
import { contents } from '../vectors.ts'

const CODES = ['ERR_STALK_DECODE', 'ERR_STALK_UNEXPECTED'] as const

function again(control: Control): Frame {
  if (control.name === 'close') return closeRecord(control.received)
  if (control.name === 'finalPong') return finalPong(control.received)
  if (control.name === 'ping') return pingRecord(control.value)
  if (control.name === 'pong') return pongRecord(control.value, control.received)
  if (control.name === 'ticket') return ticketRecord(control)
  if (control.name === 'keyUpdate') return keyUpdateRecord(control.asks)
  // The decoder leaves unknown codes to alertError, which has to refuse them.
  const { code } = control
  require(isAlertCode(code) ||
    alertError(code, 'open').code === 'ERR_STALK_DECODE', 'an unknown alert is an error')
  return isAlertCode(code) ? alertRecord(code) : { type: 5, body: Buffer.of(code) }
}

/** `u8 kind ‖ content`. */
export const controls = (decode: (frame: Frame) => Control = decodeControl): Target => ({
  name: 'controls',
  properties: [
    'nothing but ERR_STALK_DECODE and ERR_STALK_UNEXPECTED is thrown',
    'what is accepted encodes to the same kind and bytes',
    'an alert code that the protocol does not have becomes ERR_STALK_DECODE'
  ],
  maxBytes: 600,
  dictionary: [
    ...['05', '06', '07', '08', '09', '0500', '0601', '0900'],
    ...['0000000000000000', '001fffffffffffff', '0020000000000000']
  ].map(hex),
  seeds: () => [
    ...contents
      .filter(({ kind }) => kind >= 5 && kind <= 9)
      .map(({ kind, content }) => Buffer.concat([Buffer.of(kind), content])),
    hex('0501'),
    hex('0600'),
    hex(`0700015180${'11'.repeat(16)}0001ff`),
    hex('0601'),
    hex('080102030405060708'),
    hex('0901020304050607080000000000000003'),
    hex('0500001fffffffffffff'),
    hex('0900000000000000000000000000000003')
  ],
  run(input) {
    const frame = { type: input[0] ?? 0, body: input.subarray(1) }
    const { value, code } = attempt(CODES, () => decode(frame))
    if (value === null) return `${Math.min(frame.type, 10)} ${code} ${frame.body.length}`
    const encoded = again(value)
    require(encoded.type === frame.type && encoded.body.equals(frame.body), 'other bytes when encoded again')
    return `${value.name} ${'code' in value ? value.code : 'received' in value ? value.received > 0 : encoded.body[0]}`
  }
})
