// Numbered messages of mixed sizes, which either end can make from the number alone. Knows numbers and sizes.

/** The first message of a connection: what follows begins with `from`, and all up to `acknowledged` is known to be there. */
export interface Greeting {
  readonly from: number
  readonly acknowledged: number
}

export interface Numbered {
  readonly n: number
  readonly body: Uint8Array
}

const LARGEST = 200_000
const PERIOD = 251
const pattern = Buffer.from(Array.from({ length: LARGEST + PERIOD }, (_, index) => index % PERIOD))

/** Mostly a few bytes, now and then some KiB, seldom more than a record holds. */
export function sizeOf(n: number): number {
  const once = Math.imul(n ^ (n >>> 16), 0x21f0aaad)
  const mixed = Math.imul(once ^ (once >>> 15), 0x735a2d97) >>> 0
  const kind = (mixed >>> 8) % 20_000
  if (kind < 4) return 60_000 + (mixed % (LARGEST - 60_000))
  if (kind < 200) return mixed % 8_192
  return mixed % 150
}

export const messageOf = (n: number): Numbered => ({
  n,
  body: pattern.subarray(n % PERIOD, (n % PERIOD) + sizeOf(n))
})

/** Whether it is what `messageOf` has made. */
export function isUnchanged({ n, body }: Numbered): boolean {
  const expected = messageOf(n).body
  return body instanceof Uint8Array && Buffer.compare(body, expected) === 0
}
