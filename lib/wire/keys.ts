// The keys of the maps that a scan has open, to find one that is there twice: msgpackr would keep the last,
// another decoder the first. Knows bytes; that they are UTF-8, so that equal keys are equal bytes, was checked
// before. Near linear whatever the keys are.

/** Up to so many keys a map's are compared each with each, by hash. More go into a Set. */
const FEW = 16

export class SeenKeys {
  // FEW places for each depth.
  readonly #hashes: Int32Array
  readonly #from: Float64Array
  readonly #lengths: Float64Array
  readonly #counts: Uint8Array
  readonly #many: (Set<string> | null)[]

  constructor(depths: number) {
    this.#hashes = new Int32Array(depths * FEW)
    this.#from = new Float64Array(depths * FEW)
    this.#lengths = new Float64Array(depths * FEW)
    this.#counts = new Uint8Array(depths)
    this.#many = Array.from({ length: depths }, () => null)
  }

  /** A map of `pairs` pairs begins at this depth. */
  open(depth: number, pairs: number): void {
    this.#counts[depth] = 0
    this.#many[depth] = pairs > FEW ? new Set() : null
  }

  /** False if the map at this depth has the key already. */
  add(depth: number, bytes: Buffer, from: number, to: number): boolean {
    const many = this.#many[depth] as Set<string> | null
    if (many === null) return this.#addFew(depth, bytes, from, to)
    const before = many.size
    return many.add(bytes.toString('latin1', from, to)).size > before
  }

  #addFew(depth: number, bytes: Buffer, from: number, to: number): boolean {
    const first = depth * FEW
    const place = first + (this.#counts[depth] as number)
    const hash = hashOf(bytes, from, to)
    for (let i = first; i < place; i++) {
      if (this.#hashes[i] === hash && this.#equals(i, bytes, from, to)) return false
    }
    this.#hashes[place] = hash
    this.#from[place] = from
    this.#lengths[place] = to - from
    this.#counts[depth] = place - first + 1
    return true
  }

  #equals(place: number, bytes: Buffer, from: number, to: number): boolean {
    if (this.#lengths[place] !== to - from) return false
    const shift = (this.#from[place] as number) - from
    for (let i = from; i < to; i++) if (bytes[i] !== bytes[i + shift]) return false
    return true
  }
}

/** Weak on purpose: keys made to collide cost a comparison with at most FEW others, whatever the hash. */
function hashOf(bytes: Buffer, from: number, to: number): number {
  if (from === to) return 0
  const middle = bytes[(from + to) >>> 1] as number
  return ((to - from) << 24) ^ ((bytes[from] as number) << 16) ^ (middle << 8) ^ (bytes[to - 1] as number)
}
