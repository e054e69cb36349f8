// stalk as its README shows it: both ends have an RSA-2048 identity, the caller pins the other's fingerprint and
// the listener lets in one key. Everything else is as it comes.

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type Connection, connect, Identity, listener } from 'stalk'
import type { Channel, Transport } from '../subject.ts'

export const transport: Transport = {
  async credentials() {
    const [ours, theirs] = await Promise.all([Identity.generate(), Identity.generate()])
    return {
      listener: { identity: ours.privatePem(), peer: theirs.fingerprint },
      connector: { identity: theirs.privatePem(), peer: ours.fingerprint }
    }
  },

  async listen({ identity = '', peer = '' }) {
    const listening = listener({
      host: '127.0.0.1',
      port: 0,
      identity: Identity.fromPem(identity),
      requireIdentity: true,
      authorize: candidate => candidate?.fingerprint === peer
    })
    await once(listening, 'listening')
    const accepted = once(listening, 'connection').then(([connection]) => channelOf(connection as Connection))
    accepted.finally(() => listening.close())
    return { port: (listening.address() as AddressInfo).port, accepted }
  },

  async connect(port, { identity = '', peer = '' }) {
    return channelOf(await connect({ host: '127.0.0.1', port, identity: Identity.fromPem(identity), peer }))
  }
}

function channelOf(connection: Connection): Channel {
  if (connection.peerIdentity === null) throw new Error('stalk: the peer is not authenticated')
  return { outbound: connection, inbound: connection }
}
