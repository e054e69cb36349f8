// The key schedule against PROTOCOL.md's example and against the formulas written down a second time.

import { randomBytes } from 'node:crypto'
import t from 'tap'
import { SUITES } from '../../lib/crypto/suites.ts'
import { decodeFlight, Verified } from '../../lib/handshake/flight.ts'
import { encodeInitiatorIdentity, encodeMessage, MESSAGE } from '../../lib/handshake/messages.ts'
import {
  type ApplicationSecrets,
  binderOf,
  Exporter,
  expandLabel,
  finishedMac,
  HandshakeSecrets,
  Resumption,
  trafficKeys
} from '../../lib/handshake/schedule.ts'
import { prologueOf, Transcript } from '../../lib/handshake/transcript.ts'
import {
  applicationSecrets,
  EL,
  exported,
  HMAC,
  handshakeSecrets,
  isOfb,
  keysOf,
  ticketPsk
} from '../helpers/formulas.ts'
import { hex } from '../helpers/tamper.ts'

const NONE = Buffer.alloc(0)
const OFB = SUITES['X25519-AES256OFB-HMACSHA256']

/** Application secrets need a Verified flight; this is the least that makes one. */
function verified(): Verified {
  const secret = Buffer.alloc(32)
  const identity = encodeInitiatorIdentity({ identity: null, maxMessageBytes: 1 })
  const hash = new Transcript(NONE).add(identity).hash
  const finished = encodeMessage(MESSAGE.initiatorFinished, finishedMac(secret, hash))
  const inner = { type: 1, body: Buffer.concat([identity, finished]), innerBytes: 2048 }
  const flight = decodeFlight('initiator', inner)
  return Verified.flight('initiator', flight, null, new Transcript(NONE), secret, () => false)
}

function application(shared: Buffer, th1: Buffer, th7: Buffer, app = ''): ApplicationSecrets {
  const secrets = new HandshakeSecrets(prologueOf(Buffer.from(app)), Buffer.from(shared), th1)
  return secrets.application(th7, verified())
}

t.test("PROTOCOL.md's example comes out: X25519 result 01…, th1 02…, no app", async t => {
  const { traffic } = new HandshakeSecrets(prologueOf(NONE), Buffer.alloc(32, 1), Buffer.alloc(32, 2))
  t.same(traffic.initiator, hex('f8036c950e3d1299b40f8b2666946badd806100ecec0cec2d0e55a2f61b51d5d'))
  const gcm = trafficKeys(traffic.initiator, SUITES['X25519-AES256GCM-SHA256'])
  t.same(gcm.key, hex('32faf910ab79096d4728e53853c0f0a1ca13320b13949018192c8c55345dbc3f'))
  t.same(gcm.iv, hex('02c71b2c6b284f7c807fd644'))
  const ofb = trafficKeys(traffic.initiator, OFB)
  t.same(ofb.key, gcm.key)
  t.same(ofb.iv, hex('a2db43dba5697399fbad9ff270ba41ed'))
  t.same(ofb.mac, hex('4839103e56efb050d9bca23ac23d9231f7545fe03eb6f8c09c7f709a13c59f54'))
  const fin = hex('30d834a770b6638ec8c6802cfa570f35eda0486575982b6699cf37f2e6a22de5')
  t.same(finishedMac(traffic.initiator, Buffer.alloc(32, 3)), HMAC(fin, Buffer.alloc(32, 3)))
})

t.test("PROTOCOL.md's example with a psk comes out", async t => {
  const prologue = prologueOf(NONE)
  const [psk, two] = [Buffer.alloc(32, 3), Buffer.alloc(32, 2)]
  const binder = hex('75f84dab4c53dedaf7e56261ba81df1f66b507ac2d777575d8f07f579977849e')
  t.same(binderOf(prologue, psk, two), binder)
  const hs = hex('bff4ab4e3cb835794828fb51ad590c72420cb3e795906368f76b3ef30336ee78')
  const secrets = new HandshakeSecrets(prologue, Buffer.alloc(32, 1), two, psk)
  t.same(secrets.traffic.initiator, EL(hs, 'i hs', two, 32))
  t.same(psk, Buffer.alloc(32), 'wiped')
  const resumption = new Resumption(hex('d792d33647478b4eca77f78a52c02734798dce5cab1818ef3deb0d52218ee5df'))
  const ticketKey = hex('f4e87c4d16675f76859876d884b8be9c2c8e0104986b92954be53b012e4c32be')
  t.same(resumption.psk(Buffer.alloc(16, 4)), ticketKey)
  resumption.wipe()
  t.notSame(resumption.psk(Buffer.alloc(16, 4)), ticketKey)
})

