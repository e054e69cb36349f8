// The demo's side of its two child programs: starts one, hands it its task, listens to its reports, and makes a
// failure of one that dies. Knows processes and reports; judges nothing.

import { type ChildProcess, fork } from 'node:child_process'
import { extname } from 'node:path'
import type { ConnectorTask, ListenerTask, Report } from './demo-reports.ts'

type Named<Name extends Report['name']> = Extract<Report, { name: Name }>

/** The demo can't go on; the text says why, for a person. */
export class DemoError extends Error {}

/** How much of what a child complains is shown, in characters. */
const COMPLAINT_CHARS = 1_000

export class Program {
  /** Fulfilled when it has ended by itself; rejected with a DemoError if it died. */
  readonly ended: Promise<void>
  readonly #name: string
  readonly #child: ChildProcess
  readonly #reports: Report[] = []
  readonly #onReport: (report: Report) => void
  readonly #waiting: (() => void)[] = []
  #complaint = ''
  /** Why it did not get its task: no matter where it says itself why it died. */
  #unreached = ''

  /** `signal` kills it. */
  constructor(
    name: 'listener' | 'connector',
    task: ListenerTask | ConnectorTask,
    signal: AbortSignal,
    onReport: (report: Report) => void = () => {}
  ) {
    this.#name = name
    this.#onReport = onReport
    this.#child = fork(new URL(`demo-${name}${extname(import.meta.url)}`, import.meta.url), {
      serialization: 'advanced',
      detached: true, // Ctrl-C is for us alone; we end it, and it ends itself when we are gone
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      killSignal: 'SIGKILL',
      signal
    })
    this.ended = this.#watch(signal)
    this.ended.catch(() => {}) // it may be awaited late
    this.#child.send(task, error => {
      if (error) this.#unreached = error.message
    })
  }

  /** The first report of a name, if there was one. */
  report<Name extends Report['name']>(name: Name): Named<Name> | undefined {
    return this.#reports.find((report): report is Named<Name> => report.name === name)
  }

  /** The first report of a name, as soon as there is one. Rejects with a DemoError if there never is. */
  async await<Name extends Report['name']>(name: Name): Promise<Named<Name>> {
    const came = new Promise<void>(resolve => {
      const look = (): void => (this.report(name) ? resolve() : void this.#waiting.push(look))
      look()
    })
    await Promise.race([came, this.ended])
    const report = this.report(name)
    if (report) return report
    throw new DemoError(`the ${this.#name} ended and did not say that it was ${name}`)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #watch(signal: AbortSignal): Promise<void> {
    this.#child.on('message', report => this.#take(report as Report))
    this.#child.stderr?.setEncoding('utf8').on('data', text => {
      this.#complaint = (this.#complaint + text).slice(0, COMPLAINT_CHARS)
    })
    return new Promise((resolve, reject) => {
      this.#child.on('error', error => reject(signal.aborted ? signal.reason : new DemoError(error.message)))
      this.#child.on('close', (code, killer) => {
        if (signal.aborted) return reject(signal.reason)
        if (code !== 0) return reject(this.#death(code, killer))
        if (!this.#child.connected) return resolve()
        this.#child.once('disconnect', resolve) // reports may still be under way
      })
    })
  }

  #take(report: Report): void {
    if (report.name !== 'progress') this.#reports.push(report)
    this.#onReport(report)
    for (const look of this.#waiting.splice(0)) look()
  }

  #death(code: number | null, killer: string | null): DemoError {
    const how = killer ? `was killed (${killer})` : `ended with exit code ${code}`
    return new DemoError(`the ${this.#name} ${how}\n${this.#complaint || this.#unreached}`.trim())
  }
}
