// What to look for where nothing of a message should be readable: its texts and its bytes. Knows values; where it
// is looked for is somebody else's business.

/** Shorter ones turn up in random bytes by chance. */
const MIN_BYTES = 6

/** All texts, keys and bytes in a message that are long enough not to turn up by chance. */
export function needlesOf(message: unknown): Buffer[] {
  const found = new Set<string>()
  collect(message, found)
  return [...found].map(text => Buffer.from(text, 'latin1')).filter(bytes => bytes.length >= MIN_BYTES)
}

/** Those of them that occur in `bytes`. */
export const needlesIn = (bytes: Buffer, needles: readonly Buffer[]): Buffer[] =>
  needles.filter(needle => bytes.includes(needle))

function collect(value: unknown, found: Set<string>): void {
  if (typeof value === 'string') found.add(Buffer.from(value).toString('latin1'))
  else if (value instanceof Uint8Array) found.add(Buffer.from(value).toString('latin1'))
  else if (Array.isArray(value)) for (const item of value) collect(item, found)
  else if (typeof value === 'object' && value !== null) collect(Object.entries(value), found)
}
