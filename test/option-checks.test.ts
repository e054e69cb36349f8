// What makes an option acceptable: both sides of every bound, and what is said of those that are not.

import t from 'tap'
import {
  checkNames,
  count,
  flag,
  givenUp,
  invalidOption,
  MAX_MS,
  milliseconds,
  signalOf
} from '../lib/option-checks.ts'

const refused = (message: string) => ({ code: 'ERR_STALK_INVALID_OPTION', phase: 'setup', message })

t.test('an option that is wrong is named', async t => {
  t.match(invalidOption('this', 'is wrong'), refused('option this is wrong'))
})

t.test('names: only those that are known, of an object', async t => {
  const known = new Set(['a', 'b'])
  for (const options of [{}, { a: 1 }, { a: undefined, b: 2 }, Object.create(null)])
    checkNames(options, known)
  t.throws(() => checkNames({ a: 1, c: 2 }, known), refused('option c does not exist; there are a, b'))
  t.throws(() => checkNames({ A: 1 }, known), refused('option A does not exist; there are a, b'))
  for (const options of [null, undefined, 5, 'a', true, [], ['a']]) {
    t.throws(() => checkNames(options, known), refused('the options must be an object'))
  }
})

t.test('names of an option’s own: it says of which', async t => {
  t.throws(() => checkNames(5, new Set(['a']), 'outer'), refused('option outer must be an object'))
  t.throws(
    () => checkNames({ b: 1 }, new Set(['a']), 'outer'),
    refused('option outer.b does not exist; there is a')
  )
})

t.test('flag: true, false, or left out', async t => {
  t.same([flag('f', true, false), flag('f', false, true), flag('f', undefined, true)], [true, false, true])
  for (const value of [null, 0, 1, '', 'true']) {
    t.throws(() => flag('f', value, false), refused('option f must be true or false'))
  }
})

t.test('count: a whole number from 1 on', async t => {
  t.same([count('n', 1, 7, 9), count('n', 9, 7, 9), count('n', undefined, 7, 9)], [1, 9, 7])
  for (const value of [0, -1, 10, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5', 5n, null, true]) {
    t.throws(() => count('n', value, 7, 9), refused('option n must be a whole number from 1 to 9'))
  }
})

t.test('milliseconds: what a timer of node’s can wait, or null', async t => {
  t.same(
    [milliseconds('ms', undefined), milliseconds('ms', 1), milliseconds('ms', MAX_MS)],
    [null, 1, MAX_MS]
  )
  t.throws(
    () => milliseconds('ms', MAX_MS + 1),
    refused(`option ms must be a whole number from 1 to ${MAX_MS}`)
  )
  t.throws(() => milliseconds('ms', 0), refused(`option ms must be a whole number from 1 to ${MAX_MS}`))
})

t.test('signal: an AbortSignal, or none', async t => {
  const { signal } = new AbortController()
  t.equal(signalOf(signal), signal)
  t.equal(signalOf(undefined), undefined)
  for (const value of [null, {}, new AbortController(), { aborted: false, addEventListener() {} }]) {
    t.throws(() => signalOf(value), refused('option signal must be an AbortSignal'))
  }
})

t.test('what was given up says why', async t => {
  const reason = new Error('changed my mind')
  t.match(givenUp(AbortSignal.abort(reason)), {
    code: 'ERR_STALK_ABORTED',
    message: 'given up by the signal of its caller',
    cause: reason
  })
})
