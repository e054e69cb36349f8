// The canary, in processes of their own: what another package does to msgpackr stays for good.

import { spawnSync } from 'node:child_process'
import t from 'tap'
import { assertPacksUnchanged, assertUnpacksUnchanged } from '../../lib/wire/canary.ts'

/** Runs `change` with msgpackr's addExtension, then makes a codec of each kind; prints the codes of the errors. */
function after(change: string): string {
  const script = `
    import { addExtension, Packr } from 'msgpackr/pack'
    import { MessageDecoder, MessageEncoder } from ${JSON.stringify(new URL('../../lib/wire/message.ts', import.meta.url).href)}
    ${change}
    for (const Codec of [MessageEncoder, MessageDecoder]) {
      try { new Codec(); console.log('made') } catch (error) { console.log(error.code, error.message) }
    }`
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import=tsx', '--input-type=module', '--eval', script],
    {
      encoding: 'utf8',
      cwd: new URL('../..', import.meta.url)
    }
  )
  return stdout === '' ? stderr : stdout
}

const FOREIGN: readonly (readonly [what: string, change: string])[] = [
  ['a Date', 'addExtension({ Class: Date, type: 5, pack: () => Buffer.of(1), unpack: () => new Date() })'],
  ['a Set', 'addExtension({ Class: Set, type: 6, write: set => [...set], read: array => new Set(array) })'],
  [
    'typed arrays',
    'addExtension({ Class: Float64Array, type: 7, pack: () => Buffer.of(1), unpack: () => 1 })'
  ],
  ['a Buffer', 'addExtension({ Class: Uint8Array, type: 7, pack: () => Buffer.of(1), unpack: () => 1 })'],
  ['every object', 'addExtension({ Class: Object, type: 8, pack: () => Buffer.of(1), unpack: () => 1 })'],
  ['what extension ff decodes to', 'addExtension({ type: 0xff, unpack: () => "soon" })'],
  ['what extension 00 decodes to', 'addExtension({ type: 0, unpack: () => null })'],
  [
    'a Date, by throwing',
    'addExtension({ Class: Date, type: 5, pack() { throw new Error("no") }, unpack: () => 1 })'
  ]
]

t.test('msgpackr by itself passes', async t => {
  assertPacksUnchanged()
  assertUnpacksUnchanged()
  t.match(after(''), /^made\nmade\n$/)
})

t.test('a change behind the first codecs is noticed soon', async t => {
  const said = after(`
    new MessageEncoder()
    new MessageDecoder()
    addExtension({ Class: Date, type: 5, pack: () => Buffer.of(1), unpack: () => new Date() })
    addExtension({ type: 0xff, unpack: () => "soon" })
    await new Promise(resolve => setTimeout(resolve, 150))`)
  t.match(said, /^(ERR_STALK_INTERNAL .*addExtension.*\n){2}$/)
})

t.test('an extension that changes nothing of ours does not matter', async t => {
  t.match(
    after('class Own {}; addExtension({ Class: Own, type: 9, pack: () => Buffer.of(1), unpack: () => 1 })'),
    /^made\nmade\n$/
  )
})

for (const [what, change] of FOREIGN) {
  t.test(`a codec is refused when another package changes ${what}`, async t => {
    t.match(after(change), /^(made\n)?(ERR_STALK_INTERNAL .*addExtension.*\n){1,2}(made\n)?$/)
  })
}
