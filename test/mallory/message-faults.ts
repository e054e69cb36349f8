// Faults of messages: their MessagePack, their size, their fragments. Everything is sealed well.

import { after, BOTH, between, broken, type Expected, type Fault, hex, type Settings } from './fault.ts'
import type { Peer } from './peer.ts'

const bad = broken('ERR_STALK_BAD_MESSAGE', 11)
const overflow = broken('ERR_STALK_OVERFLOW', 3)
const unexpected = broken('ERR_STALK_UNEXPECTED', 1)

const row = (
  name: string,
  does: string,
  make: (peer: Peer) => Buffer | readonly Buffer[],
  expected: Expected = bad,
  target: Settings = {}
): Fault => ({ name, does, against: BOTH, target, acts: between(make), expected })

/** A record of kind 02 with this content. */
const batch = (name: string, does: string, content: string): Fault =>
  row(`batch-${name}`, does, peer => peer.seal(2, hex(content)))

/** One message in a record of its own. */
const value = (name: string, does: string, bytes: string): Fault =>
  row(`value-${name}`, does, peer => peer.seal(2, hex(`91${bytes}`)))

/** One message in fragments as long as they can be. */
const large = (name: string, does: string, make: () => Buffer, expected = bad): Fault =>
  row(`value-${name}`, does, peer => peer.fragments(make(), 65_599), expected)

const batches: readonly Fault[] = [
  batch('absent', 'sends a record of messages without a byte', ''),
  batch('empty', 'sends an empty array of messages', '90'),
  batch('no-array', 'sends a message without the array around it', 'c3'),
  batch('map', 'sends a map instead of an array', '81a161c3'),
  batch('short', 'announces two messages and sends one', '92c3'),
  batch('trailing', 'puts a byte behind the messages', '91c3c3'),
  batch('bomb', 'announces 2³² − 1 messages', 'ddffffffffc3'),
  batch('bad-after-good', 'sends a good message and a bad one together', '92a56d616c6c79c1'),
  batch('header-cut', 'ends within the header of the array', 'dd0000')
]

const values: readonly Fault[] = [
  value('c1', 'sends the byte that MessagePack never uses', 'c1'),
  value('nil', 'sends nil as a message', 'c0'),
  value('undefined', 'sends undefined as a message', 'd40000'),
  value('undefined-long', 'sends undefined in another form', '91c7010000'),
  value('undefined-filled', 'sends undefined with another byte', '91d40001'),
  value('extension-unknown', 'sends extension 01', 'd40100'),
  value('extension-record', 'sends a record definition of msgpackr', 'd4724091a161'),
  value('extension-error', 'sends extension 65, which msgpackr would make an error', 'c7036592a161'),
  value('string-cut', 'announces a longer string than there is', 'a5616263'),
  value('string-bomb', 'announces a string of 4 GiB', 'dbffffffff61'),
  value('bytes-bomb', 'announces 4 GiB of bytes', 'c6ffffffff61'),
  value('array-bomb', 'announces 2³² − 1 elements', 'ddffffffffc3'),
  value('map-bomb', 'announces 2³² − 1 pairs', 'dfffffffffa161c3'),
  value('extension-bomb', 'announces an extension of 4 GiB', 'c9ffffffff4200'),
  value('string-not-utf8', 'sends a string that is not UTF-8', 'a2c328'),
  value('string-surrogate', 'sends half a surrogate pair', 'a3eda080'),
  value('string-overlong', 'sends an overlong form', 'a2c0af'),
  value('key-twice', 'names a key twice', '82a161c3a161c2'),
  value('key-twice-widths', 'names a key twice, in two widths', '82a161c3d90161c2'),
  value('key-number', 'has a number for a key', '8101c3'),
  value('key-nil', 'has nil for a key', '81c0c3'),
  value('key-proto', 'names a key __proto__', '81a95f5f70726f746f5f5fc3'),
  value('integer-empty', 'sends an integer without a byte', 'c70042'),
  value('integer-1025', 'sends an integer of 1,025 bytes', `c8040142${'7f'.repeat(1_025)}`),
  value('typed-array-unknown', 'sends a typed array of code 0b', 'c702740b00'),
  value('typed-array-part', 'sends half an element', 'c702740300'),
  value('typed-array-codeless', 'sends a typed array without its code', 'c70074'),
  value('set-alone', 'sends a set without its array', 'd47300'),
  value('set-of-map', 'sends a set of a map', 'd4730081a161c3'),
  value('set-filled', 'sends a set with another filler', 'd4730190'),
  value(
    'date-nanoseconds',
    'sends a date of 10⁹ nanoseconds',
    `d7ff${((10n ** 9n) << 34n).toString(16).padStart(16, '0')}`
  ),
  value('date-length', 'sends a date of 3 bytes', 'c703ff000000'),
  value('date-range', 'sends a date beyond the last', 'c70cff00000000000007dba8218001'),
  value('deep', 'nests arrays 65 deep', `${'91'.repeat(64)}90`),
  value('deep-mixed', 'nests objects and sets 65 deep', `${'81a161'.repeat(33)}${'d4730091'.repeat(31)}90`),
  value('very-deep', 'nests arrays 60,000 deep', `${'91'.repeat(60_000)}c3`),
  large('too-many', 'sends 1,000,001 values', () =>
    Buffer.concat([hex('dd000f4240'), Buffer.alloc(1_000_000, 0xc3)])
  ),
  large('too-many-bytes', 'sends 125,001 empty bytes, which count eight each', () =>
    Buffer.concat([hex('dd0001e849'), Buffer.alloc(250_002, hex('c400'))])
  )
]

