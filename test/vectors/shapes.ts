// Shapes in the vectors: what is announced behind M5 and written with it, and what has to be refused. Plain data, of
// which make.ts makes records.

import { shapesContent, text } from '../helpers/formulas.ts'

type Role = 'initiator' | 'responder'

/** A record's sender, kind and content, and the messages that it delivers. */
export interface ShapeLine {
  readonly from: Role
  readonly what: string
  readonly kind: number
  readonly content: Buffer
  readonly messages?: readonly unknown[]
}

const I = 'initiator'
const R = 'responder'

const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex')

const shapes = (from: Role, what: string, first: number, ...given: string[][]): ShapeLine => {
  return { from, what, kind: 10, content: shapesContent(first, ...given) }
}

const messages = (from: Role, what: string, digits: string, ...given: unknown[]): ShapeLine => {
  return { from, what, kind: 2, content: hex(digits), messages: given }
}

/** As long as a fragment can be that has another one behind it, and a little behind that. */
const LONG = 'x'.repeat(1_100)
const OBJECT = Buffer.concat([hex('42da044c'), text(LONG), hex('d4 73 00 91 41 c0')])

/** 64 names of 64 bytes, of all characters that there may be. */
const CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$0123456789'
const LONGEST = Array.from({ length: 64 }, (_, i) =>
  `${'$_'[i % 2]}${CHARACTERS.slice(i)}${CHARACTERS.slice(0, i)}`.slice(0, 64)
)

const MOST = Array.from({ length: 30 }, (_, i) => [`n${i}`])

/** The initiator announces, on both sides of a key update; the responder does not, and sends numbers. */
export const INITIATOR_ANNOUNCES: readonly ShapeLine[] = [
  shapes(I, 'shapes 0 and 1: id and at; x', 0, ['id', 'at'], ['x']),
  messages(
    I,
    'three messages, two of them of shapes',
    '93 40 07 c3 41 40 cc40 cc7f 81 a178 05',
    { id: 7, at: true },
    { x: { id: 64, at: 127 } },
    { x: 5 }
  )
]

export const BEHIND_UPDATE: readonly ShapeLine[] = [
  messages(I, 'a message of shapes 1 and 0', '91 41 92 40 01 02 40 40 03 04 05', {
    x: [
      { id: 1, at: 2 },
      { id: { id: 3, at: 4 }, at: 5 }
    ]
  }),
  shapes(I, 'shape 2: id and at again', 2, ['id', 'at']),
  { from: I, what: 'first fragment of an object of shape 2', kind: 3, content: OBJECT.subarray(0, 1_024) },
  {
    from: I,
    what: 'last fragment of an object of shape 2',
    kind: 4,
    content: OBJECT.subarray(1_024),
    messages: [{ id: LONG, at: { $set: [{ x: null }] } }]
  }
]

/** The responder announces as much as it may: longest names, and 32 shapes. */
export const RESPONDER_ANNOUNCES: readonly ShapeLine[] = [
  shapes(R, 'shape 0: 64 names of 64 bytes', 0, LONGEST),
  {
    ...messages(R, 'an object of shape 0', '91 40', Object.fromEntries(LONGEST.map((name, i) => [name, i]))),
    content: Buffer.concat([hex('91 40'), Buffer.from(LONGEST.map((_, i) => i))])
  },
  shapes(R, 'shapes 1 to 30', 1, ...MOST),
  shapes(R, 'shape 31', 31, ['constructor', 'toString']),
  messages(
    R,
    'messages of shapes 1, 30 and 31',
    '93 41 c3 5e c2 5f 5f 01 02 03',
    { n0: true },
    { n29: false },
    {
      constructor: { constructor: 1, toString: 2 },
      toString: 3
    }
  )
]

