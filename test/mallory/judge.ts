// Whether a target did what a fault expects of it: by what it said on the wire and, where that can be known,
// by how its connection ended and what its application was given. Knows expectations; runs nothing.

import { isDeepStrictEqual } from 'node:util'
import type { Alert, Fault } from './fault.ts'
import { isControl } from './fault.ts'
import type { Heard } from './peer.ts'

/** How a target ended, where that can be known otherwise than by the wire. */
export interface Ended {
  /** Null: cleanly. Our own implementation's error by its code, another's by whatever name. */
  readonly error: string | null
  /** What can be known besides in our own process. */
  readonly inside?: {
    readonly delivered: readonly unknown[]
    /** How many `error` events there were. */
    readonly errors: number
  }
}

/** What Mallory sends that no target may ever give to its application. */
const POISON = ['mallory', 'behind', 'badly', 'amid']

export const alertHeard = ({ alerts }: Heard): Alert => alerts[0] ?? 'none'

/** What is wrong with what the target said; empty if nothing is. */
export function complaintsOf(fault: Fault, heard: Heard): string[] {
  const { alerts, resumed, offers } = fault.expected
  const alert = alertHeard(heard)
  const found: [boolean, string][] = [
    [!alerts.includes(alert), `alert ${alert} instead of ${alerts.join(' or ')}`],
    [heard.alerts.length > 1, `${heard.alerts.length} alerts`],
    [!heard.ended, 'the connection is still open'],
    [heard.late > 0, `${heard.late} records behind its close that may not come there`],
    [heard.unasked > 0, `${heard.unasked} answers to no question`],
    [
      resumed !== undefined && heard.resumed !== resumed,
      `the session is ${heard.resumed ? '' : 'not '}resumed`
    ],
    [offers !== undefined && heard.offers === !offers, `it offers ${heard.offers ? 'a' : 'no'} ticket`],
    [echoes(heard), "a message of Mallory's came back"],
    [isControl(fault) && !saidGoodbye(fault, heard), 'no goodbye that counts every message']
  ]
  return found.filter(([wrong]) => wrong).map(([, text]) => text)
}

const echoes = ({ contents }: Heard): boolean =>
  contents.some(content => POISON.some(word => content.includes(word)))

/** Who closes first counts what comes behind its close in a final pong; who closes second has no need of one. */
function saidGoodbye({ expected, target = {} }: Fault, { closes, pongs }: Heard): boolean {
  const counted = pongs.at(-1) ?? closes.at(-1)
  const most = target.closesFirst ? 1 : 0
  return closes.length === 1 && pongs.length <= most && counted === BigInt(expected.delivered.length)
}

/** The same of how the target's connection ended. */
export function complaintsOfEnd({ expected }: Fault, { error, inside }: Ended): string[] {
  const { code, delivered } = expected
  if (!inside) return (error === null) === (code === null) ? [] : [`it ended ${error ?? 'cleanly'}`]
  const found: [boolean, string][] = [
    [error !== code, `${error} instead of ${code}`],
    [!isDeepStrictEqual(inside.delivered, delivered), `${inside.delivered.length} messages were delivered`],
    [inside.errors !== (code === null ? 0 : 1), `${inside.errors} errors`]
  ]
  return found.filter(([wrong]) => wrong).map(([, text]) => text)
}
