// For tests of trust files: lines in them, keys, and what a system may lack.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Identity } from '../../lib/index.ts'

export const [alice, bob, carol] = (await Promise.all(
  Array.from({ length: 3 }, () => Identity.generate({ type: 'ed25519' }))
)) as [Identity, Identity, Identity]

/** `ssh-ed25519 AAAA…`, and a label. */
export const words = (identity: Identity, label = ''): string =>
  `${identity.publicLine.trim()}${label && ` ${label}`}`

/** Whether files here have no modes that mean anything. */
export const noModes = process.platform === 'win32'

/** A file of its own in a folder of its own, nobody else's to write. */
export function fileOf(t: Test, ...lines: string[]): string {
  const path = join(t.testdir(), 'peers')
  if (lines.length > 0) writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 })
  return path
}
