// Flights: what is in one, in which order, and that only a signature and a Finished that both fit verify it.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { KIND } from '../../lib/constants.ts'
import type { RawPublicKey } from '../../lib/crypto/public-key.ts'
import { sign, verify } from '../../lib/crypto/signatures.ts'
import {
  completeFlight,
  decodeFlight,
  type Flight,
  type Role,
  signatureInput,
  Verified
} from '../../lib/handshake/flight.ts'
import {
  encodeInitiatorIdentity,
  encodeMessage,
  encodeResponderIdentity
} from '../../lib/handshake/messages.ts'
import { Transcript } from '../../lib/handshake/transcript.ts'
import type { Inner } from '../../lib/wire/record.ts'
import { signed, vector } from '../helpers/formulas.ts'
import { type KeyPair, keyPair } from '../helpers/machines.ts'
import { flip, hex } from '../helpers/tamper.ts'

const PROLOGUE = Buffer.from('prologue and hellos')
const SECRET = Buffer.alloc(32, 5)
const ROLES: readonly Role[] = ['initiator', 'responder']

const ed25519 = keyPair('ed25519')
const rsa = keyPair('rsa', 4096)

function identityOf(role: Role, identity: RawPublicKey | null): Buffer {
  const message = { identity, maxMessageBytes: 65_536 }
  if (role === 'initiator') return encodeInitiatorIdentity(message)
  return encodeResponderIdentity({ ...message, want: 1, keyTypes: ['ed25519'] })
}

/** An honest flight. */
async function flightOf(role: Role, owner: KeyPair | null): Promise<Inner> {
  const identity = identityOf(role, owner?.raw ?? null)
  const transcript = new Transcript(PROLOGUE).add(identity)
  const input = signatureInput(role, transcript.hash)
  const signature = owner && (await sign(owner.type, owner.privateKey, input))
  return completeFlight(role, identity, signature, transcript, SECRET)
}

const verifyFlight = (role: Role, flight: Flight, peer: RawPublicKey | null, secret = SECRET): Verified =>
  Verified.flight(role, flight, peer, new Transcript(PROLOGUE), secret, verify)

t.test('what is signed is 64 spaces, a context for the role, a zero and the transcript', async t => {
  const transcript = randomBytes(32)
  for (const role of ROLES) t.same(signatureInput(role, transcript), signed(role, transcript))
  t.same(
    signatureInput('responder', hex('ff')),
    Buffer.concat([Buffer.from(`${' '.repeat(64)}stalk/1 responder auth\0`), hex('ff')])
  )
})

t.test('every flight has an inner of 2,048 bytes, whatever the key', async t => {
  for (const role of ROLES) {
    for (const owner of [null, ed25519, rsa]) {
      const inner = await flightOf(role, owner)
      t.equal(inner.innerBytes, 2048)
      t.equal(inner.type, KIND.handshake)
      t.ok(inner.body.length < 2048)
    }
  }
})

t.test('an honest flight verifies and says who sent it', async t => {
  for (const role of ROLES) {
    for (const owner of [null, ed25519, rsa]) {
      const flight = decodeFlight(role, await flightOf(role, owner))
      t.equal(flight.proof === null, owner === null)
      t.same(verifyFlight(role, flight, owner?.raw ?? null).peer, owner?.raw ?? null)
    }
  }
})

t.test('both sides have the same transcript after a flight', async t => {
  const identity = identityOf('initiator', null)
  const ours = new Transcript(PROLOGUE).add(identity)
  const inner = completeFlight('initiator', identity, null, ours, SECRET)
  const theirs = new Transcript(PROLOGUE)
  Verified.flight('initiator', decodeFlight('initiator', inner), null, theirs, SECRET, verify)
  t.same(ours.hash, theirs.hash)
})

