// Control records: their bytes, and what is refused.

import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { ALERT } from '../../lib/errors.ts'
import {
  alertRecord,
  closeRecord,
  decodeControl,
  finalPong,
  keyUpdateRecord,
  pingRecord,
  pongRecord,
  ticketRecord
} from '../../lib/wire/control.ts'

const hex = (text: string): Buffer => Buffer.from(text, 'hex')

t.test('the bytes of every control record', async t => {
  t.same(alertRecord(ALERT.badRecord), { type: KIND.alert, body: hex('02') })
  t.same(closeRecord(258), { type: KIND.alert, body: hex('000000000000000102') })
  t.same(finalPong(3), { type: KIND.pong, body: hex('00000000000000000000000000000003') })
  t.same(keyUpdateRecord(true), { type: KIND.keyUpdate, body: hex('01') })
  t.same(keyUpdateRecord(false), { type: KIND.keyUpdate, body: hex('00') })
  t.same(pingRecord(hex('0102030405060708')), { type: KIND.ping, body: hex('0102030405060708') })
  t.same(pongRecord(hex('0102030405060708'), 3), {
    type: KIND.pong,
    body: hex('01020304050607080000000000000003')
  })
})

t.test('what is encoded is decoded', async t => {
  t.same(decodeControl(closeRecord(2 ** 40)), { name: 'close', received: 2 ** 40 })
  t.same(decodeControl(finalPong(7)), { name: 'finalPong', received: 7 })
  const value = hex('0000000000000001')
  t.same(decodeControl(pingRecord(value)), { name: 'ping', value })
  t.same(decodeControl(pongRecord(value, 7)), { name: 'pong', value, received: 7 })
  t.same(decodeControl(keyUpdateRecord(true)), { name: 'keyUpdate', asks: true })
  t.same(decodeControl(keyUpdateRecord(false)), { name: 'keyUpdate', asks: false })
  t.same(decodeControl(alertRecord(ALERT.limit)), { name: 'alert', code: 9 })
})

t.test('a malformed control record is refused', async t => {
  const malformed: [number, string, RegExp][] = [
    [KIND.alert, '', /alert of 0 bytes/],
    [KIND.alert, '00', /alert of 1 bytes/],
    [KIND.alert, '0202', /alert of 2 bytes/],
    [KIND.alert, '0000000000000001', /alert of 8 bytes/],
    [KIND.alert, '00000000000000000001', /alert of 10 bytes/],
    [KIND.alert, '00ffffffffffffffff', /count of 18446744073709551615/],
    [KIND.keyUpdate, '', /key update of 0 bytes/],
    [KIND.keyUpdate, '0000', /key update of 2 bytes/],
    [KIND.keyUpdate, '02', /key update with request 2/],
    [KIND.keyUpdate, 'ff', /key update with request 255/],
    [KIND.ping, '', /ping of 0 bytes/],
    [KIND.ping, '01020304050607', /ping of 7 bytes/],
    [KIND.ping, '010203040506070809', /ping of 9 bytes/],
    [KIND.ping, '0000000000000000', /ping of zero bytes/],
    [KIND.pong, '0000000000000000', /pong of 8 bytes/],
    [KIND.pong, '01000000000000000000000000000000ff', /pong of 17 bytes/],
    [KIND.pong, '0000000000000000ffffffffffffffff', /count of/]
  ]
  for (const [type, body, message] of malformed) {
    t.throws(() => decodeControl({ type, body: hex(body) }), { code: 'ERR_STALK_DECODE', message })
  }
})

t.test('an alert other than close carries nothing behind its code, not even a count', async t => {
  for (let code = 1; code < 256; code++) {
    const body = Buffer.concat([Uint8Array.of(code), Buffer.alloc(8, 1)])
    t.throws(() => decodeControl({ type: KIND.alert, body }), {
      code: 'ERR_STALK_DECODE',
      message: /an alert of 9 bytes/
    })
  }
})

t.test('the greatest count is the greatest safe integer', async t => {
  const most = Number.MAX_SAFE_INTEGER
  t.same(decodeControl(closeRecord(most)), { name: 'close', received: most })
  t.same(decodeControl(finalPong(most)), { name: 'finalPong', received: most })
  for (const { type, body } of [closeRecord(most), finalPong(most)]) {
    body.writeBigUInt64BE(2n ** 53n, body.length - 8)
    t.throws(() => decodeControl({ type, body }), {
      code: 'ERR_STALK_DECODE',
      message: /a count of 9007199254740992 messages/
    })
  }
})

t.test('every kind that is not in this version, and every one of messages, has no place', async t => {
  for (const type of [0, KIND.handshake, KIND.messages, KIND.shapes, 0x0b, 0xff]) {
    t.throws(() => decodeControl({ type, body: hex('00') }), {
      code: 'ERR_STALK_UNEXPECTED',
      message: /no place/
    })
  }
})

const ticketOf = (bytes: number, lifetimeS = 7_200) => ({
  lifetimeS,
  nonce: Buffer.alloc(16, 5),
  ticket: Buffer.alloc(bytes, 9)
})

t.test('a ticket: its lifetime, its nonce, and 1 to 512 bytes', async t => {
  t.same(ticketRecord(ticketOf(2)), { type: KIND.ticket, body: hex(`00001c20${'05'.repeat(16)}00020909`) })
  for (const ticket of [ticketOf(1), ticketOf(512), ticketOf(7, 1), ticketOf(7, 86_400)]) {
    t.same(decodeControl(ticketRecord(ticket)), { name: 'ticket', ...ticket })
  }
})

t.test(
  'a ticket that is empty or too long, in a record of another length, or for no time or too long',
  async t => {
    const record = ticketRecord(ticketOf(7)).body
    const odd = [
      ...[ticketOf(0), ticketOf(513)].map(ticket => ticketRecord(ticket).body),
      ...[Buffer.alloc(0), record.subarray(0, 21), record.subarray(0, -1), Buffer.concat([record, hex('00')])]
    ]
    for (const body of odd) {
      t.throws(() => decodeControl({ type: KIND.ticket, body }), {
        code: 'ERR_STALK_DECODE',
        message: `the peer sent a ticket record of ${body.length} bytes`
      })
    }
    for (const lifetimeS of [0, 86_401, 2 ** 32 - 1]) {
      t.throws(() => decodeControl(ticketRecord(ticketOf(7, lifetimeS))), {
        code: 'ERR_STALK_DECODE',
        message: `the peer sent a ticket for ${lifetimeS} s`
      })
    }
  }
)

t.test('what a ping, a pong and a ticket carry is a copy, not a view of the record', async t => {
  for (const record of [
    pingRecord(hex('0102030405060708')),
    pongRecord(hex('0102030405060708'), 1),
    ticketRecord(ticketOf(7))
  ]) {
    const control = decodeControl(record)
    const before = JSON.stringify(control)
    record.body.fill(0xff)
    t.equal(JSON.stringify(control), before)
  }
})
