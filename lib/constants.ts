// Numbers with their units and reasons. First those of the specification (PROTOCOL.md): changing one changes
// the protocol. Then those of this implementation: defaults and limits that a peer cannot tell.

// --- specification -------------------------------------------------------------------------------------

/** Type u8 and length u24 before every record's body, in bytes. */
export const HEADER_BYTES = 4

/**
 * The most a sealed record's inner plaintext may hold (content, kind and padding), in bytes; the tag not counted.
 * 64 KiB, as files and pipes are read, with room for what stands around them.
 */
export const MAX_INNER_BYTES = 65_600

/** The most that a record's content may hold, in bytes: its kind follows it. */
export const MAX_CONTENT_BYTES = MAX_INNER_BYTES - 1

/** The longest body of a sealed record: the longest inner and the longest tag, in bytes. */
export const MAX_SEALED_BYTES = MAX_INNER_BYTES + 32

/** The inner plaintext of M3 and M4, padded so that all key kinds look alike, in bytes. */
export const FLIGHT_INNER_BYTES = 2_048

/** Record types: the first byte on the wire. */
export const TYPE = {
  initiatorHello: 0xe1,
  responderHello: 0xe2,
  plainAlert: 0xe3,
  sealedApplication: 0xe4,
  sealedHandshake: 0xe5
} as const

/** Kinds: what a sealed record holds, the last byte of its inner plaintext before the padding. */
export const KIND = {
  handshake: 0x01,
  messages: 0x02,
  fragment: 0x03,
  lastFragment: 0x04,
  alert: 0x05,
  keyUpdate: 0x06,
  ticket: 0x07,
  ping: 0x08,
  pong: 0x09,
  shapes: 0x0a
} as const

/** The shortest fragment that may have another one behind it, in bytes: it bounds how many one message has. */
export const MIN_FRAGMENT_BYTES = 1_024

/** The longest InitiatorHello body, in bytes. */
export const MAX_HELLO_BYTES = 1_024

/** The longest ticket, in bytes. */
export const MAX_TICKET_BYTES = 512

/** The longest that a ticket may be good for, and all that is resumed from it, in seconds: a day. */
export const MAX_TICKET_LIFETIME_S = 86_400

/** Length of what makes each ticket's key another one, in bytes. */
export const TICKET_NONCE_BYTES = 16

/** The longest name of an application protocol, in bytes of UTF-8. */
export const MAX_APP_BYTES = 64

/** The deepest nesting of arrays, objects and sets in a message; a bare value has depth 0. */
export const MAX_DEPTH = 64

/** The most values in one message, containers and map keys' values included. */
export const MAX_VALUES = 1_000_000

/** How many values a Buffer, typed array, ArrayBuffer or DataView counts as: each costs memory of its own. */
export const BINARY_VALUES = 8

/** The most shapes that a direction may announce, names that a shape may have, and bytes that a name may have. */
export const MAX_SHAPES = 32
export const MAX_SHAPE_NAMES = 64
export const MAX_NAME_BYTES = 64

/** The longest bigint beyond 64 bits, in bytes of two's complement. */
export const MAX_BIGINT_BYTES = 1_024

/** The largest value of `maxMessage`, in bytes (a u32). */
export const MAX_U32 = 0xffff_ffff

/** The most that the exporter gives for a label and a context: 255 blocks of HKDF, in bytes. */
export const MAX_EXPORT_BYTES = 255 * 32

/** Records under one key: from the first figure on a new key is due, at the second the record is refused. */
export const SOFT_LIMIT_RECORDS = 2 ** 22
export const HARD_LIMIT_RECORDS = 2 ** 24

/** Plaintext bytes under one key: due and refused, likewise. */
export const SOFT_LIMIT_BYTES = 2 ** 36
export const HARD_LIMIT_BYTES = 2 ** 38

/** Tickets, pings and requests for new keys that a peer may send: so many at once, then one in so many ms, until it sends data. */
export const MAX_UNINVITED = 32
export const MS_FOR_ONE_UNINVITED = 1_000

/** How many of them we send: half, so that we never come near the limit. */
export const OWN_UNINVITED = 16
export const MS_FOR_ONE_OWN_UNINVITED = 2_000

// --- implementation ------------------------------------------------------------------------------------

/** From the first byte to the responder's verdict, in ms. Bytes do not restart it. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

/** How long a peer may be silent between our goodbye and its own, in ms. */
export const CLOSE_TIMEOUT_MS = 60_000

/** How long the next part of a message may take, in ms. */
export const MESSAGE_TIMEOUT_MS = 30_000

/** How long a key serves, in ms: from then on a new one is due (the specification recommends it). */
export const REKEY_AFTER_MS = 3_600_000

/** How often a key set is met before it is announced as a shape. */
export const SHAPE_AFTER = 16

