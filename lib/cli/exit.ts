// Exit codes: what each one means, and which one an error of stalk's comes to. The table is shown by --help
// and in the README, and scripts rely on it. Knows error codes; says nothing.

import { type ErrorCode, StalkError } from '../index.ts'

export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  untrusted: 4,
  cut: 5,
  input: 6,
  keys: 7,
  protocol: 8,
  unread: 141
} as const

export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

/** For --help and the README. */
export const EXIT_MEANING: readonly (readonly [code: string, meaning: string])[] = [
  ['0', 'all is well; connect: both ends said goodbye, and everything sent was acknowledged'],
  ['1', 'any other failure'],
  ['2', 'the command line is wrong'],
  ['3', 'cannot connect, or cannot listen'],
  ['4', 'the peer is not who it should be, or does not accept us'],
  ['5', 'cut: the connection ended without a goodbye, or somebody was silent for too long'],
  ['6', "bad input: a line that is no message, a capture that can't be read"],
  ['7', 'a key file, trust file or key log is missing, unfit, or there already, or does not open'],
  ['8', 'the other end speaks no stalk, or the two do not fit together'],
  ['130, 143', 'ended by SIGINT or SIGTERM, before the end'],
  [
    '141',
    'connect, listen: nobody reads the output any more; the connections were ended, as SIGPIPE ends a program'
  ]
]

/** What a command can't do, in words for a person. Hints are lines of their own below it. */
export class CommandError extends Error {
  readonly exit: number
  readonly hints: readonly string[]

  constructor(exit: number, text: string, hints: readonly string[] = [], cause?: unknown) {
    super(text, { cause })
    this.exit = exit
    this.hints = hints
  }
}

/** Whoever reads what we write has seen enough, as `head` does. No failure, but where it ends a connection. */
export class ReaderGone extends Error {}

/** What went wrong was said already. */
export class Reported extends CommandError {
  constructor(exit: number) {
    super(exit, 'it was said already')
  }
}

/** A signal asked us to end. */
export class Interrupted extends CommandError {
  constructor(signal: keyof typeof SIGNAL_EXIT) {
    super(SIGNAL_EXIT[signal], `ended by ${signal}`)
  }
}

/** 128 and the number of the signal, as shells have it. */
export const SIGNAL_EXIT = { SIGINT: 130, SIGTERM: 143 } as const

const BY_CODE: Partial<Record<ErrorCode, ExitCode>> = {
  ERR_STALK_INVALID_OPTION: EXIT.usage,
  ERR_STALK_CONNECT: EXIT.unreachable,
  ERR_STALK_VALUE_UNSUPPORTED: EXIT.input,
  ERR_STALK_MESSAGE_TOO_LARGE: EXIT.input,
  ERR_STALK_HANDSHAKE_TIMEOUT: EXIT.cut,
  ERR_STALK_CLOSE_TIMEOUT: EXIT.cut,
  ERR_STALK_WRITE_TIMEOUT: EXIT.cut,
  ERR_STALK_IDLE_TIMEOUT: EXIT.cut,
  ERR_STALK_MESSAGE_TIMEOUT: EXIT.cut,
  ERR_STALK_PEER_ABORTED: EXIT.cut,
  ERR_STALK_PEER_BUSY: EXIT.unreachable,
  ERR_STALK_SAME_ROLE: EXIT.protocol,
  ERR_STALK_KEY_UNSUPPORTED: EXIT.keys,
  ERR_STALK_PASSPHRASE_REQUIRED: EXIT.keys,
  ERR_STALK_PASSPHRASE_WRONG: EXIT.keys
}

const BY_FAULT = {
  caller: EXIT.failed,
  peer: EXIT.protocol,
  trust: EXIT.untrusted,
  transport: EXIT.cut,
  stalk: EXIT.failed
} as const

export function exitOf(error: unknown): number {
  if (error instanceof ReaderGone) return EXIT.done
  if (error instanceof CommandError) return error.exit
  if (!(error instanceof StalkError)) return EXIT.failed
  if (/^ERR_STALK_(KEY|TRUST)_FILE_/.test(error.code)) return EXIT.keys
  return BY_CODE[error.code] ?? BY_FAULT[error.fault]
}
