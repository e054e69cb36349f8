// What a capture says: with the keys all of it, without them what everybody sees; what came before a fault, and where
// the fault is.

import fc from 'fast-check'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import { SUITES, type SuiteName } from '../../lib/crypto/suites.ts'
import { Traffic } from '../../lib/handshake/traffic.ts'
import { inspectCapture, MemoryTicketStore, SessionCache } from '../../lib/index.ts'
import { closeRecord } from '../../lib/wire/control.ts'
import { enframe } from '../../lib/wire/frame.ts'
import type { Inner } from '../../lib/wire/record.ts'
import { MODES, RSA, suites, withSuite } from '../helpers/conversation.ts'
import { alice, bob, within } from '../helpers/pair.ts'
import { type Captured, captured, conversation, inspected, told } from './captured.ts'

const DONE = ['> initiatorHello', '< responderHello', '< flight', '> flight', '< accept']
const TALK = [
  ...DONE,
  ...['> messages', '< messages', '> ping', '< pong', '> messages', '< messages', '> close', '< close'],
  '> finalPong'
]

const plain = await captured(conversation)

t.test('with the keys there is all of it', async t => {
  const entries = inspected(plain.capture)
  t.same(told(entries).sort(), [...TALK].sort())
  t.same(told(entries).slice(0, 9), TALK.slice(0, 9))
  const { random, keys } = entries[0] as Extract<(typeof entries)[0], { name: 'initiatorHello' }>
  t.match(plain.capture.keys, random)
  t.equal(keys.length, 4)
  const flight = { proof: true, fault: null, maxMessage: 2 ** 24, stage: 'handshake', epoch: 0, sequence: 0 }
  const person = { type: 'ed25519', keysize: 256 }
  t.match(entries[1], { version: 1, suite: 'X25519-AES256GCM-SHA256', resumed: false })
  t.match(entries[2], {
    ...flight,
    identity: { ...person, fingerprint: bob.fingerprint },
    want: 'welcome',
    keyTypes: ['ed25519', 'rsa']
  })
  t.match(entries[3], { ...flight, identity: { ...person, fingerprint: alice.fingerprint }, want: undefined })
  t.match(entries[5], {
    first: 1,
    messages: [{ hello: 'world', big: 2n ** 70n }],
    epoch: 0,
    sequence: 0,
    padding: 0
  })
  t.match(entries[6], { first: 1, messages: [{ got: { hello: 'world' } }] })
  t.match(entries.at(-1), { name: 'finalPong', received: 2 })
})

t.test('every byte of both directions belongs to one entry', async t => {
  for (const keys of ['', plain.capture.keys]) {
    const entries = inspected({ ...plain.capture, keys })
    for (const [role, bytes] of Object.entries({ initiator: plain.there, responder: plain.back })) {
      const own = entries.filter(({ from }) => from === role)
      t.same(
        own.map(entry => entry.bytes),
        bytes.map(record => record.length)
      )
      t.same(
        own.map(({ at }) => at),
        bytes.map((_, index) => Buffer.concat(bytes.slice(0, index)).length)
      )
    }
  }
})

t.test('without the keys there is what everybody sees', async t => {
  const entries = inspected({ ...plain.capture, keys: '' })
  t.same(told(entries).slice(0, 5), [
    '> initiatorHello',
    '< responderHello',
    '< sealed',
    '> sealed',
    '< sealed'
  ])
  t.ok(
    told(entries)
      .slice(5)
      .every(name => name.endsWith('sealed'))
  )
  const text = JSON.stringify(entries)
  for (const secret of ['world', alice.fingerprint.slice(7, 20)]) t.notOk(text.includes(secret), secret)
})

