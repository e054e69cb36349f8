// What a connection is made of besides its handshake, for tests that make one without options.

import type { Plan } from '../../lib/connection/connection.ts'

type Own = 'role' | 'handshake' | 'sign' | 'decide' | 'maxMessageBytes'

/** Patient, and without a policy; `ms` is how long anything may take. */
export const planOf = (own: Pick<Plan, Own> & Partial<Plan>, ms: number): Plan => ({
  schema: null,
  onInvalid: 'error',
  rekeyAfter: { records: 2 ** 22, bytes: 2 ** 36 },
  rekeyAfterMs: 3_600_000,
  pad: undefined,
  handshakeTimeoutMs: ms,
  closeTimeoutMs: ms,
  messageTimeoutMs: ms,
  keepAliveMs: null,
  idleTimeoutMs: null,
  writeTimeoutMs: null,
  ticketing: null,
  allowHalfOpen: false,
  readableHighWaterMark: 256,
  writableHighWaterMark: 256,
  secured: ({ role }) => ({
    security: {} as never,
    identity: null,
    claimedPeerIdentity: null,
    keepTicket: role === 'initiator' ? () => {} : null
  }),
  ...own
})
