// Trust policies: what each way of naming a peer lets in, and what it says when it does not.

import t from 'tap'
import { Identity } from '../../lib/identity/identity.ts'
import { type Authorize, type Peer, policyOf } from '../../lib/trust/policy.ts'
import { Succession } from '../../lib/trust/succession.ts'

const alice = await Identity.generate({ type: 'ed25519' })
const bob = await Identity.generate({ type: 'ed25519' })

t.test('a peer is named by identity, fingerprint, list or function', async t => {
  for (const peer of [
    alice,
    alice.fingerprint,
    [bob, alice.fingerprint],
    (p: Identity | null) => p?.equals(alice) === true
  ]) {
    const policy = policyOf(peer as Peer, undefined)
    t.equal(policy.verifies, true)
    t.equal(policy.said, true)
    await t.resolves(policy.decide(alice))
    await t.rejects(policy.decide(await Identity.generate({ type: 'ed25519' })), {
      code: typeof peer === 'function' ? 'ERR_STALK_UNAUTHORIZED' : 'ERR_STALK_PEER_MISMATCH'
    })
  }
})

t.test('nobody named lets anyone in, and says whether that was meant', async t => {
  for (const [peer, said] of [
    [undefined, false],
    ['anyone', true]
  ] as const) {
    const policy = policyOf(peer, undefined)
    t.match(policy, { verifies: false, said })
    await t.resolves(policy.decide(null))
    await t.resolves(policy.decide(bob))
  }
})

t.test('peer and authorize must both agree', async t => {
  const asked: unknown[] = []
  const policy = policyOf(alice, peer => {
    asked.push(peer)
    return false
  })
  await t.rejects(policy.decide(bob), { code: 'ERR_STALK_PEER_MISMATCH' })
  t.same(asked, [], 'who fails the pin is not asked about')
  await t.rejects(policy.decide(alice), { code: 'ERR_STALK_UNAUTHORIZED', message: /is not authorized/ })
})

t.test('what is no way to name a peer is refused at once', async t => {
  for (const peer of ['SHA256:short', '', 'everyone', 1, null, {}, [], [alice, 'x']]) {
    t.throws(() => policyOf(peer as Peer, undefined), {
      code: 'ERR_STALK_INVALID_OPTION',
      message: /^option peer: /,
      phase: 'setup'
    })
  }
})

t.test('a peer that shows no key is none of those that are pinned', async t => {
  for (const peer of [alice, [alice, bob.fingerprint]]) {
    await t.rejects(policyOf(peer, undefined).decide(null), {
      code: 'ERR_STALK_PEER_ANONYMOUS',
      message: /^expected SHA256:.*; the peer has shown no key$/,
      phase: 'handshake'
    })
  }
})

t.test('only true lets a peer in, at once or later', async t => {
  for (const answer of [true, Promise.resolve(true)]) {
    for (const peer of [alice, null]) await t.resolves(policyOf(undefined, () => answer).decide(peer))
  }
  for (const answer of [false, undefined, null, 0, 1, 'true', {}, Promise.resolve(1), Promise.resolve({})]) {
    const policy = policyOf(undefined, (() => answer) as Authorize)
    t.match(policy, { verifies: true, said: true })
    const refused = (name: string) => ({
      code: 'ERR_STALK_UNAUTHORIZED',
      message: `${name} is not authorized`
    })
    await t.rejects(policy.decide(alice), refused(alice.fingerprint))
    await t.rejects(policy.decide(null), refused('an anonymous peer'))
  }
})

t.test('a decision that throws or is rejected lets nobody in, and says why', async t => {
  const cause = new Error('the list is gone')
  const failing: Authorize[] = [
    () => {
      throw cause
    },
    () => Promise.reject(cause)
  ]
  for (const authorize of failing) {
    const code = 'ERR_STALK_UNAUTHORIZED'
    const message = /^an anonymous peer is not authorized: deciding on it failed: the list is gone$/
    await t.rejects(policyOf(undefined, authorize).decide(null), { code, message, cause })
    await t.rejects(policyOf(authorize, undefined).decide(null), { code, message, cause })
  }
  await t.rejects(policyOf(undefined, () => Promise.reject('no')).decide(bob), {
    code: 'ERR_STALK_UNAUTHORIZED',
    message: /^SHA256:.* is not authorized: deciding on it failed: no$/
  })
})

t.test('a pin with successions accepts each key on the way, and no other', async t => {
  const [carol, dave] = await Promise.all([1, 2].map(() => Identity.generate({ type: 'ed25519' })))
  if (!carol || !dave) throw new Error('no keys')
  const [ab, bc] = [await Succession.sign(alice, bob), await Succession.sign(bob, carol)]
  for (const pin of [alice, alice.fingerprint]) {
    const policy = policyOf({ pin, successions: [bc, ab] }, undefined)
    t.same(policy.pins, [alice.fingerprint, bob.fingerprint, carol.fingerprint])
    for (const peer of [alice, bob, carol]) await t.resolves(policy.decide(peer))
    await t.rejects(policy.decide(dave), { code: 'ERR_STALK_PEER_MISMATCH' })
  }
  t.same(policyOf([dave, { pin: bob, successions: [ab, bc] }], undefined).pins, [
    dave.fingerprint,
    bob.fingerprint,
    carol.fingerprint
  ])
  t.same(
    policyOf({ pin: alice, successions: [bc] }, undefined).pins,
    [alice.fingerprint],
    'a link is missing'
  )
})

t.test(
  'a pin with successions that are none, contradict each other or go round is refused at once',
  async t => {
    const [ab, ba] = [await Succession.sign(alice, bob), await Succession.sign(bob, alice)]
    const other = await Succession.sign(alice, await Identity.generate({ type: 'ed25519' }))
    for (const peer of [
      { pin: 'x', successions: [ab] },
      { pin: alice },
      { pin: alice, successions: ab },
      { pin: alice, successions: [ab.line] },
      { pin: alice, successions: [], revoked: [bob] }
    ])
      t.throws(() => policyOf(peer as unknown as Peer, undefined), {
        code: 'ERR_STALK_INVALID_OPTION',
        message: /^option peer: /
      })
    for (const successions of [
      [ab, ba],
      [ab, other]
    ])
      t.throws(() => policyOf({ pin: alice, successions }, undefined), {
        code: 'ERR_STALK_SUCCESSION',
        message: /would succeed itself, in a circle|has two successors/
      })
  }
)
