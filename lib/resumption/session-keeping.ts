// What one connection of an initiator does with its cache: takes a session to resume before it begins, keeps what it
// is given once it is open. Knows what sessions are kept apart by, and that none outlives the one it was resumed with.

import type { Session } from '../handshake/handshake.ts'
import type { InitiatorConfig } from '../handshake/initiator.ts'
import { resumableOf } from '../handshake/resumption.ts'
import type { Config } from '../options.ts'
import type { Ticket } from '../wire/control.ts'
import type { KeptSession } from './session-cache.ts'

export class SessionKeeping {
  readonly #config: Config
  #offered: KeptSession | null = null

  constructor(config: Config) {
    this.#config = config
  }

  /** Where the handshake gets a session to offer; nothing where none are kept. */
  get source(): Pick<InitiatorConfig, 'takeTicket'> {
    const { sessions } = this.#config
    if (!sessions) return {}
    return {
      takeTicket: fits => {
        this.#offered = sessions.cache.take(this.#place, fits)
        return this.#offered
      }
    }
  }

  keep({ ticket, nonce, lifetimeS }: Ticket, session: Session): void {
    const { sessions, app } = this.#config
    if (!sessions) return
    const notAfter = session.resumed && this.#offered ? this.#offered.expires : Number.POSITIVE_INFINITY
    const held = { ticket, session: resumableOf(session, app, nonce) }
    sessions.cache.keep(this.#place, held, lifetimeS * 1_000, notAfter)
  }

  /** What was agreed on with another key, another policy, other suites or for another protocol is somewhere else. */
  get #place(): string {
    const { sessions, identity, app, policy, suites } = this.#config
    const pins = policy.pins && [...policy.pins].sort()
    return JSON.stringify([
      sessions?.name,
      identity?.fingerprint,
      app.toString('latin1'),
      pins,
      policy.verifies,
      suites.map(({ id }) => id)
    ])
  }
}
