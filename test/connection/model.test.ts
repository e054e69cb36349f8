// Random schedules of everything that can be done to two connections and the wire between them, over the testing kit's
// pair (test/model): what must hold holds, whatever happens. What is found comes with its seed, shrunk.

import fc from 'fast-check'
import t from 'tap'
import { play } from '../model/play.ts'
import { run } from '../model/run.ts'
import { type Schedule, schedule } from '../model/schedule.ts'
import { complaints } from '../model/verdict.ts'

const seed = Date.now() % 2 ** 31

t.test('schedules at a time: what arrives is what was sent, and everything is told and settled', async t => {
  t.same(await run({ runs: 400, seed, lanes: 8, limitMs: 40_000 }), [])
})

t.test('schedules one by one: they leave no timer and no listener', async t => {
  t.same(await run({ runs: 40, seed: seed + 1_000, lanes: 1, limitMs: 15_000 }), [])
})

t.test('the verdict is not always good: what is changed, missing, doubled or forgotten is seen', async t => {
  const [given] = fc.sample(schedule, { numRuns: 1, seed: 3 }) as [Schedule]
  const ends = given.ends.map(end => ({ ...end, cut: null, reading: 'data' })) as unknown as typeof given.ends
  const steps = [0, 1, 0, 1].map(end => ({
    end,
    action: { do: 'write', size: 10 }
  })) as unknown as typeof given.steps
  const quiet = { ...given, ends, steps, ready: true }
  const spoilt: [RegExp, (played: Awaited<ReturnType<typeof play>>) => void][] = [
    [/misplaced message/, ({ players }) => players[0].got.reverse()],
    [/received 2, read 1/, ({ players }) => players[1].got.pop()],
    [/sent 2 of 1/, ({ players }) => players[0].said.pop()],
    [/a send was settled 0 times/, ({ players }) => players[0].promised.push({ what: 'a send', settled: 0 })],
    [/on a good day/, ({ outcomes }) => Object.assign(outcomes[0], { acknowledged: 1 })],
    [/clean with an error/, ({ players }) => players[0].errors.push(new Error('x'))],
    [/clean without an end/, ({ players }) => players[0].events.splice(1, 1)]
  ]
  t.same([...complaints(quiet, await play(quiet))], [])
  for (const [text, spoil] of spoilt) {
    const played = await play(quiet)
    const thawed = {
      ...played,
      outcomes: played.outcomes.map(outcome => ({ ...outcome }))
    } as unknown as typeof played
    spoil(thawed)
    t.match([...complaints(quiet, thawed)].join('\n'), text)
  }
})
