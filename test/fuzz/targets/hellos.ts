// The targets hello-initiator and hello-responder: the bodies of M1 and M2.

import {
  decodeInitiatorHello,
  decodeResponderHello,
  encodeInitiatorHello,
  encodeResponderHello,
  type InitiatorHello,
  type ResponderHello
} from '../../../lib/handshake/messages.ts'
import type { Frame } from '../../../lib/wire/frame.ts'
import { integer, list, text, vector } from '../../helpers/formulas.ts'
import { attempt, hex, magnitude, require, type Target } from '../target.ts'
import { recordsAt } from '../vectors.ts'

const CODES = ['ERR_STALK_NOT_STALK', 'ERR_STALK_DECODE'] as const

const DICTIONARY = [
  ...['STLK', 'STL'].map(text),
  ...['010001', '0200010002', '03000100020003', '020102', '0101', '020001', '5a6a', '0a0a', '00', '01'].map(
    hex
  ),
  ...['010001ff', '010200', '0000'].map(hex)
]

const bodies = (place: 'M1' | 'M2'): Buffer[] =>
  recordsAt(place)
    .filter(record => record.length < 1_200)
    .map(record => record.subarray(4))

/** M1 from its fields, as far as they tell: grease and unknown signatures are gone. */
function again({ versions, random, suites, keyTypes, share, offer }: InitiatorHello): Buffer {
  const sigs = keyTypes.map(type => (type === 'ed25519' ? 1 : 2))
  const parts = [
    text('STLK'),
    list(2, versions),
    random,
    list(2, suites),
    list(1, sigs),
    share,
    ...(offer ? [integer(1, 1), vector(offer.ticket), offer.binder] : [integer(1, 0)])
  ]
  return Buffer.concat(parts)
}

const shown = (hello: InitiatorHello | ResponderHello): string => JSON.stringify(hello)

export const helloInitiator = (decode: (frame: Frame) => InitiatorHello = decodeInitiatorHello): Target => ({
  name: 'hello-initiator',
  properties: [
    'nothing but ERR_STALK_NOT_STALK, for another magic, and ERR_STALK_DECODE is thrown',
    'what is accepted, encoded by lib and by the formulas, is the same bytes, accepted again and equal',
    'no byte of an accepted hello is unread: with one more or one less behind it, it is refused'
  ],
  maxBytes: 1_024,
  dictionary: DICTIONARY,
  seeds: () => bodies('M1'),
  run(body) {
    const { value, code } = attempt(CODES, () => decode({ type: 0xe1, body }))
    const magic = body.subarray(0, 4).equals(text('STLK'))
    require(magic === (code !== 'ERR_STALK_NOT_STALK'), 'the magic is judged wrongly')
    if (value === null) return `${code} ${magnitude(body.length)}`
    fills(body, decode)
    const { suites, keyTypes } = value
    if (suites.length === 0 || keyTypes.length === 0) return 'nothing known in it'
    const encoded = encodeInitiatorHello(value).body
    require(encoded.equals(again(value)), 'the encoding is not that of section 7')
    require(shown(decode({ type: 0xe1, body: encoded })) === shown(value), 'another hello when encoded again')
    return `accepted ${magnitude(suites.length)} ${keyTypes} ${value.offer !== null}`
  }
})

export const helloResponder = (decode: (frame: Frame) => ResponderHello = decodeResponderHello): Target => ({
  name: 'hello-responder',
  properties: [
    'nothing but ERR_STALK_NOT_STALK, for another magic, and ERR_STALK_DECODE is thrown',
    'a hello that is accepted has 73 bytes, and encodes to the same bytes'
  ],
  maxBytes: 128,
  dictionary: DICTIONARY,
  seeds: () => bodies('M2'),
  run(body) {
    const { value, code } = attempt(CODES, () => decode({ type: 0xe2, body }))
    const magic = body.subarray(0, 4).equals(text('STLK'))
    require(magic === (code !== 'ERR_STALK_NOT_STALK'), 'the magic is judged wrongly')
    if (value === null) return `${code} ${magnitude(body.length)}`
    require(body.length === 73, 'a hello of another length than 73 bytes')
    require(encodeResponderHello(value).body.equals(body), 'other bytes when encoded again')
    return `accepted ${value.psk} ${value.suite < 4}`
  }
})

function fills(body: Buffer, decode: (frame: Frame) => unknown): void {
  for (const other of [Buffer.concat([body, Buffer.alloc(1)]), body.subarray(0, -1)]) {
    const { code } = attempt(CODES, () => decode({ type: 0xe1, body: other }))
    require(code !== null, 'a hello with a byte more or less is accepted')
  }
}