t.test('with some of the keys there is what they open', async t => {
  const only = (label: string): string[] => {
    const keys = plain.capture.keys
      .split('\n')
      .filter(line => line.startsWith(label))
      .join('\n')
    return told(inspected({ ...plain.capture, keys }))
  }
  const responders = only('STALK_R_AP')
  t.ok(
    responders.includes('< accept') && responders.includes('< messages') && responders.includes('> sealed')
  )
  t.notOk(responders.includes('< flight'))
  const flights = only('STALK_I_HS')
  t.equal(flights.filter(name => name === '> flight').length, 1)
  t.notOk(flights.includes('> messages'))
  const keys = plain.capture.keys
    .split('\n')
    .filter(line => line.includes('STALK_I_HS'))
    .join('\n')
  const flight = inspected({ ...plain.capture, keys }).find(({ name }) => name === 'flight')
  t.match(flight, { fault: undefined }, 'without the other flight it cannot be verified')
})

t.test('a key log of many connections, and one without ours', async t => {
  const other = await captured(conversation)
  const keys = `${other.capture.keys}# a comment\n${plain.capture.keys}`
  t.same(inspected({ ...plain.capture, keys }), inspected(plain.capture))
  const [hello, ...rest] = inspected({ ...plain.capture, keys: other.capture.keys })
  t.match(hello, { keys: [] })
  t.ok(rest.some(({ name }) => name === 'sealed'))
})

t.test('every mode with every suite', async t => {
  for (const [mode, options] of Object.entries({ ...MODES, RSA })) {
    for (const suite of suites) {
      const { capture } = await captured(conversation, withSuite(suite, options))
      const entries = inspected(capture)
      const what = `${mode}, ${suite}`
      t.same(told(entries).sort(), [...TALK].sort(), what)
      const flights = entries.filter(({ name }) => name === 'flight') as {
        identity: unknown
        fault: unknown
      }[]
      t.same(
        flights.map(({ fault }) => fault),
        [null, null],
        what
      )
      t.match(entries[1], { suite })
    }
  }
})

t.test('new keys are followed, also where both ask at once', async t => {
  const { capture } = await captured(async both => {
    const { initiator, responder } = both
    for (const side of [initiator, responder]) side.resume()
    await within(Promise.all([initiator.ready, responder.ready]), 'the handshake')
    await Promise.all([initiator.rekey(), responder.rekey()])
    for (const side of [initiator, responder]) await side.send('under new keys')
    await initiator.rekey()
    await initiator.send('and again')
    initiator.end()
    responder.end()
  })
  const entries = inspected(capture)
  t.notOk(told(entries).some(name => name.endsWith('problem')))
  const again = entries.find(entry => entry.name === 'messages' && entry.messages[0] === 'and again')
  t.match(again, { epoch: 3, sequence: 0 })
  const order = told(entries)
  t.ok(order.indexOf('> keyUpdate') < order.lastIndexOf('< keyUpdate'))
})

t.test('a message in parts, and how long the padding is', async t => {
  const { capture } = await captured(
    async ({ initiator, responder }) => {
      responder.resume()
      await initiator.ready
      await initiator.send(Buffer.alloc(150_000))
      initiator.resume().end()
    },
    { initiator: { padding: { block: 128 } } }
  )
  const entries = inspected(capture)
  const parts = entries.filter(({ name }) => name === 'fragment')
  const first = 150_005 - 2 * 65_599
  t.match(parts, [
    { contentBytes: first, soFar: first },
    { contentBytes: 65_599, soFar: first + 65_599 }
  ])
  t.equal(
    entries.indexOf(parts[1] as (typeof entries)[0]),
    entries.indexOf(parts[0] as (typeof entries)[0]) + 1
  )
  const whole = entries.find(({ name }) => name === 'messages')
  t.match(whole, { fragments: 3, first: 1, messages: [Buffer.alloc(150_000)] })
  const close = entries.find(({ name, from }) => name === 'close' && from === 'initiator')
  t.match(close, { padding: 128 - 10 })
})

