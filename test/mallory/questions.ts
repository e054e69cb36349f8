// Questions that Mallory puts to a target, one by one: pings and requests for new keys. Knows how an answer looks and
// complains of any other; what is asked when is a fault's or a control's.

import { isDeepStrictEqual } from 'node:util'
import type { Peer } from './peer.ts'

/** Puts a question and waits for the answer; whether it came. */
export type Ask = (peer: Peer) => Promise<boolean>

let asked = 0

/** A ping; all messages in front of it, if told how many, are to be counted. Throws for a pong of another. */
export async function pinged(peer: Peer, messages?: number): Promise<boolean> {
  const { answers } = peer.heard
  const before = answers.length
  const value = Buffer.alloc(8, 0xff)
  value.writeUInt32BE(++asked)
  peer.write(peer.ping(value))
  await peer.hears(heard => heard.answers.length > before)
  const answer = answers[before]
  if (!answer) return false
  if (!answer.value.equals(value)) throw new Error('the pong has another value than the ping')
  if (messages !== undefined && answer.received !== BigInt(messages))
    throw new Error(`the pong counts ${answer.received} messages of ${messages}`)
  return true
}

/** A request for new keys, with Mallory's own behind it. Throws where the target answers otherwise. */
export async function rekeyed(peer: Peer): Promise<boolean> {
  const { updates } = peer.heard
  const before = updates.length
  peer.write(peer.update())
  await peer.hears(heard => heard.updates.length > before)
  if (updates.length === before) return false
  if (!isDeepStrictEqual(updates.slice(before), [0])) throw new Error('the request was answered otherwise')
  return true
}

/** Each in turn, so many in all; stops where there is no answer. */
export async function askInTurn(peer: Peer, times: number, ...questions: readonly Ask[]): Promise<boolean> {
  for (let n = 0; n < times; n++) {
    if (!(await questions[n % questions.length]?.(peer))) return false
  }
  return true
}
