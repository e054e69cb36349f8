// What a command is to main.ts: how it is called, and what it does.

import type { Args, Synopsis } from './args.ts'
import type { Shell } from './shell.ts'

export interface Command extends Synopsis {
  /** Throws what exit.ts knows an exit code for. */
  run(args: Args, shell: Shell): Promise<void>
  /** Whether it ends in a way of its own when nothing can be written any more. Default: it is ended. */
  readonly mindsOutput?: boolean
}
