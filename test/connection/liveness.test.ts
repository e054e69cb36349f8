// Deadlines, and what runs them out: each on its own, without a connection.

import t from 'tap'
import { Deadline, Liveness, type LivenessLimits } from '../../lib/connection/liveness.ts'
import type { StalkError } from '../../lib/errors.ts'
import { tcpPair, turns, until } from '../helpers/pair.ts'

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Whether timers of ours would still hold the process. */
const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length

t.test('a deadline runs once, so many ms after it was last started', async t => {
  const expired: number[] = []
  const deadline = new Deadline(20, ms => expired.push(ms))
  t.equal(deadline.running, false)
  deadline.start()
  t.equal(deadline.running, true)
  await until(() => expired.length > 0, 'the deadline')
  t.same([expired, deadline.running], [[20], false])
  await sleep(50)
  t.same(expired, [20], 'once')
  deadline.start()
  await until(() => expired.length > 1, 'the deadline, again')
})

t.test('refreshed it goes on from then, if it is running', async t => {
  let expired = 0
  const deadline = new Deadline(200, () => expired++)
  deadline.refresh()
  t.equal(deadline.running, false, 'it was not')
  deadline.start()
  const started = performance.now()
  while (performance.now() < started + 300) {
    deadline.refresh()
    await turns(1)
  }
  t.equal(expired, 0)
  await until(() => expired === 1, 'the deadline')
  deadline.refresh()
  await sleep(220)
  t.equal(expired, 1, 'what has run out is not started by that')
})

t.test('stopped it does not run, and refreshed after that neither', async t => {
  let expired = 0
  const deadline = new Deadline(5, () => expired++)
  deadline.start()
  deadline.stop()
  deadline.refresh()
  t.equal(deadline.running, false)
  await sleep(30)
  t.equal(expired, 0)
})

t.test('what has come while the process was busy with something else is read first', async t => {
  const [here, there] = await tcpPair()
  let expired = 0
  const deadline = new Deadline(30, () => expired++)
  here.on('data', () => deadline.refresh())
  deadline.start()
  for (let n = 0; n < 3; n++) {
    there.write('x')
    const busy = performance.now() + 60
    while (performance.now() < busy);
    await turns(1)
  }
  t.equal(expired, 0)
  await until(() => expired === 1, 'the deadline')
  here.destroy()
  there.destroy()
})

t.test('an absolute one waits for nothing that has come', async t => {
  let expired = 0
  const deadline = new Deadline(5, () => expired++, true, true)
  deadline.start()
  const behind = new Promise<void>(resolve => setTimeout(resolve, 6))
  const busy = performance.now() + 15
  while (performance.now() < busy);
  await behind // in the same turn
  t.same([expired, deadline.running], [1, false])
})

t.test('stopped when it is due, it does not run', async t => {
  const deadline = new Deadline(5, () => t.fail('it ran'))
  deadline.start()
  const behind = new Promise<void>(resolve => setTimeout(resolve, 6))
  const busy = performance.now() + 15
  while (performance.now() < busy);
  await behind // in the same turn
  deadline.stop()
  await turns()
  t.equal(deadline.running, false)
})

t.test('without a time it is never', async t => {
  const deadline = new Deadline(null, () => t.fail('it ran'))
  deadline.start()
  t.equal(deadline.running, false)
})

t.test('only one that is to hold the process does', async t => {
  const before = timers()
  const [free, holding] = [new Deadline(60_000, () => {}), new Deadline(60_000, () => {}, true)]
  free.start()
  t.equal(timers(), before)
  holding.start()
  t.equal(timers(), before + 1)
  for (const deadline of [free, holding]) deadline.stop()
  t.equal(timers(), before)
})

interface Watched {
  readonly liveness: Liveness
  readonly errors: StalkError[]
  pings: number
  answered: boolean
  /** Whether a ping leaves at once. */
  allowed: boolean
  holding: boolean
  busy: boolean
}

function watched(limits: Partial<LivenessLimits>): Watched {
  const all = {
    keepAliveMs: null,
    idleTimeoutMs: null,
    writeTimeoutMs: null,
    messageTimeoutMs: 60_000,
    ...limits
  }
  const made: Watched = {
    liveness: new Liveness(all, {
      ping: () => {
        if (made.allowed) made.pings += 1
        if (made.allowed) made.answered = false
      },
      pinging: () => !made.answered,
      fail: error => made.errors.push(error),
      holding: () => made.holding,
      busy: () => made.busy
    }),
    errors: [],
    pings: 0,
    answered: true,
    allowed: true,
    holding: false,
    busy: false
  }
  return made
}

const silent = {
  code: 'ERR_STALK_PEER_SILENT',
  message: 'nothing has come from the peer for 60 ms, not even the answer to a ping'
}

t.test('silence: a ping, and as long again', async t => {
  const made = watched({ keepAliveMs: 30 })
  const started = performance.now()
  made.liveness.start()
  await until(() => made.pings === 1, 'a ping')
  t.same(made.errors, [])
  await until(() => made.errors.length > 0, 'the failure')
  const took = performance.now() - started
  t.ok(took >= 58, `${took} ms`)
  t.match(made.errors, [silent])
  t.equal(made.pings, 1)
})

