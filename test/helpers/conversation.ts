// A conversation of questions and answers between two ends with somebody on the wire, in every mode; what must hold
// of it whatever was done to it; and the running of very many of them.

import type { Duplex } from 'node:stream'
import {
  type Connection,
  Identity,
  type Outcome,
  type StalkError,
  SUITES,
  type SuiteName
} from '../../lib/index.ts'
import type { Fault } from '../../lib/testing/index.ts'
import { honest, meddledPair, recording } from './adversary.ts'
import { type EndsOptions, ends, within } from './pair.ts'

export const suites = Object.keys(SUITES) as SuiteName[]
const rsa = await Identity.generate()

export const MODES: Record<string, EndsOptions> = {
  mutual: {},
  'responder-only': { initiator: { identity: null }, responder: { peer: 'anyone' } },
  'initiator-only': { initiator: { peer: 'anyone' }, responder: { identity: null } },
  anonymous: {
    initiator: { identity: null, peer: 'anyone' },
    responder: { identity: null, peer: 'anyone' }
  }
}
export const RSA: EndsOptions = {
  initiator: { identity: rsa, peer: rsa },
  responder: { identity: rsa, peer: rsa }
}

export const QUESTIONS = ['one?', { two: [2, '?'] }]
export const ANSWERS = ['one.', { two: [2, '.'] }]

export interface Side {
  readonly got: unknown[]
  readonly events: string[]
  readonly errors: Error[]
  readonly outcome: Outcome
}

export interface Conversation {
  readonly initiator: Side
  readonly responder: Side
}

export function watch(connection: Connection): Omit<Side, 'outcome'> {
  const side = { got: [] as unknown[], events: [] as string[], errors: [] as Error[] }
  connection.on('data', message => side.got.push(message))
  connection.on('error', error => side.errors.push(error))
  for (const event of ['secure', 'data', 'end', 'error', 'close']) {
    connection.on(event, () => side.events.push(event))
  }
  return side
}

/** Asks, is answered, asks again, and both say goodbye. */
export async function converse(
  joined: [Duplex, Duplex],
  options: EndsOptions,
  { timeoutMs = 20_000, giveUpMs = 10_000 }: Patience = {}
): Promise<Conversation> {
  const patience = { handshakeTimeout: timeoutMs, closeTimeout: timeoutMs }
  const { initiator, responder } = ends(joined, {
    initiator: { ...options.initiator, ...patience },
    responder: { ...options.responder, ...patience }
  })
  const [asking, answering] = [watch(initiator), watch(responder)]
  responder.on('data', () => responder.write(ANSWERS[answering.got.length - 1]))
  initiator.on('data', () => {
    if (asking.got.length < QUESTIONS.length) initiator.write(QUESTIONS[asking.got.length])
    else initiator.end()
  })
  initiator.write(QUESTIONS[0])
  giveUpWith(initiator, responder, giveUpMs)
  giveUpWith(responder, initiator, giveUpMs)
  const outcomes = Promise.all([initiator.outcome, responder.outcome])
  const [a, b] = await within(outcomes, 'a conversation that somebody meddled with', 30_000)
  return { initiator: { ...asking, outcome: a }, responder: { ...answering, outcome: b } }
}

/** No keepalive: who is cut off in silence waits for good, unless its application does not. */
function giveUpWith(first: Connection, second: Connection, ms: number): void {
  const timer = setTimeout(() => first.destroy(), ms)
  first.outcome.then(() => {
    clearTimeout(timer)
    setTimeout(() => second.destroy(), 60).unref()
  })
}

export interface Patience {
  readonly timeoutMs?: number
  readonly giveUpMs?: number
}

const isPrefix = (got: unknown[], all: unknown[]): boolean =>
  JSON.stringify(got) === JSON.stringify(all.slice(0, got.length))

/** What no meddling may ever bring about, at one end. */
function* complaints(side: Side, peer: Side, expected: unknown[]): Generator<string> {
  const { got, events, errors, outcome } = side
  const complete = got.length === expected.length
  if (!isPrefix(got, expected)) yield 'a changed, missing or doubled message'
  if (outcome.received !== got.length) yield 'a count of received messages that is not true'
  if (events.includes('end') && !complete) yield 'an end before the end'
  if (outcome.kind === 'clean' && !(complete && events.includes('end'))) yield 'clean without the goodbyes'
  if (outcome.kind === 'clean' && errors.length > 0) yield 'clean with an error'
  if (outcome.kind !== 'clean' && outcome.kind !== 'aborted' && errors.length !== 1) yield 'not one error'
  if (errors.some(error => (error as StalkError).code !== outcome.code))
    yield 'an error that is not the outcome'
  if (outcome.code === 'ERR_STALK_INTERNAL') yield `an internal error: ${outcome.reason}`
  if (got.length > 0 && events[0] !== 'secure') yield 'data before secure'
  if (events.at(-1) !== 'close') yield 'events behind close'
  if ((outcome.acknowledged ?? 0) > peer.got.length) yield 'more acknowledged than arrived'
  if (peer.got.length > outcome.sent) yield 'more arrived than were sent'
}

