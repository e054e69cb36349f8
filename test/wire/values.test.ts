// The check before encoding: what it refuses, in which words, and that its size is right.

import fc from 'fast-check'
import t from 'tap'
import { MAX_DEPTH, MAX_VALUES } from '../../lib/constants.ts'
import { StalkError } from '../../lib/errors.ts'
import { KeySets } from '../../lib/wire/key-sets.ts'
import { pack } from '../../lib/wire/packer.ts'
import { Check, check } from '../../lib/wire/values.ts'
import { anyMessage } from './arbitrary.ts'

function refusalOf(message: unknown): StalkError {
  try {
    check(message)
  } catch (error) {
    if (error instanceof StalkError) return error
  }
  throw new Error('it was not refused')
}

class Point {
  x = 1
}
class Stamp extends Date {}
class Bag extends Set {}
class List extends Array {}
class Bytes extends Uint8Array {}

const holes = (): unknown[] => Object.assign(new Array(3), { 0: 1, 2: 3 })

// Half a pair, written so that no formatter makes it something else.
const HALF = String.fromCharCode(0xd800)

const REFUSED: readonly (readonly [name: string, value: unknown, text: string])[] = [
  ['a function', () => 1, 'cannot carry a function; leave it out'],
  ['a symbol', Symbol('s'), 'cannot carry a symbol; send its description'],
  ['a Map', new Map(), 'cannot carry a Map; send [...map]'],
  ['an Error', new Error('no'), 'cannot carry an Error; send { name, message, stack }'],
  [
    'a TypeError',
    new TypeError('no'),
    'cannot carry an instance of TypeError; send { name, message, stack }'
  ],
  ['a RegExp', /x/, 'cannot carry a RegExp; send its source and flags'],
  ['a boxed number', Object(1), 'cannot carry a Number; send the primitive, as valueOf() gives it'],
  ['a boxed string', Object('s'), 'cannot carry a String; send the primitive, as valueOf() gives it'],
  ['a boxed boolean', Object(true), 'cannot carry a Boolean; send the primitive, as valueOf() gives it'],
  ['a boxed bigint', Object(1n), 'cannot carry a BigInt; send the primitive, as valueOf() gives it'],
  ['a promise', Promise.resolve(1), 'cannot carry a Promise; await it first'],
  ['a URL', new URL('a:b'), 'cannot carry a URL; send its href'],
  [
    'a WeakMap',
    new WeakMap(),
    'cannot carry a WeakMap; send a plain object, an array or a Buffer made from it'
  ],
  [
    'an instance',
    new Point(),
    'cannot carry an instance of Point; send a plain object, an array or a Buffer made from it'
  ],
  [
    'a Date of a subclass',
    new Stamp(),
    'cannot carry an instance of Stamp; send a plain object, an array or a Buffer made from it'
  ],
  [
    'a Set of a subclass',
    new Bag(),
    'cannot carry an instance of Bag; send a plain object, an array or a Buffer made from it'
  ],
  [
    'an array of a subclass',
    new List(),
    'cannot carry an instance of List; send a plain object, an array or a Buffer made from it'
  ],
  [
    'bytes of a subclass',
    new Bytes(1),
    'cannot carry an instance of Bytes; send a plain object, an array or a Buffer made from it'
  ],
  [
    'an unnamed class',
    new (class {})(),
    'cannot carry an instance of an unnamed class; send a plain object, an array or a Buffer made from it'
  ],
  [
    'an inherited object',
    Object.create({ a: 1 }),
    'cannot carry an instance of Object; send a plain object, an array or a Buffer made from it'
  ],
  [
    'an array in name only',
    Object.create(Array.prototype),
    'cannot carry an Array; send a plain object, an array or a Buffer made from it'
  ],
  ['shared memory', new SharedArrayBuffer(1), 'cannot carry a SharedArrayBuffer; send a Buffer with a copy'],
  ['holes', holes(), 'cannot carry an array with holes; fill them, as in Array.from(array)'],
  [
    'a hole, and a property in its place in the count',
    Object.assign(new Array(2), { 0: 1, more: 2 }),
    'cannot carry an array with holes; fill them, as in Array.from(array)'
  ],
  [
    'an array with a symbol',
    Object.assign([1], { [Symbol('s')]: 1 }),
    'cannot carry an array with properties beside its elements; send Array.from(array)'
  ],
  [
    'an array with a constructor of its own',
    Object.defineProperty([1], 'constructor', { value: Map }),
    'cannot carry a Map; send a plain object, an array or a Buffer made from it'
  ],
  [
    'a Set with a constructor of its own',
    Object.defineProperty(new Set(), 'constructor', { value: Map }),
    'cannot carry a Map with properties of its own; send them beside it'
  ],
  [
    'a Date with a constructor of its own',
    Object.defineProperty(new Date(), 'constructor', { value: Map }),
    'cannot carry a Map with properties of its own; send them beside it'
  ],
  [
    'a match',
    'ab'.match(/b/),
    'cannot carry an array with properties beside its elements; send Array.from(array)'
  ],
  [
    'a Date with a property',
    Object.assign(new Date(), { a: 1 }),
    'cannot carry a Date with properties of its own; send them beside it'
  ],
  [
    'a Set with a property',
    Object.assign(new Set(), { a: 1 }),
    'cannot carry a Set with properties of its own; send them beside it'
  ],
  [
    'a Set with a symbol',
    Object.assign(new Set(), { [Symbol('s')]: 1 }),
    'cannot carry a Set with properties of its own; send them beside it'
  ],
  [
    'odd bytes',
    Object.assign(Buffer.alloc(1), { constructor: Map }),
    'cannot carry binary data with a constructor of its own'
  ],
  ['a symbol key', { [Symbol('s')]: 1 }, 'cannot carry an object with symbol keys; use strings as keys'],
  [
    'a symbol key beside one that is not enumerable',
    Object.defineProperty({ [Symbol('s')]: 1 }, Symbol('t'), { value: 1, enumerable: false }),
    'cannot carry an object with symbol keys; use strings as keys'
  ],
  ['__proto__', JSON.parse('{"__proto__":1}'), 'cannot carry a key named __proto__; rename it'],
  [
    'half a pair',
    HALF,
    'cannot carry a string with half a surrogate pair; make it well-formed with toWellFormed()'
  ],
  [
    'half a pair in a long string',
    `${'x'.repeat(50)}${HALF}`,
    'cannot carry a string with half a surrogate pair; make it well-formed with toWellFormed()'
  ],
  [
    'half a pair in a key',
    { [HALF]: 1 },
    'cannot carry a string with half a surrogate pair; make it well-formed with toWellFormed()'
  ],
  [
    'a huge bigint',
    2n ** 8191n,
    'cannot carry a bigint of more than 1024 bytes; send its bytes or its digits'
  ],
  [
    'a huge negative bigint',
    -(2n ** 8191n) - 1n,
    'cannot carry a bigint of more than 1024 bytes; send its bytes or its digits'
  ],
  ['a Date in name only', Object.create(Date.prototype), 'cannot read the value: this is not a Date object.']
]

