// The command line of the soak: `npm run soak -- --messages N`. Knows what is asked for and how it is told.

import { parseArgs } from 'node:util'
import { type Half, Soak } from './soak.ts'

const USAGE = `usage: npm run soak -- [--messages N] [--seed S] [--cut-every BYTES]

--messages: how many, default 1,000,000. --seed: where the wire is cut; default: elsewhere each time. --cut-every: after
how many bytes it is cut on average, default 4,000,000. See test/soak/README.md.`

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    'cut-every': { type: 'string', default: '4000000' }
  }
})
const plan = {
  messages: Number(values.messages),
  seed: Number(values.seed),
  cutEvery: Number(values['cut-every'])
}

const TERMINAL_MS = 1_000
const LINE_MS = 60_000
const { stdout } = process
const grouped = (value: number): string => Math.round(value).toLocaleString('en')
const mib = (bytes = 0): string => `${Math.round(bytes / 2 ** 20)} MiB`

async function main(): Promise<number> {
  console.log(`seed ${plan.seed}`)
  const soak = new Soak(plan)
  const started = performance.now()
  const seconds = (): number => (performance.now() - started) / 1_000
  const progress = setInterval(
    () => {
      const { receiver, sender, proxy, violations } = soak
      const line =
        `${Math.round(seconds())} s  ${grouped(receiver.done)} of ${grouped(plan.messages)} messages, ` +
        `${grouped(receiver.done / seconds())}/s, acknowledged ${grouped(sender.done)}, ` +
        `cuts ${proxy.cuts.end + proxy.cuts.reset}, rss ${mib(sender.rss)} and ${mib(receiver.rss)}, ` +
        `violations ${violations.length}`
      stdout.write(stdout.isTTY ? `\r\x1b[K${line}` : `${line}\n`)
    },
    stdout.isTTY ? TERMINAL_MS : LINE_MS
  )
  const { sender, receiver, proxy, violations } = await soak.run()
  clearInterval(progress)
  if (stdout.isTTY) stdout.write('\r\x1b[K')
  const { cuts, bytes } = proxy
  console.log(
    [
      `${grouped(receiver.done)} messages in ${Math.round(seconds())} s, ${grouped(receiver.done / seconds())}/s, ${mib(bytes)} on the wire`,
      `${sender.connections} connections made, ${receiver.connections} read; cut by an end ${cuts.end}, by a reset ${cuts.reset}`,
      `${grouped(receiver.repeated)} messages came again, none of them acknowledged`,
      `sender    ${memoryOf(sender)}`,
      `receiver  ${memoryOf(receiver)}`,
      ...violations.map(text => `violation: ${text}`),
      `${violations.length} violations`
    ].join('\n')
  )
  return violations.length > 0 ? 1 : 0
}

const memoryOf = ({ memory: { start, end } }: Half): string =>
  `rss ${mib(start?.rss)} at the start, ${mib(end?.rss)} at the end; live ${mib(start?.live)}, ${mib(end?.live)}`

if (Object.values(plan).every(value => Number.isSafeInteger(value) && value >= 1))
  process.exitCode = await main()
else {
  console.error(USAGE)
  process.exitCode = 2
}
