// The demo's judgement: a claim holds on good evidence alone. Each piece of the evidence is taken away or falsified
// in turn, and the claim that rests on it must fall.

import t from 'tap'
import {
  type Claim,
  cutClaims,
  exitCodeOf,
  strangerClaims,
  transferClaims
} from '../../lib/cli/demo-claims.ts'
import type { Ended, Secured } from '../../lib/cli/demo-reports.ts'
import type { Cast, Evidence, Person } from '../../lib/cli/demo-scenes.ts'
import { Tally, type Total } from '../../lib/cli/tally.ts'
import type { Outcome } from '../../lib/index.ts'

const person = (fingerprint: string): Person => ({ key: 'RSA-2048', fingerprint, privateFile: '' })
const cast: Cast = {
  listener: person('SHA256:L'),
  connector: person('SHA256:C'),
  stranger: person('SHA256:S')
}

const MESSAGES = [{ name: 'a long enough name', at: new Date(0) }, { name: 'second' }]
const totalOf = (count: number): Total => {
  const tally = new Tally()
  for (const message of MESSAGES.slice(0, count)) tally.add(message)
  return tally.total
}

const outcome = (
  kind: Outcome['kind'],
  sent: number,
  acknowledged: number | null,
  received: number
): Outcome => ({
  kind,
  reason: '',
  sent,
  acknowledged,
  received,
  unsent: 0
})

const secured = (self: string, peer: string): Secured => ({
  mode: 'mutual',
  suite: 'X25519-AES256GCM-SHA256',
  peerAuthenticated: true,
  peer,
  self,
  sessionId: '00'
})

const ended = (outcome: Outcome, total: Total, answer?: unknown): Ended => ({ outcome, total, answer })

const wire = { bytesToListener: 1, bytesToConnector: 1, firstRecord: Buffer.alloc(50), cut: false }
const nothing = { secured: undefined, refused: undefined, ended: undefined }

const transfer: Evidence = {
  connector: {
    ...nothing,
    secured: secured('SHA256:C', 'SHA256:L'),
    ended: ended(outcome('clean', 2, 2, 1), totalOf(2), { received: totalOf(2) })
  },
  listener: {
    ...nothing,
    secured: secured('SHA256:L', 'SHA256:C'),
    ended: ended(outcome('clean', 1, 1, 2), totalOf(2))
  },
  wire,
  unsendable: undefined
}

const stranger: Evidence = {
  connector: {
    ...nothing,
    refused: { code: 'ERR_STALK_PEER_MISMATCH', text: 'expected SHA256:S; the peer has shown SHA256:L' }
  },
  listener: { ...nothing, refused: { code: 'ERR_STALK_REJECTED', text: '' } },
  wire: { ...wire, firstRecord: null },
  unsendable: undefined
}

const cut: Evidence = {
  connector: { ...nothing, ended: ended(outcome('reset', 2, null, 0), totalOf(2)) },
  listener: { ...nothing, ended: ended(outcome('truncated', 0, null, 1), totalOf(1)) },
  wire: { ...wire, cut: true },
  unsendable: undefined
}

const judged = {
  transfer: (evidence: Evidence) => transferClaims(evidence, cast, totalOf(2), MESSAGES[0]),
  stranger: (evidence: Evidence) => strangerClaims(evidence, cast),
  cut: (evidence: Evidence) => cutClaims(evidence, totalOf)
}

/** A copy with what is at the path replaced. */
function falsified(evidence: Evidence, path: string, value: unknown): Evidence {
  const copy = structuredClone(evidence)
  const names = path.split('.')
  const last = String(names.pop())
  let at = copy as unknown as Record<string, unknown>
  for (const name of names) at = at[name] as Record<string, unknown>
  at[last] = value
  return Object.assign(copy, { wire: withBuffer(copy.wire) })
}

/** structuredClone makes Uint8Arrays of Buffers. */
const withBuffer = (seen: Evidence['wire']): Evidence['wire'] => ({
  ...seen,
  firstRecord: seen.firstRecord && Buffer.from(seen.firstRecord)
})

const fallen = (claims: readonly Claim[]): string[] =>
  claims.filter(claim => !claim.holds).map(({ text }) => text)

t.test('good evidence makes all claims hold, and the exit code 0', async t => {
  for (const [claims, count] of [
    [judged.transfer(transfer), 5],
    [judged.stranger(stranger), 3],
    [judged.cut(cut), 3]
  ] as const) {
    t.strictSame(fallen(claims), [])
    t.equal(claims.length, count)
    t.equal(exitCodeOf(claims), 0)
  }
})

