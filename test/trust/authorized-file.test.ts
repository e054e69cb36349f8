// What an authorized_peers file says: who may come, from where and until when, and what is wrong with lines that are none.

import t from 'tap'
import { Succession } from '../../lib/index.ts'
import { AuthorizedFile } from '../../lib/trust/authorized-file.ts'
import { alice, bob, carol, words } from './files.ts'

const NOW = Date.UTC(2026, 0, 31, 12)
const read = (...lines: string[]): AuthorizedFile => AuthorizedFile.read(lines.join('\n'), 'peers')
const admits = (
  file: AuthorizedFile,
  peer = alice,
  address: string | undefined = '192.0.2.7'
): number | string => {
  try {
    return file.admit(peer, address, NOW).line
  } catch (error) {
    return `${(error as { code: string }).code} ${(error as Error).message}`
  }
}
const no = (why: string, peer = alice): string =>
  `ERR_STALK_UNAUTHORIZED ${peer.fingerprint} is not authorized: ${why}`

t.test('a key in the file may come, others not', async t => {
  const file = read('# who', '', words(alice, 'Ann'), `\t${words(bob)}\r`)
  t.equal(admits(file), 3)
  t.equal(admits(file, bob), 4)
  t.equal(admits(file, carol), no('peers does not have it', carol))
  t.equal(admits(read()), no('peers does not have it'))
})

t.test('a name is the option, whatever is in it', async t => {
  for (const [option, name] of [
    ['name="ann"', 'ann'],
    ['NAME="ann, the first"', 'ann, the first'],
    ['name="say \\"hi\\" \\\\ ssh-rsa"', 'say "hi" \\ ssh-rsa'],
    ['name="Zo\u00c3\u00ab"', 'Zoë']
  ] as const)
    t.equal(read(`${option} ${words(alice, 'comment')}`).entries[0]?.options.name, name)
})

t.test('from is addresses, blocks and patterns; one with ! excludes', async t => {
  for (const [from, address, expected] of [
    ['192.0.2.7', '192.0.2.7', true],
    ['192.0.2.7', '192.0.2.8', false],
    ['192.0.2.7', '::ffff:192.0.2.7', true],
    ['192.0.2.0/24', '192.0.2.255', true],
    ['192.0.2.0/24', '::ffff:192.0.2.255', true],
    ['192.0.2.0/24', '192.0.3.0', false],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:1::2', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['2001:DB8::1', '2001:db8:0:0::1', true],
    ['fe80::1', 'fe80::1%eth0', true],
    ['::/0', '::1', true],
    ['192.0.2.*', '192.0.2.77', true],
    ['192.0.?.7', '192.0.2.7', true],
    ['192.0.2.*', '192.0.22.7', false],
    ['192.0.2.0/24,!192.0.2.7', '192.0.2.7', false],
    ['192.0.2.0/24,!192.0.2.7', '192.0.2.8', true],
    ['!192.0.2.7', '192.0.2.8', false],
    ['10.0.0.1,192.0.2.7', '192.0.2.7', true],
    ['*', '192.0.2.7', true],
    ['*', undefined, false]
  ] as const) {
    const file = read(`from="${from}" ${words(alice)}`)
    const why =
      address === undefined
        ? 'takes it from some addresses, and none is known'
        : `does not take it from ${address}`
    const admitted = (() => {
      try {
        return file.admit(alice, address, NOW).line
      } catch (error) {
        return (error as Error).message
      }
    })()
    t.equal(
      admitted,
      expected ? 1 : `${alice.fingerprint} is not authorized: peers, line 1, ${why}`,
      `${from} ${address}`
    )
  }
})

t.test('expiry-time ends an entry, in UTC with a Z and else in local time', async t => {
  for (const [time, expected] of [
    ['20260131120001Z', 1],
    ['20260131120000Z', '2026-01-31T12:00:00.000Z'],
    ['202601311201Z', 1],
    ['202601311200Z', '2026-01-31T12:00:00.000Z'],
    ['20260201Z', 1],
    ['20260131Z', '2026-01-31T00:00:00.000Z'],
    ['20990101', 1],
    ['20250101', new Date(2025, 0, 1).toISOString()],
    ['202501011530', new Date(2025, 0, 1, 15, 30).toISOString()],
    ['20240229Z', '2024-02-29T00:00:00.000Z']
  ] as const) {
    const got = admits(read(`expiry-time="${time}" ${words(alice)}`))
    t.equal(got, typeof expected === 'number' ? 1 : no(`peers, line 1, ended at ${expected}`), time)
  }
})

t.test(
  'a key may have several lines: the first that lets it in counts, and otherwise all say why not',
  async t => {
    const file = read(
      `expiry-time="20250101Z" ${words(alice)}`,
      `from="10.0.0.1" ${words(alice)}`,
      `name="a",from="192.0.2.7",expiry-time="20270101Z" ${words(alice)}`
    )
    t.equal(admits(file), 3)
    t.equal(
      admits(file, alice, '192.0.2.8'),
      no(
        'peers, line 1, ended at 2025-01-01T00:00:00.000Z; peers, line 2, does not take it from 192.0.2.8; peers, line 3, does not take it from 192.0.2.8'
      )
    )
  }
)