t.test('whatever comes from the peer ends the silence', async t => {
  const made = watched({ keepAliveMs: 30 })
  made.liveness.start()
  for (let n = 1; n <= 4; n++) {
    await until(() => made.pings === n, 'a ping')
    made.answered = true
    made.liveness.heard()
  }
  t.same(made.errors, [])
  made.liveness.stop()
})

t.test('a ping that has to wait for its turn is no silence of the peer', async t => {
  const made = watched({ keepAliveMs: 10 })
  made.allowed = false
  made.liveness.start()
  await sleep(100)
  t.same(made.errors, [])
  made.allowed = true
  await until(() => made.errors.length > 0, 'the failure')
  t.equal(made.pings, 1)
})

t.test('while our own side holds up what comes, silence is not the peer’s', async t => {
  const made = watched({ keepAliveMs: 10 })
  made.holding = true
  made.liveness.start()
  await sleep(100)
  t.same([made.pings, made.errors], [0, []])
  made.holding = false
  await until(() => made.errors.length > 0, 'the failure')
})

t.test('idle: not while something is on its way, and from the last message on', async t => {
  const made = watched({ idleTimeoutMs: 200 })
  made.busy = true
  made.liveness.start()
  await sleep(250)
  t.same(made.errors, [])
  made.busy = false
  for (let n = 0; n < 30; n++) {
    made.liveness.active()
    await sleep(10)
  }
  t.same(made.errors, [])
  await until(() => made.errors.length > 0, 'the failure')
  t.match(made.errors, [
    { code: 'ERR_STALK_IDLE_TIMEOUT', message: 'no message was sent or received for 200 ms' }
  ])
})

t.test('idle: not while part of a message has come', async t => {
  const made = watched({ idleTimeoutMs: 20 })
  made.liveness.start()
  made.liveness.part(true)
  await sleep(70)
  t.same(made.errors, [])
  made.liveness.part(false)
  await until(() => made.errors.length > 0, 'the failure')
  t.match(made.errors, [{ code: 'ERR_STALK_IDLE_TIMEOUT' }])
})

const blocked = {
  code: 'ERR_STALK_WRITE_TIMEOUT',
  message: 'the transport has taken nothing for 200 ms: the peer does not read'
}

t.test('write: from the first that is not taken on, and again from each that is', async t => {
  const made = watched({ writeTimeoutMs: 200 })
  made.liveness.written(1, false)
  made.liveness.written(0, true)
  await sleep(250)
  t.same(made.errors, [], 'all was taken')
  const started = performance.now()
  made.liveness.written(1, false)
  while (performance.now() < started + 300) {
    made.liveness.written(2, true)
    await sleep(3)
  }
  t.same(made.errors, [], 'some was taken each time')
  const last = performance.now()
  made.liveness.written(2, true)
  while (made.errors.length === 0) {
    made.liveness.written(3, false) // what is only handed over changes nothing
    await sleep(3)
  }
  t.ok(performance.now() - last >= 198)
  t.match(made.errors, [blocked])
})

t.test('message: between its parts, not behind the last', async t => {
  const made = watched({ messageTimeoutMs: 200 })
  made.liveness.part(true)
  made.liveness.part(false)
  await sleep(250)
  t.same(made.errors, [])
  for (let n = 0; n < 30; n++) {
    made.liveness.part(true)
    await sleep(10)
  }
  t.same(made.errors, [])
  await until(() => made.errors.length > 0, 'the failure')
  t.match(made.errors, [
    { code: 'ERR_STALK_MESSAGE_TIMEOUT', message: 'the next part of a message did not come within 200 ms' }
  ])
})

t.test('message: not while our own side holds it up, and from then on all the time again', async t => {
  const made = watched({ messageTimeoutMs: 30 })
  made.holding = true
  made.liveness.part(true)
  await sleep(80)
  t.same(made.errors, [])
  made.holding = false
  const released = performance.now()
  made.liveness.released()
  await until(() => made.errors.length > 0, 'the failure')
  t.ok(performance.now() - released >= 28, `${performance.now() - released} ms`)
})

t.test('once we have said goodbye, silence and idleness are not counted; stopped, nothing is', async t => {
  const made = watched({ keepAliveMs: 10, idleTimeoutMs: 10 })
  made.liveness.start()
  made.liveness.closing()
  made.liveness.heard()
  made.liveness.active()
  await sleep(40)
  t.same([made.pings, made.errors], [0, []])
  const all = watched({ keepAliveMs: 10, idleTimeoutMs: 10, writeTimeoutMs: 10, messageTimeoutMs: 10 })
  all.liveness.start()
  all.liveness.part(true)
  all.liveness.written(1, false)
  all.liveness.stop()
  all.liveness.part(true)
  all.liveness.written(1, false)
  all.liveness.written(1, true)
  all.liveness.released()
  await sleep(40)
  t.same([all.pings, all.errors], [0, []])
})
