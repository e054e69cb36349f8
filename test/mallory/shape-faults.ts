// Faults of shapes: their announcements, where these stand, and the objects that are written with them. Everything is
// sealed well.

import { innerOf, shapesContent } from '../helpers/formulas.ts'
import {
  after,
  between,
  broken,
  type Expected,
  type Fault,
  flights,
  hex,
  refused,
  toBoth,
  toInitiator,
  toResponder
} from './fault.ts'
import { BUCKET } from './flood-faults.ts'
import type { Peer } from './peer.ts'
import { askInTurn, pinged } from './questions.ts'

const bad = broken('ERR_STALK_BAD_MESSAGE', 11)
const unexpected = broken('ERR_STALK_UNEXPECTED', 1)
/** Behind a close the target may have answered it, and tells no more then. */
const untold = broken('ERR_STALK_UNEXPECTED', 1, 'none')

type Make = (peer: Peer) => Buffer | readonly Buffer[]

const row = (name: string, does: string, make: Make, expected: Expected = bad): Fault =>
  toBoth(`shape-${name}`, does, between(make), expected)

/** Announces these: the first has this id. */
export const announced = (peer: Peer, first: number, ...shapes: readonly (readonly string[])[]): Buffer =>
  peer.seal(10, shapesContent(first, ...shapes))

