// Opens as many connections as are asked for, a few at a time.

import type { Channel } from '../subject.ts'
import { transportOf } from '../subjects/index.ts'
import type { Opening } from './task.ts'

/** Handshakes under way at once: enough to keep both ends busy, and few enough for every subject's limits. */
export const AT_ONCE = 8

export async function connectAll({ subject, port, own, connections }: Opening): Promise<Channel[]> {
  const transport = await transportOf(subject)
  return atOnce(connections, () => transport.connect(port, own))
}

/** Does it so many times, AT_ONCE of them at a time. */
export async function atOnce<Out>(times: number, work: () => Promise<Out>): Promise<Out[]> {
  const results: Out[] = []
  let left = times
  const one = async (): Promise<void> => {
    while (left-- > 0) results.push(await work())
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return results
}
