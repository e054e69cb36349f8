// A failure that waits until what came before it has been read. Knows how much a stream still holds, and time;
// knows nothing of what failed.

interface Holder {
  /** What was not read yet. */
  unread(): number
  destroy(error: Error): unknown
}

/**
 * `destroy(error)` drops what a stream holds for its reader. Here the error stands behind all of it: the stream is
 * destroyed as soon as everything was read, or, so that nothing waits for ever, when nobody has read for `patienceMs`.
 */
export class LateFailure {
  readonly #stream: Holder
  readonly #patienceMs: number
  #error: Error | null = null
  #nothingMore = false
  #over = false
  #timer: NodeJS.Timeout | undefined

  constructor(stream: Holder, patienceMs: number) {
    this.#stream = stream
    this.#patienceMs = patienceMs
  }

  /** What the stream is going to fail with; null while all is well. */
  get error(): Error | null {
    return this.#error
  }

  /** The stream is going to fail, with this or with a better reason; what is on its way to the reader still comes. */
  announce(error: Error): void {
    if (this.#error || this.#over) return
    this.#error = error
    this.#wait()
  }

  /** Nothing comes any more: the stream fails with this once it is read out. */
  settle(error: Error): void {
    if (this.#nothingMore || this.#over) return
    this.#error = error
    this.#nothingMore = true
    if (this.#stream.unread() === 0) this.#stream.destroy(error)
    else this.#wait()
  }

  /** To be called when something was read: what it was must reach the reader before the error does. */
  onRead(): void {
    const error = this.#error
    if (!error) return
    this.#timer?.refresh()
    if (!this.#nothingMore || this.#stream.unread() > 0) return
    process.nextTick(() => this.#stream.destroy(error))
  }

  /** The stream is destroyed: nothing is waited for any more. */
  over(): void {
    this.#over = true
    clearTimeout(this.#timer)
    this.#timer = undefined // refreshed, it would run again
  }

  #wait(): void {
    this.#timer ??= setTimeout(() => this.#stream.destroy(this.#error as Error), this.#patienceMs)
  }
}
