// stalk's two ends in one process, over a pair of duplexes in memory.

import { connectedPair } from 'stalk/testing'
import type { Local } from '../subject.ts'
import { channelOf } from './stalk.ts'

export const local: Local = {
  async pair() {
    const { initiator, responder } = await connectedPair({ there: { capacity: 2 ** 20 } })
    return [channelOf(initiator), channelOf(responder)]
  }
}