t.test('what a session may be resumed with is the formula, and another for every nonce', async t => {
  const [shared, th1, th7] = [randomBytes(32), randomBytes(32), randomBytes(32)]
  const { hs } = handshakeSecrets(prologueOf(NONE), shared, th1)
  const { res } = applicationSecrets(hs, th7)
  const { resumption } = application(shared, th1, th7)
  for (const nonce of [Buffer.alloc(16), randomBytes(16)])
    t.same(resumption.psk(nonce), ticketPsk(res, nonce))
  t.notSame(resumption.psk(Buffer.alloc(16, 1)), resumption.psk(Buffer.alloc(16, 2)))
})

t.test('Expand-Label is the formula', async t => {
  const secret = randomBytes(32)
  for (const [label, context] of [
    ['key', NONE],
    ['i hs', randomBytes(32)],
    ['session id', NONE],
    ['out', randomBytes(1)]
  ] as const) {
    for (const length of [1, 12, 16, 32]) {
      t.same(expandLabel(secret, label, context, length), EL(secret, label, context, length))
    }
  }
  const long = expandLabel(secret, 'out', NONE, 100)
  t.equal(long.length, 100)
  t.notSame(long.subarray(0, 32), expandLabel(secret, 'out', NONE, 32), 'the length is part of it')
})

t.test('both stages are the formulas, for any app', async t => {
  for (const app of ['', 'chat', 'x'.repeat(64)]) {
    const [shared, th1, th7] = [randomBytes(32), randomBytes(32), randomBytes(32)]
    const prologue = prologueOf(Buffer.from(app))
    const mine = handshakeSecrets(prologue, shared, th1)
    const secrets = new HandshakeSecrets(prologue, Buffer.from(shared), th1)
    t.same(secrets.traffic, { initiator: mine.i_hs, responder: mine.r_hs })
    const ours = applicationSecrets(mine.hs, th7)
    const { traffic, exporter } = secrets.application(th7, verified())
    t.same(traffic, { initiator: ours.i_ap, responder: ours.r_ap })
    t.same(exporter.sessionId, ours.sessionId)
    const [label, context] = [Buffer.from('a label'), Buffer.from('a context')]
    t.same(exporter.export(label, context, 32), exported(ours.exp, label, context, 32))
    for (const suite of Object.values(SUITES)) {
      const { key, iv, mac } = keysOf(ours.i_ap, suite.id)
      t.same(trafficKeys(traffic.initiator, suite), { key, iv, mac: isOfb(suite.id) ? mac : Buffer.alloc(0) })
    }
  }
})

t.test('every input changes every secret', async t => {
  const all = (shared: number, th1: number, th7: number, app: string): string[] => {
    const [a, b, c] = [shared, th1, th7].map(byte => Buffer.alloc(32, byte)) as [Buffer, Buffer, Buffer]
    const { traffic } = new HandshakeSecrets(prologueOf(Buffer.from(app)), Buffer.from(a), b)
    const later = application(a, b, c, app)
    const secrets = [...Object.values(traffic), ...Object.values(later.traffic), later.exporter.sessionId]
    return secrets.map(secret => secret.toString('hex'))
  }
  const base = all(1, 2, 3, '')
  t.equal(new Set(base).size, 5, 'none equals another')
  t.notOk(
    all(9, 2, 3, '').some(secret => base.includes(secret)),
    'X25519 result'
  )
  t.notOk(
    all(1, 2, 3, 'app').some(secret => base.includes(secret)),
    'app'
  )
  t.notOk(
    all(1, 9, 3, '')
      .slice(0, 2)
      .some(secret => base.includes(secret)),
    'th1'
  )
  t.notOk(
    all(1, 2, 9, '')
      .slice(2)
      .some(secret => base.includes(secret)),
    'th7'
  )
})

t.test('secrets are wiped once the next stage has been made of them', async t => {
  const shared = randomBytes(32)
  const secrets = new HandshakeSecrets(prologueOf(NONE), shared, randomBytes(32))
  t.same(shared, Buffer.alloc(32), 'the X25519 result')
  secrets.application(randomBytes(32), verified())
  t.same(secrets.traffic, { initiator: Buffer.alloc(32), responder: Buffer.alloc(32) })
})

t.test('exported keys differ by label, context and length, and repeat otherwise', async t => {
  const exporter = new Exporter(randomBytes(32))
  const out = (label: string, context: string, length = 32): string =>
    exporter.export(Buffer.from(label), Buffer.from(context), length).toString('hex')
  t.equal(out('a', 'b'), out('a', 'b'))
  const different = [
    out('a', 'b'),
    out('ab', ''),
    out('', 'ab'),
    out('a', ''),
    out('b', 'a'),
    out('a', 'b', 33)
  ]
  t.equal(new Set(different.map(text => text.slice(0, 64))).size, 6)
  t.notOk(different.includes(exporter.sessionId.toString('hex')))
  t.equal(out('x'.repeat(100_000), 'y'.repeat(100_000)).length, 64, 'labels and contexts of any length')
  t.equal(out('a', 'b', 8160).length, 16_320)
  t.throws(() => out('a', 'b', 8161), { code: 'ERR_STALK_INTERNAL', message: /HKDF cannot expand to 8161/ })
})
