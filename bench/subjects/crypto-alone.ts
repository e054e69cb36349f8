// The limit for handshakes: the calls to node:crypto that X25519, a signature at each end and a key schedule need, made
// once at each end of a TCP connection, and nothing of a protocol: nothing that is computed goes over the wire.

import {
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify
} from 'node:crypto'
import type { Socket } from 'node:net'
import { promisify } from 'node:util'
import type { Channel, Transport } from '../subject.ts'
import { bare, bareTcp } from './tcp.ts'

const ephemeral = (): KeyObject => generateKeyPairSync('x25519').privateKey

const theirs = createPublicKey(ephemeral())

const IDENTITIES = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey
}

/** As many as a key schedule in the shape of TLS 1.3's takes at an end. */
const HMACS = 24

const signed = promisify(sign) as (algorithm: string | null, input: Buffer, key: KeyObject) => Promise<Buffer>

/** What either end computes; without an identity, what it computes where a session is resumed. */
function handshakeOf(identity: KeyObject | null): () => Promise<void> {
  const publicKey = identity && createPublicKey(identity)
  const algorithm = identity?.asymmetricKeyType === 'rsa' ? 'sha256' : null
  return async () => {
    const privateKey = ephemeral()
    diffieHellman({ privateKey, publicKey: theirs }) // of the base point: the share
    const secret = diffieHellman({ privateKey, publicKey: theirs })
    for (let count = 0; count < HMACS; count++) createHmac('sha256', secret).update(secret).digest()
    if (!identity || !publicKey) return
    const signature = await signed(algorithm, secret, identity)
    if (!verify(algorithm, secret, publicKey, signature)) throw new Error('a signature does not verify')
  }
}

export function cryptoAlone(type: keyof typeof IDENTITIES | null): Transport {
  const handshake = handshakeOf(type && IDENTITIES[type]())
  return {
    credentials: bareTcp.credentials,
    listen: (own, accepted) =>
      bareTcp.listen(own, channel => {
        const socket = channel.inbound as Socket
        socket.on('error', () => {}) // it is dropped at the other end
        void handshake().then(() => accepted(bare(socket)))
      }),
    async connect(port, own): Promise<Channel> {
      const channel = await bareTcp.connect(port, own)
      await handshake()
      return channel
    }
  }
}
