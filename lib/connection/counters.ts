// What a connection counts. Knows numbers only.

import type { Counts } from '../pipeline/pipeline.ts'

/** What went one way. */
export interface Traffic extends Counts {
  readonly messages: number
}

/** What was said so far. */
export interface Counters {
  /** What came from the peer; messages that the application has not taken yet among them. */
  readonly inbound: Traffic
  readonly outbound: Traffic
  /** Messages of ours that the peer has said to have received; null if it has not said anything yet. */
  readonly acknowledged: number | null
  /** How long the last ping took to be answered, in ms; null if there was none. */
  readonly roundTrip: number | null
}
