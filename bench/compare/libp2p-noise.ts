// @chainsafe/libp2p-noise over libp2p's own TCP transport, and msgpackr's streams; without libp2p's muxers. Both ends
// check the other's peer id.

import { Writable } from 'node:stream'
import { type MessageStream, noise } from '@chainsafe/libp2p-noise'
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys'
import { defaultLogger } from '@libp2p/logger'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { PackrStream, UnpackrStream } from 'msgpackr'
import type { Channel, Credentials, Transport } from '../subject.ts'

// Its packages take Node 22's for granted.
if (!('withResolvers' in Promise)) {
  Object.assign(Promise, {
    withResolvers() {
      const resolvers = {}
      const promise = new Promise((resolve, reject) => Object.assign(resolvers, { resolve, reject }))
      return { promise, ...resolvers }
    }
  })
}

type Way = 'secureInbound' | 'secureOutbound'

export const transport: Transport = {
  async credentials() {
    const [ours, theirs] = await Promise.all([generateKeyPair('Ed25519'), generateKeyPair('Ed25519')])
    const textOf = (key: typeof ours): string => Buffer.from(privateKeyToProtobuf(key)).toString('hex')
    const idOf = (key: typeof ours): string => peerIdFromPrivateKey(key).toString()
    return {
      listener: { key: textOf(ours), peer: idOf(theirs) },
      connector: { key: textOf(theirs), peer: idOf(ours) }
    }
  },

  async listen(own, accepted) {
    const secure = securing(own, 'secureInbound')
    const upgrader = { upgradeInbound: async (raw: MessageStream) => accepted(await secure(raw)) }
    const listening = tcp()(components(own)).createListener({ upgrader })
    await listening.listen(multiaddr('/ip4/127.0.0.1/tcp/0'))
    return Number(String(listening.getAddrs()[0]).split('/').at(-1))
  },

  async connect(port, own) {
    const upgrader = { upgradeOutbound: securing(own, 'secureOutbound') }
    const address = multiaddr(`/ip4/127.0.0.1/tcp/${port}`)
    const { signal } = new AbortController() // it must have one, which would end the connection too, later
    return (await tcp()(components(own)).dial(address, { upgrader, signal })) as Channel
  }
}

function components({ key = '' }: Credentials): object {
  const privateKey = privateKeyFromProtobuf(Buffer.from(key, 'hex'))
  const upgrader = { getStreamMuxers: () => new Map() }
  return { logger: defaultLogger(), privateKey, peerId: peerIdFromPrivateKey(privateKey), upgrader }
}

function securing(own: Credentials, way: Way): (raw: MessageStream) => Promise<Channel> {
  const encrypter = noise()(components(own))
  const { peer } = own
  return async raw => {
    const { connection, remotePeer } = await encrypter[way](raw, { skipStreamMuxerNegotiation: true })
    if (remotePeer.toString() !== peer) throw new Error('libp2p-noise: not the peer that was expected')
    return channelOf(connection)
  }
}

function channelOf(stream: MessageStream): Channel {
  const outbound = new PackrStream()
  outbound.pipe(
    new Writable({
      write(chunk: Buffer, _encoding, done) {
        if (stream.send(chunk)) done()
        else stream.onDrain().then(() => done(), done)
      },
      final: done => void stream.close().then(() => done(), done)
    })
  )
  return { outbound, inbound: received(stream), destroy: () => stream.abort(new Error('over')) }
}

function received(stream: MessageStream): UnpackrStream {
  const inbound = new UnpackrStream()
  stream.addEventListener('message', event => {
    const { data } = event as Event & { data: { subarray(): Uint8Array } }
    const bytes = data.subarray() // one piece, if it is a list of several
    if (!inbound.write(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))) stream.pause()
  })
  inbound.on('drain', () => stream.resume())
  for (const over of ['remoteCloseWrite', 'close']) stream.addEventListener(over, () => inbound.end())
  return inbound
}
