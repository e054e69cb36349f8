// How many there may be at once: in all and from one address, and how many may be at work while others wait. Knows
// numbers; knows nothing of what is counted.

export interface PlaceLimits {
  readonly all: number
  readonly perAddress: number
}

export class Places {
  readonly #limits: PlaceLimits
  readonly #byAddress = new Map<string, number>()
  #taken = 0

  constructor(limits: PlaceLimits) {
    this.#limits = limits
  }

  get taken(): number {
    return this.#taken
  }

  /** Null if there is none; otherwise to be called once to leave it. Who has no address is counted in all only. */
  take(address: string | undefined): (() => void) | null {
    const here = address === undefined ? 0 : (this.#byAddress.get(address) ?? 0)
    if (this.#taken >= this.#limits.all || here >= this.#limits.perAddress) return null
    this.#count(address, 1)
    return () => this.#count(address, -1)
  }

  #count(address: string | undefined, change: 1 | -1): void {
    this.#taken += change
    if (address === undefined) return
    const now = (this.#byAddress.get(address) ?? 0) + change
    if (now === 0) this.#byAddress.delete(address)
    else this.#byAddress.set(address, now)
  }
}

/** Lets so many work at once; the others wait in the order in which they came. */
export class Turns {
  #free: number
  readonly #waiting: (() => void)[] = []

  constructor(most: number) {
    this.#free = most
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>(resolve => this.#waiting.push(resolve))
    else this.#free -= 1
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#free += 1
    }
  }
}