/** Each has its own shapes, and numbers until then. */
export const BOTH_ANNOUNCE: readonly ShapeLine[] = [
  messages(I, '64 and 127, which are numbers as yet', '92 40 7f', 64, 127),
  shapes(I, 'shape 0: x', 0, ['x']),
  messages(R, '64 and 127, which are numbers as yet', '92 40 7f', 64, 127),
  shapes(R, 'shape 0: y and z', 0, ['y', 'z']),
  messages(I, 'an object of shape 0, and 64', '92 40 05 cc 40', { x: 5 }, 64),
  messages(R, 'an object of shape 0, and 127', '92 40 05 06 cc 7f', { y: 5, z: 6 }, 127)
]

// --- what has to be refused ------------------------------------------------------------------------------

type Bad = readonly [name: string, content: Buffer]

const names = (count: number): string[] => Array.from({ length: count }, (_, i) => `n${i}`)

/** As the first announcement of a direction. */
export const ANNOUNCEMENTS: readonly Bad[] = [
  ['an empty announcement of shapes', hex('')],
  ['shapes that end behind the first id', hex('00')],
  ['no shape', hex('00 00')],
  ['a shape that is not there', hex('00 01')],
  ['a first shape of id 1', shapesContent(1, ['a'])],
  ['a first shape of id 64', shapesContent(64, ['a'])],
  ['a shape without names', hex('00 01 00')],
  ['a shape of 65 names', shapesContent(0, names(65))],
  ['33 shapes', shapesContent(0, ...names(33).map(name => [name]))],
  ['a byte behind the shapes', hex('00 01 01 01 61 00')],
  ['a name that is cut', hex('00 01 01 02 61')],
  ['a second shape that is cut', hex('00 02 01 01 61 01')],
  ['an empty name', shapesContent(0, [''])],
  ['a name of 65 bytes', shapesContent(0, ['a'.repeat(65)])],
  ['a name with -', shapesContent(0, ['a-b'])],
  ['a name with a space', shapesContent(0, ['a '])],
  ['a name that begins with a digit', shapesContent(0, ['1a'])],
  ['a name that is not ASCII', shapesContent(0, ['ü'])],
  ['a name of a byte ff', hex('00 01 01 01 ff')],
  ['the name __proto__', shapesContent(0, ['a', '__proto__'])],
  ['a name that is there twice', shapesContent(0, ['a', 'b', 'a'])]
]

/** As messages behind shapes 0 (id and at) and 1 (x). */
export const USES: readonly Bad[] = [
  ['an object of shape 2, which was not announced', hex('91 42 c3')],
  ['an object of shape 31, which was not announced', hex('91 5f c3')],
  ['the byte 60, which can be no shape', hex('91 60 c3')],
  ['the number 127 as 7f', hex('91 7f')],
  ['the number 100 as 64, in an array', hex('91 93 01 64 02')],
  ['an object of a shape without values', hex('91 40')],
  ['an object of a shape with a value too few', hex('91 40 07')],
  ['an object of a shape with a value too many', hex('91 40 07 c3 c3')],
  ['an object of a shape as a key', hex('91 81 41 c3 c3')],
  ['the byte of a shape as a key', hex('91 81 41 c3')],
  ['an object of a shape in the place of the array of messages', hex('40 07 c3')],
  ['an object of a shape in the place of the array of a set', hex('91 d4 73 00 41 c3')],
  ['objects of a shape nested 65 deep', hex(`91 ${'41'.repeat(65)} c3`)],
  ['an array in 64 objects of a shape', hex(`91 ${'41'.repeat(64)} 90`)],
  ['the key __proto__ in an object of a shape', hex('91 41 81 a9 5f5f70726f746f5f5f c3')]
]

/** As announcements behind shapes 0 and 1. */
export const LATER: readonly Bad[] = [
  ['shape 0 again', shapesContent(0, ['id', 'at'])],
  ['shape 1 again', shapesContent(1, ['y'])],
  ['shape 3, where shape 2 is next', shapesContent(3, ['y'])],
  ['31 shapes behind two', shapesContent(2, ...names(31).map(name => [name]))]
]

export const GOOD = shapesContent(0, ['id', 'at'])
export const THE_33RD = shapesContent(32, ['a'])
/** The last fragment of `BEHIND_UPDATE`, its last value left out. */
export const CUT = OBJECT.subarray(1_024, -1)
