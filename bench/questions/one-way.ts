// The questions: how many objects a second, and how many bytes a second in buffers, get from one process to another
// over one connection, the sender waiting for `drain` whenever `write` says so.

import { alone, locally, overLoopback, type Work, workOf } from '../pair.ts'
import { type PayloadName, payloadOf } from '../payloads.ts'
import { against, type Cost, type MeasureOptions, type Question, type Scale } from '../question.ts'
import { CARRIERS, type SubjectName, titled } from '../titles.ts'

interface OneWay {
  readonly name: string
  readonly title: string
  readonly payload: PayloadName
  readonly messages: Readonly<Record<Scale, number>>
  readonly limits: readonly SubjectName[]
  readonly goals: Readonly<Record<string, number>>
}

/** The part of the messages measured that is a portion of the warm-up. */
const PORTION = 0.2

const inMessages = { unit: 'messages/s', of: ({ wall }: Cost) => 1e6 / wall }
const inBytes = (payload: PayloadName) => ({
  unit: 'MB/s',
  of: ({ wall }: Cost) => payloadOf(payload).bytes / wall
})

function oneWay({ name, title, payload, messages, limits, goals }: OneWay): Question {
  const subjects = [...CARRIERS, ...limits]
  const { unit, of } = limits.includes('codec') ? inMessages : inBytes(payload)
  return {
    name,
    title,
    figures: [{ name: '', unit, better: 'more' }],
    subjects: titled(subjects),
    comparisons: [...against('stalk', subjects, goals), ...ofLimits(limits)],
    async prepare(subject, options) {
      const work = await prepared(subject, payload, messages[options.scale], options)
      const measure = subject === 'codec' ? alone : overLoopback
      return {
        async measure() {
          const cost = await measure(work)
          return { values: [of(cost)], cost }
        }
      }
    }
  }
}

/** How near a goal whatever is written by hand could come. */
const ofLimits = (limits: readonly SubjectName[]) =>
  limits.includes('by-hand')
    ? ['tls+msgpackr', 'tcp+length'].map(rival => ({ subject: 'by-hand', rival }))
    : []

async function prepared(
  subject: string,
  payload: PayloadName,
  messages: number,
  options: MeasureOptions
): Promise<Work> {
  const work = { subject, payload, messages, warmUp: Math.ceil(messages * PORTION), connections: 1 }
  if (subject === 'codec') return { ...work, task: 'codec', ...locally(options) }
  return workOf({ ...work, task: 'carry' }, options)
}

export const smallObjects: Question = oneWay({
  name: 'small-one-way',
  title: 'small objects, one way: 6 fields, 72 bytes as plain MessagePack',
  payload: 'small',
  messages: { quick: 100_000, full: 400_000 },
  limits: ['codec'],
  goals: { 'tls+msgpackr': 2, 'secret-stream+msgpackr': 6, 'zeromq+msgpackr': 8, codec: 0.6 }
})

const mixedObjects = oneWay({
  name: 'mixed-one-way',
  title: 'mixed objects, one way: four kinds, nested, with Dates, Buffers and text',
  payload: 'mixed',
  messages: { quick: 50_000, full: 150_000 },
  limits: ['codec'],
  goals: {}
})

const buffers1KiB = oneWay({
  name: '1KiB-one-way',
  title: 'buffers of 1 KiB, one way',
  payload: '1KiB',
  messages: { quick: 40_000, full: 200_000 },
  limits: ['tcp+length', 'by-hand'],
  goals: { 'tls+msgpackr': 1.5 }
})

const buffers64KiB = oneWay({
  name: '64KiB-one-way',
  title: 'buffers of 64 KiB, one way',
  payload: '64KiB',
  messages: { quick: 2_000, full: 8_000 },
  limits: ['tcp+length', 'by-hand'],
  goals: { 'tls+msgpackr': 1.5, 'tcp+length': 0.6 }
})

export const oneWayQuestions: readonly Question[] = [smallObjects, mixedObjects, buffers1KiB, buffers64KiB]
