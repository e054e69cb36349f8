// The chart of a results file, as SVG: a panel a question, a bar a subject, with how far its rounds lay apart. Readable
// on light and dark backgrounds. Knows no measuring.

import { short } from './numbers.ts'
import type { Result, Written } from './results.ts'
import { shortTitle } from './titles.ts'

const WIDTH = 880
const COLUMNS = 2
const GAP = 28
const PANEL_WIDTH = (WIDTH - GAP * (COLUMNS + 1)) / COLUMNS
const LABEL_WIDTH = 128
const VALUE_WIDTH = 64
const BAR_HEIGHT = 14
const BAR_STEP = 20
const HEAD_HEIGHT = 34

/** Question → what its panel is called. In the order of the chart. */
const PANELS: Readonly<Record<string, string>> = {
  'small-one-way': 'small objects, one way',
  'mixed-one-way': 'mixed objects, one way',
  '1KiB-one-way': 'buffers of 1 KiB, one way',
  '64KiB-one-way': 'buffers of 64 KiB, one way',
  'ping-pong p50': 'there and back, median',
  'ping-pong p99': 'there and back, 99 of 100 within',
  handshakes: 'connections made, mutual',
  'idle-memory': 'memory of an idle connection'
}

const STYLE = `
    text { font: 12px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #1f2328 }
    .title { font-weight: 600 }
    .unit, .value { fill: #59636e }
    .bar { fill: #afb8c1 }
    .ours { fill: #0969da }
    .limit { fill: none; stroke: #afb8c1; stroke-dasharray: 3 2 }
    .spread { stroke: #59636e }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3 }
      .unit, .value { fill: #9198a1 }
      .bar { fill: #57606a }
      .ours { fill: #4493f8 }
      .limit { stroke: #6e7681 }
      .spread { stroke: #9198a1 }
    }`

export function chartOf({ results }: Written): string {
  const panels = Object.entries(PANELS)
    .map(([question, title]) => ({ title, bars: barsOf(results, question) }))
    .filter(({ bars }) => bars.length > 0)
  const rows = Array.from({ length: Math.ceil(panels.length / COLUMNS) }, (_, row) =>
    panels.slice(row * COLUMNS, (row + 1) * COLUMNS)
  )
  let y = GAP
  const parts: string[] = []
  for (const row of rows) {
    parts.push(
      ...row.map(({ title, bars }, column) => panel(title, bars, GAP + column * (PANEL_WIDTH + GAP), y))
    )
    y += HEAD_HEIGHT + Math.max(...row.map(({ bars }) => bars.length)) * BAR_STEP + GAP
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}" role="img">
  <title>stalk and others, measured side by side</title>
  <style>${STYLE}
  </style>
${parts.join('\n')}
</svg>
`
}

/** One a subject, in the order in which they ran. */
function barsOf(results: readonly Result[], question: string): Result[] {
  const bars = new Map<string, Result>()
  for (const result of results) {
    if (result.question === question && !bars.has(result.subject)) bars.set(result.subject, result)
  }
  return [...bars.values()]
}

function panel(title: string, bars: readonly Result[], x: number, y: number): string {
  const [first] = bars as [Result]
  const unit = `${first.unit}, ${first.better} is better`
  const most = Math.max(...bars.map(({ value, spread }) => Math.max(value, spread[1])))
  const scale = (PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most
  const lines = bars.map((bar, index) => barOf(bar, scale, HEAD_HEIGHT + index * BAR_STEP))
  return [
    `  <g transform="translate(${round(x)} ${round(y)})">`,
    `    <text class="title" y="10">${title} <tspan class="unit" font-weight="400">${unit}</tspan></text>`,
    ...lines,
    '  </g>'
  ].join('\n')
}

function barOf({ subject, value, spread }: Result, scale: number, y: number): string {
  const length = Math.max(value, 0) * scale
  const middle = y + BAR_HEIGHT / 2
  const end = LABEL_WIDTH + Math.max(length, spread[1] * scale) + 6
  const [from, to] = spread.map(each => round(LABEL_WIDTH + each * scale))
  return [
    `    <text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escaped(shortTitle(subject))}</text>`,
    `    <rect class="${classOf(subject)}" x="${LABEL_WIDTH}" y="${y}" width="${round(length)}" height="${BAR_HEIGHT}" rx="2"/>`,
    `    <line class="spread" x1="${from}" x2="${to}" y1="${middle}" y2="${middle}"/>`,
    `    <text class="value" x="${round(end)}" y="${middle + 4}">${short(value)}</text>`
  ].join('\n')
}

function classOf(subject: string): string {
  if (subject.startsWith('stalk')) return 'ours'
  return subject === 'codec' || subject === 'tcp+length' ? 'limit' : 'bar'
}

const round = (value: number): number => Number(value.toFixed(1))

const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;')