t.test('under another app nothing matches that depends on it', async t => {
  for (const [mode, fault] of [
    ['mutual', 'ERR_STALK_BAD_SIGNATURE'],
    ['anonymous', 'ERR_STALK_BAD_FINISHED']
  ] as const) {
    const options = MODES[mode] ?? {}
    const named = {
      initiator: { ...options.initiator, app: 'chat' },
      responder: { ...options.responder, app: 'chat' }
    }
    const { capture } = await captured(conversation, named)
    const flights = (app?: string): unknown[] =>
      inspected({ ...capture, ...(app !== undefined && { app }) }).filter(({ name }) => name === 'flight')
    t.match(flights('chat'), [{ fault: null }, { fault: null }])
    t.match(flights(), [{ fault }, { fault }])
  }
})

t.test('who said goodbye first does so here too', async t => {
  const order = async (first: 'initiator' | 'responder', pong: string): Promise<void> => {
    const { capture } = await captured(async both => {
      for (const side of [both.initiator, both.responder]) side.resume()
      await within(Promise.all([both.initiator.ready, both.responder.ready]), 'the handshake')
      both[first].end()
    })
    const from = first === 'initiator' ? ['> close', '< close', pong] : ['< close', '> close', pong]
    t.same(told(inspected(capture)).slice(-3), from)
  }
  await order('initiator', '> finalPong')
  await order('responder', '< finalPong')
})

// --- ends ------------------------------------------------------------------------------------------------

t.test('alerts, in clear and sealed, are an end', async t => {
  const cases: [string, RegExp, Captured][] = [
    [
      'nothing in common',
      /^> initiatorHello,< alert$/,
      await captured(async () => {}, { initiator: { suites: ['X25519-AES256OFB-HMACSHA256'] } })
    ],
    [
      'the initiator refuses',
      /^> initiatorHello,< responderHello,< flight,> alert$/,
      await captured(async () => {}, { initiator: { peer: alice } })
    ],
    [
      'the responder refuses',
      /> flight(,> \w+)*,< alert$|> flight,< alert/,
      await captured(async () => {}, { responder: { peer: bob } })
    ],
    [
      'the initiator is destroyed',
      /< accept,> alert$/,
      await captured(async ({ initiator, responder }) => {
        await Promise.all([initiator.ready, responder.ready])
        initiator.destroy()
      })
    ]
  ]
  for (const [what, pattern, { capture }] of cases) {
    t.match(told(inspected(capture)).join(), pattern, what)
    t.notMatch(told(inspected(capture)).join(), /problem/, what)
  }
  const [, , clear] = cases[0] as (typeof cases)[0]
  t.match(inspected(clear.capture)[1], { plain: true, code: 5, text: /no version, suite/ })
  const [, , refused] = cases[1] as (typeof cases)[1]
  t.match(inspected(refused.capture).at(-1), { plain: false, code: 6, stage: 'handshake' })
})

t.test('cut at every byte: what came before stands, and the cut is named', async t => {
  const whole = inspected(plain.capture)
  const wrong: string[] = []
  for (const role of ['initiator', 'responder'] as const) {
    const bytes = plain.capture[role]
    for (let length = 0; length < bytes.length; length += length > 200 && length < 2_000 ? 97 : 1) {
      const entries = inspected({ ...plain.capture, [role]: bytes.subarray(0, length) })
      const own = entries.filter(({ from }) => from === role)
      const problem = own.pop()
      const before = whole.filter(entry => entry.from === role).slice(0, own.length)
      const saysWhere = problem !== undefined && problem.at + problem.bytes === length
      const found = problem?.name === 'problem' ? problem.code : problem?.name
      if (found !== 'ERR_STALK_TRUNCATED' && problem?.name !== 'close')
        wrong.push(`${role} ${length}: ${found}`)
      if (!saysWhere) wrong.push(`${role} ${length}: the cut is said to be at ${problem?.at}`)
      if (JSON.stringify(own.map(({ at }) => at)) !== JSON.stringify(before.map(({ at }) => at)))
        wrong.push(`${role} ${length}: other entries before it`)
    }
  }
  t.same(wrong, [])
})

