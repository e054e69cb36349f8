// A question to the peer: one at a time, no more often than allowed, and who is answered by what.

import t from 'tap'
import { Question } from '../../lib/connection/question.ts'
import { Allowance } from '../../lib/pipeline/allowance.ts'
import { until } from '../helpers/pair.ts'

function asking(allowance = new Allowance(100, 60_000)): {
  question: Question
  put: number[]
  heard: string[]
} {
  const put: number[] = []
  const question = new Question(() => void put.push(put.length), allowance)
  return { question, put, heard: [] }
}

t.test('who asks while one is unanswered is answered by the next, together', async t => {
  const { question, put, heard } = asking()
  question.ask(() => heard.push('a'))
  question.ask(() => heard.push('b'))
  question.ask(() => heard.push('c'))
  t.same([put.length, question.unanswered, question.pending], [1, true, true])
  t.equal(question.answer(), true)
  t.same([heard, put.length], [['a'], 2])
  t.equal(question.answer(), true)
  t.same([heard, put.length, question.unanswered, question.pending], [['a', 'b', 'c'], 2, false, false])
})

t.test('an answer to nothing is none', async t => {
  const { question, put } = asking()
  t.equal(question.answer(), false)
  question.ask()
  question.answer()
  t.equal(question.answer(), false)
  t.equal(put.length, 1)
})

t.test('asked in an answer, it is put again', async t => {
  const { question, put, heard } = asking()
  question.ask(() => question.ask(() => heard.push('again')))
  question.answer()
  t.same([put.length, heard], [2, []])
  question.answer()
  t.same(heard, ['again'])
})

t.test('where it is not allowed it waits until it is', async t => {
  const { question, put, heard } = asking(new Allowance(1, 30))
  question.ask(() => heard.push('a'))
  question.answer()
  question.ask(() => heard.push('b'))
  t.same([put.length, question.unanswered, question.pending], [1, false, true])
  await until(() => put.length === 2, 'the second one')
  t.equal(question.unanswered, true)
  question.answer()
  t.same(heard, ['a', 'b'])
})

t.test('declined, who waits for one to be put is told; who waits for an answer may get it', async t => {
  const { question, put, heard } = asking()
  question.ask(
    () => heard.push('a'),
    () => heard.push('no a')
  )
  question.ask(
    () => heard.push('b'),
    () => heard.push('no b')
  )
  question.decline()
  t.same(heard, ['no b'])
  question.answer()
  t.same([heard, put.length], [['no b', 'a'], 1])
  question.ask(
    () => heard.push('c'),
    () => heard.push('no c')
  )
  t.same([heard, question.pending], [['no b', 'a', 'no c'], false])
})

t.test('closed, nobody is told, and no timer is left', async t => {
  const { question, put, heard } = asking(new Allowance(1, 10))
  question.ask()
  question.answer()
  question.ask(
    () => heard.push('a'),
    () => heard.push('no a')
  )
  question.close()
  await new Promise(resolve => setTimeout(resolve, 40))
  t.same([heard, put.length, question.pending], [[], 1, false])
})
