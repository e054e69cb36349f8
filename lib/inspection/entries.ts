// What an inspection finds: an entry a record, in the order of the wire. Names and fields; nothing is decided here.

import type { KeyType } from '../crypto/public-key.ts'
import type { ErrorCode } from '../errors.ts'
import type { Role } from '../handshake/flight.ts'

/** Where a record lies. */
export interface Place {
  /** Whose bytes they are. */
  readonly from: Role
  /** Where it begins in what its sender sent. */
  readonly at: number
  /** Its header counted. */
  readonly bytes: number
}

/** How a sealed record was opened. */
export interface Opened extends Place {
  readonly stage: Stage
  /** How often the key was changed before it. */
  readonly epoch: number
  readonly sequence: number
  /** In bytes. */
  readonly padding: number
}

export type Stage = 'handshake' | 'application'

export interface InitiatorHelloEntry extends Place {
  readonly name: 'initiatorHello'
  readonly versions: readonly number[]
  /** In hex; a key log names the connection by it. */
  readonly random: string
  /** By name where we know them, else as `0x…`; grease is left out. */
  readonly suites: readonly string[]
  /** Signatures that it takes. */
  readonly keyTypes: readonly KeyType[]
  /** What the key log has of this connection. */
  readonly keys: readonly string[]
}

export interface ResponderHelloEntry extends Place {
  readonly name: 'responderHello'
  readonly version: number
  readonly random: string
  readonly suite: string
  /** Whether a ticket is used. */
  readonly resumed: boolean
}

/** M3 or M4. */
export interface FlightEntry extends Opened {
  readonly name: 'flight'
  /** Null: anonymous. */
  readonly identity: { readonly type: KeyType; readonly keysize: number; readonly fingerprint: string } | null
  /** Whether there is a signature. */
  readonly proof: boolean
  /**
   * What a peer would find: null if signature and Finished match, undefined where that cannot be said. A resumed session has
   * no signatures.
   */
  readonly fault: ErrorCode | null | undefined
  /** The largest message that its sender takes, in bytes. */
  readonly maxMessage: number
  /** Of the responder: whether it asks for the initiator's identity, and which signatures it takes. */
  readonly want?: 'none' | 'welcome' | 'required'
  readonly keyTypes?: readonly KeyType[]
}

export interface AlertEntry {
  readonly name: 'alert'
  readonly code: number
  readonly text: string
}

export interface MessagesEntry extends Opened {
  readonly name: 'messages'
  readonly messages: readonly unknown[]
  /** The number of the first one among the messages of its sender, from 1 on. */
  readonly first: number
  /** How many records it came in, where that is more than one. */
  readonly fragments?: number
}

/** Why nothing more can be said of a direction; what came before it is sound. */
export interface ProblemEntry extends Place {
  readonly name: 'problem'
  readonly code: ErrorCode
  readonly text: string
}

export type CaptureEntry =
  | InitiatorHelloEntry
  | ResponderHelloEntry
  | (Place & AlertEntry & { readonly plain: true })
  | (Opened & AlertEntry & { readonly plain: false })
  /** No key is known for it. */
  | (Place & { readonly name: 'sealed'; readonly stage: Stage })
  | FlightEntry
  | (Opened & { readonly name: 'accept' })
  | MessagesEntry
  /** Key sets of objects to come, by id from the first on. */
  | (Opened & {
      readonly name: 'shapes'
      readonly first: number
      readonly shapes: readonly (readonly string[])[]
    })
  /** Part of a message, of which so many bytes have come by now. */
  | (Opened & { readonly name: 'fragment'; readonly contentBytes: number; readonly soFar: number })
  | (Opened & { readonly name: 'ping'; readonly value: string })
  | (Opened & { readonly name: 'pong'; readonly value: string; readonly received: number })
  | (Opened & { readonly name: 'finalPong'; readonly received: number })
  /** The last record under its key. */
  | (Opened & { readonly name: 'keyUpdate'; readonly asks: boolean })
  | (Opened & { readonly name: 'ticket'; readonly lifetime: number; readonly ticketBytes: number })
  | (Opened & { readonly name: 'close'; readonly received: number })
  | ProblemEntry
