// The questions: how many small objects a second, and how many bytes a second in buffers of 64 KiB, get from one
// process to another over one connection, the sender waiting for `drain` whenever `write` says so.

import { alone, overLoopback, type Sample, type Work } from './pair.ts'
import { type PayloadName, payloadOf } from './payloads.ts'
import type { Goal, MeasureOptions, Question, Scale } from './question.ts'
import { loadSubject, type SubjectName } from './subjects/index.ts'

interface OneWay {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly payload: PayloadName
  readonly messages: Readonly<Record<Scale, number>>
  readonly goals: readonly Goal[]
  inUnit(sample: Sample): number
}

const NOBODY = { listener: {}, connector: {} }

/** The warm-up's part of the messages that are measured. */
const WARM_UP = 0.4

function oneWay({ payload, messages, inUnit, ...rest }: OneWay): Question {
  return {
    ...rest,
    subjects: ['stalk', 'tls+msgpackr', 'tcp+msgpackr', 'codec'],
    async prepare(subject: SubjectName, { scale, profiles }: MeasureOptions) {
      const found = await loadSubject(subject)
      const credentials = 'transport' in found ? await found.transport.credentials() : NOBODY
      const count = messages[scale]
      const work: Work = {
        subject,
        payload,
        credentials,
        profiles,
        messages: count,
        warmUp: Math.ceil(count * WARM_UP)
      }
      const measure = 'codec' in found ? alone : overLoopback
      return async () => {
        const sample = await measure(work)
        return { ...sample, value: inUnit(sample) }
      }
    }
  }
}

const perSecond = (sample: Sample): number => 1e6 / sample.wall

export const smallObjects: Question = oneWay({
  name: 'small-one-way',
  title: 'small objects, one way: 6 fields, 72 bytes as plain MessagePack',
  unit: 'messages/s',
  payload: 'small',
  messages: { quick: 50_000, full: 500_000 },
  goals: [
    { rival: 'tls+msgpackr', atLeast: 2 },
    { rival: 'codec', atLeast: 0.6 }
  ],
  inUnit: perSecond
})

// The limit at 64 KiB is to be plain TCP with the same bytes; msgpackr's streams stand in for it until then.
const buffers64KiB: Question = oneWay({
  name: '64KiB-one-way',
  title: 'buffers of 64 KiB, one way',
  unit: 'MB/s',
  payload: '64KiB',
  messages: { quick: 1_000, full: 10_000 },
  goals: [
    { rival: 'tls+msgpackr', atLeast: 1.5 },
    { rival: 'tcp+msgpackr', atLeast: 0.6 }
  ],
  inUnit: sample => (perSecond(sample) * payloadOf('64KiB').bytes) / 1e6
})

export const oneWayQuestions: readonly Question[] = [smallObjects, buffers64KiB]
