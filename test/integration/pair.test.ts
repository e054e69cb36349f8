// Duplexes in memory: stream.duplexPair where Node has it (22.6), and the same made by hand.

import type { Duplex } from 'node:stream'
import * as stream from 'node:stream'
import { ownPair } from '../helpers/pair.ts'
import { carries, type Link } from './talk.ts'

const link = ([called, accepted]: [Duplex, Duplex]): Link => ({
  called,
  accepted,
  // They know nothing of each other's end but by `end`.
  cut: () => {
    called.destroy()
    accepted.destroy()
  }
})

const { duplexPair } = stream as { duplexPair?: () => [Duplex, Duplex] }
if (duplexPair) carries({ name: 'stream.duplexPair', make: () => link(duplexPair()) })

carries({ name: 'a pair made by hand', make: () => link(ownPair()) })
