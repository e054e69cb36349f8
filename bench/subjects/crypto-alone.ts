// The limit for handshakes: the calls to node:crypto that X25519, a signature at each end, a key schedule and sealed
// flights need, and what they make sent over a TCP connection, in as many flights and bytes as stalk's. Nothing of a
// protocol: nothing is parsed, nobody is known, and the keys of the records are a constant.

import {
  createCipheriv,
  createDecipheriv,
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
import type { Transport } from '../subject.ts'
import { bare, bareTcp } from './tcp.ts'

const ephemeral = (): KeyObject => generateKeyPairSync('x25519').privateKey

const theirs = createPublicKey(ephemeral())

const IDENTITIES = {
  rsa: () => generateKeyPairSync('rsa', { modulusLength: 2_048 }).privateKey,
  ed25519: () => generateKeyPairSync('ed25519').privateKey
}

/** As many as a key schedule in the shape of TLS 1.3's takes at an end. */
const HMACS = 24

const HELLO = Buffer.alloc(73)
const FLIGHT = Buffer.alloc(2_048)
const ACCEPT = Buffer.alloc(8)
const TAG_BYTES = 16

const KEY = Buffer.alloc(32, 7)
const NONCE = Buffer.alloc(12)
const OPTIONS = { authTagLength: TAG_BYTES }

function sealed(plaintext: Buffer): Buffer {
  const sealing = createCipheriv('aes-256-gcm', KEY, NONCE, OPTIONS).setAAD(NONCE)
  return Buffer.concat([sealing.update(plaintext), sealing.final(), sealing.getAuthTag()])
}

function open(record: Buffer): void {
  const opening = createDecipheriv('aes-256-gcm', KEY, NONCE, OPTIONS).setAAD(NONCE)
  opening.setAuthTag(record.subarray(-TAG_BYTES))
  opening.update(record.subarray(0, -TAG_BYTES))
  opening.final()
}

/** So many bytes from the socket; what came behind them is still to be read. */
function taken(socket: Socket, bytes: number): Promise<Buffer> {
  return new Promise(resolve => {
    const take = (): void => {
      const chunk: Buffer | null = socket.read(bytes)
      if (chunk === null) return
      socket.off('readable', take)
      resolve(chunk)
    }
    socket.on('readable', take)
    take()
  })
}

const signed = promisify(sign) as (algorithm: string | null, input: Buffer, key: KeyObject) => Promise<Buffer>

/** What an end does to show who it is and to see who the other is; nothing where a session is resumed. */
interface Proof {
  show(secret: Buffer): Promise<unknown>
  see(secret: Buffer): Promise<void>
}

const NO_PROOF: Proof = { async show() {}, async see() {} }

async function proofOf(identity: KeyObject): Promise<Proof> {
  const publicKey = createPublicKey(identity)
  const algorithm = identity.asymmetricKeyType === 'rsa' ? 'sha256' : null
  const input = Buffer.alloc(32, 7)
  const signature = await signed(algorithm, input, identity)
  return {
    show: secret => signed(algorithm, secret, identity),
    async see() {
      if (!verify(algorithm, input, publicKey, signature)) throw new Error('a signature does not verify')
    }
  }
}

/** The share that goes over the wire. */
function shareOf(privateKey: KeyObject): Buffer {
  return diffieHellman({ privateKey, publicKey: theirs })
}

function secretOf(privateKey: KeyObject): Buffer {
  const secret = diffieHellman({ privateKey, publicKey: theirs })
  for (let count = 0; count < HMACS; count++) createHmac('sha256', secret).update(secret).digest()
  return secret
}

const withShare = (share: Buffer): Buffer => Buffer.concat([share, HELLO.subarray(share.length)])

async function initiate(socket: Socket, { show, see }: Proof): Promise<void> {
  const privateKey = ephemeral()
  socket.write(withShare(shareOf(privateKey)))
  const answer = await taken(socket, HELLO.length + FLIGHT.length + TAG_BYTES)
  const secret = secretOf(privateKey)
  open(answer.subarray(HELLO.length))
  await see(secret)
  await show(secret)
  socket.write(sealed(FLIGHT))
  open(await taken(socket, ACCEPT.length + TAG_BYTES))
}

async function respond(socket: Socket, { show, see }: Proof): Promise<void> {
  await taken(socket, HELLO.length)
  const privateKey = ephemeral()
  const share = shareOf(privateKey)
  const secret = secretOf(privateKey)
  await show(secret)
  socket.write(Buffer.concat([withShare(share), sealed(FLIGHT)]))
  open(await taken(socket, FLIGHT.length + TAG_BYTES))
  await see(secret)
  socket.write(sealed(ACCEPT))
}

export function cryptoAlone(type: keyof typeof IDENTITIES | null): Transport {
  const proof = type === null ? Promise.resolve(NO_PROOF) : proofOf(IDENTITIES[type]())
  return {
    credentials: bareTcp.credentials,
    listen: (own, accepted) =>
      bareTcp.listen(own, ({ inbound }) => {
        const socket = (inbound as Socket).setNoDelay()
        socket.on('error', () => {}) // it is dropped at the other end
        void proof.then(known => respond(socket, known)).then(() => accepted(bare(socket)))
      }),
    async connect(port, own) {
      const { inbound } = await bareTcp.connect(port, own)
      const socket = (inbound as Socket).setNoDelay()
      await initiate(socket, await proof)
      return bare(socket)
    }
  }
}
