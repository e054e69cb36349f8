// A peer with good keys that does not keep to the protocol: it completes the handshake and then seals what it must
// not. Each is one coded error at ours, with the alert that the peer is told, and never a crash or a clean end.

import { once } from 'node:events'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { ALERT } from '../../lib/errors.ts'
import type { ErrorCode } from '../../lib/index.ts'
import { closeRecord, finalPong } from '../../lib/wire/control.ts'
import type { Inner } from '../../lib/wire/record.ts'
import { until, within } from '../helpers/pair.ts'
import { against, inner, messages } from '../helpers/rogue.ts'

const ticket = (lifetime: string, bytes: number, behind = ''): Inner =>
  inner(
    KIND.ticket,
    `${lifetime}${'11'.repeat(16)}${bytes.toString(16).padStart(4, '0')}${'22'.repeat(bytes)}${behind}`
  )

interface Fault {
  readonly inners: readonly Inner[]
  readonly code: ErrorCode
  readonly text: RegExp
  readonly alert: number | null
}

const unexpected = (text: RegExp, ...inners: Inner[]): Fault => ({
  inners,
  code: 'ERR_STALK_UNEXPECTED',
  text,
  alert: ALERT.unexpected
})
const decode = (text: RegExp, ...inners: Inner[]): Fault => ({
  inners,
  code: 'ERR_STALK_DECODE',
  text,
  alert: ALERT.decode
})
const bad = (text: RegExp, ...inners: Inner[]): Fault => ({
  inners,
  code: 'ERR_STALK_BAD_MESSAGE',
  text,
  alert: ALERT.messageInvalid
})

const faults: Record<string, Fault> = {
  'a handshake message after the handshake': unexpected(
    /^the peer sent a handshake message after the handshake$/,
    inner(KIND.handshake, '070000')
  ),
  'a kind that does not exist': unexpected(/^a record of kind 127 has no place here$/, inner(0x7f)),
  'an answer to a request for new keys that was not made': unexpected(
    /^the peer answered a request for new keys that was not made$/,
    inner(KIND.keyUpdate, '00')
  ),
  'a key update of another value': decode(
    /^the peer sent a key update with request 2$/,
    inner(KIND.keyUpdate, '02')
  ),
  'half a ticket': decode(/^the peer sent a ticket record of 1 bytes$/, inner(KIND.ticket, '00')),
  'an empty ticket': decode(/^the peer sent a ticket record of 22 bytes$/, ticket('00000e10', 0)),
  'a ticket of 513 bytes': decode(/^the peer sent a ticket record of 535 bytes$/, ticket('00000e10', 513)),
  'a ticket with a byte behind it': decode(/a ticket record of 24 bytes/, ticket('00000e10', 1, '00')),
  'a ticket that is good for no time': decode(/^the peer sent a ticket for 0 s$/, ticket('00000000', 8)),
  'a ticket for more than a day': decode(/^the peer sent a ticket for 86401 s$/, ticket('00015181', 8)),
  'a ticket after its goodbye': unexpected(
    /^the peer sent a ticket after its goodbye$/,
    closeRecord(0),
    ticket('00000e10', 8)
  ),
  'a ticket inside a message': unexpected(
    /^a record of kind 7 stands inside a message$/,
    inner(KIND.fragment, 'c6'.padEnd(2048, '0')),
    ticket('00000e10', 8)
  ),
  'a ping of zero bytes': decode(/^the peer sent a ping of zero bytes/, inner(KIND.ping, '0000000000000000')),
  'a ping after its goodbye': unexpected(
    /^the peer sent a ping after its goodbye$/,
    closeRecord(0),
    inner(KIND.ping, '0102030405060708')
  ),
  'a request for new keys after its goodbye': unexpected(
    /^the peer asked for new keys after its goodbye$/,
    closeRecord(0),
    inner(KIND.keyUpdate, '01')
  ),
  'a pong that nobody asked for': unexpected(
    /^the peer sent a pong that answers nothing$/,
    inner(KIND.pong, `01${'00'.repeat(15)}`)
  ),
  'a last word before any goodbye': unexpected(/^the peer sent a pong that answers nothing$/, finalPong(0)),
  'two goodbyes': unexpected(/^the peer said goodbye twice$/, closeRecord(0), closeRecord(0)),
  'a message after its goodbye': unexpected(
    /^the peer sent a message after its goodbye$/,
    closeRecord(0),
    ...messages('late')
  ),
  'more received than were sent': unexpected(
    /^the peer claims to have received 1 messages of 0 sent$/,
    closeRecord(1)
  ),
  'a goodbye without its count': decode(/^the peer sent an alert of 1 bytes$/, inner(KIND.alert, '00')),
  'a goodbye with a count beyond all counting': decode(
    /^the peer sent a count of 18446744073709551615 messages$/,
    inner(KIND.alert, `00${'ff'.repeat(8)}`)
  ),
  'an alert without a code': decode(/^the peer sent an alert of 0 bytes$/, inner(KIND.alert)),
  'an alert with a code that does not exist': decode(
    /^the peer sent the unknown alert 99$/,
    inner(KIND.alert, '63')
  ),
  'a record that is all padding': {
    inners: [inner(0, '', 50)],
    code: 'ERR_STALK_BAD_RECORD',
    text: /^a record does not open$/,
    alert: ALERT.badRecord
  },
  'messages that are no array': bad(/not an array of at least one/, inner(KIND.messages, '01')),
  'messages that are none': bad(/not an array of at least one/, inner(KIND.messages, '90')),
  'no message at all': bad(/not an array of at least one/, inner(KIND.messages)),
  'a message that is nil': bad(/nil, which is not a message/, inner(KIND.messages, '91c0')),
  'bytes behind the messages': bad(/bytes behind the last message/, inner(KIND.messages, '910101')),
  'a message that ends too early': bad(/./, inner(KIND.messages, '91a5616263')),
  'an array of 2³² − 1 messages': bad(/./, inner(KIND.messages, 'ddffffffff01')),
  'a key named __proto__': bad(/__proto__/, inner(KIND.messages, '9181a95f5f70726f746f5f5f01')),
  'a fragment of a byte with another behind it': bad(/too short/, inner(KIND.fragment, '01')),
  'a goodbye inside a message': unexpected(
    /^a record of kind 5 stands inside a message$/,
    inner(KIND.fragment, 'c6'.padEnd(2048, '0')),
    closeRecord(0)
  )
}

