// Signatures: only Ed25519 and RSA-PSS with a salt of 32 are valid; the queue bounds what signs at once.

import {
  constants,
  createHash,
  generateKeyPairSync,
  sign as nodeSign,
  verify as nodeVerify,
  randomBytes
} from 'node:crypto'
import t from 'tap'
import { fromRaw } from '../../lib/crypto/public-key.ts'
import { SigningQueue, sign, verify } from '../../lib/crypto/signatures.ts'
import { signatureInput } from '../../lib/handshake/flight.ts'
import { keyPair } from '../helpers/machines.ts'
import { flip, hex } from '../helpers/tamper.ts'

const rsa = keyPair('rsa')
const ed25519 = keyPair('ed25519')
const input = Buffer.from('what is signed')

t.test('what one kind of key signs, its public half verifies', async t => {
  for (const { type, privateKey, raw } of [rsa, ed25519, keyPair('rsa', 3072)]) {
    const signature = await sign(type, privateKey, input)
    t.equal(signature.length, type === 'rsa' ? raw.bytes.length : 64)
    t.ok(verify(raw, input, signature))
  }
})

t.test('another input, key or signature is not valid', async t => {
  for (const { type, privateKey, raw } of [rsa, ed25519]) {
    const signature = await sign(type, privateKey, input)
    t.notOk(verify(raw, Buffer.from('what is signet'), signature))
    t.notOk(verify(keyPair(type).raw, input, signature))
    for (let bit = 0; bit < signature.length * 8; bit += type === 'rsa' ? 7 : 1) {
      if (verify(raw, input, flip(signature, bit))) t.fail(`${type}: bit ${bit} does not matter`)
    }
  }
})

t.test('a signature of another length is not valid', async t => {
  for (const { type, privateKey, raw } of [rsa, ed25519]) {
    const signature = await sign(type, privateKey, input)
    t.notOk(verify(raw, input, Buffer.alloc(0)))
    t.notOk(verify(raw, input, signature.subarray(1)))
    t.notOk(verify(raw, input, signature.subarray(0, -1)))
    t.notOk(verify(raw, input, Buffer.concat([signature, Buffer.alloc(1)])))
    t.notOk(verify(raw, input, Buffer.concat([Buffer.alloc(1), signature])))
  }
})

t.test('an RSA signature without its leading zero is refused, though OpenSSL would take it', async t => {
  const options = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  let signature: Buffer
  do signature = nodeSign('sha256', input, { key: rsa.privateKey, ...options })
  while (signature[0] !== 0) // one of 256 begins so
  const short = signature.subarray(1)
  t.ok(nodeVerify('sha256', input, { key: fromRaw(rsa.raw), ...options }, short), 'valid without the check')
  t.notOk(verify(rsa.raw, input, short))
  t.ok(verify(rsa.raw, input, signature))
})

t.test('a signature in context of one role is not valid for the other', async t => {
  const transcript = createHash('sha256').update('all so far').digest()
  for (const { type, privateKey, raw } of [rsa, ed25519]) {
    const signature = await sign(type, privateKey, signatureInput('responder', transcript))
    t.ok(verify(raw, signatureInput('responder', transcript), signature))
    t.notOk(verify(raw, signatureInput('initiator', transcript), signature))
    t.notOk(verify(raw, transcript, signature), 'without any context')
  }
})

