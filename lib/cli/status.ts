// The status line: what goes on, on the last line of a terminal, for as long as a command runs. Knows when it is wanted,
// when it is drawn and what goes when there is no room; what is counted, flow.ts knows.

import type { Flow, Reading } from './flow.ts'
import type { Shell } from './shell.ts'
import { grouped, sized } from './terminal.ts'

/** How often it is drawn, and how often the round trip is measured, in ms. */
const DRAW_MS = 400
const MEASURE_MS = 5_000

const SEPARATOR = ' · '

/** Shows it until the process ends, where it is wanted: at a terminal, and neither with --json nor with --quiet. */
export function showStatus({ voice, output }: Shell, flow: Flow, noun = 'peer'): void {
  if (!voice.wantsStatus) return
  const { terminal } = voice
  let last = { at: performance.now(), messages: 0 }
  const draw = (): void => {
    const reading = flow.read()
    const at = performance.now()
    const rate = ((reading.messages - last.messages) * 1_000) / Math.max(at - last.at, 1)
    last = { at, messages: reading.messages }
    if (reading.roundTrip === null) flow.measure()
    terminal.progress(fitting(fieldsOf(reading, rate, noun), terminal.room))
  }
  if (process.stdout.isTTY) output.beforeLine = () => terminal.endProgress()
  setInterval(draw, DRAW_MS).unref()
  setInterval(() => flow.measure(), MEASURE_MS).unref()
  process.once('exit', () => terminal.endProgress())
}

/** The first ones matter most. */
export function fieldsOf(reading: Reading, rate: number, noun: string): string[] {
  const { open, inbound, outbound, roundTrip, epoch } = reading
  return [
    `${grouped(open)} ${noun}${open === 1 ? '' : 's'}`,
    `${grouped(rate)} messages/s`,
    `${sized(inbound)} in`,
    `${sized(outbound)} out`,
    ...(roundTrip === null ? [] : [`rtt ${roundTrip.toFixed(roundTrip < 10 ? 1 : 0)} ms`]),
    ...(epoch === null ? [] : [`epoch ${epoch}`])
  ]
}

/** As many fields as there is room for, none of them in part. */
export function fitting(fields: readonly string[], room: number): string {
  for (let count = fields.length; count > 0; count -= 1) {
    const text = fields.slice(0, count).join(SEPARATOR)
    if (text.length <= room) return text
  }
  return ''
}
