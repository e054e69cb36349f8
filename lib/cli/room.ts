// Backpressure: when more may be written. Knows a connection's events; knows no messages.

import type { Connection } from '../index.ts'

/** Fulfilled when the connection takes more, or is closed. */
export function room(connection: Connection): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      connection.off('drain', done).off('close', done)
      resolve()
    }
    connection.on('drain', done).on('close', done)
  })
}
