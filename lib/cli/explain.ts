// What went wrong, in words for a person at a terminal, with the way out where there is one. Knows errors of
// stalk and of the system; decides nothing (exit.ts has the exit codes).

import { type ErrorCode, StalkError } from '../index.ts'
import { CommandError } from './exit.ts'

export interface Explanation {
  readonly text: string
  /** To look it up in the README. */
  readonly code?: string
  /** Lines of their own. */
  readonly hints: readonly string[]
}

export function explain(error: unknown): Explanation {
  if (error instanceof CommandError) {
    const { message: text, hints, cause } = error
    return { text, hints, ...(cause instanceof StalkError && { code: cause.code }) }
  }
  if (!(error instanceof StalkError)) return { text: defectOf(error), hints: ['please report this'] }
  const { text = error.message, hints = [] } = WORDS[error.code]?.(error) ?? {}
  return { text, code: error.code, hints }
}

/** Why somebody who called did not get in, as the end that was called sees it. */
export function explainCaller(
  error: unknown,
  { remoteAddress }: { remoteAddress?: string | undefined }
): Explanation {
  const explanation = explain(error)
  const own = error instanceof StalkError ? WORDS_FOR_CALLERS[error.code]?.(error) : undefined
  const { text = explanation.text, hints = explanation.hints } = own ?? {}
  return { ...explanation, hints, text: `${remoteAddress ?? 'a caller'} did not get in: ${text}` }
}

const defectOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

const SUITE_IN_COMMON = 'have both ends a --suite in common?'

type Words = (error: StalkError) => { readonly text?: string; readonly hints?: readonly string[] }

const WORDS: Partial<Record<ErrorCode, Words>> = {
  ERR_STALK_INVALID_OPTION: ({ message }) => ({ text: message.replace(/^option (suite|app)s? /, '--$1 ') }),
  ERR_STALK_KEY_FILE_MISSING: error => ({ text: `no such file: ${pathOf(error)}` }),
  ERR_STALK_KEY_FILE_EXISTS: error => ({
    text: `${pathOf(error)} is there already, and is never overwritten`,
    hints: ['--out DIR puts the keys elsewhere']
  }),
  ERR_STALK_PASSPHRASE_REQUIRED: ({ message }) => ({
    text: message.replace(/;.*/s, ''),
    hints: ['it is asked for at a terminal; STALK_PASSPHRASE in the environment may hold it']
  }),
  ERR_STALK_PEER_MISMATCH: ({ message }) => ({
    text: 'the peer has another key than the one you expect',
    hints: [...clauses(message), 'find out why before you trust it: it may be somebody in between']
  }),
  ERR_STALK_PEER_ANONYMOUS: ({ message }) => ({
    text: 'you expect a key and the peer has none',
    hints: clauses(message)
  }),
  ERR_STALK_PEER_UNKNOWN: ({ message }) => ({
    text: 'nothing is known of the peer there, and nobody was asked',
    hints: [
      ...clauses(message),
      'at a terminal `stalk connect` asks; --trust accept-new remembers whoever answers first',
      '--peer SHA256:… says which key you expect; `stalk peers add HOST:PORT FILE` makes it known'
    ]
  }),
  ERR_STALK_PEER_CHANGED: ({ message }) => ({
    text: 'the peer has another key than the one it is known by',
    hints: [
      ...clauses(message),
      'find out why before you trust it: it may be somebody in between',
      '`stalk peers forget HOST:PORT` takes out what is known of it'
    ]
  }),
  ERR_STALK_PEER_REVOKED: ({ message }) => ({
    text: 'the key of the peer is revoked',
    hints: clauses(message)
  }),
  ERR_STALK_BAD_RECORD: ({ phase }) => ({
    hints: phase === 'handshake' ? ['have both ends the same --app? a tunnel speaks with tunnels only'] : []
  }),
  ERR_STALK_NOTHING_IN_COMMON: () => ({ hints: [SUITE_IN_COMMON] }),
  ERR_STALK_PEER_ALERT: ({ message }) => ({
    hints: message.includes('in common') ? [SUITE_IN_COMMON] : []
  }),
  ERR_STALK_HANDSHAKE_TIMEOUT: () => ({ hints: ['is it stalk that listens there?'] })
}

const WORDS_FOR_CALLERS: Partial<Record<ErrorCode, Words>> = {
  ERR_STALK_PEER_MISMATCH: ({ message }) => ({
    text: 'it has another key than those that may come in',
    hints: clauses(message)
  }),
  ERR_STALK_PEER_ANONYMOUS: ({ message }) => ({ text: 'it has shown no key', hints: clauses(message) }),
  ERR_STALK_HANDSHAKE_TIMEOUT: () => ({ hints: [] }),
  ERR_STALK_REJECTED: () => ({
    text: 'it does not accept us',
    hints: ['one that has to ask about our key first comes again after the answer']
  })
}

const clauses = (message: string): string[] => message.split('; ')

const pathOf = ({ cause, message }: StalkError): string =>
  (cause as NodeJS.ErrnoException | undefined)?.path ?? message
