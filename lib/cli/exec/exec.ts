// `stalk listen --exec`: its options, and what they make of a connection. Knows the command line; how a program is run and
// talked to is program.ts's and attendance.ts's.

import type { Connection } from '../../index.ts'
import { type Args, type Option, usage } from '../args.ts'
import { fingerprintOf } from '../words.ts'
import { Attendance } from './attendance.ts'
import { Lines, raw } from './framing.ts'
import { Program } from './program.ts'

const MOST = 32
const MOST_AT_ALL = 100_000

export const EXEC: readonly Option[] = [
  { name: 'exec', value: 'COMMAND', text: 'let a program answer each connection: a command of the shell' },
  { name: 'raw', text: 'with --exec: messages are bytes, as they are, and no lines' },
  { name: 'max-children', value: 'N', text: `with --exec: programs at once; default: ${MOST}` }
]

export interface Exec {
  readonly command: string
  readonly raw: boolean
  /** Programs at once. */
  readonly most: number
}

/** Null without --exec. Throws a CommandError with EXIT.usage. */
export function execOf(args: Args): Exec | null {
  const command = args.text('exec')
  if (command === undefined) {
    const [stray] = ['raw', 'max-children'].filter(name => args.has(name))
    if (stray) throw usage(`--${stray} is for --exec`)
    return null
  }
  if (command.trim() === '') throw usage('--exec takes a command')
  if (args.has('echo')) throw usage('either --exec or --echo, not both')
  return { command, raw: args.has('raw'), most: args.count('max-children', MOST_AT_ALL) ?? MOST }
}

/** Starts the program of a connection. */
export function attend(number: number, connection: Connection, exec: Exec): Attendance {
  const { host, port, peerIdentity } = connection
  const program = new Program(exec.command, { number, host, port, peer: fingerprintOf(peerIdentity) })
  return new Attendance(connection, program, exec.raw ? raw() : new Lines())
}
