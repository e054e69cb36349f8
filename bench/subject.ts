// What is measured against what: the shapes that every subject has, stalk and its rivals alike. A subject knows
// how to open its channels with the settings that its users would take; it knows no question and no clock.

/** Thrown where a subject is one that this machine does not have. */
export class NotHere extends Error {}

/** How many sessions may be made, where sessions are resumed, before there are enough to resume. */
export const MAX_FULL = 16

/** Texts that a role needs to prove who it is and to know the other, such as keys and certificates in PEM. */
export type Credentials = Readonly<Record<string, string>>

/** Both ends' credentials, made once and handed to the processes. */
export interface BothCredentials {
  readonly listener: Credentials
  readonly connector: Credentials
}

/** One end of an open connection that both ends have verified, as far as the subject can. */
export interface Channel {
  readonly outbound: Outbound
  readonly inbound: Inbound
  /** Ends it at once. */
  destroy(): void
}

/** What node:stream's Writable offers, as far as it is used. */
export interface Outbound {
  write(message: unknown): boolean
  end(): unknown
  once(event: 'drain', listener: () => void): unknown
}

/** What node:stream's Readable offers, as far as it is used. */
export interface Inbound {
  on(event: 'data', listener: (message: unknown) => void): unknown
  on(event: 'end' | 'error', listener: () => void): unknown
}

/** Carries messages between two processes over loopback. */
export interface Transport {
  credentials(): Promise<BothCredentials>
  /** On a free port of 127.0.0.1, which it answers; `accepted` is given every connection that is verified. */
  listen(own: Credentials, accepted: (channel: Channel) => void): Promise<number>
  connect(port: number, own: Credentials): Promise<Channel>
}

/** Both ends in one process, with no socket in between. */
export interface Local {
  pair(): Promise<readonly [from: Channel, to: Channel]>
}

/** A limit: encodes and decodes in one process, with nothing in between. */
export interface Codec {
  encode(message: unknown): Buffer
  decode(bytes: Buffer): unknown
}

export interface Subject {
  readonly transport?: Transport
  readonly local?: Local
  readonly codec?: Codec
}
