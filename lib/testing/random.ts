// Numbers that look random and come again with the same seed. Knows nothing of what is drawn with them, and is no
// source for keys.

/** Draws whole numbers below a bound (mulberry32). */
export function seeded(seed: number): (bound: number) => number {
  let state = seed | 0
  return bound => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound
  }
}
