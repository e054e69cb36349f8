// What the README shows of a run is what the results in the repository say, and the chart beside it is theirs.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { chartOf } from '../../bench/chart.ts'
import { short } from '../../bench/numbers.ts'
import { pageOf, withPage } from '../../bench/page.ts'
import { planOf } from '../../bench/plan.ts'
import { CHART, README, RESULTS, readResults } from '../../bench/publish.ts'
import type { Result, Written } from '../../bench/results.ts'

const shown = readResults(RESULTS)

t.test('the README shows the results that are in the repository', async t => {
  const readme = readFileSync(README, 'utf8')
  t.equal(withPage(readme, shown), readme)
})

t.test('so does the chart', async t => {
  t.equal(readFileSync(CHART, 'utf8'), chartOf(shown))
})

t.test('neither names a folder of the machine on which it was made', async t => {
  const text = readFileSync(RESULTS, 'utf8') + readFileSync(CHART, 'utf8')
  t.notMatch(text, new RegExp(`${join(import.meta.dirname, '../..')}|/tmp/|/home/|/root`))
})

const base: Result = {
  question: 'small-one-way',
  subject: 'stalk',
  value: 123_456,
  unit: 'messages/s',
  better: 'more',
  spread: [100_000, 130_000],
  cost: { wall: 8, senderCpu: 3, receiverCpu: 2 },
  rival: 'tls+msgpackr',
  rivalValue: 246_912,
  ratio: 0.5,
  ratioSpread: [0.4, 0.6],
  cpuRatio: 2,
  goal: 2,
  met: false
}

const made: Written = {
  ...shown,
  titles: {
    questions: { 'small-one-way': 'small <objects>' },
    subjects: { 'tls+msgpackr': 'TLS 1.3 & more' }
  },
  results: [
    base,
    { ...base, rival: 'codec', ratio: 0.4, goal: 0.6 },
    { ...base, subject: 'tls+msgpackr', value: 246_912, rival: null, ratio: null, goal: null, met: null }
  ],
  missing: [
    { question: 'small-one-way', subject: 'zeromq+msgpackr', reason: 'not installed (no such package)' }
  ]
}

t.test('a rival that is ahead is named, a limit is not, and a missed goal is called missed', async t => {
  const page = pageOf(made)
  t.match(page, 'Ahead of stalk:\n\n- small objects, messages/s: TLS 1.3 (stalk is 0.50 × it)\n\n')
  t.match(page, /\| small objects, messages\/s \| stalk \| TLS 1.3 \| 0.50 × \| ≥ 2 \| missed \|/)
  t.match(page, /\| small objects, messages\/s \| 123 k \| 247 k \| {2}\|/)
  t.match(page, 'ZeroMQ CURVE: not installed (no such package)')
  t.match(page, /≥ 2 \| missed \| {2}\|/, 'no limit was measured')
  const byHand = { ...base, subject: 'by-hand', ratio: 1.25, goal: null, met: null }
  t.match(pageOf({ ...made, results: [base, byHand] }), /≥ 2 \| missed \| 1.25 × \|/)
  const handshakes = ['stalk', 'stalk-ed25519', 'crypto-rsa', 'crypto-ed25519'].map((subject, index) => ({
    ...base,
    question: 'handshakes',
    subject,
    rival: 'tls',
    ratio: index + 1,
    goal: index < 2 ? 5 : null
  }))
  const limits = pageOf({ ...made, results: handshakes })
  t.match(limits, /\| stalk \| TLS 1.3 \| 1.00 × \| ≥ 5 \| missed \| 3.00 × \|/)
  t.match(limits, /\| stalk, Ed25519 \| TLS 1.3 \| 2.00 × \| ≥ 5 \| missed \| 4.00 × \|/)
  const ahead = { ...made, results: [{ ...base, ratio: 2.5, met: true }] }
  t.match(pageOf(ahead), 'No rival is ahead.')
})

t.test('a README without a place for it is left alone', async t => {
  t.throws(() => withPage('# stalk', made), /no place for what was measured/)
})

t.test('the chart is SVG that cannot be broken by a name, in both themes', async t => {
  const chart = chartOf({ ...made, results: [{ ...base, subject: '<b>' }, base] })
  t.match(chart, /^<svg [^>]+>[\s\S]+prefers-color-scheme: dark[\s\S]+<\/svg>\n$/)
  t.match(chart, '&lt;b>')
  t.notMatch(chart, '<b>')
})

t.test('numbers have three digits that count', async t => {
  const numbers = [0.01234, 1.5, 99.96, 999.7, 1_234, 9_994, 9_996, 123_456, 999_900, 2_345_678]
  t.same(numbers.map(short), [
    '0.0123',
    '1.50',
    '100',
    '1,000',
    '1,230',
    '9,990',
    '10 k',
    '123 k',
    '1.00 M',
    '2.35 M'
  ])
})

t.test('a chart is asked for with both of its files', async t => {
  const question = {
    name: 'q',
    title: '',
    figures: [],
    subjects: {},
    comparisons: [],
    prepare: () => t.fail() as never
  }
  t.same(planOf(['--chart', 'a.json', 'b.svg'], [question]).chart, { from: 'a.json', to: 'b.svg' })
  t.throws(() => planOf(['--chart', 'a.json'], [question]), /OUT\.svg/)
  t.throws(() => planOf(['b.svg'], [question]), /OUT\.svg/)
})
