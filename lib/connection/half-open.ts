// When the peer has ended, we end too, as a net.Socket does by itself; but not while somebody is still at the
// answers. Knows streams and their listeners; knows nothing of what ends.

import { EventEmitter } from 'node:events'

type Reader = Pick<EventEmitter, 'on'> & { readonly readableEnded: boolean }
type Writer = Pick<EventEmitter, 'on'> & { readonly writableNeedDrain: boolean; end(): unknown }

/** Who is reading in a loop: one that has come to its end may still be in its body. */
export class Loops extends EventEmitter {
  #running = 0

  get running(): number {
    return this.#running
  }

  /** The same iterator, known of from its first step until it is left. Emits `left`. */
  watch<T>(iterator: NodeJS.AsyncIterator<T>): NodeJS.AsyncIterator<T> {
    let entered = false
    const leave = (): void => {
      if (!entered) return
      entered = false
      this.#running -= 1
      this.emit('left')
    }
    const notice = ({ done }: IteratorResult<T>): void => {
      if (done) leave()
    }
    // The caller gets the iterator's own promise: a further step of ours would cost every message.
    const step = (result: Promise<IteratorResult<T>>): Promise<IteratorResult<T>> => {
      result.then(notice, leave)
      return result
    }
    const watched: NodeJS.AsyncIterator<T> = {
      next: () => {
        if (!entered) this.#running += 1
        entered = true
        return step(iterator.next())
      },
      return: value => step(iterator.return?.(value) as Promise<IteratorResult<T>>),
      throw: error => step(iterator.throw?.(error) as Promise<IteratorResult<T>>),
      [Symbol.asyncIterator]: () => watched,
      [Symbol.asyncDispose]: async () => void (await watched.return?.())
    }
    return watched
  }
}

/**
 * Ends `writer` once `reader` was read to its end and nobody is at the answers any more: no stream is piped into
 * the writer, nobody waits for it to drain, and no loop over the reader is in its body.
 */
export function endWithReader(reader: Reader, loops: Loops, writer: Writer): void {
  let pipedIn = 0
  const ask = (): void => {
    const busy = pipedIn > 0 || writer.writableNeedDrain || loops.running > 0
    if (reader.readableEnded && !busy) writer.end()
  }
  // Not at once: who leaves a loop, or sees a drain, may have a last word.
  const askSoon = (): void => void (reader.readableEnded && setImmediate(ask))
  writer.on('pipe', () => {
    pipedIn += 1
  })
  writer.on('unpipe', () => {
    pipedIn -= 1
    askSoon()
  })
  writer.on('drain', askSoon)
  loops.on('left', askSoon)
  reader.on('end', askSoon)
}