t.test('a bit turned over in any byte: what came before stands, and the record is named', async t => {
  const whole = inspected(plain.capture)
  const wrong: string[] = []
  for (const role of ['initiator', 'responder'] as const) {
    const ours = whole.filter(({ from }) => from === role)
    for (
      let offset = 0;
      offset < plain.capture[role].length;
      offset += offset > 200 && offset < 2_000 ? 31 : 1
    ) {
      const bytes = Buffer.from(plain.capture[role])
      bytes.writeUInt8(bytes.readUInt8(offset) ^ (1 << (offset % 8)), offset)
      const own = inspected({ ...plain.capture, [role]: bytes }).filter(({ from }) => from === role)
      const hit = ours.findIndex(({ at, bytes: length }) => offset < at + length)
      const sealed = hit > 0
      const found = own[hit]
      if (
        JSON.stringify(own.slice(0, hit).map(({ at }) => at)) !==
        JSON.stringify(ours.slice(0, hit).map(({ at }) => at))
      )
        wrong.push(`${role} ${offset}: other entries before it`)
      if (sealed && (found?.name !== 'problem' || found.at !== ours[hit]?.at || own.length !== hit + 1))
        wrong.push(`${role} ${offset}: ${found?.name} at ${found?.at}`)
    }
  }
  t.same(wrong, [])
})

t.test('a hello that was changed: the keys still open what follows, and the signature tells', async t => {
  const bytes = Buffer.from(plain.capture.initiator)
  const share = (plain.there[0]?.length ?? 0) - 2 // M1 ends in its share and a byte for tickets
  bytes.writeUInt8(bytes.readUInt8(share) ^ 1, share)
  const flights = inspected({ ...plain.capture, initiator: bytes }).filter(({ name }) => name === 'flight')
  t.match(flights, [{ fault: 'ERR_STALK_BAD_SIGNATURE' }, { fault: 'ERR_STALK_BAD_SIGNATURE' }])
})

t.test('bytes that are no stalk, and those of the other end', async t => {
  const { initiator, responder } = plain.capture
  t.match(inspected({ initiator: responder, responder: initiator }), [
    {
      from: 'initiator',
      at: 0,
      name: 'problem',
      code: 'ERR_STALK_NOT_STALK',
      text: /bytes of the other end/
    },
    { from: 'responder', at: 0, name: 'problem', text: /bytes of the other end: this one is the responder/ }
  ])
  t.match(inspected({ initiator: Buffer.from('GET / HTTP/1.1'), responder: Buffer.from('HTTP/1.1 400') }), [
    { name: 'problem', code: 'ERR_STALK_NOT_STALK', text: 'no initiator of stalk begins with the byte 0x47' },
    { name: 'problem', code: 'ERR_STALK_NOT_STALK' }
  ])
  t.match(inspected({ initiator: Buffer.alloc(0), responder: Buffer.alloc(0) }), [
    {
      from: 'initiator',
      name: 'problem',
      code: 'ERR_STALK_TRUNCATED',
      at: 0,
      text: /before the handshake was/
    },
    { from: 'responder', name: 'problem', code: 'ERR_STALK_TRUNCATED' }
  ])
})

t.test('any bytes at all are judged, and nothing is thrown', async t => {
  const bytes = fc.uint8Array({ maxLength: 300 })
  const headed = fc
    .tuple(fc.constantFrom(0xe1, 0xe2, 0xe3, 0xe4, 0xe5), bytes)
    .map(([type, body]) => Buffer.concat([Buffer.of(type, 0, 0, body.length), body]))
  const start = fc.nat(plain.there.length)
  const direction = (records: readonly Buffer[]): fc.Arbitrary<Buffer> =>
    fc
      .tuple(start, fc.array(headed, { maxLength: 4 }), bytes)
      .map(([count, more, rest]) => Buffer.concat([...records.slice(0, count), ...more, rest]))
  const judged = fc.property(direction(plain.there), direction(plain.back), (initiator, responder) => {
    const entries = inspected({ initiator, responder, keys: plain.capture.keys })
    const problems = entries.filter(({ name }) => name === 'problem')
    return entries.length > 0 && problems.length <= 2
  })
  t.doesNotThrow(() => fc.assert(judged, { numRuns: 500 }))
})

