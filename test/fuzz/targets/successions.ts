// The target successions: statements of succession, as their files hold them.

import { Succession } from '../../../lib/index.ts'
import { attempt, magnitude, require, type Target, texts } from '../target.ts'
import { expanded, statements } from '../trusting.ts'

export type ParseSuccessions = (text: string) => readonly Pick<Succession, 'line'>[]

/** So that they can be changed byte by byte: the words of the statements by themselves. */
const words = statements.flatMap(({ line }) => line.split(' '))

const signed = new Set(statements.map(({ line }) => line))

export const successions = (parse: ParseSuccessions = text => Succession.parse(text)): Target => ({
  name: 'successions',
  properties: [
    'nothing but ERR_STALK_SUCCESSION is thrown',
    'no statement is accepted but one that its two keys have signed, word for word'
  ],
  maxBytes: 4_096,
  dictionary: texts(...words, '%S', '%T', '%U', '\n', '\r\n', '#', ' ', '\t', '=', '@succession'),
  seeds: () => texts('%S\n', '# remark\r\n%T\r\n%S', '%U', ...statements.map(({ line }) => line), ''),
  run(input) {
    const { value, code } = attempt(['ERR_STALK_SUCCESSION'], () => parse(expanded(input)))
    if (value === null) return `${code} ${magnitude(input.length)}`
    for (const { line } of value) require(signed.has(line), 'a statement is accepted that nobody has signed')
    return `accepted ${magnitude(value.length)}`
  }
})
