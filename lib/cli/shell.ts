// What the process has from the shell that started it: the three streams and the signals. Each command gets
// this.

import { SIGNAL_EXIT } from './exit.ts'
import { Output } from './output.ts'
import { Voice } from './voice.ts'

export type Signal = keyof typeof SIGNAL_EXIT

export class Shell {
  readonly output = new Output(process.stdout)
  readonly voice: Voice

  /** `name`: of the program and the command. */
  constructor(name: string) {
    this.voice = new Voice(name)
  }

  get input(): NodeJS.ReadStream {
    return process.stdin
  }

  /** The first signal is handed to `asked`; the second ends the process at once. */
  onSignal(asked: (signal: Signal) => void): void {
    let first = true
    for (const signal of Object.keys(SIGNAL_EXIT) as Signal[]) {
      process.on(signal, () => {
        if (!first) process.exit(SIGNAL_EXIT[signal])
        first = false
        asked(signal)
      })
    }
  }

  /** Everything that was written is on its way. */
  async drained(): Promise<void> {
    await Promise.all([this.output.drained(), this.voice.terminal.drained()])
  }
}