t.test('PSS with a salt of another length is refused, though OpenSSL would take it', async t => {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  for (const saltLength of [0, 1, 20, 31, 33, 64, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
    const signature = nodeSign('sha256', input, { key: rsa.privateKey, padding, saltLength })
    t.ok(
      nodeVerify('sha256', input, { key: fromRaw(rsa.raw), padding }, signature),
      'valid without the check'
    )
    t.notOk(verify(rsa.raw, input, signature), `salt of ${saltLength}`)
  }
  const good = nodeSign('sha256', input, { key: rsa.privateKey, padding, saltLength: 32 })
  t.ok(verify(rsa.raw, input, good))
})

t.test('PSS with another hash is refused', async t => {
  const padding = constants.RSA_PKCS1_PSS_PADDING
  for (const digest of ['sha1', 'sha384', 'sha512']) {
    const signature = nodeSign(digest, input, { key: rsa.privateKey, padding, saltLength: 32 })
    t.notOk(verify(rsa.raw, input, signature), digest)
  }
})

t.test('PKCS#1 v1.5 is refused', async t => {
  t.notOk(verify(rsa.raw, input, nodeSign('sha256', input, rsa.privateKey)))
})

t.test('RFC 8032, section 7.1, test 2 is valid', async t => {
  const raw = {
    type: 'ed25519' as const,
    bytes: hex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c')
  }
  const signature = hex(
    `92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
     085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00`
  )
  t.ok(verify(raw, hex('72'), signature))
})

// The order of the base point (RFC 8032, section 5.1).
const L = 2n ** 252n + 27742317777372353535851937790883648493n

const toInteger = (bytes: Buffer): bigint => BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
const toBytes = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex').reverse()

t.test('an Ed25519 signature with S + L, S + 2L and so on is refused', async t => {
  const signature = await sign('ed25519', ed25519.privateKey, input)
  const s = toInteger(signature.subarray(32))
  t.ok(s < L)
  t.same(Buffer.concat([signature.subarray(0, 32), toBytes(s)]), signature, 'the arithmetic is right')
  for (let other = s + L; other < 2n ** 256n; other += L) {
    t.notOk(verify(ed25519.raw, input, Buffer.concat([signature.subarray(0, 32), toBytes(other)])))
  }
})

t.test('a key that is none throws, whatever the signature', async t => {
  const signature = Buffer.alloc(64)
  t.throws(() => verify({ type: 'ed25519', bytes: Buffer.alloc(32) }, input, signature), {
    code: 'ERR_STALK_BAD_KEY',
    message: /Ed25519 key refused: it is of small order/
  })
  t.throws(() => verify({ type: 'rsa', bytes: randomBytes(255) }, input, Buffer.alloc(255)), {
    code: 'ERR_STALK_BAD_KEY',
    message: /RSA key refused: it has 255 bytes/
  })
})

// --- the queue -----------------------------------------------------------------------------------------

/** An operation that runs until it is told to end. */
class Held {
  started = false
  #end: (() => void) | undefined

  readonly run = (): Promise<void> => {
    this.started = true
    return new Promise(resolve => {
      this.#end = resolve
    })
  }

  end(): void {
    this.#end?.()
  }
}

const turn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
const started = (held: readonly Held[]): boolean[] => held.map(one => one.started)

t.test('a queue runs so many at a time, the others in order', async t => {
  const queue = new SigningQueue(2, 3)
  const held = Array.from({ length: 5 }, () => new Held())
  const order: number[] = []
  const all = held.map((one, i) => queue.run(one.run).then(() => order.push(i)))
  await turn()
  t.same(started(held), [true, true, false, false, false])
  held[1]?.end()
  await turn()
  t.same(started(held), [true, true, true, false, false])
  held[2]?.end()
  await turn()
  held[0]?.end()
  await turn()
  t.same(started(held), [true, true, true, true, true])
  held[3]?.end()
  held[4]?.end()
  await Promise.all(all)
  t.same(order, [1, 2, 0, 3, 4])
})

t.test('a full queue refuses at once, and takes again when a place is free', async t => {
  const queue = new SigningQueue(1, 1)
  const held = [new Held(), new Held(), new Held()]
  const first = queue.run(held[0]?.run ?? turn)
  const second = queue.run(held[1]?.run ?? turn)
  const busy = { code: 'ERR_STALK_BUSY', message: 'too many handshakes wait for a signature', retry: true }
  await t.rejects(queue.run(held[2]?.run ?? turn), busy)
  t.notOk(held[2]?.started, 'what was refused never ran')
  held[0]?.end()
  await first
  const third = queue.run(held[2]?.run ?? turn)
  await turn()
  held[1]?.end()
  await second
  await turn()
  held[2]?.end()
  await third
  t.ok(held[2]?.started)
})

t.test('an operation that fails, or throws at once, frees its place', async t => {
  const queue = new SigningQueue(1, 8)
  const failing = queue.run(() => Promise.reject(new Error('no key today')))
  const throwing = queue.run(() => {
    throw new Error('not even a promise')
  })
  const good = queue.run(async () => 'signed')
  await t.rejects(failing, { message: 'no key today' })
  await t.rejects(throwing, { message: 'not even a promise' })
  t.equal(await good, 'signed')
  t.equal(await queue.run(async () => 'again'), 'again')
})

t.test('a queue without places to wait still runs what it can', async t => {
  const queue = new SigningQueue(1, 0)
  t.equal(await queue.run(async () => 1), 1)
  const held = new Held()
  const running = queue.run(held.run)
  await t.rejects(
    queue.run(async () => 2),
    { code: 'ERR_STALK_BUSY', message: /too many/ }
  )
  held.end()
  await running
  t.equal(await queue.run(async () => 3), 3)
})

t.test('sign passes on what node says of a key that cannot sign', async t => {
  await t.rejects(sign('rsa', fromRaw(rsa.raw), input), {
    code: 'ERR_CRYPTO_INVALID_KEY_OBJECT_TYPE',
    message: /expected private/
  })
  // Too short for the hash and the salt, which shows only in the thread pool.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 512 })
  await t.rejects(sign('rsa', privateKey, input), { message: /too (big|large)/ })
})
