// Controls of shapes: all that section 21.5 allows a sender, as far as it goes; and what stays as it is for one that
// announces none.

import { integer } from '../helpers/formulas.ts'
import { closedOn } from './closing-controls.ts'
import { type Acts, BOTH, clean, type Fault, hex, type Role, type Settings } from './fault.ts'
import { BUCKET } from './flood-faults.ts'
import type { Peer } from './peer.ts'
import { askInTurn, pinged, rekeyed } from './questions.ts'
import { announced, names, shapes } from './shape-faults.ts'

const row = (
  name: string,
  does: string,
  acts: Acts,
  got: readonly unknown[],
  target: Settings = {},
  against: readonly Role[] = BOTH
): Fault => ({ name: `control-shape-${name}`, does, against, target, acts, expected: clean(...got) })

/** Sends this, waits until all messages have come back, and closes. */
const session = (
  name: string,
  does: string,
  make: (peer: Peer) => readonly Buffer[],
  got: readonly unknown[],
  target: Settings = {}
): Fault => row(name, does, sending(make, got.length), got, target)

const sending = (make: (peer: Peer) => readonly Buffer[], messages: number): Acts => ({
  open: async peer => {
    peer.write(...make(peer))
    await peer.goodbye(messages)
  }
})

const point = (peer: Peer): Buffer => announced(peer, 0, ['x', 'y'])
const ONE_TWO = '91400102'
const POINT = { x: 1, y: 2 }

/** An object of one value in another of the same. */
const nested = (depth: number, value: unknown): unknown =>
  depth === 0 ? value : { a: nested(depth - 1, value) }

const INHERITED = [
  'constructor',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'toJSON',
  'then',
  '__defineGetter__'
]
const LONG = names(64).map(name => name.padEnd(64, '_'))

const uses: readonly Fault[] = [
  session('used', 'announces a shape and uses it', peer => [point(peer), peer.seal(2, hex(ONE_TWO))], [
    POINT
  ]),
  session('unused', 'announces a shape and does not use it', peer => [point(peer), peer.message('hello')], [
    'hello'
  ]),
  session(
    'nested',
    'has objects of shapes in one another, in arrays, in sets and in objects without a shape',
    peer => [
      announced(peer, 0, ['x', 'y'], ['at']),
      peer.seal(2, hex('94 41400102 9241c3400102 d4730092400102c2 81a162 414041c0c3'))
    ],
    [
      { at: POINT },
      [{ at: true }, POINT],
      new Set([POINT, false]),
      { b: { at: { x: { at: null }, y: true } } }
    ]
  ),
  session(
    'values',
    'has a value of every kind in an object of a shape',
    peer => [
      announced(peer, 0, names(10)),
      peer.seal(
        2,
        hex('9140 05 cb3ff8000000000000 d30000000000000005 a26869 c4020102 90 80 c0 d6ff00000001 d40000')
      )
    ],
    [
      Object.fromEntries(
        [5, 1.5, 5n, 'hi', Buffer.of(1, 2), [], {}, null, new Date(1000), undefined].map((value, i) => [
          `n${i}`,
          value
        ])
      )
    ]
  ),
  session(
    'with-keys',
    'writes objects of a shape with their keys all the same, in any order',
    peer => [point(peer), peer.seal(2, hex('93 82a17801a17902 82a17902a17801 82d90178cc01d9017902'))],
    [POINT, POINT, POINT]
  ),
  session(
    'twice',
    'announces two equal shapes and uses both',
    peer => [announced(peer, 0, ['x', 'y'], ['x', 'y']), peer.seal(2, hex('92400102410102'))],
    [POINT, POINT]
  ),
  session(
    'orders',
    'announces the same names in two orders and uses both',
    peer => [announced(peer, 0, ['x', 'y'], ['y', 'x']), peer.seal(2, hex('92400102410201'))],
    [POINT, POINT]
  ),
  session(
    'inherited',
    'announces names that every object inherits',
    peer => [announced(peer, 0, INHERITED), peer.seal(2, hex('914000010203040506'))],
    [Object.fromEntries(INHERITED.map((name, i) => [name, i]))]
  ),
  session(
    'names',
    'announces names of one byte and of every character that one may have',
    peer => [announced(peer, 0, ['_', '$', 'Z', 'azAZ_$09']), peer.seal(2, hex('914001020304'))],
    [{ _: 1, $: 2, Z: 3, azAZ_$09: 4 }]
  ),
  session(
    'longest',
    'announces a shape of 64 names of 64 bytes, whose objects would be larger than the target takes without it',
    peer => [announced(peer, 0, LONG), peer.seal(2, Buffer.concat([hex('9140'), Buffer.alloc(64, 0xc3)]))],
    [Object.fromEntries(LONG.map(name => [name, true]))],
    { maxMessage: 65 }
  ),
  session(
    'depth-64',
    'nests objects of a shape 64 deep',
    peer => [announced(peer, 0, ['a']), peer.seal(2, hex(`91${'40'.repeat(64)}c3`))],
    [nested(64, true)]
  )
]