// --- what no stalk sends ---------------------------------------------------------------------------------

const suite = SUITES['X25519-AES256GCM-SHA256' satisfies SuiteName]

/** The handshake of the plain capture, and behind it what somebody sends who has its keys. */
function forged(role: 'initiator' | 'responder', contents: readonly Inner[]): ReturnType<typeof inspected> {
  const label = role === 'initiator' ? 'STALK_I_AP' : 'STALK_R_AP'
  const secret = new RegExp(`^${label} \\w+ (\\w+)$`, 'm').exec(plain.capture.keys)?.[1] ?? ''
  const sealer = new Traffic(suite, Buffer.from(secret, 'hex')).sealer()
  const own = role === 'initiator' ? plain.there.slice(0, 2) : plain.back.slice(0, 2)
  const sealed = contents.map(inner => enframe(sealer.seal(inner)))
  return inspected({ ...plain.capture, [role]: Buffer.concat([...own, ...sealed]) }).filter(
    ({ from }) => from === role
  )
}

const ACCEPT: Inner = { type: KIND.handshake, body: Buffer.of(7, 0, 0) }
const some = (length: number): Buffer => Buffer.alloc(length, 1)

t.test('what no stalk sends is refused as the live code refuses it', async t => {
  const cases: [string, readonly Inner[], string, RegExp][] = [
    ['a flight again', [ACCEPT], 'UNEXPECTED', /after the handshake/],
    ['an unknown kind', [{ type: 0x0b, body: some(1) }], 'UNEXPECTED', /kind 11/],
    ['no array', [{ type: KIND.messages, body: Buffer.of(1) }], 'BAD_MESSAGE', /not an array/],
    ['a short fragment', [{ type: KIND.fragment, body: some(10) }], 'BAD_MESSAGE', /too short/],
    [
      'a close in a message',
      [{ type: KIND.fragment, body: some(1_024) }, closeRecord(0)],
      'UNEXPECTED',
      /inside a message/
    ],
    [
      'a message behind a close',
      [closeRecord(0), { type: KIND.messages, body: Buffer.of(0x91, 1) }],
      'UNEXPECTED',
      /after its goodbye/
    ],
    ['a short ping', [{ type: KIND.ping, body: some(7) }], 'DECODE', /a ping of 7 bytes/],
    ['a long alert', [{ type: KIND.alert, body: some(2) }], 'DECODE', /an alert of 2 bytes/],
    ['an unknown alert', [{ type: KIND.alert, body: Buffer.of(99) }], 'DECODE', /code 99/],
    [
      'a word behind an alert',
      [{ type: KIND.alert, body: Buffer.of(8) }, closeRecord(0)],
      'UNEXPECTED',
      /behind an alert/
    ]
  ]
  for (const [what, contents, code, text] of cases) {
    t.match(forged('initiator', contents).at(-1), { name: 'problem', code: `ERR_STALK_${code}`, text }, what)
  }
  t.match(forged('responder', [{ type: KIND.messages, body: Buffer.of(0x91, 1) }]).at(-1), {
    name: 'problem',
    text: 'a record of kind 2 came in place of Accept'
  })
})

t.test('the largest message is what the other end has said to take', async t => {
  const large = await captured(
    async ({ initiator, responder }) => {
      responder.resume()
      await initiator.ready
      await initiator.send('x'.repeat(900))
      initiator.resume().end()
    },
    { responder: { maxMessage: 1_000 } }
  )
  t.notOk(told(inspected(large.capture)).includes('> problem'))
  const secret = /^STALK_I_AP \w+ (\w+)$/m.exec(large.capture.keys)?.[1] ?? ''
  const sealer = new Traffic(suite, Buffer.from(secret, 'hex')).sealer()
  const body = Buffer.concat([Buffer.of(0x91, 0xc5, 0x04, 0x00), some(1_024)])
  const initiator = Buffer.concat([
    ...large.there.slice(0, 2),
    enframe(sealer.seal({ type: KIND.messages, body }))
  ])
  t.match(
    inspected({ ...large.capture, initiator })
      .filter(({ from }) => from === 'initiator')
      .at(-1),
    { name: 'problem', code: 'ERR_STALK_OVERFLOW', text: 'a message of more than 1000 bytes' }
  )
})

