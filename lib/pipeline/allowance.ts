// An allowance: how often somebody may do a thing, a few times at once and then slowly (a token bucket). Knows time
// that never goes back; knows nothing of what is done.

const monotonic = (): number => performance.now()

export class Allowance {
  readonly #most: number
  readonly #msForOne: number
  readonly #now: () => number
  #left: number
  #since: number

  /** At most `most` at once, and one more every `msForOne`. `now` in ms. */
  constructor(most: number, msForOne: number, now: () => number = monotonic) {
    this.#most = most
    this.#msForOne = msForOne
    this.#now = now
    this.#left = most
    this.#since = now()
  }

  /** Whether there was one left; it is used then. */
  take(): boolean {
    this.#gain()
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }

  /** How long until there is one, in ms; 0 if there is one now. */
  get wait(): number {
    this.#gain()
    return this.#left >= 1 ? 0 : this.#since + this.#msForOne - this.#now()
  }

  /** As at the beginning, but for those of which `used` are used already. */
  refill(used = 0): void {
    this.#left = this.#most - used
  }

  #gain(): void {
    const gained = Math.floor((this.#now() - this.#since) / this.#msForOne)
    this.#left = Math.min(this.#left + gained, this.#most)
    this.#since += gained * this.#msForOne
  }
}
