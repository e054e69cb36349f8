// The fuzzer in small: every target for some seconds (FUZZ_SECONDS) from a fixed seed, its corpus
// complete, and whether the engine and the properties notice what they are there for.

import './profiler.ts'

import t from 'tap'
import { Campaign, type CampaignOptions } from './campaign.ts'
import { differential, targets } from './catalogue.ts'
import { parseCorpus, readCorpus } from './corpus.ts'
import { Coverage } from './coverage.ts'
import { hasPython } from './judge.ts'
import { known } from './known.ts'
import { Mutator } from './mutator.ts'
import { Random } from './random.ts'
import { Runner } from './runner.ts'
import type { Target } from './target.ts'
import { toy } from './toy.ts'
import { type Weakened, weakened, weakenedDifferential } from './weakened.ts'

const SEED = 1
const { FUZZ_SECONDS = '2' } = process.env
const SECONDS = Number(FUZZ_SECONDS)

const toyTarget = (run: (input: Buffer) => string, name = 'toy'): Target => ({
  name,
  properties: [],
  maxBytes: 4,
  dictionary: [],
  seeds: () => [Buffer.from('hello')],
  run
})

type More = Partial<Pick<CampaignOptions, 'boundMs' | 'coverage' | 'minimiseMs'>>

function make(target: Target, more: More = {}): Campaign {
  const corpus = readCorpus(target.name)
  return new Campaign({ target, coverage: new Coverage(), seed: SEED, corpus, minimiseMs: 2_000, ...more })
}

/** Runs until the time is over, or something is found. */
async function runFor(seconds: number, target: Target, more?: More): Promise<Campaign> {
  const end = performance.now() + seconds * 1_000
  const campaign = make(target, more)
  await campaign.begin(true)
  while (performance.now() < end && campaign.failures.length === 0) await campaign.step()
  await target.stop?.()
  return campaign
}

const shown = ({ failures }: Campaign): string =>
  failures.map(({ input, text }) => `${input.toString('hex')}\n${text}`).join('\n')

// --- the engine ----------------------------------------------------------------------------------------

const ofToy = (): Coverage => new Coverage(new URL('toy.ts', import.meta.url).href)

t.test('a bug behind nested checks is found by coverage alone, and its input made small', async t => {
  const { failures } = await runFor(20, toyTarget(toy), { coverage: ofToy() })
  t.equal(failures[0]?.input.toString('hex'), '53544c4b')
  t.match(failures[0]?.text, 'the planted bug')
})

t.test('the same seed runs the same inputs', async t => {
  const inputs = [1, 1, 2].map(seed => {
    const mutator = new Mutator(new Random(seed), 64, [Buffer.from('token')])
    return Array.from({ length: 200 }, () => mutator.mutate(Buffer.from('hello'), Buffer.from('other')))
  })
  t.same(inputs[0], inputs[1])
  t.notSame(inputs[0], inputs[2])
})

t.test('the same seed keeps the same inputs', async t => {
  const kept: Buffer[][] = []
  for (let i = 0; i < 2; i++) {
    const campaign = make(toyTarget(toy), { coverage: ofToy() })
    await campaign.begin()
    while (campaign.executions < 15_000) await campaign.step()
    kept.push([...campaign.kept])
  }
  t.ok((kept[0]?.length ?? 0) > 1)
  t.same(kept[0], kept[1])
})

t.test('a parser that never ends, and a slow one, are found', async t => {
  const quick = { coverage: ofToy(), boundMs: 20, minimiseMs: 0 }
  const takes = (ms: number): Target => toyTarget(input => loop(input.length > 2 ? ms : 0))
  const endless = await runFor(20, takes(Number.POSITIVE_INFINITY), quick)
  t.match(endless.failures[0]?.finding, 'takes for ever')
  const slow = await runFor(20, takes(30), quick)
  t.match(slow.failures[0]?.finding, /takes N ms/)
})

function loop(ms: number): string {
  const end = performance.now() + ms
  while (performance.now() < end);
  return 'done'
}

t.test('an unexpected error is a finding, and its input made small', async t => {
  const broken = toyTarget(input => (input as unknown as { no: { such: string } }).no.such)
  const { failures } = await runFor(5, broken, { coverage: ofToy() })
  t.equal(failures.length, 1)
  t.match(failures[0]?.finding, 'TypeError')
  t.equal(failures[0]?.input.length, 0)
})

t.test('a corpus is lines of hexadecimal', async t => {
  t.same(parseCorpus('# about\n0a 0b # two\n\n-\n'), [Buffer.of(10, 11), Buffer.alloc(0)])
})

// --- the properties ------------------------------------------------------------------------------------

function notices({ without, target }: Weakened): void {
  t.test(`${target.name}: a parser without ${without} is noticed`, async t => {
    const campaign = await runFor(15, target, { minimiseMs: 0 })
    t.ok(campaign.failures.length > 0, `after ${campaign.executions} inputs`)
  })
}

// --- the targets ---------------------------------------------------------------------------------------

function holds(target: Target): void {
  t.test(`${target.name}: every property holds`, async t => {
    const campaign = await runFor(SECONDS, target)
    t.equal(campaign.failures.length, 0, shown(campaign))
    t.ok(
      campaign.executions >= readCorpus(target.name).length + target.seeds().length,
      `${campaign.executions} inputs`
    )
    t.ok(campaign.traits.size > 1, `${campaign.traits.size} things happened`)
  })
}

for (const { target: name, input, about } of known) {
  t.test(`${name}: known, and to be repaired: ${about}`, { todo: true }, async t => {
    const target = targets.map(make => make()).find(each => each.name === name)
    const failure = target && (await new Runner(target).fails(Buffer.from(input, 'hex')))
    t.equal(target ? failure : 'no such target', null)
  })
}

for (const target of targets.slice(0, -1)) holds(target())
for (const each of weakened) notices(each)
for (const target of targets.slice(-1)) holds(target())

t.test(
  'against Python',
  { skip: hasPython ? false : 'no Python with the packages of test/interop' },
  async () => {
    for (const target of differential) holds(target())
    for (const each of weakenedDifferential) notices(each)
  }
)
