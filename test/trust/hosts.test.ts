// Patterns of hosts and ports: what each covers, in OpenSSH's notation, and what is none.

import t from 'tap'
import { Hosts, placeOf, placeText } from '../../lib/trust/hosts.ts'
import { fits } from '../../lib/trust/wildcards.ts'

const line = { place: 'peers, line 3' }
const covers = (patterns: string, host: string, port?: number): boolean =>
  Hosts.read(patterns, line).match(placeOf(host, port))

t.test('a host by itself is that host at every port, [host]:port at that port alone', async t => {
  for (const port of [1, 4000, 65_535, undefined]) t.equal(covers('gateway', 'gateway', port), true)
  t.equal(covers('[gateway]:4000', 'gateway', 4000), true)
  t.equal(covers('[gateway]:4000', 'gateway', 4001), false)
  t.equal(covers('[gateway]:4000', 'gateway'), false)
  t.equal(covers('[gateway]:*', 'gateway', 4001), true)
  t.equal(covers('gateway', 'gateway2', 4000), false)
})

t.test('* is any text and ? any one character; names have no case', async t => {
  for (const [patterns, host, expected] of [
    ['*', 'anything', true],
    ['*.example.org', 'a.example.org', true],
    ['*.example.org', 'a.b.example.org', true],
    ['*.example.org', 'example.org', false],
    ['*.Example.ORG', 'A.example.org', true],
    ['10.0.0.?', '10.0.0.7', true],
    ['10.0.0.?', '10.0.0.17', false],
    ['10.0.?.*', '10.0.3.17', true],
    ['a*b*c', 'aXbbYc', true],
    ['a*b*c', 'aXbbY', false],
    ['::1', '::1', true],
    ['unix:/run/*', 'unix:/run/a.sock', true],
    ['unix:/run/A', 'unix:/run/a', false]
  ] as const)
    t.equal(covers(patterns, host, 4000), expected, `${patterns} ${host}`)
  t.equal(covers('[::1]:4000', '::1', 4000), true)
  t.equal(covers('[*.example.org]:4000', 'a.example.org', 4000), true)
})

t.test('of several one is enough, and none of those with ! may fit', async t => {
  t.equal(covers('a,b', 'b', 1), true)
  t.equal(covers('*.example.org,!secret.example.org', 'a.example.org', 1), true)
  t.equal(covers('*.example.org,!secret.example.org', 'secret.example.org', 1), false)
  t.equal(covers('!secret.example.org,*.example.org', 'secret.example.org', 1), false)
  t.equal(covers('*,![a]:4000', 'a', 4000), false)
  t.equal(covers('*,![a]:4000', 'a', 4001), true)
  t.equal(covers('!a', 'b', 1), false, 'what is only said of others covers nobody')
})

t.test('what is no pattern is refused, with its place', async t => {
  for (const patterns of [
    'a,',
    ',a',
    '',
    '[a]',
    '[a]:',
    '[a]:x',
    '[a]:123456',
    'a]:1',
    '[[a]]:1',
    '!!a',
    '!',
    'a"b',
    'a@b',
    'é'
  ])
    t.throws(() => Hosts.read(patterns, line), {
      code: 'ERR_STALK_TRUST_FILE_FORMAT',
      message: /^peers, line 3 has ".*" where a host, or \[host\]:port, is needed$/
    })
  t.throws(() => Hosts.read('|1|c2FsdA==|aGFzaA==', line), {
    code: 'ERR_STALK_TRUST_FILE_FORMAT',
    message: 'peers, line 3 has a hashed host name; stalk takes names as they are'
  })
  t.throws(() => Hosts.of('a b'), { code: 'ERR_STALK_INVALID_OPTION', message: /^"a b" is no list of hosts/ })
  t.throws(() => Hosts.of(1), { code: 'ERR_STALK_INVALID_OPTION' })
})

t.test('a place is a host that is no pattern, and a port or none', async t => {
  t.equal(placeText(placeOf('A.example.org', 4000)), '[a.example.org]:4000')
  t.equal(placeText(placeOf('::1', 4000)), '[::1]:4000')
  t.equal(placeText(placeOf('unix:/run/A', undefined)), 'unix:/run/A')
  for (const host of [
    '',
    '*',
    'a?',
    '!a',
    'a,b',
    '[a]',
    'a b',
    'a\n',
    'ä',
    '@revoked',
    '#',
    '|1',
    'x'.repeat(1_025),
    1,
    null
  ])
    t.throws(() => placeOf(host, 1), { code: 'ERR_STALK_INVALID_OPTION', message: /is no name of a host/ })
  for (const port of [0, -1, 1.5, 65_536, '4000', null])
    t.throws(() => placeOf('a', port), {
      code: 'ERR_STALK_INVALID_OPTION',
      message: /^the port of a known peer/
    })
})

t.test('a host is taken out at one port or all; patterns stay', async t => {
  const without = (patterns: string, host: string, port?: number): string | undefined =>
    Hosts.read(patterns, line).without(placeOf(host, port))?.text
  t.equal(without('[a]:1,[a]:2,b', 'a', 1), '[a]:2,b')
  t.equal(without('[a]:1,[a]:2,b', 'A'), 'b')
  t.equal(without('[a]:1', 'a', 1), undefined)
  t.equal(without('a', 'a', 1), 'a', 'a line for all ports stays')
  t.equal(without('a,!b', 'a'), undefined, 'what is left would cover nobody')
  t.equal(without('*.example.org', 'a.example.org'), '*.example.org')
})

t.test('a pattern that goes back and forth takes no time', async t => {
  const from = process.cpuUsage()
  t.equal(fits(`${'*a'.repeat(500)}b`, 'a'.repeat(1_000)), false)
  t.ok(process.cpuUsage(from).user < 500_000)
})