function examine(message: unknown): { readonly bytes: number; readonly negativeZero: boolean } {
  const examined = new Check(new KeySets(), false)
  examined.examine(message)
  return examined
}

t.test('what would come out different is refused, with a hint what to do', async t => {
  for (const [name, value, text] of REFUSED) {
    const error = refusalOf(value)
    t.equal(error.message, text, name)
    t.equal(error.code, 'ERR_STALK_VALUE_UNSUPPORTED', name)
    t.equal(error.phase, 'open')
  }
})

t.test('null and undefined are not messages', async t => {
  t.equal(refusalOf(null).message, 'null is not a message; wrap it, as in { value: null }')
  t.equal(refusalOf(undefined).message, 'undefined is not a message; wrap it, as in { value: undefined }')
  t.equal(refusalOf(null).code, 'ERR_STALK_VALUE_UNSUPPORTED')
  t.equal(check({ value: null }), 8)
  t.equal(check([undefined]), 4)
})

t.test('the path leads to the value', async t => {
  const f = (): void => {}
  t.match(
    refusalOf({ user: { name: 'a', callbacks: [1, 2, 3, f] } }).message,
    /^cannot carry a function at \.user\.callbacks\[3\];/
  )
  t.match(refusalOf({ tags: new Set([1, f]) }).message, / at \.tags\{1\};/)
  t.match(refusalOf([[{ 'a b': { '': f } }]]).message, / at \[0\]\[0\]\["a b"\]\[""\];/)
  t.match(refusalOf({ a: new Map([[1, f]]) }).message, /^cannot carry a Map at \.a;/)
  t.match(refusalOf(Object.assign(Object.create(null), { größe: f })).message, / at \.größe;/)
  const long = refusalOf({ ['k'.repeat(100_000)]: f }).message
  t.ok(long.length < 300 && long.includes(' … '), 'a path is shortened')
})

