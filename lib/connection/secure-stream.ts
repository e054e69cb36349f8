// A Duplex of messages whose ends have shown who they are: what is known of both once keys are agreed. Knows sessions
// and identities; knows nothing of how they were agreed on, or of how long it lasts.

import type { Duplex, DuplexOptions } from 'node:stream'
import { MAX_EXPORT_BYTES } from '../constants.ts'
import { StalkError } from '../errors.ts'
import type { Session } from '../handshake/handshake.ts'
import type { Identity } from '../identity/identity.ts'
import type { Security } from '../security.ts'
import type { Ticket } from '../wire/control.ts'
import { MessageStream } from './message-stream.ts'

export interface Secured {
  readonly security: Security
  /** Who we have shown ourselves to be. */
  readonly identity: Identity | null
  /** The key that the peer has proved, whether or not anybody asked for it. */
  readonly claimedPeerIdentity: Identity | null
  /** Takes what the session may be resumed with; null where the peer issues nothing of the kind. */
  readonly keepTicket: ((ticket: Ticket) => void) | null
}

export abstract class SecureStream<In> extends MessageStream<In> {
  /** The duplex underneath. */
  readonly socket: Duplex

  #session: Session | null = null
  #secured: Secured | null = null
  #address: { readonly host: string | undefined; readonly port: number | undefined } | null = null

  #whenSecure: (() => void)[] = []

  constructor(transport: Duplex, options: DuplexOptions, patienceMs: number) {
    super({ ...options, objectMode: true }, patienceMs)
    this.socket = transport
  }

  /** Null until keys are agreed. */
  protected get session(): Session | null {
    return this.#session
  }

  /** A ticket has come. Throws ERR_STALK_UNEXPECTED where there can be none. */
  protected keepTicket(ticket: Ticket): void {
    if (!this.#secured?.keepTicket)
      throw new StalkError('ERR_STALK_UNEXPECTED', 'the initiator sent a ticket, which only responders issue')
    this.#secured.keepTicket(ticket)
  }

  /** Runs `action` as soon as keys are agreed. */
  protected whenSecure(action: () => void): void {
    if (this.#session) action()
    else this.#whenSecure.push(action)
  }

  /** Runs what has waited for that. */
  protected secured(): void {
    for (const action of this.#whenSecure.splice(0)) action()
  }

  /** Keys are agreed. */
  protected introduce(session: Session, secured: Secured): void {
    this.#session = session
    this.#secured = secured
    this.#address = { host: this.host, port: this.port } // a socket forgets it when it closes
  }

  /** The peer's address, where the transport has one. */
  get host(): string | undefined {
    return this.#address?.host ?? (this.socket as { remoteAddress?: string }).remoteAddress
  }

  /** The peer's port, where the transport has one. */
  get port(): number | undefined {
    return this.#address?.port ?? (this.socket as { remotePort?: number }).remotePort
  }

  /** Who we have shown ourselves to be; null before `secure` and if we are anonymous. */
  get identity(): Identity | null {
    return this.#secured?.identity ?? null
  }

  /** Who the peer is, if it is authenticated; else null. */
  get peerIdentity(): Identity | null {
    return this.security?.peerIdentity ?? null
  }

  /** The key that the peer has proved to hold, whether or not anybody vouches for it. */
  get claimedPeerIdentity(): Identity | null {
    return this.#secured?.claimedPeerIdentity ?? null
  }

  /** The cipher suite's name; null before `secure`. */
  get cipher(): string | null {
    return this.security?.suite ?? null
  }

  /** What both ends know of each other; null before `secure`. Frozen. */
  get security(): Security | null {
    return this.#secured?.security ?? null
  }

  /**
   * `length` bytes, 1 to 8,160, that both ends of this connection can compute and nobody else (RFC 8446, section
   * 7.5). Throws ERR_STALK_NOT_READY before `secure`, ERR_STALK_INVALID_OPTION for another length.
   */
  exportKeyingMaterial(label: string, context: string | Uint8Array, length: number): Buffer {
    if (!this.#session) throw notReady()
    if (typeof label !== 'string' || (typeof context !== 'string' && !(context instanceof Uint8Array))) {
      throw new StalkError('ERR_STALK_INVALID_OPTION', 'label must be a string, context a string or bytes')
    }
    if (!Number.isInteger(length) || length < 1 || length > MAX_EXPORT_BYTES) {
      throw new StalkError('ERR_STALK_INVALID_OPTION', `length must be from 1 to ${MAX_EXPORT_BYTES} bytes`)
    }
    return this.#session.exporter.export(Buffer.from(label), Buffer.from(context as string), length)
  }
}

export const notReady = (): StalkError =>
  new StalkError('ERR_STALK_NOT_READY', 'no keys are agreed yet; wait for ready', { phase: 'handshake' })
