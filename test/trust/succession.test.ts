// Succession statements: signed by both keys, read to the byte, and nothing else taken for one.

import { createPrivateKey } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { Identity, Succession } from '../../lib/index.ts'
import { Successions } from '../../lib/trust/successions.ts'
import { alice, bob, carol, noModes, words } from './files.ts'

const rsa = await Identity.generate()

t.test('every kind of key may succeed every other', async t => {
  for (const [old, next] of [
    [alice, bob],
    [rsa, alice],
    [alice, rsa]
  ] as const) {
    const from = Math.floor(Date.now() / 1_000) * 1_000
    const made = await Succession.sign(old, next)
    const [read, ...more] = Succession.parse(made.line)
    t.same(more, [])
    t.ok(read?.predecessor.equals(old))
    t.ok(read?.successor.equals(next))
    t.equal(read?.line, made.line)
    t.same(read?.time, made.time)
    t.ok(made.time.getTime() >= from && made.time.getTime() <= Date.now())
    t.match(
      made.line.split(' ').slice(0, 6).join(' '),
      `@succession ${made.time.toISOString().replace('.000', '')} ${words(old)} ${words(next)}`
    )
    t.equal(made.predecessor.privkey, null, 'no private key is kept')
    t.equal(made.successor.privkey, null)
  }
})

t.test('it takes two private keys that are not one', async t => {
  const open = Identity.fromPem(alice.publicPem)
  for (const [old, next] of [
    [open, bob],
    [bob, open],
    [null, bob],
    [alice, alice]
  ])
    await t.rejects(Succession.sign(old as Identity, next as Identity), {
      code: 'ERR_STALK_INVALID_OPTION',
      message: /signed with two private keys|does not succeed itself/
    })
})

t.test('a file has one or several, and says to people what it is', async t => {
  const path = join(t.testdir(), 'id.succession')
  const [ab, bc] = [await Succession.sign(alice, bob), await Succession.sign(bob, carol)]
  await ab.save(path)
  t.equal(
    readFileSync(path, 'utf8'),
    `# ${alice.fingerprint} is succeeded by\n# ${bob.fingerprint}, as both have signed at ${ab.time.toISOString()}\n${ab.line}\n`
  )
  if (!noModes) t.equal(statSync(path).mode & 0o777, 0o644)
  await t.rejects(ab.save(path), { code: 'ERR_STALK_KEY_FILE_EXISTS' })
  writeFileSync(path, `${readFileSync(path, 'utf8').replaceAll('\n', '\r\n')}\r\n  ${bc.line}`)
  t.match(await Succession.load(path), [{ line: ab.line }, { line: bc.line }])
  await t.rejects(Succession.load(join(path, '..', 'none')), { code: 'ERR_STALK_KEY_FILE_MISSING' })
})

