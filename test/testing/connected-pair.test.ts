// Two connections over the pair: as they are by default, with options of their own, and when they do not come about.

import t from 'tap'
import { Identity } from '../../lib/index.ts'
import { connectedPair, cut, flip } from '../../lib/testing/index.ts'
import { bothClosed, collect, within } from '../helpers/pair.ts'

t.test('two connections that know each other, ready for messages', async t => {
  const both = await within(connectedPair<string, number>(), 'a pair')
  t.match(both.initiator.security, { mode: 'mutual', role: 'initiator', peerAuthenticated: true })
  t.match(both.responder.security, { mode: 'mutual', role: 'responder', peerAuthenticated: true })
  t.same(
    [both.initiator, both.responder].map(connection => connection.listenerCount('error')),
    [0, 0],
    'none of ours is left'
  )
  const [there, back] = [collect(both.responder), collect(both.initiator)]
  await Promise.all([both.initiator.send('there'), both.responder.send(1)])
  both.initiator.end()
  for (const outcome of await bothClosed(both)) t.match(outcome, { kind: 'clean', sent: 1, acknowledged: 1 })
  t.same([there, back], [['there'], [1]])
})

t.test('the identities are made once, and others can be given, or none', async t => {
  const [first, second] = [await connectedPair(), await connectedPair()]
  t.equal(first.initiator.identity, second.initiator.identity)
  t.not(first.initiator.identity, first.responder.identity)
  const own = await Identity.generate({ type: 'ed25519' })
  const third = await connectedPair({ initiator: { identity: own } })
  t.ok(third.responder.peerIdentity?.equals(own))
  const fourth = await connectedPair({ initiator: { identity: null }, responder: { identity: null } })
  t.match(fourth.initiator.security, { mode: 'anonymous' })
  const asked: unknown[] = []
  const fifth = await connectedPair({ responder: { authorize: peer => asked.push(peer?.fingerprint) > 0 } })
  t.same(asked, [fifth.initiator.identity?.fingerprint])
  for (const both of [first, second, third, fourth, fifth]) {
    both.initiator.end()
    both.responder.resume()
    both.initiator.resume()
    await bothClosed(both)
  }
})

t.test('a fault is counted from where the messages begin', async t => {
  const both = await connectedPair()
  both.there.meddle(flip(both.there.written + 20))
  const failed = new Promise<unknown>(resolve => both.responder.on('error', resolve))
  both.initiator.on('error', () => {})
  both.initiator.write('spoilt')
  t.match(await within(failed, 'an error'), { code: 'ERR_STALK_BAD_RECORD' })
  const [a, b] = await bothClosed(both)
  t.match(a, { kind: 'protocol', code: 'ERR_STALK_PEER_ALERT', sent: 1, acknowledged: null })
  t.match(b, { kind: 'protocol', code: 'ERR_STALK_BAD_RECORD', received: 0 })
})

t.test('a handshake that fails is told, and leaves nothing', async t => {
  await t.rejects(connectedPair({ there: cut(100, 'reset') }), {
    code: 'ERR_STALK_RESET',
    phase: 'handshake'
  })
  await t.rejects(connectedPair({ responder: { authorize: () => false } }), {
    code: /UNAUTHORIZED|REJECTED/,
    phase: 'handshake'
  })
  await t.rejects(connectedPair({ initiator: { nonsense: 1 } as object }), {
    code: 'ERR_STALK_INVALID_OPTION'
  })
  await t.rejects(connectedPair({ nonsense: 1 } as object), { message: /^option nonsense does not exist/ })
})