t.test('cycles are named as such', async t => {
  const self: { me?: unknown } = {}
  self.me = self
  t.equal(
    refusalOf(self).message,
    'cannot carry a cycle at .me; send a tree, with ids in place of references back'
  )
  const parent: { children: unknown[] } = { children: [] }
  parent.children.push({ name: 'child' }, { parent })
  t.match(refusalOf({ root: parent }).message, /^cannot carry a cycle at \.root\.children\[1\]\.parent;/)
  const set = new Set<unknown>()
  set.add([set])
  t.match(refusalOf(set).message, /^cannot carry a cycle at \{0\}\[0\];/)
})

t.test('a getter that throws is the caller’s error, with its cause', async t => {
  const cause = new Error('not today')
  const error = refusalOf({
    a: {
      get b(): number {
        throw cause
      }
    }
  })
  t.equal(error.message, 'cannot read the value at .a.b: not today')
  t.equal(error.cause, cause)
  const thrown = refusalOf({
    get b(): number {
      throw 'words'
    }
  })
  t.equal(thrown.message, 'cannot read the value at .b: words')
})

t.test('a getter that fails once leaves the path at its object', async t => {
  let times = 0
  const error = refusalOf({
    a: {
      get b(): unknown {
        times++
        return times === 1 ? () => {} : 1
      }
    }
  })
  t.match(error.message, /^cannot carry a function/)
})

const nested = (depth: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < depth; i++)
    value = i % 3 === 0 ? [value] : i % 3 === 1 ? { a: value } : new Set([value])
  return value
}

t.test('nesting is taken to the limit and not beyond', async t => {
  check(nested(MAX_DEPTH))
  const error = refusalOf(nested(MAX_DEPTH + 1))
  t.match(error.message, /^cannot carry nesting deeper than 64 at /)
})

t.test('the count of values is taken to the limit and not beyond', async t => {
  t.equal(check(new Array(MAX_VALUES - 1).fill(1)), MAX_VALUES - 1 + 5)
  t.equal(
    refusalOf(new Array(MAX_VALUES).fill(1)).message,
    'cannot carry more than 1000000 values; send it in parts'
  )
  t.equal(
    refusalOf([new Array(4_000_000_000)]).message,
    'cannot carry more than 1000000 values at [0]; send it in parts'
  )
})

t.test('sharing is fine; what it multiplies into counts', async t => {
  const shared = { a: [1, 2] }
  t.equal(check([shared, shared, shared]), 1 + 3 * check(shared))
  let value: unknown = 1
  for (let i = 0; i < 40; i++) value = [value, value]
  t.match(refusalOf(value).message, /^cannot carry more than 1000000 values/)
})

