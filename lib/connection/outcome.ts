// How a connection ended, in one word and in numbers. Knows error codes; knows no stream and no wire.

import { ERRORS, type ErrorCode, StalkError } from '../errors.ts'

/**
 * `clean`: both said goodbye, and all that came before was read. `truncated`: the transport ended without one.
 * `reset`: the transport failed, or the peer aborted. `timeout`: somebody waited too long. `protocol`: the peer broke
 * the protocol. `rejected`: one end did not accept the other. `aborted`: we destroyed it.
 */
export type OutcomeKind = 'clean' | 'truncated' | 'reset' | 'timeout' | 'protocol' | 'rejected' | 'aborted'

export interface Outcome {
  readonly kind: OutcomeKind
  /** The code of the error that ended it, if it is one of stalk's. */
  readonly code?: ErrorCode
  readonly reason: string
  /** Messages that were sealed. */
  readonly sent: number
  /** How many of them the peer said it has received; null where it never said. */
  readonly acknowledged: number | null
  /** Messages that the application has taken. */
  readonly received: number
  /** Messages that were written and never sealed. */
  readonly unsent: number
}

const BY_CODE: Partial<Record<ErrorCode, OutcomeKind>> = {
  ERR_STALK_TRUNCATED: 'truncated',
  ERR_STALK_RESET: 'reset',
  ERR_STALK_CONNECT: 'reset',
  ERR_STALK_PEER_ABORTED: 'reset',
  ERR_STALK_SAME_ROLE: 'protocol',
  ERR_STALK_PEER_TIMEOUT: 'timeout',
  ERR_STALK_PEER_BUSY: 'rejected',
  ERR_STALK_HANDSHAKE_TIMEOUT: 'timeout',
  ERR_STALK_CLOSE_TIMEOUT: 'timeout',
  ERR_STALK_PEER_SILENT: 'timeout',
  ERR_STALK_WRITE_TIMEOUT: 'timeout',
  ERR_STALK_IDLE_TIMEOUT: 'timeout',
  ERR_STALK_MESSAGE_TIMEOUT: 'timeout'
}

const BY_FAULT = {
  caller: 'aborted',
  peer: 'protocol',
  trust: 'rejected',
  transport: 'reset',
  stalk: 'aborted'
} as const

/** How it ended where a connection never began. */
export const unopened = (error: Error, unsent: number): Outcome =>
  Object.freeze({
    kind: kindOf(error),
    ...(error instanceof StalkError && { code: error.code }),
    reason: error.message,
    sent: 0,
    acknowledged: null,
    received: 0,
    unsent
  })

/** The word for a connection that ended with this error; an error that is not stalk's came from its user. */
export function kindOf(error: Error | null): OutcomeKind {
  if (error === null) return 'clean'
  if (!(error instanceof StalkError)) return 'aborted'
  return BY_CODE[error.code] ?? BY_FAULT[ERRORS[error.code].fault]
}