const most = (peer: Peer): Buffer =>
  peer.seal(2, Buffer.concat([hex('dc0020'), ...names(32).map((_, i) => Buffer.of(0x40 + i, i))]))
const MOST = names(32).map((name, i) => ({ [name]: i }))

const announcements: readonly Fault[] = [
  session(
    'most',
    'announces 32 shapes in one record',
    peer => [announced(peer, 0, ...shapes(32)), most(peer)],
    MOST
  ),
  session(
    'most-one-by-one',
    'announces 32 shapes one by one, a message behind each',
    peer =>
      shapes(32).flatMap((shape, i) => [
        announced(peer, i, shape),
        peer.seal(2, Buffer.of(0x91, 0x40 + i, i))
      ]),
    MOST
  ),
  session(
    'later',
    'announces shapes behind messages, uses the old one and the new one',
    peer => [
      point(peer),
      peer.seal(2, hex(ONE_TWO)),
      announced(peer, 1, ['a']),
      peer.seal(2, hex(`92${ONE_TWO.slice(2)}41c3`))
    ],
    [POINT, POINT, { a: true }]
  ),
  session(
    'padded',
    'pads an announcement to the longest record',
    peer => [peer.seal(10, hex('0001020178 0179'), 65_600), peer.seal(2, hex(ONE_TWO))],
    [POINT]
  ),
  row(
    'without-allowance',
    'announces 32 shapes one by one, and asks as often as it may then',
    {
      open: async peer => {
        peer.write(...shapes(32).map((shape, i) => announced(peer, i, shape)))
        await askInTurn(peer, BUCKET, pinged)
        await peer.goodbye(0)
      }
    },
    []
  ),
  row(
    'across-update',
    'uses and announces shapes on both sides of key updates',
    {
      open: async peer => {
        peer.write(point(peer))
        await rekeyed(peer)
        peer.write(peer.seal(2, hex(ONE_TWO)), announced(peer, 1, ['a']), peer.update())
        peer.write(peer.seal(2, hex('91414001 41c3')))
        await peer.goodbye(2)
      }
    },
    [POINT, { a: { x: 1, y: { a: true } } }]
  )
]

const text = (bytes: number): Buffer =>
  Buffer.concat([hex('da'), integer(2, bytes), Buffer.alloc(bytes, 0x61)])

const places: readonly Fault[] = [
  session(
    'fragments',
    'writes an object of a shape in fragments',
    peer => [point(peer), ...peer.fragments(Buffer.concat([hex('40'), text(3_000), hex('4002c3')]), 1_024)],
    [{ x: 'a'.repeat(3_000), y: { x: 2, y: true } }]
  ),
  session(
    'fragment-alone',
    'writes an object of a shape in a last fragment alone',
    peer => [point(peer), peer.seal(4, hex('400102'))],
    [POINT]
  ),
  row(
    'early',
    'announces and uses a shape in its early data, and behind it',
    {
      sends: { M4: (m4, peer) => [m4, point(peer), peer.seal(2, hex(ONE_TWO))] },
      ...sending(peer => [peer.seal(2, hex(ONE_TWO))], 2)
    },
    [POINT, POINT],
    {},
    ['responder']
  ),
  row(
    'behind-m5',
    'announces and uses a shape right behind M5',
    {
      sends: { M5: (m5, peer) => [m5, point(peer), peer.seal(2, hex(ONE_TWO))] },
      ...sending(peer => [peer.seal(2, hex(ONE_TWO))], 2)
    },
    [POINT, POINT],
    {},
    ['initiator']
  ),
  row(
    'behind-target',
    "announces and uses a shape behind the target's close",
    {
      open: async peer => {
        await closedOn(peer)
        peer.write(point(peer), peer.seal(2, hex(ONE_TWO)), peer.close())
        peer.end()
      }
    },
    [POINT],
    { closesFirst: true }
  )
]

const numbers: readonly Fault[] = [
  session(
    'none',
    'announces none, so that 40 to 7f are numbers',
    peer => [peer.seal(2, hex('9440 5f607f')), peer.seal(2, hex('919340 81a17840 c3'))],
    [64, 95, 96, 127, [64, { x: 64 }, true]]
  ),
  session(
    'numbers',
    'writes 64 and 127 as 40 and 7f before its first shape, and as cc behind it',
    peer => [peer.seal(2, hex('92407f')), point(peer), peer.seal(2, hex('93cc40cc7f40cc40cc7f'))],
    [64, 127, 64, 127, { x: 64, y: 127 }]
  ),
  session(
    'mirrored',
    "sends so many equal objects that the target may announce shapes of its own, which are not Mallory's",
    peer => [
      peer.seal(2, Buffer.concat([hex('dc0028'), Buffer.alloc(40 * 7, hex('82a17801a17902'))])),
      peer.seal(2, hex('9340417f'))
    ],
    [...Array.from({ length: 40 }, () => POINT), 64, 65, 127]
  )
]

export const shapeControls: readonly Fault[] = [...uses, ...announcements, ...places, ...numbers]
