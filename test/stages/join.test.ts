// Stages joined in a row, as a connection's are: items go on at once where nothing is before them, and otherwise in
// their place; what holds holds all behind it, and nobody is given anything twice, or what is behind a fault.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { hand, isBusy, join } from '../../lib/stages/join.ts'
import { Marker } from '../../lib/stages/pace.ts'
import { paced, type Stage } from '../../lib/stages/paced.ts'

/** Work that is done when it is let go, and what it has been given by then. */
function held(): { stage: Stage; begun: unknown[]; letGo(): void } {
  const begun: unknown[] = []
  const waiting: (() => void)[] = []
  const stage = paced<unknown, unknown>(item => {
    begun.push(item)
    return new Promise(resolve => waiting.push(() => resolve([item])))
  })
  return { stage, begun, letGo: () => waiting.shift()?.() }
}

/** What comes out of a stage, with its end or its fault. */
function outOf(stage: Stage): unknown[] {
  const got: unknown[] = []
  stage.on('data', item => got.push(item))
  stage.on('end', () => got.push('end'))
  stage.on('error', error => got.push(error.message))
  return got
}

t.test('what is handed to an idle stage is dealt with in that very call', async t => {
  const [first, second] = [paced<number, number>(n => [n, -n]), paced<number, number>(n => [n])]
  join(first, second)
  const got = outOf(second)
  hand(first, 1)
  t.same(got, [1, -1])
  first.write(2)
  hand(first, 3)
  t.same(got, [1, -1, 2, -2, 3, -3])
})

t.test('what is handed, written or ended behind something that is not done comes behind it', async t => {
  const { stage, begun, letGo } = held()
  const got = outOf(stage)
  hand(stage, 1)
  t.equal(isBusy(stage), true)
  const marker = new Marker(() => {})
  hand(stage, 2)
  stage.write(marker)
  hand(stage, 3)
  stage.end()
  await sleep(5)
  t.same([begun, got], [[1], []])
  for (const expected of [[1], [1, 2, marker], [1, 2, marker, 3, 'end']]) {
    letGo()
    await sleep(5)
    t.same(got, expected)
  }
  t.same(begun, [1, 2, 3])
})

t.test('an end that was waiting is the end, and what the stage has left to say comes before it', async t => {
  const stage = paced<string, string>(
    text => new Promise(resolve => setTimeout(resolve, 2, [text])),
    () => ['last words']
  )
  const got = outOf(stage)
  hand(stage, 'taken')
  stage.end()
  await sleep(20)
  t.same(got, ['taken', 'last words', 'end'])
})

t.test('nothing overtakes what is corked', async t => {
  const [first, second] = [paced<number, number>(n => [n]), paced<number, number>(n => [n])]
  join(first, second)
  const got = outOf(second)
  second.cork()
  second.write(1)
  hand(first, 2)
  hand(second, 3)
  t.same(got, [])
  second.uncork()
  await sleep(5)
  t.same(got, [1, 2, 3])
})

t.test('what was handed on fails as what was written does: after all that was made before it', async t => {
  for (const give of [hand, (stage: Stage, item: unknown) => stage.write(item)]) {
    for (const late of [false, true]) {
      const { stage: slow, letGo } = held()
      const begun: unknown[] = []
      const failing = paced<unknown, unknown>(item => {
        begun.push(item)
        if (late) return Promise.reject(new Error('late'))
        return (function* () {
          yield `${item} begun`
          throw new Error('at once')
        })()
      })
      join(failing, slow)
      const errors: string[] = []
      failing.on('error', error => {
        errors.push(error.message)
        slow.end()
      })
      const got = outOf(slow)
      give(failing, 1)
      give(failing, 2)
      await sleep(5)
      if (!late) {
        t.same(errors, [], 'the fault waits')
        letGo()
        await sleep(5)
      }
      t.same(got, late ? ['end'] : ['1 begun', 'end'])
      t.same(errors, [late ? 'late' : 'at once'])
      t.same(begun, [1], 'nothing behind a fault is begun')
    }
  }
})

t.test('a stage that is destroyed begins nothing more, and lets go nothing behind it', async t => {
  const made: number[] = []
  const first = paced<number, number>(function* (count) {
    for (let n = 1; n <= count; n++) {
      made.push(n)
      yield n
    }
  })
  const { stage, begun, letGo } = held()
  join(first, stage)
  const got = outOf(stage)
  hand(first, 3)
  stage.write('waiting')
  stage.destroy()
  letGo()
  await sleep(5)
  t.same([made, begun, got], [[1], [1], []])
})

