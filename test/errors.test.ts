// The error class and its table: every code has a row, every alert a code, and nothing is left unsaid.

import t from 'tap'
import {
  ALERT,
  alertError,
  alertFor,
  ERRORS,
  type ErrorCode,
  isAlertCode,
  StalkError
} from '../lib/errors.ts'

const codes = Object.keys(ERRORS) as ErrorCode[]
const FAULTS = ['caller', 'peer', 'trust', 'transport', 'stalk']

t.test('every code says who is at fault, what the peer is told and whether to try again', async t => {
  for (const code of codes) {
    const { fault, alert, retry } = ERRORS[code]
    t.match(code, /^ERR_STALK_[A-Z0-9]+(_[A-Z0-9]+)*$/)
    t.ok(FAULTS.includes(fault), `${code} is somebody's fault`)
    t.ok(alert === null || isAlertCode(alert), `${code} has an alert of the protocol or none`)
    t.type(retry, 'boolean')
    t.equal(alertFor(code), alert)
  }
})

t.test('no error is told to the peer as a clean close', async t => {
  t.notOk(codes.some(code => alertFor(code) === ALERT.close))
})

t.test('everything from key checks to authorization looks the same to the peer', async t => {
  const alike: ErrorCode[] = [
    'ERR_STALK_BAD_KEY',
    'ERR_STALK_BAD_SIGNATURE',
    'ERR_STALK_BAD_FINISHED',
    'ERR_STALK_PEER_MISMATCH',
    'ERR_STALK_PEER_ANONYMOUS',
    'ERR_STALK_PEER_UNKNOWN',
    'ERR_STALK_PEER_CHANGED',
    'ERR_STALK_PEER_REVOKED',
    'ERR_STALK_UNAUTHORIZED',
    'ERR_STALK_TRUST_FILE_MISSING',
    'ERR_STALK_TRUST_FILE_MODE',
    'ERR_STALK_TRUST_FILE_FORMAT',
    'ERR_STALK_TRUST_FILE_IO',
    'ERR_STALK_TRUST_FILE_LOCKED'
  ]
  for (const code of alike) t.equal(alertFor(code), ALERT.authFailed, code)
})

t.test('a peer that speaks no stalk is told nothing', async t => {
  t.equal(alertFor('ERR_STALK_NOT_STALK'), null)
})

t.test('a StalkError has a name, code, phase, fault, retry and cause', async t => {
  const cause = new Error('below')
  const error = new StalkError('ERR_STALK_RESET', 'the connection was reset', { phase: 'closing', cause })
  t.ok(error instanceof Error)
  t.match(error, {
    name: 'StalkError',
    code: 'ERR_STALK_RESET',
    message: 'the connection was reset',
    phase: 'closing',
    fault: 'transport',
    retry: true
  })
  t.equal(error.cause, cause)
  t.match(String(error), 'StalkError: the connection was reset')
})

t.test('a StalkError without options happened in an open session and has no cause', async t => {
  const error = new StalkError('ERR_STALK_BAD_KEY', 'no key')
  t.equal(error.phase, 'open')
  t.equal('cause' in error, false)
  t.same([error.fault, error.retry], ['peer', false])
})

t.test('the alerts are numbered from 0 to 11', async t => {
  t.same(
    Object.values(ALERT).sort((a, b) => a - b),
    Array.from({ length: 12 }, (_, i) => i)
  )
  t.ok(Object.values(ALERT).every(isAlertCode))
  for (const other of [-1, 12, 255, 0.5, Number.NaN]) t.notOk(isAlertCode(other), String(other))
})

t.test('an alert becomes an error that names it', async t => {
  for (const [name, code] of Object.entries(ALERT).filter(([name]) => name !== 'close')) {
    const error = alertError(code, 'handshake')
    t.equal(error.phase, 'handshake', name)
    t.match(error.message, new RegExp(`^the peer ended the connection: .+ \\(alert ${code}\\)$`), name)
  }
})

t.test('a refusal, an abort and other alerts are told apart', async t => {
  t.equal(alertError(ALERT.authFailed, 'handshake').code, 'ERR_STALK_REJECTED')
  t.equal(alertError(ALERT.authRequired, 'handshake').code, 'ERR_STALK_REJECTED')
  t.match(alertError(ALERT.internal, 'open'), { code: 'ERR_STALK_PEER_ABORTED', retry: true })
  t.equal(alertError(ALERT.badRecord, 'open').code, 'ERR_STALK_PEER_ALERT')
  t.match(alertError(ALERT.close, 'handshake'), {
    code: 'ERR_STALK_DECODE',
    message: 'the peer sent a close, which has no place here'
  })
})

t.test('an unknown alert is malformed', async t => {
  t.match(alertError(12, 'open'), {
    code: 'ERR_STALK_DECODE',
    message: 'the peer sent the unknown alert 12',
    phase: 'open'
  })
})

t.test('an alert in clear says that nobody vouches for it', async t => {
  t.match(alertError(ALERT.authFailed, 'handshake', true), {
    code: 'ERR_STALK_REJECTED',
    message: /^an alert in clear, which nobody vouches for, ended the connection/
  })
  t.match(alertError(200, 'handshake', true), {
    code: 'ERR_STALK_DECODE',
    message: /^an alert in clear, which nobody vouches for, sent the unknown alert 200$/
  })
})
