// As much of the rivals' types as is used here: the packages are not there where the bench is only type-checked.

declare module '@hyperswarm/secret-stream' {
  import type { Duplex } from 'node:stream'

  interface KeyPair {
    readonly publicKey: Buffer
    readonly secretKey: Buffer
  }

  export default class SecretStream extends Duplex {
    static keyPair(seed: Buffer): KeyPair
    constructor(isInitiator: boolean, rawStream: Duplex, options: { keyPair: KeyPair })
    readonly opened: Promise<boolean>
    readonly remotePublicKey: Buffer
  }
}

declare module 'zeromq' {
  interface CurveOptions {
    linger?: number
    curveServer?: boolean
    curvePublicKey?: string
    curveSecretKey?: string
    curveServerKey?: string
  }

  export class Dealer implements AsyncIterable<[Buffer]> {
    constructor(options: CurveOptions)
    readonly lastEndpoint: string
    bind(address: string): Promise<void>
    connect(address: string): void
    close(): void
    send(message: Buffer | string): Promise<void>
    receive(): Promise<[Buffer]>
    [Symbol.asyncIterator](): AsyncIterator<[Buffer]>
  }
  export function curveKeyPair(): { publicKey: string; secretKey: string }
}

declare module '@libp2p/crypto/keys' {
  export type PrivateKey = { readonly type: string }
  export function generateKeyPair(type: 'Ed25519'): Promise<PrivateKey>
  export function privateKeyToProtobuf(key: PrivateKey): Uint8Array
  export function privateKeyFromProtobuf(bytes: Uint8Array): PrivateKey
}

declare module '@libp2p/peer-id' {
  import type { PrivateKey } from '@libp2p/crypto/keys'
  export type PeerId = { toString(): string }
  export function peerIdFromPrivateKey(key: PrivateKey): PeerId
}

declare module '@libp2p/logger' {
  export function defaultLogger(): object
}

declare module '@multiformats/multiaddr' {
  export interface Multiaddr {
    toString(): string
  }
  export function multiaddr(text: string): Multiaddr
}

declare module '@chainsafe/libp2p-noise' {
  export interface MessageStream extends EventTarget {
    send(data: Uint8Array): boolean
    onDrain(): Promise<void>
    close(): Promise<void>
    abort(error: Error): void
    pause(): void
    resume(): void
  }
  interface Options {
    readonly skipStreamMuxerNegotiation: true
  }
  interface Secured {
    readonly connection: MessageStream
    readonly remotePeer: { toString(): string }
  }
  interface Encrypter {
    secureOutbound(connection: MessageStream, options: Options): Promise<Secured>
    secureInbound(connection: MessageStream, options: Options): Promise<Secured>
  }
  export function noise(): (components: object) => Encrypter
}

declare module '@libp2p/tcp' {
  import type { MessageStream } from '@chainsafe/libp2p-noise'
  import type { Multiaddr } from '@multiformats/multiaddr'

  interface Upgrader {
    upgradeInbound?(connection: MessageStream): Promise<unknown>
    upgradeOutbound?(connection: MessageStream): Promise<unknown>
  }
  interface Listener {
    listen(address: Multiaddr): Promise<void>
    getAddrs(): Multiaddr[]
  }
  interface Transport {
    dial(address: Multiaddr, options: { upgrader: Upgrader; signal: AbortSignal }): Promise<unknown>
    createListener(options: { upgrader: Upgrader }): Listener
  }
  export function tcp(): (components: object) => Transport
}