/** So many names, in order. */
export const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`)

/** So many shapes of a name each. */
export const shapes = (count: number): string[][] => names(count).map(name => [name])

// --- form ----------------------------------------------------------------------------------------------

/** One record of kind 0A with this content. */
const malformed = (name: string, does: string, content: Buffer | string): Fault =>
  row(name, does, peer => peer.seal(10, typeof content === 'string' ? hex(content) : content))

const named = (name: string, does: string, ...found: string[]): Fault =>
  malformed(`name-${name}`, does, shapesContent(0, found))

const forms: readonly Fault[] = [
  malformed('nothing', 'announces shapes without a byte', ''),
  malformed('cut-behind-id', 'ends an announcement behind its first id', '00'),
  malformed('cut-behind-n', 'announces a shape and leaves it out', '0001'),
  malformed('cut-behind-names', 'announces a shape of one name and leaves that out', '000101'),
  malformed('cut-in-name', 'ends an announcement within a name', '0001010261'),
  malformed('cut-second', 'announces two shapes and leaves the second out', '0002010161'),
  malformed('n-0', 'announces no shape', '0000'),
  malformed('n-0-more', 'announces no shape, and has one behind that', '0000010161'),
  malformed('trailing', 'puts a byte behind an announcement', '000101016100'),
  malformed('trailing-shape', 'puts another shape behind an announcement', '0001010161010162'),
  malformed('names-0', 'announces a shape without a name', '000100'),
  malformed('names-0-behind', 'announces a shape without a name behind a good one', '000201016100'),
  malformed('names-65', 'announces a shape of 65 names', shapesContent(0, names(65))),
  malformed('names-255', 'announces a shape of 255 names', shapesContent(0, names(255))),
  named('empty', 'announces an empty name', ''),
  named('empty-behind', 'announces an empty name behind a good one', 'a', ''),
  named('65', 'announces a name of 65 bytes', 'a'.repeat(65)),
  named('255', 'announces a name of 255 bytes', 'a'.repeat(255)),
  named('dash', 'announces a name with a dash', 'a-b'),
  named('dot', 'announces a name with a dot', 'a.b'),
  named('space', 'announces a name with a space', 'a b'),
  named('nul', 'announces a name with a byte 00', 'a\0'),
  named('newline', 'announces a name with a line break', 'a\n'),
  named('digit-first', 'announces a name that begins with a digit', '0a'),
  named('digit', 'announces a digit for a name', '7'),
  named('not-ascii', 'announces a name that is not ASCII', 'ü'),
  named('code', 'announces a name that would end a string of source text', 'a"]+b'),
  malformed('name-not-utf8', 'announces a name that is not UTF-8', '00010101ff'),
  named('proto', 'announces the name __proto__', '__proto__'),
  named('proto-behind', 'announces the name __proto__ behind good ones', 'a', 'b', '__proto__'),
  named('twice', 'announces a name twice', 'a', 'a'),
  named('twice-apart', 'announces a name twice, first and last', ...names(63), 'n0'),
  malformed(
    'name-twice-second',
    'announces a name twice in its second shape',
    shapesContent(0, ['a'], ['b', 'b'])
  )
]

// --- order ---------------------------------------------------------------------------------------------

const order: readonly Fault[] = [
  malformed('first-1', 'begins with id 1', shapesContent(1, ['a'])),
  malformed('first-40', 'begins with id 40, the byte of shape 0', shapesContent(0x40, ['a'])),
  malformed('first-ff', 'begins with id ff', shapesContent(0xff, ['a'])),
  row('gap', 'leaves an id out', peer => [announced(peer, 0, ['a']), announced(peer, 2, ['b'])]),
  row('repeated', 'announces a shape twice under one id', peer => [
    announced(peer, 0, ['a']),
    announced(peer, 0, ['a'])
  ]),
  row('replaced', 'announces another shape under an id that is taken', peer => [
    announced(peer, 0, ['a'], ['b']),
    announced(peer, 1, ['c'])
  ]),
  malformed('33', 'announces 33 shapes in one record', shapesContent(0, ...shapes(33))),
  malformed('255', 'announces 255 shapes in one record', shapesContent(0, ...shapes(255))),
  row('33rd', 'announces a shape behind 32', peer => [
    announced(peer, 0, ...shapes(32)),
    announced(peer, 32, ['a'])
  ]),
  row('33rd-of-two', 'announces two shapes behind 31', peer => [
    announced(peer, 0, ...shapes(31)),
    announced(peer, 31, ['a'], ['b'])
  ]),
  row('again-behind-update', 'begins with id 0 again behind a key update', peer => [
    announced(peer, 0, ['a']),
    peer.update(),
    announced(peer, 0, ['b'])
  ])
]

// --- place ---------------------------------------------------------------------------------------------

const good = shapesContent(0, ['x', 'y'])
const part = Buffer.concat([hex('da0800'), Buffer.alloc(1_021, 0x61)])

const places: readonly Fault[] = [
  toBoth(
    'shape-for-flight',
    'announces a shape in place of its flight',
    flights((_, peer) => peer.insteadOfFlight(10, good)),
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  toInitiator(
    'shape-for-m5',
    'announces a shape in place of M5',
    { accept: innerOf(10, good) },
    refused('ERR_STALK_UNEXPECTED', 1)
  ),
  row(
    'amid-fragments',
    'announces a shape between fragments',
    peer => [peer.seal(3, part), peer.seal(10, good), peer.seal(4, Buffer.alloc(1_027, 0x61))],
    unexpected
  ),
  toBoth(
    'shape-behind-close',
    'announces a shape behind its close',
    after(peer => [peer.close(0), peer.seal(10, good)]),
    untold
  ),
  toResponder(
    'shape-early-close',
    'announces a shape behind a close in its early data',
    {
      sends: { M4: (m4, peer) => [m4, peer.message('before'), peer.close(0), peer.seal(10, good)] },
      open: () => {}
    },
    untold
  ),
  toResponder(
    'shape-early-bad',
    'announces a shape without a name in its early data',
    {
      sends: {
        M4: (m4, peer) => [m4, peer.message('before'), peer.seal(10, hex('000100')), peer.message('behind')]
      },
      open: () => {}
    },
    bad
  ),
  toBoth(
    'flood-behind-shapes',
    'uses up what it may ask, announces shapes, and asks half as much again',
    {
      open: async peer => {
        peer.write(peer.message('before'))
        await askInTurn(peer, BUCKET, pinged)
        peer.write(announced(peer, 0, ['a']), announced(peer, 1, ['b']))
        await askInTurn(peer, BUCKET / 2, pinged)
        peer.write(peer.message('behind'))
      }
    },
    broken('ERR_STALK_FLOODED', 9)
  )
]

// --- use -----------------------------------------------------------------------------------------------

/** Two shapes are announced: `{ x, y }` is 40 and `{ a }` is 41. One message follows in a record of its own. */
const used = (name: string, does: string, bytes: string): Fault => whole(name, does, `91${bytes}`)

/** The same with the record's whole content. */
const whole = (name: string, does: string, content: string): Fault =>
  row(`use-${name}`, does, peer => [announced(peer, 0, ['x', 'y'], ['a']), peer.seal(2, hex(content))])

const uses: readonly Fault[] = [
  used('unannounced', 'writes an object of the shape behind its last', '42c3'),
  used('5f', 'writes an object of shape 31, which it has not announced', '5fc3'),
  used('60', 'writes an object of shape 32, which cannot be', '60c3'),
  used('7f', 'writes the number 127 as 7f though it has announced a shape', '7f'),
  used('number-amid', 'writes the number 100 as 64 in an array, though it has announced a shape', '930164c3'),
  used('unannounced-inside', 'has an object of an unknown shape within one of a shape', '4001 42c3'),
  used('without-values', 'writes an object of a shape without its values', '40'),
  used('too-few', 'writes an object of a shape with too few values', '4001'),
  used('too-few-inside', 'leaves a value out of the inner of two objects of shapes', '40014102 40'),
  used('too-many', 'writes an object of a shape with a value too many', '400102c3'),
  used('c1', 'has the byte c1 among the values of a shape', '4001c1'),
  used('key', 'has an object of a shape for a key', '814161c3'),
  used('key-byte', 'has the byte of a shape for a key', '8141c3'),
  used('set', 'has an object of a shape in place of the array of a set', 'd4730041c3'),
  used('proto', 'names a key __proto__ within an object of a shape', '4181a95f5f70726f746f5f5fc3'),
  used('string', 'announces a longer string than there is, within an object of a shape', '41a561'),
  used('deep', 'nests objects of a shape 65 deep', `${'41'.repeat(65)}c3`),
  used('deep-array', 'nests an array in 64 objects of a shape', `${'41'.repeat(64)}90`),
  used('deep-mixed', 'nests objects of a shape and sets 65 deep', `${'41d4730091'.repeat(32)}41c3`),
  used('very-deep', 'nests objects of a shape 60,000 deep', `${'41'.repeat(60_000)}c3`),
  used('very-wide', 'begins 30,000 objects of a shape and ends none', '40'.repeat(30_000)),
  whole('array', 'has an object of a shape in place of the array of messages', '40c3c3'),
  whole('bad-after-good', 'sends a good object of a shape and a bad one together', '92400102 4001'),
  row('before', 'writes an object of a shape before it announces that', peer => [
    peer.seal(2, hex('91400102')),
    announced(peer, 0, ['x', 'y'])
  ]),
  row('first-of-announced', 'writes an object of a shape that only its next record announces', peer => [
    announced(peer, 0, ['a']),
    peer.seal(2, hex('91410102')),
    announced(peer, 1, ['x', 'y'])
  ]),
  row('behind-update', 'writes the number 65 as 41 behind a shape and a key update', peer => [
    announced(peer, 0, ['a']),
    peer.update(),
    peer.seal(2, hex('9141'))
  ]),
  row('in-fragments', 'writes an object of a shape with too few values in fragments', peer => [
    announced(peer, 0, ['x', 'y']),
    ...peer.fragments(Buffer.concat([hex('40'), part, Buffer.alloc(1_027, 0x61)]), 1_024)
  ]),
  row(
    'too-many-values',
    'sends 111,112 objects of a shape, which count one each, of empty bytes, which count eight',
    peer => [
      announced(peer, 0, ['a']),
      ...peer.fragments(Buffer.concat([hex('dd0001b208'), Buffer.alloc(3 * 111_112, hex('40c400'))]), 65_599)
    ]
  )
]

export const shapeFaults: readonly Fault[] = [...forms, ...order, ...places, ...uses]
