// The questions: what stalk's stages cost beyond the codecs that they are made of, in CPU time of both ends. Over
// loopback, and in one process with no socket in between, where the difference is not diluted and others disturb least:
// the figure to look at while working on the code.

import { alone, locally, overLoopback, type Work, workOf } from '../pair.ts'
import type { PayloadName } from '../payloads.ts'
import {
  against,
  type Cost,
  type Figure,
  type MeasureOptions,
  type Question,
  type Scale
} from '../question.ts'
import { titled } from '../titles.ts'

const CPU: Figure = { name: '', unit: 'µs of CPU a message', better: 'less' }

const cpuOf = ({ senderCpu, receiverCpu }: Cost): number => senderCpu + receiverCpu

/** Per message, both ends. */
const GOAL = 1.05

const NAMES = ['stalk', 'direct'] as const
const LOCAL_NAMES = [...NAMES, 'codec'] as const

const question = (
  rest: Pick<Question, 'name' | 'title' | 'subjects' | 'comparisons'>,
  measure: (work: Work) => Promise<Cost>,
  workFor: (subject: string, options: MeasureOptions) => Promise<Work>
): Question => ({
  ...rest,
  figures: [CPU],
  async prepare(subject, options) {
    const work = await workFor(subject, options)
    return {
      async measure() {
        const cost = await measure(work)
        return { values: [cpuOf(cost)], cost }
      }
    }
  }
})

const PAYLOADS: readonly [PayloadName, string, Readonly<Record<Scale, number>>][] = [
  ['small', 'small objects', { quick: 60_000, full: 300_000 }],
  ['64KiB', 'buffers of 64 KiB', { quick: 2_000, full: 6_000 }]
]

export const pipelineQuestions: readonly Question[] = PAYLOADS.flatMap(([payload, title, messages]) => {
  const sizes = ({ scale }: MeasureOptions) => ({
    payload,
    connections: 1,
    messages: messages[scale],
    warmUp: messages[scale] / 5
  })
  return [
    question(
      {
        name: `pipeline-${payload}`,
        title: `the stages against the codecs called directly, ${title} over loopback`,
        subjects: titled(NAMES),
        comparisons: against('stalk', NAMES, { direct: GOAL })
      },
      overLoopback,
      (subject, options) => workOf({ task: 'carry', subject, ...sizes(options) }, options)
    ),
    question(
      {
        name: `codecs-pipeline-${payload}`,
        title: `both ends in one process, ${title}`,
        subjects: titled(LOCAL_NAMES),
        comparisons: against('stalk', LOCAL_NAMES)
      },
      alone,
      async (subject, options) => ({
        task: subject === 'codec' ? 'codec' : 'local',
        subject,
        ...locally(options),
        ...sizes(options)
      })
    )
  ]
})
