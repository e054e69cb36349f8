// The cipher stages alone, around a file: sealed on the way out, opened on the way back, and whatever was done to
// the file in between is seen. The secret is one that two ends of a connection made, or a random one.

import { randomBytes } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  defragmenter,
  deframer,
  fragmenter,
  framer,
  opener,
  type SuiteName,
  sealer
} from '../../lib/index.ts'
import { bothClosed, open } from '../helpers/pair.ts'

const folder = mkdtempSync(join(tmpdir(), 'stalk-file-'))
t.teardown(() => rmSync(folder, { recursive: true }))
const [plain, sealed, opened] = ['plain', 'sealed', 'opened'].map(name => join(folder, name)) as [
  string,
  string,
  string
]

// Larger than several records, and no multiple of any chunk.
const contents = randomBytes(1_000_003)
writeFileSync(plain, contents)

type Options = { suite?: SuiteName }

const seal = (secret: Buffer, options: Options = {}): Promise<void> =>
  pipeline(
    createReadStream(plain),
    fragmenter(),
    sealer(secret, options),
    framer(),
    createWriteStream(sealed)
  )

const unseal = (secret: Buffer, options: Options = {}): Promise<void> =>
  pipeline(
    createReadStream(sealed),
    deframer(),
    opener(secret, options),
    defragmenter(),
    createWriteStream(opened)
  )

for (const suite of [
  'X25519-AES256GCM-SHA256',
  'X25519-CHACHA20POLY1305-SHA256',
  'X25519-AES256OFB-HMACSHA256'
] as const) {
  t.test(`${suite}: a file is sealed and opened again, and nothing of it shows in between`, async t => {
    const secret = randomBytes(32)
    await seal(secret, { suite })
    await unseal(secret, { suite })
    t.ok(readFileSync(opened).equals(contents))
    t.equal(readFileSync(sealed).indexOf(contents.subarray(0, 16)), -1)
  })
}

t.test('a secret of a connection seals what goes another way', async t => {
  const { initiator, responder } = await open()
  const secretOf = (end: typeof initiator): Buffer => end.exportKeyingMaterial('file', 'backup of today', 32)
  await seal(secretOf(initiator))
  await unseal(secretOf(responder))
  t.ok(readFileSync(opened).equals(contents))
  initiator.end()
  await bothClosed({ initiator, responder })
})

const meddled: Record<string, { meddle(bytes: Buffer): Buffer; error: { code: string; message: RegExp } }> = {
  'a bit was flipped': {
    meddle: bytes => {
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(500_000) ^ 1, 500_000)
      return changed
    },
    error: { code: 'ERR_STALK_BAD_RECORD', message: /does not open|record/ }
  },
  'its end was cut off inside a record': {
    meddle: bytes => bytes.subarray(0, -10),
    error: { code: 'ERR_STALK_TRUNCATED', message: /end inside a record/ }
  },
  'its last record was cut off': {
    meddle: bytes => withoutLast(bytes),
    error: { code: 'ERR_STALK_TRUNCATED', message: /records end before the last one/ }
  },
  'it was doubled': {
    meddle: bytes => Buffer.concat([bytes, bytes]),
    error: { code: 'ERR_STALK_BAD_RECORD', message: /record/ }
  }
}

/** All records but the last: a type and a length of 3 bytes stand before each. */
function withoutLast(bytes: Buffer): Buffer {
  let at = 0
  for (let next = 0; next < bytes.length; next += 4 + bytes.readUIntBE(next + 1, 3)) at = next
  return bytes.subarray(0, at)
}

for (const [name, { meddle, error }] of Object.entries(meddled)) {
  t.test(`a file of which ${name} is not taken for whole`, async t => {
    const secret = randomBytes(32)
    await seal(secret)
    writeFileSync(sealed, meddle(readFileSync(sealed)))
    await t.rejects(unseal(secret), error)
  })
}

t.test('another secret, or another suite, opens nothing', async t => {
  const secret = randomBytes(32)
  await seal(secret)
  const refused = { code: 'ERR_STALK_BAD_RECORD' }
  await t.rejects(unseal(randomBytes(32)), refused)
  await t.rejects(unseal(secret, { suite: 'X25519-CHACHA20POLY1305-SHA256' }), refused)
  t.equal(readFileSync(opened).length, 0)
})

t.test('an empty file is whole as well', async t => {
  const secret = randomBytes(32)
  writeFileSync(plain, '')
  await seal(secret)
  await unseal(secret)
  t.equal(readFileSync(opened).length, 0)
})
