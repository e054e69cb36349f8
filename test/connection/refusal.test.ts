// Who may not talk, who speaks out of turn, and how a connection is ended: each with its code, its words and its
// outcome, at both ends.

import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type ErrorCode, Identity, type OutcomeKind, type StalkOptions, stalk } from '../../lib/index.ts'
import { meddledPair } from '../helpers/adversary.ts'
import { bob, collect, two } from '../helpers/pair.ts'

const other = await Identity.generate({ type: 'ed25519' })

interface Expected {
  readonly initiator: [ErrorCode, RegExp, OutcomeKind]
  readonly responder: [ErrorCode, RegExp, OutcomeKind]
}

const refused: [ErrorCode, RegExp, OutcomeKind] = ['ERR_STALK_REJECTED', /alert 6/, 'rejected']

const cases: Record<string, { initiator?: StalkOptions; responder?: StalkOptions } & { expect: Expected }> = {
  'a pinned responder that shows another key is refused, and both fingerprints are named': {
    initiator: { peer: [other, 'SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'] },
    expect: {
      initiator: [
        'ERR_STALK_PEER_MISMATCH',
        new RegExp(`expected ${other.fingerprint} or .*; the peer has shown SHA256`.replace(/[+/]/g, '\\$&')),
        'rejected'
      ],
      responder: refused
    }
  },
  'an anonymous responder does not meet a pin': {
    responder: { identity: null },
    expect: {
      initiator: ['ERR_STALK_PEER_ANONYMOUS', /the peer has shown no key/, 'rejected'],
      responder: refused
    }
  },
  'an initiator with a key that is not welcome is refused': {
    initiator: { identity: other },
    expect: {
      initiator: refused,
      responder: ['ERR_STALK_UNAUTHORIZED', /SHA256:.* is not authorized/, 'rejected']
    }
  },
  'authorize is asked about an anonymous initiator too': {
    initiator: { identity: null },
    expect: {
      initiator: refused,
      responder: ['ERR_STALK_UNAUTHORIZED', /an anonymous peer is not authorized/, 'rejected']
    }
  },
  'an authorize that throws lets nobody in, and its error is the cause': {
    responder: {
      authorize: () => {
        throw new Error('the database is down')
      }
    },
    expect: {
      initiator: refused,
      responder: ['ERR_STALK_UNAUTHORIZED', /the database is down/, 'rejected']
    }
  },
  'an authorize that answers anything but true lets nobody in': {
    responder: { authorize: () => 1 as unknown as boolean },
    expect: { initiator: refused, responder: ['ERR_STALK_UNAUTHORIZED', /not authorized/, 'rejected'] }
  },
  'requireIdentity refuses an anonymous initiator': {
    initiator: { identity: null },
    responder: { requireIdentity: true },
    expect: {
      initiator: ['ERR_STALK_IDENTITY_REQUIRED', /requires an identity/, 'rejected'],
      responder: ['ERR_STALK_REJECTED', /alert 7/, 'rejected']
    }
  },
  'ends with different apps have no key in common': {
    initiator: { app: 'chat' },
    responder: { app: 'mail' },
    expect: {
      initiator: ['ERR_STALK_BAD_RECORD', /does not open/, 'protocol'],
      responder: ['ERR_STALK_BAD_RECORD', /does not open/, 'protocol']
    }
  },
  'ends without a suite in common say so': {
    initiator: { suites: ['X25519-AES256OFB-HMACSHA256'] },
    expect: {
      initiator: ['ERR_STALK_PEER_ALERT', /in clear.*no version, suite/, 'protocol'],
      responder: ['ERR_STALK_NOTHING_IN_COMMON', /no cipher suite that we accept/, 'protocol']
    }
  },
  'an authorize that never answers is cut off by the deadline': {
    responder: { authorize: () => new Promise(() => {}), handshakeTimeout: 80 },
    expect: {
      initiator: ['ERR_STALK_PEER_TIMEOUT', /timed out \(alert 10\)/, 'timeout'],
      responder: ['ERR_STALK_HANDSHAKE_TIMEOUT', /no handshake within 80 ms/, 'timeout']
    }
  }
}

for (const [name, { expect, ...options }] of Object.entries(cases)) {
  t.test(name, async t => {
    const ends = two(options)
    const got = collect(ends.responder)
    const sending = ends.initiator.send('early').then(
      () => 'sent',
      error => error.code
    )
    for (const end of ['initiator', 'responder'] as const) {
      const [code, message, kind] = expect[end]
      const outcome = await ends[end].outcome
      t.match(ends[end].errored, { code, message, phase: 'handshake' }, end)
      t.match(outcome, { kind, code, received: 0 }, end)
      t.equal(
        outcome.sent + outcome.unsent,
        end === 'initiator' ? 1 : 0,
        `${end}: every message is accounted for`
      )
      t.equal(ends[end].security, null)
      await t.rejects(ends[end].ready, { code })
    }
    t.ok(['sent', expect.initiator[0]].includes(await sending))
    t.same(got, [])
  })
}

