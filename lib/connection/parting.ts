// Parting: how a transport is let go within bounds. Knows duplex streams and time; nothing of what they carry.

import type { Duplex } from 'node:stream'
import { LINGER_BYTES, LINGER_MS } from '../constants.ts'

/** What may still come from the peer, in bytes, and for how long, in ms. */
export interface Linger {
  readonly bytes: number
  readonly ms: number
}

/** After a fatal error: long enough for an alert to arrive, and no longer. */
export const AFTER_ERROR: Linger = { bytes: LINGER_BYTES, ms: LINGER_MS }

/** After both goodbyes: nothing but a last acknowledgement is to come, and it is wanted. */
export const AFTER_GOODBYE: Linger = { bytes: Number.POSITIVE_INFINITY, ms: LINGER_MS }

/**
 * Ends a transport once what was written last is `flushed`, waits for the peer to end it too, so that nothing is
 * lost in a reset, and destroys it. Fulfilled when it is closed. Somebody else keeps reading it.
 */
export function partFrom(
  transport: Duplex,
  linger: Linger,
  flushed: (done: () => void) => void
): Promise<void> {
  return new Promise(resolve => {
    if (transport.closed) return resolve()
    let received = 0
    const count = (chunk: Buffer): void => {
      received += chunk.length
      if (received > linger.bytes) transport.destroy()
    }
    const ended = (): void => {
      if (transport.readableEnded && transport.writableFinished) transport.destroy()
    }
    const over = (): void => {
      clearTimeout(timer)
      transport.off('data', count).off('end', ended).off('finish', ended).off('close', over)
      resolve()
    }
    // Not every duplex tells of its close, or tells of it only once; then time has to do.
    const timer = setTimeout(() => {
      transport.destroy()
      over()
    }, linger.ms)
    transport.on('data', count).on('end', ended).on('finish', ended).on('close', over)
    flushed(() => {
      if (transport.writable) transport.end()
      ended()
    })
  })
}
