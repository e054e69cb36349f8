// Faults of offers: tickets in M1 and what M2 makes of them. Behind each that a responder has refused the ticket is still
// good; behind each that an initiator has met, it is used up.

import { binderKey, H, HMAC, integer, prologueFor, vector } from '../helpers/formulas.ts'
import type { Faults } from '../helpers/puppet.ts'
import { type Acts, type Expected, type Fault, flipped, type Instead, refused, toInitiator } from './fault.ts'
import type { Memory, Ticket } from './memory.ts'
import { inSecond, resumedWithFirst, unoffered, withTicket } from './resuming.ts'

const unexpected = refused('ERR_STALK_UNEXPECTED', 1)
const decode = refused('ERR_STALK_DECODE', 4)
const badTicket = refused('ERR_STALK_BAD_TICKET', 6)

const NONE = Buffer.alloc(0)
const PROLOGUE = prologueFor('')

// --- M1 ------------------------------------------------------------------------------------------------

const m1 = (name: string, does: string, acts: Acts, expected: Expected): Fault =>
  inSecond('responder')(`offer-${name}`, does, acts, expected, { behind: [resumedWithFirst] })

const binder = (name: string, does: string, change: Faults['binder']): Fault =>
  m1(
    `binder-${name}`,
    does,
    { says: withTicket({ faults: { ...(change && { binder: change }) } }) },
    badTicket
  )

const boundBy = (name: string, does: string, psk: (ticket: Ticket) => Buffer): Fault =>
  m1(
    `binder-${name}`,
    does,
    { says: withTicket({}, ({ last }: Memory) => ({ value: last.value, psk: psk(last) })) },
    badTicket
  )

/** M1 with another binder, or made another on its way. */
const altered = (name: string, does: string, M1: Instead): Fault =>
  m1(name, does, { says: withTicket(), sends: { M1 } }, badTicket)

/** A binder over something else. */
const over = (name: string, does: string, what: (cut: Buffer) => readonly Buffer[]): Fault =>
  altered(`binder-over-${name}`, does, (whole, { memory }) => {
    const cut = whole.subarray(0, -32)
    return Buffer.concat([cut, HMAC(binderKey(PROLOGUE, memory.last.psk), H(...what(cut)))])
  })

const binders: readonly Fault[] = [
  binder('flip', 'turns a bit of its binder over', bytes => flipped(bytes, 31)),
  binder('zero', 'sends zeros for its binder', () => Buffer.alloc(32)),
  boundBy('of-nothing', 'makes its binder without the key of the ticket', () => Buffer.alloc(32)),
  boundBy('of-another', 'makes its binder with the key of another ticket', () => Buffer.alloc(32, 7)),
  boundBy('of-value', 'makes its binder with the ticket itself', ({ value }) => value),
  over('m1-without-prologue', 'makes its binder without the prologue', cut => [cut]),
  over('m1-with-zeros', 'makes its binder over M1 with zeros in its place', cut => [
    PROLOGUE,
    cut,
    Buffer.alloc(32)
  ]),
  over('shorter-m1', 'makes its binder over a header that does not count it', cut => [
    PROLOGUE,
    cut.subarray(0, 1),
    integer(3, cut.length - 4),
    cut.subarray(4)
  ]),
  over('m1-without-header', 'makes its binder over M1 without its header', cut => [
    PROLOGUE,
    cut.subarray(4)
  ]),
  over('nothing', 'makes its binder over nothing', () => []),
  altered('random-altered', 'has its random changed on the way', bytes => flipped(bytes, 20)),
  altered('share-altered', 'has its share changed on the way', (bytes, { memory: { last } }) =>
    flipped(bytes, -(32 + 2 + last.value.length + 1 + 8))
  ),
  altered('grease-altered', 'has its grease changed on the way', bytes => {
    const at = bytes.indexOf(Buffer.of(0x5a, 0x6a))
    return Buffer.concat([bytes.subarray(0, at), Buffer.of(0x6a, 0x5a), bytes.subarray(at + 2)])
  })
]

/** The offer at M1's end in another form. */
const malformed = (name: string, does: string, offer: (ticket: Buffer) => readonly Buffer[]): Fault =>
  m1(
    name,
    does,
    {
      says: ({ last }) => {
        const hello = (body: Buffer): Buffer => Buffer.concat([body.subarray(0, -1), ...offer(last.value)])
        return { faults: { hello } }
      }
    },
    decode
  )

const BINDER = Buffer.alloc(32, 9)
const psk = (value: number): Buffer => integer(1, value)

const forms: readonly Fault[] = [
  malformed('psk-2', 'sets psk to 2 in front of a ticket', ticket => [psk(2), vector(ticket), BINDER]),
  malformed('psk-ff', 'sets psk to ff in front of a ticket', ticket => [psk(0xff), vector(ticket), BINDER]),
  malformed('psk-0', 'sets psk to 0 in front of a ticket', ticket => [psk(0), vector(ticket), BINDER]),
  malformed('nothing', 'sets psk to 1 and offers nothing', () => [psk(1)]),
  malformed('empty', 'offers an empty ticket to who issues tickets', () => [psk(1), vector(NONE), BINDER]),
  malformed('513', 'offers 513 bytes of ticket to who issues tickets', () => [
    psk(1),
    vector(Buffer.alloc(513, 1)),
    BINDER
  ]),
  malformed('binder-none', 'offers a ticket and no binder', ticket => [psk(1), vector(ticket)]),
  malformed('binder-short', 'sends a binder of 31 bytes', ticket => [
    psk(1),
    vector(ticket),
    BINDER.subarray(1)
  ]),
  malformed('binder-long', 'sends a binder of 33 bytes', ticket => [
    psk(1),
    vector(ticket),
    BINDER,
    Buffer.alloc(1)
  ]),
  malformed('length-beyond', 'says that its ticket is longer than M1', ticket => [
    psk(1),
    integer(2, 512),
    ticket,
    BINDER
  ]),
  malformed('two', 'offers two tickets', ticket => [
    psk(1),
    vector(ticket),
    BINDER,
    vector(Buffer.alloc(32)),
    BINDER
  ])
]

// --- M2 ------------------------------------------------------------------------------------------------

const m2 = (name: string, does: string, acts: Acts, expected: Expected): Fault =>
  inSecond('initiator')(`offer-answered-${name}`, does, acts, expected, { behind: [unoffered] })

const answered = (value: number): Acts => ({
  says: withTicket({ faults: { hello: body => Buffer.concat([body.subarray(0, -1), integer(1, value)]) } })
})

const answers: readonly Fault[] = [
  m2('psk-2', 'answers an offer with psk 2', answered(2), decode),
  m2('psk-ff', 'answers an offer with psk ff', answered(0xff), decode),
  m2(
    'suite-2',
    'resumes a session under another suite than its own',
    { says: withTicket({ suite: 2 }) },
    unexpected
  ),
  toInitiator(
    'offer-none-answered',
    'takes a ticket of who keeps tickets and has none',
    { says: { ticket: { value: NONE, psk: Buffer.alloc(32, 7) } } },
    unexpected,
    { resumes: 1 }
  )
]

export const offerFaults: readonly Fault[] = [...binders, ...forms, ...answers]
