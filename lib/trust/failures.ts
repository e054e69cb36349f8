// The two ways in which trust fails: a peer is refused, or a trust file can't be used. Knows codes and phases.

import { type ErrorCode, StalkError } from '../errors.ts'

export type Refusal =
  | 'ERR_STALK_PEER_ANONYMOUS'
  | 'ERR_STALK_PEER_MISMATCH'
  | 'ERR_STALK_PEER_UNKNOWN'
  | 'ERR_STALK_PEER_CHANGED'
  | 'ERR_STALK_PEER_REVOKED'
  | 'ERR_STALK_UNAUTHORIZED'

/** The peer does not get in. */
export const refusal = (code: Refusal, text: string, cause?: unknown): StalkError =>
  new StalkError(code, text, { phase: 'handshake', cause })

export type FileFault = 'MISSING' | 'MODE' | 'FORMAT' | 'IO' | 'LOCKED'

/** A trust file can't be read or written: nobody is let in on its word, and nothing in it was changed. */
export const fileFailure = (fault: FileFault, text: string, cause?: unknown): StalkError =>
  failure(`ERR_STALK_TRUST_FILE_${fault}`, text, cause)

/** A succession statement that is none, or that is not followed. */
export const succession = (text: string, cause?: unknown): StalkError =>
  failure('ERR_STALK_SUCCESSION', text, cause)

export const invalid = (text: string): StalkError => failure('ERR_STALK_INVALID_OPTION', text)

const failure = (code: ErrorCode, text: string, cause?: unknown): StalkError =>
  new StalkError(code, text, { phase: 'setup', cause })

export const codeOf = (error: unknown): string => String((error as NodeJS.ErrnoException).code)

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
