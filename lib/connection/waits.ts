// Waits: what callers wait for, until it happens, they give up, their time is over, or the connection is. Knows
// promises, signals and time; knows nothing of what is waited for.

import { StalkError } from '../errors.ts'
import { checkNames, flag, givenUp, milliseconds, signalOf } from '../option-checks.ts'

/** How long somebody waits. */
export interface Patience {
  readonly signal?: AbortSignal | undefined
  /** In ms; null for as long as it takes. */
  readonly timeoutMs?: number | null
}

/** What a call that waits takes. */
export interface WaitOptions {
  /** Gives up waiting when it is aborted. */
  signal?: AbortSignal
  /** Gives up waiting after so many ms. Default: waits as long as it takes. */
  timeout?: number
}

export interface SendOptions {
  /** A message that is not encoded yet when this is aborted is not sent. */
  signal?: AbortSignal
}

export interface FlushOptions extends WaitOptions {
  /** Wait until the peer has said that it has received everything, not only until it is handed to the transport. Default false. */
  acked?: boolean
}

const SEND_NAMES = new Set(['signal'])
const WAIT_NAMES = new Set(['signal', 'timeout'])
const FLUSH_NAMES = new Set([...WAIT_NAMES, 'acked'])

/** Throws ERR_STALK_INVALID_OPTION. */
export function signalIn(options?: SendOptions): AbortSignal | undefined {
  if (options === undefined) return undefined
  checkNames(options, SEND_NAMES)
  return signalOf(options.signal)
}

/** Throws ERR_STALK_INVALID_OPTION. */
export function waitPatience(options: WaitOptions, names: ReadonlySet<string> = WAIT_NAMES): Patience {
  checkNames(options, names)
  return { signal: signalOf(options.signal), timeoutMs: milliseconds('timeout', options.timeout) }
}

/** Throws ERR_STALK_INVALID_OPTION. */
export function flushPatience(options: FlushOptions): Patience & { acked: boolean } {
  return { ...waitPatience(options, FLUSH_NAMES), acked: flag('acked', options.acked, false) }
}

type End = (error: StalkError | Error) => void

export class Waits {
  readonly #open = new Set<End>()

  /** Fulfilled when what `begin` starts calls back. Rejects with ERR_STALK_ABORTED, ERR_STALK_WAIT_TIMEOUT, or what `fail` is given. */
  add(
    what: string,
    { signal, timeoutMs = null }: Patience,
    begin: (done: () => void, fail: End) => void
  ): Promise<void> {
    if (signal?.aborted) return Promise.reject(givenUp(signal))
    return new Promise((resolve, reject) => {
      const onAbort = (): void => end(givenUp(signal as AbortSignal))
      const onTimeout = (): void =>
        end(new StalkError('ERR_STALK_WAIT_TIMEOUT', `${what} took longer than ${timeoutMs} ms`))
      const timer = timeoutMs === null ? undefined : setTimeout(onTimeout, timeoutMs)
      const leave = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#open.delete(end)
      }
      const end: End = error => {
        leave()
        reject(error)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#open.add(end)
      begin(() => {
        leave()
        resolve()
      }, end)
    })
  }

  /** Whoever still waits does so in vain. If nobody does, `why` is not asked: an error with its stack is no small thing. */
  fail(why: () => Error): void {
    if (this.#open.size === 0) return
    const error = why()
    for (const end of [...this.#open]) end(error)
  }
}
