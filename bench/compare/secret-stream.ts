// @hyperswarm/secret-stream over TCP, with msgpackr's streams: Noise and libsodium. Both ends check the other's key.

import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import SecretStream from '@hyperswarm/secret-stream'
import type { Channel, Credentials, Transport } from '../subject.ts'
import { bareTcp, withMsgpackr } from '../subjects/tcp.ts'

export const transport: Transport = {
  async credentials() {
    const [ours, theirs] = [randomBytes(32), randomBytes(32)]
    return {
      listener: { seed: ours.toString('hex'), peer: publicKeyOf(theirs) },
      connector: { seed: theirs.toString('hex'), peer: publicKeyOf(ours) }
    }
  },

  listen: (own, accepted) =>
    bareTcp.listen({}, async ({ outbound }) => accepted(await secured(outbound as Socket, own, false))),

  async connect(port, own) {
    const { outbound } = await bareTcp.connect(port, {})
    return secured(outbound as Socket, own, true)
  }
}

const publicKeyOf = (seed: Buffer): string => SecretStream.keyPair(seed).publicKey.toString('hex')

async function secured(
  socket: Socket,
  { seed = '', peer }: Credentials,
  isInitiator: boolean
): Promise<Channel> {
  const keyPair = SecretStream.keyPair(Buffer.from(seed, 'hex'))
  const stream = new SecretStream(isInitiator, socket, { keyPair })
  if (!(await stream.opened) || stream.remotePublicKey.toString('hex') !== peer) {
    throw new Error('secret-stream: the peer is not the one that was expected')
  }
  return withMsgpackr(stream)
}
