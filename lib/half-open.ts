// When the peer has ended, we end too, as a net.Socket does by itself; but not while somebody is still at the
// answers. Knows streams and their listeners; knows nothing of what ends.

import type { EventEmitter } from 'node:events'

type Reader = Pick<EventEmitter, 'on' | 'listenerCount'> & { readonly readableEnded: boolean }
type Writer = Pick<EventEmitter, 'on' | 'listenerCount'> & { end(): unknown }

/**
 * Ends `writer` once `reader` was read to its end and nobody is at the answers any more: no stream is piped into
 * the writer, nobody waits for it to drain, and no loop over the reader is in its body (such a loop listens for
 * `readable` until it is left).
 */
export function endWithReader(reader: Reader, writer: Writer): void {
  let pipedIn = 0
  const ask = (): void => {
    const busy = pipedIn > 0 || writer.listenerCount('drain') > 0 || reader.listenerCount('readable') > 0
    if (reader.readableEnded && !busy) writer.end()
  }
  // Not at once: who leaves a loop may have a last word.
  const askSoon = (): void => void (reader.readableEnded && setImmediate(ask))
  writer.on('pipe', () => {
    pipedIn += 1
  })
  writer.on('unpipe', () => {
    pipedIn -= 1
    askSoon()
  })
  reader.on('removeListener', askSoon)
  writer.on('removeListener', askSoon)
  reader.on('end', askSoon)
}
