// The bench works: its values are what they claim to be, what arrives is checked, and a report says what was
// measured. How fast anything is, is not asked here.

import { Packr } from 'msgpackr'
import t from 'tap'
import { overLoopback } from '../../bench/pair.ts'
import { type PayloadName, payloadOf } from '../../bench/payloads.ts'
import type { Measured, Question } from '../../bench/question.ts'
import { median, resultsOf, tableOf } from '../../bench/report.ts'
import { loadSubject, type SubjectName } from '../../bench/subjects/index.ts'

t.test('every small object is 72 bytes of plain MessagePack', async t => {
  const packr = new Packr({ useRecords: false, variableMapSize: true })
  const small = payloadOf('small')
  const sizes = Array.from({ length: 5_000 }, (_, index) => packr.pack(small.make(index * 977)).length)
  t.strictSame([...new Set(sizes)], [small.bytes])
})

for (const name of ['small', '64KiB'] as const) {
  t.test(`a ${name} payload knows its own and no other`, async t => {
    const payload = payloadOf(name)
    t.ok(payload.is(7, payload.make(7)))
    t.notOk(payload.is(7, payload.make(8)))
  })
}

const carried = async (subject: SubjectName, payload: PayloadName) => {
  const found = await loadSubject(subject)
  if (!('transport' in found)) throw new Error(`${subject} is no transport`)
  const credentials = await found.transport.credentials()
  return overLoopback({ subject, payload, credentials, warmUp: 50, messages: 100, profiles: null })
}

for (const subject of ['stalk', 'tls+msgpackr', 'tcp+msgpackr'] as const) {
  t.test(`${subject} carries messages between two processes`, async t => {
    const { wall, senderCpu, receiverCpu } = await carried(subject, 'small')
    t.ok(wall > 0 && senderCpu > 0 && receiverCpu > 0)
  })
}

const question: Question = {
  name: 'q',
  title: 'a question',
  unit: 'messages/s',
  subjects: ['stalk', 'tls+msgpackr', 'codec'],
  goals: [{ rival: 'tls+msgpackr', atLeast: 2 }],
  prepare: () => Promise.reject(new Error('not asked'))
}

const measured = (value: number): Measured => ({ value, wall: 1, senderCpu: 1, receiverCpu: 1 })

t.test('a ratio is the median of those within each round, not the ratio of the medians', async t => {
  const samples = new Map<SubjectName, Measured[]>([
    ['stalk', [100, 10, 30].map(measured)],
    ['tls+msgpackr', [50, 5, 20].map(measured)],
    ['codec', [200, 20, 60].map(measured)]
  ])
  const results = resultsOf({ question, samples })
  t.match(results, [
    { subject: 'stalk', value: 30, rival: 'tls+msgpackr', rivalValue: 20, ratio: 2, goal: 2, met: true },
    { subject: 'stalk', value: 30, rival: 'codec', rivalValue: 60, ratio: 0.5, goal: null, met: null },
    { subject: 'tls+msgpackr', value: 20, rival: null },
    { subject: 'codec', value: 60, rival: null }
  ])
  t.match(tableOf([{ question, samples }]), /2\.00 × \(1\.50 to 2\.00\) +≥ 2\.0 +met/)
})

t.test('the median of an even number of values lies between the two in the middle', async t => {
  t.equal(median([4, 1, 2, 3]), 2.5)
})
