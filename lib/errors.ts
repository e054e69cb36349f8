// Every way in which stalk fails, by name: the one error class, its codes, and the table that says for each
// code who is at fault, which alert the peer is sent, and whether a retry may help. Knows the alert numbers
// of the wire (PROTOCOL.md, "Alerts"); knows no stream, key or socket.

/** Alert codes as they stand on the wire, in record kind 05 and in plain alerts. */
export const ALERT = {
  close: 0,
  unexpected: 1,
  badRecord: 2,
  overflow: 3,
  decode: 4,
  nothingInCommon: 5,
  authFailed: 6,
  authRequired: 7,
  internal: 8,
  limit: 9,
  timeout: 10,
  messageInvalid: 11
} as const

export type AlertName = keyof typeof ALERT
export type AlertCode = (typeof ALERT)[AlertName]

/** Who has to act: the calling program, the other side, whoever manages the keys, the network, or stalk itself. */
export type Fault = 'caller' | 'peer' | 'trust' | 'transport' | 'stalk'

/** When it happened: before any byte, while keys were agreed, with the session up, or while ending it. */
export type Phase = 'setup' | 'handshake' | 'open' | 'closing'

interface Row {
  readonly fault: Fault
  /** The alert sent to the peer if a sealed or plain alert can still be sent; null: the peer is told nothing. */
  readonly alert: AlertCode | null
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retry: boolean
}

const row = (fault: Fault, alert: AlertName | null, retry = false): Row => ({
  fault,
  alert: alert === null ? null : ALERT[alert],
  retry
})

/** code → who is at fault, what the peer is told, whether a retry may help. The README's table is this one. */
export const ERRORS = {
  // the caller
  ERR_STALK_INVALID_OPTION: row('caller', null),
  ERR_STALK_ROLE_REQUIRED: row('caller', null),
  ERR_STALK_NO_SOURCE: row('caller', null),
  ERR_STALK_SECOND_SOURCE: row('caller', null),
  ERR_STALK_VALUE_UNSUPPORTED: row('caller', null),
  ERR_STALK_MESSAGE_TOO_LARGE: row('caller', null),
  ERR_STALK_NOT_WRITABLE: row('caller', null),
  ERR_STALK_NOT_READY: row('caller', null),
  ERR_STALK_ABORTED: row('caller', 'internal'),
  // key files and identities
  ERR_STALK_KEY_FILE_MISSING: row('caller', null),
  ERR_STALK_KEY_FILE_EXISTS: row('caller', null),
  ERR_STALK_KEY_FILE_MODE: row('caller', null),
  ERR_STALK_KEY_FILE_FORMAT: row('caller', null),
  ERR_STALK_KEY_FILE_IO: row('caller', null),
  ERR_STALK_KEY_FILE_MISMATCH: row('caller', null),
  ERR_STALK_KEY_UNSUPPORTED: row('caller', null),
  ERR_STALK_PASSPHRASE_REQUIRED: row('caller', null),
  ERR_STALK_PASSPHRASE_WRONG: row('caller', null),
  // who may talk
  ERR_STALK_PEER_MISMATCH: row('trust', 'authFailed'),
  ERR_STALK_PEER_ANONYMOUS: row('trust', 'authFailed'),
  ERR_STALK_UNAUTHORIZED: row('trust', 'authFailed'),
  ERR_STALK_PEER_UNKNOWN: row('trust', 'authFailed'),
  ERR_STALK_PEER_CHANGED: row('trust', 'authFailed'),
  ERR_STALK_PEER_REVOKED: row('trust', 'authFailed'),
  ERR_STALK_IDENTITY_REQUIRED: row('trust', 'authRequired'),
  ERR_STALK_REJECTED: row('trust', null),
  // the files that say so
  ERR_STALK_TRUST_FILE_MISSING: row('trust', 'authFailed'),
  ERR_STALK_TRUST_FILE_MODE: row('trust', 'authFailed'),
  ERR_STALK_TRUST_FILE_FORMAT: row('trust', 'authFailed'),
  ERR_STALK_TRUST_FILE_IO: row('trust', 'authFailed'),
  ERR_STALK_TRUST_FILE_LOCKED: row('trust', 'authFailed', true),
  ERR_STALK_SUCCESSION: row('trust', null),
  // what the peer did
  ERR_STALK_NOT_STALK: row('peer', null),
  ERR_STALK_SAME_ROLE: row('caller', 'unexpected'),
  ERR_STALK_UNEXPECTED: row('peer', 'unexpected'),
  ERR_STALK_REFLECTED: row('peer', 'unexpected'),
  ERR_STALK_BAD_RECORD: row('peer', 'badRecord'),
  ERR_STALK_OVERFLOW: row('peer', 'overflow'),
  ERR_STALK_DECODE: row('peer', 'decode'),
  ERR_STALK_NOTHING_IN_COMMON: row('peer', 'nothingInCommon'),
  ERR_STALK_BAD_KEY: row('peer', 'authFailed'),
  ERR_STALK_BAD_SIGNATURE: row('peer', 'authFailed'),
  ERR_STALK_BAD_FINISHED: row('peer', 'authFailed'),
  ERR_STALK_BAD_TICKET: row('peer', 'authFailed'),
  ERR_STALK_BAD_MESSAGE: row('peer', 'messageInvalid'),
  ERR_STALK_SCHEMA: row('peer', 'messageInvalid'),
  ERR_STALK_FLOODED: row('peer', 'limit'),
  ERR_STALK_MESSAGE_TIMEOUT: row('peer', 'timeout', true),
  ERR_STALK_PEER_ALERT: row('peer', null),
  ERR_STALK_PEER_ABORTED: row('peer', null, true),
  ERR_STALK_PEER_TIMEOUT: row('transport', null, true),
  ERR_STALK_PEER_BUSY: row('peer', null, true),
  // the way in between
  ERR_STALK_TRUNCATED: row('transport', null, true),
  ERR_STALK_RESET: row('transport', null, true),
  ERR_STALK_CONNECT: row('transport', null, true),
  ERR_STALK_HANDSHAKE_TIMEOUT: row('peer', 'timeout', true),
  ERR_STALK_CLOSE_TIMEOUT: row('peer', 'timeout', true),
  ERR_STALK_PEER_SILENT: row('transport', 'timeout', true),
  ERR_STALK_WRITE_TIMEOUT: row('peer', 'timeout', true),
  ERR_STALK_IDLE_TIMEOUT: row('caller', 'timeout', true),
  ERR_STALK_UNACKNOWLEDGED: row('transport', null, true),
  ERR_STALK_WAIT_TIMEOUT: row('transport', null, true),
  // this process
  ERR_STALK_KEY_EXHAUSTED: row('stalk', 'limit', true),
  ERR_STALK_BUSY: row('stalk', 'limit', true),
  ERR_STALK_INTERNAL: row('stalk', 'internal')
} as const satisfies Record<`ERR_STALK_${string}`, Row>

