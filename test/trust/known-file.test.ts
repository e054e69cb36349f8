// What a known_peers file says: to each key at each place, and with which words it is refused where it is malformed.

import t from 'tap'
import { Succession } from '../../lib/index.ts'
import { placeOf } from '../../lib/trust/hosts.ts'
import { KnownFile } from '../../lib/trust/known-file.ts'
import { alice, bob, carol, words } from './files.ts'

const read = (...lines: string[]): KnownFile => KnownFile.read(lines.join('\n'), 'peers')
const at = (host: string, port = 4000) => placeOf(host, port)

t.test('a key is known where a line of its covers the place', async t => {
  const file = read(`[a]:4000 ${words(alice, 'the first one')}`, `*.org ${words(bob)}`, `a ${words(carol)}`)
  t.match(file.verdict(at('a'), alice), {
    kind: 'known',
    entry: { line: 1, key: { comment: 'the first one' } }
  })
  t.match(file.verdict(at('a'), carol), { kind: 'known', entry: { line: 3 } })
  t.match(file.verdict(at('x.org'), bob), { kind: 'known', entry: { line: 2 } })
})

t.test('at a place with other keys it has changed; at none it is unknown, and known elsewhere', async t => {
  const file = read(`[a]:4000 ${words(alice)}`, '', '# remark', `a,b ${words(bob)}`)
  t.match(file.verdict(at('a'), carol), { kind: 'changed', entries: [{ line: 1 }, { line: 4 }] })
  t.match(file.verdict(at('c'), carol), { kind: 'unknown', elsewhere: [] })
  t.match(file.verdict(at('c'), bob), { kind: 'unknown', elsewhere: [{ line: 4 }] })
  t.match(read().verdict(at('a'), alice), { kind: 'unknown', elsewhere: [] })
})

t.test('what is revoked at a place is refused there, whatever other lines say', async t => {
  const file = read(`a,b ${words(alice)}`, `@revoked a ${words(alice, 'stolen')}`, `@revoked * ${words(bob)}`)
  t.match(file.verdict(at('a'), alice), { kind: 'revoked', entry: { line: 2 } })
  t.match(file.verdict(at('b'), alice), { kind: 'known' })
  t.match(file.verdict(at('c'), bob), { kind: 'revoked', entry: { line: 3 } })
  t.match(file.verdict(at('a'), carol), { kind: 'changed' }, 'its key is revoked, and it is still its place')
})

t.test('line ends of Windows, blanks and tabs are as good as others', async t => {
  const [type, base64] = words(alice).split(' ')
  const file = read(`\t a \t ${type}\t${base64}  caf\u00c3\u00a9 au lait \r`, '\r', '  # remark\r')
  t.match(file.verdict(at('a'), alice), { kind: 'known', entry: { key: { comment: 'café au lait' } } })
})

t.test('a line that is none is an error that names it, and no line of the file counts', async t => {
  const key = words(alice)
  const [, base64 = ''] = key.split(' ')
  for (const [bad, problem] of [
    ['a', /^peers, line 2 has no public key: `ssh-ed25519 AAAA…` or `ssh-rsa AAAA…`$/],
    ['a ssh-ed25519', /^peers, line 2 has no public key/],
    [key, /^peers, line 2 has no public key/],
    [`a ${base64}`, /^peers, line 2 has no public key/],
    [
      `a ssh-ed25519 ${base64.slice(0, -4)}`,
      /^peers, line 2 holds a public key that is cut short; it is damaged$/
    ],
    [`a ssh-ed25519 ${base64.slice(0, -1)}`, /^peers, line 2 holds a public key that is not plain base64/],
    [
      `a ssh-rsa ${base64}`,
      /^peers, line 2 holds a public key that is ssh-ed25519 inside and ssh-rsa outside/
    ],
    [`a ecdsa-sha2-nistp256 ${base64}`, /^peers, line 2: this is a key of the kind ecdsa-sha2-nistp256/],
    [`a ${key} \x1b[2J`, /^peers, line 2 has a control character in it$/],
    [`a,,b ${key}`, /^peers, line 2 has "" where a host/],
    [
      `@cert-authority * ${key}`,
      /^peers, line 2 begins with @cert-authority; there are @revoked and @succession$/
    ],
    [`@revoked ${key}`, /^peers, line 2 has no public key/],
    [`@revoked ${key} Ann`, /^peers, line 2: this is a key of the kind AAAA/],
    ['@succession', /^peers, line 2 holds no succession/],
    ['-----BEGIN PUBLIC KEY-----', /^peers, line 2 holds|^peers, line 2: this is a key of the kind/],
    [`a ${key} ${'x'.repeat(1_025)}`, /^peers, line 2 holds a key whose comment is longer than 1024 bytes$/],
    ['x'.repeat(16_385), /^peers, line 2 is longer than 16384 bytes$/]
  ] as const) {
    t.throws(() => read(`a ${key}`, bad, `b ${key}`), {
      code: 'ERR_STALK_TRUST_FILE_FORMAT',
      message: problem,
      phase: 'setup',
      fault: 'trust'
    })
  }
})