for (const role of ['initiator', 'responder'] as const) {
  for (const [name, { inners, code, text, alert }] of Object.entries(faults)) {
    t.test(`against our ${role}: ${name}`, async t => {
      const { connection, wire, got, heard, seal } = await against(role, { allowHalfOpen: true })
      const errors: Error[] = []
      connection.on('error', error => errors.push(error))
      seal(...messages('before'), ...inners, ...messages('behind'))
      wire.on('end', () => wire.end())
      const outcome = await within(connection.outcome, 'closed')
      t.match(outcome, { kind: 'protocol', code, reason: text, received: 1 })
      t.match(errors, [{ code, message: text }])
      t.equal(errors.length, 1)
      t.same(got, ['before'], 'what came before the fault, and nothing behind it')
      await until(() => wire.destroyed || heard.length > 0, 'an alert')
      t.same(
        heard.map(({ type, body }) => [type, ...body]),
        alert === null ? [] : [[KIND.alert, alert]]
      )
    })
  }
}

t.test(
  'a ticket of an initiator is a fault, one of a responder is none, also where nobody keeps it',
  async t => {
    const { connection, wire, heard, seal } = await against('responder')
    seal(ticket('00000e10', 8))
    wire.on('end', () => wire.end())
    t.match(await within(connection.outcome, 'closed'), {
      kind: 'protocol',
      code: 'ERR_STALK_UNEXPECTED',
      reason: 'the initiator sent a ticket, which only responders issue'
    })
    await until(() => wire.destroyed || heard.length > 0, 'an alert')
    t.same(
      heard.map(({ type, body }) => [type, ...body]),
      [[KIND.alert, ALERT.unexpected]]
    )
    const initiator = await against('initiator')
    initiator.seal(ticket('00015180', 1), ticket('00000001', 512), ...messages('behind'))
    await until(() => initiator.got.length > 0, 'a message')
    initiator.connection.destroy()
  }
)

t.test('tickets draw on what may come uninvited', async t => {
  const { connection, wire, seal } = await against('initiator')
  seal(...Array.from({ length: 33 }, () => ticket('00000e10', 8)))
  wire.on('end', () => wire.end())
  t.match(await within(connection.outcome, 'closed'), {
    code: 'ERR_STALK_FLOODED',
    reason: /too many pings, tickets or requests/
  })
})

