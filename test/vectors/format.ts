// What is in the JSON files; README.md explains it. All bytes are in hexadecimal.

export interface KeyVector {
  readonly name: string
  /** 1 Ed25519, 2 RSA. */
  readonly alg: number
  /** As on the wire: the Ed25519 key, or the modulus. */
  readonly public: string
  /** The private key, DER. */
  readonly pkcs8: string
}

export interface SideVector {
  /** The name of its key; null if it is anonymous. */
  readonly identity: string | null
  readonly x25519Private: string
  readonly random: string
  readonly share: string
  /** Algorithms accepted from the peer, as sent. */
  readonly sigs: readonly number[]
  readonly maxMessage: number
  /** What its identity signs, and the signature that is in the record; null if there is no Proof. */
  readonly signed: string | null
  readonly signature: string | null
  /** The MAC of its Finished. */
  readonly finished: string
}

export interface TrafficVector {
  readonly key: string
  readonly iv: string
  /** Suite 3 only. */
  readonly mac?: string
}

/** What a traffic secret becomes by a key update, and the keys of it. */
export interface NextVector extends TrafficVector {
  readonly secret: string
}

/** A ticket as its record says it, and what both ends derive for it. */
export interface TicketVector {
  readonly lifetime: number
  readonly nonce: string
  readonly ticket: string
  readonly psk: string
}

/** The ticket that M1 offers. */
export interface OfferVector {
  /** The name of the session that it is of: psk = EL(its `res`, "ticket", nonce, 32). */
  readonly of: string
  readonly nonce: string
  readonly ticket: string
  readonly psk: string
  readonly fin_b: string
  readonly binder: string
}

export interface RecordVector {
  readonly from: 'initiator' | 'responder'
  readonly what: string
  /** How many of the peer's records before it its sender has not read yet; left out: none. */
  readonly unread?: number
  readonly kind: number
  readonly content: string
  /** Content, kind and padding, in bytes. */
  readonly innerBytes: number
  readonly record: string
  /** Of a key update, which is the last record under its sender's keys: those of what its sender seals next. */
  readonly next?: NextVector
  /** Of a ticket (kind 07). */
  readonly ticket?: TicketVector
  /** Of kinds 02 and 04, where shapes are in use: what it delivers. A set is `{ "$set": [elements] }`. */
  readonly messages?: readonly unknown[]
}

export type RecordName = 'M1' | 'M2' | 'M3' | 'M4' | 'M5'

export interface HandshakeVector {
  readonly name: string
  readonly app: string
  readonly prologue: string
  readonly suite: number
  /** As M1 offers them, grease included. */
  readonly suites: readonly number[]
  readonly want: number
  /** Left out: M1 offers none. */
  readonly offer?: OfferVector
  /** What M2 answers: 1 where the session is resumed with the ticket of `offer`. */
  readonly psk: number
  readonly initiator: SideVector
  readonly responder: SideVector
  /** The result of X25519. */
  readonly shared: string
  /** Whole records, headers included. */
  readonly records: Readonly<Record<RecordName, string>>
  /** What is sealed in M3 and M4: the messages of the flight, without kind and padding. */
  readonly flights: { readonly M3: string; readonly M4: string }
  readonly transcript: Readonly<Record<'th1' | 'th2' | 'th3' | 'th5' | 'th6' | 'th7', string>>
  readonly secrets: Readonly<
    Record<
      'salt' | 'es' | 'hs' | 'i_hs' | 'r_hs' | 'fin_i' | 'fin_r' | 'ms' | 'i_ap' | 'r_ap' | 'exp' | 'res',
      string
    >
  >
  readonly keys: Readonly<Record<'i_hs' | 'r_hs' | 'i_ap' | 'r_ap', TrafficVector>>
  readonly sessionId: string
  /** label and context as text in UTF-8. */
  readonly exports: readonly { label: string; context: string; length: number; out: string }[]
  /** Records after M5, in the order in which they are sent. */
  readonly after: readonly RecordVector[]
}

export interface HandshakeFile {
  readonly about: string
  readonly keys: readonly KeyVector[]
  readonly vectors: readonly HandshakeVector[]
}

export interface NegativeVector {
  readonly name: string
  /** The handshake that is spoiled: its inputs are the receiver's, its other records come as they are there. */
  readonly handshake: string
  readonly to: 'initiator' | 'responder'
  /** In the place of which record this one comes: of M1 to M5, or of one of `after`, by its index. */
  readonly place: RecordName | number
  readonly record: string
  /** This implementation's code, and the alert that the peer is told; null: none. */
  readonly code: string
  readonly alert: number | null
  /** Whether the receiver's trust policy has been asked by then. */
  readonly asked: boolean
}

export interface NegativeFile {
  readonly about: string
  readonly vectors: readonly NegativeVector[]
}