t.test('a file cut at any byte is an error or says less, never another thing', async t => {
  const text = `a ${words(alice)}\n@revoked b ${words(bob)}\nc ${words(carol, 'see')}\n`
  for (let length = 0; length <= text.length; length++) {
    let file: KnownFile
    try {
      file = KnownFile.read(text.slice(0, length), 'peers')
    } catch (error) {
      t.match(error, { code: 'ERR_STALK_TRUST_FILE_FORMAT' })
      continue
    }
    const keys = file.entries.map(({ hosts, key, revoked }) => [hosts.text, key.fingerprint, revoked])
    const all = [
      ['a', alice.fingerprint, false],
      ['b', bob.fingerprint, true],
      ['c', carol.fingerprint, false]
    ]
    if (keys.some((key, index) => String(key) !== String(all[index]))) t.fail(`cut at ${length}: ${keys}`)
  }
})

t.test(
  'a chain of successions is followed from a key of the place, as far as nobody in it is revoked',
  async t => {
    const [ab, bc] = [await Succession.sign(alice, bob), await Succession.sign(bob, carol)]
    const both = [ab.line, bc.line]
    const file = read(`a ${words(alice, 'one')}`, ...both)
    t.match(file.verdict(at('a'), bob), { kind: 'successor', entry: { line: 1 } })
    t.match(file.verdict(at('a'), carol), { kind: 'successor', entry: { line: 1 } })
    t.match(file.verdict(at('a'), alice), { kind: 'known' }, 'until the new one is met')
    t.match(file.verdict(at('b'), bob), { kind: 'unknown' }, 'not at other places')
    const refused = (...lines: string[]) =>
      read(`a ${words(alice)}`, ...both, ...lines).verdict(at('a'), carol)
    t.match(refused(`@revoked * ${words(alice)}`), { kind: 'changed' })
    t.match(refused(`@revoked * ${words(bob)}`), { kind: 'changed' })
    t.match(refused(`@revoked * ${words(carol)}`), { kind: 'revoked' })
    t.match(refused(`@revoked b ${words(bob)}`), { kind: 'successor' }, 'revoked at other places alone')
  }
)

t.test('once the new key has a line of its own at the place, the old one is none there', async t => {
  const { line } = await Succession.sign(alice, bob)
  const file = read(`* ${words(alice)}`, `[a]:4000 ${words(bob)}`, line)
  t.match(file.verdict(at('a'), alice), { kind: 'retired', entry: { line: 2 } })
  t.match(file.verdict(at('a'), bob), { kind: 'known', entry: { line: 2 } })
  t.match(file.verdict(at('b'), alice), { kind: 'known', entry: { line: 1 } })
})

t.test('two successors of one key, and circles, make the file unusable', async t => {
  const [ab, ac, ba] = [
    await Succession.sign(alice, bob),
    await Succession.sign(alice, carol),
    await Succession.sign(bob, alice)
  ]
  t.throws(() => read(ab.line, ac.line), {
    code: 'ERR_STALK_TRUST_FILE_FORMAT',
    message: `peers, line 2: ${alice.fingerprint} has two successors (line 1): ${bob.fingerprint} and ${carol.fingerprint}; one of them may be somebody else's`
  })
  t.throws(() => read(ab.line, '', ba.line), {
    code: 'ERR_STALK_TRUST_FILE_FORMAT',
    message: `peers, line 3: ${bob.fingerprint} would succeed itself, in a circle`
  })
})
