// The public names of stalk, and nothing else.

export { Connection } from './connection/connection.ts'
export type { Counters } from './connection/counters.ts'
export type { Diagnostics } from './connection/diagnostics.ts'
export type { Outcome, OutcomeKind } from './connection/outcome.ts'
export type { ConnectionSummary, State } from './connection/summary.ts'
export type { FlushOptions, SendOptions, WaitOptions } from './connection/waits.ts'
export { SUITES, type SuiteName } from './crypto/suites.ts'
export { ERRORS, type ErrorCode, type Fault, type Phase, StalkError } from './errors.ts'
export { Identity } from './identity/identity.ts'
export { type Capture, inspectCapture } from './inspection/capture.ts'
export type { CaptureEntry } from './inspection/entries.ts'
export type { KeyLog } from './key-log.ts'
export { Listener } from './listener.ts'
export { type Address, type ConnectOptions, connect, type ListenOptions, listener } from './net.ts'
export type { Padding, RekeyAfter, StalkOptions } from './options.ts'
export { type NamedSessions, SessionCache, type SessionCacheOptions } from './resumption/session-cache.ts'
export { TicketKeys, type TicketKeysOptions } from './resumption/ticket-keys.ts'
export {
  MemoryTicketStore,
  type MemoryTicketStoreOptions,
  type TicketStore
} from './resumption/ticket-store.ts'
export type { OnInvalid, Schema, Validated } from './schema.ts'
export type { Mode, Security } from './security.ts'
export { defragmenter, fragmenter } from './stages/fragments.ts'
export { deframer, framer } from './stages/framer.ts'
export { type Gate, gate } from './stages/gate.ts'
export { decoder, encoder } from './stages/serializer.ts'
export { stalk, stalk as default, type WrapOptions } from './stalk.ts'
export { type CipherOptions, opener, sealer } from './standalone.ts'
export { type AuthorizedPeers, authorizedPeers } from './trust/authorized-peers.ts'
export {
  type KnownPeer,
  type KnownPeers,
  type KnownPeersOptions,
  type KnownSuccession,
  knownPeers
} from './trust/known-peers.ts'
export type { Ask, PlacedPeers, Question, Trust } from './trust/placed-peers.ts'
export type { Authorize, Peer, SucceededPin } from './trust/policy.ts'
export { Succession } from './trust/succession.ts'
export { Wrapped } from './wrapped.ts'