/**
 * How many beginnings of key sets are kept in mind, more than all shapes may take, and how many may go on from one:
 * dictionaries have no end of keys.
 */
export const MAX_KEY_SETS = 2_560
export const MAX_KEY_BRANCHES = 64

/** After so many objects whose keys were not kept in mind the others are forgotten, to make room for what comes now. */
export const FORGET_KEY_SETS_AFTER = 4_096

/** What is decoded and kept for a reader who is slow before nothing more is read, in bytes of the wire. */
export const INBOX_BYTES = 256 * 1024

/** How long a transport may take, after the last word, to hand over what it holds, in ms. */
export const LINGER_MS = 1_000

/** How much of what a peer still sends after a fatal error is read and dropped, in bytes. */
export const LINGER_BYTES = 65_536

/** The largest message we take, in bytes of MessagePack, unless the options say otherwise. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024

/** What a transport may hold before we wait for it to drain, in bytes. */
export const MAX_UNWRITTEN_BYTES = 256 * 1024

/** Messages that `write` takes before it answers false, unless they have so many bytes before, as far as can be told. */
export const WRITABLE_HIGH_WATER_MARK = 1_024
export const WRITABLE_BYTES = 1024 * 1024

/** Messages decoded ahead of the reader. */
export const READABLE_HIGH_WATER_MARK = 256

/** Handshakes under way at one listener, in all and from one address. */
export const MAX_HALF_OPEN = 256
export const MAX_HALF_OPEN_PER_ADDRESS = 16

/** Private-key operations that may wait for their turn; as many run at once as twice the cores. */
export const MAX_QUEUED_SIGNATURES = 64

/** For how long a ticket is good, in ms, unless the options say otherwise: as in OpenSSL. */
export const TICKET_LIFETIME_MS = 7_200_000

/** Tickets that a responder keeps in memory. */
export const MAX_KEPT_TICKETS = 10_000

/** Tickets that a process issues under one key; random nonces of 96 bits allow 2^32 in all (NIST SP 800-38D). */
export const MAX_TICKETS_PER_KEY = 2 ** 28

/** By how much the clocks of processes that share a ticket key may differ, in ms. */
export const MAX_CLOCK_SKEW_MS = 10_000

/** How long a ticket store may take before the handshake goes on without it, in ms. */
export const TICKET_STORE_TIMEOUT_MS = 1_000

/** Sessions that an initiator keeps for later, in all and of one place. */
export const MAX_KEPT_SESSIONS = 256
export const MAX_SESSIONS_OF_A_PLACE = 8

/** RSA moduli that we make and take, in bits. */
export const MIN_RSA_BITS = 2_048
export const MAX_RSA_BITS = 4_096

/** What encrypts the key files that we write: rounds of PBKDF2 (PKCS#8) and of bcrypt (OpenSSH, as ssh-keygen). */
export const PBKDF2_ROUNDS = 600_000
export const BCRYPT_ROUNDS = 24

/**
 * The most that a key file may ask for: some seconds of PBKDF2 in the thread pool, or of bcrypt in slices of about
 * 10 ms; and the memory of scrypt, in bytes, and its parallel parts.
 */
export const MAX_PBKDF2_ROUNDS = 10_000_000
export const MAX_BCRYPT_ROUNDS = 512
export const MAX_SCRYPT_BYTES = 256 * 1024 * 1024
export const MAX_SCRYPT_PARTS = 16

/** Salts in key files, in bytes. */
export const MAX_SALT_BYTES = 128

/** Passphrases, and comments of OpenSSH's key files, in bytes of UTF-8. */
export const MAX_PASSPHRASE_BYTES = 1_024
export const MAX_COMMENT_BYTES = 1_024

/** The largest key file that is read, in bytes. */
export const MAX_KEY_FILE_BYTES = 64 * 1024

/** The largest trust file that is read, in bytes: about 11,000 Ed25519 keys; and its longest line. */
export const MAX_TRUST_FILE_BYTES = 1024 * 1024
export const MAX_TRUST_LINE_BYTES = 16 * 1024

/** Succession statements in one file: each costs two verifications, about a ms, whenever the file is read. */
export const MAX_SUCCESSIONS = 256

/** How long a change of a trust file waits for others that change it, in ms: less than a handshake may take. */
export const TRUST_LOCK_TIMEOUT_MS = 5_000

/** How old a lock without an owner in it has to be before it counts as left behind, in ms. */
export const UNSIGNED_LOCK_MS = 2_000

/** How often a change begins anew because somebody, who asked for no lock, has changed the file meanwhile. */
export const MAX_REWRITES = 5

/** The longest name of a host, or of a socket's path, that known peers are kept under, in bytes. */
export const MAX_HOST_BYTES = 1_024