t.test('a ticket is shown by its length and lifetime, never itself', async t => {
  const ticket = Buffer.from('this opens the next session')
  const body = Buffer.concat([Buffer.of(0, 0, 2, 88), some(16), Buffer.of(0, ticket.length), ticket])
  const entries = forged('responder', [ACCEPT, { type: KIND.ticket, body }])
  t.match(entries[3], { name: 'ticket', lifetime: 600, ticketBytes: ticket.length })
  t.notMatch(JSON.stringify(entries[3]), ticket.toString('base64').slice(0, 12))
  const short = forged('responder', [ACCEPT, { type: KIND.ticket, body: body.subarray(0, 30) }])
  t.match(short[3], { name: 'problem', code: 'ERR_STALK_DECODE' })
})

t.test(
  'a resumed session has no signatures, and its Finished match; with another app they do not',
  async t => {
    const [tickets, sessions] = [new MemoryTicketStore(), new SessionCache()]
    const options = { initiator: { sessions: sessions.at('bob') }, responder: { tickets } }
    await captured(conversation, options)
    const { capture } = await captured(conversation, options)
    t.match(inspected(capture)[1], { name: 'responderHello', resumed: true })
    const flights = inspected(capture).filter(({ name }) => name === 'flight')
    t.match(flights, [
      { from: 'responder', proof: false, fault: null, identity: { fingerprint: bob.fingerprint } },
      { from: 'initiator', proof: false, fault: null, identity: { fingerprint: alice.fingerprint } }
    ])
    const others = [...inspectCapture({ ...capture, app: 'another' })].filter(({ name }) => name === 'flight')
    t.match(others, [{ fault: 'ERR_STALK_BAD_FINISHED' }, { fault: 'ERR_STALK_BAD_FINISHED' }])
  }
)

t.test('the arguments are checked at once', async t => {
  const bytes = { initiator: Buffer.alloc(0), responder: new Uint8Array(0) }
  const wrong: [unknown, RegExp][] = [
    [{ ...bytes, responder: 'file' }, /^option responder must be bytes$/],
    [{ ...bytes, kyes: '' }, /^option kyes does not exist/],
    [{ ...bytes, keys: Buffer.alloc(0) }, /^option keys must be the text of a key log$/],
    [{ ...bytes, app: 1 }, /^option app must be a string$/],
    [{ ...bytes, app: 'x'.repeat(65) }, /^option app is 65 bytes long; the limit is 64$/],
    [null, /^the options must be an object$/]
  ]
  for (const [capture, message] of wrong)
    t.throws(() => inspectCapture(capture as never), { code: 'ERR_STALK_INVALID_OPTION', message })
  t.throws(() => inspectCapture({ ...bytes, keys: 'STALK_I_HS\n' }), { code: 'ERR_STALK_KEY_FILE_FORMAT' })
})

t.test('shapes are told by their ids and names, and what comes in them is told as it is', async t => {
  const { capture } = await captured(async ({ initiator, responder }) => {
    responder.resume()
    const readings = Array.from({ length: 20 }, (_, id) => ({ id, at: { x: id, y: id } }))
    for (const reading of readings) initiator.write(reading)
    await initiator.flush()
    initiator.write({ id: 64, at: { x: 64, y: 0 } })
    initiator.end()
    responder.end()
  })
  const entries = inspected(capture).filter(
    ({ from, name }) => from === 'initiator' && /shapes|messages/.test(name)
  )
  t.match(entries, [
    { name: 'messages', first: 1 },
    {
      name: 'shapes',
      first: 0,
      shapes: [
        ['x', 'y'],
        ['id', 'at']
      ]
    },
    { name: 'messages', first: 21, messages: [{ id: 64, at: { x: 64, y: 0 } }] }
  ])
})
