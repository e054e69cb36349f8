// The bench works: its values are what they claim to be, what arrives is checked, and a report says what was
// measured. How fast anything is, is not asked here.

import { Packr } from 'msgpackr'
import t from 'tap'
import { ask, patiently } from '../../bench/ask.ts'
import { CODEC_NAMES, stepsOf } from '../../bench/codecs/index.ts'
import { alone, locally, overLoopback, workOf } from '../../bench/pair.ts'
import { payloadOf } from '../../bench/payloads.ts'
import { planOf, roundsOf } from '../../bench/plan.ts'
import { Silent } from '../../bench/process.ts'
import { against, type Measured, type Question } from '../../bench/question.ts'
import { tableOf } from '../../bench/report.ts'
import { type Answer, median, resultsOf } from '../../bench/results.ts'
import { NotHere } from '../../bench/subject.ts'
import { RIVALS } from '../../bench/titles.ts'

const quick = { scale: 'quick', profiles: null } as const

t.test('every small object is 72 bytes of plain MessagePack', async t => {
  const packr = new Packr({ useRecords: false, variableMapSize: true })
  const small = payloadOf('small')
  const sizes = Array.from({ length: 5_000 }, (_, index) => packr.pack(small.make(index * 977)).length)
  t.strictSame([...new Set(sizes)], [small.bytes])
})

for (const name of ['small', 'mixed', '1KiB', '64KiB', '16MiB'] as const) {
  t.test(`a ${name} payload knows its own and no other`, async t => {
    const payload = payloadOf(name)
    t.ok(payload.is(7, payload.make(7)))
    t.notOk(payload.is(7, payload.make(8)))
  })
}

for (const subject of ['stalk', 'tls+msgpackr', 'tcp+msgpackr', 'direct'] as const) {
  t.test(`${subject} carries messages between two processes`, async t => {
    const what = {
      task: 'carry',
      subject,
      payload: 'mixed',
      warmUp: 50,
      warmUpMs: 0,
      messages: 100,
      connections: 2
    } as const
    const { wall, senderCpu, receiverCpu } = await overLoopback(await workOf(what, quick))
    t.ok(wall > 0 && senderCpu > 0 && receiverCpu > 0)
  })
}

for (const subject of ['stalk', 'direct', 'codec'] as const) {
  t.test(`${subject} carries messages within one process`, async t => {
    const task = subject === 'codec' ? 'codec' : 'local'
    const what = { task, subject, payload: 'small', warmUp: 50, messages: 100, connections: 1 } as const
    const { wall, senderCpu } = await alone({ ...what, ...locally(quick), warmUpMs: 0 })
    t.ok(wall > 0 && senderCpu > 0)
  })
}

for (const rival of RIVALS) {
  t.test(`${rival} carries messages where it is installed, and is known to be absent where not`, async t => {
    const what = {
      task: 'carry',
      subject: rival,
      payload: 'mixed',
      warmUp: 5,
      warmUpMs: 0,
      messages: 20,
      connections: 1
    } as const
    try {
      const { wall } = await overLoopback(await workOf(what, quick))
      t.ok(wall > 0)
    } catch (error) {
      t.ok(error instanceof NotHere)
      t.match(error, { message: /^not installed \(/ })
    }
  })
}

for (const codec of CODEC_NAMES) {
  t.test(`every step of the ${codec} codec can be run`, async () => {
    for (const { prepare } of Object.values(await stepsOf(codec))) {
      const { run } = await prepare()
      await run()
      await run()
    }
  })
}

const question: Question = {
  name: 'q',
  title: 'a question',
  figures: [
    { name: '', unit: 'messages/s', better: 'more' },
    { name: 'p99', unit: 'µs', better: 'less' }
  ],
  subjects: { stalk: 'stalk', tls: 'TLS', codec: 'codec', absent: 'a rival' },
  comparisons: [
    ...against('stalk', ['tls', 'codec'], { tls: 2 }),
    ...against('stalk', ['tls'], { tls: 1 }, 'p99')
  ],
  prepare: () => Promise.reject(new Error('not asked'))
}

const measured = (value: number): Measured => ({ values: [value, 1_000 / value], cost: null })

const answer: Answer = {
  question,
  samples: new Map([
    ['stalk', [100, 10, 30].map(measured)],
    ['tls', [50, 5, 20].map(measured)],
    ['codec', [200, 20, 60].map(measured)],
    ['absent', []]
  ]),
  missing: new Map([['absent', 'not installed']])
}

t.test('a ratio is the median of those within each round, not the ratio of the medians', async t => {
  t.match(resultsOf(answer), [
    { subject: 'stalk', value: 30, rival: 'tls', rivalValue: 20, ratio: 2, goal: 2, met: true },
    { subject: 'stalk', value: 30, rival: 'codec', rivalValue: 60, ratio: 0.5, goal: null, met: null },
    { subject: 'tls', value: 20, rival: null },
    { subject: 'codec', value: 60, rival: null },
    { question: 'q p99', subject: 'stalk', rival: 'tls', ratio: 0.5, goal: 1, met: true },
    { question: 'q p99', subject: 'tls', rival: null },
    { question: 'q p99', subject: 'codec', rival: null }
  ])
})

t.test('the table has medians, ratios, goals, and what could not be had', async t => {
  const table = tableOf([answer])
  t.match(table, /2\.00 × \(1\.50 to 2\.00\) +≥ 2 +met/)
  t.match(table, /0\.500 × |0\.50 × \(0\.50 to 0\.67\) +≤ 1 +met/)
  t.match(table, /a rival: not installed/)
})

t.test(
  'a subject that is not here is left out with its reason, and all prepared ones are closed',
  async t => {
    const closed: string[] = []
    const plan = planOf(['--quick', '--only', 'q'], [question])
    const asked = await ask(
      {
        ...question,
        prepare: async subject => {
          if (subject === 'absent') throw new NotHere('not installed')
          return { measure: async () => measured(1), close: async () => void closed.push(subject) }
        }
      },
      plan,
      () => {}
    )
    t.strictSame([...asked.missing], [['absent', 'not installed']])
    t.equal(asked.samples.get('tls')?.length, roundsOf(question, plan))
    t.strictSame(closed, ['stalk', 'tls', 'codec'])
  }
)

t.test('a plan says what is wrong with it', async t => {
  t.throws(
    () => planOf(['--only', 'nothing'], [question]),
    /no question has nothing in its name; there are q/
  )
  t.throws(() => planOf(['--subjects', 'x'], [question]), /there is no subject x; there are stalk, tls/)
  t.throws(() => planOf(['--rounds', '0'], [question]), /whole number/)
})

t.test('the median of an even number of values lies between the two in the middle', async t => {
  t.equal(median([4, 1, 2, 3]), 2.5)
})

t.test('a rival that stands still is asked three times; anybody else that does is a fault', async t => {
  for (const silences of [0, 2, 3]) {
    let times = 0
    const measure = async () => {
      if (++times <= silences) throw new Silent('nothing')
      return { values: [1], cost: null }
    }
    const measured = await patiently('zeromq+msgpackr', measure)
    t.same(measured, silences < 3 ? { values: [1], cost: null } : null)
    t.equal(times, Math.min(silences + 1, 3))
    times = 0
    if (silences > 0) await t.rejects(patiently('stalk', measure), { message: 'nothing' })
  }
  const failing = async () => {
    throw new Error('otherwise')
  }
  await t.rejects(patiently('zeromq+msgpackr', failing), { message: 'otherwise' })
})
