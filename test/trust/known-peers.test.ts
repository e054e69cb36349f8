// Known peers as an object: its options, and what is listed, added, forgotten, revoked and recorded in the file.

import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Identity, knownPeers, Succession } from '../../lib/index.ts'
import { alice, bob, carol, fileOf, noModes, words } from './files.ts'

const rsa = await Identity.generate()
const read = (path: string): string => readFileSync(path, 'utf8')

t.test('the file lies beside the default identity, and the policy is strict, unless it is said', async t => {
  const peers = knownPeers()
  t.equal(peers.path, join(homedir(), '.spack', 'known_peers'))
  t.equal(peers.trust, 'strict')
  t.equal(knownPeers('x', 'accept-new').trust, 'accept-new')
})

t.test('what is no way to deal with them is refused at once', async t => {
  const ask = () => true
  for (const [args, problem] of [
    [['', 'strict'], /takes the path of a file/],
    [[1, 'strict'], /takes the path of a file/],
    [['x', 'maybe'], /^trust is one of strict, ask, accept-new, off, not 'maybe'$/],
    [['x', 'ask'], /needs somebody to ask/],
    [['x', 'ask', { ask: 'me' }], /needs somebody to ask/],
    [['x', 'strict', { ask }], /^with strict nobody is asked/],
    [['x', 'strict', { asks: ask }], /^option asks does not exist; there are ask, makeFolder$/],
    [['x', 'strict', { makeFolder: 1 }], /^option makeFolder must be true or false$/]
  ] as const)
    t.throws(() => knownPeers(...(args as unknown as Parameters<typeof knownPeers>)), {
      code: 'ERR_STALK_INVALID_OPTION',
      message: problem
    })
})

t.test('a peer is added once, with its label, and listed with its line', async t => {
  const peers = knownPeers(fileOf(t, '# mine'))
  t.equal(await peers.add('[a]:4000', alice, { label: 'Ann’s server' }), true)
  t.equal(await peers.add('[a]:4000', alice, { label: 'another label' }), false)
  t.equal(await peers.add('[a]:4000', rsa), true, 'a place may have several keys')
  t.equal(read(peers.path), `# mine\n[a]:4000 ${words(alice, 'Ann’s server')}\n[a]:4000 ${words(rsa)}\n`)
  t.same(await peers.list(), [
    {
      line: 2,
      revoked: false,
      fingerprint: alice.fingerprint,
      type: 'ed25519',
      label: 'Ann’s server',
      hosts: '[a]:4000',
      keysize: 256
    },
    {
      line: 3,
      revoked: false,
      fingerprint: rsa.fingerprint,
      type: 'rsa',
      label: '',
      hosts: '[a]:4000',
      keysize: 2048
    }
  ])
})

t.test('a file whose last line has no end is not spoilt by another line', async t => {
  const path = fileOf(t, `a ${words(alice)}`)
  const peers = knownPeers(path)
  writeFileSync(path, `a ${words(alice)}`)
  await peers.add('b', bob)
  t.equal(read(path), `a ${words(alice)}\nb ${words(bob)}\n`)
})

t.test('what is no peer, host or label is not written', async t => {
  const peers = knownPeers(fileOf(t))
  const bad = { code: 'ERR_STALK_INVALID_OPTION' }
  await t.rejects(peers.add('a b', alice), bad)
  await t.rejects(peers.add('#a', alice), bad)
  await t.rejects(peers.add('a', alice.fingerprint as never), {
    ...bad,
    message: /a fingerprint alone does not/
  })
  await t.rejects(peers.add('a', alice, { label: 'x\n* ssh-ed25519 AAAA' }), {
    ...bad,
    message: /^the label has a/
  })
  await t.rejects(peers.add('a', alice, { label: 'x'.repeat(1_025) }), bad)
  t.notOk(existsSync(peers.path))
})

t.test('a host is forgotten, at one port or all, or a key; all else stays to the byte', async t => {
  const lines = [
    '# Caf\u00e9',
    `[a]:4000 ${words(alice)}`,
    '',
    `[a]:4001,b \t${words(bob, 'two names')}`,
    `*.org ${words(alice)}`,
    `@revoked a ${words(carol)}`
  ]
  const peers = knownPeers(fileOf(t, ...lines))
  const text = (...kept: string[]): string => `${kept.join('\n')}\n`
  t.match(await peers.forget('a', 4000), [{ line: 2, hosts: '[a]:4000' }])
  t.equal(read(peers.path), text(...lines.slice(0, 1), ...lines.slice(2)))
  t.match(await peers.forget('a'), [{ line: 3, hosts: '[a]:4001', label: 'two names' }])
  t.equal(read(peers.path), text('# Café', '', `b \t${words(bob, 'two names')}`, ...lines.slice(4)))
  t.match(await peers.forget(alice.fingerprint), [{ hosts: '*.org' }])
  t.same(await peers.forget('x.org'), [])
  t.same(await peers.forget(carol.fingerprint), [], 'what is revoked stays so')
  t.equal(
    read(peers.path),
    text('# Café', '', `b \t${words(bob, 'two names')}`, `@revoked a ${words(carol)}`)
  )
})