t.test('what only looks odd is carried', async t => {
  const hidden = Object.defineProperty({ a: 1 }, Symbol('s'), { value: 1, enumerable: false })
  for (const message of [
    hidden,
    Object.defineProperty([1], Symbol('s'), { value: 1, enumerable: false }),
    Object.defineProperty(new Set([1]), Symbol('s'), { value: 1, enumerable: false }),
    { constructor: 1, toJSON: 2, hasOwnProperty: 3, valueOf: null },
    Object.assign(Object.create(null), { a: 1 }),
    Object.freeze([Object.freeze({})]),
    new Proxy({ a: 1 }, {}),
    new Date(Number.NaN),
    new Uint8Array(new SharedArrayBuffer(2)),
    Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, i])),
    2n ** 8191n - 1n,
    -(2n ** 8191n)
  ]) {
    t.ok(check(message) > 0)
  }
})

t.test('inherited keys are not part of a message', async t => {
  Object.defineProperty(Object.prototype, 'polluted', {
    value: () => {},
    enumerable: true,
    configurable: true
  })
  t.teardown(() => Reflect.deleteProperty(Object.prototype, 'polluted'))
  t.equal(check({ a: 1 }), 4)
})

t.test('a -0 is noticed wherever it stands', async t => {
  t.equal(examine({ a: [0, 1] }).negativeZero, false)
  t.equal(examine({ a: [0, -0] }).negativeZero, true)
  t.equal(examine(-0).negativeZero, true)
  t.equal(examine(new Set([[-0]])).bytes, 3 + 1 + 1 + 9)
})

t.test('the size is that of the encoded message', async t => {
  for (const message of [
    new Date(0),
    new Date(1),
    new Date(-1),
    new Date(2 ** 32 * 1000),
    new Date(Number.NaN),
    ...[0, 31, 32, 33, 250, 253, 254, 255, 256, 65_533, 65_534, 65_535, 65_536].flatMap(n => [
      Buffer.alloc(n),
      new Int8Array(n),
      'x'.repeat(n)
    ]),
    ...[0, 15, 16, 65_535, 65_536].flatMap(n => [
      new Array(n).fill(true),
      new Set(Array.from({ length: n }, (_, i) => `${i}`))
    ]),
    ...[0, 2 ** 7, 2 ** 8, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 53].flatMap(n => [n - 1, n, n + 1]),
    ...[-32, -128, -(2 ** 15), -(2 ** 31), -(2 ** 53)].flatMap(n => [n - 1, n, n + 1]),
    ...[0n, 2n ** 63n, 2n ** 64n, -(2n ** 63n)].flatMap(n => [n - 1n, n]),
    ...['\x7f', '\x80', '\u07ff', '\u0800', '\ud7ff', '\ue000', '\uffff', '\u{10ffff}', '\u{10000}'],
    ...['é', '€', '😀'].flatMap(text => [text, text.repeat(10), text.repeat(20), `a${text.repeat(15)}`])
  ]) {
    t.equal(check(message), pack(message).length)
  }
})

t.test('the size is right for arbitrary messages, and never too high', async t => {
  fc.assert(
    fc.property(anyMessage, message => {
      const { bytes, negativeZero } = examine(message)
      if (negativeZero) return true
      const packed = pack(message).length
      return bytes === packed || (bytes < packed && holdsBigint(message))
    }),
    { numRuns: 500 }
  )
  t.pass()
})

const holdsBigint = (value: unknown): boolean => {
  if (typeof value === 'bigint') return true
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return false
  return (value instanceof Set ? [...value] : Object.values(value)).some(holdsBigint)
}

t.test('binary data counts as eight values, as it does at the peer', async t => {
  for (const one of [Buffer.alloc(0), new Uint8Array(0)]) {
    t.ok(check(Array.from({ length: 124_999 }, () => one)))
    t.throws(() => check(Array.from({ length: 125_000 }, () => one)), {
      code: 'ERR_STALK_VALUE_UNSUPPORTED',
      message: /more than 1000000 values/
    })
  }
})
