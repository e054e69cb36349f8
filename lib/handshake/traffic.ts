// One direction's keys once the handshake is over: the secret that they come from, what seals or opens under it, and
// the way to the next one (RFC 8446, section 7.2, in our labels). Knows no stream, and not who asked for new keys.
//
//   x' = EL(x, "upd")        x is wiped

import { wipe } from '../bytes.ts'
import { TYPE } from '../constants.ts'
import type { Suite } from '../crypto/suites.ts'
import { Opener, Sealer } from '../wire/record.ts'
import { nextTrafficSecret, trafficKeys } from './schedule.ts'

export class Traffic {
  readonly #suite: Suite
  #secret: Buffer

  constructor(suite: Suite, secret: Buffer) {
    this.#suite = suite
    this.#secret = secret
  }

  /** Seals under the secret that there is now. */
  sealer(): Sealer {
    return new Sealer(TYPE.sealedApplication, this.#suite, trafficKeys(this.#secret, this.#suite))
  }

  /** Opens under the secret that there is now. */
  opener(): Opener {
    return new Opener(TYPE.sealedApplication, this.#suite, trafficKeys(this.#secret, this.#suite))
  }

  /** Goes on to the next secret; there is no way back. */
  advance(): void {
    const next = nextTrafficSecret(this.#secret)
    wipe(this.#secret)
    this.#secret = next
  }
}
