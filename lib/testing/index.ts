// The public names of stalk/testing: what a program that uses stalk needs for its own tests. No logic.

export { type ConnectedPair, type ConnectedPairOptions, connectedPair } from './connected-pair.ts'
export {
  cut,
  drop,
  type Ending,
  type Fault,
  flip,
  type Piece,
  records,
  repeat,
  swap,
  type Wire
} from './faults.ts'
export type { Direction, LinkOptions } from './link.ts'
export { type Pair, type PairOptions, pair } from './pair.ts'