t.test('what is revoked does not come in, nor whom it has signed', async t => {
  const { line } = await Succession.sign(alice, bob)
  const next = await Succession.sign(bob, carol)
  const lines = [`name="ann" ${words(alice)}`, line, next.line]
  for (const peer of [alice, bob, carol]) t.equal(admits(read(...lines), peer), 1)
  const revoked = (who: typeof alice) => read(...lines, `@revoked ${words(who, 'stolen')}`)
  t.equal(admits(revoked(alice)), `ERR_STALK_PEER_REVOKED ${alice.fingerprint} is revoked; peers, line 4`)
  t.equal(admits(revoked(alice), bob), no('peers does not have it', bob))
  t.equal(admits(revoked(alice), carol), no('peers does not have it', carol))
  t.equal(admits(revoked(bob), carol), no('peers does not have it', carol))
  t.equal(admits(revoked(bob)), 1)
})

t.test('a successor has what its predecessor has, and no more', async t => {
  const { line } = await Succession.sign(alice, bob)
  const file = read(`name="ann",from="192.0.2.7" ${words(alice)}`, line)
  t.equal(admits(file, bob), 1)
  t.equal(admits(file, bob, '192.0.2.8'), no('peers, line 1, does not take it from 192.0.2.8', bob))
})

t.test('a line that is none is an error that names it, and nobody comes in by the others', async t => {
  const key = words(alice)
  for (const [bad, problem] of [
    [
      'what?',
      /^peers, line 2 has "what" without its value|^peers, line 2 has "what" where an option or a key is needed/
    ],
    [
      'command="sh" KEY',
      /^peers, line 2 has "command" where an option or a key is needed; options are name, from, expiry-time$/
    ],
    ['restrict KEY', /^peers, line 2 has "restrict" where/],
    ['cert-authority KEY', /^peers, line 2 has "cert-authority" where/],
    ['name KEY', /^peers, line 2 has name without its value: name="…"$/],
    ['name=ann KEY', /^peers, line 2 has name without its value/],
    ['name="ann KEY', /^peers, line 2 has name without its value/],
    ['name="" KEY', /^peers, line 2 has a name that is empty$/],
    ['name="a",name="b" KEY', /^peers, line 2 says name twice$/],
    ['name="a", from="*" KEY', /^peers, line 2 has " from=/],
    ['name="a"from="*" KEY', /^peers, line 2 has no key behind its options, or no comma/],
    ['name="a"', /^peers, line 2 has no key behind its options/],
    ['name="a" ', /^peers, line 2 has no key behind its options/],
    ['name="a" ssh-ed25519', /^peers, line 2 has no public key/],
    ['name="a",,from="*" KEY', /^peers, line 2 has ",from/],
    ['from="" KEY', /^peers, line 2 has "" in from, which takes addresses, 10\.0\.0\.0\/8 and 10\.0\.\*$/],
    ['from="10.0.0.0/33" KEY', /^peers, line 2 has "10\.0\.0\.0\/33" in from/],
    ['from="10.0.0.0/8/8" KEY', /in from/],
    ['from="10.0.0/8" KEY', /in from/],
    ['from="::/129" KEY', /in from/],
    ['from="gateway.example.org" KEY', /in from/],
    ['from="*.example.org" KEY', /in from/],
    ['from="10.0.0.1," KEY', /in from/],
    ['from="fe80::1%eth0" KEY', /in from/],
    ['expiry-time="2026" KEY', /^peers, line 2 has "2026" as expiry-time, which is YYYYMMDD/],
    ['expiry-time="20260230" KEY', /as expiry-time/],
    ['expiry-time="20260230Z" KEY', /as expiry-time/],
    ['expiry-time="202601312400Z" KEY', /as expiry-time/],
    ['expiry-time="20260131126000" KEY', /as expiry-time/],
    ['expiry-time="never" KEY', /as expiry-time/],
    ['@revoked', /^peers, line 2 has "@revoked" where/],
    ['@revoked x', /^peers, line 2 has no public key/],
    ['@cert-authority KEY', /^peers, line 2 has "@cert-authority/],
    ['* KEY', /^peers, line 2 has "\* ssh-ed25519/],
    ['@succession KEY', /^peers, line 2 holds no succession/],
    [
      `ssh-rsa ${key.split(' ')[1]}`,
      /^peers, line 2 holds a public key that is ssh-ed25519 inside and ssh-rsa outside/
    ]
  ] as const)
    t.throws(
      () => read(key, bad.replace('KEY', key)),
      { code: 'ERR_STALK_TRUST_FILE_FORMAT', message: problem },
      bad
    )
})
