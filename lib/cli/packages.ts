// The demo's own messages: one for each package in a package-lock.json, with values that JSON can't hold. Knows
// the layout of that file; reads nothing.

interface Entry {
  readonly version?: string
  readonly integrity?: string
  readonly dependencies?: Record<string, string>
}

const FOLDER = 'node_modules/'
/** A bigint of so many bytes, far beyond what a number holds. */
const NUMBER_BYTES = 12

/** The text of a package-lock.json of version 2 or 3, as messages. */
export function packageMessages(lockFile: string): unknown[] {
  const { packages } = JSON.parse(lockFile) as { packages: Record<string, Entry> }
  const readAt = new Date()
  return Object.entries(packages)
    .filter(([folder]) => folder.startsWith(FOLDER))
    .map(([folder, entry]) => messageOf(folder, entry, readAt))
}

function messageOf(folder: string, entry: Entry, readAt: Date): unknown {
  const integrity = Buffer.from((entry.integrity ?? '').replace(/^sha\d+-/, ''), 'base64')
  return {
    name: folder.slice(folder.lastIndexOf(FOLDER) + FOLDER.length),
    version: entry.version ?? null,
    dependencies: Object.entries(entry.dependencies ?? {}), // [name, range] pairs
    integrity,
    number: BigInt(`0x0${integrity.subarray(0, NUMBER_BYTES).toString('hex')}`),
    readAt
  }
}