t.test('whatever else a file holds is no succession, and the error names it', async t => {
  const path = join(t.testdir(), 'file')
  const { line } = await Succession.sign(alice, bob)
  const list = line.split(' ')
  const changed = (at: number, word: string): string =>
    list.map((old, index) => (index === at ? word : old)).join(' ')
  for (const [text, problem] of [
    ['', /holds no succession: it is empty$/],
    ['# only a remark\n', /it is empty$/],
    [alice.publicPem, /holds no succession: that is a line @succession and seven words$/],
    [words(alice), /holds no succession/],
    [`${line} more`, /holds no succession/],
    [list.slice(0, -1).join(' '), /holds no succession/],
    [`${line}\n${words(alice)}`, /holds no succession/],
    [changed(1, '2026-13-01T00:00:00Z'), /of a time that is none/],
    [changed(1, '2026-02-30T00:00:00Z'), /of a time that is none/],
    [changed(1, '1900-01-01T00:00:00Z'), /of a time that is none/],
    [changed(1, 'today'), /of a time that is none: "today"/],
    [changed(2, 'ssh-rsa'), /of keys that can't be read/],
    [changed(3, list[3]?.slice(0, -4) ?? ''), /of keys that can't be read/],
    [changed(5, list[3] ?? ''), /of a key by itself/],
    [
      changed(6, `${list[6]}=`),
      /that the predecessor, SHA256:\S+, has not signed so; it is damaged or forged$/
    ],
    [changed(6, list[7] ?? ''), /that the predecessor/],
    [changed(7, list[6] ?? ''), /that the successor/],
    [changed(1, '2026-01-31T12:00:00Z'), /that the predecessor/],
    [changed(5, words(carol).split(' ')[1] ?? ''), /that the predecessor/],
    [line.replaceAll(' ', '\u00a0'), /holds no succession/]
  ] as const) {
    writeFileSync(path, text)
    await t.rejects(Succession.load(path), {
      code: 'ERR_STALK_SUCCESSION',
      message: problem,
      fault: 'trust',
      phase: 'setup'
    })
  }
})

t.test('no bit of a statement can be changed, and no byte left out', async t => {
  const { line } = await Succession.sign(alice, bob)
  const bytes = Buffer.from(line)
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Buffer.from(bytes)
    flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
    const cut = bytes.subarray(0, at)
    for (const text of [flipped, cut]) {
      try {
        Succession.parse(text)
        t.fail(`accepted: ${text}`)
      } catch (error) {
        if ((error as { code: string }).code !== 'ERR_STALK_SUCCESSION') t.fail(String(error))
      }
    }
  }
})

t.test(
  'a stranger cannot be made a successor without his key, nor a statement of the handshake be one',
  async t => {
    const ours = await Succession.sign(alice, bob)
    const theirs = await Succession.sign(alice, carol)
    const [a, b] = [ours.line.split(' '), theirs.line.split(' ')]
    const mixed = [...b.slice(0, 7), a[7]].join(' ')
    t.throws(() => Succession.parse(mixed), {
      code: 'ERR_STALK_SUCCESSION',
      message: `the text holds a succession that the successor, ${carol.fingerprint}, has not signed so; it is damaged or forged`
    })
  }
)

t.test('a chain ends at a key that is revoked, and at 256', async t => {
  const keys = await Promise.all(Array.from({ length: 5 }, () => Identity.generate({ type: 'ed25519' })))
  const all = await Promise.all(
    keys.slice(1).map((next, index) => Succession.sign(keys[index] as Identity, next))
  )
  const chains = new Successions(all.map((succession, index) => ({ succession, line: index + 1 })))
  const names = keys.map(({ fingerprint }) => fingerprint)
  t.same(chains.chain(names[0] ?? ''), names.slice(1))
  t.same(chains.chain(names[4] ?? ''), [])
  for (let at = 0; at < 4; at++)
    t.same(
      chains.chain(names[0] ?? '', key => key === names[at]),
      names.slice(1, at + 1)
    )
  const fakes = Array.from({ length: 257 }, (_, n) => ({
    line: n + 1,
    succession: { predecessor: { fingerprint: `${n}` }, successor: { fingerprint: `${n + 1}` }, line: `${n}` }
  }))
  t.equal(new Successions(fakes.slice(1) as never).chain('1').length, 256)
  t.throws(() => new Successions(fakes as never), {
    code: 'ERR_STALK_SUCCESSION',
    message: 'there are more than 256 successions'
  })
})

t.test('the statements of the vectors are what they are said to be', async t => {
  const read = (name: string) =>
    JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'))
  const keys = new Map<string, string>(
    read('handshake.json').keys.map(({ name, pkcs8 }: Record<string, string>) => [name, pkcs8])
  )
  for (const { predecessor, successor, line } of read('successions.json').statements) {
    const [statement] = Succession.parse(line)
    for (const [name, identity] of [
      [predecessor, statement?.predecessor],
      [successor, statement?.successor]
    ] as const) {
      const key = { key: Buffer.from(keys.get(name) ?? '', 'hex'), format: 'der', type: 'pkcs8' } as const
      const expected = Identity.fromPem(
        createPrivateKey(key).export({ type: 'pkcs8', format: 'pem' }).toString()
      )
      t.ok(identity?.equals(expected), name)
    }
    t.equal(statement?.time.toISOString(), '2026-01-31T12:00:00.000Z')
  }
})
