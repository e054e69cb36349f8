// Randomness that a seed repeats: xoshiro128**, seeded by splitmix32. Knows nothing of what is drawn with it.

export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    let state = seed | 0
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0
      let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
      return mixed ^ (mixed >>> 15)
    }
    ;[this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), next()]
  }

  /** A u32. */
  u32(): number {
    const scrambled = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9)
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotate(this.#d, 11)
    return scrambled >>> 0
  }

  /** A whole number from 0 to `end` − 1; 0 where `end` is 0. */
  below(end: number): number {
    return end <= 1 ? 0 : this.u32() % end
  }

  /** True once in `times`. */
  oneIn(times: number): boolean {
    return this.below(times) === 0
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  bytes(length: number): Buffer {
    const drawn = Buffer.allocUnsafe(length)
    for (let i = 0; i < length; i++) drawn[i] = this.u32()
    return drawn
  }
}

const rotate = (value: number, bits: number): number => (value << bits) | (value >>> (32 - bits))