export const complaintsOf = ({ initiator, responder }: Conversation): string[] => [
  ...[...complaints(initiator, responder, ANSWERS)].map(text => `initiator: ${text}`),
  ...[...complaints(responder, initiator, QUESTIONS)].map(text => `responder: ${text}`)
]

export type Check = (conversation: Conversation) => Iterable<string>

export interface Measured {
  readonly there: Buffer[]
  readonly back: Buffer[]
}

export async function measure(options: EndsOptions): Promise<Measured> {
  const measured = { there: [], back: [] }
  const done = await converse(meddledPair(recording(measured.there), recording(measured.back)), options)
  const wrong = complaintsOf(done)
  if (wrong.length > 0 || done.initiator.outcome.kind !== 'clean') throw new Error(`not a good day: ${wrong}`)
  return measured
}

const lengthOf = (recorded: Buffer[]): number => Buffer.concat(recorded).length

/** Where each record begins, and the end of the last. */
export function edgesOf(recorded: Buffer[]): number[] {
  let at = 0
  return [0, ...recorded.map(record => (at += record.length))]
}

/** Every byte, or around the edges of records and every so many bytes inside. */
function offsetsOf(recorded: Buffer[], stride: number): number[] {
  const edges = edgesOf(recorded)
  const near = (offset: number): boolean => edges.some(edge => offset >= edge - 2 && offset <= edge + 5)
  return Array.from({ length: lengthOf(recorded) }, (_, offset) => offset).filter(
    offset => offset % stride === 0 || near(offset)
  )
}

export interface Case {
  readonly name: string
  readonly options: EndsOptions
  readonly joined: () => [Duplex, Duplex]
  readonly check?: Check
}

/** Runs all cases, some at a time; gives what went wrong and where. */
export async function run(cases: Case[], patience: Patience = {}, atOnce = 48): Promise<string[]> {
  const wrong: string[] = []
  const queue = [...cases]
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const conversation = await converse(next.joined(), next.options, patience).catch(
        (error: Error) => error
      )
      const found =
        conversation instanceof Error
          ? [conversation.message]
          : [...complaintsOf(conversation), ...(next.check?.(conversation) ?? [])]
      wrong.push(...found.map(text => `${next.name}: ${text}`))
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return wrong
}

export const withSuite = (suite: SuiteName, mode: EndsOptions): EndsOptions => ({
  initiator: { ...mode.initiator, suites: [suite] },
  responder: { ...mode.responder, suites: [suite] }
})

export function everywhere(
  options: EndsOptions,
  { there, back }: Measured,
  stride: number,
  meddle: (offset: number) => Fault,
  check: (offset: number, direction: 'there' | 'back') => Check
): Case[] {
  const at = (direction: 'there' | 'back', recorded: Buffer[]): Case[] =>
    offsetsOf(recorded, stride).map(offset => ({
      name: `${direction} ${offset} of ${lengthOf(recorded)}`,
      options,
      joined: () =>
        direction === 'there' ? meddledPair(meddle(offset)) : meddledPair(honest, meddle(offset)),
      check: check(offset, direction)
    }))
  return [...at('there', there), ...at('back', back)]
}

/** Where the goodbye ends: for the initiator's side the last word comes behind it. */
const goodbyeEnd = ({ there, back }: Measured, direction: 'there' | 'back'): number =>
  edgesOf(direction === 'there' ? there : back).at(direction === 'there' ? -2 : -1) as number

/** Who got no goodbye is not clean, nor who got an altered one. */
export const notClean =
  (measured: Measured) =>
  (offset: number, direction: 'there' | 'back'): Check =>
    function* ({ initiator, responder }) {
      if (offset >= goodbyeEnd(measured, direction)) return
      const receiver = direction === 'there' ? responder : initiator
      if (receiver.outcome.kind === 'clean') yield 'clean without a goodbye'
    }

interface Plan {
  readonly name: string
  readonly options: EndsOptions
  /** How far apart the places are inside of records; at their edges every byte is tried. */
  readonly stride: number
}

// Inside one record every byte is under the same tag; a stride that is prime to everything has to do, but for one
// mode where every single byte is tried.
function strideFor(mode: string, suite: SuiteName): number {
  if (suite !== suites[0] || mode === 'RSA') return 397
  return mode === 'anonymous' ? 1 : 149
}

/** Every mode, RSA beside them, with every suite. */
export const plans: readonly Plan[] = Object.entries({ ...MODES, RSA }).flatMap(([mode, options]) =>
  suites.map(suite => ({
    name: `${mode}, ${suite}`,
    options: withSuite(suite, options),
    stride: strideFor(mode, suite)
  }))
)