t.test('each alert of the peer is an error here with its name, and is not answered', async t => {
  const codes: [number, ErrorCode, string, RegExp][] = [
    [ALERT.unexpected, 'ERR_STALK_PEER_ALERT', 'protocol', /unexpected record \(alert 1\)/],
    [ALERT.badRecord, 'ERR_STALK_PEER_ALERT', 'protocol', /record does not open \(alert 2\)/],
    [
      ALERT.authFailed,
      'ERR_STALK_REJECTED',
      'rejected',
      /authentication or authorization failed \(alert 6\)/
    ],
    [ALERT.internal, 'ERR_STALK_PEER_ABORTED', 'reset', /aborted or internal error \(alert 8\)/],
    [ALERT.limit, 'ERR_STALK_PEER_BUSY', 'rejected', /limit reached \(alert 9\)/],
    [ALERT.timeout, 'ERR_STALK_PEER_TIMEOUT', 'timeout', /timed out \(alert 10\)/],
    [ALERT.messageInvalid, 'ERR_STALK_PEER_ALERT', 'protocol', /message not valid \(alert 11\)/]
  ]
  for (const [alert, code, kind, text] of codes) {
    const { connection, heard, got, seal } = await against('responder')
    seal(...messages('before'), { type: KIND.alert, body: Buffer.of(alert) })
    t.match(await within(connection.outcome, 'closed'), { kind, code, reason: text, received: 1 })
    t.same(got, ['before'])
    t.same(heard, [])

    const late = await against('responder')
    late.connection.end()
    await until(() => late.heard.length > 0, 'its goodbye')
    late.wire.on('end', () => late.wire.end())
    late.seal(closeRecord(0), { type: KIND.alert, body: Buffer.of(alert) })
    const behindBoth = await within(late.connection.outcome, 'closed')
    t.match(behindBoth, { kind, code, reason: text }, 'behind both goodbyes too')
    t.same(
      late.heard.map(record => record.type),
      [KIND.alert, KIND.pong],
      'its goodbye and its last word'
    )
  }
})

t.test('an alert in clear, once there are keys, is a record that has no place', async t => {
  const { connection, wire } = await against('responder')
  wire.write(Buffer.of(0xe3, 0, 0, 1, ALERT.internal))
  t.match(await within(connection.outcome, 'closed'), {
    kind: 'protocol',
    code: 'ERR_STALK_UNEXPECTED',
    reason: /^a record of type 0xe3 came/
  })
})

t.test('an acknowledgement may not go down', async t => {
  const { connection, heard, seal, wire } = await against('initiator', { allowHalfOpen: true })
  await connection.send(1)
  await connection.send(2)
  seal(closeRecord(2))
  await within(once(connection, 'end'), 'end')
  connection.end()
  await until(() => heard.some(({ type }) => type === KIND.alert), 'our goodbye')
  seal(finalPong(1))
  wire.end()
  const outcome = await within(connection.outcome, 'closed')
  t.match(outcome, { sent: 2, acknowledged: 2 })
})

t.test('fragments without end are stopped at the largest message, long before memory is', async t => {
  const { connection, seal, wire } = await against('responder', { maxMessage: 200_000 })
  wire.on('end', () => wire.end())
  const piece = inner(KIND.fragment, 'c6'.padEnd(120_000, '0'))
  for (let n = 0; n < 8 && !connection.destroyed; n++) {
    seal(piece)
    await new Promise(resolve => setImmediate(resolve))
  }
  t.match(await within(connection.outcome, 'closed'), {
    kind: 'protocol',
    code: 'ERR_STALK_OVERFLOW',
    reason: 'a message of more than 200000 bytes',
    received: 0
  })
})

t.test('a flood behind the fault is not parsed, and ends within bounds', async t => {
  const { connection, wire, seal, got } = await against('responder')
  seal(inner(0x7f))
  for (let n = 0; n < 40 && !wire.destroyed; n++) seal(...messages('x'.repeat(10_000)))
  t.match(await within(connection.outcome, 'closed'), { code: 'ERR_STALK_UNEXPECTED', received: 0 })
  t.same(got, [])
})

t.test('a honest machine has no fault', async t => {
  for (const role of ['initiator', 'responder'] as const) {
    const { connection, got, heard, seal, wire } = await against(role)
    await connection.send('hello')
    seal(...messages('one', 'two'))
    seal(closeRecord(1))
    await until(() => heard.length >= 2, 'a goodbye')
    wire.end()
    t.match(await within(connection.outcome, 'closed'), {
      kind: 'clean',
      sent: 1,
      acknowledged: 1,
      received: 2,
      unsent: 0
    })
    t.same(got, ['one', 'two'])
    t.same(
      heard.map(({ type }) => type),
      [KIND.messages, KIND.alert]
    )
  }
})
