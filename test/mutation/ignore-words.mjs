// A plugin of Stryker's: the words of an error are left alone, and what it carries along. The codes of errors are
// not, nor is any other string: labels, names, what is hashed. JavaScript, for Stryker loads it in processes of
// its own making.

import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

/** What throws, or makes what is thrown. */
const ERRORS = [
  'StalkError',
  'badKey',
  'badMessage',
  'fail',
  'failure',
  'format',
  'invalid',
  'malformed',
  'refusal',
  'systemError',
  'unexpected',
  'unsupported'
]

const WORDS = ['StringLiteral', 'TemplateLiteral', 'ObjectExpression']

const isCode = node => node.type === 'StringLiteral' && node.value.startsWith('ERR_STALK_')

const nameOf = ({ callee }) => callee?.name ?? callee?.property?.name

function shouldIgnore({ node, parent, listKey }) {
  if (listKey !== 'arguments' || !ERRORS.includes(nameOf(parent)) || isCode(node)) return undefined
  return WORDS.includes(node.type) ? 'the words of an error' : undefined
}

export const strykerPlugins = [declareValuePlugin(PluginKind.Ignore, 'error-words', { shouldIgnore })]