t.test('a cork across the end of something holds up nobody for good', async t => {
  const [first, { stage, letGo, begun }] = [paced<number, number>(n => [n, n + 1]), held()]
  join(first, stage)
  const got = outOf(stage)
  hand(first, 1)
  stage.cork()
  letGo()
  await sleep(5)
  stage.uncork()
  await sleep(5)
  t.same([begun, got], [[1, 2], [1]])
  letGo()
  await sleep(5)
  t.same(got, [1, 2])
  t.equal(isBusy(first), false)
})

t.test('however items are given, worked on and read, all come out, in order, once', async t => {
  for (let run = 0; run < 200; run++) {
    const chance = (odds: number): boolean => Math.random() < odds
    const step = (): Promise<void> => (chance(0.5) ? Promise.resolve() : new Promise(setImmediate))
    const eager = Math.random()
    const passing = (): Stage =>
      paced<number, number>(n =>
        chance(eager) ? [n] : step().then(() => (chance(0.5) ? [n] : new Set([n])))
      )
    const stages = [passing(), passing(), passing(), passing()]
    stages.forEach((stage, index) => {
      const next = stages[index + 1]
      if (next) join(stage, next)
    })
    const [first, last] = [stages[0] as Stage, stages.at(-1) as Stage]
    const got = outOf(last)
    last.on('data', () => {
      if (chance(0.8)) return
      last.pause()
      void step().then(() => last.resume())
    })
    for (let n = 0; n < 100; n++) {
      if (chance(0.5)) hand(first, n)
      else first.write(n)
      if (chance(0.3)) await step()
    }
    first.end()
    while (got.at(-1) !== 'end') await new Promise(setImmediate)
    t.same(got, [...Array.from({ length: 100 }, (_, n) => n), 'end'], `run ${run}`)
  }
})

t.test('an item that was dealt with holds up nothing, one that was not holds up all behind it', async t => {
  const made: number[] = []
  const got: number[] = []
  const first = paced<number, number>(function* (count) {
    for (let n = 0; n < count; n++) {
      made.push(n)
      yield n
    }
  })
  let waiting: (() => void) | null = null
  const second = paced<number, number>(n => {
    if (n !== 3) return [n]
    return new Promise(resolve => {
      waiting = () => resolve([n])
    })
  })
  join(first, second)
  second.on('data', n => got.push(n))
  first.write(6)
  t.same(
    [made, got],
    [
      [0, 1, 2, 3],
      [0, 1, 2]
    ],
    'all at once, as far as it goes'
  )
  await sleep(5)
  t.same(
    [made, got],
    [
      [0, 1, 2, 3],
      [0, 1, 2]
    ]
  )
  ;(waiting as (() => void) | null)?.()
  await sleep(5)
  t.same(
    [made, got],
    [
      [0, 1, 2, 3, 4, 5],
      [0, 1, 2, 3, 4, 5]
    ]
  )
  second.pause()
  first.write(6)
  await sleep(5)
  t.equal(made.length, 7, 'nothing is made for a reader that has paused')
  second.resume()
  await sleep(5)
  ;(waiting as (() => void) | null)?.()
  await sleep(5)
  t.equal(got.length, 12)
})

t.test('the end goes on unless it is not to, and nothing is made for one that has failed', async t => {
  for (const end of [true, false]) {
    const [first, second] = [paced<number, number>(n => [n]), paced<number, number>(n => [n])]
    join(first, second, { end })
    second.resume()
    first.end(1)
    await sleep(5)
    t.equal(second.readableEnded, end)
  }
  const made: number[] = []
  const first = paced<number, number>(function* (count) {
    for (let n = 0; n < count; n++) {
      made.push(n)
      yield n
    }
  })
  const second = paced<number, number>(n => {
    if (n === 2) throw new Error('two')
    return [n]
  })
  const errors: Error[] = []
  second.on('error', error => errors.push(error))
  second.resume()
  join(first, second)
  first.write(6)
  await sleep(5)
  t.match(errors, [{ message: 'two' }])
  t.same(made, [0, 1, 2])
})
