// The word for how a connection ended: every code has one, and the right one.

import t from 'tap'
import { kindOf, type OutcomeKind } from '../../lib/connection/outcome.ts'
import { ERRORS, type ErrorCode, StalkError } from '../../lib/errors.ts'

t.test('no error is clean, and nothing else is', async t => {
  t.equal(kindOf(null), 'clean')
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    t.not(kindOf(new StalkError(code, 'text')), 'clean', code)
  }
})

t.test("an error that is none of stalk's came from whoever destroyed it", async t => {
  t.equal(kindOf(new Error('mine')), 'aborted')
  t.equal(kindOf(Object.assign(new Error('node'), { code: 'ERR_STREAM_WRITE_AFTER_END' })), 'aborted')
})

t.test('each kind and its codes', async t => {
  const kinds: Record<OutcomeKind, ErrorCode[]> = {
    clean: [],
    truncated: ['ERR_STALK_TRUNCATED'],
    reset: ['ERR_STALK_RESET', 'ERR_STALK_CONNECT', 'ERR_STALK_PEER_ABORTED'],
    timeout: ['ERR_STALK_HANDSHAKE_TIMEOUT', 'ERR_STALK_CLOSE_TIMEOUT'],
    protocol: [
      'ERR_STALK_BAD_RECORD',
      'ERR_STALK_UNEXPECTED',
      'ERR_STALK_OVERFLOW',
      'ERR_STALK_DECODE',
      'ERR_STALK_NOT_STALK',
      'ERR_STALK_REFLECTED',
      'ERR_STALK_BAD_MESSAGE',
      'ERR_STALK_SCHEMA',
      'ERR_STALK_PEER_ALERT',
      'ERR_STALK_NOTHING_IN_COMMON'
    ],
    rejected: [
      'ERR_STALK_PEER_MISMATCH',
      'ERR_STALK_PEER_ANONYMOUS',
      'ERR_STALK_UNAUTHORIZED',
      'ERR_STALK_IDENTITY_REQUIRED',
      'ERR_STALK_REJECTED'
    ],
    aborted: ['ERR_STALK_ABORTED', 'ERR_STALK_INTERNAL', 'ERR_STALK_KEY_EXHAUSTED']
  }
  for (const [kind, codes] of Object.entries(kinds)) {
    for (const code of codes) t.equal(kindOf(new StalkError(code, 'text')), kind, code)
  }
})
