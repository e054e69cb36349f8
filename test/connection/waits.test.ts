// Waits: they happen, they are given up, their time is over, or they are in vain; each but once, and nothing is left.

import t from 'tap'
import { flushPatience, signalIn, Waits, waitPatience } from '../../lib/connection/waits.ts'

const reason = new Error('changed my mind')

t.test('fulfilled when it happens, also at once', async t => {
  const waits = new Waits()
  await waits.add('it', {}, done => done())
  let happen: () => void = () => {}
  const wait = waits.add('it', { timeoutMs: 60_000 }, done => {
    happen = done
  })
  happen()
  await wait
  happen()
  waits.fail(() => new Error('too late'))
  t.equal(await wait, undefined)
})

t.test('given up by the signal, before or while it waits', async t => {
  const waits = new Waits()
  const givenUp = {
    code: 'ERR_STALK_ABORTED',
    message: 'given up by the signal of its caller',
    cause: reason
  }
  const before = waits.add('it', { signal: AbortSignal.abort(reason) }, () => t.fail('it was begun'))
  await t.rejects(before, givenUp)
  const controller = new AbortController()
  let happen: () => void = () => {}
  const wait = waits.add('it', { signal: controller.signal }, done => {
    happen = done
  })
  controller.abort(reason)
  happen()
  await t.rejects(wait, givenUp)
})

t.test('its time is over', async t => {
  await t.rejects(
    new Waits().add('it', { timeoutMs: 15 }, () => {}),
    { code: 'ERR_STALK_WAIT_TIMEOUT', message: 'it took longer than 15 ms' }
  )
})

t.test('in vain: for all who wait, or for the one that learns of it', async t => {
  const waits = new Waits()
  const both = [1, 2].map(() => waits.add('it', { timeoutMs: 60_000 }, () => {}))
  waits.fail(() => reason)
  for (const wait of both) await t.rejects(wait, reason)
  await t.rejects(
    waits.add('it', {}, (_done, fail) => fail(reason)),
    reason
  )
})

t.test('nothing is left: no timer, no listener', async t => {
  const timers = (): number => process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  const before = timers()
  const waits = new Waits()
  const controller = new AbortController()
  const wait = waits.add('it', { timeoutMs: 60_000, signal: controller.signal }, done => done())
  t.equal(timers(), before)
  await wait
  const failing = waits.add('it', { timeoutMs: 60_000, signal: controller.signal }, () => {})
  t.equal(timers(), before + 1)
  waits.fail(() => reason)
  t.equal(timers(), before)
  await t.rejects(failing, reason)
  controller.abort()
})

t.test('what the calls take', async t => {
  t.same(waitPatience({}), { signal: undefined, timeoutMs: null })
  t.same(waitPatience({ timeout: 5 }), { signal: undefined, timeoutMs: 5 })
  t.same(flushPatience({ acked: true }), { signal: undefined, timeoutMs: null, acked: true })
  t.same(flushPatience({}), { signal: undefined, timeoutMs: null, acked: false })
  t.equal(signalIn(undefined), undefined)
  const wrong = { code: 'ERR_STALK_INVALID_OPTION' }
  for (const call of [
    () => signalIn({ timeout: 1 } as never),
    () => signalIn(null as never),
    () => waitPatience({ acked: true } as never),
    () => waitPatience({ timeout: 0 }),
    () => flushPatience({ acked: 'yes' } as never),
    () => flushPatience({ sent: true } as never)
  ]) {
    t.throws(call, { ...wrong, message: /^(option|the options) / })
  }
})
