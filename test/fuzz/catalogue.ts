// All targets, by name.

import type { Target } from './target.ts'
import { addresses } from './targets/addresses.ts'
import { authorizedPeers } from './targets/authorized-peers.ts'
import { controls } from './targets/controls.ts'
import { conversation } from './targets/conversation.ts'
import { encoding } from './targets/encoding.ts'
import { extensions } from './targets/extensions.ts'
import { fingerprints } from './targets/fingerprints.ts'
import { flights } from './targets/flights.ts'
import { fragments } from './targets/fragments.ts'
import { frames } from './targets/frames.ts'
import { helloInitiator, helloResponder } from './targets/hellos.ts'
import { identities } from './targets/identities.ts'
import { knownPeers } from './targets/known-peers.ts'
import { lines } from './targets/lines.ts'
import { messages } from './targets/messages.ts'
import { openssh } from './targets/openssh.ts'
import { pem } from './targets/pem.ts'
import { records } from './targets/records.ts'
import { scan } from './targets/scan.ts'
import { shapes } from './targets/shapes.ts'
import { successions } from './targets/successions.ts'
import { values } from './targets/values.ts'

/** The extensions come last: what they register stays registered in the process. */
export const targets: readonly (() => Target)[] = [
  ...[frames, records, helloInitiator, helloResponder, flights, identities, controls],
  ...[scan, messages, fragments, encoding],
  ...[pem, openssh, fingerprints, lines, addresses],
  ...[knownPeers, authorizedPeers, successions],
  extensions
]

/** Those that need a Python with the packages of test/interop. */
export const differential: readonly (() => Target)[] = [values, shapes, conversation]
