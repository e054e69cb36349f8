// stalk as its README shows it: both ends have an identity, the caller pins the other's fingerprint and the listener
// lets in one key. Everything else is as it comes.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Connection, connect, Identity, listener, SessionCache } from 'stalk'
import { type Channel, MAX_FULL, type Transport } from '../subject.ts'

interface Kind {
  readonly type: 'rsa' | 'ed25519'
  /** Whether sessions are resumed, all but the first. */
  readonly resumed?: boolean
}

export function stalk({ type, resumed = false }: Kind): Transport {
  const sessions = new SessionCache()
  let full = 0
  return {
    async credentials() {
      const [ours, theirs] = await Promise.all([Identity.generate({ type }), Identity.generate({ type })])
      return {
        listener: { identity: ours.privatePem(), peer: theirs.fingerprint },
        connector: { identity: theirs.privatePem(), peer: ours.fingerprint }
      }
    },

    async listen({ identity = '', peer = '' }, accepted) {
      const listening = listener({
        host: '127.0.0.1',
        port: 0,
        identity: Identity.fromPem(identity),
        requireIdentity: true,
        authorize: candidate => candidate?.fingerprint === peer,
        ...(resumed ? { tickets: true } : {})
      })
      listening.on('clientError', error => {
        throw error
      })
      listening.on('connection', connection => accepted(channelOf(connection as Connection)))
      await once(listening, 'listening')
      return (listening.address() as AddressInfo).port
    },

    async connect(port, { identity = '', peer = '' }) {
      known ??= Identity.fromPem(identity)
      const connection = await connect({
        host: '127.0.0.1',
        port,
        identity: known,
        peer,
        ...(resumed ? { sessions } : {})
      })
      if (resumed && !connection.security?.resumed && ++full > MAX_FULL) {
        throw new Error('stalk: sessions are not resumed')
      }
      return channelOf(connection)
    }
  }
}

/** Of the connector, which is one. */
let known: Identity | undefined

export function channelOf(connection: Connection): Channel {
  if (connection.peerIdentity === null) throw new Error('stalk: the peer is not authenticated')
  return { outbound: connection, inbound: connection, destroy: () => connection.destroy() }
}
