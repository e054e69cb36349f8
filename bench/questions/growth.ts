// The questions: what a message costs both ends, in CPU time, as connections grow in number while the messages of all
// of them together stay as many, and what a message and a byte cost as messages grow. Held against stalk itself.

import { overLoopback, workOf } from '../pair.ts'
import { type PayloadName, payloadOf } from '../payloads.ts'
import type { Cost, Figure, MeasureOptions, Prepared, Question } from '../question.ts'
import type { SubjectName } from '../titles.ts'

/** How much more it may cost at the far end. */
const FLAT = 1.3

const PER_MESSAGE: Figure = { name: 'a message', unit: 'µs of CPU', better: 'less' }
const PER_KIB: Figure = { name: 'a KiB', unit: 'µs of CPU', better: 'less' }

interface Load {
  readonly subject: SubjectName
  readonly payload: PayloadName
  readonly messages: number
  readonly connections: number
}

const cpuOf = ({ senderCpu, receiverCpu }: Cost): number => senderCpu + receiverCpu

async function prepared(
  load: Load,
  options: MeasureOptions,
  values: (cost: Cost) => number[]
): Promise<Prepared> {
  const warmUp = load.connections * Math.ceil(load.messages / load.connections / 4)
  const work = await workOf({ task: 'carry', warmUp, ...load }, options)
  return {
    async measure() {
      const cost = await overLoopback(work)
      return { values: values(cost), cost }
    }
  }
}

const CONNECTIONS = [1, 10, 100, 1_000] as const

const MESSAGES = { quick: 100_000, full: 500_000 } as const

/** What the same costs with TLS: some of the growth is node's and the system's. */
const OTHER = 'tls+msgpackr'
const EXTREMES = [1, 1_000] as const

/** Whose cost a row shows, by its name. */
const subjectOf = (name: string): SubjectName => (name.endsWith(OTHER) ? OTHER : 'stalk')

const counted = (count: number): string =>
  count === 1 ? '1 connection' : `${count.toLocaleString('en')} connections`

const withConnections: Question = {
  name: 'growth-connections',
  title: 'small objects over more and more connections, as many in all',
  figures: [{ ...PER_MESSAGE, name: '' }],
  subjects: Object.fromEntries([
    ...CONNECTIONS.map(count => [`${count} ×`, counted(count)]),
    ...EXTREMES.map(count => [`${count} × ${OTHER}`, `TLS 1.3, ${counted(count)}`])
  ]),
  comparisons: [
    ...CONNECTIONS.slice(1).map(count => ({ subject: `${count} ×`, rival: '1 ×', goal: FLAT })),
    { subject: `1000 × ${OTHER}`, rival: `1 × ${OTHER}` }
  ],
  prepare: (name, options) =>
    prepared(
      {
        subject: subjectOf(name),
        payload: 'small',
        messages: MESSAGES[options.scale],
        connections: Number.parseInt(name, 10)
      },
      options,
      cost => [cpuOf(cost)]
    )
}

/** Between which the cost of a byte is asked to stay the same. */
const LONG = ['64KiB', '16MiB'] as const

const SIZES = ['16B', '256B', '4KiB', '64KiB', '1MiB', '16MiB'] as const satisfies readonly PayloadName[]

/** So many bytes in all, but no more messages than that and no fewer than a few. */
const BYTES = { quick: 2 ** 27, full: 2 ** 29 } as const

const messagesOf = (payload: PayloadName, { scale }: MeasureOptions): number =>
  Math.max(8, Math.min(MESSAGES[scale], Math.floor(BYTES[scale] / payloadOf(payload).bytes)))

const sized = (size: PayloadName): string => size.replace(/(\d+)/, '$1 ')

const withSize: Question = {
  name: 'growth-size',
  title: 'buffers of more and more bytes',
  figures: [PER_MESSAGE, PER_KIB],
  subjects: Object.fromEntries([
    ...SIZES.map(size => [size, sized(size)]),
    ...LONG.map(size => [`${size} × ${OTHER}`, `TLS 1.3, ${sized(size)}`])
  ]),
  comparisons: [
    { subject: '256B', rival: '16B', figure: PER_MESSAGE.name, goal: FLAT },
    ...(['1MiB', '16MiB'] as const).map(subject => ({
      subject,
      rival: '64KiB',
      figure: PER_KIB.name,
      goal: FLAT
    })),
    { subject: `16MiB × ${OTHER}`, rival: `64KiB × ${OTHER}`, figure: PER_KIB.name }
  ],
  prepare(name, options) {
    const payload = name.split(' ')[0] as PayloadName
    const kib = payloadOf(payload).bytes / 1_024
    return prepared(
      { subject: subjectOf(name), payload, messages: messagesOf(payload, options), connections: 1 },
      options,
      cost => [cpuOf(cost), cpuOf(cost) / kib]
    )
  }
}

export const growthQuestions: readonly Question[] = [withConnections, withSize]