t.test('no claims at all are no success', async t => {
  t.equal(exitCodeOf([]), 1)
})

const FALSE: [keyof typeof judged, Evidence, string, unknown, RegExp][] = [
  ['transfer', transfer, 'connector.secured', undefined, /proved its key/],
  ['transfer', transfer, 'listener.secured.mode', 'responder-only', /proved its key/],
  ['transfer', transfer, 'listener.secured.peerAuthenticated', false, /proved its key/],
  ['transfer', transfer, 'connector.secured.peer', 'SHA256:S', /proved its key/],
  ['transfer', transfer, 'listener.secured.sessionId', '01', /proved its key/],
  ['transfer', transfer, 'listener.ended.total', totalOf(1), /arrived whole/],
  ['transfer', transfer, 'listener.ended.total.digest', '00', /arrived whole/],
  ['transfer', transfer, 'connector.ended.total.messages', 3, /arrived whole/],
  ['transfer', transfer, 'connector.ended.answer', undefined, /arrived whole/],
  ['transfer', transfer, 'listener.ended.total.kinds', [], /beyond JSON/],
  ['transfer', transfer, 'wire.firstRecord', null, /can be read on the wire/],
  [
    'transfer',
    transfer,
    'wire.firstRecord',
    Buffer.from('… a long enough name …'),
    /can be read on the wire/
  ],
  ['transfer', transfer, 'connector.ended.outcome.kind', 'truncated', /said goodbye/],
  ['transfer', transfer, 'listener.ended.outcome.kind', 'reset', /said goodbye/],
  ['transfer', transfer, 'connector.ended.outcome.acknowledged', 1, /said goodbye/],
  ['transfer', transfer, 'connector.ended.outcome.acknowledged', null, /said goodbye/],
  ['transfer', transfer, 'listener.ended.outcome.received', 3, /said goodbye/],
  ['transfer', transfer, 'connector.ended.outcome.unsent', 1, /said goodbye/],
  ['stranger', stranger, 'connector.refused', undefined, /the connector refused/],
  ['stranger', stranger, 'connector.refused.code', 'ERR_STALK_RESET', /the connector refused/],
  ['stranger', stranger, 'connector.refused.text', 'expected SHA256:S', /the connector refused/],
  ['stranger', stranger, 'listener.refused', undefined, /the listener learned/],
  ['stranger', stranger, 'listener.secured', transfer.listener.secured, /none was delivered/],
  ['stranger', stranger, 'listener.ended', transfer.listener.ended, /none was delivered/],
  ['stranger', stranger, 'wire.firstRecord', Buffer.alloc(50), /none was delivered/],
  ['cut', cut, 'wire.cut', false, /takes the cut for an end/],
  ['cut', cut, 'connector.ended.outcome.kind', 'clean', /takes the cut for an end/],
  ['cut', cut, 'listener.ended.outcome.kind', 'clean', /takes the cut for an end/],
  ['cut', cut, 'listener.ended.total.digest', '00', /is whole and in order/],
  ['cut', cut, 'connector.ended.outcome.acknowledged', 1, /how many arrived/]
]

t.test('each claim falls with the evidence that it rests on, and the exit code is 1', async t => {
  for (const [scene, evidence, path, value, claim] of FALSE) {
    const claims = judged[scene](falsified(evidence, path, value))
    t.equal(exitCodeOf(claims), 1, path)
    t.ok(
      fallen(claims).some(text => claim.test(text)),
      `${scene}: ${path}`
    )
  }
})

t.test('where a side has reported nothing at all, nothing that rests on it holds', async t => {
  t.equal(fallen(judged.transfer({ ...transfer, listener: nothing })).length, 4)
  t.equal(fallen(judged.transfer({ ...transfer, connector: nothing })).length, 3)
  t.equal(fallen(judged.stranger({ ...stranger, connector: nothing, listener: nothing })).length, 2)
  t.equal(fallen(judged.cut({ ...cut, connector: nothing, listener: nothing })).length, 3)
})

t.test('nothing having arrived before the cut is put into its own words', async t => {
  const claims = judged.cut(falsified(cut, 'listener.ended.total', totalOf(0)))
  t.strictSame(fallen(claims), [])
  t.ok(claims.some(({ text }) => text === 'no message had arrived whole, and none was delivered'))
})
