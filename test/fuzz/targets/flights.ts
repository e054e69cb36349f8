// The target flights: what is sealed in M3 and M4, as far as it is read without keys.

import { FLIGHT_INNER_BYTES } from '../../../lib/constants.ts'
import { decodeFlight, type Flight, type Role } from '../../../lib/handshake/flight.ts'
import {
  decodeInitiatorIdentity,
  decodeResponderIdentity,
  encodeInitiatorIdentity,
  encodeResponderIdentity,
  type IdentityMessage,
  type ResponderIdentity
} from '../../../lib/handshake/messages.ts'
import type { Inner } from '../../../lib/wire/record.ts'
import { integer, message } from '../../helpers/formulas.ts'
import { attempt, hex, magnitude, require, type Target } from '../target.ts'
import { handshakes } from '../vectors.ts'

/** Lib's readers, or broken ones in their place. */
export interface FlightReaders {
  flight(role: Role, inner: Inner): Flight
  responder(body: Buffer): ResponderIdentity
  initiator(body: Buffer): IdentityMessage
}

const LIBS: FlightReaders = {
  flight: decodeFlight,
  responder: decodeResponderIdentity,
  initiator: decodeInitiatorIdentity
}

const CODES = ['ERR_STALK_DECODE', 'ERR_STALK_UNEXPECTED'] as const

const TYPES = { responder: ['1,2,3', '1,3'], initiator: ['4,5,6', '4,6'] }

/** `u8 flags ‖ content`: flag 1 is M4, flag 2 another kind, flag 4 another size. */
function innerOf(input: Buffer): Inner & { readonly role: Role } {
  const flags = input[0] ?? 0
  return {
    role: flags & 1 ? 'initiator' : 'responder',
    type: flags & 2 ? 2 : 1,
    body: input.subarray(1),
    innerBytes: flags & 4 ? FLIGHT_INNER_BYTES - 1 : FLIGHT_INNER_BYTES
  }
}

function checkFlight({ role, type, body, innerBytes }: Inner & { role: Role }, flight: Flight): string {
  const { identity, proof, finished } = flight
  const messages = [identity, ...(proof ? [proof] : []), finished]
  const whole = Buffer.concat(messages.map(({ type, body }) => message(type, body)))
  require(type === 1 && innerBytes === FLIGHT_INNER_BYTES, 'another kind or size is taken for a flight')
  require(whole.equals(body), 'messages that are not all of the flight')
  require(whole.equals(
    Buffer.concat(messages.map(({ encoded }) => encoded))
  ), 'the transcript takes other bytes')
  const types = messages.map(({ type }) => type).join()
  require(TYPES[role].includes(types), `a flight with the messages ${types}`)
  return types
}

/** One with a list of unknown algorithms alone cannot be encoded again. */
function checkIdentity(role: Role, body: Buffer, readers: FlightReaders): string {
  const read = role === 'responder' ? readers.responder : readers.initiator
  const { value, code } = attempt(['ERR_STALK_DECODE'], () => read(body))
  if (value === null) return code
  for (const other of [Buffer.concat([body, integer(1, 0)]), body.subarray(0, -1)]) {
    require(attempt(['ERR_STALK_DECODE'], () => read(other)).code !== null, 'a byte more or less is accepted')
  }
  require((value.identity?.bytes.length ?? 0) <= 512, 'a key of more than 512 bytes')
  const known = 'keyTypes' in value ? (value as ResponderIdentity).keyTypes.length : 1
  if (known > 0) {
    const encoded =
      role === 'responder'
        ? encodeResponderIdentity(value as ResponderIdentity)
        : encodeInitiatorIdentity(value)
    require(same(read(encoded.subarray(3)), value), 'another identity when encoded again')
  }
  return `${value.identity?.type} ${magnitude(value.identity?.bytes.length ?? 0)} ${known}`
}

const same = (a: object, b: object): boolean => JSON.stringify(a) === JSON.stringify(b)

const DICTIONARY = [
  ...['0100', '0200', '0300', '0400', '0500', '0600', '070000', '020102', '0101', '0102', '00000000'],
  ...['010020', '020100', '0240', '000000ffff', '0200010102', '03002000', '00400040', '0101ff', '020200']
].map(hex)

export const flights = (readers: FlightReaders = LIBS): Target => ({
  name: 'flights',
  properties: [
    'nothing but ERR_STALK_DECODE and ERR_STALK_UNEXPECTED is thrown',
    'a flight that is accepted is, message by message, all of its bytes, in the order of section 7',
    'an identity that is accepted, encoded again, is accepted again and equal; with a byte more or less it is not'
  ],
  maxBytes: 2_048,
  dictionary: DICTIONARY,
  seeds: () => handshakes.vectors.flatMap(({ flights: { M3, M4 } }) => [hex(`00${M3}`), hex(`01${M4}`)]),
  run(input) {
    const inner = innerOf(input)
    const { value, code } = attempt(CODES, () => readers.flight(inner.role, inner))
    if (value === null) return `${code} ${magnitude(inner.body.length)}`
    const types = checkFlight(inner, value)
    return `${types} ${checkIdentity(inner.role, value.identity.body, readers)}`
  }
})