const piece = (bytes: number): Buffer => Buffer.alloc(bytes, 0x61)
/** The first fragment of a string of 4,096 bytes. */
const begun = (peer: Peer): Buffer => peer.seal(3, Buffer.concat([hex('da1000'), piece(2_000)]))

/** A record between the fragments of a message that is good by itself. */
const amid = (name: string, does: string, make: (peer: Peer) => Buffer): Fault =>
  row(`fragment-${name}`, does, peer => [begun(peer), make(peer), peer.seal(4, piece(2_096))], unexpected)

const fragments: readonly Fault[] = [
  row('fragment-short', 'sends a fragment of 1,023 bytes', peer => peer.seal(3, piece(1_023))),
  row('fragment-empty', 'sends a fragment without a byte', peer => peer.seal(3)),
  row('fragment-last-empty', 'sends a last fragment without a byte', peer => [begun(peer), peer.seal(4)]),
  row('fragment-last-alone-empty', 'sends an empty last fragment alone', peer => peer.seal(4)),
  row('fragment-trailing', 'puts a byte behind a message in fragments', peer => peer.seal(4, hex('c3c3'))),
  row('fragment-incomplete', 'ends a message in fragments too early', peer => [
    begun(peer),
    peer.seal(4, piece(8))
  ]),
  row('fragment-nil', 'sends nil in fragments', peer => peer.seal(4, hex('c0'))),
  amid('interrupted', 'sends messages between fragments', peer => peer.message('amid')),
  amid('handshake', 'sends Accept between fragments', peer => peer.seal(1, hex('070000'))),
  amid('pong', 'sends a pong between fragments', peer => peer.pong(0)),
  {
    ...row('fragment-close', 'closes between fragments', () => [], unexpected),
    acts: after(peer => [begun(peer), peer.close(0)])
  },
  row(
    'fragment-alert',
    'aborts between fragments',
    peer => [begun(peer), peer.seal(5, hex('08'))],
    broken('ERR_STALK_PEER_ABORTED', 'none')
  ),
  {
    ...row(
      'fragment-cut',
      'ends the transport between fragments',
      () => [],
      broken('ERR_STALK_TRUNCATED', 'none')
    ),
    acts: {
      open: peer => {
        peer.write(peer.message('before'), begun(peer))
        peer.end()
      }
    }
  }
]

const small: Settings = { maxMessage: 4_096 }
const sizes: readonly Fault[] = [
  row(
    'large-in-batch',
    'sends a message larger than the target takes',
    peer => peer.seal(2, Buffer.concat([hex('91da1000'), piece(4_096)])),
    overflow,
    small
  ),
  row(
    'large-in-fragments',
    'sends fragments larger than the target takes',
    peer => peer.fragments(Buffer.concat([hex('da1000'), piece(4_096)]), 1_024),
    overflow,
    small
  ),
  row(
    'large-without-end',
    'sends fragments without end',
    peer => Array.from({ length: 40 }, () => peer.seal(3, piece(1_024))),
    overflow,
    small
  ),
  row(
    'large-16-MiB',
    'sends fragments beyond 16 MiB',
    peer => Array.from({ length: 258 }, () => peer.seal(3, piece(65_599))),
    overflow
  )
]

export const messageFaults: readonly Fault[] = [...batches, ...values, ...fragments, ...sizes]