t.test('a record of another kind or another size is no flight', async t => {
  const inner = await flightOf('responder', ed25519)
  const unexpected = (message: RegExp) => ({ code: 'ERR_STALK_UNEXPECTED', message, phase: 'handshake' })
  for (const type of [KIND.messages, KIND.alert, 0, 0x42]) {
    t.throws(() => decodeFlight('responder', { ...inner, type }), unexpected(/kind \d+ instead of a flight/))
  }
  for (const innerBytes of [inner.body.length + 1, 2047, 2049]) {
    t.throws(() => decodeFlight('responder', { ...inner, innerBytes }), unexpected(/bytes instead of 2048/))
  }
  t.throws(
    () => decodeFlight('responder', { type: inner.type, body: inner.body }),
    unexpected(/undefined bytes/)
  )
})

t.test('messages that are missing, too many, doubled or in another order are no flight', async t => {
  const part = (type: number): Buffer => encodeMessage(type, Buffer.alloc(2))
  const flight = (types: readonly number[]): Inner => ({
    type: KIND.handshake,
    body: Buffer.concat(types.map(part)),
    innerBytes: 2048
  })
  const good: Record<Role, number[][]> = {
    responder: [
      [1, 2, 3],
      [1, 3]
    ],
    initiator: [
      [4, 5, 6],
      [4, 6]
    ]
  }
  const bad = [[], [1], [2], [3], [1, 2], [2, 3], [3, 1], [1, 3, 2], [2, 1, 3], [1, 1, 3], [1, 2, 2, 3]]
  const mixed = [[1, 2, 6], [1, 6], [4, 3], [1, 5, 3], [1, 2, 3, 7], [7], [0, 3], [1, 2, 3, 4], [1, 2, 3, 3]]
  for (const role of ROLES) {
    for (const types of good[role]) t.doesNotThrow(() => decodeFlight(role, flight(types)))
    const shift = role === 'initiator' ? 3 : 0
    const other = good[role === 'initiator' ? 'responder' : 'initiator']
    for (const types of [...bad.map(types => types.map(type => type + shift)), ...mixed, ...other]) {
      t.throws(
        () => decodeFlight(role, flight(types)),
        { code: 'ERR_STALK_UNEXPECTED', message: /a flight with messages/ },
        `${role}: ${types}`
      )
    }
  }
})

t.test('a flight that does not end with a message is malformed', async t => {
  const inner = await flightOf('initiator', ed25519)
  for (const body of [inner.body.subarray(0, -1), Buffer.concat([inner.body, hex('06')])]) {
    t.throws(() => decodeFlight('initiator', { ...inner, body }), {
      code: 'ERR_STALK_DECODE',
      message: /too early/
    })
  }
})

t.test('a flipped bit anywhere in a flight: it does not verify', async t => {
  for (const role of ROLES) {
    for (const owner of [null, ed25519]) {
      const inner = await flightOf(role, owner)
      for (let bit = 0; bit < inner.body.length * 8; bit++) {
        const spoiled = () =>
          verifyFlight(
            role,
            decodeFlight(role, { ...inner, body: flip(inner.body, bit) }),
            owner?.raw ?? null
          )
        t.throws(spoiled, {
          code: /^ERR_STALK_(UNEXPECTED|DECODE|BAD_SIGNATURE|BAD_FINISHED)$/,
          message: /./
        })
      }
    }
  }
})

t.test('the signature is checked before Finished', async t => {
  const inner = await flightOf('responder', ed25519)
  const flight = decodeFlight('responder', inner)
  const badFinished = { ...flight.finished, body: flip(flight.finished.body, 0) }
  t.throws(() => verifyFlight('responder', { ...flight, finished: badFinished }, ed25519.raw), {
    code: 'ERR_STALK_BAD_FINISHED',
    message: "the responder's Finished does not match"
  })
  const asked: string[] = []
  t.throws(
    () =>
      Verified.flight(
        'responder',
        { ...flight, finished: badFinished },
        ed25519.raw,
        new Transcript(PROLOGUE),
        SECRET,
        () => {
          asked.push('signature')
          return false
        }
      ),
    { code: 'ERR_STALK_BAD_SIGNATURE', message: "the responder's signature is not valid" }
  )
  t.same(asked, ['signature'])
})

