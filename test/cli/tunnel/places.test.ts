// Places and turns: bounds in all and by address, and nobody waits for ever.

import t from 'tap'
import { Places, Turns } from '../../../lib/cli/tunnel/places.ts'

t.test('there are so many places in all, and so many for one address', async t => {
  const places = new Places({ all: 3, perAddress: 2 })
  const [first] = [places.take('a'), places.take('a')]
  t.equal(places.take('a'), null, 'a has two')
  t.ok(places.take('b'))
  t.equal(places.take('c'), null, 'three in all')
  first?.()
  t.equal(places.taken, 2)
  t.ok(places.take('a'))
})

t.test('who has no address is counted in all only', async t => {
  const places = new Places({ all: 3, perAddress: 1 })
  for (let n = 0; n < 3; n += 1) t.ok(places.take(undefined))
  t.equal(places.take(undefined), null)
})

t.test('so many work at once, the others in the order in which they came, also after a failure', async t => {
  const turns = new Turns(2)
  const order: number[] = []
  let [atWork, most] = [0, 0]
  const works = [0, 1, 2, 3, 4].map(number =>
    turns.run(async () => {
      order.push(number)
      most = Math.max(most, ++atWork)
      await new Promise(resolve => setTimeout(resolve, 5))
      atWork -= 1
      if (number === 1) throw new Error('failed')
      return number
    })
  )
  const results = await Promise.allSettled(works)
  t.same(order, [0, 1, 2, 3, 4])
  t.equal(most, 2)
  t.same(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'fulfilled']
  )
  t.equal(await turns.run(async () => 'free again'), 'free again')
})
