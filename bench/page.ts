// The README's part about performance, from a results file: what was measured, on which machine, with which command;
// who is ahead of stalk; and which goals are met. Everything between the two marks is written by this file.

import type { Machine } from './machine.ts'
import { short } from './numbers.ts'
import type { Result, Written } from './results.ts'
import { CARRIERS, isLimit, type SubjectName, shortTitle } from './titles.ts'

const BEGIN = '<!-- measured: written by `npm run bench -- --publish` -->'
const END = '<!-- /measured -->'

/** The README with its part made anew. Throws where the marks are not there. */
export function withPage(readme: string, file: Written): string {
  const [from, to] = [readme.indexOf(BEGIN), readme.indexOf(END)]
  if (from < 0 || to < from) throw new Error('the README has no place for what was measured')
  return `${readme.slice(0, from + BEGIN.length)}\n\n${pageOf(file)}\n\n${readme.slice(to)}`
}

export const pageOf = (file: Written): string =>
  [carriersOf(file), missingOf(file), aheadOf(file), goalsOf(file), conditionsOf(file)]
    .filter(Boolean)
    .join('\n\n')

function conditionsOf({ machine, versions, command, rounds, scale }: Written): string {
  const packages = Object.entries(versions).map(([name, version]) => `${name} ${version}`)
  const quick = scale === 'quick' ? ' A quick run: it shows that everything works, not how fast it is.' : ''
  return `\`${command}\` on ${machineIn(machine)}; medians of ${rounds} rounds; ${packages.join(', ')}.${quick}`
}

const machineIn = ({ cpu, cores, memoryGiB, system, load }: Machine): string =>
  `${cores} cores of ${cpu}, ${memoryGiB} GiB, ${system}, where ${load} others ran on average before`

// --- the table of all that carry messages ------------------------------------------------------------------

const ROWS: Readonly<Record<string, string>> = {
  'small-one-way': 'small objects, messages/s',
  'mixed-one-way': 'mixed objects, messages/s',
  '1KiB-one-way': 'buffers of 1 KiB, MB/s',
  '64KiB-one-way': 'buffers of 64 KiB, MB/s',
  'ping-pong p50': 'there and back, µs',
  'ping-pong p99': '99 of 100 within, µs'
}

function carriersOf({ results }: Written): string {
  const rows = Object.entries(ROWS).map(([question, title]) => [
    title,
    ...CARRIERS.map(subject => shownValue(results, question, subject))
  ])
  const shown = rows.filter(([, ...cells]) => cells.some(cell => cell !== ''))
  return tableOf(['', ...CARRIERS.map(subject => shortTitle(subject))], shown)
}

function shownValue(results: readonly Result[], question: string, subject: SubjectName): string {
  const found = results.find(result => result.question === question && result.subject === subject)
  return found ? short(found.value) : ''
}

const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(cells => `| ${cells.join(' | ')} |`).join('\n')

// --- who is ahead, and the goals ---------------------------------------------------------------------------

const compared = ({ results }: Written): (Result & { ratio: number; rival: string })[] =>
  results.filter(result => result.ratio !== null && result.rival !== null) as never

const isAhead = ({ better, ratio }: { better: Result['better']; ratio: number }): boolean =>
  better === 'more' ? ratio < 1 : ratio > 1

/** Who could not be measured, and why. */
function missingOf({ missing }: Written): string {
  const reasons = new Map(missing.map(({ subject, reason }) => [shortTitle(subject), reason]))
  return [...reasons].map(([subject, reason]) => `${subject}: ${reason}`).join('; ')
}

/** Rivals that are ahead of stalk, question by question; limits always are. */
function aheadOf(file: Written): string {
  const ahead = Object.entries(ROWS).flatMap(([question, title]) => {
    const rivals = compared(file)
      .filter(result => result.question === question && result.subject === 'stalk' && !isLimit(result.rival))
      .filter(isAhead)
      .map(({ rival, ratio }) => `${shortTitle(rival)} (stalk is ${ratio.toFixed(2)} × it)`)
    return rivals.length > 0 ? [`- ${title}: ${rivals.join(', ')}`] : []
  })
  return ahead.length === 0 ? 'No rival is ahead.' : ['Ahead of stalk:', '', ...ahead].join('\n')
}

/** What has a goal and is in no row above. */
const GOALS: Readonly<Record<string, string>> = {
  ...ROWS,
  handshakes: 'handshakes/s, mutual',
  'idle-memory': 'an idle connection, KB at the listener',
  'growth-connections': 'CPU time a small message, with connections',
  'growth-size a message': 'CPU time a message, with its size',
  'growth-size a KiB': 'CPU time a KiB, with the size of messages',
  'pipeline-small': 'CPU time of the stages, small objects',
  'pipeline-64KiB': 'CPU time of the stages, buffers of 64 KiB'
}

function goalsOf(file: Written): string {
  const nameOf = (subject: string): string => shortTitle(subject, file.titles.subjects[subject])
  const rows = compared(file)
    .filter(({ goal }) => goal !== null)
    .map(({ question, subject, rival, ratio, better, goal, met }) => [
      GOALS[question] ?? question,
      nameOf(subject),
      nameOf(rival),
      `${ratio.toFixed(2)} ×`,
      `${better === 'more' ? '≥' : '≤'} ${goal}`,
      met ? 'met' : 'missed',
      limitIn(file, question, subject, rival)
    ])
  return rows.length === 0
    ? ''
    : tableOf(['goal', 'whose', 'against', 'ratio', 'to reach', '', 'limit'], rows)
}

/** What bounds a subject, where it isn't the cipher alone. */
const BOUNDS: Readonly<Record<string, Readonly<Record<string, SubjectName>>>> = {
  handshakes: {
    stalk: 'crypto-rsa',
    'stalk-ed25519': 'crypto-ed25519',
    'stalk-resumed': 'crypto-resumed'
  }
}

/** What the calls to node:crypto reach against the same rival, with nothing around them. */
function limitIn(file: Written, question: string, subject: string, rival: string): string {
  const bound = BOUNDS[question]?.[subject] ?? 'by-hand'
  const found = compared(file).find(
    result => result.question === question && result.subject === bound && result.rival === rival
  )
  return found ? `${found.ratio.toFixed(2)} ×` : ''
}