export type ErrorCode = keyof typeof ERRORS

export interface StalkErrorOptions {
  /** When it happened. Default `open`. */
  phase?: Phase
  /** What led to it: an error of Node's, of OpenSSL's, of a callback. */
  cause?: unknown
}

/**
 * The one error class. `code` says what happened, `phase` when, `fault` who has to act, `cause` what led to it.
 * The text is for people and may change; the code does not.
 */
export class StalkError extends Error {
  readonly code: ErrorCode
  readonly phase: Phase
  readonly fault: Fault
  /** Whether the same call may succeed later without anyone changing anything. */
  readonly retry: boolean

  constructor(code: ErrorCode, message: string, options: StalkErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.phase = options.phase ?? 'open'
    this.fault = ERRORS[code].fault
    this.retry = ERRORS[code].retry
  }

  override get name(): string {
    return 'StalkError'
  }

  /** For logs. Of what led to it, the text alone. */
  toJSON(): object {
    const { name, code, message, phase, fault, retry, cause } = this
    return {
      name,
      code,
      message,
      phase,
      fault,
      retry,
      ...(cause instanceof Error && { cause: cause.message })
    }
  }
}

/** What the peer did has no place there. */
export const unexpected = (text: string): StalkError => new StalkError('ERR_STALK_UNEXPECTED', text)

/** What a failure of the transport underneath comes to. */
export const transportFailure = (cause: Error): StalkError =>
  new StalkError('ERR_STALK_RESET', `the transport failed: ${cause.message}`, { cause })

/** The alert that tells the peer of an error; null where it is to be told nothing. */
export const alertFor = (code: ErrorCode): AlertCode | null => ERRORS[code].alert

const ALERT_TEXT: Record<AlertCode, string> = {
  [ALERT.close]: 'close',
  [ALERT.unexpected]: 'unexpected record',
  [ALERT.badRecord]: 'record does not open',
  [ALERT.overflow]: 'too long',
  [ALERT.decode]: 'not well formed',
  [ALERT.nothingInCommon]: 'no version, suite or signature algorithm in common',
  [ALERT.authFailed]: 'authentication or authorization failed',
  [ALERT.authRequired]: 'an identity is required',
  [ALERT.internal]: 'aborted or internal error',
  [ALERT.limit]: 'limit reached',
  [ALERT.timeout]: 'timed out',
  [ALERT.messageInvalid]: 'message not valid'
}

/** What an alert says, in words. */
export const alertText = (code: AlertCode): string => ALERT_TEXT[code]

/** Whether a byte is an alert code of the protocol. */
export const isAlertCode = (value: number): value is AlertCode => value in ALERT_TEXT

/**
 * The error that a peer's alert stands for. A plain alert came in clear: anyone on the way may have made it, so
 * it ends the attempt and proves nothing.
 */
export function alertError(code: number, phase: Phase, plain = false): StalkError {
  const origin = plain ? 'an alert in clear, which nobody vouches for,' : 'the peer'
  if (code === ALERT.close)
    return new StalkError('ERR_STALK_DECODE', `${origin} sent a close, which has no place here`, { phase })
  if (!isAlertCode(code))
    return new StalkError('ERR_STALK_DECODE', `${origin} sent the unknown alert ${code}`, { phase })
  const text = `${origin} ended the connection: ${ALERT_TEXT[code]} (alert ${code})`
  return new StalkError(FROM_ALERT[code] ?? 'ERR_STALK_PEER_ALERT', text, { phase })
}

const FROM_ALERT: Partial<Record<AlertCode, ErrorCode>> = {
  [ALERT.authFailed]: 'ERR_STALK_REJECTED',
  [ALERT.authRequired]: 'ERR_STALK_REJECTED',
  [ALERT.internal]: 'ERR_STALK_PEER_ABORTED',
  [ALERT.timeout]: 'ERR_STALK_PEER_TIMEOUT',
  [ALERT.limit]: 'ERR_STALK_PEER_BUSY'
}
