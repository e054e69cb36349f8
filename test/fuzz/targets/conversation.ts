// The target conversation: a whole connection, handshake and records, lib against the Python implementation. A peer
// with the right keys sends what the input says.

import { Judge } from '../judge.ts'
import { ASKS, FLAG, PLACES, type Plan, planOf } from '../plan.ts'
import { type Ending, play } from '../played.ts'
import { hex, type Target, type Verdict } from '../target.ts'
import { handshakes, negatives } from '../vectors.ts'

export type Play = typeof play

/** Section 16 leaves it to the timing of our own close whether a pong may come: without it being sent first, it may not. */
const isOpen = ({ kinds, closeFirst }: Plan): boolean =>
  !closeFirst && kinds.includes(9) && kinds.includes(5) && kinds.indexOf(5) < kinds.lastIndexOf(9)

/**
 * Section 16 again: where the peer's close does not acknowledge all, and the transport ends behind it, it depends on the
 * timing of our own close which of the two comes first, and with that whether this is clean or truncated.
 */
const mayBeEither = ({ kinds, early, closeFirst }: Plan, ours: Ending, theirs: Ending): boolean =>
  early &&
  !closeFirst &&
  kinds.includes(5) &&
  ours.acknowledged === 0 &&
  [ours.end, theirs.end].sort().join() === 'clean,truncated'

const isFault = (end: string): boolean => end.startsWith('fault') || end.startsWith('alert')

/** Whether a close that is not sent first goes out before what comes behind the peer's is read depends on its timing. */
const saysTheSame = ({ kinds, closeFirst }: Plan, ours: Ending, theirs: Ending): boolean =>
  theirs.sent === ours.sent || (kinds.includes(5) && !closeFirst)

function compare(plan: Plan, ours: Ending, theirs: Ending): string | null {
  const [our, their] = [ours.end, theirs.end].map(end => end.replace(/^alert.*/, 'alert'))
  // Section 17: of a record with more than one fault, the alert of any may be sent.
  if (our !== their && !(isFault(ours.end) && isFault(theirs.end)) && !mayBeEither(plan, ours, theirs))
    return `lib ends with ${our}, Python with ${their}`
  if (ours.asked !== theirs.asked) return 'one of the two asks its trust policy'
  if (JSON.stringify(ours.messages) !== JSON.stringify(theirs.messages))
    return 'other messages are handed over'
  if (ours.acknowledged !== theirs.acknowledged)
    return `lib has ${ours.acknowledged} messages acknowledged, Python ${theirs.acknowledged}`
  if (our === their && !saysTheSame(plan, ours, theirs)) return `lib sends other bytes than Python: ${our}`
  return null
}

function traitOf({ place, kinds, early, asks }: Plan, ours: Ending, theirs: Ending): string {
  const where = `${place}${early ? ', early' : ''}${asks ? ', asking' : ''}`
  return `${where} ${kinds.slice(0, 3)} ${ours.end}${ours.end === theirs.end ? '' : ` / ${theirs.end}`}`
}

export const conversation = (playing: Play = play): Target => {
  const judge = new Judge('conversation')
  return {
    name: 'conversation',
    properties: [
      'lib and the Python implementation end the same way: clean, truncated, by an alert, or with a fault',
      'both ask their trust policy, or neither; both hand over the same messages, and have as many acknowledged',
      'both send the same bytes, where they end with the same alert'
    ],
    maxBytes: 3_000,
    batch: 32,
    dictionary: [
      ...[
        '53544c4b',
        '010001',
        '020102',
        '00000000',
        '010500',
        '0200029101',
        '020003910102',
        '05000900',
        '050009'
      ],
      ...[
        '0500090000000000000000 00',
        '0900100000000000000000 0000000000000000',
        '05000107',
        '8300019a',
        '840000',
        '07000001',
        '0800080102030405060708',
        '0800080000000000000000',
        '06000101',
        '06000100',
        '0900100102030405060708 0000000000000000',
        '0a0007 00010201780179',
        '0a0005 0101010161',
        '020004 91400102'
      ]
    ].map(hex),
    seeds,
    run: input => planOf(input).place,
    async judge(inputs): Promise<Verdict[]> {
      const plans = inputs.map(planOf)
      const theirs = await judge.ask<Ending>(
        plans.map(({ index, role, bytes, closeFirst, early, asks, refuses }) => ({
          vector: index,
          role,
          bytes: bytes.toString('hex'),
          closeFirst,
          early,
          asks,
          refuses
        }))
      )
      const verdicts: Verdict[] = []
      for (const [i, plan] of plans.entries()) {
        const ours = await playing(plan)
        const their = theirs[i] as Ending
        const disagreement = isOpen(plan) ? null : compare(plan, ours, their)
        verdicts.push({ disagreement, trait: traitOf(plan, ours, their) })
      }
      return verdicts
    },
    stop: () => judge.stop()
  }
}

