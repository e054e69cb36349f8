// Whether a target did what a fault expects of it: by what it said on the wire and, where that can be known,
// by how its connection ended and what its application was given. Knows expectations; runs nothing.

import { isDeepStrictEqual } from 'node:util'
import type { Alert, Fault } from './fault.ts'
import { isControl } from './fault.ts'
import type { Heard } from './peer.ts'

/** What can be known of a target in our own process. */
export interface Ended {
  readonly code: string | null
  readonly delivered: readonly unknown[]
  /** How many `error` events there were. */
  readonly errors: number
}

/** What Mallory sends that no target may ever give to its application. */
const POISON = ['mallory', 'behind', 'badly', 'amid']

export const alertHeard = ({ alerts }: Heard): Alert => alerts[0] ?? 'none'

/** What is wrong with what the target said; empty if nothing is. */
export function complaintsOf(fault: Fault, heard: Heard): string[] {
  const { alerts } = fault.expected
  const alert = alertHeard(heard)
  const found: [boolean, string][] = [
    [!alerts.includes(alert), `alert ${alert} instead of ${alerts.join(' or ')}`],
    [heard.alerts.length > 1, `${heard.alerts.length} alerts`],
    [!heard.ended, 'the connection is still open'],
    [echoes(heard), "a message of Mallory's came back"],
    [isControl(fault) && !saidGoodbye(fault, heard), 'no goodbye that counts every message']
  ]
  return found.filter(([wrong]) => wrong).map(([, text]) => text)
}

const echoes = ({ contents }: Heard): boolean =>
  contents.some(content => POISON.some(word => content.includes(word)))

const saidGoodbye = ({ expected }: Fault, { closes }: Heard): boolean =>
  closes.length === 1 && closes[0] === BigInt(expected.delivered.length)

/** The same of how the target's connection ended. */
export function complaintsOfEnd({ expected }: Fault, ended: Ended): string[] {
  const { code, delivered } = expected
  const found: [boolean, string][] = [
    [ended.code !== code, `${ended.code} instead of ${code}`],
    [!isDeepStrictEqual(ended.delivered, delivered), `${ended.delivered.length} messages were delivered`],
    [ended.errors !== (code === null ? 0 : 1), `${ended.errors} errors`]
  ]
  return found.filter(([wrong]) => wrong).map(([, text]) => text)
}
