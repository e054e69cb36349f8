// Somebody on the wire between two ends, in the words of our own tests: the pair of stalk/testing without its handles,
// and what looks on. Knows no key.

import type { Duplex } from 'node:stream'
import { type Fault, pair, records } from '../../lib/testing/index.ts'
import type { LinkOptions } from '../../lib/testing/link.ts'

/** Everything passes as it is. */
export const honest: Fault = (bytes, _at, wire) => wire.pass(bytes)

/** Two joined duplexes; `there` is what happens to what the first one writes, `back` to what the second one does. */
export const meddledPair = (there?: Fault | LinkOptions, back?: Fault | LinkOptions): [Duplex, Duplex] =>
  pair({ there, back }).ends

/** Lets everything pass and keeps each record. */
export const recording = (into: Buffer[]): Fault =>
  records((record, _index, wire) => {
    into.push(record)
    wire.pass(record)
  })
