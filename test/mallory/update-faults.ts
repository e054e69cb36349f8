// Faults of key updates: their form, their place, and the keys behind them.

import { Direction, EL, innerOf } from '../helpers/formulas.ts'
import {
  after,
  between,
  broken,
  type Expected,
  type Fault,
  flights,
  hex,
  refused,
  type Settings,
  toBoth,
  toInitiator
} from './fault.ts'
import type { Peer } from './peer.ts'

const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
/** Behind a close the target may have answered it, and tells no more then. */
const untold = broken('ERR_STALK_UNEXPECTED', 1, 'none')
const badRecord = broken('ERR_STALK_BAD_RECORD', 2)

type Make = (peer: Peer) => Buffer | readonly Buffer[]

const row = (
  name: string,
  does: string,
  make: Make,
  expected: Expected = badRecord,
  target: Settings = {}
): Fault => toBoth(`update-${name}`, does, between(make), expected, target)

const malformed = (name: string, does: string, content: string): Fault =>
  row(name, does, peer => peer.seal(6, hex(content)), broken('ERR_STALK_DECODE', 4))

const forms: readonly Fault[] = [
  malformed('empty', 'sends a key update without a byte', ''),
  malformed('long', 'sends a request for new keys of 2 bytes', '0101'),
  malformed('long-answer', 'sends an answer of 2 bytes', '0000'),
  malformed('value-2', 'sends a key update that neither asks nor answers', '02'),
  malformed('value-ff', 'sends a key update of value ff', 'ff')
]

const behindClose = (name: string, does: string, request: number): Fault =>
  toBoth(
    `update-${name}`,
    does,
    after(peer => [peer.close(0), peer.update(request)]),
    untold
  )

const places: readonly Fault[] = [
  toBoth(
    'update-for-flight',
    'asks for new keys in place of its flight',
    flights((_, peer) => peer.insteadOfFlight(6, hex('01'))),
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toInitiator(
    'update-for-m5',
    'asks for new keys in place of M5',
    { accept: innerOf(6, hex('01')) },
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  row('answer-unasked', 'answers a request that nobody made', peer => peer.update(0), unexpected),
  row(
    'answer-behind-request',
    'asks for new keys, and answers a request that nobody made',
    peer => [peer.update(1), peer.update(0)],
    unexpected
  ),
  row(
    'answer-amid-fragments',
    'answers a request that nobody made between fragments',
    peer => [peer.seal(3, Buffer.alloc(1_024, 0x61)), peer.update(0)],
    unexpected
  ),
  behindClose('behind-close', 'asks for new keys behind its close', 1),
  behindClose('answer-behind-close', 'answers a request that nobody made behind its close', 0)
]

/** Goes on under another key than the next one. */
const under = (name: string, does: string, next: (old: Direction, peer: Peer) => Direction): Fault =>
  row(name, does, peer => peer.update(1, old => next(old, peer)))

const derived = ({ type, suite, secret }: Direction, label: string, context = Buffer.alloc(0)): Direction =>
  new Direction(type, suite, EL(secret, label, context, 32))

function ofTarget({ type, suite }: Direction, { role, puppet }: Peer): Direction {
  const { i_ap, r_ap } = puppet.application ?? {}
  return new Direction(type, suite, (role === 'initiator' ? r_ap : i_ap) ?? Buffer.alloc(32)).next()
}

const keys: readonly Fault[] = [
  under('old-key', 'goes on under the old key behind a key update', old => old),
  under(
    'old-key-restarted',
    'goes on under the old key, from sequence 0',
    ({ type, suite, secret }) => new Direction(type, suite, secret)
  ),
  under('two-on', 'goes on under the key after the next', old => old.next().next()),
  under('label', 'derives its next key with another label', old => derived(old, 'update')),
  under('label-case', 'derives its next key with the label in capitals', old => derived(old, 'UPD')),
  under('context', 'derives its next key with a context', old => derived(old, 'upd', Buffer.of(1))),
  under("target's-key", "goes on under the next of the target's keys", ofTarget),
  under('sequence', 'does not begin its sequences anew', old => {
    const { type, suite, secret } = old.next()
    return new Direction(type, suite, secret, old.used)
  }),
  under('sequence-1', 'begins its sequences with 1', old => {
    const { type, suite, secret } = old.next()
    return new Direction(type, suite, secret, { sequence: 1, taken: 0 })
  }),
  row('without', 'goes on under the next key without a key update', peer => {
    peer.changeKey(old => old.next())
    return []
  }),
  row('sequence-without', 'begins its sequences anew without a key update', peer => {
    peer.changeKey(({ type, suite, secret }) => new Direction(type, suite, secret))
    return []
  }),
  row('replayed', 'sends its key update twice', peer => {
    const record = peer.update()
    return [record, record]
  })
]

/** The old keystream's place, under the next key: the tag is right, and what it covers is read as something else. */
const keystream: Fault = {
  ...row(
    'keystream',
    'does not begin the keystream of suite 0003 anew',
    peer => {
      const record = peer.update(1, old => {
        const { type, suite, secret } = old.next()
        return new Direction(type, suite, secret, { sequence: 0, taken: old.used.taken })
      })
      return [record, unassigned(peer)]
    },
    unexpected,
    { suites: ['X25519-AES256OFB-HMACSHA256'] }
  )
}

/** A message that is of a kind that is not assigned for who begins the keystream where it has to begin. */
function unassigned(peer: Peer): Buffer {
  const { type, suite, secret, used } = peer.puppet.open.outbound
  for (let bytes = 10; ; bytes++) {
    const inner = innerOf(2, hex('91a7 6d616c6c6f7279'), bytes)
    const record = new Direction(type, suite, secret, used).seal(inner)
    if (new Direction(type, suite, secret).open(record).kind > 0x0a) return record
  }
}

export const updateFaults: readonly Fault[] = [
  ...forms,
  ...places,
  ...keys,
  { ...keystream, acts: { ...keystream.acts, says: { suites: [3], suite: 3 } } }
]