function seeds(): Buffer[] {
  const good = handshakes.vectors.flatMap(({ records, flights }, which) => [
    seed(which, 'M1', 0, records.M1.slice(8)),
    seed(which, 'M2', 0, records.M2.slice(8)),
    seed(which, 'M3', 7, flights.M3),
    seed(which, 'M4', 7, flights.M4),
    seed(which, 'M5', 0, '07000001'),
    seed(which, 'M5', 16, '0605'),
    seed(which, 'to the initiator', which % 2 ? 32 : 0, '0200029101 050009000000000000000000'),
    seed(
      which,
      'to the responder',
      which % 2 ? 0 : 32,
      '830003da07ff 84000161 020002 9102 050009000000000000000000'
    ),
    seed(which, 'M4', FLAG.refuses | 7, flights.M4),
    seed(which, 'M5', FLAG.early | 16, '0605'),
    seed(which, 'to the initiator', FLAG.early, `0200029101 ${close(1)}`)
  ])
  const ends = [
    `${close(0)} ${pong(0)}`,
    `${close(0)} 0500010a`, // an alert behind both closes
    `${close(0)} ${pong(1)}`,
    `${close(1)} ${pong(0)}`
  ]
  const flags = [FLAG.closeFirst, FLAG.closeFirst | FLAG.early]
  return [
    ...good,
    ...ends.flatMap(end => flags.map(flag => seed(0, 'to the initiator', flag, end))),
    ...upkeep(),
    ...shapes(),
    ...spoiled()
  ]
}

/** Pings, key updates and their answers, under every suite, to who has asked for new keys and to who has not. */
function upkeep(): Buffer[] {
  const ends = [
    `${ping} 0200029101 ${close(0)}`,
    `0200029101 ${ping} ${request} ${ping} 0200029102 ${close(0)}`,
    `${request} ${answer} 0200029101`,
    `${answer} 0200029101 ${request} 0200029102 ${close(0)}`,
    `${request} ${request} ${ping} ${close(0)}`,
    `830003da07ff ${ping} ${request} 84000161 ${close(0)}`,
    `${close(0)} ${answer} ${pong(0)}`,
    `${close(0)} ${pong(0)} ${answer}`,
    `${close(0)} ${ping}`,
    `${close(0)} ${request}`,
    `${close(0)} 0900100102030405060708 0000000000000000`,
    ping.repeat(32) + close(0),
    ping.repeat(33) + close(0),
    ping.repeat(30) + request.repeat(3) + close(0),
    `${ping.repeat(20)} 0200029101 ${ping.repeat(19)}`
  ]
  const places = ['to the initiator', 'to the responder'] as const
  return ends.flatMap((end, which) =>
    places.flatMap(place => [
      seed(which, place, 0, end),
      seed(which, place, which % 2 ? FLAG.closeFirst : 0, end, ASKS)
    ])
  )
}

/** Announcements in their place and out of it, their objects before and behind a key update and in fragments. */
function shapes(): Buffer[] {
  const ends = [
    `${point} ${used} ${close(0)}`,
    `${used} ${point} ${close(0)}`,
    `${point} ${request} ${used} ${close(0)}`,
    `${point} ${point} ${close(0)}`,
    `0200029140 ${point} 02000391cc40 ${close(0)}`,
    `${point} 0200029140 ${close(0)}`,
    `${point} 83000540c3da0893 84000161 ${close(0)}`,
    `830003da07ff ${point} 84000161 ${close(0)}`,
    `${close(0)} ${point}`,
    `0a0000 ${close(0)}`,
    `${point.repeat(2)} ${ping} ${used}`
  ]
  return ends.flatMap((end, which) => [
    seed(which, 'to the initiator', 0, end),
    seed(which, 'to the responder', which % 2 ? FLAG.closeFirst : 0, end)
  ])
}

const point = '0a0007 00010201780179'
const used = '020004 91400102'
const ping = '0800080102030405060708'
const request = '06000101'
const answer = '06000100'
const close = (count: number): string => `05000900${count.toString(16).padStart(16, '0')}`
const pong = (count: number): string => `090010${count.toString(16).padStart(32, '0')}`

const seed = (which: number, place: Plan['place'], flags: number, rest: string, asks = 0): Buffer =>
  Buffer.concat([Buffer.of(which, PLACES.indexOf(place) | asks, flags), hex(rest)])

/** The hellos of negative.json. */
function spoiled(): Buffer[] {
  return negatives.vectors.flatMap(({ handshake, place, record }) => {
    const which = handshakes.vectors.findIndex(({ name }) => name === handshake)
    const isHello = place === 'M1' || place === 'M2'
    return which < 0 || !isHello ? [] : [seed(which, place, 0, record.slice(8))]
  })
}