t.test('a key is revoked everywhere, or at hosts, and is not added again', async t => {
  const peers = knownPeers(fileOf(t, `a ${words(alice)}`))
  t.equal(await peers.revoke(alice, { label: 'stolen' }), true)
  t.equal(await peers.revoke(alice), false)
  t.equal(await peers.revoke(bob, { hosts: 'b' }), true)
  t.equal(
    read(peers.path),
    `a ${words(alice)}\n@revoked * ${words(alice, 'stolen')}\n@revoked b ${words(bob)}\n`
  )
  await t.rejects(peers.add('c', alice), {
    code: 'ERR_STALK_PEER_REVOKED',
    message: `${alice.fingerprint} is revoked in ${peers.path}, line 2`
  })
})

t.test('a key that the file has is revoked by its fingerprint', async t => {
  const peers = knownPeers(fileOf(t, `a ${words(alice, 'Ann')}`))
  t.equal(await peers.revoke(alice.fingerprint, { label: 'lost' }), true)
  t.equal(read(peers.path), `a ${words(alice, 'Ann')}\n@revoked * ${words(alice, 'lost')}\n`)
  await t.rejects(peers.revoke(bob.fingerprint), {
    code: 'ERR_STALK_INVALID_OPTION',
    message: `${peers.path} does not have ${bob.fingerprint}; the key itself is needed to revoke it`
  })
})

t.test('a folder that is missing is an error, or made for the first peer, for its owner alone', async t => {
  const path = join(t.testdir(), 'a', 'b', 'known_peers')
  const missing = {
    code: 'ERR_STALK_TRUST_FILE_MISSING',
    message: /^.*known_peers can't be there: there is no folder/
  }
  await t.rejects(knownPeers(path).list(), missing)
  await t.rejects(knownPeers(path).add('a', alice), missing)
  const peers = knownPeers(path, 'strict', { makeFolder: true })
  t.same(await peers.list(), [])
  t.notOk(existsSync(join(path, '..')))
  await peers.add('a', alice)
  t.equal((await peers.list()).length, 1)
  if (!noModes) t.equal(statSync(join(path, '..')).mode & 0o777, 0o700)
  const nowhere = knownPeers(join(path, 'known_peers'), 'strict', { makeFolder: true })
  await t.rejects(nowhere.add('a', alice), {
    code: 'ERR_STALK_TRUST_FILE_IO',
    message: /^cannot create the folder/
  })
})

t.test('a succession is recorded where the old key is known, once, and in chains', async t => {
  const peers = knownPeers(fileOf(t, `a ${words(alice)}`))
  const [ab, bc] = [await Succession.sign(alice, bob), await Succession.sign(bob, carol)]
  await t.rejects(peers.succeed(bc), {
    code: 'ERR_STALK_SUCCESSION',
    message: `the succession is not followed: ${peers.path} does not know ${bob.fingerprint}`
  })
  t.equal(await peers.succeed(ab), true)
  t.equal(await peers.succeed(ab), false)
  t.equal(await peers.succeed(bc), true)
  t.equal(read(peers.path), `a ${words(alice)}\n${ab.line}\n${bc.line}\n`)
  t.match(await peers.successions(), [
    { line: 2, predecessor: alice.fingerprint, successor: bob.fingerprint, time: ab.time },
    { line: 3, predecessor: bob.fingerprint, successor: carol.fingerprint }
  ])
  await t.rejects(peers.succeed(await Succession.sign(alice, rsa)), {
    code: 'ERR_STALK_SUCCESSION',
    message: /^SHA256:\S+ has two successors \(line 2\): .*; one of them may be somebody else's$/
  })
  await t.rejects(peers.succeed(await Succession.sign(carol, alice)), {
    code: 'ERR_STALK_SUCCESSION',
    message: `${carol.fingerprint} would succeed itself, in a circle`
  })
  await t.rejects(peers.succeed({ line: ab.line } as never), { code: 'ERR_STALK_SUCCESSION' })
})

t.test('a succession of a key that is revoked, or to one, is not followed', async t => {
  const ab = await Succession.sign(alice, bob)
  for (const key of [alice, bob]) {
    const peers = knownPeers(fileOf(t, `a ${words(alice)}`, `@revoked * ${words(key)}`))
    const before = read(peers.path)
    await t.rejects(peers.succeed(ab), {
      code: 'ERR_STALK_SUCCESSION',
      message: `the succession is not followed: ${key.fingerprint} is revoked in ${peers.path}, line 2`,
      fault: 'trust'
    })
    t.equal(read(peers.path), before)
  }
})

t.test('a malformed file is neither listed nor written', async t => {
  const peers = knownPeers(fileOf(t, `a ${words(alice)}`, 'what?'))
  const before = read(peers.path)
  const malformed = { code: 'ERR_STALK_TRUST_FILE_FORMAT', message: /peers, line 2 has no public key/ }
  const ab = await Succession.sign(alice, bob)
  for (const call of [
    () => peers.list(),
    () => peers.successions(),
    () => peers.add('b', bob),
    () => peers.forget('a'),
    () => peers.revoke(bob),
    () => peers.succeed(ab)
  ])
    await t.rejects(call() as Promise<unknown>, malformed)
  t.equal(read(peers.path), before)
})
