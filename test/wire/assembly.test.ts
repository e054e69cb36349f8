// Assembly: whatever the fragments, and whatever their first bytes announce, all of it and nothing else comes out, and
// no more memory is taken ahead than what has come allows.

import fc from 'fast-check'
import t from 'tap'
import { Assembly } from '../../lib/wire/assembly.ts'
import { binaryHeader } from '../../lib/wire/tokens.ts'

const MAX_BYTES = 2 ** 24

const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 7) % 251))

/** As a Buffer of `length` is packed. */
const packed = (length: number): Buffer => Buffer.concat([binaryHeader(length), noise(length)])

function assembled(fragments: readonly Buffer[]): Buffer {
  const assembly = new Assembly(MAX_BYTES)
  for (const fragment of fragments) assembly.add(fragment)
  return assembly.joined()
}

function cut(bytes: Buffer, size: number): Buffer[] {
  const fragments: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) fragments.push(bytes.subarray(at, at + size))
  return fragments
}

t.test('what is cut anywhere is whole again, whatever was announced', async () => {
  const announced = fc.oneof(fc.nat({ max: 20_000 }), fc.nat({ max: 0xffff_ffff }), fc.constant(null))
  const sizes = fc.array(fc.integer({ min: 1, max: 6_000 }), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(announced, sizes, (claim, lengths) => {
      const [first = 0, ...others] = lengths
      const head = claim === null ? Buffer.alloc(0) : binaryHeader(claim)
      const fragments = [Buffer.concat([head, noise(first)]), ...others.map(noise)]
      return assembled(fragments).equals(Buffer.concat(fragments))
    }),
    { numRuns: 500 }
  )
})

t.test('a Buffer is put together where it stays, aligned to 8 bytes behind its header', async t => {
  const bytes = packed(1_000_000)
  const whole = assembled(cut(bytes, 65_599))
  t.ok(whole.equals(bytes))
  t.equal((whole.byteOffset + 5) % 8, 0)
  t.equal(whole.buffer.byteLength, bytes.length + 3)
})

t.test('what is announced is not believed before a quarter of it has come', async t => {
  const length = 400_000
  const fragments = cut(packed(length), 10_000)
  const assembly = new Assembly(MAX_BYTES)
  const memory = fragments.map(fragment => {
    assembly.add(fragment)
    return assembly.joined().buffer.byteLength
  })
  const from = memory.findIndex(bytes => bytes > length)
  t.equal(from, 10, 'with the eleventh of 41')
  for (const [n, bytes] of memory.entries()) t.ok(bytes <= Math.max(4 * 10_000 * (n + 1), 20_000) + 8)
})

t.test('more than was announced is kept, for whoever judges it', async t => {
  const fragments = [
    packed(10_000).subarray(0, 6_000),
    packed(10_000).subarray(6_000),
    noise(3_000),
    noise(10)
  ]
  t.ok(assembled(fragments).equals(Buffer.concat(fragments)))
})

t.test('one fragment is not copied', async t => {
  const bytes = packed(50_000)
  t.equal(assembled([bytes]), bytes)
})

t.test('how much has come is told', async t => {
  const assembly = new Assembly(MAX_BYTES)
  t.equal(assembly.bytes, 0)
  for (const fragment of cut(packed(30_000), 7_000)) assembly.add(fragment)
  t.equal(assembly.bytes, 30_003)
})

t.test('what announces more than may come takes no memory for it', async t => {
  const fragments = cut(packed(60_000), 20_000)
  const assembly = new Assembly(59_999)
  for (const fragment of fragments.slice(0, 2)) assembly.add(fragment)
  t.equal(assembly.joined().length, 40_000)
  t.ok(assembly.joined().buffer.byteLength < 60_000)
})
