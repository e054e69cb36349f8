// The transcript: one hash over the prologue and everything said, in order.

import { createHash } from 'node:crypto'
import t from 'tap'
import { prologueOf, Transcript } from '../../lib/handshake/transcript.ts'
import { hex } from '../helpers/tamper.ts'

const H = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()

t.test("the prologue is the protocol's name and the application's", async t => {
  t.same(prologueOf(Buffer.from('')), hex('7374616c6b2f31 00 00'))
  t.same(prologueOf(Buffer.from('chat')), hex('7374616c6b2f31 00 04 63686174'))
  t.same(prologueOf(Buffer.from('ü')), hex('7374616c6b2f31 00 02 c3bc'), 'length in bytes')
})

t.test('the hash is over the prologue and all messages, however they were added', async t => {
  const prologue = prologueOf(Buffer.from('chat'))
  const transcript = new Transcript(prologue)
  t.same(transcript.hash, H(prologue))
  transcript.add(hex('01'), hex('0203'))
  t.same(transcript.hash, H(Buffer.concat([prologue, hex('010203')])))
  t.same(transcript.add(hex('')).hash, H(Buffer.concat([prologue, hex('010203')])))
  t.same(transcript.add(hex('04')).hash, H(Buffer.concat([prologue, hex('01020304')])))
})

t.test('asking for the hash does not end the transcript', async t => {
  const transcript = new Transcript(prologueOf(Buffer.from('')))
  t.same(transcript.hash, transcript.hash)
  const [one, two] = [transcript.add(hex('01')).hash, transcript.add(hex('02')).hash]
  t.notSame(one, two)
})

t.test('another application has another transcript', async t => {
  const hashes = ['', 'a', 'b', 'aa'].map(
    app => new Transcript(prologueOf(Buffer.from(app))).add(hex('00')).hash
  )
  t.equal(new Set(hashes.map(hash => hash.toString('hex'))).size, 4)
})