t.test('Finished depends on the secret, and has exactly 32 bytes', async t => {
  const flight = decodeFlight('initiator', await flightOf('initiator', null))
  const bad = { code: 'ERR_STALK_BAD_FINISHED', message: "the initiator's Finished does not match" }
  t.throws(() => verifyFlight('initiator', flight, null, Buffer.alloc(32, 6)), bad)
  const { body } = flight.finished
  for (const other of [hex(''), body.subarray(0, 31), Buffer.concat([body, hex('00')])]) {
    t.throws(
      () => verifyFlight('initiator', { ...flight, finished: { ...flight.finished, body: other } }, null),
      bad
    )
  }
})

t.test('a Proof is there if and only if there is an identity', async t => {
  const named = decodeFlight('initiator', await flightOf('initiator', ed25519))
  const unexpected = (message: RegExp) => ({ code: 'ERR_STALK_UNEXPECTED', message })
  t.throws(
    () => verifyFlight('initiator', { ...named, proof: null }, ed25519.raw),
    unexpected(/an identity without a sig/)
  )
  t.throws(() => verifyFlight('initiator', named, null), unexpected(/a signature without an identity/))
})

t.test('a Proof is one vector of at most 512 bytes and nothing else', async t => {
  const flight = decodeFlight('initiator', await flightOf('initiator', ed25519))
  const proof = (body: Buffer): Flight => ({
    ...flight,
    proof: { type: 5, body, encoded: encodeMessage(5, body) }
  })
  const malformed = (message: RegExp) => ({ code: 'ERR_STALK_DECODE', message })
  const good = flight.proof?.body ?? hex('')
  t.throws(
    () => verifyFlight('initiator', proof(good.subarray(0, -1)), ed25519.raw),
    malformed(/proof ends too early/)
  )
  t.throws(
    () => verifyFlight('initiator', proof(Buffer.concat([good, hex('00')])), ed25519.raw),
    malformed(/1 bytes too/)
  )
  t.throws(
    () => verifyFlight('initiator', proof(vector(Buffer.alloc(513))), ed25519.raw),
    malformed(/513 bytes; the limit/)
  )
  t.throws(() => verifyFlight('initiator', proof(vector(hex(''))), ed25519.raw), {
    code: 'ERR_STALK_BAD_SIGNATURE',
    message: /not valid/
  })
})

t.test('a signature of the other role, of another transcript or by another key does not verify', async t => {
  const bad = { code: 'ERR_STALK_BAD_SIGNATURE', message: "the responder's signature is not valid" }
  const identity = identityOf('responder', ed25519.raw)
  const hash = new Transcript(PROLOGUE).add(identity).hash
  const other = new Transcript(Buffer.from('another prologue')).add(identity).hash
  const cases: [KeyPair, Buffer][] = [
    [ed25519, signatureInput('initiator', hash)],
    [ed25519, signatureInput('responder', other)],
    [keyPair('ed25519'), signatureInput('responder', hash)],
    [rsa, signatureInput('responder', hash)]
  ]
  for (const [signer, input] of cases) {
    const signature = await sign(signer.type, signer.privateKey, input)
    const transcript = new Transcript(PROLOGUE).add(identity)
    const inner = completeFlight('responder', identity, signature, transcript, SECRET)
    t.throws(() => verifyFlight('responder', decodeFlight('responder', inner), ed25519.raw), bad)
  }
})

t.test('a key that is none is refused, whatever the signature', async t => {
  const weak = { type: 'ed25519' as const, bytes: Buffer.alloc(32) }
  const identity = identityOf('responder', weak)
  const inner = completeFlight(
    'responder',
    identity,
    Buffer.alloc(64),
    new Transcript(PROLOGUE).add(identity),
    SECRET
  )
  t.throws(() => verifyFlight('responder', decodeFlight('responder', inner), weak), {
    code: 'ERR_STALK_BAD_KEY',
    message: /small order/
  })
})