t.test('two initiators are told that they have the same role; two responders wait in vain', async t => {
  const [a, b] = meddledPair()
  const options = { identity: null, peer: 'anyone', handshakeTimeout: 100 } as const
  const ends = [a, b].map(duplex => stalk(duplex, { ...options, role: 'initiator' }))
  for (const end of ends) end.on('error', () => {})
  await Promise.all(ends.map(end => end.outcome))
  t.match(ends[0]?.errored, { code: 'ERR_STALK_SAME_ROLE', message: /both ends are initiators/ })
  const [c, d] = meddledPair()
  const silent = [c, d].map(duplex => stalk(duplex, { ...options, role: 'responder' }))
  for (const end of silent) end.on('error', () => {})
  await Promise.all(silent.map(end => end.outcome))
  t.match(silent[0]?.errored, { code: 'ERR_STALK_HANDSHAKE_TIMEOUT', message: /or has our role/ })
})

t.test('the same identity at both ends is legal where it is meant', async t => {
  const { initiator, responder } = two({
    initiator: { identity: bob },
    responder: { authorize: peer => peer?.equals(bob) === true }
  })
  await initiator.ready
  initiator.end()
  t.equal((await responder.outcome).kind, 'clean')
})

t.test('an answer of authorize that comes when the wire is gone changes nothing', async t => {
  let answer: (verdict: boolean) => void = () => {}
  const { initiator, responder } = two({
    responder: {
      authorize: () =>
        new Promise(resolve => {
          answer = resolve
        })
    }
  })
  await sleep(50)
  initiator.destroy()
  t.match(await initiator.outcome, { kind: 'aborted', code: 'ERR_STALK_ABORTED' })
  responder.destroy()
  await responder.outcome
  answer(true)
  await sleep(20)
  t.equal(responder.security, null)
})

t.test('destroy tells the peer, and is no error here', async t => {
  const { initiator, responder } = two()
  await Promise.all([initiator.ready, responder.ready])
  const errors: unknown[] = []
  initiator.on('error', error => errors.push(error))
  initiator.destroy()
  initiator.destroy()
  t.match(await initiator.outcome, { kind: 'aborted', code: 'ERR_STALK_ABORTED' })
  t.match(await responder.outcome, { kind: 'reset', code: 'ERR_STALK_PEER_ABORTED' })
  t.match(responder.errored, { message: /aborted or internal error \(alert 8\)/ })
  t.same(errors, [])
})

t.test('destroy in the first tick, and in every handler, ends all the same', async t => {
  const first = two()
  first.initiator.destroy()
  t.equal((await first.initiator.outcome).kind, 'aborted')
  await first.responder.outcome
  for (const event of ['secure', 'data', 'end'] as const) {
    const { initiator, responder } = two()
    responder.on(event, () => responder.destroy())
    responder.resume()
    initiator.end('message')
    await Promise.all([initiator.outcome, responder.outcome])
    t.ok(responder.destroyed, event)
  }
})

t.test('what waits to be sent or flushed is told what ended the connection', async t => {
  const { initiator, responder } = two({ responder: { authorize: () => new Promise(() => {}) } })
  const waiting = [initiator.send(1), initiator.send(2), initiator.flush()]
  const failure = new Error('enough')
  initiator.destroy(failure)
  const results = await Promise.allSettled(waiting)
  const reasons = results.map(result => (result.status === 'rejected' ? result.reason : 'sent'))
  t.ok(reasons.every(reason => reason === failure || reason === 'sent'))
  t.equal(reasons[2], failure)
  t.match(await initiator.outcome, { kind: 'aborted', reason: 'enough' })
  await t.rejects(initiator.send(3), { code: 'ERR_STALK_NOT_WRITABLE', message: /closed: enough/ })
  await t.rejects(initiator.flush(), { code: 'ERR_STALK_NOT_WRITABLE', message: /cannot flush/ })
  responder.destroy()
  await responder.outcome
})

t.test('send after end is refused and harms nothing; write after end is an error, as in node', async t => {
  const first = two()
  await first.initiator.ready
  first.initiator.end()
  await t.rejects(first.initiator.send(1), { code: 'ERR_STALK_NOT_WRITABLE', message: /was ended/ })
  first.responder.resume()
  t.equal((await first.initiator.outcome).kind, 'clean')
  const second = two()
  await second.initiator.ready
  second.initiator.end()
  second.initiator.write(1)
  t.equal((await second.initiator.outcome).kind, 'aborted')
  t.match(second.initiator.errored, { code: 'ERR_STREAM_WRITE_AFTER_END' })
  await second.responder.outcome
})

t.test('a peer that says no goodbye is let go after a while', async t => {
  const { initiator, responder } = two({
    initiator: { closeTimeout: 60 },
    responder: { allowHalfOpen: true }
  })
  responder.resume()
  initiator.end()
  t.match(await initiator.outcome, { kind: 'timeout', code: 'ERR_STALK_CLOSE_TIMEOUT' })
  t.match(initiator.errored, { message: /no goodbye|did not say goodbye within 60 ms/ })
  await responder.outcome
})
